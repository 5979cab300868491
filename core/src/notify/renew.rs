//! Makes subscriptions, renews them before they expire, and replaces those that are gone: one process at a time, and each step decided on the row as it is.
//! Source: Graph, subscription resource; create, update, reauthorize subscription; reduce missing change notifications.

use super::Notify;
use crate::clock::real_time;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, MadeSubscription, NewSubscription, RenewedSubscription};
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::store::{AccountRow, CertificateRow, LEASE_MS, LeaseRequest, SubscriptionRow, SubscriptionState, hold};
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Three days: what every copy of Microsoft's pages allows.
pub const LIFETIME_MINUTES: i64 = 4_320;
/// A day, where contents come: what Microsoft allows then.
const LIFETIME_WITH_CONTENT: i64 = 1_440;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Subscriptions tended at a time; each answer to a new one waits for a post to the host.
const AT_ONCE: usize = 4;
/// Rows read at a time, and how often in one run.
const PAGE: u32 = 100;
const MOST_PAGES: u32 = 1_000;
/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until one that was being made when its process ended is looked after.
const MAKING_MS: i64 = 2 * MINUTE_MS;
/// Between two looks at what another task or process is at.
const LOOK_SOON: Duration = Duration::from_millis(50);
/// The longest sleep between two runs: another process may have changed something.
const LONGEST_SLEEP_MS: i64 = HOUR_MS;

const UNANSWERED: &str = "Microsoft got no right answer from notification_url: the route must hand the request to receive and send its answer back within ten seconds.";
const TAKEN: &str = "Microsoft has another subscription of this application for the mailbox, and allows no second one.";
const REFUSED: &str = "Microsoft refuses the subscription: a permission is missing, or the mailbox has as many subscriptions as it may have.";

/// What became of a try.
enum Outcome {
    Active(String, i64),
    Gone,
    /// There is none.
    Failed(String, i64),
    /// Nobody knows, or it is there still.
    Unclear(Error),
}

impl Notify {
    /// Tends what is due until the engine stops.
    pub async fn keep(self: Arc<Self>, stop: Stop) {
        while self.is_on() && !stop.is_set() {
            let next = match stop.until(self.run_due()).await {
                Ok(next) => next.min(self.now().saturating_add(LONGEST_SLEEP_MS)),
                Err(error) => {
                    tracing::debug!(target: "tidings::notify", kind = ?error.kind(), "subscriptions could not be looked after now");
                    self.now().saturating_add(MINUTE_MS)
                }
            };
            let sleep = u64::try_from(next.saturating_sub(self.now())).unwrap_or(0);
            tokio::select! {
                () = self.parts.clock.deadline(Duration::from_millis(sleep)) => {},
                () = self.renewals.notified() => {},
                () = stop.wait() => {},
            }
        }
    }

    /// Does what is due, under a lease of all processes of the store. Answers when something is due next; another process may be at it now.
    pub async fn run_due(&self) -> Result<i64> {
        Ok(self.try_due().await?.unwrap_or_else(|| self.now().saturating_add(LEASE_MS)))
    }

    /// None: somebody else is at it.
    async fn try_due(&self) -> Result<Option<i64>> {
        if !self.is_on() {
            return Ok(Some(i64::MAX));
        }
        let request = LeaseRequest::new(&self.parts.store, &self.parts.clock, "subscriptions", LEASE_MS)?;
        let Some(lease) = request.take().await? else { return Ok(None) };
        let beat = hold(self.parts.store.clone(), self.parts.clock.clone(), lease.clone());
        let done = tokio::select! { done = self.tend_all() => done, () = beat => Ok(()) };
        let _ = self.parts.store.release_lease(&lease).await;
        done?;
        Ok(Some(self.parts.store.next_subscription().await?.unwrap_or(i64::MAX)))
    }

    /// Waits until what is due was done, whoever does it. Ends as well when it is stopped, or when the store cannot be read.
    pub async fn until_nothing_is_due(&self, stop: &Stop) {
        while let Ok(None) = stop.until(self.try_due()).await {
            tokio::select! { () = real_time(LOOK_SOON) => {}, () = stop.wait() => return }
        }
    }

