//! What a bot says, changes and takes back.

use super::conversations::{Conversation, replied};
use super::refusals::{argument, refuse, syntax, unknown_activity};
use super::{Said, Spot, next_id};
use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

pub const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// Bytes in UTF-16, without pictures that stand in it as base64.
fn size(activity: &Value) -> usize {
    fn without(value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with("data:image/") && text.contains(";base64,") => Value::Null,
            Value::Array(all) => all.iter().map(without).collect(),
            Value::Object(all) => Value::Object(all.iter().map(|(name, value)| (name.clone(), without(value))).collect()),
            other => other.clone(),
        }
    }
    without(activity).to_string().encode_utf16().count() * 2
}

/// What Teams does not take.
fn sound(world: &World, bot: &str, activity: &Value) -> Result<(), Answer> {
    if size(activity) > world.limits.bot_message_max {
        return Err(refuse(413, "MessageSizeTooBig", "Message size too large."));
    }
    let kind = activity["type"].as_str().ok_or_else(|| syntax("Bad format of activity"))?;
    if !["message", "typing"].contains(&kind) {
        return Err(argument(format!("Unknown activity type '{kind}'")));
    }
    if !(activity["text"].is_null() || activity["text"].is_string()) || !(activity["attachments"].is_null() || activity["attachments"].is_array()) {
        return Err(syntax("Bad format of activity"));
    }
    if !["plain", "markdown", "xml"].contains(&activity["textFormat"].as_str().unwrap_or("markdown")) {
        return Err(argument("Unknown text format"));
    }
    let text = activity["text"].as_str().unwrap_or("");
    let attachments = activity["attachments"].as_array().map_or(&[][..], Vec::as_slice);
    if kind == "message" && text.trim().is_empty() && attachments.is_empty() {
        return Err(syntax("Activity has neither text nor attachments"));
    }
    for one in attachments {
        let kind = one["contentType"].as_str().ok_or_else(|| syntax("Bad format of attachment"))?;
        // As an object, where Graph wants a text.
        if kind == CARD && (one["content"]["type"] != "AdaptiveCard" || !one["content"]["version"].is_string()) {
            return Err(argument("Bad format of attachment: the content is no Adaptive Card"));
        }
    }
    for one in activity["entities"].as_array().into_iter().flatten().filter(|one| one["type"] == "mention") {
        let known = one["mentioned"]["id"].as_str().and_then(|id| world.bots.users.get(id)).is_some_and(|(own, _)| own == bot);
        if !known {
            return Err(argument("Failed to decrypt pairwise id"));
        }
        if one["text"].as_str().is_none_or(|mention| !text.contains(mention)) {
            return Err(argument("A mention does not stand in the text"));
        }
    }
    Ok(())
}

/// Takes an activity of a bot that may write here; the id of the message.
pub fn accept(world: &mut World, arrival: &Arrival, bot: &str, conversation: &Conversation, activity: &Value, root: Option<i64>) -> Result<i64, Answer> {
    sound(world, bot, activity)?;
    let id = next_id(world);
    if activity["type"] == "typing" {
        world.bots.typed += 1;
        return Ok(id);
    }
    let root = match conversation.spot {
        Spot::Person(_) => None,
        Spot::Channel(..) => Some(root.or(conversation.root).unwrap_or(id)),
    };
    let words = json!([activity["text"], activity["attachments"], activity["summary"]]).to_string();
    let place = format!("{:?} {:?}", conversation.spot, root.filter(|root| *root != id));
    if world.ledger.sent_before(&["bot", bot, &place, &words]) {
        world.ledger.accuse("sent_twice", arrival.seq, format!("the bot {bot} said the same again"));
    }
    world.bots.said.push(Said { id, bot: bot.into(), person: None, spot: conversation.spot, root, activity: activity.clone(), is_edited: false, is_deleted: false });
    Ok(id)
}

fn read(call: &Call) -> Result<Value, Answer> {
    call.json().filter(Value::is_object).ok_or_else(|| syntax("Bad format of activity"))
}

/// POST …/activities and …/activities/{id}
pub fn post(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, conversation: &Conversation, to: Option<&str>) -> Result<Answer, Answer> {
    let activity = read(call)?;
    let to = to.or(activity["replyToId"].as_str().filter(|id| !id.is_empty()));
    let root = match to {
        Some(to) => replied(world, conversation, to)?,
        None => None,
    };
    let id = accept(world, arrival, bot, conversation, &activity, root)?;
    Ok(Answer::json(201, &json!({"id": id.to_string()})))
}

/// A message of the bot's own that is still there.
fn own<'a>(world: &'a mut World, bot: &str, conversation: &Conversation, id: &str) -> Result<&'a mut Said, Answer> {
    let fits = |s: &&mut Said| {
        s.id.to_string() == id && s.bot == bot && s.person.is_none() && s.spot == conversation.spot && !s.is_deleted && (conversation.root.is_none() || s.root == conversation.root)
    };
    world.bots.said.iter_mut().find(fits).ok_or_else(unknown_activity)
}

/// PUT …/activities/{id}
pub fn change(world: &mut World, call: &Call, bot: &str, conversation: &Conversation, id: &str) -> Result<Answer, Answer> {
    let activity = read(call)?;
    sound(world, bot, &activity)?;
    let said = own(world, bot, conversation, id)?;
    (said.activity, said.is_edited) = (activity, true);
    Ok(Answer::json(200, &json!({ "id": id })))
}

/// DELETE …/activities/{id}
pub fn delete(world: &mut World, bot: &str, conversation: &Conversation, id: &str) -> Result<Answer, Answer> {
    own(world, bot, conversation, id)?.is_deleted = true;
    Ok(Answer::empty(200))
}
