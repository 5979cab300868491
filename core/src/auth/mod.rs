//! Entra: signing in, keeping the tokens, handing them out. The diagram is in [`state`].
//!
//! `begin` starts, `attempt` remembers, `callback` reads what comes back, `flow` ends, `keep` stores, `waiting` what cannot be finished yet; `approval` is the administrator's part,
//! `shown` what hosts see.

mod approval;
mod approver;
mod assertion;
mod attempt;
mod begin;
mod bot;
mod callback;
mod check;
mod delegate;
mod device;
mod flow;
mod identity;
mod keep;
mod permissions;
mod reach;
mod refresh;
mod roles;
mod scopes;
mod sender;
mod sheet;
mod shown;
mod state;
mod token;
mod verify;
mod waiting;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use device::DeviceAttempt;
pub use roles::beside_mail as features_beside_mail;
pub use scopes::name as feature_name;
pub use shown::{allows, has_scope, lacking_of_mailbox};

use crate::clock::{Clock, to_ms};
use crate::config::{App, Config, DEFAULT_APP, Endpoints};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::events::EventBus;
use crate::model::{Account, AccountFilter, AccountKind, AccountPage};
use crate::pipeline::Pipeline;
use crate::seal::AadContext;
use crate::store::{AccountQuery, AccountRow, AccountWindow, Lease, Store};
use crate::trust::Trust;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};
use token::{Credential, Entra};

/// Accounts of one page.
const MOST_LISTED: u32 = 1_000;

/// What the host configured, as far as signing in goes.
pub struct AuthConfig {
    pub endpoints: Endpoints,
    /// The configuration's own first.
    pub apps: Vec<App>,
    pub sign_in_seconds: u32,
    /// The application that is a bot, and where it asks for its tokens.
    pub bot: Option<BotConfig>,
}

/// A bot, as far as its tokens go.
#[derive(Clone)]
pub struct BotConfig {
    pub app: String,
    pub tenant: String,
    pub scope: &'static str,
}

impl AuthConfig {
    pub fn of(config: &Config, endpoints: &Endpoints) -> Self {
        let own = App {
            name: DEFAULT_APP.to_owned(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            certificate: config.certificate.clone(),
            tenant: config.tenant.clone(),
        };
        let apps = std::iter::once(own).chain(config.apps.iter().cloned()).collect();
        let tenant = || config.bot_tenant.clone().unwrap_or_else(|| endpoints.bots.tenant.to_owned());
        let bot = config.bot_app.clone().map(|app| BotConfig { app, tenant: tenant(), scope: endpoints.bots.scope });
        Self { endpoints: endpoints.clone(), apps, sign_in_seconds: config.sign_in_seconds, bot }
    }
}

/// One of the host's registrations in Entra.
struct Application {
    name: String,
    /// Whose sign-in page it uses unless another is asked for.
    tenant: String,
    entra: Entra,
}

pub struct Auth {
    store: Arc<dyn Store>,
    vault: Vault,
    pipeline: Arc<Pipeline>,
    trust: Trust,
    apps: Vec<Application>,
    clock: Arc<dyn Clock>,
    event_bus: EventBus,
    config: AuthConfig,
    token_cache: refresh::TokenCache,
    bot_token: bot::BotTokens,
    /// For tasks that outlive their caller.
    me: Weak<Auth>,
}

impl Auth {
    pub fn new(store: Arc<dyn Store>, vault: Vault, pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, event_bus: EventBus, config: AuthConfig) -> Arc<Self> {
        let trust = Trust::new(pipeline.clone(), &config.endpoints, clock.clone());
        let application = |app: &App| {
            let credential = match (&app.client_secret, &app.certificate) {
                (Some(secret), _) => Credential::Secret(secret.clone()),
                (None, Some(certificate)) => Credential::Certificate(certificate.clone()),
                (None, None) => Credential::None,
            };
            let entra = Entra::new(pipeline.clone(), clock.clone(), &config.endpoints, &app.client_id, credential);
            Application { name: app.name.clone(), tenant: app.tenant.to_ascii_lowercase(), entra }
        };
        let apps = config.apps.iter().map(application).collect();
        Arc::new_cyclic(|me| Self { store, vault, pipeline, trust, apps, clock, event_bus, config, token_cache: refresh::TokenCache::default(), bot_token: bot::BotTokens::default(), me: me.clone() })
    }

