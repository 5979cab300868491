//! Reads the sources: shows the long files, and holds the scenarios to the ids and names they may use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tidings_tests::root;

const LONG: usize = 500;

/// Shown, not forbidden: a long file is a question, not a mistake.
#[test]
fn long_files_are_shown() {
    let listed = Command::new("git").args(["ls-files", "*.rs", "*.py", "*.mjs", "*.js", "*.kt", "*.ts"]).current_dir(root()).output();
    let listed = String::from_utf8(listed.expect("git").stdout).expect("names in UTF-8");
    let mut long: Vec<(usize, &str)> = listed
        .lines()
        .filter(|name| !name.ends_with(".d.ts"))
        .filter_map(|name| Some((std::fs::read_to_string(root().join(name)).ok()?.lines().count(), name)))
        .filter(|(lines, _)| *lines > LONG)
        .collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    println!("{} files over {LONG} lines", long.len());
    long.iter().for_each(|(lines, name)| println!("{lines:>6}  {name}"));
}

#[test]
fn scenarios_prove_known_features_under_unique_names() {
    let folder = root().join("tests/scenarios");
    let manual = std::fs::read_to_string(folder.join("README.md")).expect("tests/scenarios/README.md");
    let known: BTreeSet<&str> = manual.lines().filter_map(|l| l.strip_prefix("- ")?.split(' ').next()).collect();
    let mut names = BTreeSet::new();
    let files = scenarios(&folder);
    assert!(files.len() >= 25, "only {} scenarios", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a scenario");
        let scenario: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let name = scenario["name"].as_str().expect("a name").to_owned();
        assert!(names.insert(name.clone()), "two scenarios say {name:?}");
        let proves = scenario["proves"].as_array().expect("proves");
        assert!(!proves.is_empty(), "{name:?} proves nothing");
        for id in proves {
            assert!(known.contains(id.as_str().unwrap_or_default()), "{name:?} proves {id}, which tests/scenarios/README.md does not list");
        }
    }
}

/// Each kind of undocumented answer that the list of ids names has a scenario that holds the right behaviour.
#[test]
fn every_oddity_is_named_by_a_scenario() {
    let folder = root().join("tests/scenarios");
    let manual = std::fs::read_to_string(folder.join("README.md")).expect("tests/scenarios/README.md");
    let is_oddity = |id: &str| id.strip_prefix('O').is_some_and(|n| n.parse::<u32>().is_ok());
    let listed: BTreeSet<String> = manual.lines().filter_map(|l| l.strip_prefix("- ")?.split(' ').next()).filter(|id: &&str| is_oddity(id)).map(str::to_owned).collect();
    let mut named = BTreeSet::new();
    for file in scenarios(&folder) {
        let scenario: toml::Table = toml::from_str(&std::fs::read_to_string(&file).expect("a scenario")).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        named.extend(scenario["proves"].as_array().into_iter().flatten().filter_map(|id| Some(id.as_str()?.to_owned())));
    }
    let missing: Vec<&String> = listed.difference(&named).collect();
    assert!(listed.len() >= 18 && missing.is_empty(), "no scenario names {missing:?}");
}

fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("tests/scenarios").filter_map(Result::ok).map(|e| e.path());
    entries.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect()
}
