//! What the delivery loop and the channels share: the claimed item, and its durable steps.

use super::channel::{Channel, Ids, Progress};
use super::channels::Memory;
use super::own_words::OwnActivity;
use super::payload::{content_size, open_content, work_of};
use crate::bot::Connector;
use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::failpoint::failpoint;
use crate::flows::Flows;
use crate::graph::{Caller, Graph};
use crate::hex::hex;
use crate::pipeline::Priority;
use crate::runtime::Stop;
use crate::seal::{AadContext, Sealed};
use crate::store::{Content, Hold, ItemRow, ItemState, LEASE_MS, NewItem, NewLink, Retirement, SentMail, link_place, Pace, Step, Store, Taken, Tally, sealed_row};
use crate::vault::{DataKey, Hashes, Vault, host_link, message_id_hash};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Short waits are sat out in place; longer ones become `RetryWait`, which survives the process.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// By how much the clock of this machine may go before Microsoft's: an answer that comes at once is one.
const CLOCKS_MS: i64 = 300_000;

/// What a channel works with.
pub struct Tools {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub flows: Flows,
    /// None: there is no bot here.
    pub bots: Option<Connector>,
    pub clock: Arc<dyn Clock>,
    pub memory: Memory,
    /// Of every mailbox.
    pub pace: Pace,
    pub event_bus: EventBus,
    /// When the engine was opened.
    pub opened_at: i64,
}

/// How a claim is given back.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    pub reason: Option<String>,
    pub next_at: Option<i64>,
    pub tidy_at: Option<i64>,
    /// What becomes of the endpoint it was for.
    pub retires: Option<Retirement>,
}

/// A send as it was given back, and what was claimed in its place.
pub type Left = (ItemRow, Option<Box<Taken>>);

/// A claimed item in hand.
pub struct Job<C: Channel> {
    pub tools: Arc<Tools>,
    pub item: ItemRow,
    pub draft: C::Draft,
    pub progress: Progress<C::Progress>,
    /// What this claim counts as when it is given back.
    pub tally: Tally,
    /// What comes after it may be taken in hand when it is settled.
    pub may_claim_next: bool,
    /// What is stored of it, should it be answered.
    known_by: Option<SentMail>,
    /// The content key of its account. A write asks whether it is still the one.
    key: DataKey,
    stop: Stop,
}

impl<C: Channel> Job<C> {
    /// Opens the sealed draft and progress. `content`: as it came with the claim; None: it is read.
    pub async fn open(tools: Arc<Tools>, item: ItemRow, content: Option<Content>, stop: Stop) -> Result<Self> {
        let mut claimed = content.zip(tools.vault.content_in_memory(&item.account_id));
        let read = async || -> Result<(ItemRow, Content, DataKey)> {
            let (now, content) = tools.store.content(&item.id).await?.ok_or_else(|| Error::new(ErrorKind::Corrupt, "The content of a stored send is missing."))?;
            Ok((now, content, tools.vault.content(&item.account_id).await?))
        };
        let opened = tools.vault.with_current_keys(|| {
            let (claimed, item, read) = (claimed.take(), &item, &read);
            async move {
                // Whether the key is still the one is asked by the write that comes before any request.
                let (now, content, key) = match claimed {
                    Some((content, key)) => (item.clone(), content, key),
                    None => read().await?,
                };
                let progress = open_progress(&key, &now)?;
                let (with, account_id, id) = (key.clone(), now.account_id.clone(), now.id.clone());
                let draft = work_of(content_size(&content), move || open_content(&with, &account_id, &id, &content)).await?;
                let draft = C::of(draft).ok_or_else(|| Error::internal("The outbox holds a draft of another route than its own."))?;
                Ok((now, draft, progress, key))
            }
        });
        let (now, draft, progress, key) = opened.await?;
        // The claim stays, whatever is there now.
        let item = ItemRow { progress: now.progress, progress_version: now.progress_version, ..item };
        Ok(Self { tools, item, draft, progress, tally: Tally::None, may_claim_next: false, known_by: None, key, stop })
    }

