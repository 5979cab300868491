//! Verbs of contents of a mailbox: what is attached to a mail, and mails as MIME.

use super::{AttachmentContent, Engine, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Content, ContentPlace};
use crate::model::{AttachmentInfo, AttachmentKind, Feature};
use crate::pipeline::Priority;
use crate::sync::{Filling, Hit, listed_in};
use std::sync::Arc;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(30);
const MIME: &str = "message/rfc822";

impl Engine {
    /// The content of an attachment, from the mailbox: one up to 1 MB is here when this answers, a longer one arrives as it is asked for. Of an item it is MIME, a
    /// vCard or iCalendar; a reference has none (see `AttachmentContent`). Works for attachments that are not listed yet as well. Needs `mail_sync`. With
    /// `attachment_cache_mb` of `Config`, one that was read to its end before is served from disk, as a body is: without a request, and recorded as read all the same. Errors: NotFound
    /// (also when the mail or the attachment is gone from the mailbox), InvalidInput, NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream.
    /// Source: Graph, Get attachment.
    pub async fn attachment(&self, message_id: String, attachment_id: String, owner: Option<String>) -> Result<Arc<AttachmentContent>> {
        let opened = self.guard(|inner, stop| async move { stop.until(inner.open_attachment(message_id, attachment_id, owner)).await });
        let opened = opened.await?;
        Ok(Arc::new(AttachmentContent::new(&self.inner, opened)))
    }

    /// A whole mail as MIME, with all that is attached, from the mailbox and in the form of `attachment`. Errors: as `attachment`.
    /// Source: Graph, Get MIME content of a message.
    pub async fn mime(&self, message_id: String, owner: Option<String>) -> Result<Arc<AttachmentContent>> {
        let opened = self.guard(|inner, stop| async move { stop.until(inner.open_mime(message_id, owner)).await }).await?;
        Ok(Arc::new(AttachmentContent::new(&self.inner, opened)))
    }
}

/// A content whose first part is here.
pub(super) struct Opened {
    pub caller: Caller,
    pub place: ContentPlace,
    pub info: AttachmentInfo,
    /// None: it has none.
    pub content: Option<Content>,
    /// The rest of it is on disk.
    pub hit: Option<Hit>,
    /// It is to be kept on disk.
    pub filling: Option<Filling>,
}

impl Opened {
    fn new(caller: Caller, place: ContentPlace, info: AttachmentInfo, content: Option<Content>) -> Self {
        Self { caller, place, info, content, hit: None, filling: None }
    }
}

impl Inner {
    async fn open_attachment(&self, message_id: String, attachment_id: String, owner: Option<String>) -> Result<Opened> {
        let message = self.reader.message_for_content(message_id, owner, "An attachment was read.").await?;
        let place = ContentPlace { message_id: message.graph_id.clone(), attachment_id: Some(attachment_id.clone()) };
        let listed = message.attachments.iter().find(|file| file.id == attachment_id);
        let kept_at = listed.and_then(|info| listed_in(&message, info));
        if let (Some(info), Some(at)) = (listed, &kept_at)
            && let Some((hit, first)) = self.cache.find(at).await
        {
            return Ok(opened_from_disk(caller(&message.account_id), place, info.clone(), hit, first));
        }
        let caller = self.content_caller(&message.account_id).await?;
        let mut info = match listed {
            Some(info) => info.clone(),
            None => self.reader.graph.attachment(&caller, &place).await.map_err(gone)?,
        };
        if info.kind == AttachmentKind::Reference {
            return Ok(Opened::new(caller, place, info, None));
        }
        match self.reader.graph.content(&caller, &place).await {
            Ok(content) => {
                info.content_type = type_of(&info, &content);
                let filling = kept_at.and_then(|at| self.cache.fill(at, content.length));
                Ok(Opened { filling, ..Opened::new(caller, place, info, Some(content)) })
            }
            // A store of an older version does not know which attachments are references.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let info = self.reader.graph.attachment(&caller, &place).await.map_err(gone)?;
                if info.kind == AttachmentKind::Reference { Ok(Opened::new(caller, place, info, None)) } else { Err(error) }
            }
            Err(error) => Err(gone(error)),
        }
    }

    async fn open_mime(&self, message_id: String, owner: Option<String>) -> Result<Opened> {
        let message = self.reader.message_for_content(message_id, owner, "A mail was read as MIME.").await?;
        let caller = self.content_caller(&message.account_id).await?;
        let place = ContentPlace { message_id: message.graph_id, attachment_id: None };
        let content = self.reader.graph.content(&caller, &place).await.map_err(gone)?;
        let info = AttachmentInfo { name: message.subject, content_type: MIME.to_owned(), kind: AttachmentKind::Item, ..AttachmentInfo::default() };
        Ok(Opened::new(caller, place, info, Some(content)))
    }

    pub(super) async fn content_caller(&self, account_id: &str) -> Result<Caller> {
        self.usable(account_id, Feature::MailSync).await?;
        Ok(caller(account_id))
    }
}

fn caller(account_id: &str) -> Caller {
    Caller::new(account_id, Priority::Interactive, PATIENCE)
}

fn opened_from_disk(caller: Caller, place: ContentPlace, mut info: AttachmentInfo, hit: Hit, first: Vec<u8>) -> Opened {
    let content = Content { first: first.into(), rest: None, content_type: None, length: Some(hit.size()) };
    info.content_type = type_of(&info, &content);
    Opened { hit: (!hit.is_over()).then_some(hit), ..Opened::new(caller, place, info, Some(content)) }
}

/// What an item is, Graph tells by its content alone.
fn type_of(info: &AttachmentInfo, content: &Content) -> String {
    let told = content.content_type.as_deref().unwrap_or_default();
    match info.kind {
        AttachmentKind::Item if content.first.starts_with(b"BEGIN:VCALENDAR") => "text/calendar".to_owned(),
        AttachmentKind::Item if content.first.starts_with(b"BEGIN:VCARD") => "text/vcard".to_owned(),
        AttachmentKind::Item => MIME.to_owned(),
        _ if info.content_type.is_empty() => told.to_owned(),
        _ => info.content_type.clone(),
    }
}

pub(super) fn gone(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound { error.with_reason("The mail or the attachment is no longer in the mailbox.") } else { error }
}
