//! Files of messages: each is put into the folder of the chat or channel before the message is posted, which then refers to it.
//!
//! Nothing is put there twice. A file has a name that follows from its send until it is whole, so that a request whose answer was lost is simply made again and
//! lands on the same file; only then it gets its own name, or one with a number where that is taken. What is there is stored with the send before the next
//! step. What a message that was not posted has left there is removed. Source: Graph, chatMessage: send (example: send a message with file attachment in it).

use super::content::{Reference, is_picture};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, ChatReader, DriveFile, FileFolder, UploadOf, UploadUrl};
use crate::outbox::channel::{Channel, Progress};
use crate::outbox::job::{Job, PATIENCE, Tools};
use crate::outbox::upload::{self, File, IN_SESSION, Takes, bytes, in_session, later, may_go_on, tell};
use crate::pipeline::Priority;
use crate::random;
use crate::store::{ItemRow, ItemState, sealed_row};
use serde::{Deserialize, Serialize};

/// Names that are tried before one is taken that nothing else has.
const NUMBERED: usize = 10;

/// What is known of the files of a send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Files {
    /// What each is called until it is whole. None: nothing was begun.
    names: Vec<String>,
    folder: Option<FileFolder>,
    /// In the order of the attachments; those that are not whole yet are none.
    there: Vec<Option<Placed>>,
    /// Of the first that is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<UploadUrl>,
    /// They may have changed since they were put there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    recheck: bool,
    /// A request in doubt may have put one there a second time, under the name it has until it is whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stray: bool,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Placed {
    drive_id: String,
    item_id: String,
    guid: String,
    url: String,
    name: String,
    /// It has its own name, and who is to open it may.
    is_ready: bool,
}

impl Placed {
    fn of(file: DriveFile, is_ready: bool) -> Self {
        let DriveFile { drive_id, item_id, guid, name, url } = file;
        Self { drive_id, item_id, guid, url, name, is_ready }
    }

    fn ids(&self) -> (&str, &str) {
        (&self.drive_id, &self.item_id)
    }
}

impl Files {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Something of it may be in the folder.
    pub fn are_begun(&self) -> bool {
        !self.names.is_empty()
    }

    pub fn read_again(&mut self) {
        self.recheck = self.are_begun();
    }

    /// A message that ends like this, or is lost to another worker in this state, has left some for nothing.
    pub fn are_left(&self, state: ItemState) -> bool {
        match state {
            ItemState::Sent => self.stray,
            ItemState::Failed | ItemState::Claimed | ItemState::Prepared => self.are_begun(),
            _ => false,
        }
    }

    /// A request that nobody heard of may still put one there.
    pub fn may_follow<P>(&self, progress: &Progress<P>, state: ItemState) -> bool {
        self.are_begun() && may_remove(progress, state) && (self.stray || self.there.iter().flatten().count() < self.names.len())
    }

    /// As the message names them.
    pub fn references(&self) -> Vec<Reference> {
        self.there.iter().flatten().map(|file| Reference { id: file.guid.clone(), url: file.url.clone(), name: file.name.clone() }).collect()
    }
}

/// A channel whose messages have files.
pub trait Filed: Channel {
    fn files(own: &mut Self::Progress) -> &mut Files;
    /// Where they go.
    fn folder(job: &Job<Self>) -> impl Future<Output = Result<FileFolder>> + Send;
    /// Who may open them there only if the person lets them.
    fn readers(_: &Job<Self>) -> impl Future<Output = Result<Vec<ChatReader>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }
}

/// Brings what is missing. False: the claim is lost.
pub async fn bring<C: Filed>(job: &mut Job<C>) -> Result<bool> {
    let attachments: Vec<_> = C::attachments(&job.draft).iter().filter(|file| !is_picture(file)).cloned().collect();
    if attachments.is_empty() {
        return Ok(true);
    }
    if std::mem::take(&mut of(job).recheck) {
        look_again(job).await?;
    }
    let files = upload::files(job, attachments).await?;
    if of(job).names.len() != files.len() {
        let (names, folder) = (names(job, &files).await?, C::folder(job).await?);
        let there = names.iter().map(|_| None).collect();
        *of(job) = Files { names, folder: Some(folder), there, ..Files::default() };
        // Before the first of them is put there: what is left is known.
        if !job.advance(ItemState::Prepared).await? {
            return Ok(false);
        }
    }
    let total = files.iter().map(|file| file.size).sum();
    let mut arrived = 0;
    for (number, file) in files.iter().enumerate() {
        if of(job).there.get(number).is_some_and(Option::is_none) {
            // A request of an earlier attempt may still be on its way.
            of(job).stray |= !job.is_first_hand();
            let is_there = if file.size < IN_SESSION { put(job, number, file).await? } else { in_session::<Folders, _>(job, file, arrived, total).await? };
            if !is_there {
                return Ok(false);
            }
            let found = look(job, number).await?.ok_or_else(|| later(&Error::new(ErrorKind::Network, "The file is not there.")))?;
            of(job).session = None;
            set(job, number, Placed::of(found, false))?;
            failpoint!("files.uploaded");
            if !job.advance(ItemState::Prepared).await? {
                return Ok(false);
            }
        }
        arrived += file.size;
        tell(job, arrived, total);
    }
    make_ready(job, &files).await
}

