//! What became of an attempt, made durable and told.

use super::channel::{Channel, Outcome};
use super::deliver::{Next, Outbox};
use super::item::{MOST_CRASHES, Start, Verdict, backoff_ms, start, verdict};
use super::job::{Job, Leaving, Left};
use super::receipt::receipt_with;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::endpoints::place_hash;
use crate::model::{AccountState, EndpointKind, Event, Receipt, SendRoute};
use crate::random;
use crate::store::{ItemRow, ItemState, Retirement, Step, Tally};

impl Outbox {
    /// Answers what is to be delivered next instead.
    pub(super) async fn settle<C: Channel>(&self, job: &mut Job<C>, outcome: Outcome) -> Result<Option<Next>> {
        let told = match &outcome {
            Outcome::Later(error) | Outcome::Failed(error) => Some(error.clone()),
            Outcome::Sent | Outcome::Watch(..) | Outcome::Unknown(_) | Outcome::Lost => None,
        };
        let outcome = match outcome {
            // What it was refused for may be the account's sign-in rather than this message.
            Outcome::Failed(error) if error.kind() != ErrorKind::Cancelled && self.waits_for_person(&job.item.account_id).await? => Outcome::Later(error),
            other => other,
        };
        let because = |reason: String| Leaving { reason: Some(reason), ..Leaving::default() };
        let written = match outcome {
            Outcome::Lost => {
                self.tidy_again(job).await?;
                None
            }
            Outcome::Sent => {
                let tidy_at = tidy_at(job, ItemState::Sent);
                job.leave(ItemState::Sent, Leaving { tidy_at, ..Leaving::default() }).await?
            }
            Outcome::Failed(error) => {
                let tidy_at = tidy_at(job, ItemState::Failed);
                job.leave(ItemState::Failed, Leaving { tidy_at, retires: self.retires(job, &error)?, ..because(error.reason().to_owned()) }).await?
            }
            Outcome::Unknown(reason) => job.leave(ItemState::Unknown, because(reason)).await?,
            Outcome::Watch(wait, reason) => {
                let next_at = Some(job.now().saturating_add(wait));
                job.leave(ItemState::Reconciling, Leaving { next_at, ..because(reason.to_owned()) }).await?
            }
            Outcome::Later(error) => self.put_off(job, &error).await?,
        };
        let Some((row, next)) = written else { return Ok(None) };
        self.tell(&row.id, Some(&job.item), row.state, told.as_ref());
        self.announce(receipt_with(&row, job.ids()));
        Ok(next)
    }

    async fn put_off<C: Channel>(&self, job: &mut Job<C>, error: &Error) -> Result<Option<Left>> {
        let account = self.account_state(&job.item.account_id).await?;
        // Whatever went wrong since: a request in doubt stays one.
        let reconciling = job.item.state == ItemState::Reconciling || job.progress.doubt_since.is_some();
        if account == Some(AccountState::Disconnected) && !reconciling {
            // The disconnect cancelled what was waiting; this one was under way then, and has turned out not to be sent.
            return job.leave(ItemState::Cancelled, Leaving { reason: Some(C::SENDER.gone().to_owned()), ..Leaving::default() }).await;
        }
        // An account that waits for its person is not claimed from, so its sends are due as soon as it is back. Microsoft may refuse a sign-in that still
        // counts as connected here: that one waits like any other.
        let waits_for_person = account != Some(AccountState::Connected);
        // Who was not even asked is no reason to wait longer each time.
        let waits = if error.awaits_turn() { 0 } else { job.item.waits };
        let wait = if waits_for_person { 0 } else { backoff_ms(waits, error.retry_after_ms(), random::jitter()) };
        let state = if reconciling { ItemState::Reconciling } else { ItemState::RetryWait };
        let next_at = Some(job.now().saturating_add(wait));
        job.leave(state, Leaving { reason: Some(error.reason().to_owned()), next_at, ..Leaving::default() }).await
    }

