//! Accounts that wait for an administrator before anybody has signed in to them: found again rather than made anew, and taken over by whoever signs in.

use super::attempt::{Aim, Attempt};
use super::keep::{WAITS, Wish, new_id};
use super::{Auth, Profile, profile_place};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, AccountState, Event, Feature};
use crate::store::{AccountChange, AccountQuery, AccountRow, NewConnection};
use crate::trust::Identity;
use std::collections::BTreeSet;

/// Waiting accounts an owner may have. Each is made by nothing but a browser that comes back refused.
const MOST: usize = 20;

impl Auth {
    /// Keeps what an administrator is waited for, and answers which account it is.
    pub(super) async fn await_approval(&self, attempt: &Attempt) -> Result<Option<String>> {
        let (wish, now) = (Wish::of(attempt), self.now());
        let lease = match wish.kind() {
            // One at a time per owner, so that two refusals do not make two accounts.
            Some(_) => Some(self.connect_lease(&format!("{}\0waiting", wish.owner)).await?),
            None => None,
        };
        let changed = self.keep_waiting(&wish, now).await;
        if let Some(lease) = lease {
            self.release(lease).await;
        }
        let changed = changed?;
        if let (Some(id), true) = &changed {
            let row = self.row(id).await?;
            self.event_bus.publish(Event::AccountChanged { account_id: row.id, state: row.state });
        }
        Ok(changed.0)
    }

    /// Answers which account it is and whether anything changed.
    async fn keep_waiting(&self, wish: &Wish, now: i64) -> Result<(Option<String>, bool)> {
        match &wish.aim {
            // Which organisation it is, nobody has proven: there is nothing to keep.
            Aim::Tenant | Aim::Approval(_) => Ok((None, false)),
            Aim::Reconnect(id) => self.wait_again(id, now).await.map(|changed| (Some(id.clone()), changed)),
            Aim::AddFeatures(id) => {
                let Some(row) = self.store.account(id).await? else { return Ok((None, false)) };
                let features: BTreeSet<Feature> = row.features.iter().chain(&wish.features).copied().collect();
                let changed = self.store.change_account(id, Some(row.generation), AccountChange::Features(features.into_iter().collect()), now).await?;
                Ok((Some(id.clone()), changed))
            }
            Aim::Link | Aim::SignIn => self.vault.with_current_keys(async || self.wait(wish, now).await).await,
        }
    }

    /// An account that nobody has signed in to yet waits on. One that somebody has stays as it was.
    async fn wait_again(&self, account_id: &str, now: i64) -> Result<bool> {
        let Some(row) = self.store.account(account_id).await?.filter(|row| row.person().is_none() && row.state != AccountState::Disconnected) else { return Ok(false) };
        if row.state == AccountState::AwaitingAdmin {
            return Ok(false);
        }
        let change = AccountChange::State { state: AccountState::AwaitingAdmin, problem: Some(WAITS.to_owned()) };
        self.store.change_account(account_id, Some(row.generation), change, now).await
    }

    /// Lets the account that waits for the same thing wait on, or makes one. Answers which it is and whether anything changed.
    async fn wait(&self, wish: &Wish, now: i64) -> Result<(Option<String>, bool)> {
        let waiting = self.waiting(wish).await?;
        let found = self.same_wait(wish, &waiting).await?;
        if found.is_none() && waiting.len() >= MOST {
            let words = format!("{MOST} accounts of this owner wait for an administrator already, so this sign-in was not kept as another one. An administrator must approve first; purge those that are not needed any longer.");
            return Err(Error::new(ErrorKind::LimitExceeded, words));
        }
        let (earlier, old) = found.map_or((None, Profile::default()), |(row, profile)| (Some(row), profile));
        let profile = Profile { context: wish.context.clone().or(old.context.clone()), login_hint: wish.login_hint.clone().or(old.login_hint.clone()), ..Profile::default() };
        if let Some(row) = earlier.filter(|_| profile == old) {
            return self.wait_again(&row.id, now).await.map(|changed| (Some(row.id.clone()), changed));
        }
        let id = earlier.map_or_else(new_id, |row| Ok(row.id.clone()))?;
        let keys = self.vault.new_account_keys(&id, earlier.is_none(), now)?;
        let opened = self.vault.adopt(&id, &keys).await?;
        let profile_version = earlier.map_or(1, |row| row.profile_version + 1);
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
        let row = AccountRow {
            user_id: AccountRow::nobody(&id),
            kind: wish.kind().unwrap_or(AccountKind::Person),
            app: wish.app.clone(),
            authority: wish.authority.clone(),
            state: AccountState::AwaitingAdmin,
            state_since: earlier.filter(|row| row.state == AccountState::AwaitingAdmin).map_or(now, |row| row.state_since),
            problem: Some(WAITS.to_owned()),
            features: wish.features.clone(),
            extra_scopes: wish.extra_scopes.clone(),
            profile_version,
            claims_version: earlier.map_or(0, |row| row.claims_version),
            generation: earlier.map_or(1, |row| row.generation + 1),
            ..AccountRow::new(id.clone(), wish.owner.clone(), opened.content.seal(profile_place(&id, profile_version), &plain)?, now)
        };
        self.store.connect_account(NewConnection { attempt: Some(&wish.hash), account: &row, token: None, keys: &keys, replaces: None, endpoint: None }, now).await?;
        Ok((Some(id), true))
    }

