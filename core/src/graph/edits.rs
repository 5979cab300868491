//! Changing messages: what can be changed of any message, and where it lies.

use super::delta::{MailFlag, MailItem, read_message};
use super::mail::{Verified, tag, verified};
use super::{Caller, Graph, fault, segment};
use crate::error::Result;
use crate::model::{FlagStatus, rfc3339};
use crate::pipeline::{Response, Safety};
use http::Method;
use http::header::IF_MATCH;
use serde_json::{Value, json};

/// Properties that can be changed, and what tells when they were.
const EDITABLE: &str = "id,changeKey,parentFolderId,lastModifiedDateTime,isRead,flag,categories";

/// What is to be changed of a message; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct MailEdit {
    pub is_read: Option<bool>,
    pub flag: Option<MailFlag>,
    pub categories: Option<Vec<String>>,
}

impl MailEdit {
    pub fn is_nothing(&self) -> bool {
        self.is_read.is_none() && self.flag.is_none() && self.categories.is_none()
    }

    fn body(&self) -> Vec<u8> {
        let mut body = serde_json::Map::new();
        if let Some(is_read) = self.is_read {
            body.insert("isRead".to_owned(), Value::Bool(is_read));
        }
        if let Some(flag) = self.flag {
            body.insert("flag".to_owned(), wire_flag(flag));
        }
        if let Some(categories) = &self.categories {
            body.insert("categories".to_owned(), json!(categories));
        }
        Value::Object(body).to_string().into_bytes()
    }
}

/// A flag that is due must have a start as well. Source: Graph, followupFlag resource type.
fn wire_flag(MailFlag { status, due_at }: MailFlag) -> Value {
    let word = match status {
        FlagStatus::NotFlagged => "notFlagged",
        FlagStatus::Flagged => "flagged",
        FlagStatus::Complete => "complete",
    };
    match due_at.filter(|_| status == FlagStatus::Flagged) {
        Some(at) => {
            let day = json!({ "dateTime": rfc3339::to_text(at).trim_end_matches('Z'), "timeZone": "UTC" });
            json!({ "flagStatus": word, "startDateTime": day, "dueDateTime": day })
        }
        None => json!({ "flagStatus": word }),
    }
}

impl Graph {
    /// Changes a message, with `known` only if that is its change key still. Answers how it is by then; None: the answer does not show it.
    /// Errors: Conflict, when it is another one; NotFound. Source: Graph, message: update.
    pub async fn edit_message(&self, caller: &Caller, id: &str, edit: &MailEdit, known: Option<&str>) -> Result<Option<MailItem>> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[])?;
        let mut request = self.write(caller, Method::PATCH, url, edit.body(), Safety::Repeatable);
        if let Some(condition) = known.and_then(tag) {
            request = request.header(IF_MATCH, condition);
        }
        request.is_batchable = true;
        Ok(shown(&self.ask(request).await?, id))
    }

    /// Moves a message to another folder. Not repeated in doubt: after `OutcomeUnknown` its folder tells. Source: Graph, message: move.
    pub async fn move_message(&self, caller: &Caller, id: &str, folder_id: &str) -> Result<Option<MailItem>> {
        let url = self.url(&self.path(caller, &format!("messages/{}/move", segment(id)?)).await?, &[])?;
        let body = json!({ "destinationId": folder_id }).to_string().into_bytes();
        let mut request = self.write(caller, Method::POST, url, body, Safety::Once);
        request.is_batchable = true;
        Ok(shown(&self.ask(request).await?, id))
    }

    /// How these messages are now, in what can be changed of them. What is wrong with one is told of that one.
    pub async fn editable(&self, caller: &Caller, ids: &[String]) -> Result<Vec<(String, Verified)>> {
        let place = self.place(caller).await?;
        let path = |id: &String| Ok(format!("/{place}/messages/{}?$select={EDITABLE}", segment(id)?));
        let paths = ids.iter().map(path).collect::<Result<Vec<_>>>()?;
        let found = self.batch_get(caller, &paths, fault::is_item_gone).await?;
        Ok(ids.iter().zip(found).map(|(id, item)| (id.clone(), verified(id, item))).collect())
    }
}

/// A message in an answer to its own change. One that does not show it leaves the next sync to tell.
fn shown(response: &Response, id: &str) -> Option<MailItem> {
    let item = read_message(&response.body, "").ok().filter(|item| item.id == id)?;
    (!item.repeats(&response.secrets.proofs())).then_some(item)
}
