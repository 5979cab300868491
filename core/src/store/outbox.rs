//! What leaves: one row per send, from the moment it was accepted.

use crate::error::Result;
use crate::model::{OutboxFilter, SendRoute, SendState};
use crate::seal::Sealed;
use super::accounts::AccountRow;
use super::endpoints::{PartOf, Retirement, WholeRow};
use super::last_senders::LastSenderRow;
use super::claims::{ClaimRequest, Claims, DueRequest, NextDue, Taken};
use async_trait::async_trait;

/// Where a send stands. `Dispatching` is durable before the request that may have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemState {
    Queued,
    /// A worker holds it; nothing that others could see has happened, but for a draft in the mailbox if what it is found by is stored.
    Claimed,
    /// What the message is found by in the mailbox was stored anew; it may lie there as a draft.
    Prepared,
    /// The request is on its way, or its answer was lost.
    Dispatching,
    /// Waits for a time; the service cannot have accepted it.
    RetryWait,
    /// The mailbox is being asked what became of it.
    Reconciling,
    Sent,
    Unknown,
    Failed,
    Cancelled,
}

impl ItemState {
    /// Work is left to do.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Sent | Self::Unknown | Self::Failed | Self::Cancelled)
    }

    /// What a receipt calls it.
    pub fn shown(self) -> SendState {
        match self {
            Self::Queued | Self::RetryWait => SendState::Queued,
            Self::Claimed | Self::Prepared | Self::Dispatching | Self::Reconciling => SendState::Sending,
            Self::Sent => SendState::Sent,
            Self::Unknown => SendState::Unknown,
            Self::Failed => SendState::Failed,
            Self::Cancelled => SendState::Cancelled,
        }
    }
}

/// What the ids of sends begin with. Values are sealed for the rest of the id.
pub const SEND_ID: &str = "snd_";

#[derive(Debug, Clone)]
pub struct NewItem {
    /// [`SEND_ID`] and 128 random bits.
    pub id: String,
    pub account_id: String,
    pub route: SendRoute,
    /// Sends of one lane leave in order. One that ends in the id is of this send alone ([`is_alone`]).
    pub ordering_key: String,
    pub key: Option<String>,
    /// Keyed hash of the content, to tell the same submission from another one with the same key, and the form it is made over.
    pub content_hash: Vec<u8>,
    pub hash_version: i64,
    /// Not sent after this time.
    pub deadline: Option<i64>,
    /// Not sent before.
    pub send_at: Option<i64>,
    pub created_at: i64,
    /// Nobody waits for it.
    pub is_bulk: bool,
    /// What is known of it before anything is made for it, sealed for row version 1.
    pub progress: Option<Sealed>,
    /// Who its owner writes as in its context. None: it names no context.
    pub last_sender: Option<LastSenderRow>,
    pub part: Option<NewPart>,
}

/// That it is a part of a whole.
#[derive(Debug, Clone)]
pub struct NewPart {
    pub of: PartOf,
    /// Of the first part: the whole, which is stored with it.
    pub whole: Option<WholeRow>,
}

/// A draft under the content key.
#[derive(Debug, Clone)]
pub struct Content {
    /// The draft. Row version: `version`.
    pub payload: Sealed,
    /// 1: with its attachments. 2: without; they are in `parts`. 3: the same, packed.
    pub version: i64,
    /// Attachments in pieces, in order of file and part.
    pub parts: Vec<Part>,
    /// Ids of the staged contents that it names. Not filled in where it is read: the draft names them.
    pub staged: Vec<String>,
}

/// A piece of an attachment, sealed for the row `<item>/<file>/<part>`, row version 1.
#[derive(Debug, Clone)]
pub struct Part {
    pub file: u32,
    pub part: u32,
    pub sealed: Sealed,
}

/// A send without its content, which only its delivery reads.
#[derive(Debug, Clone)]
pub struct ItemRow {
    pub id: String,
    pub account_id: String,
    pub route: SendRoute,
    pub key: Option<String>,
    pub state: ItemState,
    /// Those that may have had an effect or ended with their worker. Counted before each, taken back if it had none.
    pub attempts: u32,
    /// Claims in a row that no worker gave back.
    pub crashes: u32,
    /// Times it was given back to wait.
    pub waits: u32,
    /// What is known so far (draft id, Message-ID, chat id, ids of the sent copy), under the content key. Row version `progress_version`.
    pub progress: Option<Sealed>,
    pub progress_version: i64,
    pub reason: Option<String>,
    pub created_at: i64,
    pub sent_at: Option<i64>,
    pub settled_at: Option<i64>,
    /// What was on its way when a claim was lost may arrive until then.
    pub tidy_until: Option<i64>,
    pub next_at: Option<i64>,
    pub deadline: Option<i64>,
    pub fence: i64,
    pub hold: Hold,
    /// Nobody waits for it.
    pub is_bulk: bool,
    /// Attachments are stored with it or staged, which its delivery holds in memory, all or by pieces.
    pub has_files: bool,
    pub part: Option<PartOf>,
}

