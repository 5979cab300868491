//! Teams workflows: rows of `accounts` of a kind of their own, so that keys, sends, disconnect, purge, feed and audit are one mechanism. Nothing of [`accounts`]
//! reads them.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, keys, purge, run, sealed, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountState, AuditKind};
use crate::store::{Entry, NewKey, TokenRow, WorkflowRow, WorkflowStore};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

macro_rules! select_workflow {
    ($rest:literal) => {
        concat!("SELECT id, owner, profile, profile_version, connected_at FROM accounts WHERE kind = 'workflow' AND owner <> '' AND state = 'connected' ", $rest)
    };
}

fn workflow_row(row: &Row<'_>) -> Outcome<WorkflowRow> {
    Ok(WorkflowRow { id: row.get(0)?, owner: row.get(1)?, profile: sealed(row, 2)?, profile_version: row.get(3)?, added_at: row.get(4)? })
}

fn by_id(c: &Connection, id: &str) -> Outcome<Option<WorkflowRow>> {
    first(c, select_workflow!("AND id = ?1"), [id], workflow_row)
}

/// Whether posts go there.
pub fn is_there(c: &Connection, id: &str) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND kind = 'workflow' AND owner <> '' AND state = 'connected'", [id])
}

/// What ends, of an account or a workflow.
pub struct Ending {
    pub owner: String,
    pub state: AccountState,
    pub tenant_id: String,
    pub user_id: String,
    pub is_workflow: bool,
}

/// None: it is purged, or never was.
pub fn ending(c: &Connection, id: &str) -> Outcome<Option<Ending>> {
    first(c, "SELECT owner, state, tenant_id, user_id, kind = 'workflow' FROM accounts WHERE id = ?1 AND owner <> ''", [id], |row| {
        Ok(Ending { owner: row.get(0)?, state: word(row, 1)?, tenant_id: row.get(2)?, user_id: row.get(3)?, is_workflow: row.get(4)? })
    })
}

impl SqliteStore {
    fn put_workflow(&self, tx: &Connection, workflow: &WorkflowRow, url: &TokenRow, new_keys: &[NewKey], most: u32) -> Outcome<()> {
        purge::refuse_deleted(tx, &workflow.owner, &workflow.id)?;
        let count: u32 = first(tx, "SELECT COUNT(*) FROM accounts WHERE owner = ?1 AND kind = 'workflow' AND state = 'connected'", [&workflow.owner], |row| Ok(row.get(0)?))?.unwrap_or_default();
        if count >= most {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("This owner has {most} workflows already. Remove those that are not used any more.")).into());
        }
        // A place of nobody's: each workflow is one of its own, also when two have one URL.
        run(
            tx,
            "INSERT INTO accounts (id, owner, tenant_id, user_id, kind, app, state, state_since, profile, profile_version, connected_at)
             VALUES (?1, ?2, '', 'workflow/' || ?1, 'workflow', '', 'connected', ?3, ?4, ?5, ?3)",
            (&workflow.id, &workflow.owner, workflow.added_at, workflow.profile.as_bytes(), workflow.profile_version),
        )?;
        new_keys.iter().try_for_each(|key| keys::insert(tx, key))?;
        run(
            tx,
            "INSERT INTO tokens (account_id, version, sealed, expires_at, refreshed_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            (&workflow.id, url.version, url.sealed.as_bytes(), url.expires_at, url.refreshed_at),
        )?;
        keys::check_active(tx, [&workflow.profile, &url.sealed])?;
        keys::announce_account(tx, &workflow.id, workflow.added_at)?;
        let entry = Entry::new(AuditKind::WorkflowAdded, "A workflow was added.").on(&workflow.id).of(self.owner_mark(&workflow.owner)?);
        self.note(tx, &[entry], workflow.added_at)
    }
}

#[async_trait]
impl WorkflowStore for SqliteStore {
    async fn add_workflow(&self, workflow: &WorkflowRow, url: &TokenRow, keys: &[NewKey], most: u32) -> Result<()> {
        let (store, workflow, url, keys) = (self.clone(), workflow.clone(), url.clone(), keys.to_vec());
        self.write(move |tx| store.put_workflow(tx, &workflow, &url, &keys, most)).await
    }

    async fn workflow(&self, id: &str) -> Result<Option<WorkflowRow>> {
        let id = id.to_owned();
        self.read(move |c| by_id(c, &id)).await
    }

    async fn workflows(&self, owner: &str) -> Result<Vec<WorkflowRow>> {
        let owner = owner.to_owned();
        self.read(move |c| all(c, select_workflow!("AND owner = ?1 ORDER BY num"), [owner], workflow_row)).await
    }

    async fn sender_state(&self, id: &str) -> Result<Option<AccountState>> {
        let id = id.to_owned();
        self.read(move |c| Ok(ending(c, &id)?.map(|row| row.state))).await
    }
}
