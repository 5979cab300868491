//! Pictures that came with a message.

use super::ChatMessage;
use crate::graph::{bad, page};
use crate::http::{Answer, Bytes, Call, base64, unbase64};
use serde_json::{Value, json};

pub struct Hosted {
    /// By which the text of the request named it.
    temporary: String,
    pub id: String,
    kind: String,
    bytes: Bytes,
}

/// `hostedContents` of a message, each shown by its text, and nothing shown that is not there.
pub fn read(given: &Value, content: &str) -> Result<Vec<Hosted>, Answer> {
    let mut all: Vec<Hosted> = Vec::new();
    for one in given.as_array().into_iter().flatten() {
        let temporary = one["@microsoft.graph.temporaryId"].as_str().unwrap_or("").to_string();
        let bytes = one["contentBytes"].as_str().and_then(unbase64);
        let (Some(bytes), Some(kind)) = (bytes, one["contentType"].as_str().filter(|kind| kind.starts_with("image/"))) else {
            return Err(bad("Invalid request body was sent."));
        };
        if temporary.is_empty() || all.iter().any(|other| other.temporary == temporary) || !content.contains(&place(&temporary)) {
            return Err(bad("The hosted contents of the message do not match its body."));
        }
        let id = base64(format!("id=,type=1,url=hosted/{temporary}/{}", bytes.len()).as_bytes());
        all.push(Hosted { temporary, id, kind: kind.to_string(), bytes: Bytes::from(bytes) });
    }
    if content.matches("../hostedContents/").count() != all.iter().map(|one| content.matches(&place(&one.temporary)).count()).sum::<usize>() {
        return Err(bad("The hosted contents of the message do not match its body."));
    }
    Ok(all)
}

fn place(temporary: &str) -> String {
    format!("../hostedContents/{temporary}/$value")
}

/// The text as it is kept: with addresses in the place of temporary ids. `message`: the address of the message.
pub fn settle(message: &mut ChatMessage, address: &str) {
    for one in &message.hosted {
        message.content = message.content.replace(&place(&one.temporary), &format!("{address}/hostedContents/{}/$value", one.id));
    }
}

/// Below a message: the list, one of them, its bytes.
pub fn show(call: &Call, message: &ChatMessage, rest: &[&str]) -> Answer {
    let context = format!("{}/$metadata#hostedContents", call.base());
    let shown = |one: &Hosted| json!({"id": one.id, "contentBytes": null, "contentType": null});
    let found = |id: &str| message.hosted.iter().find(|one| one.id == id);
    match rest {
        [] => page(context, message.hosted.iter().map(shown).collect(), None, Some(message.hosted.len())),
        [id] => match found(id) {
            Some(one) => Answer::json(200, &shown(one)),
            None => super::not_found("NotFound"),
        },
        [id, "$value"] => match found(id) {
            Some(one) => Answer::bytes(200, &one.kind, one.bytes.clone()),
            None => super::not_found("NotFound"),
        },
        [_, other, ..] => crate::graph::no_segment(other),
    }
}

/// For tests.
pub fn told(message: &ChatMessage) -> Value {
    let one = |one: &Hosted| json!({"id": one.id, "content_type": one.kind, "size": one.bytes.len()});
    message.hosted.iter().map(one).collect()
}
