//! Parameters of actions. Graph's schema writes them `Message`, its documentation `message`: their letter case is of no account.

use crate::graph::bad;
use crate::http::{Answer, Call};
use serde_json::{Map, Value};

pub struct Parameters(Map<String, Value>);

const UNREADABLE: &str =
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.";

impl Parameters {
    /// The body of an action. A parameter that the action does not have is refused; an empty body has none.
    pub fn of(call: &Call, action: &str, known: &[&str]) -> Result<Parameters, Answer> {
        if call.body.is_empty() {
            return Ok(Parameters(Map::new()));
        }
        let Some(Value::Object(fields)) = call.json() else {
            return Err(bad(UNREADABLE));
        };
        let mut all = Map::new();
        for (name, value) in fields {
            if name.contains("@odata.") {
                continue;
            }
            let Some(known) = known.iter().find(|k| k.eq_ignore_ascii_case(&name)) else {
                let text = format!("The parameter '{name}' in the request payload is not a valid parameter for the operation '{action}'.");
                return Err(Answer::fail(400, "RequestBodyRead", text));
            };
            if all.insert(known.to_string(), value).is_some() {
                let text = format!("Multiple parameters with the name '{known}' were found in the request payload.");
                return Err(Answer::fail(400, "RequestBodyRead", text));
            }
        }
        Ok(Parameters(all))
    }

    /// A parameter by its name as it is known; null when it was not given.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.get(name) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            other => {
                let text = format!("Cannot convert the value '{other}' of the parameter '{name}' to the expected type 'Edm.String'.");
                Err(Answer::fail(400, "RequestBodyRead", text))
            }
        }
    }

    /// True, false, or either as text, as the documentation's samples have it.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Answer> {
        match self.get(name) {
            Value::Null => Ok(default),
            Value::Bool(yes) => Ok(*yes),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            other => {
                let text = format!("Cannot convert the value '{other}' of the parameter '{name}' to the expected type 'Edm.Boolean'.");
                Err(Answer::fail(400, "RequestBodyRead", text))
            }
        }
    }

    /// A parameter without which the action cannot be done.
    pub fn need(&self, name: &str, action: &str) -> Result<&str, Answer> {
        self.text(name)?.ok_or_else(|| {
            let text = format!("The required parameter '{name}' was not found in the request payload of the operation '{action}'.");
            Answer::fail(400, "RequestBodyRead", text)
        })
    }
}

/// A body with a property that its type does not have is refused; one that the simulator lacks is 501. None is passed over.
pub fn only(body: &Value, kind: &str, known: &[&str], lacks: &[&str]) -> Result<(), Answer> {
    for name in body.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| !name.contains('@')) {
        if lacks.contains(&name.as_str()) {
            return Err(crate::query::lacking(format!("the property {name} of a {kind}")));
        }
        if !known.contains(&name.as_str()) {
            return Err(Answer::fail(400, "RequestBodyRead", format!("The property '{name}' does not exist on type 'microsoft.graph.{kind}'.")));
        }
    }
    Ok(())
}

/// The names that Outlook reads in whatever letter case inside a message: old clients write `Subject`, `EmailAddress`.
const NAMES: [&str; 53] = [
    "address", "attachments", "bccRecipients", "body", "bodyPreview", "categories", "ccRecipients", "changeKey", "completedDateTime",
    "content", "contentBytes", "contentId", "contentLocation", "contentType", "conversationId", "conversationIndex", "createdDateTime",
    "dateTime", "displayName", "dueDateTime", "emailAddress", "flag", "flagStatus", "from", "hasAttachments", "id", "importance",
    "inferenceClassification", "internetMessageHeaders", "internetMessageId", "isDeliveryReceiptRequested", "isDraft", "isInline",
    "isRead", "isReadReceiptRequested", "lastModifiedDateTime", "multiValueExtendedProperties", "name", "parentFolderId",
    "receivedDateTime", "replyTo", "sender", "sentDateTime", "size", "singleValueExtendedProperties", "startDateTime", "subject", "timeZone",
    "toRecipients", "uniqueBody", "value", "webLink", "isHidden",
];

/// An Outlook object with its names as the schema of today writes them, at every depth.
pub fn outlook(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(outlook).collect(),
        Value::Object(map) => {
            let proper = |name: &String| NAMES.iter().find(|n| n.eq_ignore_ascii_case(name)).map_or(name.clone(), |n| n.to_string());
            Value::Object(map.iter().map(|(name, inner)| (proper(name), outlook(inner))).collect())
        }
        other => other.clone(),
    }
}
