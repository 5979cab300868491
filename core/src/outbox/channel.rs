//! What the delivery loop and the channels share: the claimed item, and its durable steps.

use super::payload::open_content;
use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Graph};
use crate::model::{Draft, Route};
use crate::pipeline::Priority;
use crate::runtime::{Stop, blocking};
use crate::seal::AadContext;
use crate::store::{Hold, ItemRow, ItemState, LEASE_MS, Step, Store, Tally};
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Short waits are sat out in place; longer ones become `RetryWait`, which survives the process.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What is known so far of a send; sealed with the item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Own Message-ID of a mail.
    pub internet_message_id: Option<String>,
    /// Private mark by which the mail is found if its id was never learnt.
    pub mark: Option<String>,
    /// Immutable id of the draft, and so of the sent copy; id of the chat message.
    pub graph_id: Option<String>,
    pub chat_id: Option<String>,
    /// The draft is to be read again before it is sent: a conflict, or time that went by.
    pub recheck: bool,
    /// A creation was in doubt, so there may be a second draft.
    pub stray: bool,
    /// Refusals because of a conflict.
    pub conflicts: u32,
    /// Some request may have sent it.
    pub doubted: bool,
    /// Since when the mailbox is asked whether the last request did.
    pub doubt_since: Option<i64>,
    /// Why the last request was refused, after one that may have sent it.
    pub refusal: Option<String>,
    /// The host wants it sent again although it may have been sent.
    pub insisted: bool,
}

/// How a send ended, or why it waits.
#[derive(Debug)]
pub enum Outcome {
    Sent,
    Later(Error),
    /// The mailbox is asked again after this many milliseconds.
    Watch(i64),
    Failed(Error),
    Unknown(String),
    /// The claim was lost or the item cancelled; somebody else decides.
    Lost,
}

/// What came of a preparation.
#[derive(Debug)]
pub enum Prepared {
    Ready,
    /// It turns out to have been sent.
    Sent,
    Lost,
}

/// What a channel works with.
pub struct Tools {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    pub people: super::teams::People,
    /// When the engine was opened.
    pub opened_at: i64,
}

/// How a claim is given back.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    pub reason: Option<String>,
    pub next_at: Option<i64>,
    pub tidy_at: Option<i64>,
}

/// A claimed item in hand.
pub struct Job {
    pub tools: Arc<Tools>,
    pub item: ItemRow,
    pub draft: Draft,
    pub progress: Progress,
    /// What this claim counts as when it is given back.
    pub tally: Tally,
    stop: Stop,
}

impl Job {
    /// Opens the sealed draft and progress.
    pub async fn open(tools: Arc<Tools>, mut item: ItemRow, stop: Stop) -> Result<Self> {
        blocking(move || {
            let mut is_fresh = true;
            let (draft, progress) = tools.vault.with_current_keys(|| {
                // Should its key have been replaced since it was claimed, it is read anew; the claim stays.
                if !std::mem::take(&mut is_fresh)
                    && let Some(now) = tools.store.item(&item.id)?
                {
                    (item.progress, item.progress_version) = (now.progress, now.progress_version);
                }
                let content = tools.store.content(&item.id)?.ok_or_else(|| Error::new(ErrorKind::Corrupt, "The content of a stored send is missing."))?;
                let key = tools.vault.content(&item.account_id)?;
                Ok((open_content(&key, &item.account_id, &item.id, &content)?, read_progress(&tools.vault, &item)?))
            })?;
            Ok(Self { tools, item, draft, progress, tally: Tally::None, stop })
        })
        .await
    }

    pub fn caller(&self) -> Caller {
        Caller::new(&self.item.account_id, if self.item.is_bulk { Priority::Send } else { Priority::Interactive }, PATIENCE)
    }

    /// It was queued before this engine was opened, or let go after the store was copied: somebody may have sent it of whom this store knows nothing.
    pub fn may_be_sent(&self) -> bool {
        self.item.hold == Hold::Released || self.item.created_at < self.tools.opened_at
    }

    pub fn now(&self) -> i64 {
        to_ms(self.tools.clock.now())
    }

    pub fn is_overdue(&self) -> bool {
        self.item.deadline.is_some_and(|at| at <= self.now())
    }

    /// Waits, unless the engine stops. False: it does.
    pub async fn pause(&self, how_long: Duration) -> bool {
        tokio::select! { () = self.tools.clock.pause(how_long) => true, () = self.stop.wait() => false }
    }

    /// Stores where the send stands, with what is known, and keeps the claim. False: the claim is lost.
    pub async fn advance(&mut self, state: ItemState) -> Result<bool> {
        self.write(state, Leaving::default(), false).await
    }

    /// Stores where the send stands and gives the claim back.
    pub async fn leave(&mut self, state: ItemState, leaving: Leaving) -> Result<bool> {
        self.write(state, leaving, true).await
    }

    async fn write(&mut self, state: ItemState, leaving: Leaving, release: bool) -> Result<bool> {
        let (now, tally) = (self.now(), self.tally);
        let (tools, item, progress) = (self.tools.clone(), self.item.clone(), self.progress.clone());
        let version = item.progress_version + 1;
        let written = blocking(move || {
            let sent_at = (state == ItemState::Sent).then_some(now);
            tools.vault.with_current_keys(|| {
                let sealed = seal_progress(&tools.vault, &item, &progress)?;
                let Leaving { reason, next_at, tidy_at } = leaving.clone();
                let claim_until = (!release).then(|| now.saturating_add(LEASE_MS));
                let step = Step { state, progress: Some(sealed), reason, next_at, sent_at, claim_until, tally, tidy_at, announce: release };
                tools.store.step(&item.id, item.fence, &step, now)
            })
        })
        .await?;
        if written {
            self.item.state = state;
            self.item.progress_version = version;
        }
        Ok(written)
    }
}

fn progress_place<'a>(account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "outbox", column: "progress", account_id, row, version }
}

/// For the row version that follows; blocking.
pub fn seal_progress(vault: &Vault, item: &ItemRow, progress: &Progress) -> Result<crate::seal::Sealed> {
    let text = serde_json::to_vec(progress).map_err(|e| Error::internal("The progress of a send cannot be written.").with_source(e))?;
    vault.content(&item.account_id)?.seal(progress_place(&item.account_id, item.sealed_row(), item.progress_version + 1), &text)
}

/// What is known of a send; blocking.
pub fn read_progress(vault: &Vault, item: &ItemRow) -> Result<Progress> {
    let Some(sealed) = &item.progress else { return Ok(Progress::default()) };
    let plain = vault.content(&item.account_id)?.open(progress_place(&item.account_id, item.sealed_row(), item.progress_version), sealed)?;
    serde_json::from_slice(&plain).map_err(|e| Error::new(ErrorKind::Corrupt, "The stored progress of a send cannot be read.").with_source(e))
}

/// Prepares, or looks for evidence, by route.
pub async fn prepare(job: &mut Job) -> Result<Prepared> {
    match job.item.route {
        Route::Mail => super::mail::prepare(job).await,
        Route::Chat => super::teams::prepare(job).await,
    }
}

pub async fn dispatch(job: &mut Job) -> Result<()> {
    match job.item.route {
        Route::Mail => super::mail::dispatch(job).await,
        Route::Chat => super::teams::dispatch(job).await,
    }
}
