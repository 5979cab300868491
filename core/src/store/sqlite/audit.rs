//! Writing the audit log: at the end, in the transaction of what it tells about, bound to the record before.

use super::fault::{Outcome, corrupt};
use super::names::Word;
use super::{SqliteStore, all, exists, first, keys, run};
use crate::error::{Error, Result};
use crate::model::AuditKind;
use crate::store::{AuditEnd, AuditExtent, AuditRow, AuditStore, BEGINNING, Entry, KeyPurpose, NewKey, AuditSigner};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::borrow::Cow;
use std::sync::Arc;

pub const END: &str = "audit_end";

/// Adds records after the signed end. What stands in the table does not matter here: if its tail was cut off, the gap stays to be seen.
fn add(c: &Connection, audit_signer: &dyn AuditSigner, mut end: AuditEnd, entries: &[Entry], at: i64) -> Outcome<()> {
    for entry in entries {
        end.number += 1;
        let mut row = AuditRow {
            number: end.number,
            at,
            kind: entry.kind.word().to_owned(),
            account_id: entry.account_id.clone(),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
            legible: true,
            hash: Vec::new(),
        };
        end.hash = row.hash_as(audit_signer, end.number, &end.hash)?;
        row.hash = end.hash.to_vec();
        run(
            c,
            "INSERT INTO audit (number, at, kind, account_id, subject, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            rusqlite::params![row.number, row.at, row.kind, row.account_id, row.subject, row.detail, row.hash],
        )?;
    }
    keys::set_meta(c, END, &end.to_bytes(audit_signer)?)
}

fn audit_row(row: &Row<'_>) -> Outcome<AuditRow> {
    let mut legible = true;
    let mut text = |column: usize| -> Outcome<Option<String>> {
        // Whoever altered the file may have put anything there. It is shown as well as it can be, so that the altered record can be named.
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(column)? else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes);
        legible &= matches!(text, Cow::Borrowed(_));
        Ok(Some(text.into_owned()))
    };
    let (kind, account_id, subject, detail) = (text(2)?.unwrap_or_default(), text(3)?, text(4)?, text(5)?.unwrap_or_default());
    Ok(AuditRow { number: row.get(0)?, at: row.get(1)?, kind, account_id, subject, detail, legible, hash: row.get(6)? })
}

impl SqliteStore {
    /// Records in the transaction of the step itself: either both are durable or neither is.
    pub(super) fn note(&self, c: &Connection, entries: &[Entry], at: i64) -> Outcome<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let audit_signer = self.audit_signer()?;
        let end = match keys::meta(c, END)? {
            Some(bytes) => AuditEnd::read(&*audit_signer, &bytes)?,
            None => None,
        };
        add(c, &*audit_signer, end.ok_or_else(|| corrupt("the end of the audit log"))?, entries, at)
    }

    /// What an owner is called in the log.
    pub(super) fn owner_mark(&self, owner: &str) -> Outcome<String> {
        Ok(self.audit_signer()?.owner(owner)?)
    }
}

impl AuditStore for SqliteStore {
    fn begin_audit(&self, key: &NewKey, audit_signer: &dyn AuditSigner, now: i64) -> Result<()> {
        self.write(|tx| {
            if exists(tx, "SELECT 1 FROM keys WHERE purpose = ?1", [KeyPurpose::Audit.word()])? {
                return Ok(());
            }
            // A store that was in use has a log. Beginning another would hide that it is gone.
            let used = exists(tx, "SELECT 1 FROM audit", [])?
                || keys::meta(tx, END)?.is_some()
                || exists(tx, "SELECT 1 FROM keys WHERE purpose <> ?1", [KeyPurpose::Store.word()])?;
            if used {
                return Err(corrupt("the key of the audit log").into());
            }
            keys::insert(tx, key)?;
            add(tx, audit_signer, AuditEnd { number: 0, hash: BEGINNING }, &[Entry::new(AuditKind::StoreMade, "The store was made.")], now)
        })
    }

    fn set_audit_signer(&self, audit_signer: Arc<dyn AuditSigner>) {
        let _ = self.audit_signer.set(audit_signer);
    }

    fn audit_signer(&self) -> Result<Arc<dyn AuditSigner>> {
        self.audit_signer.get().cloned().ok_or_else(|| Error::internal("The audit log has nobody who signs it yet, so nothing was changed. Please report it."))
    }

    fn record(&self, entries: &[Entry], now: i64) -> Result<()> {
        self.write(|tx| self.note(tx, entries, now))
    }

    fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(|c| {
            all(
                c,
                "SELECT number, at, kind, account_id, subject, detail, hash FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2",
                (after, limit),
                audit_row,
            )
        })
    }

    fn audit_extent(&self) -> Result<AuditExtent> {
        self.read(|c| {
            let end = keys::meta(c, END)?;
            let counted = first(c, "SELECT COUNT(*), MAX(number) FROM audit", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (records, last) = counted.unwrap_or((0, None));
            Ok(AuditExtent { records, last, end })
        })
    }
}
