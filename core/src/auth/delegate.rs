//! Shared mailboxes, and mailboxes of an organisation: whose token opens one, whether an account may have one, and what is kept of it. Nobody signs in to one,
//! so its account has no token; its address is the only name it has at Microsoft that is known for certain.

use super::keep::new_id;
use super::{Auth, Profile, profile_place, scopes};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::hex::hex;
use crate::model::{Account, AccountKind, AccountState, Event, Feature};
use crate::pipeline::Mailbox;
use crate::store::{AccountChange, AccountQuery, AccountRow, KeyPurpose, NewConnection, moved_on};
use std::collections::BTreeSet;
use std::sync::Arc;

const READ_SHARED: &str = "Mail.ReadWrite.Shared";

/// Whose mailbox an account is for. An account keeps it for life.
#[derive(Clone)]
pub enum Opened {
    /// Its person's, or nobody's.
    Own,
    /// The shared one of this address.
    Shared(Arc<str>),
}

impl Opened {
    /// Of a shared one.
    pub fn address(&self) -> Option<Arc<str>> {
        match self {
            Self::Own => None,
            Self::Shared(address) => Some(address.clone()),
        }
    }
}

impl Auth {
    /// The account whose token opens the mailbox: of a shared one its delegate, which is looked up each time, since another process may have changed it.
    /// Errors: NotConnected, when the shared mailbox is disconnected.
    pub(super) async fn token_holder(&self, account_id: &str) -> Result<String> {
        let is_own = {
            let table = self.token_cache.table();
            // A shared mailbox has no token, so one that is known is the account's own.
            matches!(table.opened.get(account_id), Some(Opened::Own)) || table.cached.contains_key(account_id)
        };
        if is_own {
            return Ok(account_id.to_owned());
        }
        let Some(row) = self.store.account(account_id).await? else { return Ok(account_id.to_owned()) };
        if row.kind != AccountKind::SharedMailbox {
            self.token_cache.table().opened.insert(account_id.to_owned(), Opened::Own);
            return Ok(account_id.to_owned());
        }
        match row.delegate.filter(|_| row.state != AccountState::Disconnected) {
            Some(delegate) => {
                self.token_cache.table().holders.insert(account_id.to_owned(), delegate.clone());
                Ok(delegate)
            }
            None => Err(Error::new(ErrorKind::NotConnected, "The shared mailbox is disconnected. Add it again (add_shared_mailbox).").on_account(account_id)),
        }
    }

    /// Whose mailbox it is. Errors: Corrupt, when the address of a shared mailbox cannot be read: its delegate's own mailbox is no substitute.
    pub(super) async fn mailbox_opened(&self, account_id: &str) -> Result<Opened> {
        if let Some(opened) = self.token_cache.table().opened.get(account_id) {
            return Ok(opened.clone());
        }
        // Of an account that is gone nothing is remembered; whoever needs its token hears it.
        let Some(row) = self.store.account(account_id).await? else { return Ok(Opened::Own) };
        let opened = match row.kind {
            AccountKind::SharedMailbox => Opened::Shared(self.shared_address(&row).await?.into()),
            AccountKind::Person | AccountKind::Tenant | AccountKind::Link => Opened::Own,
        };
        self.token_cache.table().opened.insert(account_id.to_owned(), opened.clone());
        Ok(opened)
    }

    async fn shared_address(&self, row: &AccountRow) -> Result<String> {
        let address = self.profile_of(row).await?.address;
        if address.is_empty() {
            return Err(Error::new(ErrorKind::Corrupt, "The stored address of the shared mailbox is damaged and cannot be read. Add it again (add_shared_mailbox).").on_account(&row.id));
        }
        Ok(address)
    }

    /// Whose limits its requests count against: those of the mailbox that is opened, whoever opens it.
    pub(super) fn limits_of(&self, row: &AccountRow) -> Option<Mailbox> {
        let client_id = self.app(&row.app)?.entra.client_id().to_owned();
        let user_id = match row.kind {
            AccountKind::SharedMailbox => row.user_id.as_str(),
            AccountKind::Person | AccountKind::Tenant | AccountKind::Link => row.person()?,
        };
        Some(Mailbox { client_id, tenant_id: row.tenant()?.to_owned(), user_id: user_id.to_owned() })
    }