    pub fn caller(&self) -> Caller {
        Caller::new(&self.item.account_id, if self.item.is_bulk { Priority::Send } else { Priority::Interactive }, PATIENCE)
    }

    /// It was queued before this engine was opened, or let go after the store was copied: somebody may have sent it of whom this store knows nothing.
    pub fn may_be_sent(&self) -> bool {
        self.item.hold == Hold::Released || self.item.created_at < self.tools.opened_at
    }

    /// Nobody had it in hand before: each claim moves the fence.
    pub fn is_first_hand(&self) -> bool {
        self.item.fence == 1
    }

    /// What is known of it that a receipt shows.
    pub fn ids(&self) -> Ids {
        Ids { link: self.progress.link.clone(), ..C::ids(self.progress.own.clone()) }
    }

    pub fn now(&self) -> i64 {
        to_ms(self.tools.clock.now())
    }

    pub fn is_overdue(&self) -> bool {
        self.item.deadline.is_some_and(|at| at <= self.now())
    }

    /// The engine stops: what can be taken up later is.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Waits, unless the engine stops. False: it does.
    pub async fn pause(&self, how_long: Duration) -> bool {
        tokio::select! { () = self.tools.clock.pause(how_long) => true, () = self.stop.wait() => false }
    }

    /// Stores where the send stands, with what is known, and keeps the claim. False: the claim is lost.
    pub async fn advance(&mut self, state: ItemState) -> Result<bool> {
        Ok(self.write(state, Leaving::default(), false).await?.is_some())
    }

    /// Stores where the send stands and gives the claim back. None: the claim was lost.
    pub async fn leave(&mut self, state: ItemState, leaving: Leaving) -> Result<Option<Left>> {
        self.write(state, leaving, true).await
    }

    /// What the host's key is for from this state on: the message once it may be sent, should nobody hear of its end, and its conversation once it was.
    async fn link(&self, state: ItemState, now: i64) -> Result<Option<Link>> {
        let is_sent = state == ItemState::Sent;
        if self.progress.link.is_none() || !(is_sent || state == ItemState::Dispatching) {
            return Ok(None);
        }
        let Ids { link: Some(text), graph_id: Some(graph_id), conversation_id, .. } = self.ids() else { return Ok(None) };
        let account_id = self.item.account_id.clone();
        let hash = host_link(&self.hashes().await?, &text)?;
        Ok(Some(Link { text, account_id, graph_id, conversation_id, is_sent, hash, since: now.saturating_sub(CLOCKS_MS) }))
    }

    /// What its answers find it by, once it may be sent.
    async fn sent_mail(&self, state: ItemState) -> Result<Option<SentMail>> {
        if !matches!(state, ItemState::Dispatching | ItemState::Sent) {
            return Ok(None);
        }
        let Ids { internet_message_id: Some(message_id), graph_id: Some(graph_id), conversation_id, .. } = C::ids(self.progress.own.clone()) else { return Ok(None) };
        let sent = SentMail { account_id: self.item.account_id.clone(), graph_id, conversation_id, hash: message_id_hash(&self.hashes().await?, &message_id)? };
        Ok(Some(sent).filter(|sent| self.known_by.as_ref() != Some(sent)))
    }

    async fn hashes(&self) -> Result<Hashes> {
        match self.tools.vault.hashes_in_memory(&self.item.account_id) {
            Some(hashes) => Ok(hashes),
            None => self.tools.vault.hashes(&self.item.account_id).await,
        }
    }

