//! What arrives: folders, messages, bodies, cursors, and the change feed.

use crate::error::Result;
use crate::model::{ChangeKind, MessageKind, QuarantineKind};
use crate::seal::Sealed;
use async_trait::async_trait;
use std::collections::HashMap;

/// A folder as Graph lists it.
#[derive(Debug, Clone)]
pub struct FolderRow {
    pub graph_id: String,
    pub parent_id: Option<String>,
    pub well_known_name: Option<String>,
    /// Display name, under the content key; row = graph_id, version = `version`.
    pub name: Sealed,
    pub version: i64,
    pub total: u32,
    pub unread: u32,
    /// Chosen for sync.
    pub is_synced: bool,
    /// It shows messages of others and holds none.
    pub is_search: bool,
}

/// Where the list of folders goes on.
#[derive(Debug, Clone)]
pub struct FolderLink {
    /// Under the secrets key; table `accounts`, row = account id, version = `version`.
    pub link: Sealed,
    pub version: i64,
}

/// What is new in the list of folders.
#[derive(Debug, Clone, Default)]
pub struct FolderNews {
    pub changed: Vec<FolderRow>,
    /// Graph ids.
    pub gone: Vec<String>,
    /// None: the next list is read anew.
    pub link: Option<FolderLink>,
}

#[derive(Debug, Clone)]
pub struct SyncedFolder {
    pub row: FolderRow,
    /// Messages held here.
    pub stored: u32,
    pub cursor: Option<Cursor>,
    /// Rows written by the current enumeration carry it.
    pub enumeration: i64,
    /// Messages asked for per page where the usual number was too much for the service, and since when.
    pub page_size: Option<u32>,
    pub page_size_at: i64,
}

/// Where the next request of a folder starts.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// The link, under the secrets key; row = folder graph_id, version = `version`.
    pub link: Sealed,
    pub version: i64,
    /// True: a delta link, the folder was complete at that moment. False: a next link in the middle of an enumeration.
    pub is_delta: bool,
}

/// What is already here of a message, for the plan.
#[derive(Debug, Clone)]
pub struct Known {
    pub row_id: i64,
    /// What hosts call it.
    pub id: String,
    pub graph_id: String,
    pub folder_id: String,
    pub change_key: String,
    pub version: i64,
    pub is_removed: bool,
    pub conversation_id: String,
    pub received_at: Option<i64>,
    pub is_read: bool,
    pub is_draft: bool,
    /// None: it was removed.
    pub head: Option<Sealed>,
    /// What is attached to it is still to be listed.
    pub is_unlisted: bool,
    pub kind: MessageKind,
}

#[derive(Debug, Clone)]
pub struct NewMessage {
    /// What hosts are to call it, 128 random bits; a row that is here keeps its own.
    pub id: String,
    pub graph_id: String,
    pub folder_id: String,
    pub conversation_id: String,
    pub change_key: String,
    pub received_at: Option<i64>,
    pub is_read: bool,
    pub is_draft: bool,
    /// The rest of `model::Message`, under the content key; table `messages`, row = graph_id, version = `version`.
    pub head: Sealed,
    /// The body, compressed, under the content key; table `bodies`. None: unchanged.
    pub body: Option<Sealed>,
    /// What the full-text index is to hold; None in stores whose content is sealed.
    pub search: Option<SearchText>,
    /// Known version + 1.
    pub version: i64,
    /// What is attached to it is still to be listed.
    pub is_unlisted: bool,
    /// Attachments other than inline ones, as `head` says.
    pub has_attachments: bool,
    /// What the change feed shall say; None: nothing worth telling changed (a replay).
    pub change: Option<ChangeKind>,
}

/// Words of a message, in the clear.
#[derive(Clone)]
pub struct SearchText {
    pub subject: String,
    pub people: String,
    /// None: unchanged.
    pub text: Option<String>,
}

// Content never reaches a log.
impl std::fmt::Debug for SearchText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchText(…)")
    }
}

#[derive(Debug, Clone)]
pub struct Quarantined {
    pub graph_id: Option<String>,
    /// The raw item, under the content key; table `quarantine`, row = `place`, version 1.
    pub raw: Sealed,
    /// 128 random bits.
    pub place: String,
    pub reason: String,
    pub kind: QuarantineKind,
}

/// Something about the mailbox that could not be read or told, and is asked for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// None: it has no usable id.
    pub graph_id: Option<String>,
    pub folder_id: String,
    pub kind: QuarantineKind,
    pub reason: String,
    /// How often it was asked for.
    pub tries: u32,
    pub since: i64,
    pub next_at: i64,
}

/// The wait after the first, second … time in vain: a minute, 4, 16 … minutes up to a day.
pub fn pause_ms(tries: u32) -> i64 {
    60_000_i64.saturating_mul(4_i64.saturating_pow(tries.saturating_sub(1).min(10))).min(86_400_000)
}

/// A message whose attachments are still to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    pub graph_id: String,
    /// Of its row: what is listed is written to this version of it alone.
    pub version: i64,
}

