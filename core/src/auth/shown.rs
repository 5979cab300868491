//! An account as hosts see it, and what time alone changes about it.

use super::{Auth, Profile, claims_place, profile_place, roles, scopes};
use crate::clock::from_ms;
use crate::error::{ErrorKind, Result};
use crate::model::{Account, AccountKind, AccountState, Event, Feature};
use crate::store::{AccountChange, AccountQuery, AccountRow};
use zeroize::Zeroizing;

/// How long an administrator is waited for.
const AWAITED_MS: i64 = 30 * 86_400_000;
const NOBODY_APPROVED: &str = "Nobody approved within 30 days. Ask again with approval.";
const DAMAGED_NAME: &str = "The stored name and address are damaged and cannot be read. Call verify, or sign in again, to have them written anew.";
const ACCESS_ENDED: &str = "Microsoft gave no lasting access (offline_access), and what it gave has ended. Sign in again and allow it.";

/// What was asked for, was granted, and exists for this kind of account.
pub fn allows(row: &AccountRow, feature: Feature) -> bool {
    // Both: what Microsoft granted for one feature may technically do for another that the person was never asked about.
    row.features.contains(&feature) && is_granted(row, feature)
}

fn is_granted(row: &AccountRow, feature: Feature) -> bool {
    match row.kind {
        AccountKind::SharedMailbox => lacking_of_mailbox(row, feature).is_some_and(|lacking| lacking.is_empty()),
        AccountKind::Person | AccountKind::Tenant | AccountKind::Link => scopes::works(feature, &row.scopes, row.tenant()),
    }
}

/// What a mailbox needs for a feature and its delegate was not granted. None: mailboxes do not have it.
pub fn lacking_of_mailbox(row: &AccountRow, feature: Feature) -> Option<Vec<&'static str>> {
    if row.is_app_only() { roles::lacking_of_mailbox(feature, &row.scopes) } else { scopes::lacking_of_shared(feature, &row.scopes) }
}

/// It was granted, by itself or within a larger permission.
pub fn has_scope(row: &AccountRow, scope: &str) -> bool {
    scopes::has(&row.scopes, scope)
}

impl Auth {
    pub(super) async fn describe(&self, row: &AccountRow) -> Result<Account> {
        Ok(account(row, self.profile_of(row).await?))
    }

    pub(super) async fn profile_of(&self, row: &AccountRow) -> Result<Profile> {
        // None: the row at hand.
        let open = |newer: Option<AccountRow>| async move {
            let row = newer.as_ref().unwrap_or(row);
            self.vault.content(&row.id).await?.open(profile_place(&row.id, row.profile_version), &row.profile)
        };
        let opened = self.vault.with_current_row(None, |_| self.newer(row), open).await.map(|(_, plain)| plain);
        // One damaged name must not hide the account, nor all those listed with it: how else would it be found, and mended?
        let damaged = || {
            tracing::error!(target: "tidings::auth", account = row.id, "the stored name of an account cannot be read");
            Ok(Profile { is_damaged: true, ..Profile::default() })
        };
        match opened {
            Ok(plain) => serde_json::from_slice(&plain).or_else(|_| damaged()),
            Err(e) if e.kind() == ErrorKind::Corrupt => damaged(),
            // After a purge the key is gone, and with it name and address.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotConnected) => Ok(Profile::default()),
            Err(e) => Err(e.on_account(&row.id)),
        }
    }

    /// The row as it is in the store now. None: it is gone.
    async fn newer(&self, row: &AccountRow) -> Result<Option<Option<AccountRow>>> {
        Ok(self.store.account(&row.id).await?.map(Some))
    }

    /// What Microsoft asked for at its last refusal. A help for the next sign-in: what cannot be opened is let be.
    pub(super) async fn claims_of(&self, row: &AccountRow) -> Option<Zeroizing<String>> {
        let open = |newer: Option<AccountRow>| async move {
            let row = newer.as_ref().unwrap_or(row);
            let Some(sealed) = &row.claims else { return Ok(None) };
            self.vault.secrets(&row.id).await?.open(claims_place(&row.id, row.claims_version), sealed).map(Some)
        };
        let (_, plain) = self.vault.with_current_row(None, |_| self.newer(row), open).await.ok()?;
        let plain = plain?;
        std::str::from_utf8(&plain).ok().map(|text| Zeroizing::new(text.to_owned()))
    }

    /// Keeps what Microsoft asks the next sign-in for.
    pub(super) async fn keep_claims(&self, account_id: &str, generation: i64, claims: &str) -> Result<()> {
        self.vault
            .with_current_keys(async || {
                let Some(row) = self.store.account(account_id).await?.filter(|row| row.generation == generation) else { return Ok(()) };
                let version = row.claims_version + 1;
                let sealed = self.vault.secrets(account_id).await?.seal(claims_place(account_id, version), claims.as_bytes())?;
                self.store.change_account(account_id, Some(generation), AccountChange::Claims { sealed: Some(sealed), version }, self.now()).await.map(drop)
            })
            .await
    }

