//! Staged contents on their way into a draft, which is sent when all of them are there. How far they are is stored with the send: after a cut connection, or
//! in another process, the same session goes on at the byte it waits for; what expired is begun anew. The mailbox says what became of a last range whose answer was lost:
//! the draft has one attachment more, or not.

use super::evidence::same_mark;
use super::{MailBy, Making};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Arrived, NewUpload, RANGE, SMALLEST_RANGE, Upload, UploadUrl};
use crate::model::{Event, FileAttachment};
use crate::outbox::job::Job;
use crate::outbox::staging::{STAGED_PIECE, staged_piece};
use crate::runtime::closed;
use crate::store::{ItemState, LEASE_MS, PAST_DEADLINE};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is smaller goes in one request, of 4 MB at the most with all that stands around it (Graph: outlook-large-attachments).
const IN_SESSION: u64 = 3 * 1024 * 1024 - 4096;
/// Failures in a row, with growing pauses, after which the send waits for its next attempt.
const MOST_FAILURES: u32 = 6;
/// Sessions begun for one file in one attempt.
const MOST_SESSIONS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

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

/// A staged file that is to be attached.
struct File {
    attachment: FileAttachment,
    staged: String,
    size: u64,
}

/// Brings what is missing. False: the claim is lost.
async fn all<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let files = files(job).await?;
    let total = files.iter().map(|file| file.size).sum();
    loop {
        let upload = of(job)?;
        let Some(file) = files.get(upload.done) else { break };
        let arrived = files.iter().take(upload.done).map(|file| file.size).sum();
        let is_there = if file.size < IN_SESSION { attach(job, file).await? } else { in_session(job, file, arrived, total).await? };
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
    let named: Vec<(FileAttachment, String)> = K::parts(&job.draft).attachments.iter().filter_map(|file| Some((file.clone(), file.staged.clone()?))).collect();
    let ids: Vec<String> = named.iter().map(|(_, id)| id.clone()).collect();
    let rows = job.tools.store.staged(&ids).await?;
    let missing = || Error::new(ErrorKind::Corrupt, "The content of an attachment of a stored send is missing.");
    let size_of = |id: &String| rows.iter().find(|row| row.id == *id && row.account_id == job.item.account_id && !row.is_gone).map(|row| row.size).ok_or_else(missing);
    named.into_iter().map(|(attachment, staged)| Ok(File { attachment, size: size_of(&staged)?, staged })).collect()
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

/// Range by range. `arrived` of `total` bytes of all files came before. False: the claim is lost.
async fn in_session<K: Making>(job: &mut Job<MailBy<K>>, file: &File, arrived: u64, total: u64) -> Result<bool> {
    let (mut failures, mut sessions, mut pause) = (0, 0, FIRST_PAUSE);
    // None: it is to be asked.
    let mut next = None;
    loop {
        if !may_go_on(job).await? {
            return Ok(false);
        }
        let Some(url) = of(job)?.session.clone() else {
            sessions += 1;
            if sessions > MOST_SESSIONS {
                return Err(Error::new(ErrorKind::Network, "Microsoft ends each upload of the attachment before it is whole; it will be tried again."));
            }
            let draft_id = of(job)?.draft_id.clone();
            let url = job.tools.graph.begin_upload(&job.caller(), &draft_id, &NewUpload { file: &file.attachment, size: file.size }).await?;
            of(job)?.session = Some(url);
            next = Some(0);
            if !job.advance(ItemState::Prepared).await? {
                return Ok(false);
            }
            continue;
        };
        let came = match next {
            None => look(job, &url, file.size).await,
            Some(from) => {
                let length = if failures == 0 { RANGE } else { SMALLEST_RANGE }.min(file.size.saturating_sub(from));
                let range = bytes(job, file, from, length).await?;
                match job.tools.graph.put_range(&job.caller(), &url, from, file.size, range).await {
                    // More than it was given: it would leave a hole.
                    Ok(Arrived::Next(at)) if at > from + length => {
                        of(job)?.session = None;
                        continue;
                    }
                    other => other,
                }
            }
        };
        match came {
            Ok(Arrived::All) => return Ok(true),
            Ok(Arrived::Next(at)) if at < file.size && next.is_none_or(|from| at > from) => {
                if next.is_some() {
                    (failures, pause) = (0, FIRST_PAUSE);
                }
                next = Some(at);
                tell(job, arrived + at, total);
                failpoint!("mail.range_arrived");
                continue;
            }
            Ok(_) if next.is_none() => {
                // The session is over.
                if is_there(job).await? {
                    return Ok(true);
                }
                of(job)?.session = None;
                continue;
            }
            Err(error) if !is_passing(&error) => return Err(error),
            Err(error) if failures >= MOST_FAILURES => return Err(later(&error)),
            Ok(_) if failures >= MOST_FAILURES => {
                return Err(Error::new(ErrorKind::Network, "The attachment does not arrive whole at Microsoft; it will be continued."));
            }
            Ok(_) | Err(_) => next = None,
        }
        failures += 1;
        if !job.pause(pause).await {
            return Err(closed());
        }
        pause *= 2;
    }
}

/// How far the session is: `Unclear` when it is over.
async fn look<K: Making>(job: &Job<MailBy<K>>, url: &UploadUrl, size: u64) -> Result<Arrived> {
    Ok(match job.tools.graph.upload_state(&job.caller(), url).await? {
        Upload::Next(at) if at < size => Arrived::Next(at),
        Upload::Next(_) | Upload::Over => Arrived::Unclear,
    })
}

/// The connection or the service; the send goes on when that is over.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network | ErrorKind::Upstream | ErrorKind::OutcomeUnknown)
}