    /// When something is due next. None: there is nothing.
    pub async fn next_due(&self) -> Result<Option<i64>> {
        if self.is_on() { self.parts.store.next_subscription().await } else { Ok(None) }
    }

    async fn tend_all(&self) -> Result<()> {
        self.parts.store.add_subscriptions(self.now()).await?;
        self.drop_certificates().await?;
        for _ in 0..MOST_PAGES {
            let due = self.parts.store.due_subscriptions(self.now(), PAGE).await?;
            if due.is_empty() {
                break;
            }
            let mut tended = futures_util::stream::iter(due.into_iter().map(|row| self.tend(row))).buffer_unordered(AT_ONCE);
            while let Some(outcome) = tended.next().await {
                outcome?;
            }
        }
        Ok(())
    }

    /// Errors are those of the store.
    async fn tend(&self, row: SubscriptionRow) -> Result<()> {
        let Some(account) = self.parts.store.account(&row.account_id).await? else { return Ok(()) };
        let caller = Caller::of(account, Priority::Sync, PATIENCE);
        let now = self.now();
        let is_there = row.state == SubscriptionState::Active && row.graph_id.is_some();
        if !row.is_wanted {
            return self.take_away(row, &caller).await;
        }
        if !(self.parts.is_usable)(&account) {
            return self.save(&SubscriptionRow { next_at: now.saturating_add(DAY_MS), generation: account.generation, ..row }).await.map(drop);
        }
        let certificate = self.wanted_certificate().await?;
        let wanted = certificate.as_ref().map(|one| one.name.clone());
        if is_there && row.expires_at > now {
            if row.certificate == wanted {
                return self.renew(row, &account, &caller).await;
            }
            // A certificate cannot be changed. What comes by the old subscription until it is gone is covered by the sync that follows the new one.
            let old = row.graph_id.clone().unwrap_or_default();
            self.make(SubscriptionRow { state: SubscriptionState::Absent, graph_id: None, ..row }, &account, &caller).await?;
            let _ = self.parts.graph.unsubscribe(&caller, &old).await; // it expires otherwise
            return Ok(());
        }
        self.make(row, &account, &caller).await
    }

    /// None: contents are not wanted.
    async fn wanted_certificate(&self) -> Result<Option<CertificateRow>> {
        if self.parts.with_content { self.current_certificate().await.map(Some) } else { Ok(None) }
    }

    async fn renew(&self, row: SubscriptionRow, account: &AccountRow, caller: &Caller) -> Result<()> {
        let id = row.graph_id.clone().unwrap_or_default();
        let is_early = row.expires_at.saturating_sub(self.now()) > self.lifetime_ms() / 2;
        if row.must_reauthorize && is_early && row.generation == account.generation {
            return match self.parts.graph.reauthorize_subscription(caller, &id).await {
                Ok(true) => {
                    tracing::debug!(target: "tidings::notify", account = account.id, "subscription reauthorised");
                    let next_at = self.half_way(row.expires_at);
                    self.save(&SubscriptionRow { must_reauthorize: false, next_at, tries: 0, problem: None, ..row }).await.map(drop)
                }
                Ok(false) => self.make(SubscriptionRow { state: SubscriptionState::Absent, graph_id: None, ..row }, account, caller).await,
                Err(error) => self.later(row, account, Outcome::Unclear(error)).await,
            };
        }
        let mut outcome = self.ask_renewal(caller, &id).await;
        if let Ok(RenewedSubscription::TooLong(minutes)) = outcome {
            self.shorten(minutes);
            outcome = self.ask_renewal(caller, &id).await;
        }
        let outcome = match outcome {
            Ok(RenewedSubscription::Until(expires_at)) => Outcome::Active(id, expires_at),
            Ok(RenewedSubscription::Gone) => Outcome::Gone,
            Ok(RenewedSubscription::TooLong(_)) => Outcome::Unclear(Error::new(ErrorKind::Upstream, "Microsoft accepts no lifetime of a subscription, not even its own.")),
            Err(error) => Outcome::Unclear(error),
        };
        match outcome {
            // What came since it ended was told to nobody.
            Outcome::Gone => self.make(SubscriptionRow { state: SubscriptionState::Absent, graph_id: None, ..row }, account, caller).await,
            Outcome::Active(_, expires_at) => {
                let next_at = self.half_way(expires_at);
                let is_again = row.generation != account.generation;
                let renewed = SubscriptionRow { expires_at, next_at, tries: 0, must_reauthorize: false, problem: None, generation: account.generation, ..row };
                if self.save(&renewed).await? {
                    self.parts.graph.meters().subscriptions_renewed.up();
                    if is_again {
                        // Nobody knows what was told while nobody was signed in.
                        self.mark(&account.id).await?;
                    }
                }
                Ok(())
            }
            outcome => self.later(row, account, outcome).await,
        }
    }

