//! From the JSON of a client to a message, with Outlook's rules of what may be written when.

use super::message::{Address, Attachment, Kind, Message};
use crate::actions::{only, outlook};
use crate::http::{Answer, Bytes, unbase64};
use crate::query::lacking;
use serde_json::Value;

/// What must stay below this goes in one request.
const ATTACHMENT_MAX: usize = 3 << 20;

fn bad(text: String) -> Answer {
    Answer::fail(400, "RequestBodyRead", text)
}

fn address(value: &Value) -> Option<Address> {
    let inner = &value["emailAddress"];
    let address = inner["address"].as_str().unwrap_or("").trim().to_string();
    let name = inner["name"].as_str().unwrap_or("").to_string();
    value.is_object().then_some(Address { name, address })
}

pub fn addresses(name: &str, value: &Value) -> Result<Vec<Address>, Answer> {
    let wrong = || bad(format!("The property '{name}' is not a collection of recipients."));
    value.as_array().ok_or_else(wrong)?.iter().map(|v| address(v).ok_or_else(wrong)).collect()
}

fn nobody_or_one(name: &str, value: &Value) -> Result<Option<Address>, Answer> {
    if value.is_null() {
        return Ok(None);
    }
    address(value).map(Some).ok_or_else(|| bad(format!("The property '{name}' is not a recipient.")))
}

fn text(name: &str, value: &Value) -> Result<String, Answer> {
    value.as_str().map(String::from).ok_or_else(|| bad(format!("Cannot read the value of the property '{name}' as text.")))
}

fn flag(name: &str, value: &Value) -> Result<bool, Answer> {
    value.as_bool().ok_or_else(|| bad(format!("Cannot read the value of the property '{name}' as true or false.")))
}

/// Those that only a draft may have changed.
const DRAFT_ONLY: [&str; 6] = ["subject", "body", "replyTo", "internetMessageId", "toRecipients", "ccRecipients"];

/// Writes what the client sent into the message. `new` is a message that is just being made.
pub fn apply(message: &mut Message, body: &Value, new: bool) -> Result<(), Answer> {
    let body = outlook(body);
    let Some(fields) = body.as_object() else {
        return Err(bad("The request body is no message.".into()));
    };
    for (name, value) in fields {
        if !new && !message.is_draft && DRAFT_ONLY.contains(&name.as_str()) {
            let text = format!("Update operation is invalid for the property '{name}' of a message that is no draft.");
            return Err(Answer::fail(400, "ErrorInvalidPropertySet", text));
        }
        match name.as_str() {
            "subject" => message.subject = value.as_str().unwrap_or("").chars().take(255).collect(),
            "body" => {
                only(value, "itemBody", &["contentType", "content"], &[])?;
                let kind = value["contentType"].as_str().unwrap_or("text").to_lowercase();
                if !["text", "html"].contains(&kind.as_str()) {
                    return Err(bad(format!("Requested value '{kind}' was not found.")));
                }
                message.set_body(kind == "html", value["content"].as_str().unwrap_or("").to_string());
            }
            "toRecipients" => message.to = addresses(name, value)?,
            "ccRecipients" => message.cc = addresses(name, value)?,
            "bccRecipients" => message.bcc = addresses(name, value)?,
            "replyTo" => message.reply_to = addresses(name, value)?,
            "from" => message.from = nobody_or_one(name, value)?,
            "sender" => message.sender = nobody_or_one(name, value)?,
            "importance" => {
                let given = text(name, value)?.to_lowercase();
                if !["low", "normal", "high"].contains(&given.as_str()) {
                    return Err(bad(format!("Requested value '{given}' was not found.")));
                }
                message.importance = given;
            }
            "isRead" => message.is_read = flag(name, value)?,
            "isReadReceiptRequested" => message.read_receipt = flag(name, value)?,
            "isDeliveryReceiptRequested" => message.delivery_receipt = flag(name, value)?,
            "categories" => {
                let all = value.as_array().ok_or_else(|| bad("Categories are a collection of text.".into()))?;
                message.categories = all.iter().map(|c| text(name, c)).collect::<Result<_, _>>()?;
            }
            "flag" => (message.flag, message.flag_dates) = follow_up(value)?,
            "inferenceClassification" => match value.as_str().map(str::to_lowercase).as_deref() {
                Some(kind @ ("focused" | "other")) => message.other_inbox = kind == "other",
                _ => return Err(bad(format!("Requested value {value} was not found."))),
            },
            "internetMessageId" => message.message_id = text(name, value)?,
            "singleValueExtendedProperties" => {
                for property in value.as_array().into_iter().flatten() {
                    let (id, content) = (text("id", &property["id"])?, text("value", &property["value"])?);
                    message.extended.retain(|(known, _)| *known != id);
                    message.extended.push((id, content));
                }
            }
            "multiValueExtendedProperties" => return Err(lacking("multiValueExtendedProperties")),
            "internetMessageHeaders" if new => message.headers = headers(value)?,
            "attachments" if new => {
                for one in value.as_array().into_iter().flatten() {
                    message.attachments.push(attachment(one)?);
                }
            }
            "id"
            | "isDraft"
            | "conversationId"
            | "hasAttachments"
            | "parentFolderId"
            | "changeKey"
            | "webLink"
            | "bodyPreview"
            | "createdDateTime"
            | "lastModifiedDateTime"
            | "receivedDateTime"
            | "sentDateTime"
            | "internetMessageHeaders"
            | "conversationIndex"
            | "uniqueBody"
            | "attachments" => {
                let text = format!("The property '{name}' cannot be set.");
                return Err(Answer::fail(400, "ErrorInvalidPropertySet", text));
            }
            name if name.starts_with('@') => {}
            name => {
                return Err(bad(format!("The property '{name}' does not exist on type 'microsoft.graph.message'.")));
            }
        }
    }
    Ok(())
}

