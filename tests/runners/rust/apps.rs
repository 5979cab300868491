//! Packages of Teams apps: what is in one, and what the catalogue says of it.

use crate::verbs::{Outcome, defect, error, record};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{Cursor, Read};
use tidings::{Engine, RawRequest};

/// `publish_as`: an account that puts it into the catalogue of its organisation.
pub async fn package(engine: &Engine, with: &Value) -> Outcome {
    let mut given = with.clone();
    // A scenario writes icons in base64.
    for icon in ["color_icon", "outline_icon"] {
        let bytes = STANDARD.decode(with[icon].as_str().unwrap_or_default()).map_err(|e| defect(e.to_string()))?;
        given[icon] = json!(bytes);
    }
    let publish_as = given.as_object_mut().and_then(|fields| fields.remove("publish_as"));
    let zip = engine.app_package(record(&given)?).await.map_err(error)?;
    let mut shown = read(&zip).map_err(|e| defect(e.to_string()))?;
    let hash: String = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
    shown["sha256"] = json!(hash);
    if let Some(account_id) = publish_as.as_ref().and_then(Value::as_str) {
        let headers = [("Content-Type".to_owned(), "application/zip".to_owned())].into();
        let request = RawRequest { path: "/appCatalogs/teamsApps".into(), method: "POST".into(), headers, body: Some(zip), ..RawRequest::default() };
        let response = engine.request(account_id.to_owned(), request, None).await.map_err(error)?;
        let body = response.body().await.map_err(error)?;
        shown["published"] = json!({ "status": response.status(), "json": serde_json::from_slice::<Value>(&body).unwrap_or_default() });
    }
    Ok(shown)
}

/// The names of its files in their order, and those that are JSON.
fn read(zip: &[u8]) -> Result<Value, Box<dyn std::error::Error>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip))?;
    let (mut names, mut json_files) = (Vec::new(), Vec::new());
    for n in 0..archive.len() {
        let mut file = archive.by_index(n)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let name = file.name()?.into_owned();
        if name.ends_with(".json") {
            json_files.push(serde_json::from_slice::<Value>(&content)?);
        }
        names.push(name);
    }
    let mut json_files = json_files.into_iter();
    Ok(json!({ "files": names, "manifest": json_files.next(), "languages": json_files.collect::<Vec<_>>() }))
}