    async fn write(&mut self, state: ItemState, leaving: Leaving, release: bool) -> Result<Option<Left>> {
        failpoint!("outbox.storing", state);
        let (now, tally) = (self.now(), self.tally);
        let (tools, item, progress) = (&*self.tools, &self.item, &self.progress);
        let mut held = Some(self.key.clone());
        let sent_at = (state == ItemState::Sent).then_some(now);
        let claim_until = (!release).then(|| now.saturating_add(LEASE_MS));
        let claim_next_until = (self.may_claim_next && !state.is_open() && !self.stop.is_set()).then(|| now.saturating_add(LEASE_MS));
        let leaving = &leaving;
        let link = &self.link(state, now).await?;
        let sent_mail = &self.sent_mail(state).await?;
        let said = &if state == ItemState::Sent { C::said(&self.draft, &self.progress.own).map(|said| OwnActivity::new(tools, said)).transpose()? } else { None };
        let written = tools.vault.with_current_keys(|| {
            let held = held.take();
            async move {
                // The write refuses what is sealed with a key that was replaced or destroyed; then the keys are looked at anew.
                let key = match held {
                    Some(key) => key,
                    None => tools.vault.content(&item.account_id).await?,
                };
                let sealed = seal_progress(&key, item, progress)?;
                let Leaving { reason, next_at, tidy_at, retires } = leaving.clone();
                let links = link.as_ref().map(|link| link.sealed(&key)).transpose()?.into_iter().collect();
                let said = said.as_ref().map(|said| said.sealed(&key, item, now)).transpose()?;
                let step = Step { state, progress: Some(sealed), reason, next_at, sent_at, claim_until, tally, tidy_at, announce: release, claim_next_until, links, sent_mail: sent_mail.clone(), retires, said };
                let stepped = tools.store.step(&item.id, item.fence, &step, now).await?;
                Ok(stepped.map(|stepped| (item.after(&step, now), stepped.next)))
            }
        });
        let written = written.await?;
        failpoint!("outbox.stored", state);
        if let Some((row, _)) = &written {
            self.item.state = row.state;
            self.item.progress_version = row.progress_version;
            self.known_by = sent_mail.clone().or(self.known_by.take());
        }
        Ok(written)
    }
}

/// The host's key of a send, not sealed yet.
struct Link {
    text: String,
    account_id: String,
    graph_id: String,
    conversation_id: Option<String>,
    is_sent: bool,
    hash: [u8; 32],
    since: i64,
}

impl Link {
    fn sealed(&self, key: &DataKey) -> Result<NewLink> {
        Ok(NewLink {
            account_id: self.account_id.clone(),
            graph_id: self.graph_id.clone(),
            is_sent: self.is_sent,
            conversation_id: self.conversation_id.clone(),
            hash: self.hash,
            since: self.since,
            sealed: key.seal(link_place(&self.account_id, &hex(self.hash)), self.text.as_bytes())?,
        })
    }
}

fn progress_place<'a>(account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "outbox", column: "progress", account_id, row, version }
}

/// For the row version that follows.
pub fn seal_progress<P: Serialize>(key: &DataKey, item: &ItemRow, progress: &Progress<P>) -> Result<Sealed> {
    key.seal(progress_place(&item.account_id, item.sealed_row(), item.progress_version + 1), &progress_text(progress)?)
}

/// For a new row.
pub fn seal_first_progress(key: &DataKey, item: &NewItem, text: &[u8]) -> Result<Sealed> {
    key.seal(progress_place(&item.account_id, sealed_row(&item.id), 1), text)
}

pub fn progress_text<P: Serialize>(progress: &Progress<P>) -> Result<Vec<u8>> {
    serde_json::to_vec(progress).map_err(|e| Error::internal("The progress of a send cannot be written.").with_source(e))
}

/// What is known of a send.
pub async fn read_progress<P: DeserializeOwned + Default>(vault: &Vault, item: &ItemRow) -> Result<Progress<P>> {
    if item.progress.is_none() {
        return Ok(Progress::default());
    }
    open_progress(&vault.content(&item.account_id).await?, item)
}

pub fn open_progress<P: DeserializeOwned + Default>(key: &DataKey, item: &ItemRow) -> Result<Progress<P>> {
    let Some(sealed) = &item.progress else { return Ok(Progress::default()) };
    let plain = key.open(progress_place(&item.account_id, item.sealed_row(), item.progress_version), sealed)?;
    serde_json::from_slice(&plain).map_err(|e| Error::new(ErrorKind::Corrupt, "The stored progress of a send cannot be read.").with_source(e))
}