    async fn ask_renewal(&self, caller: &Caller, id: &str) -> Result<RenewedSubscription> {
        self.parts.graph.renew_subscription(caller, id, self.now().saturating_add(self.lifetime_ms())).await
    }

    /// The row is written before the request: the first notification may come before the answer, and a process may end in between.
    async fn make(&self, mut row: SubscriptionRow, account: &AccountRow, caller: &Caller) -> Result<()> {
        if row.state == SubscriptionState::Creating
            && let Some(hash) = row.client_hash
            && let Err(error) = self.drop_left(caller, hash).await
        {
            return self.later(row, account, Outcome::Unclear(error)).await;
        }
        let client_state = random::token::<32>()?;
        let now = self.now();
        let certificate = self.wanted_certificate().await?;
        row = SubscriptionRow {
            certificate: certificate.as_ref().map(|one| one.name.clone()),
            state: SubscriptionState::Creating,
            state_since: now,
            graph_id: None,
            client_hash: Some(self.client_hash(&client_state)?),
            expires_at: 0,
            next_at: now.saturating_add(MAKING_MS),
            must_reauthorize: false,
            ..row
        };
        if !self.save(&row).await? {
            return Ok(());
        }
        row.version += 1;
        let mut made = self.ask_for_one(caller, &client_state, certificate.as_ref()).await;
        if let Ok(MadeSubscription::TooLong(minutes)) = made {
            self.shorten(minutes);
            made = self.ask_for_one(caller, &client_state, certificate.as_ref()).await;
        }
        let failed = |why: &str, wait| Outcome::Failed(why.to_owned(), wait);
        let outcome = match made {
            Ok(MadeSubscription::Made { id, expires_at }) => Outcome::Active(id, expires_at),
            Ok(MadeSubscription::Unanswered) => failed(UNANSWERED, MINUTE_MS),
            Ok(MadeSubscription::Taken) => failed(TAKEN, HOUR_MS),
            Ok(MadeSubscription::Refused) => failed(REFUSED, HOUR_MS),
            Ok(MadeSubscription::TooLong(_)) => failed("Microsoft accepts no lifetime of a subscription, not even its own.", HOUR_MS),
            Err(error) => Outcome::Unclear(error),
        };
        let Outcome::Active(id, expires_at) = outcome else { return self.later(row, account, outcome).await };
        let next_at = self.half_way(expires_at);
        let active =
            SubscriptionRow { state: SubscriptionState::Active, state_since: self.now(), graph_id: Some(id.clone()), expires_at, next_at, tries: 0, problem: None, generation: account.generation, ..row };
        if !self.save(&active).await? {
            // The account has ended, or is not to be watched any more. What cannot be deleted expires.
            let _ = self.parts.graph.unsubscribe(caller, &id).await;
            return Ok(());
        }
        self.parts.graph.meters().subscriptions_made.up();
        tracing::info!(target: "tidings::notify", account = account.id, "subscription made");
        // It tells what comes from now on; what came before, a sync tells.
        self.mark(&account.id).await
    }

