//! Hands out access tokens and renews them: one refresh per account in this process, a lease among processes, and **durable before used**.

mod cache;
mod refused;

pub(super) use cache::TokenCache;

use cache::{EARLY_MS, InFlightRefresh, Joinable, LAST_MS, Table};
use super::identity::Doubt;
use super::state::Class;
use super::token::{Denied, Grant, StoredToken};
use super::{Auth, token_place};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::failpoint::failpoint;
use crate::model::{AccountKind, AccountState, Event};
use crate::pipeline::{AccessToken, Mailbox, TokenSource};
use crate::store::{AccountChange, AccountRow, LEASE_MS, Lease, LeaseRequest, TokenRow, hold};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tracing::Instrument;

/// After an early renewal failed, the next try waits this long; the token still lives.
const LATER_MS: i64 = 60_000;
/// Looks for the lease: a minute.
const LEASE_LOOKS: u32 = 240;

/// What a row says to a caller who needs a token.
enum Row {
    Usable(AccessToken),
    Renew(Box<Held>),
}

struct Held {
    account: AccountRow,
    token: TokenRow,
    stored: StoredToken,
}

impl TokenSource for Auth {
    fn token(&self, account_id: String, stale: Option<AccessToken>, claims: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        let me = self.me.upgrade();
        Box::pin(async move {
            let me = me.ok_or_else(crate::runtime::closed)?;
            let holder = me.token_holder(&account_id).await?;
            me.give(holder, stale, claims).await
        })
    }

    fn bot_token(&self, _account_id: String, stale: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken>> {
        let me = self.me.upgrade();
        Box::pin(async move { me.ok_or_else(crate::runtime::closed)?.give_bot_token(stale).await })
    }

    fn mailbox(&self, account_id: &str) -> BoxFuture<'static, Arc<Mailbox>> {
        if let Some(mailbox) = self.token_cache.table().mailboxes.get(account_id) {
            return Box::pin(std::future::ready(mailbox.clone()));
        }
        let (me, account_id) = (self.me.upgrade(), account_id.to_owned());
        Box::pin(async move {
            let read = async { me?.read_mailbox(&account_id).await };
            read.await.unwrap_or_else(|| Mailbox::of_account(&account_id))
        })
    }

    fn shared_mailbox(&self, account_id: &str) -> BoxFuture<'static, Result<Option<Arc<str>>>> {
        if let Some(opened) = self.token_cache.table().opened.get(account_id) {
            return Box::pin(std::future::ready(Ok(opened.address())));
        }
        let (me, account_id) = (self.me.upgrade(), account_id.to_owned());
        Box::pin(async move { me.ok_or_else(crate::runtime::closed)?.mailbox_opened(&account_id).await.map(|opened| opened.address()) })
    }

    fn accepted(&self, account_id: &str) {
        let mut table = self.token_cache.table();
        let Table { refused, holders, .. } = &mut *table;
        refused.remove(holders.get(account_id).map_or(account_id, String::as_str));
    }

    fn refused(&self, account_id: String, token: AccessToken, claims: Option<String>, certain: bool) -> BoxFuture<'static, ()> {
        let me = self.me.upgrade();
        Box::pin(async move {
            let Some(me) = me else { return };
            let holder = me.token_cache.table().holders.get(&account_id).cloned().unwrap_or(account_id);
            if let Err(e) = me.give_up(&holder, &token, claims, certain).await {
                tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "a lasting refusal could not be noted");
            }
        })
    }
}

impl Auth {
    /// Drops what memory holds of an account: it was disconnected or connected anew.
    pub fn forget(&self, account_id: &str) {
        let mut table = self.token_cache.table();
        table.cached.remove(account_id);
        table.mailboxes.remove(account_id);
        table.opened.remove(account_id);
        table.holders.remove(account_id);
        drop(table);
        self.vault.forget(account_id);
    }

    /// For the hourly sweep: what memory holds of accounts that have been idle for longer than their token lasted.
    pub fn forget_idle(&self, now: i64) {
        self.token_cache.drop_ended(now);
    }