/// What the copying of a store means for a send that was open then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    None,
    /// It waits for the host, and nothing waits for it.
    Parked,
    /// The host let it go. What is asked of the mailbox is asked before anything is repeated.
    Released,
}

impl ItemRow {
    /// As it is stored first.
    pub fn new(item: &NewItem, has_files: bool) -> Self {
        Self {
            id: item.id.clone(),
            account_id: item.account_id.clone(),
            route: item.route,
            key: item.key.clone(),
            state: ItemState::Queued,
            attempts: 0,
            crashes: 0,
            waits: 0,
            progress: item.progress.clone(),
            progress_version: i64::from(item.progress.is_some()),
            reason: None,
            created_at: item.created_at,
            sent_at: None,
            settled_at: None,
            tidy_until: None,
            next_at: item.send_at,
            deadline: item.deadline,
            fence: 0,
            hold: Hold::None,
            is_bulk: item.is_bulk,
            has_files,
            part: item.part.as_ref().map(|part| part.of.clone()),
        }
    }

    /// As it is after this step of its worker.
    pub fn after(&self, step: &Step, now: i64) -> Self {
        let is_given_back = step.claim_until.is_none();
        let progress = step.progress.clone();
        Self {
            state: step.state,
            attempts: self.attempts.saturating_sub(u32::from(is_given_back && step.tally == Tally::None)),
            crashes: if is_given_back && step.tally != Tally::Crash { 0 } else { self.crashes },
            waits: self.waits + u32::from(is_given_back && step.state.is_open()),
            progress_version: self.progress_version + i64::from(progress.is_some()),
            progress: progress.or_else(|| self.progress.clone()),
            reason: step.reason.clone(),
            sent_at: step.sent_at.or(self.sent_at),
            settled_at: (!step.state.is_open()).then_some(now),
            next_at: step.next_at,
            ..self.clone()
        }
    }

    /// The row its values are sealed for.
    pub fn sealed_row(&self) -> &str {
        sealed_row(&self.id)
    }
}

/// Whether nothing waits for the send with this id, or it for anything: an ordering key that ends in an id is that send's alone.
pub fn is_alone(ordering_key: &str, id: &str) -> bool {
    ordering_key.ends_with(id)
}

/// The row that values of the send with this id are sealed for.
pub fn sealed_row(id: &str) -> &str {
    id.strip_prefix(SEND_ID).unwrap_or(id)
}

#[derive(Debug)]
pub enum Enqueued {
    New(ItemRow),
    /// The key was used before. Whether for the same content is for the caller to say: the hash may be of an older form.
    Known { row: ItemRow, content_hash: Vec<u8>, hash_version: i64 },
}

/// Why sends end that waited for too long.
pub const PAST_DEADLINE: &str = "Its deadline passed before it could be sent; it was not sent.";

/// What a claim that is given back counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally {
    /// It may have had an effect.
    Attempt,
    /// It had none: the network, a limit, a missing sign-in, something wrong with this process.
    None,
    /// A defect stopped it: as if the worker had crashed.
    Crash,
}

/// One durable transition of a claimed item.
#[derive(Debug, Clone)]
pub struct Step {
    pub state: ItemState,
    /// Sealed for row version `progress_version + 1`, which the row then has. None: as it was.
    pub progress: Option<Sealed>,
    pub reason: Option<String>,
    pub next_at: Option<i64>,
    pub sent_at: Option<i64>,
    /// Until when the claim is kept; none: it is given back.
    pub claim_until: Option<i64>,
    /// Looked at when the claim is given back.
    pub tally: Tally,
    /// When to look for drafts that are left in the mailbox.
    pub tidy_at: Option<i64>,
    /// Write a change-feed row.
    pub announce: bool,
    /// When it is settled, the next send of its ordering key is claimed in the same step, until then, if it is due and nobody's.
    pub claim_next_until: Option<i64>,
    /// What the host's key of this send is for from now on.
    pub links: Vec<super::NewLink>,
    /// What the mail is known by in the mailbox, should it be answered.
    pub sent_mail: Option<super::SentMail>,
    /// When it failed for good: what becomes of the endpoint it is for, if it is for one. `reason` is why.
    pub retires: Option<Retirement>,
    /// What the bot said with it.
    pub said: Option<super::NewActivity>,
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub struct Stepped {
    /// The one that was claimed after it, as by [`OutboxStore::claims`].
    pub next: Option<Box<Taken>>,
}

/// A settled item that is to be sent again.
#[derive(Debug)]
pub struct Reopened<'a> {
    /// As it was seen; another one by now changes nothing.
    pub seen: &'a ItemRow,
    /// `Queued`, or `Reconciling` when the mailbox is to be asked first.
    pub state: ItemState,
    /// Sealed for row version `progress_version + 1`.
    pub progress: Sealed,
}

