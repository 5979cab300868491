//! Rows in, rows out. Each method is one durable step: a whole transaction, committed when it returns.
//!
//! Methods await: a backend brings its own threads or connections, and nothing here assumes one machine, one writer or locks. A step whose caller goes away
//! is done all the same, or not begun. Times are milliseconds since 1970. A write that belongs to a leased job carries the lease's fence and changes nothing
//! once somebody else holds the lease.

mod accounts;
mod addresses;
mod answers;
mod audit;
mod backfills;
mod bots;
mod cache;
mod calendar;
mod chats;
mod claims;
mod contacts;
mod copies;
mod edits;
mod endpoints;
mod health;
mod keyring;
mod last_senders;
mod lease;
mod links;
mod mail;
mod outbox;
mod paces;
mod polls;
mod purge;
mod rules;
mod teams_messages;
mod scope;
mod signatures;
mod staging;
mod threads;
mod subscriptions;
mod throttles;
mod trim;
mod words;
mod workflows;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)] // the only module that speaks SQL
mod sqlite;

#[cfg(test)]
mod suite;

use crate::error::Result;
use std::path::Path;
use std::sync::Arc;

pub use accounts::{
    AccountChange, AccountQuery, AccountRow, AccountStore, AccountWindow, Approver, AttemptRow, Consumed, KeyPurpose, KeyRow, Lease, NewAttempt, NewConnection, NewKey, TokenRow,
    USES_AT_BIRTH, mailbox_of,
};
pub use answers::{AnswerRow, AnswerStore, Candidate, Looked, LookedAt, NewAnswer, SendAnswers, SentMail, answer_place, answer_row};
pub use audit::{AuditChain, AuditEnd, AuditRow, AuditSigner, AuditStore, Entry, STORE_CHAIN, beginning};
pub use backfills::{BackfillEnd, BackfillPhase, BackfillRow, BackfillStep, BackfillStore, BackfillWindow, BackfillWish, LONGEST_BACKFILL_PAUSE_MS, NewBackfill, OPEN_LOWER, OPEN_UPPER};
pub use cache::{CACHE_STALE_MS, CachePlace, CacheStore, CacheSweep, CachedPiece, CachedRow, NewPiece};
pub use calendar::{CalendarStore, CalendarViewRow, EventBatch, EventRow, EventWindow, KnownEvent, NewEvent, SealedEvent, calendar_cursor_place, event_place};
pub use chats::ChatStore;
pub use contacts::{ContactBatch, ContactFolderRow, ContactRow, ContactStore, ContactWindow, KnownContact, NewContact, contact_cursor_place, contact_place};
pub use copies::{Copied, CopyStore, Parked};
pub use edits::{EditBatch, EditEnd, EditRow, EditStore, EditedProperty, EndedEdit, MessageEdit, edit_place, edit_row};
pub use endpoints::{EndpointRow, EndpointStore, EndpointWindow, MOST_ENDPOINTS, PartOf, RefusedPart, Retirement, WHOLE_ID, WholeRow, endpoint_place};
pub use health::{HealthError, HealthRow, HealthStore};
pub use keyring::{HANDOVER_MS, KeyHandover, KeyFate, KeyStore, NewRoot, ROOT_KDF, ROOT_WRAPPED, Retired, RingKey, SealedValue, RowRef, is_outdated, outdated_key, moved_on, outdated, unready, unready_ring};
pub use last_senders::{LastSenderRow, LastSenderStore};
pub use lease::{LEASE_MS, LeaseRequest, hold, hold_backfill, hold_claim, hold_poll, leased, taken_over};
pub use links::{LinkStore, LinkedMessage, LinkedRow, NewLink, link_place};
pub use mail::{
    Applied, AttachmentList, ChangeRow, Cursor, CursorEvent, FilesKnown, FolderLink, FolderNews, FolderRow, Known, MailPage, MailStore, Mailbox, MessageRow, MessageWindow, NewMessage, PageBatch, Quarantined,
    QuarantineRow, Question, Refusal, SearchText, Settled, SyncedFolder, Unlisted, pause_ms,
};
pub use claims::{Awaited, ClaimRequest, Claimed, Claims, Taken, Due, DueRequest, NextDue, Wanted, of_route};
pub use outbox::{Content, Enqueued, Hold, IsUsable, ItemRow, ItemState, NewItem, NewPart, OutboxStore, PAST_DEADLINE, Part, Reopened, SEND_ID, Step, Stepped, Tally, Tidied, is_alone, sealed_row};
pub use paces::{PACE_DAY_MS, Pace, PaceRequest, PaceStore};
pub use polls::{LONGEST_POLL_PAUSE_MS, TOLD_PAUSE_MS, Poll, PollRequest, PollState, PollStore, poll_lease};
pub use rules::{RuleRow, RuleStore, rule_place};
pub use purge::{PurgeRow, PurgeStore, Purged};
pub use bots::{
    ActivityBatch, ActivityRow, BotPersonBy, BotPersonRow, BotStore, BotTokenRow, BotWindow, ConversationRow, NewActivity, activity_place, bot_person_place, bot_token_place,
    conversation_place,
};
pub use addresses::{AddressStore, MessageAddresses};
pub use threads::{ThreadPage, ThreadPlace, ThreadRow, ThreadStore, ThreadWindow};
pub use throttles::ThrottleStore;
pub use trim::{Kept, TrimStore};
pub use teams_messages::{ChatPlaceRow, KnownTeamsMessage, NewTeamsMessage, TeamsMessageBatch, TeamsMessageRow, TeamsMessageStore, TeamsMessageWindow, teams_message_place, teams_message_row};
pub use scope::Scope;
pub use signatures::{SignatureRow, SignatureStore};
pub use workflows::{WorkflowRow, WorkflowStore};
pub use subscriptions::{CertificateRow, KnownSubscription, Lifecycle, NewsRow, SubscriptionRow, SubscriptionState, SubscriptionStore, certificate_place};
pub use staging::{STAGED_ID, Staged, StagedRow, StagingStore};
pub use sqlite::SqliteStore;
#[cfg(all(test, unix))]
pub use sqlite::tests::{ONE_CHAIN, commits, tamper};
#[cfg(test)]
pub use suite::{OutboxParts, Shorthand, account as suite_account};

/// A fact of the store in this folder, without opening it and without changing anything. None: there is no store, or no such fact.
pub fn peek(data_dir: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    SqliteStore::peek(data_dir, name)
}

/// What a backend promises; SQLite is one, PostgreSQL can be another.
pub trait Store:
    AccountStore + AddressStore + BackfillStore + BotStore + CacheStore + CalendarStore + AnswerStore + ChatStore + ContactStore + CopyStore + EditStore + EndpointStore + KeyStore + OutboxStore + LinkStore + MailStore + HealthStore + AuditStore + LastSenderStore + PaceStore + PollStore + PurgeStore + RuleStore + TeamsMessageStore + SignatureStore + StagingStore + ThreadStore + SubscriptionStore + ThrottleStore + TrimStore + WorkflowStore + Send + Sync
{
    /// Ends all connections; later calls fail with `Closed`.
    fn close(&self);
    /// From now on every step that is worth a record writes it in its own transaction, and fails if it cannot. The first one stays.
    fn set_audit_signer(&self, audit_signer: Arc<dyn AuditSigner>);
    /// No step of it is under way in this process.
    #[cfg(test)]
    fn is_idle(&self) -> bool;
}
