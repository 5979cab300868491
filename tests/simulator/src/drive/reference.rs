//! Files that messages refer to.

use crate::graph::bad;
use crate::http::{Answer, decode};
use crate::world::World;
use serde_json::Value;

/// A file of a drive that is here must be there, and be the one whose id is named; of what is elsewhere nobody knows. The extension of the address is that of
/// the name.
pub fn check(world: &World, attachment: &Value) -> Result<(), Answer> {
    let text = |name: &str| attachment[name].as_str().unwrap_or("");
    let (url, id, name) = (text("contentUrl"), text("id"), text("name"));
    let Some(drive) = world.drives.all.iter().find(|drive| url.strip_prefix(&drive.url).is_some_and(|rest| rest.starts_with('/'))) else { return Ok(()) };
    let extension = |name: &str| name.rfind('.').map_or(String::new(), |at| name[at..].to_lowercase());
    let of_url = extension(&decode(url, false));
    if of_url != extension(name) {
        return Err(bad(format!("Failed to complete operation. Message: File contentUrl extension: '{of_url}' and name extension: '{}' do not match.", extension(name))));
    }
    match drive.items.iter().find(|item| item.bytes.is_some() && drive.dav_url(item) == url) {
        Some(item) if item.guid.eq_ignore_ascii_case(id) => Ok(()),
        _ => Err(bad(format!("Failed to process content in attachment with Id '{id}'."))),
    }
}