    pub async fn accounts(&self, filter: AccountFilter) -> Result<AccountPage> {
        if !(1..=MOST_LISTED).contains(&filter.limit) {
            return Err(Error::invalid("limit must be from 1 to 1000."));
        }
        // What time has changed is settled first: the filter asks for states.
        self.settle_overdue(filter.owner.as_deref()).await?;
        let given = |text: Option<&str>| text.map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat());
        let list = [b"accounts".to_vec(), given(filter.owner.as_deref()), given(filter.state.map(|state| format!("{state:?}")).as_deref())];
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        let after = filter.cursor.as_deref().map(|cursor| self.vault.position::<1>(&list, cursor)).transpose()?.map_or(0, |[number]| number);
        // One more than asked for tells whether there are more.
        let window = AccountWindow { owner: filter.owner.as_deref(), state: filter.state, after, limit: filter.limit + 1 };
        let mut rows = self.store.accounts(AccountQuery::Page(window)).await?;
        let more = rows.len() > filter.limit as usize;
        rows.truncate(filter.limit as usize);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| self.vault.cursor(&list, &[row.number])).transpose()?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            items.push(self.describe(row).await?);
        }
        Ok(AccountPage { items, next })
    }

    /// Of the configuration's own application.
    pub fn client_id(&self) -> &str {
        self.config.apps.first().map_or("", |app| app.client_id.as_str())
    }

    /// Settles what time alone has changed about an owner's accounts, or everybody's.
    pub async fn settle_all(&self, owner: Option<&str>) -> Result<()> {
        self.settle_overdue(owner).await
    }

    pub async fn account(&self, account_id: &str) -> Result<Account> {
        let row = self.row(account_id).await?;
        self.describe(&row).await
    }

    fn app(&self, name: &str) -> Option<&Application> {
        self.apps.iter().find(|app| app.name == name)
    }

    /// The application an account was connected through.
    fn app_of(&self, row: &AccountRow) -> Result<&Application> {
        self.app(&row.app).ok_or_else(|| {
            let words = format!("The account was connected through the application “{}”, which is not configured here. Add it to apps, or connect the account again through another.", row.app);
            Error::new(ErrorKind::Forbidden, words).with_remedy(Remedy::Developer).on_account(&row.id)
        })
    }

    /// Where an account's tokens are asked.
    fn tenant_of<'a>(&self, row: &'a AccountRow, app: &'a Application) -> &'a str {
        match row.kind {
            AccountKind::Tenant => row.tenant().unwrap_or(&app.tenant),
            _ if row.authority.is_empty() => &app.tenant,
            _ => &row.authority,
        }
    }

    fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    async fn release(&self, lease: Lease) {
        // A lease that cannot be given back runs out by itself.
        if let Err(e) = self.store.release_lease(&lease).await {
            tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "a lease could not be released");
        }
    }
}

/// Name and address, and what the host wants to find again: for display, under the content key.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Profile {
    address: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// Until somebody has signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_hint: Option<String>,
    /// What is stored cannot be read; the next sign-in or `verify` writes it anew.
    #[serde(skip)]
    is_damaged: bool,
}

fn profile_place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "accounts", column: "profile", account_id, row: account_id, version }
}

fn claims_place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "accounts", column: "claims", account_id, row: account_id, version }
}

fn token_place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "tokens", column: "sealed", account_id, row: account_id, version }
}

#[cfg(test)]
mod tests;
