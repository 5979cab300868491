//! Tokens in memory: each until it has ended, since most of a large number of accounts are idle.

use crate::auth::delegate::Opened;
use crate::error::Result;
use crate::pipeline::{AccessToken, Mailbox};
use crate::random;
use futures_util::future::{BoxFuture, Shared};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token is renewed this long before it ends, and up to a minute earlier, so that accounts connected together do not renew together.
pub const EARLY_MS: i64 = 300_000;
const JITTER_MS: f64 = 60_000.0;
/// A token is not handed out for its last moments: it has to arrive, too.
pub const LAST_MS: i64 = 10_000;
/// Accounts whose tokens keep what was worked out of them: as many as requests run at a time at the most, or it would be worked out for each of them anew.
const MOST_RECENT: usize = 64;
/// A token that has ended is known for as long, so that the late result of an older connection is told from it.
const ENDED_MS: i64 = 600_000;

pub type InFlightRefresh = Shared<BoxFuture<'static, Result<AccessToken>>>;

/// Tokens in memory and renewals under way.
#[derive(Default)]
pub struct TokenCache(Mutex<Table>);

#[derive(Default)]
pub struct Table {
    pub cached: HashMap<String, Cached>,
    /// Whose limits the accounts' requests count against. An account keeps its person for life.
    pub mailboxes: HashMap<String, Arc<Mailbox>>,
    /// Whose mailboxes the accounts are for.
    pub opened: HashMap<String, Opened>,
    /// Whose tokens opened shared mailboxes last.
    pub holders: HashMap<String, String>,
    pub in_flight: HashMap<String, Joinable>,
    /// Fresh tokens that Graph refused without saying why, one after another, nothing taken in between.
    pub refused: HashMap<String, Refused>,
    /// Accounts whose tokens were asked for last, the latest at the end.
    recent: VecDeque<String>,
    /// Accounts that wait for their person and are tried all the same, since somebody asked.
    pub tried: HashSet<String>,
}

pub struct Refused {
    pub token: AccessToken,
    pub count: u32,
    pub since: i64,
}

pub struct Joinable {
    pub refresh: InFlightRefresh,
    /// What its token is asked to hold.
    pub claims: Option<String>,
}

pub struct Cached {
    pub token: AccessToken,
    pub renew_at: i64,
    pub expires_at: i64,
    pub generation: i64,
    /// What it was asked to hold, as far as this process knows.
    pub claims: Option<String>,
}

impl Cached {
    /// It may serve a request whose last token was `stale`, refused with these `claims`.
    pub fn serves(&self, stale: Option<&AccessToken>, claims: Option<&String>, now: i64) -> bool {
        Some(&self.token) != stale && (claims.is_none() || self.claims.as_ref() == claims) && now < self.expires_at - LAST_MS
    }
}

impl Table {
    /// The account's token is in use. What was worked out of a token, to know it again in answers, is a hundred times its size: it stays with the tokens of
    /// a few accounts, and with those under way.
    pub fn used(&mut self, account_id: &str) {
        self.recent.retain(|id| id != account_id);
        self.recent.push_back(account_id.to_owned());
        if self.recent.len() > MOST_RECENT
            && let Some(oldest) = self.recent.pop_front()
            && let Some(cached) = self.cached.get_mut(&oldest)
        {
            cached.token = cached.token.anew();
        }
    }
}

impl TokenCache {
    pub fn remember(&self, account_id: &str, token: AccessToken, generation: i64, now: i64, expires_at: i64) {
        self.remember_with(account_id, token, generation, now, expires_at, None);
    }

    pub fn remember_with(&self, account_id: &str, token: AccessToken, generation: i64, now: i64, expires_at: i64, claims: Option<String>) {
        // A short-lived token is renewed in its last third.
        let early = EARLY_MS.min((expires_at - now) / 3);
        let renew_at = expires_at - early - (random::jitter() * JITTER_MS.min(early as f64 / 3.0)) as i64;
        let mut table = self.table();
        // A late result of an older connection must not replace the token of a newer one.
        if table.cached.get(account_id).is_none_or(|c| c.generation <= generation) {
            // The store does not say what a token was asked to hold; memory may.
            let known = table.cached.get(account_id).filter(|c| c.token == token).and_then(|c| c.claims.clone());
            let claims = claims.or(known);
            table.cached.insert(account_id.to_owned(), Cached { token, renew_at, expires_at, generation, claims });
            table.used(account_id);
        }
    }

    /// Drops tokens that have ended, and what else is known of their accounts: most of a large number of accounts are idle.
    pub fn drop_ended(&self, now: i64) {
        let mut table = self.table();
        let Table { cached, mailboxes, opened, holders, .. } = &mut *table;
        cached.retain(|_, c| now < c.expires_at.saturating_add(ENDED_MS));
        holders.retain(|_, holder| cached.contains_key(holder));
        let is_used = |id: &String| cached.contains_key(id) || holders.contains_key(id);
        mailboxes.retain(|id, _| is_used(id));
        opened.retain(|id, _| is_used(id));
        cached.shrink_to_fit();
        mailboxes.shrink_to_fit();
        opened.shrink_to_fit();
    }

    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_few_accounts_keep_what_was_worked_out_of_them() {
        let cache = TokenCache::default();
        let token = AccessToken::new("token");
        cache.remember("first", token.clone(), 1, 0, 1_000_000);
        let same = |cache: &TokenCache| Arc::ptr_eq(&cache.table().cached["first"].token.shared(), &token.shared());
        for n in 1..MOST_RECENT {
            cache.table().used(&n.to_string());
        }
        assert!(same(&cache));
        cache.table().used("first");
        cache.table().used("one more");
        assert!(same(&cache));
        for n in 0..MOST_RECENT {
            cache.table().used(&n.to_string());
        }
        // Another copy of the same token.
        assert!(!same(&cache) && cache.table().cached["first"].token == token && cache.table().recent.len() == MOST_RECENT);
    }

    #[test]
    fn tokens_that_have_ended_go_with_what_belongs_to_them() {
        const HOUR: i64 = 3_600_000;
        let cache = TokenCache::default();
        for (id, expires_at) in [("idle", HOUR), ("busy", 2 * HOUR)] {
            cache.remember(id, AccessToken::new(id), 1, 0, expires_at);
            cache.table().mailboxes.insert(id.to_owned(), Mailbox::of_account(id));
        }
        cache.drop_ended(HOUR + ENDED_MS - 1);
        assert_eq!(cache.table().cached.len(), 2);
        cache.drop_ended(HOUR + ENDED_MS);
        let table = cache.table();
        assert!(table.cached.keys().eq(["busy"]) && table.mailboxes.keys().eq(["busy"]));
    }
}
