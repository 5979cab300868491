//! What is wrong with the contract's files is told with the file's name, and the line where there is one.

use super::{Subject, join, read};

const ENGINE: &str = "namespace tidings {\n    string version();\n};\n\n/// The engine.\n[Remote]\ninterface Engine {\n    void shutdown();\n};\n";

fn joined(files: &[(&str, &str)]) -> Result<String, String> {
    let subjects: Vec<Subject> = files.iter().map(|(name, text)| Subject { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
    join(&subjects)
}

fn refused(files: &[(&str, &str)]) -> String {
    joined(files).err().unwrap_or_default()
}

#[test]
fn parts_are_merged_in_the_order_of_the_files() -> Result<(), String> {
    let mail = "// Mail.\n\npartial namespace tidings {\n    string logs();\n};\n\npartial interface Engine {\n    // a comment with }; in it\n    void sync();\n};\n";
    let text = joined(&[("mail.udl", mail), ("engine.udl", ENGINE)])?;
    let at = |what: &str| text.find(what).ok_or(format!("no {what} in {text}"));
    assert!(!text.contains("partial"), "{text}");
    assert_eq!(text.matches("interface Engine").count(), 1, "{text}");
    assert!(at("version()")? < at("logs()")? && at("logs()")? < at("/// The engine.")?, "{text}");
    assert!(at("shutdown()")? < at("sync()")?, "{text}");
    uniffi_udl::parse_udl(&text, "tidings").map_err(|e| e.to_string())?;
    Ok(())
}

#[test]
fn a_definition_in_two_files_names_both() {
    let same = "dictionary Mail {\n    string id;\n};\n";
    let twice = refused(&[("mail.udl", same), ("send.udl", &format!("// Sending.\n\n{same}")), ("engine.udl", ENGINE)]);
    assert_eq!(twice, "send.udl:3: Mail is defined at mail.udl:1 already");
}

#[test]
fn a_verb_in_two_files_names_both() {
    let twice = refused(&[("mail.udl", "partial interface Engine {\n    void shutdown();\n};\n"), ("engine.udl", ENGINE)]);
    assert_eq!(twice, "mail.udl:2: Engine.shutdown stands at engine.udl:8 already");
}

#[test]
fn a_part_of_nothing_is_refused() {
    assert_eq!(refused(&[("mail.udl", "\npartial interface Motor {\n};\n"), ("engine.udl", ENGINE)]), "mail.udl:2: Motor is defined nowhere, so it has no parts");
}

#[test]
fn what_is_no_udl_is_named_by_its_line() {
    let broken = "// Mail.\n\n/// A mail.\ndictionary Mail {\n    string id;\n};\n\ndictionary Folder {\n    string;\n};\n";
    assert_eq!(refused(&[("mail.udl", broken)]), "mail.udl:8: the definition that starts here cannot be read");
}

#[test]
fn a_file_that_is_missing_or_unreadable_or_not_listed_is_named() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let told = |subjects: &[&str]| read(folder.path(), subjects).err().unwrap_or_default();
    assert!(told(&["mail"]).starts_with("udl/src/mail.udl: "), "{}", told(&["mail"]));
    std::fs::write(folder.path().join("mail.udl"), [0xff, 0xfe])?;
    assert!(told(&["mail"]).starts_with("udl/src/mail.udl: "), "{}", told(&["mail"]));
    std::fs::write(folder.path().join("mail.udl"), "")?;
    assert_eq!(told(&["mail"]), "");
    assert_eq!(told(&[]), "udl/src/mail.udl: not among the subjects that udl/generator/src/join.rs lists");
    Ok(())
}
