//! The package of an app: a ZIP file with `manifest.json` at its root.

use super::{Bot, Version};
use crate::http::base64;
use crate::world::World;
use serde_json::Value;
use std::io::Read;

/// A manifest is never larger.
const LARGEST: u64 = 1 << 20;
pub const CHANNEL_FEATURES: &str = "Applications with manifest version 1.25 or higher that support the 'team' scope must include the 'supportsChannelFeatures' property.";

pub struct Manifest {
    pub id: String,
    pub manifest_version: String,
    pub number: String,
    pub name: String,
    pub short: String,
    pub full: String,
    pub bot: Option<Bot>,
    pub client: Option<String>,
    pub asks: Vec<String>,
    pub has_channel_features: bool,
}

impl Manifest {
    /// Why Teams does not take it.
    pub fn trouble(&self) -> Option<String> {
        let number = |part: usize| self.manifest_version.split('.').nth(part).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
        let is_late = (number(0), number(1)) >= (1, 25);
        let in_teams = self.bot.as_ref().is_some_and(|bot| bot.scopes.iter().any(|scope| scope == "team"));
        (is_late && in_teams && !self.has_channel_features).then(|| CHANNEL_FEATURES.to_string())
    }
}

/// A version of an app as the catalogue keeps it.
pub fn version(world: &mut World, manifest: Manifest, state: &'static str) -> Version {
    let trouble = manifest.trouble();
    let Manifest { number, name, short, full, bot, client, asks, .. } = manifest;
    Version { id: base64(world.ids.guid().as_bytes()), name, short, full, number, state, bot, client, asks, trouble, at_ms: world.now() }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?) as usize)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

/// A file of the ZIP file by its name, read by the directory at its end.
fn entry(zip: &[u8], name: &str) -> Option<Vec<u8>> {
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (count, mut at) = (u16_at(zip, end + 10)?, u32_at(zip, end + 16)?);
    for _ in 0..count {
        if zip.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let (method, packed) = (u16_at(zip, at + 10)?, u32_at(zip, at + 20)?);
        let (names, extra, comment, start) = (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?, u32_at(zip, at + 42)?);
        if zip.get(at + 46..at + 46 + names)? == name.as_bytes() {
            let data = start + 30 + u16_at(zip, start + 26)? + u16_at(zip, start + 28)?;
            let data = zip.get(data..data + packed)?;
            let mut out = Vec::new();
            match method {
                0 => out.extend_from_slice(data),
                8 => drop(flate2::read::DeflateDecoder::new(data).take(LARGEST).read_to_end(&mut out).ok()?),
                _ => return None,
            }
            return Some(out);
        }
        at += 46 + names + extra + comment;
    }
    None
}

/// What is in a package, or what Teams says is wrong with it.
pub fn read(zip: &[u8]) -> Result<Manifest, String> {
    if !zip.starts_with(b"PK") {
        return Err("The app package is not a valid ZIP file.".into());
    }
    let text = entry(zip, "manifest.json").ok_or("The app package does not contain a manifest.json at its root.")?;
    let all: Value = serde_json::from_slice(&text).map_err(|e| format!("Unable to parse the app manifest: {e}"))?;
    let wanted = |path: &str, most: usize| {
        let found = all.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = found.ok_or_else(|| format!("The app manifest is invalid: required property '{}' is missing.", path.trim_start_matches('/')))?;
        if text.chars().count() > most { Err(format!("The app manifest is invalid: '{}' is longer than {most} characters.", path.trim_start_matches('/'))) } else { Ok(text.to_string()) }
    };
    for path in ["/developer/websiteUrl", "/developer/privacyUrl", "/developer/termsOfUseUrl"] {
        if !wanted(path, 2048)?.starts_with("https://") {
            return Err(format!("The app manifest is invalid: '{}' is no https URL.", path.trim_start_matches('/')));
        }
    }
    wanted("/developer/name", 32)?;
    wanted("/accentColor", 7)?;
    for path in ["/icons/color", "/icons/outline"] {
        let icon = wanted(path, 2048)?;
        if entry(zip, &icon).is_none() {
            return Err(format!("The app package does not contain the icon '{icon}' at its root."));
        }
    }
    let guid = |text: &str| text.split('-').map(str::len).collect::<Vec<_>>() == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let id = wanted("/id", 64)?;
    if !guid(&id) {
        return Err("The app manifest is invalid: 'id' is no GUID.".into());
    }
    let texts = |list: &Value| list.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(String::from)).collect::<Vec<_>>();
    let bot = match all["bots"].as_array().map(Vec::as_slice) {
        None | Some([]) => None,
        Some([one]) => {
            if !one["supportsChannelFeatures"].is_null() {
                return Err("The app manifest is invalid: 'bots[0]' has the unknown property 'supportsChannelFeatures'.".into());
            }
            let id = one["botId"].as_str().filter(|id| guid(id)).ok_or("The app manifest is invalid: 'bots[0].botId' is no GUID.")?;
            let scopes = texts(&one["scopes"]);
            if scopes.is_empty() || scopes.iter().any(|s| !["personal", "team", "groupChat"].contains(&s.as_str())) {
                return Err("The app manifest is invalid: 'bots[0].scopes' are not those of a bot.".into());
            }
            Some(Bot { id: id.to_string(), scopes, is_notification_only: one["isNotificationOnly"] == true })
        }
        Some(_) => return Err("The app manifest is invalid: 'bots' has more than one item.".into()),
    };
    match &all["supportsChannelFeatures"] {
        Value::Null => {}
        tier if tier == "tier1" => {}
        _ => return Err("The app manifest is invalid: 'supportsChannelFeatures' must be 'tier1'.".into()),
    }
    let asks = all["authorization"]["permissions"]["resourceSpecific"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str().map(String::from)).collect();
    let manifest = Manifest {
        id,
        manifest_version: wanted("/manifestVersion", 16)?,
        number: wanted("/version", 32)?,
        name: wanted("/name/short", 30)?,
        short: wanted("/description/short", 80)?,
        full: wanted("/description/full", 4000)?,
        bot,
        client: all["webApplicationInfo"]["id"].as_str().map(String::from),
        asks,
        has_channel_features: !all["supportsChannelFeatures"].is_null(),
    };
    match manifest.trouble() {
        Some(text) => Err(text),
        None => Ok(manifest),
    }
}
