//! Contents of a mailbox as they are: what is attached to a message, and a message as MIME. They may be long, so they are read as they arrive.

use super::mail::WireAttachment;
use super::{Caller, Graph, segment, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::model::AttachmentInfo;
use crate::pipeline::{Rest, Whole};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;

/// A content up to this comes with the answer, a longer one piece by piece.
pub const LONGEST_WHOLE: usize = 1 << 20;

/// Which content of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentPlace {
    /// Immutable id.
    pub message_id: String,
    /// None: the message itself, as MIME.
    pub attachment_id: Option<String>,
}

/// A content that is arriving.
#[derive(Debug)]
pub struct Content {
    /// All of it, or its first part.
    pub first: Bytes,
    pub rest: Option<Rest>,
    pub content_type: Option<String>,
    /// Bytes, where they are announced.
    pub length: Option<u64>,
}

/// A picture of a mail.
#[derive(Debug)]
pub struct Picture {
    /// As the HTML of the mail names it.
    pub id: String,
    pub content_type: String,
    /// Its bytes, as Graph gives them; not looked at.
    pub base64: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePicture {
    #[serde(default, deserialize_with = "lenient::scalar")]
    content_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    content_bytes: Option<String>,
}

impl ContentPlace {
    /// Within its mailbox.
    fn within(&self) -> Result<String> {
        let message = segment(&self.message_id)?;
        match &self.attachment_id {
            None => Ok(format!("messages/{message}")),
            Some(id) => Ok(format!("messages/{message}/attachments/{}", segment(id)?)),
        }
    }
}

impl Graph {
    /// Errors: NotFound, InvalidInput (it has no content), Upstream.
    pub async fn content(&self, caller: &Caller, place: &ContentPlace) -> Result<Content> {
        let mut request = self.get(caller, self.url(&format!("{}/$value", self.path(caller, &place.within()?).await?), &[])?);
        request.headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        request.whole = Some(Whole(LONGEST_WHOLE));
        request.may_be_empty = true;
        let response = self.ask(request).await?;
        if response.repeats(&json::text(&response.body)) {
            return Err(wire::repeating().with_request_id(response.request_id()).on_account(&caller.account_id));
        }
        let content_type = response.header(CONTENT_TYPE.as_str()).filter(|kind| !response.repeats(kind)).map(str::to_owned);
        let announced = response.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        let length = if response.rest.is_some() { announced } else { u64::try_from(response.body.len()).ok() };
        Ok(Content { first: response.body, rest: response.rest, content_type, length })
    }

    /// A picture that the HTML of its mail names: its content id, its content type and its bytes in base64. None: it has no such id, or no content. Errors: NotFound, Upstream.
    pub async fn picture(&self, caller: &Caller, place: &ContentPlace) -> Result<Option<Picture>> {
        let response = self.ask(self.get(caller, self.url(&self.path(caller, &place.within()?).await?, &[])?)).await?;
        let text = json::text(&response.body);
        if response.repeats(&text) {
            return Err(wire::repeating().with_request_id(response.request_id()).on_account(&caller.account_id));
        }
        let read = || {
            let picture = wire::item::<WirePicture>(&text)?;
            let (id, base64) = (picture.content_id?, picture.content_bytes?);
            let id = id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
            Some(Picture { id, content_type: picture.content_type.unwrap_or_default(), base64 })
        };
        Ok(read().filter(|picture| !picture.id.is_empty()))
    }

    /// What is known of an attachment, without its content. Errors: NotFound, Upstream.
    pub async fn attachment(&self, caller: &Caller, place: &ContentPlace) -> Result<AttachmentInfo> {
        let url = self.url(&self.path(caller, &place.within()?).await?, &[("$select", super::mail::ATTACHMENT)])?;
        let response = self.ask(self.get(caller, url)).await?;
        let text = json::text(&response.body);
        if response.repeats(&text) {
            return Err(wire::repeating().with_request_id(response.request_id()).on_account(&caller.account_id));
        }
        let read = wire::item::<WireAttachment>(&text).map(AttachmentInfo::from);
        read.ok_or_else(|| Error::new(ErrorKind::Upstream, "Microsoft's answer about an attachment could not be read. Try again later.").on_account(&caller.account_id))
    }
}
