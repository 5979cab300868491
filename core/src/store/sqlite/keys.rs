//! Wrapped keys, their count of uses, and the small facts of `meta`.

use super::fault::Outcome;
use super::{announce, exists, first, run, sealed_opt};
use crate::error::{Error, ErrorKind};
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{KeyPurpose, KeyRow, NewKey, ROOT_WRAPPED, USES_AT_BIRTH, outdated};
use crate::store::words::Word;
use rusqlite::{Connection, Row};

pub const CANARY: &str = "canary";

pub fn meta(c: &Connection, name: &str) -> Outcome<Option<Vec<u8>>> {
    first(c, "SELECT value FROM meta WHERE name = ?1", [name], |row| Ok(row.get(0)?))
}

pub fn set_meta(c: &Connection, name: &str, value: &[u8]) -> Outcome<()> {
    run(c, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))?;
    Ok(())
}

/// It may be used to seal with, and to open what is sent now.
pub fn is_active(c: &Connection, id: i64) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM keys WHERE id = ?1 AND is_active = 1 AND wrapped IS NOT NULL", [id])
}

/// Refuses values sealed with a key that was replaced or destroyed since: a rotation that has ended would never look at them again, and with the old
/// key they would be lost. Every write of an envelope asks this in its own transaction.
pub fn check_active<'a>(c: &Connection, values: impl IntoIterator<Item = &'a Sealed>) -> Outcome<()> {
    let mut good = None;
    for value in values {
        let id = value.key_id();
        if good != Some(id) {
            if !is_active(c, id)? {
                return Err(outdated(id).into());
            }
            good = Some(id);
        }
    }
    Ok(())
}

pub fn insert(c: &Connection, key: &NewKey) -> Outcome<()> {
    // Wrapped by a store key that was replaced meanwhile: to be wrapped again.
    if exists(c, "SELECT 1 FROM keys WHERE id = ?1 AND purpose = 'store' AND is_active = 0", [key.wrapped.key_id()])? {
        return Err(outdated(key.wrapped.key_id()).into());
    }
    run(
        c,
        "INSERT INTO keys (id, purpose, account_id, wrapped, is_active, uses, created_at) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)",
        (key.id, key.purpose.word(), key.account_id.as_deref().unwrap_or_default(), key.wrapped.as_bytes(), USES_AT_BIRTH, key.created_at),
    )?;
    Ok(())
}

pub fn destroy(c: &Connection, purpose: KeyPurpose, account_id: &str) -> Outcome<usize> {
    if purpose == KeyPurpose::Content {
        destroy(c, KeyPurpose::Hashes, account_id)?;
    }
    // Also one that a rotation has replaced and not yet emptied.
    run(c, "UPDATE keys SET wrapped = NULL, is_active = 0 WHERE purpose = ?1 AND account_id = ?2 AND wrapped IS NOT NULL", (purpose.word(), account_id))
}

fn row(row: &Row<'_>) -> Outcome<KeyRow> {
    Ok(KeyRow { id: row.get(0)?, wrapped: sealed_opt(row, 1)?, uses: row.get(2)? })
}

#[cfg(test)]
pub fn by_id(c: &Connection, id: i64) -> Outcome<Option<KeyRow>> {
    first(c, "SELECT id, wrapped, uses FROM keys WHERE id = ?1", [id], row)
}

pub fn active(c: &Connection, purpose: KeyPurpose, account_id: &str) -> Outcome<Option<KeyRow>> {
    first(
        c,
        "SELECT id, wrapped, uses FROM keys WHERE purpose = ?1 AND account_id = ?2 AND is_active = 1",
        (purpose.word(), account_id),
        row,
    )
}

pub fn add_uses(c: &Connection, key_id: i64, count: i64) -> Outcome<i64> {
    match first(c, "UPDATE keys SET uses = uses + ?2 WHERE id = ?1 AND wrapped IS NOT NULL RETURNING uses", (key_id, count), |row| Ok(row.get(0)?))? {
        Some(uses) => Ok(uses),
        None => Err(missing(c, key_id)?.into()),
    }
}

/// Why a key that is not there is not there: replaced by another, or destroyed for good.
fn missing(c: &Connection, key_id: i64) -> Outcome<Error> {
    let replaced = exists(
        c,
        "SELECT 1 FROM keys old JOIN keys new ON new.purpose = old.purpose AND new.account_id = old.account_id AND new.is_active = 1 WHERE old.id = ?1",
        [key_id],
    )?;
    Ok(if replaced { outdated(key_id) } else { gone() })
}

fn gone() -> Error {
    Error::new(ErrorKind::NotConnected, "The key of this account is destroyed. Connect the account again.")
}

/// Does nothing when there is a store key already.
pub fn put_store_key(tx: &Connection, key: &NewKey, canary: &Sealed, wrapped_root: Option<&[u8]>) -> Outcome<()> {
    if exists(tx, "SELECT 1 FROM keys WHERE purpose = ?1", [KeyPurpose::Store.word()])? {
        return Ok(());
    }
    insert(tx, key)?;
    if let Some(wrapped) = wrapped_root {
        set_meta(tx, ROOT_WRAPPED, wrapped)?;
    }
    set_meta(tx, CANARY, canary.as_bytes())
}

/// Tells readers of the feed that an account changed.
pub fn announce_account(c: &Connection, account_id: &str, at: i64) -> Outcome<()> {
    announce(c, ChangeKind::AccountChanged, account_id, None, at)
}