/// What was listed of a message.
#[derive(Debug, Clone)]
pub struct AttachmentList {
    pub graph_id: String,
    /// As it was seen.
    pub version: i64,
    /// With what is attached, for `version + 1`. None: what is here says it already.
    pub head: Option<Sealed>,
    /// As `head` says.
    pub has_attachments: bool,
}

/// Whether a message has attachments other than inline ones, of a row that does not tell yet.
#[derive(Debug, Clone, Copy)]
pub struct FilesKnown {
    pub row_id: i64,
    /// As it was seen.
    pub version: i64,
    pub has_attachments: bool,
}

/// A page of changes and its cursor, committed together.
#[derive(Debug, Clone)]
pub struct PageBatch {
    pub account_id: String,
    pub folder_id: String,
    /// The account's generation when the sync began.
    pub generation: i64,
    /// Lease of the account's sync.
    pub lease: super::Lease,
    /// What these rows are marked with: the folder's current enumeration, or the one before it for what the current one has yet to show, which is written
    /// only until that is complete. A row of the same folder that carries a later one keeps it.
    pub enumeration: i64,
    pub upserts: Vec<NewMessage>,
    /// Ids that the page repeated without news: only marked as seen by this enumeration.
    pub seen: Vec<String>,
    /// Ids that Graph says left this folder: kept as questions until proven.
    pub pending_removals: Vec<String>,
    pub quarantined: Vec<Quarantined>,
    /// What the page means for changes made here.
    pub edits: Vec<super::EndedEdit>,
    /// Keys that its messages get by rules.
    pub links: Vec<super::LinkedMessage>,
    /// Graph ids of new messages that look as if no person wrote them. New ones in the conversation of a mail that was sent here are looked at as well.
    pub candidates: Vec<String>,
    /// None: these items came outside of the folder's walk, whose place stays.
    pub cursor: Option<Cursor>,
    /// How far the page brings a back-fill.
    pub step: Option<super::BackfillStep>,
    pub page_size: Option<u32>,
    /// The enumeration is complete: rows of this folder that an older enumeration wrote become pending removals if this was the first enumeration or a resync.
    pub completes_pass: bool,
    pub now: i64,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// `stored`: messages held in this folder now.
    Written { stored: u32 },
    /// Nothing was written.
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Lease or generation are lost, or the folder is no longer listed.
    TakenOver,
    /// What is here changed since the page was planned, which no page may undo. Planned anew it can be written.
    Outdated,
    /// The enumeration that was to show these rows is complete.
    Late,
    /// The back-fill that the page belongs to was paused or cancelled, or another process has it.
    Stopped,
}

#[derive(Debug, Clone)]
pub struct MessageRow {
    pub row_id: i64,
    /// What hosts call it.
    pub id: String,
    pub account_id: String,
    pub graph_id: String,
    pub folder_id: String,
    pub conversation_id: String,
    pub received_at: Option<i64>,
    pub is_read: bool,
    pub is_draft: bool,
    pub change_key: String,
    pub head: Sealed,
    pub version: i64,
    pub kind: MessageKind,
}

/// An account's mail, or one folder of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub account_id: String,
    /// Graph id; None: all folders.
    pub folder_id: Option<String>,
}

/// Which messages, newest first by (received_at, row_id); a message without a time counts as received at 0.
#[derive(Debug, Clone, Default)]
pub struct MessageWindow {
    pub mailboxes: Vec<Mailbox>,
    pub is_read: Option<bool>,
    /// Rows that do not tell yet ([`MailStore::files_unknown`]) fit neither way.
    pub has_attachments: Option<bool>,
    /// Received at this time or later, and before that one.
    pub from: Option<i64>,
    pub before: Option<i64>,
    pub conversation_id: Option<String>,
    /// Keyed hashes of the host's key, by account; an account that is not in it has no such message.
    pub link: Option<HashMap<String, [u8; 32]>>,
    pub limit: u32,
    /// (received_at, row_id) of the last one seen.
    pub after: Option<(i64, i64)>,
    pub oldest_first: bool,
}

#[derive(Debug, Clone)]
pub struct MailPage {
    pub rows: Vec<MessageRow>,
    /// There are more.
    pub more: bool,
}

#[derive(Debug, Clone)]
pub struct ChangeRow {
    pub id: i64,
    pub kind: ChangeKind,
    pub account_id: String,
    /// What hosts call the message or send.
    pub subject_id: Option<String>,
    pub at: i64,
}

/// What happened to the place of a folder's walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorEvent {
    /// The cursor is lost: it is dropped, and a resync begins.
    Lost,
    /// The stored link was refused once more.
    Refused,
    /// Items without a usable id may be due. They are forgotten then, since the folder is read anew, which is counted: the next ones wait longer.
    Nameless,
}

/// What a mailbox is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    PendingRemovals,
    Quarantine,
}

/// What a mailbox said of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settled<'a> {
    /// Pending removals are removed, and a tombstone stays; what was set aside is forgotten.
    pub gone: &'a [String],
    /// Ids and the folders they are in now: they are kept there. Of pending removals alone.
    pub there: &'a [(String, String)],
    /// Ids that it would not tell of, and why: they are asked for again later.
    pub later: &'a [(String, String)],
}