    pub(super) async fn settle_overdue(&self, owner: Option<&str>) -> Result<()> {
        let now = self.now();
        for row in self.store.accounts(AccountQuery::Overdue { owner, awaiting_since: now.saturating_sub(AWAITED_MS), now }).await? {
            self.settle(row).await?;
        }
        Ok(())
    }

    /// Brings about what time alone changes: nobody approved, access ended.
    pub(super) async fn settle(&self, row: AccountRow) -> Result<AccountRow> {
        let now = self.now();
        let (state, problem) = match row.state {
            AccountState::AwaitingAdmin if now.saturating_sub(row.state_since) >= AWAITED_MS => (AccountState::Declined, NOBODY_APPROVED),
            AccountState::Connected if row.access_ends_at.is_some_and(|end| end <= now) => (AccountState::NeedsReconnect, ACCESS_ENDED),
            _ => return Ok(row),
        };
        if self.store.change_account(&row.id, Some(row.generation), AccountChange::State { state, problem: Some(problem.to_owned()) }, now).await? {
            self.event_bus.publish(Event::AccountChanged { account_id: row.id.clone(), state });
            self.publish_opened(&row.id, state).await;
        }
        Ok(self.store.account(&row.id).await?.unwrap_or(row))
    }
}

fn account(row: &AccountRow, profile: Profile) -> Account {
    Account {
        id: row.id.clone(),
        owner: row.owner.clone(),
        kind: row.kind,
        state: row.state,
        app: row.app.clone(),
        context: profile.context,
        address: profile.address,
        display_name: profile.display_name,
        tenant_id: row.tenant().unwrap_or_default().to_owned(),
        user_id: row.person().unwrap_or_default().to_owned(),
        features: row.features.clone(),
        scopes: row.scopes.clone(),
        missing: row.features.iter().filter(|feature| !is_granted(row, **feature)).copied().collect(),
        connected_at: from_ms(row.connected_at),
        folders: row.folders.clone(),
        problem: row.problem.clone().filter(|_| row.state != AccountState::Connected),
        warnings: profile.is_damaged.then(|| DAMAGED_NAME.to_owned()).into_iter().chain(warnings(row)).collect(),
        access_ends_at: row.access_ends_at.map(from_ms),
        delegate: row.delegate.clone(),
    }
}

/// What will not work, why, and what to do.
fn warnings(row: &AccountRow) -> Vec<String> {
    let mut said = Vec::new();
    if row.kind == AccountKind::SharedMailbox && row.state != AccountState::Disconnected {
        return warnings_of_shared(row);
    }
    if row.kind != AccountKind::Person || row.person().is_none() {
        return said;
    }
    for feature in &row.features {
        if scopes::is_personal_tenant(row.tenant())
            && let Some(why) = scopes::not_for_personal(*feature)
        {
            said.push(format!("{why} The feature {} does not work with this account.", scopes::name(*feature)));
            continue;
        }
        let lacking = scopes::lacking(*feature, &row.scopes);
        if !lacking.is_empty() {
            said.push(format!(
                "The feature {} does not work: {} was not granted. Sign in again and allow it (reconnect), or ask an administrator (approval).",
                scopes::name(*feature),
                lacking.join(", ")
            ));
        }
    }
    if row.access_ends_at.is_some() && row.state == AccountState::Connected {
        said.push("Microsoft gave no lasting access (offline_access): this account stops working within about an hour. Sign in again and allow it (reconnect).".to_owned());
    }
    said
}

fn warnings_of_shared(row: &AccountRow) -> Vec<String> {
    let lacking = |feature: &Feature| lacking_of_mailbox(row, *feature).filter(|lacking| !lacking.is_empty()).map(|lacking| (*feature, lacking.join(", ")));
    let delegate = row.delegate.as_deref().unwrap_or_default();
    let mut said: Vec<String> = row.features.iter().filter_map(lacking).map(|(feature, lacking)| {
        let name = scopes::name(feature);
        match row.is_app_only() {
            true => format!("The feature {name} does not work: the application was not granted {lacking} as a permission of its own. Add it in Entra and have an administrator approve it (approval of the organisation's account {delegate})."),
            false => format!("The feature {name} does not work: {lacking} was not granted to the account it is opened through ({delegate}). Add the feature shared_mailboxes there (add_features)."),
        }
    }).collect();
    if !row.features.contains(&Feature::MailSend) {
        said.push(match row.is_app_only() {
            true => "Nothing can be sent from it or changed in it: the application may read it, but write nothing in it. It needs Mail.ReadWrite and Mail.Send as permissions of its own, and no policy of Exchange in the way; then add it again (add_shared_mailbox).".to_owned(),
            false => "Nothing can be sent from it: Exchange lets the account it is opened through read it, but write nothing in it. Ask an administrator for Full Access and Send As, then add it again (add_shared_mailbox).".to_owned(),
        });
    }
    said
}
