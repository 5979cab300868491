//! Contents on their way to the service, range by range. How far they are is stored with the send: after a cut connection, or in another process, the same
//! session goes on at the byte it waits for; what expired is begun anew. What takes them, and what says whether a last range arrived whose answer was lost,
//! the channel knows.

use super::channel::Channel;
use super::job::Job;
use super::staging::{STAGED_PIECE, staged_piece};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Arrived, RANGE, SMALLEST_RANGE, Upload, UploadOf, UploadUrl};
use crate::model::{Event, FileAttachment};
use crate::runtime::closed;
use crate::store::{ItemState, LEASE_MS, PAST_DEADLINE};
use bytes::Bytes;
use std::time::Duration;

/// What is smaller goes in one request, of 4 MB at the most with all that stands around it (Graph: outlook-large-attachments).
pub const IN_SESSION: u64 = 3 * 1024 * 1024 - 4096;
/// Failures in a row, with growing pauses, after which the send waits for its next attempt.
const MOST_FAILURES: u32 = 6;
/// Sessions begun for one file in one attempt.
const MOST_SESSIONS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What takes the contents of a channel's sends.
pub trait Takes<C: Channel> {
    const OF: UploadOf;
    /// The session of the file that is on its way, as it is stored with the send.
    fn session(job: &mut Job<C>) -> Result<&mut Option<UploadUrl>>;
    fn begin(job: &mut Job<C>, file: &File) -> impl Future<Output = Result<UploadUrl>> + Send;
    /// Whether the file is there already.
    fn is_there(job: &mut Job<C>) -> impl Future<Output = Result<bool>> + Send;
}

/// A file that is to be brought to the service.
pub struct File {
    pub attachment: FileAttachment,
    pub size: u64,
}

/// These, with their sizes. Errors: Corrupt, when a staged content is not there.
pub async fn files<C: Channel>(job: &Job<C>, attachments: Vec<FileAttachment>) -> Result<Vec<File>> {
    let ids: Vec<String> = attachments.iter().filter_map(|file| file.staged.clone()).collect();
    let rows = if ids.is_empty() { Vec::new() } else { job.tools.store.staged(&ids).await? };
    let missing = || Error::new(ErrorKind::Corrupt, "The content of an attachment of a stored send is missing.");
    let size_of = |file: &FileAttachment| match &file.staged {
        None => Ok(file.content.len() as u64),
        Some(id) => rows.iter().find(|row| row.id == *id && row.account_id == job.item.account_id && !row.is_gone).map(|row| row.size).ok_or_else(missing),
    };
    attachments.into_iter().map(|attachment| Ok(File { size: size_of(&attachment)?, attachment })).collect()
}

/// Range by range. `arrived` of `total` bytes of all files came before. False: the claim is lost.
pub async fn in_session<T: Takes<C>, C: Channel>(job: &mut Job<C>, file: &File, arrived: u64, total: u64) -> Result<bool> {
    let (mut failures, mut sessions, mut pause) = (0, 0, FIRST_PAUSE);
    // None: it is to be asked.
    let mut next = None;
    loop {
        if !may_go_on(job).await? {
            return Ok(false);
        }
        let Some(url) = T::session(job)?.clone() else {
            sessions += 1;
            if sessions > MOST_SESSIONS {
                return Err(Error::new(ErrorKind::Network, "Microsoft ends each upload of an attachment before it is whole; it will be tried again."));
            }
            let url = T::begin(job, file).await?;
            *T::session(job)? = Some(url);
            next = Some(0);
            if !job.advance(ItemState::Prepared).await? {
                return Ok(false);
            }
            continue;
        };
        let came = match next {
            None => look(job, (T::OF, &url), file.size).await,
            Some(from) => {
                let length = if failures == 0 { RANGE } else { SMALLEST_RANGE }.min(file.size.saturating_sub(from));
                let range = bytes(job, file, from, length).await?;
                match job.tools.graph.put_range(&job.caller(), (T::OF, &url), from, file.size, range).await {
                    // More than it was given: it would leave a hole.
                    Ok(Arrived::Next(at)) if at > from + length => {
                        *T::session(job)? = None;
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
                failpoint!("upload.range_arrived");
                continue;
            }
            Ok(_) if next.is_none() => {
                // The session is over.
                if T::is_there(job).await? {
                    return Ok(true);
                }
                *T::session(job)? = None;
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
async fn look<C: Channel>(job: &Job<C>, at: (UploadOf, &UploadUrl), size: u64) -> Result<Arrived> {
    Ok(match job.tools.graph.upload_state(&job.caller(), at).await? {
        Upload::Next(at) if at < size => Arrived::Next(at),
        Upload::Next(_) | Upload::Over => Arrived::Unclear,
    })
}

/// The connection or the service; the send goes on when that is over.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network | ErrorKind::Upstream | ErrorKind::OutcomeUnknown)
}

/// Nothing that others could see has happened, so it is not in doubt.
pub fn later(error: &Error) -> Error {
    Error::new(ErrorKind::Network, "An attachment could not be brought to Microsoft whole; it will be continued.").with_request_of(error).with_retry_after_ms(error.retry_after_ms())
}

/// The claim is renewed before each request, so that what was taken back meanwhile goes no further. False: it is lost.
pub async fn may_go_on<C: Channel>(job: &Job<C>) -> Result<bool> {
    if job.is_stopping() {
        return Err(closed());
    }
    if job.is_overdue() {
        return Err(Error::new(ErrorKind::Cancelled, PAST_DEADLINE));
    }
    job.tools.store.renew_claim(&job.item.id, job.item.fence, job.now(), LEASE_MS).await
}

/// `length` bytes of its content.
pub async fn bytes<C: Channel>(job: &Job<C>, file: &File, from: u64, length: u64) -> Result<Bytes> {
    let missing = || Error::new(ErrorKind::Corrupt, "A part of an attachment of a stored send is missing.");
    let wanted = usize::try_from(length).map_err(|_| missing())?;
    let Some(id) = &file.attachment.staged else {
        let from = usize::try_from(from).map_err(|_| missing())?;
        return file.attachment.content.get(from..from.saturating_add(wanted)).map(Bytes::copy_from_slice).ok_or_else(missing);
    };
    let (tools, account_id) = (&*job.tools, &job.item.account_id);
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

pub fn tell<C: Channel>(job: &Job<C>, sent: u64, total: u64) {
    job.tools.event_bus.publish(Event::UploadProgress { account_id: job.item.account_id.clone(), receipt_id: job.item.id.clone(), sent, total });
}
