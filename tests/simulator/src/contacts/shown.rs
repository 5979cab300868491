//! Contacts and their folders as Graph shows them.

use super::store::{Contact, Contacts, DEFAULT};
use crate::clock::iso;
use crate::schema::CONTACT;
use serde_json::{Map, Value, json};

/// Properties that the service makes.
pub const MADE: [&str; 8] = ["id", "createdDateTime", "lastModifiedDateTime", "changeKey", "parentFolderId", "primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress"];

pub fn with_context(mut shown: Value, context: String) -> Value {
    shown["@odata.context"] = json!(context);
    shown
}

pub fn folder(contacts: &Contacts, at: usize, select: &[String]) -> Value {
    let folder = &contacts.folders[at];
    let parent = folder.parent.and_then(|parent| contacts.folders.get(parent)).map_or("", |f| f.id.as_str());
    // The parent of the first folders is the default one, whose own parent is the root of the mailbox.
    let parent = if at == DEFAULT { "AAMkAGRoot" } else { parent };
    chosen(json!({"id": folder.id, "displayName": folder.name, "parentFolderId": parent}), select)
}

pub fn contact(contacts: &Contacts, contact: &Contact, immutable: bool, select: &[String]) -> Value {
    let mut all = Map::new();
    let key = format!("EQAAABYAAAD{:016x}", contact.change);
    all.insert("@odata.etag".into(), json!(format!("W/\"{key}\"")));
    for property in CONTACT.properties.iter().filter(|p| p.can.contains('r')) {
        let none = if property.kind.starts_with("Collection(") { json!([]) } else { Value::Null };
        all.insert(property.name.into(), contact.fields.get(property.name).cloned().unwrap_or(none));
    }
    let address = |n: usize| contact.fields.get("emailAddresses").and_then(|all| all.get(n)).cloned().unwrap_or(Value::Null);
    for (n, name) in ["primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress"].into_iter().enumerate() {
        all.insert(name.into(), address(n));
    }
    let made = json!({
        "id": if immutable { &contact.immutable } else { &contact.id }, "createdDateTime": iso(contact.created), "lastModifiedDateTime": iso(contact.modified),
        "changeKey": key, "parentFolderId": contacts.folders[contact.folder].id,
    });
    all.extend(made.as_object().cloned().unwrap_or_default());
    chosen(Value::Object(all), select)
}

fn chosen(all: Value, select: &[String]) -> Value {
    if select.is_empty() {
        return all;
    }
    let is_wanted = |name: &str| name == "id" || name == "@odata.etag" || select.iter().any(|s| s.eq_ignore_ascii_case(name));
    Value::Object(all.as_object().into_iter().flatten().filter(|(name, _)| is_wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
}