    /// None: there is none, or it cannot be read, which whoever needs a token will hear.
    async fn read_mailbox(self: Arc<Self>, account_id: &str) -> Option<Arc<Mailbox>> {
        let row = self.store.account(account_id).await.ok()??;
        let mailbox = Arc::new(self.limits_of(&row)?);
        self.token_cache.table().mailboxes.insert(account_id.to_owned(), mailbox.clone());
        Some(mailbox)
    }

    /// Looks whether an account that waits for its person works after all: with a new token that opens it at Graph it is connected again, and otherwise
    /// nothing changes.
    pub async fn revive(&self, account_id: &str) -> Result<()> {
        self.token_cache.table().tried.insert(account_id.to_owned());
        let tried = self.token(account_id.to_owned(), None, None).await;
        self.token_cache.table().tried.remove(account_id);
        tried.map(drop)
    }

    /// Renews the token of an account that was misconfigured, if that is possible now; the account is then connected again.
    pub async fn try_again(&self, account_id: &str) -> Result<()> {
        self.token(account_id.to_owned(), None, None).await.map(drop)
    }

    async fn give(self: Arc<Self>, account_id: String, mut stale: Option<AccessToken>, claims: Option<String>) -> Result<AccessToken> {
        let now = self.now();
        let living = {
            let mut table = self.token_cache.table();
            table.used(&account_id);
            match table.cached.get(&account_id) {
                Some(c) if c.serves(stale.as_ref(), claims.as_ref(), now) => {
                    if now < c.renew_at {
                        return Ok(c.token.clone());
                    }
                    Some(c.token.clone())
                }
                // Renewed meanwhile, but without what is asked for now: as good as refused.
                Some(c) if claims.is_some() && now < c.expires_at => {
                    stale = Some(c.token.clone());
                    None
                }
                _ => None,
            }
        };
        let flown = self.fly(&account_id, &stale, &claims).await;
        match (flown, living) {
            // Somebody else's refresh may have come back with the very token that was refused.
            (Ok(token), None) if Some(&token) == stale.as_ref() => self.fly(&account_id, &stale, &claims).await,
            (Ok(token), _) => Ok(token),
            (Err(e), Some(living)) if e.kind() != ErrorKind::NotConnected => {
                if let Some(c) = self.token_cache.table().cached.get_mut(&account_id) {
                    c.renew_at = c.renew_at.max(now.saturating_add(LATER_MS));
                }
                tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "an early renewal failed; the token still lives");
                Ok(living)
            }
            (Err(e), _) => Err(e),
        }
    }

    /// Joins the renewal under way or starts one, in a task of its own: a caller who goes away must not cut it in two. A caller whose challenge the
    /// renewal under way knows nothing of waits for it to land, and then starts its own.
    async fn fly(self: &Arc<Self>, account_id: &str, stale: &Option<AccessToken>, claims: &Option<String>) -> Result<AccessToken> {
        let mut stale = stale.clone();
        loop {
            let (refresh, is_ours) = {
                let mut table = self.token_cache.table();
                match table.in_flight.get(account_id) {
                    Some(joinable) => (joinable.refresh.clone(), claims.is_none() || joinable.claims == *claims),
                    None => (self.start_refresh(&mut table, account_id, stale.clone(), claims.clone()), true),
                }
            };
            let outcome = refresh.await;
            if is_ours {
                return outcome;
            }
            // Its token is newer than the one refused, and still lacks what is asked for. That it failed says nothing of ours.
            if let Ok(token) = outcome {
                stale = Some(token);
            }
        }
    }

    fn start_refresh(self: &Arc<Self>, table: &mut Table, account_id: &str, stale: Option<AccessToken>, claims: Option<String>) -> InFlightRefresh {
        let (me, id, asked) = (self.clone(), account_id.to_owned(), claims.clone());
        let task = tokio::spawn(async move {
            let _end = RefreshEnd { auth: me.clone(), account_id: id.clone() };
            let span = tracing::info_span!(target: "tidings::auth", "tidings.token", account = id);
            me.renew(&id, stale, asked).instrument(span).await
        });
        let joined = async move { task.await.unwrap_or_else(|_| Err(crate::runtime::closed())) };
        let refresh = joined.boxed().shared();
        table.in_flight.insert(account_id.to_owned(), Joinable { refresh: refresh.clone(), claims });
        refresh
    }

    async fn renew(self: &Arc<Self>, account_id: &str, stale: Option<AccessToken>, claims: Option<String>) -> Result<AccessToken> {
        if let Row::Usable(token) = self.read(account_id, &stale, claims.as_deref()).await? {
            return Ok(token);
        }
        let lease = match self.lease(account_id, &stale, claims.as_deref()).await? {
            Ok(lease) => lease,
            Err(token) => return Ok(token),
        };
        let renewed = self.renew_under(account_id, &stale, claims.as_deref(), &lease).await;
        self.release(lease).await;
        renewed
    }

    /// Waits for the lease; meanwhile another process may have brought a newer token.
    async fn lease(&self, account_id: &str, stale: &Option<AccessToken>, claims: Option<&str>) -> Result<Result<Lease, AccessToken>> {
        let request = LeaseRequest::new(&self.store, &self.clock, format!("refresh/{account_id}"), LEASE_MS)?;
        for _ in 0..LEASE_LOOKS {
            if let Some(lease) = request.take().await? {
                return Ok(Ok(lease));
            }
            request.pause().await;
            if let Row::Usable(token) = self.read(account_id, stale, claims).await? {
                return Ok(Err(token));
            }
        }
        Err(Error::new(ErrorKind::StoreBusy, "Another process renews this account's token for too long. Try again later."))
    }

    async fn renew_under(self: &Arc<Self>, account_id: &str, stale: &Option<AccessToken>, claims: Option<&str>, lease: &Lease) -> Result<AccessToken> {
        // Between the first look and the lease somebody may have been here.
        let Held { account, token: row, stored } = match self.read(account_id, stale, claims).await? {
            Row::Usable(token) => return Ok(token),
            Row::Renew(held) => *held,
        };
        let beat = hold(self.store.clone(), self.clock.clone(), lease.clone());
        let app = self.app_of(&account)?;
        let answer = {
            let mut request = std::pin::pin!(async {
                let tenant = self.tenant_of(&account, app);
                let answer = match account.kind {
                    // An organisation's account has no refresh token; the application asks in its own name.
                    AccountKind::Tenant => app.entra.app_only(tenant, account_id, claims).await,
                    AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => app.entra.refresh(tenant, account_id, &stored.refresh_token, claims).await,
                };
                match (&answer, &stored.unproven) {
                    // Perhaps it has been replaced by one that could not be proven when it came. What that one brings is checked like any other.
                    (Err(Denied::Refused(refusal, _)), Some(unproven)) if refusal.class() == Class::Person => app.entra.refresh(tenant, account_id, unproven, claims).await,
                    _ => answer,
                }
            });
            // A lease that is lost does not stop the request: what it brings is stored only if nobody else stored anything meanwhile.
            tokio::select! {
                answer = &mut request => answer,
                () = beat => request.await,
            }
        };
        failpoint!("refresh.answered");
        match answer {
            Ok(grant) => match self.check_identity(app, &account, stored.subject.as_deref(), &grant).await {
                Ok(subject) => self.keep_renewed(account, row, stored, grant, subject, lease, stale, claims).await,
                Err(Doubt::Another(why)) => Err(self.refuse_answer(&account, why).await),
                Err(Doubt::Unsure(error)) => {
                    self.put_aside(&account, row, stored, grant, lease).await?;
                    failpoint!("refresh.put_aside");
                    Err(error)
                }
            },
            Err(Denied::Failed(error)) => {
                tracing::warn!(target: "tidings::auth", account = account_id, kind = ?error.kind(), request_id = error.request_id(), "token not renewed");
                Err(error)
            }
            Err(Denied::Refused(refusal, request_id)) => self.turned_down(account, row.version, refusal, stale, claims).await.map_err(|e| e.with_request_id(request_id)),
        }
    }

    /// Durable first. A token that could not be stored is not used: the next process would renew with a token that this one has replaced.
    #[allow(clippy::too_many_arguments)] // what was asked, with what, and what came of it
    async fn keep_renewed(&self, account: AccountRow, row: TokenRow, stored: StoredToken, grant: Grant, subject: Option<String>, lease: &Lease, stale: &Option<AccessToken>, claims: Option<&str>) -> Result<AccessToken> {
        let now = self.now();
        let expires_at = now.saturating_add(i64::try_from(grant.lifetime.as_millis()).unwrap_or(0));
        let (id, generation, version) = (account.id.as_str(), account.generation, row.version + 1);
        let access_token = grant.access_token.clone();
        let token = StoredToken {
            refresh_token: grant.refresh_token.as_deref().cloned().unwrap_or_else(|| stored.refresh_token.clone()),
            access_token: grant.access_token.expose(str::to_owned),
            subject: subject.clone().or_else(|| stored.subject.clone()),
            unproven: None,
        };
        let plain = token.to_json()?;
        let saved = self
            .vault
            .with_current_keys(async || {
                let sealed = self.vault.secrets(id).await?.seal(token_place(id, version), &plain)?;
                let row = TokenRow { account_id: id.to_owned(), version, sealed, expires_at, refreshed_at: now };
                self.store.save_token(&row, generation, Some(lease)).await
            })
            .await?;
        failpoint!("refresh.stored");
        if !saved {
            // Disconnected, connected anew, or another process was quicker; what it stored is what counts.
            return match self.read(&account.id, stale, claims).await? {
                Row::Usable(token) => Ok(token),
                Row::Renew(_) => Err(Error::new(ErrorKind::StoreBusy, "Another process changed this account meanwhile. Try again.")),
            };
        }
        self.token_cache.remember_with(&account.id, access_token.clone(), generation, now, expires_at, claims.map(str::to_owned));
        self.pipeline.meters().tokens_renewed.up();
        tracing::info!(target: "tidings::auth", account = account.id, "token renewed");
        if account.state != AccountState::Connected {
            self.change_state(&account, AccountState::Connected, None).await?;
        }
        Ok(access_token)
    }

    /// Keeps the refresh token of an answer of which nobody can tell now whose it is: should Microsoft take the old one back, it is not lost. The token
    /// in use stays the one in use, and what is kept is not asked with before that.
    async fn put_aside(&self, account: &AccountRow, row: TokenRow, mut stored: StoredToken, grant: Grant, lease: &Lease) -> Result<()> {
        let Some(brought) = grant.refresh_token.as_deref().filter(|brought| **brought != stored.refresh_token) else { return Ok(()) };
        stored.unproven = Some(brought.clone());
        let (id, version) = (account.id.as_str(), row.version + 1);
        let plain = stored.to_json()?;
        self.vault
            .with_current_keys(async || {
                let sealed = self.vault.secrets(id).await?.seal(token_place(id, version), &plain)?;
                let row = TokenRow { account_id: id.to_owned(), version, sealed, ..row.clone() };
                self.store.save_token(&row, account.generation, Some(lease)).await.map(drop)
            })
            .await
    }

    async fn change_state(&self, account: &AccountRow, state: AccountState, problem: Option<String>) -> Result<()> {
        if account.state == state && account.problem == problem {
            return Ok(());
        }
        let changed = self.store.change_account(&account.id, Some(account.generation), AccountChange::State { state, problem }, self.now()).await?;
        if changed {
            if state != AccountState::Connected {
                self.token_cache.table().cached.remove(&account.id);
            }
            tracing::info!(target: "tidings::auth", account = account.id, ?state, "the account changed its state");
            self.event_bus.publish(Event::AccountChanged { account_id: account.id.clone(), state });
            self.publish_opened(&account.id, state).await;
        }
        Ok(())
    }

    /// What the store holds now. A row's token is used if it is not the one that was refused and has a while to live; to a challenge it is an answer only
    /// if it is known to have been asked for with the same `claims`. Another process may have renewed it without them.
    async fn read(&self, account_id: &str, stale: &Option<AccessToken>, claims: Option<&str>) -> Result<Row> {
        let now = self.now();
        let Held { account, token, stored } = self.vault.with_current_keys(async || self.held(account_id).await).await?;
        let access_token = AccessToken::new(stored.access_token.clone());
        // Of a misconfigured account, or one that is tried again, only a renewal tells whether it is mended, however long the stored token has to live.
        let mended = !matches!(account.state, AccountState::Misconfigured | AccountState::NeedsReconnect);
        let lives = mended && token.expires_at.saturating_sub(now) > EARLY_MS.min(token.expires_at.saturating_sub(token.refreshed_at) / 3);
        // Without a refresh token the token is used to its end, and then there is nothing left to ask with.
        let lasts = !stored.refresh_token.is_empty() || account.kind == AccountKind::Tenant;
        let lives = lives || (!lasts && mended && token.expires_at.saturating_sub(now) > LAST_MS);
        let holds = claims.is_none() || self.token_cache.table().cached.get(account_id).is_some_and(|c| c.token == access_token && c.claims.as_deref() == claims);
        if lives && holds && Some(&access_token) != stale.as_ref() {
            self.token_cache.remember(account_id, access_token.clone(), account.generation, token.refreshed_at, token.expires_at);
            return Ok(Row::Usable(access_token));
        }
        if !lasts {
            let why = "Microsoft gave no lasting access (offline_access), and what it gave has ended. Sign in again and allow it.";
            self.change_state(&account, AccountState::NeedsReconnect, Some(why.to_owned())).await?;
            return Err(Error::new(ErrorKind::NeedsReconnect, why));
        }
        Ok(Row::Renew(Box::new(Held { account, token, stored })))
    }
}

