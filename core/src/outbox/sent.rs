//! What was sent is changed or deleted, where its route allows it.

use super::channel::{by_draft, Channel};
use super::channels::{PostedByPerson, SentByBot};
use super::deliver::Outbox;
use super::job::Tools;
use super::submit::{check_owner, conflict, item, read_receipt};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{AuditKind, RouteDraft, Receipt, SendRoute};
use crate::pipeline::Priority;
use crate::store::{Entry, ItemRow, ItemState};
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message that was sent and can be changed.
pub enum Posted {
    Person(PostedByPerson),
    Bot(SentByBot),
}

impl Posted {
    /// Errors: Conflict, for what is not changed once it was sent, and for what was sent without anybody noting where.
    async fn of(tools: &Tools, item: &ItemRow) -> Result<Self> {
        match item.route {
            SendRoute::Mail | SendRoute::Reply | SendRoute::Forward => Err(conflict("A mail that was sent cannot be changed or deleted: it is with its recipients.")),
            SendRoute::Workflow => Err(conflict("A post to a workflow cannot be changed or deleted: nobody knows where it is shown.")),
            SendRoute::Bot => Ok(Self::Bot(SentByBot::of(tools, item).await?)),
            SendRoute::Chat | SendRoute::ChannelPost => PostedByPerson::of(tools, item).await?.map(Self::Person).ok_or_else(|| Error::internal("A message of Teams has no place.")),
        }
    }

    /// The permission without which Microsoft changes nothing there. None: a bot needs none.
    pub fn scope(&self) -> Option<&'static str> {
        match self {
            Self::Person(posted) => Some(posted.scope()),
            Self::Bot(_) => None,
        }
    }

    async fn change(&self, tools: &Tools, caller: &Caller, draft: &RouteDraft) -> Result<()> {
        match (self, draft) {
            (Self::Person(posted), _) => posted.change(tools, caller, draft).await,
            (Self::Bot(sent), RouteDraft::Bot { bot }) => sent.change(tools, caller, bot).await,
            (Self::Bot(_), _) => Err(Error::internal("A message of the bot is changed by another draft.")),
        }
    }

    async fn delete(&self, tools: &Tools, caller: &Caller) -> Result<()> {
        match self {
            Self::Person(posted) => posted.delete(tools, caller).await,
            Self::Bot(sent) => sent.delete(tools, caller).await,
        }
    }
}

impl Outbox {
    /// A message that was posted, for who wants to change it. Errors: NotFound; Conflict when it was not sent, or cannot be changed.
    pub async fn posted(&self, receipt_id: &str, owner: Option<&str>) -> Result<(ItemRow, Posted)> {
        check_owner(owner)?;
        let seen = item(&self.tools, receipt_id, owner).await?;
        match seen.state {
            ItemState::Sent => {}
            ItemState::Unknown => return Err(conflict("It is not known whether it was sent. Look into the chat or channel.")),
            ItemState::Failed | ItemState::Cancelled => return Err(conflict("It was not sent.")),
            _ => return Err(conflict("It was not sent yet. Change it with edit, or take it back with cancel.")),
        }
        let posted = Posted::of(&self.tools, &seen).await?;
        Ok((seen, posted))
    }

    /// The caller has checked the draft. Errors: InvalidInput for a draft of another account or kind; those of Microsoft.
    pub async fn change_sent(&self, (seen, posted): (ItemRow, Posted), draft: &RouteDraft) -> Result<Receipt> {
        let route: SendRoute = by_draft!(draft, C, _one => C::ROUTE);
        if draft.account_id() != seen.account_id || route != seen.route {
            return Err(Error::invalid("The draft is of another account or kind than the message that was sent. Pass the draft that was sent, with its new words."));
        }
        self.record(&seen, "changed after it was sent").await?;
        posted.change(&self.tools, &caller(&seen), draft).await.map_err(|e| named(e, &seen))?;
        tracing::info!(target: "tidings::outbox", send = seen.id, account = seen.account_id, "changed after it was sent");
        read_receipt(&self.tools, &seen.id, None).await
    }

    /// Before it is done: no record, no change.
    async fn record(&self, seen: &ItemRow, words: &str) -> Result<()> {
        let entry = Entry::new(AuditKind::SentChanged, words).on(&seen.account_id).about(&seen.id);
        self.tools.store.record(&[entry], to_ms(self.tools.clock.now())).await
    }

    /// Errors: those of Microsoft.
    pub async fn delete_sent(&self, (seen, posted): (ItemRow, Posted)) -> Result<Receipt> {
        self.record(&seen, "deleted after it was sent").await?;
        posted.delete(&self.tools, &caller(&seen)).await.map_err(|e| named(e, &seen))?;
        tracing::info!(target: "tidings::outbox", send = seen.id, account = seen.account_id, "deleted after it was sent");
        read_receipt(&self.tools, &seen.id, None).await
    }
}

fn caller(seen: &ItemRow) -> Caller {
    Caller::new(&seen.account_id, Priority::Interactive, PATIENCE)
}

fn named(error: Error, seen: &ItemRow) -> Error {
    match error.kind() {
        ErrorKind::NotFound => error.with_reason("The message is no longer where it was sent to.").on_account(&seen.account_id),
        _ => error.on_account(&seen.account_id),
    }
}
