use super::account::AccountState;
use super::backfill::Backfill;
use super::receipt::Receipt;
use super::rfc3339;
use crate::error::ErrorKind;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    pub account_id: String,
    pub folders: u32,
    pub pages: u32,
    pub added: u32,
    pub changed: u32,
    pub moved: u32,
    pub removed: u32,
    /// Folders whose delta state was lost and that were compared anew.
    pub resynced: u32,
    /// Items that could not be read and are set aside, also by earlier syncs; `quarantined` lists them. They are asked for again by themselves.
    pub quarantined: u32,
    /// Messages whose attachments are not listed yet: there are too many to wait for. They are listed afterwards, while the engine is open, else by the next sync; each is a change.
    pub attachments_pending: u32,
    pub duration_ms: u64,
    /// Contacts that are new, changed or gone.
    #[serde(default)]
    pub contacts: u32,
    /// Events of the calendar that are new, changed or gone; each occurrence of a series is one.
    #[serde(default)]
    pub events: u32,
    /// Chat messages that are new, changed or gone.
    #[serde(default)]
    pub chat_messages: u32,
}

/// What became of one account in `sync_all`: a report, or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncOutcome {
    pub account_id: String,
    pub report: Option<SyncReport>,
    pub error_kind: Option<ErrorKind>,
    /// Why it was not synced, and what to do.
    pub error: Option<String>,
    /// When to try again at the earliest, in milliseconds from now, if Microsoft said so.
    pub retry_after_ms: Option<u64>,
}

/// What `run_once` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Of the mailboxes that were due, in any order.
    pub syncs: Vec<SyncOutcome>,
    /// False: the deadline came first, and something is due still.
    pub is_complete: bool,
    /// When something will be due next, if ever: run again by then.
    #[serde(with = "rfc3339::option")]
    pub next_due_at: Option<SystemTime>,
}

/// What of a message could not be read or told: all of it, what is attached, or whether it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineKind {
    Message,
    Attachments,
    Removal,
}

/// Something of a mailbox that is set aside, and asked for again by the syncs to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedItem {
    pub kind: QuarantineKind,
    /// Microsoft's id of the message; none when it came without a usable one: its folder is then read anew.
    pub graph_id: Option<String>,
    pub folder_id: String,
    /// Why, in our own words.
    pub reason: String,
    /// How often it was asked for.
    pub tries: u32,
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// The first sync after this time asks again.
    #[serde(with = "rfc3339")]
    pub next_try_at: SystemTime,
}

/// Something that just happened; for progress and state. What must not be missed is in `changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // it crosses to hosts as it is
pub enum Event {
    AccountConnected { account_id: String },
    AccountChanged { account_id: String, state: AccountState },
    SendChanged { receipt: Receipt },
    /// Large attachments of a mail on their way to Microsoft: bytes that have arrived, of all.
    UploadProgress { account_id: String, receipt_id: String, sent: u64, total: u64 },
    SyncProgress { account_id: String, folder_id: String, stored: u32, total: u32 },
    SyncFinished { report: SyncReport },
    SyncFailed { account_id: String, kind: ErrorKind, reason: String },
    /// Microsoft refused for good what was changed of a message here (`mark_read`, `flag` …); it shows again what the mailbox says.
    EditRefused { account_id: String, message_id: String, kind: ErrorKind, reason: String },
    /// A back-fill got on by a page, or changed its state.
    BackfillChanged { backfill: Backfill },
    /// The reader was too slow; this many events were dropped, the oldest first.
    Missed { count: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    MessageAdded,
    MessageChanged,
    MessageMoved,
    MessageRemoved,
    AccountChanged,
    SendChanged,
    /// One that is new as well.
    ContactChanged,
    ContactRemoved,
    /// One that is new as well; each occurrence of a series is one.
    EventChanged,
    /// It is no longer in the calendar, or at a time that is not synced.
    EventRemoved,
    /// One that is new as well.
    ChatMessageChanged,
    /// Its sender deleted it.
    ChatMessageRemoved,
    /// A mail that was sent has a bounce or an automatic reply; `subject_id` is its receipt.
    SendAnswered,
    /// Somebody wrote to the bot; `subject_id` is the activity, as in all that follow.
    BotMessage,
    /// One that was edited, or deleted.
    BotMessageEdited,
    /// A reaction to a message was added or taken back.
    BotReaction,
    /// The bot may write there from now on.
    BotInstalled,
    /// It may not any more.
    BotRemoved,
    /// A button of a card was pressed.
    BotCardAction,
    /// An endpoint was added, changed, retired, or is active again; `subject_id` is its id.
    EndpointChanged,
}

/// Which changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeQuery {
    /// Whose: all accounts of an owner, those that are gone included, or one account or workflow. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Only what came after the change with this cursor; good for the same owner or account. From the beginning when none is given.
    pub cursor: Option<String>,
}

/// One durable change. Store `cursor` when you have dealt with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub cursor: String,
    pub kind: ChangeKind,
    pub account_id: String,
    /// Id of the message, receipt, contact, event, chat message or activity of a bot.
    pub subject_id: Option<String>,
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
}