    /// That this account may open shared mailboxes at all, and that this is not its own. Touches no network. Errors: InvalidInput (a personal account, a shared
    /// mailbox, its own address), Forbidden (an account that only tells who somebody is), ConsentMissing.
    pub async fn check_delegate(&self, row: &AccountRow, address: &str) -> Result<()> {
        let refuse = |error: Error| Err(error.on_account(&row.id));
        match row.kind {
            AccountKind::Person => {}
            AccountKind::SharedMailbox => return refuse(Error::invalid("This account is a shared mailbox itself. Name the account of a person who may open the other one.")),
            // Its own token reaches any mailbox of the organisation, unless Exchange forbids it, which only a try tells.
            AccountKind::Tenant => return Ok(()),
            AccountKind::Link => {
                let reason = "A shared mailbox is opened through the account of a person who may open it, or of the organisation. Use connect for that person, or connect_tenant.";
                return refuse(Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer));
            }
        }
        if let Some(why) = scopes::not_for_personal(Feature::SharedMailboxes).filter(|_| scopes::is_personal_tenant(row.tenant())) {
            return refuse(Error::invalid(format!("{why} Connect an account of an organisation.")));
        }
        if same(&self.profile_of(row).await?.address, address) {
            return refuse(Error::invalid("This is the account's own mailbox, which it opens already."));
        }
        // Both: what was granted to others of the organisation is no leave of this person, who was never asked.
        let is_asked = row.features.contains(&Feature::SharedMailboxes) || row.extra_scopes.iter().any(|scope| scopes::short(scope).eq_ignore_ascii_case(READ_SHARED));
        if is_asked && scopes::has(&row.scopes, READ_SHARED) {
            return Ok(());
        }
        let reason = format!(
            "Opening a shared mailbox needs the permissions {}, which this account was not granted. Add the feature {} (add_features).",
            scopes::needs(Feature::SharedMailboxes).join(" and "),
            scopes::name(Feature::SharedMailboxes)
        );
        refuse(Error::new(ErrorKind::ConsentMissing, reason))
    }

    /// Stores the shared mailbox that was opened through `delegate`: as a new account, or the one there is, which keeps its id, mail, cursors and queue. It
    /// is the delegate's from then on, whoever opened it before. Errors: StoreBusy, Conflict (the delegate was disconnected meanwhile).
    pub async fn keep_shared(&self, delegate: &AccountRow, address: &str, features: Vec<Feature>) -> Result<Account> {
        let hash = self.vault.store_hash("shared mailbox", &[delegate.tenant_id.as_bytes(), address.to_lowercase().as_bytes()])?;
        let user_id = AccountRow::shared(&hex(hash));
        // One at a time per mailbox, so that two calls do not make two accounts.
        let lease = self.connect_lease(&format!("{}\0{}\0{user_id}", delegate.owner, delegate.tenant_id)).await?;
        let features: Vec<Feature> = BTreeSet::from_iter(features).into_iter().collect();
        let kept = self.vault.with_current_keys(async || self.assign_shared(delegate, &user_id, address, &features).await).await;
        self.release(lease).await;
        let (row, is_new) = kept?;
        self.forget(&row.id);
        self.event_bus.publish(match (is_new, row.state) {
            (true, AccountState::Connected) => Event::AccountConnected { account_id: row.id.clone() },
            (_, state) => Event::AccountChanged { account_id: row.id.clone(), state },
        });
        self.describe(&row).await
    }

    /// And whether it was not there, or disconnected.
    async fn assign_shared(&self, delegate: &AccountRow, user_id: &str, address: &str, features: &[Feature]) -> Result<(AccountRow, bool)> {
        let now = self.now();
        let known = self.store.accounts(AccountQuery::Person { owner: &delegate.owner, tenant_id: &delegate.tenant_id, user_id }).await?.pop();
        if let Some(row) = known.as_ref().filter(|row| row.state != AccountState::Disconnected) {
            self.mend_address(row, address).await?;
            let change = AccountChange::Delegate { account_id: delegate.id.clone(), features: features.to_vec() };
            if !self.store.change_account(&row.id, Some(row.generation), change, now).await? {
                return Err(moved_on());
            }
            return Ok((self.store.account(&row.id).await?.ok_or_else(moved_on)?, false));
        }
        let id = known.as_ref().map_or_else(new_id, |row| Ok(row.id.clone()))?;
        let old = match &known {
            Some(row) => self.profile_of(row).await?,
            None => Profile::default(),
        };
        let profile = Profile { address: address.to_owned(), is_damaged: false, ..old };
        let with_content = known.is_none() || self.store.active_key(KeyPurpose::Content, Some(&id)).await?.is_none();
        let keys = self.vault.new_account_keys(&id, with_content, now)?;
        let opened = self.vault.adopt(&id, &keys).await?;
        let profile_version = known.as_ref().map_or(1, |row| row.profile_version + 1);
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
        let row = AccountRow {
            tenant_id: delegate.tenant_id.clone(),
            user_id: user_id.to_owned(),
            kind: AccountKind::SharedMailbox,
            app: delegate.app.clone(),
            authority: delegate.authority.clone(),
            features: features.to_vec(),
            scopes: delegate.scopes.clone(),
            profile_version,
            generation: known.as_ref().map_or(1, |row| row.generation + 1),
            claims_version: known.as_ref().map_or(0, |row| row.claims_version),
            delegate: Some(delegate.id.clone()),
            delegate_kind: Some(delegate.kind),
            ..AccountRow::new(&id, delegate.owner.clone(), opened.content.seal(profile_place(&id, profile_version), &plain)?, now)
        };
        Ok((self.store.connect_account(NewConnection { attempt: None, account: &row, token: None, keys: &keys, replaces: None, endpoint: None }, now).await?, true))
    }

    /// Writes an address anew that cannot be read any more.
    async fn mend_address(&self, row: &AccountRow, address: &str) -> Result<()> {
        let profile = self.profile_of(row).await?;
        if same(&profile.address, address) {
            return Ok(());
        }
        let plain = serde_json::to_vec(&Profile { address: address.to_owned(), ..profile }).map_err(|_| Error::internal("A profile could not be written."))?;
        let version = row.profile_version + 1;
        let sealed = self.vault.content(&row.id).await?.seal(profile_place(&row.id, version), &plain)?;
        self.store.change_account(&row.id, Some(row.generation), AccountChange::Profile { sealed, version }, self.now()).await.map(drop)
    }

    /// Ids of what is opened through an account.
    pub async fn opened_through(&self, account_id: &str) -> Result<Vec<String>> {
        Ok(self.store.accounts(AccountQuery::OpenedThrough(account_id)).await?.into_iter().map(|row| row.id).collect())
    }

    /// Tells of what is opened through an account, whose state it has now. An event is a help: that the store cannot be read now must not hide what was done.
    pub(super) async fn publish_opened(&self, account_id: &str, state: AccountState) {
        for row in self.store.accounts(AccountQuery::OpenedThrough(account_id)).await.unwrap_or_default() {
            if row.state == state {
                self.event_bus.publish(Event::AccountChanged { account_id: row.id, state });
            }
        }
    }

    /// That a person can sign in to it, or approve for it. Errors: InvalidInput, for a shared mailbox.
    pub(super) fn check_signs_in(row: &AccountRow) -> Result<()> {
        if row.kind != AccountKind::SharedMailbox {
            return Ok(());
        }
        let delegate = row.delegate.as_deref().unwrap_or_default();
        Err(Error::invalid(format!("Nobody signs in to a shared mailbox. Use the account it is opened through ({delegate}), or add it again through another one (add_shared_mailbox).")).on_account(&row.id))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
