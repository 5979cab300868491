//! What is published says the same everywhere: one version, one licence with its text in every package, a list of what is linked. And what builds it on other
//! machines has no rights and no secrets, and runs nothing that can be exchanged.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tidings_tests::root;

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn table(name: &str) -> toml::Table {
    toml::from_str(&text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The first of its kind that stands at the top of the pom, before any dependency.
fn pom(element: &str) -> Vec<String> {
    let pom = text("bindings/kotlin/pom.xml");
    let head = pom.split("<dependencies>").next().expect("a pom").to_owned();
    let found = Regex::new(&format!("<{element}>([^<]+)</{element}>")).expect("a pattern");
    found.captures_iter(&head).map(|it| it[1].to_owned()).collect()
}

#[test]
fn one_version_and_one_licence() {
    let workspace = table("Cargo.toml");
    let package = &workspace["workspace"]["package"];
    let (version, licence) = (package["version"].as_str().expect("a version"), package["license"].as_str().expect("a licence"));

    for member in workspace["workspace"]["members"].as_array().expect("members") {
        let member = member.as_str().expect("a path");
        let manifest = table(&format!("{member}/Cargo.toml"));
        for field in ["version", "license"] {
            assert_eq!(manifest["package"][field].get("workspace").and_then(toml::Value::as_bool), Some(true), "{field} of {member}");
        }
    }

    let npm = json("bindings/node/package.json");
    assert_eq!((npm["version"].as_str(), npm["license"].as_str()), (Some(version), Some(licence)), "package.json");
    let locked = json("bindings/node/package-lock.json");
    assert_eq!((locked["version"].as_str(), locked["packages"][""]["license"].as_str()), (Some(version), Some(licence)), "package-lock.json");

    let python = table("bindings/python/pyproject.toml");
    assert_eq!(python["project"]["license"].as_str(), Some(licence), "pyproject.toml");
    let dynamic = python["project"]["dynamic"].as_array().expect("dynamic fields");
    assert!(dynamic.iter().any(|field| field.as_str() == Some("version")) && python["project"].get("version").is_none(), "the version of the wheel is that of its Cargo.toml");

    assert_eq!(pom("version"), [version], "pom.xml");
    assert_eq!(pom("license"), Vec::<String>::new(), "each licence has a name and an address");
    assert_eq!(pom("name").into_iter().skip(1).collect::<Vec<_>>().join(" OR "), licence, "pom.xml");
}

#[test]
fn every_package_has_the_texts_of_its_licence() {
    for licence in LICENCES {
        let own = text(&format!("core/{licence}"));
        assert!(own.len() > 1_000, "{licence}");
        for package in ["python", "node", "kotlin"] {
            assert_eq!(text(&format!("bindings/{package}/{licence}")), own, "{licence} of {package}");
        }
        let files = |list: &[Value]| list.iter().any(|file| file.as_str() == Some(licence));
        assert!(files(json("bindings/node/package.json")["files"].as_array().expect("files")), "package.json leaves out {licence}");
        let python = table("bindings/python/pyproject.toml");
        assert!(python["project"]["license-files"].as_array().is_some_and(|files| files.iter().any(|file| file.as_str() == Some(licence))), "pyproject.toml leaves out {licence}");
        assert!(text("bindings/kotlin/pom.xml").contains(&format!("<include>{licence}</include>")), "pom.xml leaves out {licence}");
    }
    for name in [".github/SECURITY.md", ".github/CONTRIBUTING.md", "core/CHANGELOG.md", ".cargo/deny.toml"] {
        assert!(!text(name).trim().is_empty(), "{name}");
        assert!(text("README.md").contains(&format!("]({name})")), "README.md does not lead to {name}");
    }
    let version = table("Cargo.toml")["workspace"]["package"]["version"].as_str().expect("a version").to_owned();
    assert!(text("core/CHANGELOG.md").lines().any(|line| line.starts_with("## ") && line.contains(&version)), "CHANGELOG.md has no part for {version}");
}

/// Each bill lists what is linked into that package, and nothing of tests, build scripts and macros.
#[test]
fn the_bills_of_materials_list_what_is_linked() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Command::new("rustc").arg("-vV").output().expect("rustc").stdout;
    let host = String::from_utf8(host).expect("UTF-8").lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned)).expect("a host");
    let made = Command::new("node").arg(root().join("tests/tools/sbom.mjs")).arg(folder.path()).args(["--target", &host]).output().expect("node");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bill = |name: &str| listed(&folder.path().join(name));
    let (crate_, wheel, npm, jar) =
        (bill("tidings-crate.cdx.json"), bill(&format!("tidings-wheel-{host}.cdx.json")), bill(&format!("tidings-npm-{host}.cdx.json")), bill(&format!("tidings-jar-{host}.cdx.json")));
    for (name, all) in [("crate", &crate_), ("wheel", &wheel), ("npm", &npm), ("jar", &jar)] {
        for linked in ["rusqlite", "libsqlite3-sys", "sqlite", "aws-lc-sys", "aws-lc", "rustls", "jsonwebtoken", "tokio", "aes-gcm"] {
            assert!(all.contains(linked), "{linked} is missing in {name}");
        }
        for other in ["proptest", "m365-sim", "tidings-tests", "tidings-generator", "serde_derive", "cc", "weedle2", "clap", "fail", "uniffi_bindgen"] {
            assert!(!all.contains(other), "{other} is not linked into {name}");
        }
    }
    for (binding, home) in [("pyo3", &wheel), ("napi", &npm), ("uniffi", &jar)] {
        assert!(home.contains(binding), "{binding}");
        assert_eq!([&crate_, &wheel, &npm, &jar].iter().filter(|all| all.contains(binding)).count(), 1, "{binding} is in one package alone");
    }
    assert!(jar.contains("kotlin-stdlib") && jar.contains("jna") && !jar.contains("junit-jupiter"), "what the jar needs beside it");
}

