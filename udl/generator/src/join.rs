//! Joins the contract: one file per subject becomes the one text that UniFFI and this crate read.
//!
//! `interface Engine` and the namespace span subjects. One file defines each of them, the others add their part as `partial`, as WebIDL has it. UniFFI does
//! not know `partial`, so the parts are merged into the definition here, in the order of the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use weedle::interface::InterfaceMember;
use weedle::namespace::NamespaceMember;
use weedle::{Definition, Parse};

/// The files of `udl/src` in the order that readers of the typings see; `engine` defines what the others are parts of.
const SUBJECTS: [&str; 26] = [
    "errors", "config", "connect", "consent", "accounts", "send", "teams", "workflows", "bots", "apps", "endpoints", "places", "sync", "backfill", "mail", "contacts", "calendar", "said", "news", "inbound", "raw", "logs", "keys", "audit", "erasure", "engine",
];

/// A file of the contract. The name is the one that errors show.
pub struct Subject {
    pub name: String,
    pub text: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")
}

/// The whole contract as one text.
pub fn contract() -> Result<String, String> {
    join(&read(&folder(), &SUBJECTS)?)
}

/// For a `build.rs`: the contract, and to Cargo the files that it was read from.
pub fn contract_for_build() -> Result<String, String> {
    SUBJECTS.iter().for_each(|subject| println!("cargo::rerun-if-changed={}", folder().join(file_name(subject)).display()));
    contract()
}

fn file_name(subject: &str) -> String {
    format!("{subject}.udl")
}

/// Reads the subjects. Another `.udl` file in the folder is an error: it would be left out in silence.
pub fn read(folder: &Path, subjects: &[&str]) -> Result<Vec<Subject>, String> {
    let shown = |name: &str| format!("udl/src/{name}");
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| name.ends_with(".udl")).collect();
    names.sort();
    if let Some(name) = names.iter().find(|name| !subjects.iter().any(|subject| file_name(subject) == **name)) {
        return Err(format!("{}: not among the subjects that udl/generator/src/join.rs lists", shown(name)));
    }
    let one = |subject: &&str| {
        let name = file_name(subject);
        let text = std::fs::read_to_string(folder.join(&name)).map_err(|e| format!("{}: {e}", shown(&name)))?;
        Ok(Subject { name: shown(&name), text })
    };
    subjects.iter().map(one).collect()
}

/// A definition as it stands in its file.
struct Found<'a> {
    name: &'a str,
    text: &'a str,
    /// File and line, for errors.
    place: String,
    is_part: bool,
    /// Names of the methods or functions that it holds, each with its place.
    members: Vec<(&'a str, String)>,
}

/// One text of all subjects, with the parts merged. Errors name file and line.
pub fn join(subjects: &[Subject]) -> Result<String, String> {
    let mut all = Vec::new();
    for subject in subjects {
        all.extend(definitions(subject)?);
    }
    let (parts, whole): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|found| found.is_part);
    let mut places = BTreeMap::new();
    for found in &whole {
        if let Some(other) = places.insert(found.name, &found.place) {
            return Err(format!("{}: {} is defined at {other} already", found.place, found.name));
        }
    }
    if let Some(part) = parts.iter().find(|part| !places.contains_key(part.name)) {
        return Err(format!("{}: {} is defined nowhere, so it has no parts", part.place, part.name));
    }
    let mut joined = String::new();
    for found in &whole {
        let parts: Vec<&Found> = parts.iter().filter(|part| part.name == found.name).collect();
        joined += &merge(found, &parts)?;
        joined += "\n\n";
    }
    Ok(joined)
}

/// The definition with the members of its parts after its own.
fn merge(whole: &Found, parts: &[&Found]) -> Result<String, String> {
    if parts.is_empty() {
        return Ok(whole.text.to_owned());
    }
    let mut places = BTreeMap::new();
    for (name, place) in whole.members.iter().chain(parts.iter().flat_map(|part| &part.members)) {
        if let Some(other) = places.insert(name, place) {
            return Err(format!("{place}: {}.{name} stands at {other} already", whole.name));
        }
    }
    let (head, mut body) = (opening(whole)?, members(whole)?.to_owned());
    for part in parts {
        body += members(part)?;
    }
    Ok(format!("{head}{body}\n}};"))
}

/// What stands before the members, with the brace.
fn opening<'a>(found: &Found<'a>) -> Result<&'a str, String> {
    let members = members(found)?;
    Ok(found.text.get(..offset(found.text, members)).unwrap_or_default())
}

/// What stands between the braces. The closing one is known by the start of its line, where no comment can stand before it.
fn members<'a>(found: &Found<'a>) -> Result<&'a str, String> {
    let from_name = found.text.get(offset(found.text, found.name)..).unwrap_or_default();
    let body = from_name.split_once('{').and_then(|(_, rest)| rest.rsplit_once("\n}"));
    body.map(|(members, _)| members).ok_or_else(|| format!("{}: the brace that closes {} stands on a line of its own, without an indent", found.place, found.name))
}

fn definitions(subject: &Subject) -> Result<Vec<Found<'_>>, String> {
    let text = subject.text.as_str();
    let place = |part: &str| format!("{}:{}", subject.name, text.get(..offset(text, part)).unwrap_or_default().matches('\n').count() + 1);
    let (mut found, mut rest) = (Vec::new(), after_title(text));
    while !rest.is_empty() {
        let Ok((after, definition)) = Definition::parse(rest) else {
            return Err(format!("{}: the definition that starts here cannot be read", place(rest)));
        };
        let text = rest.get(..offset(rest, after)).unwrap_or_default().trim_end();
        let (name, is_part, members) = outline(&definition).ok_or_else(|| format!("{}: nothing of this kind is known here", place(rest)))?;
        let members = members.into_iter().map(|name| (name, place(name))).collect();
        found.push(Found { name, text, place: place(name), is_part, members });
        rest = after;
    }
    Ok(found)
}

/// A definition may begin with its documentation only where no comment stands before it, so the comment at the top of a file is skipped here.
fn after_title(text: &str) -> &str {
    let mut rest = text.trim();
    while rest.starts_with("//") && !rest.starts_with("///") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    rest
}

/// A definition's name, whether it is a part, and the names it holds, as slices of the file.
fn outline<'a>(definition: &Definition<'a>) -> Option<(&'a str, bool, Vec<&'a str>)> {
    let methods = |members: &[InterfaceMember<'a>]| members.iter().filter_map(|m| if let InterfaceMember::Operation(o) = m { o.identifier.map(|i| i.0) } else { None }).collect();
    let functions = |members: &[NamespaceMember<'a>]| members.iter().filter_map(|m| if let NamespaceMember::Operation(o) = m { o.identifier.map(|i| i.0) } else { None }).collect();
    Some(match definition {
        Definition::Enum(d) => (d.identifier.0, false, vec![]),
        Definition::Dictionary(d) => (d.identifier.0, false, vec![]),
        Definition::Interface(d) => (d.identifier.0, false, methods(&d.members.body)),
        Definition::PartialInterface(d) => (d.identifier.0, true, methods(&d.members.body)),
        Definition::Namespace(d) => (d.identifier.0, false, functions(&d.members.body)),
        Definition::PartialNamespace(d) => (d.identifier.0, true, functions(&d.members.body)),
        _ => return None,
    })
}

/// Where a slice of a text starts in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