/// False: the claim is lost.
async fn make_ready<C: Filed>(job: &mut Job<C>, files: &[File]) -> Result<bool> {
    if of(job).there.iter().flatten().all(|file| file.is_ready) {
        return Ok(true);
    }
    let readers = C::readers(job).await?;
    for (number, file) in files.iter().enumerate() {
        let Some(placed) = of(job).there.get(number).cloned().flatten().filter(|placed| !placed.is_ready) else { continue };
        if !may_go_on(job).await? {
            return Ok(false);
        }
        name(job, &placed, &file.attachment.name).await?;
        // Its address ends with its name.
        let named = job.tools.graph.file(&job.caller(), placed.ids()).await?.ok_or_else(vanished)?;
        job.tools.graph.share_file(&job.caller(), placed.ids(), &readers).await?;
        set(job, number, Placed::of(named, true))?;
        failpoint!("files.ready");
    }
    job.advance(ItemState::Prepared).await
}

/// Lets others open what is there, since the message goes to another chat than was thought.
pub async fn share<C: Filed>(job: &mut Job<C>) -> Result<()> {
    let there: Vec<Placed> = of(job).there.iter().flatten().cloned().collect();
    if there.is_empty() {
        return Ok(());
    }
    let readers = C::readers(job).await?;
    for file in there {
        job.tools.graph.share_file(&job.caller(), file.ids(), &readers).await?;
    }
    Ok(())
}

/// In one request. False: the claim is lost.
async fn put<C: Filed>(job: &mut Job<C>, number: usize, file: &File) -> Result<bool> {
    if !may_go_on(job).await? {
        return Ok(false);
    }
    let content = bytes(job, file, 0, file.size).await?;
    let (folder, name) = at(job, number)?;
    match job.tools.graph.put_file(&job.caller(), &folder, &name, content).await {
        Ok(()) => Ok(true),
        // Made again, it lands on the same file, unless that has its own name by then.
        Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Upstream) => {
            of(job).stray = true;
            Err(later(&error))
        }
        Err(error) => Err(error),
    }
}

/// Gives a file the name that it has in the draft, or one beside it.
async fn name<C: Filed>(job: &Job<C>, placed: &Placed, wanted: &str) -> Result<()> {
    let (stem, extension) = split(wanted);
    let own = placed.guid.split('-').next().unwrap_or_default();
    let numbered = (1..NUMBERED).map(|n| format!("{stem} {n}{extension}"));
    for name in std::iter::once(wanted.to_owned()).chain(numbered).chain([format!("{stem} {own}{extension}")]) {
        if job.tools.graph.name_file(&job.caller(), placed.ids(), &name).await? {
            return Ok(());
        }
    }
    Err(Error::new(ErrorKind::Network, "Each name for a file of the message is taken in its folder. It is tried again."))
}

/// `report` and `.pdf`.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at_checked(at).unwrap_or((name, "")),
        _ => (name, ""),
    }
}

/// They follow from the send, so that a request that is made again means the same file.
async fn names<C: Filed>(job: &Job<C>, files: &[File]) -> Result<Vec<String>> {
    let hashes = job.tools.vault.hashes(&job.item.account_id).await?;
    let created_at = job.item.created_at.to_string();
    let named = |(number, file): (usize, &File)| {
        let number = number.to_string();
        let hash = hashes.of("name of a file", &[sealed_row(&job.item.id).as_bytes(), created_at.as_bytes(), number.as_bytes()])?;
        Ok(format!("{}{}", random::uuid_of(hash), split(&file.attachment.name).1))
    };
    files.iter().enumerate().map(named).collect()
}

