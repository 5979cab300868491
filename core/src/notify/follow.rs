//! Syncs the accounts that have news, a few at a time, until the engine stops. However often one was told of, a sync that begins after that covers it.

use super::Notify;
use super::marks::LEFT_MS;
use crate::error::Result;
use crate::runtime::Stop;
use crate::store::NewsRow;
use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Syncs an account.
pub type SyncNow = Arc<dyn Fn(String, Stop) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Accounts synced at a time; what they ask of Microsoft has its own limits.
const AT_ONCE: usize = 8;
/// Between two looks for marks of processes that have ended.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a failure the next try waits so long, then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How the sync of an account ended.
type Ended = (String, bool);

/// What this process is at.
#[derive(Default)]
struct Hand {
    under_way: JoinSet<Ended>,
    accounts: HashSet<String>,
    /// Told of again while it was synced.
    again: HashSet<String>,
    /// Failures in a row, and when the next try is due.
    failed: HashMap<String, (u32, Duration)>,
    /// Marks that others have left.
    left: Vec<NewsRow>,
    /// When to look for them next.
    look_at: Duration,
}

impl Hand {
    /// How the account is to be tried: not before its wait is over.
    fn must_wait(&self, account_id: &str, now: Duration) -> bool {
        self.failed.get(account_id).is_some_and(|(_, until)| now < *until)
    }

    fn ended(&mut self, (account_id, is_synced): Ended, now: Duration) -> Option<String> {
        self.accounts.remove(&account_id);
        if is_synced {
            self.failed.remove(&account_id);
        } else {
            let tries = self.failed.get(&account_id).map_or(0, |(tries, _)| *tries);
            let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_WAIT);
            self.failed.insert(account_id.clone(), (tries.saturating_add(1), now.saturating_add(wait)));
        }
        (self.again.remove(&account_id) || !is_synced).then_some(account_id)
    }
}

impl Notify {
    /// Takes up first what earlier processes have left.
    pub async fn follow(self: Arc<Self>, sync: SyncNow, stop: Stop) {
        let mut hand = Hand::default();
        let mut waiting: Vec<String> = Vec::new();
        let mut is_first = true;
        while !stop.is_set() {
            let now = self.parts.clock.elapsed();
            if is_first || now >= hand.look_at {
                self.look_for_left(&mut hand, is_first).await;
                hand.look_at = now.saturating_add(LOOK_AGAIN);
                is_first = false;
            }
            while let Some(ended) = hand.under_way.try_join_next() {
                waiting.extend(ended.ok().and_then(|ended| hand.ended(ended, now)));
            }
            let (due, later): (Vec<String>, Vec<String>) = waiting.into_iter().partition(|id| !hand.must_wait(id, now));
            waiting = later;
            due.into_iter().for_each(|id| self.marks.again(id));
            self.begin(&mut hand, &mut waiting, &sync, &stop);
            let next = waiting.iter().filter_map(|id| hand.failed.get(id)).map(|(_, until)| *until).chain([hand.look_at]).min().unwrap_or(hand.look_at);
            let is_full = hand.under_way.len() >= AT_ONCE;
            tokio::select! {
                ended = hand.under_way.join_next(), if !hand.under_way.is_empty() => {
                    let now = self.parts.clock.elapsed();
                    waiting.extend(ended.and_then(std::result::Result::ok).and_then(|ended| hand.ended(ended, now)));
                }
                () = self.marks.told(), if !is_full => {}
                () = self.parts.clock.deadline(next.saturating_sub(now)) => {}
                () = stop.wait() => {}
            }
        }
        // Each ends after its page; what is not synced stays marked.
        while hand.under_way.join_next().await.is_some() {}
    }

    /// Those of this process first: somebody was just told that it will be looked after.
    fn begin(self: &Arc<Self>, hand: &mut Hand, waiting: &mut Vec<String>, sync: &SyncNow, stop: &Stop) {
        let now = self.parts.clock.elapsed();
        while hand.under_way.len() < AT_ONCE {
            let (account_id, left) = match self.marks.take() {
                Some(id) => (id, None),
                None => match hand.left.pop() {
                    Some(row) => (row.account_id.clone(), Some(row)),
                    None => return,
                },
            };
            if left.is_none() && hand.must_wait(&account_id, now) {
                waiting.push(account_id);
                continue;
            }
            if !hand.accounts.insert(account_id.clone()) {
                // A mark that was left is found again by the next look.
                if left.is_none() {
                    hand.again.insert(account_id);
                }
                continue;
            }
            let (me, sync, stop) = (self.clone(), sync.clone(), stop.clone());
            hand.under_way.spawn(async move {
                let is_synced = me.sync_marked(&account_id, left, &sync, stop).await;
                (account_id, is_synced)
            });
        }
    }

    /// The mark is read before the sync begins, and cleared only if it is the same after it.
    async fn sync_marked(&self, account_id: &str, left: Option<NewsRow>, sync: &SyncNow, stop: Stop) -> bool {
        let is_left = left.is_some();
        let mark = match left {
            Some(row) => Ok(Some(row)),
            None => self.parts.store.news_of(account_id, &self.holder).await,
        };
        let Ok(mark) = mark else { return false };
        // Whoever left it may live, and rely on it for a while.
        let may_clear = !is_left || mark.as_ref().is_some_and(|row| row.at <= self.now().saturating_sub(LEFT_MS));
        if let Err(error) = sync(account_id.to_owned(), stop).await {
            tracing::debug!(target: "tidings::notify", account = account_id, kind = ?error.kind(), "an account with news could not be synced now");
            return false;
        }
        match mark.filter(|_| may_clear) {
            Some(row) => self.parts.store.clear_news(&row).await.is_ok(),
            None => true,
        }
    }

    /// At the start all that are there; later those whose process does not come back for them.
    async fn look_for_left(&self, hand: &mut Hand, is_first: bool) {
        let before = self.now().saturating_sub(LEFT_MS);
        let Ok(rows) = self.parts.store.news().await else { return };
        let now = self.parts.clock.elapsed();
        // One of a clock that stood ahead as well.
        let is_left = |row: &NewsRow| row.holder != self.holder && (is_first || row.at <= before || row.at > self.now().saturating_add(LEFT_MS));
        hand.left = rows.into_iter().filter(|row| is_left(row) && !hand.must_wait(&row.account_id, now)).collect();
    }

    /// Something may have been missed.
    pub(super) async fn mark(&self, account_id: &str) -> Result<()> {
        let marking = self.marks.begin([account_id.to_owned()], self.parts.clock.elapsed());
        if !marking.account_ids.is_empty() {
            self.parts.store.mark_news(&marking.account_ids, &self.holder, self.now()).await?;
            marking.done();
        }
        Ok(())
    }
}
