//! Teams workflows from add to remove: what is known of them under the content key, the URL under the secrets key, which goes when they are removed.

use crate::clock::{Clock, from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::flows::{Flows, url_place};
use crate::model::{AccountState, Event, Workflow};
use crate::random;
use crate::seal::AadContext;
use crate::store::{Store, TokenRow, WorkflowRow};
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Of one owner.
const MOST: u32 = 1_000;
const LONGEST_NAME: usize = 100;
const LONGEST_CONTEXT: usize = 1_000;
/// A URL does not run out by itself.
const NEVER: i64 = i64::MAX;

pub struct Workflows {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub flows: Flows,
    pub clock: Arc<dyn Clock>,
    pub event_bus: EventBus,
}

/// What is shown of a workflow, sealed in the place of an account's name and address.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Profile {
    name: String,
    url: String,
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

impl Workflows {
    /// The caller has checked the owner. Durable when it returns. Errors: InvalidInput, LinkRejected, LimitExceeded, Conflict.
    pub async fn add(&self, owner: String, name: String, url: Zeroizing<String>, context: Option<String>) -> Result<Workflow> {
        check_name(&name)?;
        if context.as_ref().is_some_and(|text| text.chars().count() > LONGEST_CONTEXT) {
            return Err(Error::invalid("context must be at most 1000 characters."));
        }
        let url = self.flows.check(&url)?;
        let (id, added_at) = (format!("wfl_{}", random::token::<16>()?), to_ms(self.clock.now()));
        let profile = Profile { name, url: url.shown, host: url.host, context };
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A workflow could not be written."))?;
        let (vault, id, owner) = (&self.vault, id.as_str(), owner.as_str());
        let (plain, text) = (&plain, &url.text);
        vault
            .with_current_keys(async || {
                let keys = vault.new_account_keys(id, true, added_at)?;
                let opened = vault.adopt(id, &keys).await?;
                let sealed = opened.secrets.seal(url_place(id, 1), text.as_bytes())?;
                let token = TokenRow { account_id: id.to_owned(), version: 1, sealed, expires_at: NEVER, refreshed_at: added_at };
                let row = WorkflowRow { id: id.to_owned(), owner: owner.to_owned(), profile: opened.content.seal(profile_place(id, 1), plain)?, profile_version: 1, added_at };
                self.store.add_workflow(&row, &token, &keys, MOST).await
            })
            .await?;
        tracing::info!(target: "tidings::engine", workflow = id, "a workflow was added");
        self.told(id, AccountState::Connected);
        Ok(shown(id, owner, added_at, profile))
    }

    /// In the order in which they were added.
    pub async fn list(&self, owner: &str) -> Result<Vec<Workflow>> {
        let mut list = Vec::new();
        for row in self.store.workflows(owner).await? {
            let profile = self.profile(&row).await?;
            list.push(shown(&row.id, &row.owner, row.added_at, profile));
        }
        Ok(list)
    }

    /// Takes back what was not posted, and destroys the URL with its key. Errors: NotFound, also for one of another owner.
    pub async fn remove(&self, id: &str, owner: Option<&str>, reason: &str) -> Result<()> {
        let row = self.store.workflow(id).await?.filter(|row| owner.is_none_or(|owner| owner == row.owner)).ok_or_else(not_found)?;
        self.store.disconnect_account(&row.id, reason, to_ms(self.clock.now())).await?;
        self.vault.forget(&row.id);
        tracing::info!(target: "tidings::engine", workflow = row.id, "a workflow was removed");
        self.told(&row.id, AccountState::Disconnected);
        Ok(())
    }

    /// Errors: NotConnected when there is none with this id, or it was removed.
    pub async fn usable(&self, id: &str) -> Result<()> {
        let none = || Error::new(ErrorKind::NotConnected, "There is no workflow with this id, or it was removed. Add it with add_workflow.").on_account(id);
        self.store.workflow(id).await?.map(drop).ok_or_else(none)
    }

    fn told(&self, id: &str, state: AccountState) {
        self.event_bus.publish(Event::AccountChanged { account_id: id.to_owned(), state });
    }

    async fn profile(&self, row: &WorkflowRow) -> Result<Profile> {
        let open = |newer: Option<WorkflowRow>| async move {
            let row = newer.as_ref().unwrap_or(row);
            self.vault.content(&row.id).await?.open(profile_place(&row.id, row.profile_version), &row.profile)
        };
        let read = |_| async { Ok(self.store.workflow(&row.id).await?.map(Some)) };
        match self.vault.with_current_row(None, read, open).await {
            Ok((_, plain)) => serde_json::from_slice(&plain).or_else(|_| damaged(row)),
            // One damaged name must not hide the others.
            Err(e) if e.kind() == ErrorKind::Corrupt => damaged(row),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotConnected) => Ok(Profile::default()),
            Err(e) => Err(e.on_account(&row.id)),
        }
    }
}

fn damaged(row: &WorkflowRow) -> Result<Profile> {
    tracing::error!(target: "tidings::engine", workflow = row.id, "the stored name of a workflow cannot be read");
    Ok(Profile::default())
}

fn shown(id: &str, owner: &str, added_at: i64, profile: Profile) -> Workflow {
    let Profile { name, url, host, context } = profile;
    Workflow { id: id.to_owned(), owner: owner.to_owned(), name, url, host, context, added_at: from_ms(added_at) }
}

fn check_name(name: &str) -> Result<()> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.trim().is_empty() && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::invalid("name must be 1 to 100 characters, without line breaks. It is for display.")) }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no workflow with this id.")
}

fn profile_place(id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "accounts", column: "profile", account_id: id, row: id, version }
}