/// By the name of the property.
type Dates = Vec<(&'static str, String)>;

/// The state of a flag, and its dates.
fn follow_up(value: &Value) -> Result<(String, Dates), Answer> {
    const STATES: [&str; 3] = ["notFlagged", "complete", "flagged"];
    let given = value["flagStatus"].as_str().unwrap_or("notFlagged");
    let Some(state) = STATES.iter().find(|s| s.eq_ignore_ascii_case(given)) else {
        return Err(bad(format!("Requested value '{given}' was not found.")));
    };
    let mut dates = Vec::new();
    for name in ["startDateTime", "dueDateTime", "completedDateTime"] {
        match &value[name] {
            Value::Null => {}
            date if date["dateTime"].is_string() => dates.push((name, date.to_string())),
            _ => return Err(bad(format!("Cannot read the value of the property '{name}' as a date with a time zone."))),
        }
    }
    let has = |name: &str| dates.iter().any(|(n, _)| *n == name);
    if has("dueDateTime") && !has("startDateTime") {
        return Err(bad("A flag that is due needs a startDateTime as well.".into()));
    }
    Ok((state.to_string(), dates))
}

fn headers(value: &Value) -> Result<Vec<(String, String)>, Answer> {
    let refuse = |text: String| Err(Answer::fail(400, "InvalidInternetMessageHeaderCollection", text));
    let mut out = Vec::new();
    for header in value.as_array().into_iter().flatten() {
        let name = text("name", &header["name"])?;
        if !name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-")) {
            return refuse(format!("The internet message header name '{name}' should start with 'x-' or 'X-'."));
        }
        out.push((name, text("value", &header["value"])?));
    }
    if out.len() > 5 {
        return refuse("Maximum number of headers in one message should be less than or equal to 5.".into());
    }
    Ok(out)
}

pub fn attachment(value: &Value) -> Result<Attachment, Answer> {
    let value = &outlook(value);
    let kind = value["@odata.type"].as_str().unwrap_or("#microsoft.graph.fileAttachment");
    if !kind.ends_with("fileAttachment") {
        return Err(lacking(format!("attachments of the type {kind}")));
    }
    const KNOWN: [&str; 9] =
        ["id", "name", "contentType", "contentBytes", "contentId", "contentLocation", "isInline", "size", "lastModifiedDateTime"];
    only(value, "fileAttachment", &KNOWN, &[])?;
    let name = text("name", &value["name"])?;
    let bytes = value["contentBytes"].as_str().and_then(unbase64);
    let bytes = bytes.ok_or_else(|| bad("Cannot convert the value of contentBytes to the expected type 'Edm.Binary'.".into()))?;
    if bytes.len() >= ATTACHMENT_MAX {
        let text = "The size of the attachment exceeds the limit of one request; use an upload session.";
        return Err(Answer::fail(413, "ErrorMessageSizeExceeded", text));
    }
    Ok(Attachment {
        id: String::new(),
        content_type: value["contentType"].as_str().unwrap_or("application/octet-stream").to_string(),
        inline: value["isInline"].as_bool().unwrap_or(false),
        content_id: value["contentId"].as_str().map(String::from),
        bytes: Bytes::from(bytes),
        kind: Kind::File,
        name,
    })
}

/// An empty message of this person.
pub fn blank(own: Address, now: i64) -> Message {
    let mut message = Message {
        from: Some(own.clone()),
        sender: Some(own),
        importance: "normal".into(),
        flag: "notFlagged".into(),
        created: now,
        modified: now,
        received: now,
        sent: now,
        is_read: true,
        is_draft: true,
        ..Message::default()
    };
    message.set_body(false, String::new());
    message
}
