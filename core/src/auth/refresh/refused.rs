//! What follows when a renewal, or a renewed token, is refused: by whom, whether it lasts, and what the account needs.

use super::super::state::{Class, Refusal};
use super::super::token::StoredToken;
use super::super::{Auth, token_place};
use super::Row;
use super::cache::Refused;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{AccountKind, AccountState, AuditKind};
use crate::pipeline::AccessToken;
use crate::store::{AccountRow, Entry};

/// A token is new for so long: refused within it, the sign-in is to blame and not the token's age.
const NEW_MS: i64 = 120_000;
/// Fresh tokens refused one after another without a reason, until the account needs its person; and the time within which.
const MOST_REFUSED: u32 = 2;
const REFUSED_WITHIN_MS: i64 = 24 * 3_600_000;
const NOT_ACCEPTED: &str = "Microsoft does not accept this account's sign-in, not even with a new token. Connect the account again.";
const WITHDRAWN: &str = "The administrator's approval was taken back. Ask for it again with approval.";
/// Its tokens may be older than those of the original, which go on to work.
const COPIED: &str = "This store was copied or restored from a backup, and the sign-in in it does not count any more: the original, or the time since, has replaced it. \
     Connect the account again here; the original is not touched by that.";

impl Auth {
    /// The answer is somebody else's. Nothing of it is kept or used, and whoever the account belongs to has to sign in.
    pub(in crate::auth) async fn refuse_answer(&self, account: &AccountRow, why: &'static str) -> Error {
        tracing::error!(target: "tidings::auth", account = account.id, why, "a renewal was refused");
        let (state, words) = match account.kind {
            AccountKind::Tenant => (AccountState::Misconfigured, format!("Microsoft's answer to a renewal was refused: {why}. Nothing of it was used. If it lasts, have whoever runs this program look at what stands between it and Microsoft.")),
            AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => (AccountState::NeedsReconnect, format!("Microsoft's answer to a renewal was refused, since it is not for this account: {why}. Nothing of it was used. Connect the account again.")),
        };
        let entry = Entry::new(AuditKind::SignInRefused, "A renewal was refused: Microsoft's answer was not for this account.").on(&account.id);
        if let Err(e) = self.store.record(&[entry], self.now()).await {
            tracing::warn!(target: "tidings::auth", account = account.id, kind = ?e.kind(), "a refused renewal could not be recorded");
        }
        if let Err(failed) = self.change_state(account, state, Some(words.clone())).await {
            return failed;
        }
        match account.kind {
            AccountKind::Tenant => Error::new(ErrorKind::Forbidden, words).with_remedy(Remedy::Developer),
            AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => Error::new(ErrorKind::NeedsReconnect, words),
        }
    }

    pub(super) async fn turned_down(&self, account: AccountRow, version: i64, refusal: Refusal, stale: &Option<AccessToken>, claims: Option<&str>) -> Result<AccessToken> {
        // Re-read first: a refusal of a token that another process has replaced says nothing.
        let current = self.store.token(&account.id).await?;
        if current.as_ref().is_some_and(|current| current.version != version) {
            return match self.read(&account.id, stale, claims).await? {
                Row::Usable(token) => Ok(token),
                Row::Renew(_) => Err(Error::new(ErrorKind::StoreBusy, "Another process renewed this account's token meanwhile. Try again.")),
            };
        }
        tracing::warn!(target: "tidings::auth", account = account.id, kind = ?refusal.error(false).kind(), "token refused");
        if refusal.class() == Class::Outage {
            return Err(refusal.error(false));
        }
        // Of an organisation's own token these two say that the approval was taken back.
        if account.kind == AccountKind::Tenant && matches!(refusal.aadsts, Some(700016 | 7000112)) {
            self.change_state(&account, AccountState::AwaitingAdmin, Some(WITHDRAWN.to_owned())).await?;
            return Err(Error::new(ErrorKind::ConsentMissing, WITHDRAWN).with_remedy(Remedy::Admin));
        }
        let Some(state) = refusal.state() else { return Err(refusal.error(false)) };
        let copied_at = self.store.copied_at().await?;
        let since_copied = current.is_some_and(|current| copied_at.is_some_and(|at| current.refreshed_at <= at));
        let (reason, error) = if since_copied && refusal.class() == Class::Person {
            (COPIED.to_owned(), Error::new(ErrorKind::NeedsReconnect, COPIED))
        } else {
            (refusal.reason(), refusal.error(false))
        };
        // What Microsoft wants is told to it at the next sign-in, or that would end like this.
        if state == AccountState::NeedsReconnect
            && let Some(claims) = refusal.claims.as_deref().or(claims)
        {
            // A help for the next sign-in: that it cannot be kept must not hide the refusal.
            if let Err(e) = self.keep_claims(&account.id, account.generation, claims).await {
                tracing::debug!(target: "tidings::auth", account = account.id, kind = ?e.kind(), "claims could not be kept");
            }
        }
        self.change_state(&account, state, Some(reason.clone())).await?;
        Err(match state {
            AccountState::AwaitingAdmin => Error::new(ErrorKind::ConsentMissing, reason).with_remedy(Remedy::Admin),
            _ => error,
        })
    }

    /// Graph refuses a token that was fetched just now: another one of the same sign-in will fare no better.
    pub(super) async fn give_up(&self, account_id: &str, token: &AccessToken, claims: Option<String>, certain: bool) -> Result<()> {
        let now = self.now();
        // One odd refusal is no reason to send a person to a sign-in page. That the next fresh token fares no better is.
        if !certain && !self.goes_on(account_id, token, now) {
            return Ok(());
        }
        let asked_for_it = self.token_cache.table().cached.get(account_id).is_some_and(|c| c.token == *token && (claims.is_none() || c.claims == claims));
        if !asked_for_it {
            return Ok(());
        }
        let found = self
            .vault
            .with_current_keys(async || {
                let Some(account) = self.store.account(account_id).await?.filter(|a| a.state == AccountState::Connected) else { return Ok(None) };
                let Some(row) = self.store.token(account_id).await? else { return Ok(None) };
                let stored = StoredToken::from_json(&self.vault.secrets(account_id).await?.open(token_place(account_id, row.version), &row.sealed)?)?;
                // A token that another process has replaced, or that is as old as the one before, proves nothing.
                let is_new = AccessToken::new(stored.access_token.clone()) == *token && now.saturating_sub(row.refreshed_at) < NEW_MS;
                Ok(is_new.then_some(account))
            })
            .await?;
        let Some(account) = found else { return Ok(()) };
        if let Some(claims) = &claims {
            self.keep_claims(account_id, account.generation, claims).await?;
        }
        let (state, problem) = match account.kind {
            AccountKind::Tenant => (AccountState::Misconfigured, "Microsoft does not accept the application's own tokens. Ask an administrator whether the application is still approved."),
            AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => (AccountState::NeedsReconnect, NOT_ACCEPTED),
        };
        self.change_state(&account, state, Some(problem.to_owned())).await
    }

    /// Counts a fresh token that was refused without a reason; whether it is one too many.
    fn goes_on(&self, account_id: &str, token: &AccessToken, now: i64) -> bool {
        let mut table = self.token_cache.table();
        let counted = table.refused.entry(account_id.to_owned()).or_insert_with(|| Refused { token: token.clone(), count: 1, since: now });
        if now.saturating_sub(counted.since) > REFUSED_WITHIN_MS {
            *counted = Refused { token: token.clone(), count: 1, since: now };
        } else if counted.token != *token {
            *counted = Refused { token: token.clone(), count: counted.count + 1, since: counted.since };
        }
        counted.count >= MOST_REFUSED
    }
}