    async fn ask_for_one(&self, caller: &Caller, client_state: &str, certificate: Option<&CertificateRow>) -> Result<MadeSubscription> {
        let notification_url = self.parts.notification_url.as_deref().unwrap_or_default();
        let expires_at = self.now().saturating_add(self.lifetime_ms());
        self.parts.graph.subscribe(caller, NewSubscription { notification_url, client_state, expires_at, certificate: certificate.map(|one| (one.name.as_str(), one.certificate.as_str())) }).await
    }

    /// One may have been made by a request whose answer was lost.
    async fn drop_left(&self, caller: &Caller, hash: [u8; 32]) -> Result<()> {
        for one in self.parts.graph.subscriptions(caller).await? {
            let is_ours = match &one.client_state {
                Some(state) => self.client_hash(state)? == hash,
                None => false,
            };
            if is_ours {
                self.parts.graph.unsubscribe(caller, &one.id).await?;
            }
        }
        Ok(())
    }

    async fn take_away(&self, row: SubscriptionRow, caller: &Caller) -> Result<()> {
        let dropped = match (&row.graph_id, row.client_hash) {
            (Some(id), _) => self.parts.graph.unsubscribe(caller, id).await,
            (None, Some(hash)) => self.drop_left(caller, hash).await,
            (None, None) => Ok(()),
        };
        let now = self.now();
        let row = match dropped {
            Ok(()) => SubscriptionRow { state: SubscriptionState::Absent, state_since: now, graph_id: None, client_hash: None, expires_at: 0, next_at: i64::MAX, tries: 0, problem: None, ..row },
            // By then it has expired.
            Err(_) if row.expires_at <= now && row.tries > 0 => SubscriptionRow { state: SubscriptionState::Absent, graph_id: None, client_hash: None, next_at: i64::MAX, ..row },
            Err(_) => SubscriptionRow { next_at: now.saturating_add(HOUR_MS), tries: row.tries.saturating_add(1), ..row },
        };
        self.save(&row).await.map(drop)
    }

    /// Notes why it failed, and when the next try is due.
    async fn later(&self, row: SubscriptionRow, account: &AccountRow, outcome: Outcome) -> Result<()> {
        let (state, client_hash, problem, least) = match outcome {
            Outcome::Failed(why, least) => (SubscriptionState::Failed, None, why, least),
            Outcome::Unclear(error) => {
                let asked = error.retry_after_ms().and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
                (row.state, row.client_hash, error.reason().to_owned(), asked.max(MINUTE_MS))
            }
            Outcome::Active(..) | Outcome::Gone => return Ok(()),
        };
        tracing::debug!(target: "tidings::notify", account = account.id, problem, "subscription failed");
        let wait = least.max(MINUTE_MS.saturating_mul(2_i64.saturating_pow(row.tries.min(10))).min(HOUR_MS));
        let state_since = if state == row.state { row.state_since } else { self.now() };
        let next_at = self.now().saturating_add(jittered(wait));
        self.save(&SubscriptionRow { state, state_since, client_hash, next_at, tries: row.tries.saturating_add(1), problem: Some(problem), ..row }).await.map(drop)
    }

    async fn save(&self, row: &SubscriptionRow) -> Result<bool> {
        let saved = self.parts.store.save_subscription(row).await?;
        self.known.forget();
        Ok(saved)
    }

    fn lifetime_ms(&self) -> i64 {
        let longest = if self.parts.with_content { LIFETIME_WITH_CONTENT } else { LIFETIME_MINUTES };
        self.lifetime.load(Ordering::Relaxed).min(longest).saturating_mul(MINUTE_MS)
    }

    /// Microsoft named a shorter one.
    fn shorten(&self, minutes: i64) {
        self.lifetime.fetch_min(minutes, Ordering::Relaxed);
    }

    /// Half way to the end, not all at once.
    fn half_way(&self, expires_at: i64) -> i64 {
        let left = expires_at.saturating_sub(self.now()).clamp(MINUTE_MS, 30 * DAY_MS);
        self.now().saturating_add(jittered(left / 2))
    }
}

/// A tenth less at the most.
fn jittered(ms: i64) -> i64 {
    ms.saturating_sub((ms as f64 * 0.1 * random::jitter()) as i64)
}
