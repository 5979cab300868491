//! Staged contents on their way into a draft, which is sent when all of them are there. The mailbox says what became of a last range whose answer was lost: the
//! draft has one attachment more, or not.

use super::evidence::same_mark;
use super::{MailBy, Making};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{NewUpload, UploadOf, UploadUrl};
use crate::model::FileAttachment;
use crate::outbox::job::Job;
use crate::outbox::upload::{self, File, IN_SESSION, Takes, bytes, in_session, later, may_go_on, tell};
use crate::store::ItemState;
use serde::{Deserialize, Serialize};

/// A draft that lacks some of its attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uploading {
    draft_id: String,
    /// Attachments that the draft had before the first of these.
    before: usize,
    /// How many are there.
    done: usize,
    /// Of the next one.
    session: Option<UploadUrl>,
}

/// What came of a draft that an earlier attempt left.
pub enum Resumed {
    /// It is whole now: its id.
    Whole(String),
    /// Its person has sent it.
    Sent,
    /// It is gone or spoilt, and made anew.
    Anew,
    /// The claim is lost.
    Lost,
}

pub fn has_staged<K: Making>(draft: &K::Draft) -> bool {
    K::parts(draft).attachments.iter().any(|file| file.staged.is_some())
}

/// The draft was just made, without its staged contents. Its id once it is whole; none: the claim is lost.
pub async fn begin<K: Making>(job: &mut Job<MailBy<K>>, draft_id: String) -> Result<Option<String>> {
    let before = job.tools.graph.count_attachments(&job.caller(), &draft_id).await?.ok_or_else(vanished)?;
    job.progress.own.upload = Some(Uploading { draft_id: draft_id.clone(), before, ..Uploading::default() });
    // Not to be sent as it is: until it is whole, it is one to be removed.
    let had_stray = std::mem::replace(&mut job.progress.own.stray, true);
    if !job.advance(ItemState::Prepared).await? || !all(job).await? {
        return Ok(None);
    }
    job.progress.own.stray = had_stray;
    Ok(Some(draft_id))
}

/// Goes on where an earlier attempt stopped.
pub async fn resume<K: Making>(job: &mut Job<MailBy<K>>) -> Result<Resumed> {
    let Some(mut upload) = job.progress.own.upload.clone() else { return Ok(Resumed::Anew) };
    let caller = job.caller();
    let state = job.tools.graph.message_state(&caller, &upload.draft_id).await?.filter(|state| same_mark(state, &job.progress.own));
    let there = match state {
        Some(state) if !state.is_draft => {
            job.progress.own.is_found(state);
            return Ok(Resumed::Sent);
        }
        Some(_) => job.tools.graph.count_attachments(&caller, &upload.draft_id).await?,
        None => None,
    };
    // Fewer than there were: somebody was at it.
    let Some(done) = there.and_then(|there| there.checked_sub(upload.before)).filter(|done| *done >= upload.done) else {
        job.progress.own.upload = None;
        return Ok(Resumed::Anew);
    };
    if done > upload.done {
        (upload.done, upload.session) = (done, None);
    }
    let id = upload.draft_id.clone();
    job.progress.own.upload = Some(upload);
    Ok(if all(job).await? { Resumed::Whole(id) } else { Resumed::Lost })
}

/// Brings what is missing. False: the claim is lost.
async fn all<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let files = files(job).await?;
    let total = files.iter().map(|file| file.size).sum();
    loop {
        let upload = of(job)?;
        let Some(file) = files.get(upload.done) else { break };
        let arrived = files.iter().take(upload.done).map(|file| file.size).sum();
        let is_there = if file.size < IN_SESSION { attach(job, file).await? } else { in_session::<Drafts, _>(job, file, arrived, total).await? };
        if !is_there {
            return Ok(false);
        }
        let upload = of(job)?;
        (upload.done, upload.session) = (upload.done + 1, None);
        failpoint!("mail.file_uploaded");
        if !job.advance(ItemState::Prepared).await? {
            return Ok(false);
        }
        tell(job, arrived + file.size, total);
    }
    let (draft_id, wanted) = {
        let upload = of(job)?;
        (upload.draft_id.clone(), upload.before + files.len())
    };
    let there = job.tools.graph.count_attachments(&job.caller(), &draft_id).await?;
    // Whatever it was: this draft is not the mail.
    job.progress.own.upload = None;
    if there.is_some_and(|there| there >= wanted) {
        return Ok(true);
    }
    Err(Error::new(ErrorKind::Network, "The draft does not have all of its attachments, so it was not sent; it will be made again."))
}

async fn files<K: Making>(job: &Job<MailBy<K>>) -> Result<Vec<File>> {
    let staged = K::parts(&job.draft).attachments.iter().filter(|file| file.staged.is_some()).cloned().collect();
    upload::files(job, staged).await
}

/// In one request. False: the claim is lost.
async fn attach<K: Making>(job: &mut Job<MailBy<K>>, file: &File) -> Result<bool> {
    if !may_go_on(job).await? {
        return Ok(false);
    }
    let content = bytes(job, file, 0, file.size).await?;
    let whole = FileAttachment { content: content.to_vec(), ..file.attachment.clone() };
    drop(content);
    let draft_id = of(job)?.draft_id.clone();
    match job.tools.graph.attach(&job.caller(), &draft_id, &whole).await {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Upstream) => match is_there(job).await? {
            true => Ok(true),
            false => Err(later(&error)),
        },
        Err(error) => Err(error),
    }
}

/// Drafts take the contents of mails.
struct Drafts;

impl<K: Making> Takes<MailBy<K>> for Drafts {
    const OF: UploadOf = UploadOf::Mail;

    fn session(job: &mut Job<MailBy<K>>) -> Result<&mut Option<UploadUrl>> {
        Ok(&mut of(job)?.session)
    }

    async fn begin(job: &mut Job<MailBy<K>>, file: &File) -> Result<UploadUrl> {
        let draft_id = of(job)?.draft_id.clone();
        job.tools.graph.begin_upload(&job.caller(), &draft_id, &NewUpload { file: &file.attachment, size: file.size }).await
    }

    async fn is_there(job: &mut Job<MailBy<K>>) -> Result<bool> {
        is_there(job).await
    }
}

/// Whether the file that comes next is there already.
async fn is_there<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let upload = of(job)?.clone();
    let there = job.tools.graph.count_attachments(&job.caller(), &upload.draft_id).await?.ok_or_else(vanished)?;
    Ok(there > upload.before + upload.done)
}

fn of<K: Making>(job: &mut Job<MailBy<K>>) -> Result<&mut Uploading> {
    job.progress.own.upload.as_mut().ok_or_else(|| Error::internal("A draft that lacks attachments is not known."))
}

fn vanished() -> Error {
    Error::new(ErrorKind::Network, "The draft is not in the mailbox any more; it will be made again.")
}
