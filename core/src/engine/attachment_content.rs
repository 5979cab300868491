//! A content of a mailbox, read as fast as the host takes it, and never held as a whole. It comes from the mailbox, or from the cache of attachments, and is then
//! read on from the mailbox should the cache lose it in between.

use super::Inner;
use super::content::{Opened, gone};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Content, ContentPlace};
use crate::model::{AttachmentInfo, AttachmentKind};
use crate::pipeline::Rest;
use crate::runtime::closed;
use crate::sync::{Filling, Hit};
use bytes::BytesMut;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// Bytes that `body` gathers.
const LONGEST_BODY: usize = 64 << 20;

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
    /// What did not arrive comes from disk.
    hit: Option<Hit>,
    /// Takes what arrived, up to `kept` of it so far.
    filling: Option<Arc<Mutex<Filling>>>,
    kept: u64,
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
    pub(super) fn new(inner: &Arc<Inner>, opened: Opened) -> Self {
        let Opened { caller, place, info, content, hit, filling } = opened;
        let (length, has_content) = (content.as_ref().and_then(|content| content.length), content.is_some());
        let mut state = State { hit, filling: filling.map(|filling| Arc::new(Mutex::new(filling))), ..State::default() };
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
            self.keep(&mut state).await;
        }
        self.keep(&mut state).await;
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
        self.keep(&mut state).await;
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
            let (account_id, place) = (self.caller.account_id.clone(), self.place.clone());
            let again = inner.clone();
            let ask = async move {
                let caller = again.content_caller(&account_id).await?;
                again.reader.graph.content(&caller, &place).await.map_err(gone)
            };
            let asked = inner.runtime.guard(|stop| async move { stop.until(ask).await });
            drop(inner);
            state.begin(asked.await?);
            return self.pass(state);
        }
        if let Some(hit) = state.hit.clone() {
            let read = inner.runtime.guard(|_| async move { Ok(hit.piece().await) });
            drop(inner);
            state.came(read.await?);
            return Ok(());
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
                self.break_off(state);
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
        let passed = state.pass();
        if passed.is_err() {
            self.break_off(state);
        }
        passed.map_err(|error| error.on_account(&self.caller.account_id))
    }

    /// Of a content that broke off nothing is kept: it may be another one by the time it is asked for again.
    fn break_off(&self, state: &mut State) {
        state.break_off();
        if let (Some(filling), Some(inner)) = (state.filling.take(), self.inner.upgrade()) {
            inner.runtime.background(async move { filling.lock().await.give_up().await });
        }
    }

    /// Hands what arrived to the cache, before it is given out. A cancelled wait hands it in again.
    async fn keep(&self, state: &mut State) {
        let (Some(filling), Some(inner)) = (state.filling.clone(), self.inner.upgrade()) else { return };
        let (at, is_end) = (state.kept, state.is_complete());
        let known = usize::try_from(at.saturating_sub(state.given)).unwrap_or(usize::MAX);
        let new = state.here.get(known..).unwrap_or_default().to_vec();
        if new.is_empty() && !is_end {
            return;
        }
        let size = new.len() as u64;
        let kept = inner.runtime.finish(async move { Ok(filling.lock().await.add(at, &new, is_end).await) });
        drop(inner);
        let is_kept = matches!(kept.await, Ok(true));
        if is_end || !is_kept {
            state.filling = None;
        }
        state.kept = at.saturating_add(size);
    }
}

impl State {
    fn begin(&mut self, content: Content) {
        self.here = BytesMut::from(content.first.as_ref());
        (self.is_over, self.is_broken) = (content.rest.is_none() && self.hit.is_none(), false);
        self.rest = content.rest;
        self.passing = (self.given > 0).then(|| (self.given, Sha256::new()));
    }

    /// A piece from disk. None: from here on it comes from the mailbox.
    fn came(&mut self, piece: Option<Vec<u8>>) {
        let (Some(piece), Some(hit)) = (piece, &mut self.hit) else { return self.break_off() };
        hit.took(&piece);
        self.here.extend_from_slice(&piece);
        if hit.is_over() {
            (self.hit, self.is_over) = (None, true);
        }
    }

    fn break_off(&mut self) {
        self.here.clear();
        self.hit = None;
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
            return;
        }
        if let (Some(filling), Some(inner)) = (self.state.get_mut().filling.take(), self.inner.upgrade()) {
            // It was not read to its end. Should this fail, it is erased within an hour.
            inner.runtime.background(async move { filling.lock().await.give_up().await });
        }
    }
}
