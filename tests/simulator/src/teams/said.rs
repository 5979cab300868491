//! A message as somebody hands it in, for a chat or a channel.

use super::hosted::{self, Hosted};
use crate::actions::only;
use crate::graph::bad;
use crate::http::{Answer, Call};
use crate::world::World;
use serde_json::{Value, json};

const MESSAGE_MAX: usize = 28 * 1024;

/// What the body of a request says, found to be sound.
pub struct Said {
    pub html: bool,
    pub content: String,
    pub importance: String,
    pub subject: Option<String>,
    pub mentions: Value,
    pub attachments: Value,
    pub hosted: Vec<Hosted>,
}

/// Where it is said: whom and what a mention may name there.
pub enum Place<'a> {
    Chat(&'a str),
    /// A team.
    Team(usize),
}

/// The text of a body, all that is named in it there, and nothing named that is not in it.
pub fn read(world: &World, call: &Call, place: &Place, tenant: usize) -> Result<Said, Answer> {
    let Some(body) = call.json() else {
        return Err(bad("Invalid request body was sent."));
    };
    let Some(content) = body["body"]["content"].as_str() else {
        return Err(bad("Missing body content"));
    };
    let known = ["body", "subject", "importance", "mentions", "attachments", "hostedContents"];
    let lacks = ["summary", "locale", "policyViolation", "createdDateTime", "from", "replyToId", "reactions", "messageType", "channelIdentity"];
    only(&body, "chatMessage", &known, &lacks)?;
    only(&body["body"], "itemBody", &["contentType", "content"], &[])?;
    let kind = body["body"]["contentType"].as_str().unwrap_or("text").to_lowercase();
    let weight = body["importance"].as_str().unwrap_or("normal").to_lowercase();
    if !["text", "html"].contains(&kind.as_str()) || !["normal", "high", "urgent"].contains(&weight.as_str()) {
        return Err(bad("Invalid request body was sent."));
    }
    let list = |name: &str| if body[name].is_array() { body[name].clone() } else { json!([]) };
    let (attachments, mut mentions) = (list("attachments"), list("mentions"));
    let extra = if attachments.as_array().is_some_and(Vec::is_empty) { 0 } else { attachments.to_string().len() };
    if content.encode_utf16().count() + extra > MESSAGE_MAX {
        return Err(Answer::fail(413, "RequestEntityTooLarge", "Request Entity too large"));
    }
    if content.is_empty() && extra == 0 {
        return Err(bad("Missing body content"));
    }
    same(numbers(content, "<at id="), mentions.as_array().into_iter().flatten().map(|m| m["id"].to_string()).collect())
        .ok_or_else(|| bad("Mentions in the body do not match the mentions of the message."))?;
    for mention in mentions.as_array_mut().into_iter().flatten() {
        if !is_known(world, &mention["mentioned"], place, tenant) {
            return Err(bad("Invalid mention: what is mentioned is not known here."));
        }
        if let Some(user) = mention["mentioned"]["user"].as_object_mut() {
            user.entry("@odata.type").or_insert(json!("#microsoft.graph.teamworkUserIdentity"));
        }
    }
    same(numbers(content, "<attachment id="), attachments.as_array().into_iter().flatten().map(|a| a["id"].as_str().unwrap_or("").to_string()).collect())
        .ok_or_else(|| bad("Attachments in the body do not match the attachments of the message."))?;
    for attachment in attachments.as_array().into_iter().flatten() {
        only(attachment, "chatMessageAttachment", &["id", "contentType", "content", "contentUrl", "name", "teamsAppId", "thumbnailUrl"], &[])?;
        match attachment["contentType"].as_str() {
            Some("application/vnd.microsoft.card.adaptive") if card(&attachment["content"]) => {}
            Some("reference") if attachment["contentUrl"].as_str().is_some_and(|url| url.starts_with("https://")) && attachment["name"].is_string() => crate::drive::reference::check(world, attachment)?,
            Some("application/vnd.microsoft.card.adaptive" | "reference") => return Err(bad("Invalid request body was sent.")),
            other => return Err(crate::query::lacking(format!("attachments of the type {}", other.unwrap_or("none")))),
        }
    }
    let hosted = hosted::read(&body["hostedContents"], content)?;
    Ok(Said { html: kind == "html", content: content.to_string(), importance: weight, subject: body["subject"].as_str().map(String::from), mentions, attachments, hosted })
}

/// The values behind a beginning, sorted.
fn numbers(content: &str, beginning: &str) -> Vec<String> {
    let value = |rest: &str| rest.trim_start_matches('"').split(['"', '>', ' ']).next().unwrap_or("").to_string();
    content.split(beginning).skip(1).map(value).collect()
}

fn same(mut a: Vec<String>, mut b: Vec<String>) -> Option<()> {
    a.sort();
    b.sort();
    (a == b).then_some(())
}

/// A card is text that is JSON.
fn card(content: &Value) -> bool {
    let read: Option<Value> = content.as_str().and_then(|text| serde_json::from_str(text).ok());
    read.is_some_and(|card| card["type"] == "AdaptiveCard")
}

fn is_known(world: &World, mentioned: &Value, place: &Place, tenant: usize) -> bool {
    if let Some(id) = mentioned["user"]["id"].as_str() {
        return world.people.people.iter().any(|p| p.id == id && p.tenant == tenant);
    }
    let Place::Team(at) = place else {
        return matches!(place, Place::Chat(chat) if mentioned["conversation"]["id"].as_str() == Some(chat));
    };
    let team = &world.teams.teams[*at];
    if let Some(id) = mentioned["tag"]["id"].as_str() {
        return team.tags.iter().any(|(tag, _)| tag == id);
    }
    let conversation = &mentioned["conversation"];
    match (conversation["conversationIdentityType"].as_str(), conversation["id"].as_str()) {
        (Some("team"), Some(id)) => team.id == id,
        (Some("channel"), Some(id)) => team.channels.iter().any(|c| c.id == id),
        _ => false,
    }
}