fn listed(file: &Path) -> BTreeSet<String> {
    let bill: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))).expect("JSON");
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str(), bill["metadata"]["component"]["name"].as_str()), (Some("CycloneDX"), Some("1.6"), Some("tidings")));
    let components = bill["components"].as_array().expect("components");
    for component in components {
        let licences = component["licenses"].as_array().is_some_and(|all| !all.is_empty());
        assert!(licences && component["purl"].is_string() && component["version"].is_string(), "{component}");
    }
    components.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
}

/// What people copy works the second time as well: no program makes a new key at each start, but those whose store goes with them.
#[test]
fn programs_to_copy_keep_their_key() {
    let passing = ["examples/rust/src/bin/quickstart/place.rs", "examples/rust/src/bin/bench/storm.rs", "examples/rust/src/bin/bench_fleet/main.rs"];
    let listed = Command::new("git").args(["ls-files", "examples"]).current_dir(root()).output().expect("git").stdout;
    let listed = String::from_utf8(listed).expect("names in UTF-8");
    let makes = |text: &str| text.contains("generate_root_key") || text.contains("generateRootKey");
    for name in listed.lines().filter(|name| !passing.contains(name)) {
        let bytes = std::fs::read(root().join(name)).unwrap_or_default();
        assert!(!makes(&String::from_utf8_lossy(&bytes)), "{name} makes a new key at each start");
    }
    let readme = text("README.md");
    let programs: Vec<&str> = readme.split("\n```").filter(|block| block.lines().next().is_some_and(|first| first.ends_with(" run"))).collect();
    assert_eq!(programs.len(), 4, "the programs of README.md");
    assert!(programs.iter().all(|program| !makes(program) && (program.contains("load_or_create_key") || program.contains("loadOrCreateKey"))));
}

#[test]
fn workflows_have_no_secrets_few_rights_and_fixed_actions() {
    let folder = root().join(".github/workflows");
    let files: Vec<_> = std::fs::read_dir(&folder).expect("workflows").filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    assert!(files.len() >= 2, "{files:?}");
    let fixed = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$").expect("a pattern");
    for file in files {
        let workflow = text(&format!(".github/workflows/{file}"));
        assert!(workflow.contains("\npermissions:\n  contents: read\n"), "{file} does not begin with read permission");
        for line in workflow.lines().map(str::trim) {
            assert!(!line.contains("secrets.") && !line.ends_with(": write") && !line.contains("write-all"), "{file}: {line}");
            assert!(!line.contains("${{ github.event") && !line.contains("github.head_ref"), "{file}: what strangers write is in a command: {line}");
            if let Some(action) = line.trim_start_matches("- ").strip_prefix("uses: ") {
                assert!(action.starts_with("./") || fixed.is_match(action), "{file}: {action} is not fixed to a commit");
            }
        }
        // The token stays out of the work tree.
        assert_eq!(workflow.matches("actions/checkout@").count(), workflow.matches("persist-credentials: false").count(), "{file}");
    }
}