/// Nothing that others could see has happened, so it is not in doubt.
fn later(error: &Error) -> Error {
    Error::new(ErrorKind::Network, "An attachment could not be brought to Microsoft whole; it will be continued.").with_request_of(error).with_retry_after_ms(error.retry_after_ms())
}

/// Whether the file that comes next is there already.
async fn is_there<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let upload = of(job)?.clone();
    let there = job.tools.graph.count_attachments(&job.caller(), &upload.draft_id).await?.ok_or_else(vanished)?;
    Ok(there > upload.before + upload.done)
}

/// The claim is renewed before each request, so that what was taken back meanwhile goes no further. False: it is lost.
async fn may_go_on<K: Making>(job: &Job<MailBy<K>>) -> Result<bool> {
    if job.is_stopping() {
        return Err(closed());
    }
    if job.is_overdue() {
        return Err(Error::new(ErrorKind::Cancelled, PAST_DEADLINE));
    }
    job.tools.store.renew_claim(&job.item.id, job.item.fence, job.now(), LEASE_MS).await
}

/// `length` bytes of its content.
async fn bytes<K: Making>(job: &Job<MailBy<K>>, file: &File, from: u64, length: u64) -> Result<Bytes> {
    let (tools, account_id, id) = (&*job.tools, &job.item.account_id, &file.staged);
    let missing = || Error::new(ErrorKind::Corrupt, "A part of an attachment of a stored send is missing.");
    let wanted = usize::try_from(length).map_err(|_| missing())?;
    let mut out = Vec::with_capacity(wanted);
    while out.len() < wanted {
        let at = from + out.len() as u64;
        let (part, offset) = (at / STAGED_PIECE as u64, at % STAGED_PIECE as u64);
        let part = u32::try_from(part).map_err(|_| missing())?;
        let piece = tools.vault.with_current_keys(async || staged_piece(tools, &tools.vault.content(account_id).await?, account_id, id, part).await).await?;
        let rest = usize::try_from(offset).ok().and_then(|offset| piece.get(offset..)).filter(|rest| !rest.is_empty()).ok_or_else(missing)?;
        out.extend_from_slice(rest.get(..wanted - out.len()).unwrap_or(rest));
    }
    Ok(Bytes::from(out))
}

fn tell<K: Making>(job: &Job<MailBy<K>>, sent: u64, total: u64) {
    job.tools.event_bus.publish(Event::UploadProgress { account_id: job.item.account_id.clone(), receipt_id: job.item.id.clone(), sent, total });
}

fn of<K: Making>(job: &mut Job<MailBy<K>>) -> Result<&mut Uploading> {
    job.progress.own.upload.as_mut().ok_or_else(|| Error::internal("A draft that lacks attachments is not known."))
}

fn vanished() -> Error {
    Error::new(ErrorKind::Network, "The draft is not in the mailbox any more; it will be made again.")
}