    /// An item that cannot even be opened. If something is wrong with it, it is settled, so that it does not block its lane for ever. If something is wrong
    /// with this process, it is given back as it was, and this process leaves the account alone for a while.
    pub(super) async fn park(&self, item: &ItemRow, error: &Error) {
        let crashed = item.crashes > MOST_CRASHES;
        let (state, reason, next_at, tally) = match verdict(error) {
            Verdict::Refused if start(item.state) == Some(Start::Reconcile) => {
                (ItemState::Unknown, Some(format!("It may have been sent, and what is stored of it cannot be read: {}", error.reason())), None, Tally::Attempt)
            }
            Verdict::Refused => (ItemState::Failed, Some(error.reason().to_owned()), None, Tally::Attempt),
            Verdict::Defect if crashed => {
                let (state, reason) = given_up(item.state);
                (state, Some(reason), None, Tally::Crash)
            }
            other => {
                let state = if start(item.state) == Some(Start::Prepare) { ItemState::RetryWait } else { item.state };
                (state, item.reason.clone(), item.next_at, if other == Verdict::Defect { Tally::Crash } else { Tally::None })
            }
        };
        if state.is_open() {
            self.avoid(&item.account_id);
        }
        let step = Step { state, progress: None, reason, next_at, sent_at: None, claim_until: None, tally, tidy_at: None, announce: !state.is_open(), claim_next_until: None, links: Vec::new(), sent_mail: None, retires: None, said: None };
        match self.tools.store.step(&item.id, item.fence, &step, to_ms(self.tools.clock.now())).await {
            Ok(Some(_)) if !state.is_open() => {
                self.tell(&item.id, None, state, Some(error));
                self.look_and_announce(&item.id).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(target: "tidings::outbox", send = item.id, kind = ?error.kind(), "a send could not be parked"),
        }
    }

    /// A line in the log and a count.
    pub(super) fn tell(&self, send: &str, item: Option<&ItemRow>, state: ItemState, error: Option<&Error>) {
        let (account, attempt) = (item.map(|i| i.account_id.as_str()), item.map(|i| i.attempts));
        let (kind, request_id) = (error.map(|e| tracing::field::debug(e.kind())), error.and_then(Error::request_id));
        let meters = self.tools.graph.meters();
        match state {
            ItemState::Sent => meters.sends_sent.up(),
            ItemState::Failed => meters.sends_failed.up(),
            ItemState::Unknown => meters.sends_unknown.up(),
            _ => {}
        }
        if matches!(state, ItemState::Failed | ItemState::Unknown) {
            tracing::warn!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "settled");
        } else if state.is_open() {
            tracing::info!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "waits for another attempt");
        } else {
            tracing::info!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "settled");
        }
    }

    async fn waits_for_person(&self, account_id: &str) -> Result<bool> {
        let state = self.account_state(account_id).await?;
        Ok(!matches!(state, Some(AccountState::Connected | AccountState::Disconnected)))
    }

    async fn account_state(&self, account_id: &str) -> Result<Option<AccountState>> {
        self.tools.store.sender_state(account_id).await
    }

    /// A place that was refused for good gets nothing more; what is wrong with one message is not wrong with its place.
    fn retires<C: Channel>(&self, job: &Job<C>, error: &Error) -> Result<Option<Retirement>> {
        if job.item.part.is_none() {
            return Ok(None);
        }
        Ok(match (job.item.route, error.kind()) {
            (_, ErrorKind::AppNotInstalled | ErrorKind::BotBlocked) => {
                let known = job.ids().teams_user_id;
                let place = known.map(|id| place_hash(&self.tools.vault, &job.item.account_id, EndpointKind::TeamsUser, &id)).transpose()?;
                Some(Retirement::NotInstalled(place))
            }
            // A mail is refused for its account; that there is no such mailbox a bounce tells.
            (SendRoute::Mail | SendRoute::Reply | SendRoute::Forward, _) => None,
            (_, ErrorKind::ConversationGone | ErrorKind::NotFound) => Some(Retirement::Final),
            // A bot that an administrator disabled is so everywhere.
            (SendRoute::Chat | SendRoute::ChannelPost | SendRoute::Workflow, ErrorKind::Forbidden) => Some(Retirement::Final),
            _ => None,
        })
    }

    /// Tells those who listen and those who wait for it.
    pub(super) fn announce(&self, receipt: Receipt) {
        self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        self.waiters.tell(receipt);
        self.settled_one();
    }

    /// The same for one that is not in hand.
    pub(super) async fn look_and_announce(&self, id: &str) {
        match self.receipt(id, None).await {
            Ok(receipt) => self.announce(receipt),
            Err(_) => self.changed(id),
        }
    }
}

/// When to look for what the send has left at the service, if it may have left anything.
fn tidy_at<C: Channel>(job: &Job<C>, state: ItemState) -> Option<i64> {
    C::has_left_something(&job.progress.own, state).then(|| job.now())
}

/// What an item becomes that ended too many workers: a request that may have been made is not called failed.
pub fn given_up(state: ItemState) -> (ItemState, String) {
    if start(state) == Some(Start::Reconcile) {
        return (ItemState::Unknown, "It may have been sent; 50 attempts to find out ended with their process. Look into the mailbox before sending it again.".to_owned());
    }
    (ItemState::Failed, "It was taken in hand 50 times, and each time the process ended with it; it is parked. Send it again with retry if it still matters.".to_owned())
}