#[async_trait]
pub trait MailStore {
    /// Writes what is new in the list of folders and where it goes on, under lease and generation. Folders that are gone lose their cursor, and their
    /// messages become pending removals.
    async fn save_folders(&self, account_id: &str, generation: i64, lease: &super::Lease, news: &FolderNews, now: i64) -> Result<bool>;
    /// Where the list of folders goes on, if that is known, and the version of the last place that was stored.
    async fn folder_link(&self, account_id: &str) -> Result<(Option<Sealed>, i64)>;
    async fn folders(&self, account_id: &str) -> Result<Vec<SyncedFolder>>;
    /// Messages of a folder that are here, all of them or those received at `since` or later, and those that are set aside.
    async fn count_held(&self, account_id: &str, folder_id: &str, since: Option<i64>) -> Result<u32>;
    /// Unread messages held here, by folder; a folder without any is left out.
    async fn unread(&self, account_id: &str) -> Result<HashMap<String, u32>>;
    /// Notes what happened to the place of a folder's walk. Answers how often in a row the link was refused ([`CursorEvent::Refused`]), or 1 if there was
    /// something to do and 0 if not; None: lease or generation lost.
    async fn note_cursor(&self, account_id: &str, folder_id: &str, generation: i64, lease: &super::Lease, event: CursorEvent, now: i64) -> Result<Option<u32>>;
    async fn known(&self, account_id: &str, graph_ids: &[&str]) -> Result<Vec<Known>>;
    /// Changes and cursor in one transaction, under lease and generation.
    async fn apply(&self, batch: PageBatch) -> Result<Applied>;
    /// Makes pending removals of messages that lie in folders that are not synced, once in `every_ms`, the first time so long after they were there at a call:
    /// at most `limit` of them now, the next ones at the next call. Answers how many; None: lease or generation lost.
    async fn suspect_unsynced(&self, account_id: &str, generation: i64, lease: &super::Lease, every_ms: i64, limit: u32, now: i64) -> Result<Option<u32>>;
    /// Pending removals that are due, oldest first: (graph id, folder it left). Those that turned up in another folder meanwhile are dropped on the way.
    async fn pending_removals(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<(String, String)>>;
    /// Settles questions: whether messages that left their folder are gone, or what became of items that were set aside. Change-feed rows are written. Answers
    /// (removed, moved); None: lease or generation lost.
    async fn settle(&self, account_id: &str, generation: i64, lease: &super::Lease, question: Question, settled: &Settled<'_>, now: i64) -> Result<Option<(u32, u32)>>;
    /// What is set aside and can be asked for by id, and is due: oldest first.
    async fn due_quarantine(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<QuarantineRow>>;
    /// All that is set aside, removals that could not be proven among it; oldest first.
    async fn quarantine(&self, account_id: &str, limit: u32) -> Result<Vec<QuarantineRow>>;
    async fn count_quarantine(&self, account_id: &str) -> Result<u32>;

    /// Messages whose attachments are to be listed, the newest first, without those whose list could not be read and is asked for later.
    async fn unlisted(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<Unlisted>>;
    /// How many there are.
    async fn count_unlisted(&self, account_id: &str, now: i64) -> Result<u32>;
    /// Writes what was listed, under generation, and sets aside what could not be (`failed`: row version and the item). A message that changed meanwhile is
    /// left as it is: it is asked for again. Answers how many messages were settled; None: generation lost.
    async fn put_attachments(&self, account_id: &str, generation: i64, lists: &[AttachmentList], failed: &[(i64, Quarantined)], now: i64) -> Result<Option<u32>>;

    /// Messages of which the store does not tell whether they have attachments: rows of an older version.
    async fn files_unknown(&self, account_id: &str, limit: u32) -> Result<Vec<MessageRow>>;
    /// What changed meanwhile is left as it is.
    async fn note_files(&self, known: &[FilesKnown]) -> Result<()>;

    /// By what hosts call it; with an owner, only if it is theirs.
    async fn message(&self, id: &str, owner: Option<&str>) -> Result<Option<MessageRow>>;
    async fn messages(&self, window: &MessageWindow) -> Result<MailPage>;
    /// Of an account by their rows, those after one.
    async fn messages_after(&self, account_id: &str, row_id: i64, limit: u32) -> Result<Vec<MessageRow>>;
    /// Sealed body and its row version.
    async fn body(&self, row_id: i64) -> Result<Option<(Sealed, i64)>>;
    /// Best matches first; every word must be there.
    async fn search(&self, words: &[String], account_ids: &[String], limit: u32) -> Result<Vec<MessageRow>>;

    /// Whether a change of these accounts after `after` was erased: who has read up to there has missed it. To be asked after the rows were read.
    async fn is_missed(&self, account_ids: &[String], after: i64) -> Result<bool>;
    /// Change-feed rows of these accounts after `after`, in order.
    async fn changes(&self, account_ids: &[String], after: i64, limit: u32) -> Result<Vec<ChangeRow>>;
}
