//! A folder as a person names it: by id, by well-known name in any case (`Inbox`, `Sent Items`), by display name, or by a path of those (`Inbox/Candidates`).
//!
//! What is exact comes first: an id, then a well-known name, then a display name. A display name that several folders have is refused, with their ids.

use crate::error::{Error, Result};
use crate::graph::WELL_KNOWN;
use std::collections::HashMap;

/// As much of a folder as tells whether it is meant.
pub struct Place {
    pub id: String,
    pub parent_id: Option<String>,
    pub well_known_name: Option<String>,
    pub display_name: String,
}

/// A well-known name as Microsoft writes it. None: it is none.
pub fn well_known(name: &str) -> Option<&'static str> {
    let plain = || name.chars().filter(|c| !c.is_whitespace());
    WELL_KNOWN.into_iter().find(|known| plain().map(|c| c.to_ascii_lowercase()).eq(known.chars()))
}

/// By id or well-known name, which needs no names of folders.
pub fn is_exactly(name: &str, id: &str, well_known_name: Option<&str>) -> bool {
    name == id || (well_known_name.is_some() && (well_known_name == Some(name) || well_known_name == well_known(name)))
}

/// By display name or path. None: no folder is called so. Errors: InvalidInput if several are.
pub fn called<'a>(places: &'a [Place], name: &str) -> Result<Option<&'a Place>> {
    let by_id: HashMap<&str, &Place> = places.iter().map(|place| (place.id.as_str(), place)).collect();
    let whole: Vec<&Place> = places.iter().filter(|place| is_name(place, name)).collect();
    // A folder's own name may hold a slash.
    let found = if whole.is_empty() { places.iter().filter(|place| is_path(&by_id, place, name)).collect() } else { whole };
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let ids: Vec<&str> = several.iter().take(5).map(|place| place.id.as_str()).collect();
            Err(Error::invalid(format!("{} folders have this name. Pass the path of one (Inbox/Candidates), or its id: {}.", several.len(), ids.join(", "))))
        }
    }
}

/// The last part is its own name, those before it are the names of the folders above it.
fn is_path(by_id: &HashMap<&str, &Place>, place: &Place, path: &str) -> bool {
    let mut at = Some(place);
    for part in path.rsplit('/') {
        match at {
            Some(place) if is_name(place, part) => at = place.parent_id.as_deref().and_then(|id| by_id.get(id).copied()),
            _ => return false,
        }
    }
    true
}

fn is_name(place: &Place, name: &str) -> bool {
    let same = place.display_name.trim().to_lowercase() == name.trim().to_lowercase();
    same || (place.well_known_name.is_some() && place.well_known_name.as_deref() == well_known(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: &str, parent: Option<&str>, well_known: Option<&str>, name: &str) -> Place {
        Place { id: id.into(), parent_id: parent.map(str::to_owned), well_known_name: well_known.map(str::to_owned), display_name: name.into() }
    }

    fn mailbox() -> Vec<Place> {
        vec![
            place("1", Some("root"), Some("inbox"), "Posteingang"),
            place("2", Some("1"), None, "Kandidaten"),
            place("3", Some("root"), None, "Kandidaten"),
            place("4", Some("root"), Some("sentitems"), "Gesendete Elemente"),
            place("5", Some("1"), None, "Büro/Köln"),
            place("6", Some("5"), None, "Alt"),
        ]
    }

    #[test]
    fn well_known_names_are_known_in_any_case() {
        for name in ["Inbox", "INBOX", "inbox", " inbox "] {
            assert_eq!(well_known(name), Some("inbox"), "{name}");
        }
        assert_eq!(well_known("Sent Items"), Some("sentitems"));
        assert_eq!(well_known("Junk Email"), Some("junkemail"));
        assert_eq!([well_known("Posteingang"), well_known(""), well_known("inboxes")], [None; 3]);
        assert!(is_exactly("Sent Items", "x", Some("sentitems")) && is_exactly("x", "x", None) && !is_exactly("X", "x", None) && !is_exactly("Notes", "x", None));
    }

    #[test]
    fn display_names_and_paths() {
        let all = mailbox();
        let found = |name: &str| called(&all, name).unwrap().map(|place| place.id.as_str());
        assert_eq!(found("posteingang"), Some("1"));
        assert_eq!(found("Posteingang/Kandidaten"), Some("2"));
        assert_eq!(found("Inbox/kandidaten"), Some("2"), "a part may be a well-known name");
        assert_eq!(found("BÜRO/KÖLN"), Some("5"), "a name may hold a slash");
        assert_eq!(found("Gesendete Elemente"), Some("4"));
        assert_eq!([found("Alt/Posteingang"), found("Nobody"), found("/"), found("")], [None; 4]);
    }

    #[test]
    fn a_name_of_several_folders_is_refused_with_their_ids() {
        let all = mailbox();
        let error = called(&all, "Kandidaten").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("2 folders") && error.to_string().contains("2, 3"), "{error}");
    }
}
