//! Entra: signing in, keeping the tokens, handing them out. The diagram is in [`state`].

mod assertion;
mod flow;
mod permissions;
mod reach;
mod refresh;
mod scopes;
mod state;
mod token;

pub use scopes::covers;

use crate::clock::{Clock, from_ms, to_ms};
use crate::config::{Config, Endpoints};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Bell;
use crate::model::{Account, AccountFilter, AccountKind, AccountState};
use crate::pipeline::Pipeline;
use crate::runtime::blocking;
use crate::secret::Secret;
use crate::seal::Place;
use crate::store::{AccountRow, Lease, Store};
use crate::trust::Trust;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};

/// What the host configured, as far as signing in goes.
pub struct AuthConfig {
    pub endpoints: Endpoints,
    pub client_id: String,
    pub client_secret: Option<Arc<Secret>>,
    pub tenant: String,
    pub sign_in_seconds: u32,
}

impl AuthConfig {
    pub fn of(config: &Config, endpoints: &Endpoints) -> Self {
        Self {
            endpoints: endpoints.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            tenant: config.tenant.clone(),
            sign_in_seconds: config.sign_in_seconds,
        }
    }
}

pub struct Auth {
    store: Arc<dyn Store>,
    vault: Vault,
    pipeline: Arc<Pipeline>,
    trust: Trust,
    entra: token::Entra,
    clock: Arc<dyn Clock>,
    bell: Bell,
    config: AuthConfig,
    desk: refresh::Desk,
    /// For tasks that outlive their caller.
    me: Weak<Auth>,
}

impl Auth {
    pub fn new(store: Arc<dyn Store>, vault: Vault, pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, bell: Bell, config: AuthConfig) -> Arc<Self> {
        let trust = Trust::new(pipeline.clone(), &config.endpoints, clock.clone());
        let entra = token::Entra::new(pipeline.clone(), &config.endpoints, &config.tenant, &config.client_id, config.client_secret.as_deref());
        Arc::new_cyclic(|me| Self { store, vault, pipeline, trust, entra, clock, bell, config, desk: refresh::Desk::default(), me: me.clone() })
    }

    pub async fn accounts(&self, filter: AccountFilter) -> Result<Vec<Account>> {
        self.step(move |me| me.store.accounts(&filter)?.iter().map(|row| me.describe(row)).collect()).await
    }

    pub async fn account(&self, account_id: &str) -> Result<Account> {
        let id = account_id.to_owned();
        self.step(move |me| {
            let row = me.store.account(&id)?.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no account with this id."))?;
            me.describe(&row)
        })
        .await
    }

    /// An account as hosts see it. Blocks.
    fn describe(&self, row: &AccountRow) -> Result<Account> {
        let profile = match self.vault.content(&row.id).and_then(|key| key.open(profile_place(&row.id, row.profile_version), &row.profile)) {
            Ok(plain) => serde_json::from_slice(&plain).map_err(|_| Error::new(ErrorKind::Corrupt, "The stored name of an account cannot be read."))?,
            // After a purge the key is gone, and with it name and address.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotConnected) => Profile::default(),
            Err(e) => return Err(e.on_account(&row.id)),
        };
        Ok(account(row, profile))
    }

    fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    /// Runs a blocking step of the store or the vault.
    async fn step<T: Send + 'static>(&self, work: impl FnOnce(&Auth) -> Result<T> + Send + 'static) -> Result<T> {
        let me = self.me.upgrade().ok_or_else(crate::runtime::closed)?;
        blocking(move || work(&me)).await
    }

    async fn release(&self, lease: Lease) {
        // A lease that cannot be given back runs out by itself.
        if let Err(e) = self.step(move |me| me.store.release_lease(&lease)).await {
            tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "a lease could not be released");
        }
    }
}

/// Name and address: for display, under the content key.
#[derive(Default, Serialize, Deserialize)]
struct Profile {
    address: String,
    display_name: String,
}

fn profile_place(account_id: &str, version: i64) -> Place<'_> {
    Place { table: "accounts", column: "profile", account_id, row: account_id, version }
}

fn token_place(account_id: &str, version: i64) -> Place<'_> {
    Place { table: "tokens", column: "sealed", account_id, row: account_id, version }
}

fn account(row: &AccountRow, profile: Profile) -> Account {
    Account {
        id: row.id.clone(),
        owner: row.owner.clone(),
        kind: AccountKind::Person,
        state: row.state,
        app: "default".to_owned(),
        context: None,
        address: profile.address,
        display_name: profile.display_name,
        tenant_id: row.tenant_id.clone(),
        user_id: row.user_id.clone(),
        features: row.features.clone(),
        scopes: row.scopes.clone(),
        missing: scopes::missing(&row.features, &row.scopes),
        connected_at: from_ms(row.connected_at),
        problem: row.problem.clone().filter(|_| row.state != AccountState::Connected),
        warnings: Vec::new(),
        access_ends_at: None,
    }
}

#[cfg(test)]
mod tests;
