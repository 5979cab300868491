//! Shared mailboxes and the accounts they are opened through: what becomes of the one becomes of the others, in the same step.

use super::accounts::by_id;
use super::fault::Outcome;
use super::{SqliteStore, all, json, keys, run};
use crate::model::{AccountKind, AccountState, AuditKind, Feature};
use crate::store::words::Word;
use crate::store::{AccountRow, Entry, moved_on};
use rusqlite::Connection;

/// Why it ends when the account it is opened through does.
pub const ENDED: &str = "The account it was opened through was disconnected. Add it again through another one (add_shared_mailbox).";

/// What is opened through this account, in the order in which it came.
pub fn opened_through(c: &Connection, delegate: &str) -> Outcome<Vec<String>> {
    all(c, "SELECT id FROM accounts WHERE delegate = ?1 AND owner <> '' ORDER BY num", [delegate], |row| Ok(row.get(0)?))
}

/// Of a shared mailbox that is about to be stored: the account it is opened through is there, of the same owner and connected, and is a person's or an organisation's.
pub fn check(c: &Connection, account: &AccountRow) -> Outcome<()> {
    let Some(delegate) = &account.delegate else { return Ok(()) };
    match by_id(c, delegate)? {
        Some(row) if row.owner == account.owner && row.tenant_id == account.tenant_id && matches!(row.kind, AccountKind::Person | AccountKind::Tenant) && row.state != AccountState::Disconnected => Ok(()),
        _ => Err(moved_on().into()),
    }
}

impl SqliteStore {
    /// What an account can do, what is opened through it can: its state, its application and what was granted to it. Nothing of that brings back what is
    /// disconnected.
    pub(super) fn tell_opened(&self, c: &Connection, delegate: &str, now: i64) -> Outcome<()> {
        let ids = opened_through(c, delegate)?;
        if ids.is_empty() {
            return Ok(());
        }
        let Some(account) = by_id(c, delegate)?.filter(|row| row.state != AccountState::Disconnected) else { return Ok(()) };
        let problem = account.problem.as_ref().filter(|_| account.state != AccountState::Connected).map(|problem| format!("The account it is opened through does not work now. {problem}"));
        let scopes = json(&account.scopes)?;
        for id in ids {
            let Some(before) = by_id(c, &id)?.filter(|row| row.state != AccountState::Disconnected) else { continue };
            let changed = run(
                c,
                "UPDATE accounts SET state_since = CASE WHEN state = ?2 THEN state_since ELSE ?7 END, state = ?2, problem = ?3, scopes = ?4, app = ?5, authority = ?6
                 WHERE id = ?1 AND (state <> ?2 OR problem IS NOT ?3 OR scopes <> ?4 OR app <> ?5 OR authority <> ?6)",
                (&id, account.state.word(), &problem, &scopes, &account.app, &account.authority, now),
            )?;
            if changed > 0 {
                keys::announce_account(c, &id, now)?;
            }
            if before.state != account.state {
                self.note(c, &[Entry::new(AuditKind::StateChanged, format!("The account is now {}.", account.state.word())).on(&id)], now)?;
            }
        }
        Ok(())
    }

    /// It is opened through this account from now on. False: its generation has moved on, or it is disconnected.
    pub(super) fn open_through(&self, c: &Connection, id: &str, generation: Option<i64>, delegate: &str, features: &[Feature], now: i64) -> Outcome<bool> {
        let Some(row) = by_id(c, id)?.filter(|row| row.state != AccountState::Disconnected && generation.is_none_or(|known| known == row.generation)) else { return Ok(false) };
        let is_another = row.delegate.as_deref() != Some(delegate);
        check(c, &AccountRow { delegate: Some(delegate.to_owned()), ..row.clone() })?;
        let words: Vec<&str> = features.iter().map(|f| f.word()).collect();
        run(c, "UPDATE accounts SET delegate = ?2, features = ?3 WHERE id = ?1", (id, delegate, json(&words)?))?;
        if is_another || row.features != features {
            keys::announce_account(c, id, now)?;
        }
        if is_another {
            self.note(c, &[Entry::new(AuditKind::StateChanged, "The shared mailbox is opened through another account now.").on(id)], now)?;
        }
        self.tell_opened(c, delegate, now)?;
        Ok(true)
    }
}