/// What is gone is brought anew.
async fn look_again<C: Filed>(job: &mut Job<C>) -> Result<()> {
    for number in 0..of(job).there.len() {
        let Some(placed) = of(job).there.get(number).cloned().flatten() else { continue };
        let found = job.tools.graph.file(&job.caller(), placed.ids()).await?;
        if let Some(slot) = of(job).there.get_mut(number) {
            *slot = found.map(|file| Placed::of(file, placed.is_ready));
        }
    }
    Ok(())
}

/// The file that is on its way, once it is whole.
async fn look<C: Filed>(job: &mut Job<C>, number: usize) -> Result<Option<DriveFile>> {
    let (folder, name) = at(job, number)?;
    job.tools.graph.file_named(&job.caller(), &folder, &name).await
}

fn of<C: Filed>(job: &mut Job<C>) -> &mut Files {
    C::files(&mut job.progress.own)
}

fn set<C: Filed>(job: &mut Job<C>, number: usize, placed: Placed) -> Result<()> {
    let slot = of(job).there.get_mut(number).ok_or_else(unknown)?;
    *slot = Some(placed);
    Ok(())
}

/// Where a file is until it is whole.
fn at<C: Filed>(job: &mut Job<C>, number: usize) -> Result<(FileFolder, String)> {
    let files = of(job);
    files.folder.clone().zip(files.names.get(number).cloned()).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::internal("A file of a message is not known.")
}

fn vanished() -> Error {
    Error::new(ErrorKind::Network, "A file of the message is not where it was put any more; it will be put there again.")
}

/// Folders take the files of messages.
struct Folders;

impl<C: Filed> Takes<C> for Folders {
    const OF: UploadOf = UploadOf::File;

    fn session(job: &mut Job<C>) -> Result<&mut Option<UploadUrl>> {
        Ok(&mut of(job).session)
    }

    async fn begin(job: &mut Job<C>, _: &File) -> Result<UploadUrl> {
        let number = under_way(job);
        let (folder, name) = at(job, number)?;
        job.tools.graph.begin_file(&job.caller(), &folder, &name).await
    }

    async fn is_there(job: &mut Job<C>) -> Result<bool> {
        let number = under_way(job);
        Ok(look(job, number).await?.is_some())
    }
}

/// The first that is not whole.
fn under_way<C: Filed>(job: &mut Job<C>) -> usize {
    let files = of(job);
    files.there.iter().position(Option::is_none).unwrap_or(files.there.len())
}

/// Of a message that may have been posted nothing is removed; of one that was, what it does not name.
fn may_remove<P>(progress: &Progress<P>, state: ItemState) -> bool {
    state == ItemState::Sent || (!progress.doubted && state != ItemState::Unknown)
}

/// Removes what was put there for a message that was not posted, and what was put there twice. Some: what is known of them from now on; until the last look,
/// the names that one may still come by.
pub async fn tidy<P>(tools: &Tools, item: &ItemRow, progress: &Progress<P>, files: &Files, is_last: bool) -> Result<Option<Files>> {
    let Some(folder) = files.folder.as_ref().filter(|_| files.are_begun() && may_remove(progress, item.state)) else { return Ok(None) };
    let (graph, caller) = (&tools.graph, Caller::new(&item.account_id, Priority::Sync, PATIENCE));
    let is_sent = item.state == ItemState::Sent;
    for placed in files.there.iter().flatten().filter(|_| !is_sent) {
        graph.delete_file(&caller, placed.ids()).await?;
    }
    for name in &files.names {
        if let Some(found) = graph.file_named(&caller, folder, name).await? {
            graph.delete_file(&caller, (&found.drive_id, &found.item_id)).await?;
        }
    }
    tracing::info!(target: "tidings::outbox", send = item.id, account = item.account_id, "files that a message had left were removed");
    Ok(Some(match (is_sent, is_last) {
        (true, _) => Files { stray: files.stray && !is_last, ..files.clone() },
        (false, true) => Files::default(),
        (false, false) => Files { there: files.names.iter().map(|_| None).collect(), session: None, ..files.clone() },
    }))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_number_stands_before_the_extension() {
        for (name, parts) in [("report.pdf", ("report", ".pdf")), ("a.tar.gz", ("a.tar", ".gz")), ("README", ("README", "")), (".profile", (".profile", "")), ("é.x", ("é", ".x"))] {
            assert_eq!(split(name), parts);
        }
    }
}
