//! Verbs of large attachments.

use super::{Engine, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Feature, FileAttachment};
use crate::outbox::{Staging, check_file};
use std::sync::Arc;
use tokio::sync::Mutex;

/// One content on its way into the store. Dropped before `finish`, nothing of it is left.
pub struct AttachmentWriter {
    inner: Arc<Inner>,
    name: String,
    content_type: String,
    content_id: Option<String>,
    staging: Arc<Mutex<Staging>>,
}

impl Engine {
    /// Begins an attachment of up to 150 MB that is handed in piece by piece, sealed and durable, before the draft that names it. `size`: bytes that it comes
    /// to, if that is known; another count is an error. What `finish` gives goes into drafts of this account, into several of them if they are handed in
    /// before the first of them is sent. It is kept for a day, and then for as long as a send needs it. Touches no network. The helpers of each
    /// language for files and streams do all of it in one call. Errors: InvalidInput (name, content type), LimitExceeded (size), NotConnected,
    /// NeedsReconnect, ConsentMissing, StoreFull.
    /// Source: Graph, Attach large files to Outlook messages.
    pub async fn stage_attachment(&self, account_id: String, name: String, content_type: String, size: Option<u64>, content_id: Option<String>) -> Result<Arc<AttachmentWriter>> {
        check_file(&name, &content_type)?;
        let staging = self.finish(|inner| async move {
            inner.usable_for_any(&account_id, &[Feature::MailSend, Feature::Chat, Feature::Channels]).await?;
            inner.outbox.stage(&account_id, size).await
        });
        let staging = Arc::new(Mutex::new(staging.await?));
        Ok(Arc::new(AttachmentWriter { inner: self.inner.clone(), name, content_type, content_id, staging }))
    }
}

impl AttachmentWriter {
    /// The next bytes, at most 8 MB. Runs to its end also when the caller stops waiting. After an error nothing of the content is left. Errors:
    /// InvalidInput (more than was said), LimitExceeded (more than 150 MB, or more than 8 MB at once), Conflict (finished or given up), NotFound (erased
    /// meanwhile), StoreFull.
    pub async fn write(&self, chunk: Vec<u8>) -> Result<()> {
        if chunk.len() > LARGEST_CHUNK {
            return Err(Error::new(ErrorKind::LimitExceeded, "A piece of an attachment is larger than 8 MB. Hand it in in smaller ones."));
        }
        let staging = self.staging.clone();
        self.inner.runtime.finish(async move { staging.lock().await.write(chunk).await }).await
    }

    /// The end: the attachment for a draft. Errors: InvalidInput (less than was said; nothing of the content is left), as `write` otherwise.
    pub async fn finish(&self) -> Result<FileAttachment> {
        let staging = self.staging.clone();
        let id = self
            .inner
            .runtime
            .finish(async move {
                let mut staging = staging.lock().await;
                staging.finish().await?;
                Ok(staging.id().to_owned())
            })
            .await?;
        let (name, content_type, content_id) = (self.name.clone(), self.content_type.clone(), self.content_id.clone());
        Ok(FileAttachment { name, content: Vec::new(), content_type, content_id, staged: Some(id) })
    }

    /// Gives it up: nothing of the content is left. Of one that is finished nothing changes. May be called twice.
    pub async fn abort(&self) -> Result<()> {
        let staging = self.staging.clone();
        self.inner.runtime.finish(async move { staging.lock().await.give_up().await }).await
    }
}

/// Bytes of one call.
const LARGEST_CHUNK: usize = 8 << 20;

impl Drop for AttachmentWriter {
    fn drop(&mut self) {
        if self.inner.runtime.is_forked() {
            return;
        }
        let staging = self.staging.clone();
        self.inner.runtime.background(async move {
            let mut staging = staging.lock().await;
            if !staging.is_over() {
                // Should it fail, the content goes a day later.
                let _ = staging.give_up().await;
            }
        });
    }
}
