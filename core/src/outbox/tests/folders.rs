//! Messages with files: Microsoft's side of the folders they are put into, and what becomes of them when connections break and processes are killed.

use super::microsoft::State;
use super::uploads::{self, masked};
use crate::pipeline::Answer;
use crate::pipeline::fake::says;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The one folder of an account, and uploads on their way into it.
#[derive(Default)]
pub struct Folder {
    /// By id.
    files: HashMap<String, InFolder>,
    sessions: HashMap<String, Vec<u8>>,
    /// What each session is for.
    aims: HashMap<String, String>,
}

struct InFolder {
    name: String,
    bytes: Bytes,
    is_shared: bool,
}

pub fn is_folder(path: &str) -> bool {
    path.contains("/drive/root:/") || path.starts_with("/v1.0/drives/") || is_session(path)
}

pub fn is_session(path: &str) -> bool {
    path.starts_with("/_api/v2.0/drives/")
}

fn gone() -> Answer {
    says(404, r#"{"error":{"code":"itemNotFound"}}"#)
}

/// As SharePoint makes ids of it: the number of the file in the last group.
fn guid(id: &str) -> String {
    format!("00000000-0000-4000-8000-{:0>12}", id.trim_start_matches("id"))
}

fn shown(id: &str, file: &InFolder) -> Answer {
    let url = format!("https://contoso-my.sharepoint.com/personal/a/{}", file.name.replace(' ', "%20"));
    says(200, json!({ "id": id, "name": file.name, "eTag": format!("\"{{{}}},1\"", guid(id).to_uppercase()), "webDavUrl": url, "parentReference": { "driveId": "d" } }).to_string())
}

/// The name in `…:/name:/content`, and what follows.
fn named(path: &str) -> Option<(&str, &str)> {
    let rest = path.split(":/").nth(1)?;
    let name = rest.rsplit('/').next()?.trim_end_matches(':');
    Some((name, path.split(":/").nth(2).unwrap_or_default()))
}

fn id_of(path: &str) -> &str {
    path.strip_prefix("/v1.0/drives/d/items/").unwrap().split('/').next().unwrap()
}

impl Folder {
    fn put(&mut self, id: &str, name: &str, bytes: Bytes) {
        match self.files.values_mut().find(|file| file.name == name) {
            Some(file) => file.bytes = bytes,
            None => drop(self.files.insert(id.to_owned(), InFolder { name: name.to_owned(), bytes, is_shared: false })),
        }
    }

    /// What the attachments of a message refer to. Each is there, under the name that is shown, and may be opened by others in a chat.
    pub fn referred(&self, asked: &Value, is_chat: bool) -> Option<Vec<Bytes>> {
        let all = asked["attachments"].as_array()?;
        let one = |attachment: &Value| {
            let (_, file) = self.files.iter().find(|(id, _)| attachment["id"] == json!(guid(id)))?;
            let is_right = attachment["name"] == json!(file.name) && attachment["contentUrl"].as_str()?.ends_with(&file.name.replace(' ', "%20")) && (file.is_shared || !is_chat);
            is_right.then(|| file.bytes.clone())
        };
        all.iter().map(one).collect()
    }

    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The connection breaks within a range: nothing of it counts.
    fn take(&mut self, session: &str, id: &str, (range, body): (&str, &[u8])) -> Answer {
        let (Some(bytes), Some(name)) = (self.sessions.get_mut(session), self.aims.get(session).cloned()) else { return gone() };
        let (from, all) = (range.trim_start_matches("bytes ").split('-').next().unwrap(), range.rsplit('/').next().unwrap());
        if from != bytes.len().to_string() {
            return says(416, r#"{"error":{"code":"invalidRange"}}"#);
        }
        bytes.extend_from_slice(body);
        if bytes.len().to_string() != all {
            assert!(body.len().is_multiple_of(320 << 10), "a range that OneDrive refuses");
            return says(202, json!({ "nextExpectedRanges": [format!("{}-", bytes.len())] }).to_string());
        }
        let whole = self.sessions.remove(session).unwrap();
        self.put(id, &name, whole.into());
        says(201, json!({ "id": id }).to_string())
    }
}

impl State {
    pub fn write_folder(&mut self, account_id: &str, (method, path): (&str, &str), (range, body): (&str, &[u8]), id: &str) -> Answer {
        let folder = self.folders.entry(account_id.to_owned()).or_default();
        if is_session(path) {
            let session = path.split('/').nth(6).unwrap().to_owned();
            return folder.take(&session, id, (range, body));
        }
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method, named(path)) {
            ("PUT", Some((name, "content"))) => {
                folder.put(id, name, Bytes::copy_from_slice(body));
                says(201, json!({ "id": "of the one that is there" }).to_string())
            }
            ("POST", Some((name, "createUploadSession"))) => {
                folder.sessions.insert(id.to_owned(), Vec::new());
                folder.aims.insert(id.to_owned(), name.to_owned());
                let url = format!("https://contoso-my.sharepoint.com/_api/v2.0/drives/{}/items/{id}/uploadSession?tempauth=secret-{id}-0123456789abcdef", masked(account_id));
                says(200, json!({ "uploadUrl": url, "nextExpectedRanges": ["0-"] }).to_string())
            }
            ("POST", None) if path.ends_with("/invite") => match folder.files.get_mut(id_of(path)) {
                Some(file) => {
                    file.is_shared = true;
                    says(200, json!({ "value": [{}] }).to_string())
                }
                None => gone(),
            },
            ("PATCH", None) => {
                let (id, name) = (id_of(path), asked["name"].as_str().unwrap());
                if folder.files.iter().any(|(other, file)| other != id && file.name == name) {
                    return says(409, r#"{"error":{"code":"nameAlreadyExists"}}"#);
                }
                match folder.files.get_mut(id) {
                    Some(file) => {
                        file.name = name.to_owned();
                        says(200, "{}")
                    }
                    None => gone(),
                }
            }
            ("DELETE", None) => match folder.files.remove(id_of(path)) {
                Some(_) => says(204, ""),
                None => gone(),
            },
            other => panic!("nobody here answers {other:?}"),
        }
    }

    pub fn read_folder(&mut self, account_id: &str, path: &str) -> Answer {
        let folder = self.folders.entry(account_id.to_owned()).or_default();
        if is_session(path) {
            return match folder.sessions.get(path.split('/').nth(6).unwrap()) {
                Some(bytes) => says(200, json!({ "nextExpectedRanges": [format!("{}-", bytes.len())] }).to_string()),
                None => gone(),
            };
        }
        let found = match named(path) {
            Some((name, _)) => folder.files.iter().find(|(_, file)| file.name == name),
            None => folder.files.get_key_value(id_of(path)),
        };
        found.map_or_else(gone, |(id, file)| shown(id, file))
    }
}

pub fn account_of_session(path: &str) -> String {
    uploads::unmasked(path.split('/').nth(4).unwrap())
}
