//! What a path of a drive names: an item by id or by path, and what is done with it.

use crate::graph::bad;
use crate::http::{Answer, Call, decode};

pub struct Place {
    /// The drive's id, where the path says it.
    pub drive: Option<String>,
    pub target: Target,
    /// `content`, `children`, `createUploadSession`, `invite`; empty: the item itself.
    pub action: String,
}

pub enum Target {
    Drive,
    Root,
    Item(String),
    /// Below an item, or below the root.
    Below(Option<String>, Vec<String>),
}

impl Place {
    pub fn of(call: &Call) -> Result<Place, Answer> {
        let path = decode(&call.path, false);
        let below = path.split_once("/v1.0/").map_or("", |(_, rest)| rest);
        let mut parts = below.splitn(2, '/');
        let first = parts.next().unwrap_or("").to_lowercase();
        let mut rest = parts.next().unwrap_or("");
        let mut drive = None;
        if first == "drives" {
            let (id, after) = rest.split_once('/').unwrap_or((rest, ""));
            drive = Some(id.to_string());
            rest = after;
        } else {
            if first == "users" {
                rest = rest.split_once('/').map_or("", |(_, after)| after);
            }
            rest = rest.strip_prefix("drive").map_or("", |after| after.strip_prefix('/').unwrap_or(after));
        }
        let (target, action) = target(rest)?;
        Ok(Place { drive, target, action })
    }
}

fn target(rest: &str) -> Result<(Target, String), Answer> {
    if rest.is_empty() {
        return Ok((Target::Drive, String::new()));
    }
    let (item, after) = match rest.strip_prefix("items/") {
        Some(after) => {
            let end = after.find([':', '/']).unwrap_or(after.len());
            let (id, after) = after.split_at(end);
            (if id == "root" { None } else { Some(id.to_string()) }, after)
        }
        None => match rest.strip_prefix("root") {
            Some(after) => (None, after),
            None => return Err(bad(format!("Resource not found for the segment '{}'.", rest.split('/').next().unwrap_or("")))),
        },
    };
    let named = |item: Option<String>| item.map_or(Target::Root, Target::Item);
    match after.strip_prefix(':') {
        // `:/path` and, behind another colon, what is done with it.
        Some(after) => {
            let (path, action) = after.split_once(':').unwrap_or((after, ""));
            let names: Vec<String> = path.split('/').filter(|name| !name.is_empty()).map(String::from).collect();
            let target = if names.is_empty() { named(item) } else { Target::Below(item, names) };
            Ok((target, action.trim_matches('/').to_string()))
        }
        None => Ok((named(item), after.trim_matches('/').to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, target};

    fn shown(rest: &str) -> String {
        match target(rest) {
            Ok((Target::Drive, action)) => format!("drive {action}"),
            Ok((Target::Root, action)) => format!("root {action}"),
            Ok((Target::Item(id), action)) => format!("{id} {action}"),
            Ok((Target::Below(item, path), action)) => format!("{}>{} {action}", item.unwrap_or_default(), path.join("/")),
            Err(answer) => answer.status.to_string(),
        }
    }

    #[test]
    fn paths_name_items() {
        for (path, told) in [
            ("", "drive "),
            ("root", "root "),
            ("root/children", "root children"),
            ("root:/a b/c.pdf", ">a b/c.pdf "),
            ("root:/a b/c.pdf:/content", ">a b/c.pdf content"),
            ("items/01X", "01X "),
            ("items/01X/content", "01X content"),
            ("items/01X:/c.pdf:/createUploadSession", "01X>c.pdf createUploadSession"),
            ("items/root:/c.pdf:/content", ">c.pdf content"),
            ("nothing", "400"),
        ] {
            assert_eq!(shown(path), told, "{path}");
        }
    }
}
