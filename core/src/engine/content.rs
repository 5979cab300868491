//! Contents of a mailbox: what is attached to a mail, and mails as MIME. They are read from the mailbox as fast as the host takes them, and never held as a whole.

use super::{Engine, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Content, ContentPlace};
use crate::model::{AttachmentInfo, AttachmentKind, Feature};
use crate::pipeline::{Priority, Rest};
use crate::runtime::closed;
use bytes::BytesMut;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;

/// Bytes that `body` gathers.
const LONGEST_BODY: usize = 64 << 20;
/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(30);
const MIME: &str = "message/rfc822";

impl Engine {
    /// The content of an attachment, from the mailbox: one up to 1 MB is here when this answers, a longer one arrives as it is asked for. Of an item it is MIME, a
    /// vCard or iCalendar; a reference has none (see `AttachmentContent`). Works for attachments that are not listed yet as well. Needs `mail_sync`. Errors: NotFound
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
struct Opened {
    caller: Caller,
    place: ContentPlace,
    info: AttachmentInfo,
    /// None: it has none.
    content: Option<Content>,
}

impl Inner {
    async fn open_attachment(&self, message_id: String, attachment_id: String, owner: Option<String>) -> Result<Opened> {
        let message = self.reader.message_for_content(message_id, owner, "An attachment was read.").await?;
        let caller = self.content_caller(&message.account_id).await?;
        let place = ContentPlace { message_id: message.graph_id, attachment_id: Some(attachment_id.clone()) };
        let mut info = match message.attachments.into_iter().find(|file| file.id == attachment_id) {
            Some(info) => info,
            None => self.reader.graph.attachment(&caller, &place).await.map_err(gone)?,
        };
        if info.kind == AttachmentKind::Reference {
            return Ok(Opened { caller, place, info, content: None });
        }
        match self.reader.graph.content(&caller, &place).await {
            Ok(content) => {
                info.content_type = type_of(&info, &content);
                Ok(Opened { caller, place, info, content: Some(content) })
            }
            // A store of an older version does not know which attachments are references.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let info = self.reader.graph.attachment(&caller, &place).await.map_err(gone)?;
                if info.kind == AttachmentKind::Reference { Ok(Opened { caller, place, info, content: None }) } else { Err(error) }
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
        Ok(Opened { caller, place, info, content: Some(content) })
    }

    pub(super) async fn content_caller(&self, account_id: &str) -> Result<Caller> {
        self.usable(account_id, Feature::MailSync).await?;
        Ok(Caller::new(account_id, Priority::Interactive, PATIENCE))
    }
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

fn gone(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound { error.with_reason("The mail or the attachment is no longer in the mailbox.") } else { error }
}

/// A content of a mailbox. Its connection is kept until the end of it, an hour at the most, or until this is let go of. After an error of `next` or `body` the
/// next call goes on where it broke off: the content is asked for again, what was given out is passed over and compared by its hash.
pub struct AttachmentContent {
    /// Weak: a content that somebody keeps does not keep an engine that nobody else has.
    inner: Weak<Inner>,
    caller: Caller,
    place: ContentPlace,
    info: AttachmentInfo,
    length: Option<u64>,
    has_content: bool,
    state: Mutex<State>,
    process: u32,
}

#[derive(Default)]
struct State {
    /// Arrived and not given out.
    here: BytesMut,
    rest: Option<Rest>,
    is_over: bool,
    /// It broke off, and is to be asked for again.
    is_broken: bool,
    given: u64,
    /// Of what was given out.
    hash: Sha256,
    /// What is still to be passed over of a content that was asked for again, and the hash of what was.
    passing: Option<(u64, Sha256)>,
}

impl fmt::Debug for AttachmentContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentContent").field("kind", &self.info.kind).finish_non_exhaustive()
    }
}

impl AttachmentContent {
    fn new(inner: &Arc<Inner>, opened: Opened) -> Self {
        let Opened { caller, place, info, content } = opened;
        let (length, has_content) = (content.as_ref().and_then(|content| content.length), content.is_some());
        let mut state = State::default();
        if let Some(content) = content {
            state.begin(content);
        }
        Self { inner: Arc::downgrade(inner), caller, place, info, length, has_content, state: Mutex::new(state), process: std::process::id() }
    }

    /// As it is in the mail, or the subject of a mail as MIME; foreign text, and no safe name of a file.
    pub fn name(&self) -> String {
        self.info.name.clone()
    }

    /// As the sender said. Of an item what its content is: `message/rfc822`, `text/vcard` or `text/calendar`.
    pub fn content_type(&self) -> String {
        self.info.content_type.clone()
    }

    /// A mail as MIME is an item.
    pub fn kind(&self) -> AttachmentKind {
        self.info.kind
    }