    /// The one among them that waits for the same: for the same address, or else the only one that may.
    async fn same_wait<'a>(&self, wish: &Wish, waiting: &'a [AccountRow]) -> Result<Option<(&'a AccountRow, Profile)>> {
        let mut fitting = Vec::new();
        for row in waiting.iter().filter(|row| wish.is_for(row)) {
            let profile = self.profile_of(row).await?;
            let hint = (profile.login_hint.as_deref(), wish.login_hint.as_deref());
            if !agree(profile.context.as_deref(), wish.context.as_deref()) || matches!(hint, (Some(a), Some(b)) if !same_address(a, b)) {
                continue;
            }
            let is_same = match hint {
                (Some(_), Some(_)) | (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if is_same {
                return Ok(Some((row, profile)));
            }
            fitting.push((row, profile));
        }
        Ok(fitting.pop().filter(|_| fitting.is_empty()))
    }

    /// The account that whoever has signed in now has been waiting as, if it can be told: exactly one that waits for the same and not for another address.
    pub(super) async fn awaited(&self, wish: &Wish, identity: &Identity, profile: &Profile) -> Result<Option<AccountRow>> {
        let Some(kind) = wish.kind() else { return Ok(None) };
        let user_id = if kind == AccountKind::Link { AccountRow::known(&identity.user_id) } else { identity.user_id.clone() };
        let known = self.store.accounts(AccountQuery::Person { owner: &wish.owner, tenant_id: &identity.tenant_id, user_id: &user_id }).await?.pop();
        // An address that was only expected says nothing about one who has an account.
        let expected = wish.login_hint.as_deref().filter(|_| known.is_none());
        let addresses = [expected, Some(identity.address.as_str()), Some(profile.address.as_str())];
        let mut fitting = Vec::new();
        for row in self.waiting(wish).await?.into_iter().filter(|row| wish.is_for(row)) {
            let waits = self.profile_of(&row).await?;
            let fits = match &waits.login_hint {
                Some(hint) => addresses.iter().flatten().any(|address| same_address(hint, address)),
                // Somebody who has an account is not known to be the one who waits.
                None => known.is_none(),
            };
            if fits && agree(waits.context.as_deref(), wish.context.as_deref()) {
                fitting.push(row);
            }
        }
        Ok(fitting.pop().filter(|_| fitting.is_empty()))
    }

    /// All of this owner that wait, for whatever.
    async fn waiting(&self, wish: &Wish) -> Result<Vec<AccountRow>> {
        let rows = self.store.accounts(AccountQuery::Owner(&wish.owner)).await?;
        Ok(rows.into_iter().filter(|row| row.is_nobodys() && row.state != AccountState::Disconnected).collect())
    }
}

impl Wish {
    /// Of the account that is to be made, when it is not known which.
    fn kind(&self) -> Option<AccountKind> {
        match self.aim {
            Aim::SignIn => Some(AccountKind::Person),
            Aim::Link => Some(AccountKind::Link),
            Aim::Tenant | Aim::Reconnect(_) | Aim::AddFeatures(_) | Aim::Approval(_) => None,
        }
    }

    fn is_for(&self, row: &AccountRow) -> bool {
        let same = |a: &[String], b: &[String]| a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>();
        self.kind() == Some(row.kind)
            && self.app == row.app
            && self.authority == row.authority
            && self.features.iter().collect::<BTreeSet<_>>() == row.features.iter().collect()
            && same(&self.extra_scopes, &row.extra_scopes)
    }
}

/// What the host wants to find again is one thing only.
fn agree(a: Option<&str>, b: Option<&str>) -> bool {
    a.is_none() || b.is_none() || a == b
}

fn same_address(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
