//! A drive and an item as Graph shows them.

use super::store::{Drive, Item, Owner, segment};
use crate::clock::iso;
use crate::graph::bad;
use crate::http::{Answer, Call, base64};
use crate::world::World;
use serde_json::{Map, Value, json};

/// What may be selected of an item; `webDavUrl` is shown only then.
const NAMES: [&str; 14] = [
    "id", "name", "size", "eTag", "cTag", "createdDateTime", "lastModifiedDateTime", "webUrl", "webDavUrl", "parentReference", "file", "folder", "root", "fileSystemInfo",
];

pub fn drive(world: &World, call: &Call, at: usize) -> Value {
    let drive = &world.drives.all[at];
    let (kind, owner) = match &drive.owner {
        Owner::Person(person) => {
            let p = &world.people.people[*person];
            ("business", json!({"user": {"id": p.id, "displayName": p.name, "email": p.address}}))
        }
        Owner::Channel(team, _) => ("documentLibrary", json!({"group": {"id": team}})),
    };
    json!({
        "@odata.context": format!("{}/$metadata#drives/$entity", call.base()), "id": drive.id, "driveType": kind, "name": "Documents", "webUrl": drive.url, "owner": owner,
        "quota": {"total": drive.quota, "used": drive.used(), "remaining": drive.quota.saturating_sub(drive.used()), "deleted": 0, "state": "normal"},
    })
}

/// With `$select` only what is named there.
pub fn item(world: &World, call: &Call, at: usize, id: &str) -> Result<Value, Answer> {
    let drive = &world.drives.all[at];
    let Some(item) = drive.item(id) else { return Err(super::not_found()) };
    let all = whole(world, drive, item);
    let Some(wanted) = call.param("$select").filter(|text| text != "*") else {
        let mut all = all;
        if let Some(map) = all.as_object_mut() {
            map.remove("webDavUrl");
        }
        return Ok(with_context(call, &drive.id, all));
    };
    let mut out = Map::new();
    out.insert("@odata.etag".into(), all["eTag"].clone());
    for name in wanted.split(',').map(str::trim) {
        let Some(known) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            return Err(bad(format!("Could not find a property named '{name}' on type 'microsoft.graph.driveItem'.")));
        };
        if !all[*known].is_null() {
            out.insert((*known).to_string(), all[*known].clone());
        }
    }
    Ok(with_context(call, &drive.id, Value::Object(out)))
}

fn with_context(call: &Call, drive: &str, mut shown: Value) -> Value {
    shown["@odata.context"] = json!(format!("{}/$metadata#drives('{}')/items/$entity", call.base(), segment(drive)));
    shown
}

/// All of it, without the context.
pub fn whole(world: &World, drive: &Drive, item: &Item) -> Value {
    let (etag, ctag) = (format!("\"{{{}}},{}\"", item.guid.to_uppercase(), item.version), format!("\"c:{{{}}},{}\"", item.guid.to_uppercase(), item.version));
    let dav = drive.dav_url(item);
    let kind = match &drive.owner {
        Owner::Person(_) => "business",
        Owner::Channel(..) => "documentLibrary",
    };
    let mut parent = json!({"driveType": kind, "driveId": drive.id});
    if let Some(above) = item.parent.as_deref().and_then(|id| drive.item(id)) {
        let path = drive.path(above);
        let path = if path.is_empty() { format!("/drives/{}/root:", drive.id) } else { format!("/drives/{}/root:/{}", drive.id, path.join("/")) };
        parent["id"] = json!(above.id);
        parent["path"] = json!(path);
    }
    let by = match &drive.owner {
        Owner::Person(person) => json!({"user": {"id": world.people.people[*person].id, "displayName": world.people.people[*person].name}}),
        Owner::Channel(..) => json!({"user": {"displayName": "SharePoint App"}}),
    };
    let mut out = json!({
        "id": item.id, "name": item.name, "eTag": etag, "cTag": ctag, "createdDateTime": iso(item.created), "lastModifiedDateTime": iso(item.modified),
        "webUrl": web_url(&dav, drive, item), "webDavUrl": dav, "parentReference": parent, "createdBy": by, "lastModifiedBy": by,
        "size": item.bytes.as_ref().map_or(0, |bytes| bytes.len()),
        "fileSystemInfo": {"createdDateTime": iso(item.created), "lastModifiedDateTime": iso(item.modified)},
    });
    match &item.bytes {
        Some(_) => out["file"] = json!({"mimeType": mime(&item.name), "hashes": {"quickXorHash": base64(item.guid.as_bytes())}}),
        None => out["folder"] = json!({"childCount": drive.items.iter().filter(|one| one.parent.as_deref() == Some(&item.id)).count()}),
    }
    if item.parent.is_none() {
        out["root"] = json!({});
    }
    out
}

/// Of what Office opens in the browser it is a page that shows the file.
fn web_url(dav: &str, drive: &Drive, item: &Item) -> String {
    let office = ["docx", "xlsx", "pptx", "csv"].iter().any(|extension| item.name.to_lowercase().ends_with(&format!(".{extension}")));
    if !office {
        return dav.to_string();
    }
    let site = drive.url.rsplit_once('/').map_or("", |(site, _)| site);
    format!("{site}/_layouts/15/Doc.aspx?sourcedoc=%7B{}%7D&file={}&action=default&mobileredirect=true", item.guid.to_uppercase(), segment(&item.name))
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}