impl Auth {
    /// Row and token of an account that may have one.
    async fn held(&self, id: &str) -> Result<Held> {
        let account = self.store.account(id).await?.filter(|a| a.state != AccountState::Disconnected);
        let account = account.ok_or_else(|| Error::new(ErrorKind::NotConnected, "This account is not connected. Connect it again."))?;
        if matches!(account.state, AccountState::AwaitingAdmin | AccountState::Declined) {
            let why = account.problem.clone().unwrap_or_else(|| "An administrator must approve first. Ask for it with approval.".to_owned());
            return Err(Error::new(ErrorKind::ConsentMissing, why).with_remedy(Remedy::Admin));
        }
        if account.state == AccountState::NeedsReconnect && !self.token_cache.table().tried.contains(id) {
            let why = account.problem.clone().unwrap_or_else(|| "Microsoft asks for a new sign-in. Connect the account again.".to_owned());
            return Err(Error::new(ErrorKind::NeedsReconnect, why));
        }
        let token = self.store.token(id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "This account has no token. Connect it again."))?;
        let plain = match self.vault.secrets(id).await?.open(token_place(id, token.version), &token.sealed) {
            // Connected anew between two of these looks: the new key does not open the old token, and nothing is damaged.
            Err(e) if e.kind() == ErrorKind::Corrupt && self.store.account(id).await?.is_none_or(|now| now.generation != account.generation) => {
                return Err(Error::new(ErrorKind::StoreBusy, "The account was connected anew at this moment. Try again."));
            }
            opened => opened?,
        };
        let stored = StoredToken::from_json(&plain)?;
        Ok(Held { account, token, stored })
    }
}

/// Makes room for the next refresh when this one has ended, or crashed.
struct RefreshEnd {
    auth: Arc<Auth>,
    account_id: String,
}

impl Drop for RefreshEnd {
    fn drop(&mut self) {
        self.auth.token_cache.table().in_flight.remove(&self.account_id);
    }
}