/// What came of looking for the drafts of a settled item.
#[derive(Debug, Clone)]
pub enum Tidied {
    /// They were looked for under this claim, which ends. `again_at`: they are looked for again then. `progress` as in [`Step`].
    Ended { fence: i64, progress: Option<Sealed>, again_at: Option<i64> },
    /// A worker that lost its claim may leave something at the service until then: if the item is settled, its drafts are looked for as they would be, and at
    /// that time. Who looks for them now has not seen it, and loses the claim. What is open is looked for by whoever settles it.
    MayFollow { until: i64 },
}

/// Whether an account may send by a route, as it is stored. A workflow takes posts as long as it is there.
pub type IsUsable = fn(&AccountRow, SendRoute) -> bool;

#[async_trait]
pub trait OutboxStore {
    /// All of them in one step, or none: the first that cannot be taken is the error, which names its number if there are several. `NotConnected`: its
    /// account is not connected, or not usable, at that moment. `Conflict`: its key was used for other content, by a hash of the same form.
    async fn enqueue(&self, sends: Vec<(NewItem, Content)>, is_usable: IsUsable) -> Result<Vec<Enqueued>>;
    /// What was handed in before with the keys of these.
    async fn submitted(&self, items: &[NewItem]) -> Result<Vec<Option<Enqueued>>>;
    /// Settles what is past its deadline and takes work in hand, as [`ClaimRequest`] says. Each claim counts attempt and crash and moves the fence. The state
    /// is left as it was, so that the worker sees where a crashed one stopped; `Queued` and `RetryWait` become `Claimed`.
    async fn claims(&self, request: ClaimRequest) -> Result<Claims>;
    /// None: the claim was lost, or the item was cancelled; stop. The content goes with `Sent` and `Cancelled`. A claim that is
    /// kept and holds for most of that time anyway is not renewed; `next_at` stays then, which means nothing of what is in hand.
    async fn step(&self, id: &str, fence: i64, step: &Step, now: i64) -> Result<Option<Stepped>>;
    /// Of an open item, or of one whose drafts are looked for. Waits for no other work. False: the claim was lost.
    async fn renew_claim(&self, id: &str, fence: i64, now: i64, lease_ms: i64) -> Result<bool>;
    /// Takes back what is provably unsent. False: it is not, or not any more.
    async fn cancel(&self, id: &str, reason: &str, now: i64) -> Result<bool>;
    /// Replaces what an open item says, its order, time and deadline, while nobody has it in hand: it is `Queued` again. Id, account, route, key and
    /// place in the outbox stay. `item.progress` is sealed for the row version that follows. False: it is not as it was seen any more.
    async fn edit(&self, seen: &ItemRow, item: NewItem, content: Content, now: i64) -> Result<bool>;
    /// Opens a `Failed` or `Unknown` item again, without its deadline. False: it is not as it was seen, or its drafts are being looked for. Moves the fence, so
    /// that who held it before changes nothing any more. Fails with `NotConnected` as `enqueue` does.
    async fn reopen(&self, item: &Reopened<'_>, now: i64) -> Result<bool>;
    /// False: the claim was lost, or the item is open.
    async fn tidied(&self, id: &str, tidied: &Tidied) -> Result<bool>;
    /// With an owner, only if it is of an account of theirs.
    async fn item(&self, id: &str, owner: Option<&str>) -> Result<Option<ItemRow>>;
    /// The newest first.
    async fn items(&self, filter: &OutboxFilter) -> Result<Vec<ItemRow>>;
    /// The row as it is now, with its content. None when that is gone: the send is settled for good.
    async fn content(&self, id: &str) -> Result<Option<(ItemRow, Content)>>;
    /// When [`claims`](Self::claims) will have something to do.
    async fn next_due(&self, request: DueRequest) -> Result<NextDue>;
}