    /// Bytes of the content, where Microsoft announces them. (`size` of an `AttachmentInfo` counts what the mailbox needs for it.)
    pub fn size(&self) -> Option<u64> {
        self.length
    }

    /// The whole content, or what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece by piece),
    /// and those of `next`.
    pub async fn body(&self) -> Result<Vec<u8>> {
        let mut state = self.state.lock().await;
        while !state.is_complete() {
            if state.here.len() > LONGEST_BODY {
                return Err(Error::new(ErrorKind::LimitExceeded, "The content is longer than 64 MB. Take it piece by piece, with next."));
            }
            self.more(&mut state).await?;
        }
        Ok(state.give())
    }

    /// The next piece; none at the end. A content up to 1 MB is one piece. A cancelled wait loses nothing; after an error the next call goes on where it broke off.
    /// Errors: Upstream (the connection broke), Conflict (after that it was another content: open it anew), NotFound (it is gone from the mailbox), InvalidInput (a
    /// reference has no content), Closed, and those of `attachment`.
    pub async fn next(&self) -> Result<Option<Vec<u8>>> {
        let mut state = self.state.lock().await;
        while state.passing.is_some() || (state.here.is_empty() && !state.is_complete()) {
            self.more(&mut state).await?;
        }
        let piece = state.give();
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Some more of it is here, or its end.
    async fn more(&self, state: &mut State) -> Result<()> {
        if !self.has_content {
            return Err(Error::invalid("This attachment is a link to a file in a drive, and has no content here. web_link of the mail leads to it.").on_account(&self.caller.account_id));
        }
        let Some(inner) = self.inner.upgrade() else { return Err(closed()) };
        if state.is_broken {
            let (caller, place) = (self.caller.clone(), self.place.clone());
            let again = inner.clone();
            let asked = inner.runtime.guard(|stop| async move { stop.until(async { again.reader.graph.content(&caller, &place).await.map_err(gone) }).await });
            drop(inner);
            state.begin(asked.await?);
            return self.pass(state);
        }
        let Some(rest) = state.rest.clone() else {
            state.is_over = true;
            return self.pass(state);
        };
        let filling = rest.clone();
        let filled = inner.runtime.guard(|stop| async move { stop.until(filling.fill()).await });
        drop(inner);
        if let Err(error) = filled.await {
            // A call that was stopped broke nothing.
            if error.kind() == ErrorKind::Upstream {
                state.break_off();
                return Err(broken(&error).on_account(&self.caller.account_id));
            }
            return Err(error);
        }
        // Taken here, in the caller's own future: what came while nobody waited stays.
        match rest.take().await {
            Some(piece) => state.here.extend_from_slice(&piece),
            None => (state.rest, state.is_over) = (None, true),
        }
        self.pass(state)
    }

    /// Passes over what was given out already.
    fn pass(&self, state: &mut State) -> Result<()> {
        state.pass().inspect_err(|_| state.break_off()).map_err(|error| error.on_account(&self.caller.account_id))
    }
}

impl State {
    fn begin(&mut self, content: Content) {
        self.here = BytesMut::from(content.first.as_ref());
        (self.is_over, self.is_broken) = (content.rest.is_none(), false);
        self.rest = content.rest;
        self.passing = (self.given > 0).then(|| (self.given, Sha256::new()));
    }

    fn break_off(&mut self) {
        self.here.clear();
        (self.rest, self.is_over, self.is_broken, self.passing) = (None, false, true, None);
    }

    fn is_complete(&self) -> bool {
        self.is_over && self.passing.is_none()
    }

    fn pass(&mut self) -> Result<()> {
        let Some((left, mut hash)) = self.passing.take() else { return Ok(()) };
        let size = self.here.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        hash.update(self.here.split_to(size));
        let left = left.saturating_sub(size as u64);
        if left > 0 && !self.is_over {
            self.passing = Some((left, hash));
            return Ok(());
        }
        if left > 0 || hash.finalize() != self.hash.clone().finalize() {
            return Err(Error::new(ErrorKind::Conflict, "The content is another one than before it broke off. Open it anew, and read it from the beginning."));
        }
        Ok(())
    }

    fn give(&mut self) -> Vec<u8> {
        let piece = self.here.split().to_vec();
        self.given += piece.len() as u64;
        self.hash.update(&piece);
        piece
    }
}

fn broken(error: &Error) -> Error {
    error.clone().with_reason("The connection to Microsoft broke before the content was complete. Ask for the next piece again: it goes on where it broke off.")
}

impl Drop for AttachmentContent {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // A thread that did not come along in the fork may hold the connection's locks.
            std::mem::forget(self.state.get_mut().rest.take());
        }
    }
}
