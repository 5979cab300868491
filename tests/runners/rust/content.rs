//! Contents of a mailbox: what is attached, and mails as MIME. `pieces`: read in a loop; `again`: so often after it broke off.

use crate::verbs::{Outcome, error};
use serde_json::{Value, json};
use tidings::{AttachmentContent, Engine, ErrorKind};

pub async fn attachment(engine: &Engine, with: &Value) -> Outcome {
    let content = engine.attachment(text(with, "message_id"), text(with, "attachment_id"), owner(with)).await.map_err(error)?;
    shown(&content, with).await
}

pub async fn mime(engine: &Engine, with: &Value) -> Outcome {
    let content = engine.mime(text(with, "message_id"), owner(with)).await.map_err(error)?;
    shown(&content, with).await
}

async fn shown(content: &AttachmentContent, with: &Value) -> Outcome {
    let (mut sizes, mut bytes, mut again) = (Vec::new(), Vec::new(), with["again"].as_u64().unwrap_or_default());
    if with["pieces"] == true {
        loop {
            match content.next().await {
                Ok(Some(piece)) => {
                    sizes.push(piece.len());
                    bytes.extend_from_slice(&piece);
                }
                Ok(None) => break,
                Err(e) if e.kind() == ErrorKind::Upstream && again > 0 => again -= 1,
                Err(e) => return Err(error(e)),
            }
        }
    } else {
        bytes = content.body().await.map_err(error)?;
        sizes.push(bytes.len());
    }
    let is_pattern = bytes.iter().enumerate().all(|(n, byte)| n % 251 == usize::from(*byte));
    let text = if bytes.len() <= 100_000 { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() };
    Ok(json!({
        "name": content.name(), "content_type": content.content_type(), "kind": content.kind(), "size": content.size(),
        "bytes": bytes.len(), "pieces": sizes.len(), "longest": sizes.iter().max().copied().unwrap_or_default(), "is_pattern": is_pattern, "text": text,
    }))
}

fn text(with: &Value, name: &str) -> String {
    with[name].as_str().unwrap_or_default().to_owned()
}

fn owner(with: &Value) -> Option<String> {
    with["owner"].as_str().map(str::to_owned)
}
