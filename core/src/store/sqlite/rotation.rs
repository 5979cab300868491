//! Replacing keys: succession, sealing anew, the end of the old one.

use super::ending::mark_erasure;
use super::fault::{Outcome, corrupt};
use super::keys::{self, CANARY};
use super::sealed_columns::{SEALED_COLUMNS, SealedColumn};
use super::{ERASE_RETRY_WAIT, SqliteStore, all, handovers, exists, first, leases, run, sealed, word};
use crate::error::{ErrorKind, Result};
use crate::seal::Sealed;
use crate::model::AuditKind;
use crate::store::{KeyHandover, Entry, KeyFate, KeyPurpose, KeyRow, KeyStore, LEASE_MS, Lease, NewKey, NewRoot, ROOT_KDF, ROOT_WRAPPED, Retired, RingKey, SealedValue, RowRef, outdated};
use crate::store::words::Word;
use async_trait::async_trait;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};

/// Bytes of envelopes held at a time.
const BATCH_BYTES: usize = 8 << 20;
const ROTATION: &str = "key_rotation";

fn ring_key(row: &Row<'_>) -> Outcome<RingKey> {
    Ok(RingKey {
        id: row.get(0)?,
        purpose: word(row, 1)?,
        account_id: row.get(2)?,
        wrapped: sealed(row, 3)?,
        is_active: row.get(4)?,
        uses: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// One byte for the column, one for the form of the row's key, then the key.
fn row_ref(column: usize, row: &Row<'_>) -> Outcome<RowRef> {
    let column = u8::try_from(column).map_err(|_| corrupt("a column"))?;
    Ok(RowRef(match row.get_ref(0)? {
        ValueRef::Integer(number) => [[column, 0].as_slice(), &number.to_be_bytes()].concat(),
        ValueRef::Blob(bytes) => [[column, 1].as_slice(), bytes].concat(),
        _ => return Err(corrupt("a row").into()),
    }))
}

fn read_ref(at: &RowRef) -> Outcome<(&'static SealedColumn, Value)> {
    let (column, key) = match at.0.as_slice() {
        [column, 0, number @ ..] => (column, number.try_into().ok().map(|bytes| Value::Integer(i64::from_be_bytes(bytes)))),
        [column, 1, bytes @ ..] => (column, Some(Value::Blob(bytes.to_vec()))),
        _ => return Err(corrupt("a row").into()),
    };
    Ok(SEALED_COLUMNS.get(usize::from(*column)).zip(key).ok_or_else(|| corrupt("a row"))?)
}

fn is_needed(c: &Connection, key_id: i64) -> Outcome<bool> {
    let header = Sealed::begins(key_id);
    for column in SEALED_COLUMNS {
        if exists(c, column.holds, [header.as_slice()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn put_fact(c: &Connection, name: &str, value: Option<&[u8]>) -> Outcome<()> {
    match value {
        Some(value) => keys::set_meta(c, name, value),
        None => run(c, "DELETE FROM meta WHERE name = ?1", [name]).map(drop),
    }
}

fn called(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Store => "The key of the store",
        KeyPurpose::Secrets => "The key of an account's tokens",
        KeyPurpose::Content => "The key of an account's mail",
        KeyPurpose::Hashes => "The key of an account's hashes",
        KeyPurpose::Audit => "The key of the audit log",
    }
}

fn about(kind: AuditKind, detail: String, account_id: Option<&str>) -> Entry {
    let entry = Entry::new(kind, detail);
    match account_id.filter(|id| !id.is_empty()) {
        Some(id) => entry.on(id),
        None => entry,
    }
}

/// A key that is replaced because of its uses knows no time of day but that of the key before it; the log does not go back.
fn no_earlier(c: &Connection, at: i64) -> Outcome<i64> {
    Ok(first(c, "SELECT at FROM audit ORDER BY id DESC LIMIT 1", [], |row| Ok(row.get::<_, i64>(0)?))?.unwrap_or(at).max(at))
}

/// Ours still, and for another while: a long job renews its lease by working.
fn hold(c: &Connection, lease: &Lease, now: i64) -> Outcome<bool> {
    Ok(leases::is_held(c, lease)? && leases::renew(c, lease, now, LEASE_MS)?)
}

fn sealed_with(c: &Connection, key_id: i64, limit: u32) -> Outcome<Vec<SealedValue>> {
    let header = Sealed::begins(key_id);
    let mut found = Vec::new();
    let mut bytes = 0;
    for (number, column) in SEALED_COLUMNS.iter().enumerate() {
        let mut statement = c.prepare_cached(column.find)?;
        let mut rows = statement.query((header.as_slice(), limit))?;
        while let Some(row) = rows.next()? {
            // What is no envelope any more can be opened by nobody; the key stays because of it.
            let sealed = match Sealed::parse(row.get(5)?) {
                Ok(sealed) => sealed,
                Err(e) if e.kind() == ErrorKind::Corrupt => continue,
                Err(e) => return Err(e.into()),
            };
            let value = SealedValue {
                at: row_ref(number, row)?,
                table: column.place_table,
                column: row.get(1)?,
                account_id: row.get(2)?,
                row: row.get(3)?,
                version: row.get(4)?,
                sealed,
            };
            bytes += value.sealed.as_bytes().len();
            found.push(value);
            if bytes > BATCH_BYTES || found.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn insert_store_key(&self, key: &NewKey, canary: &Sealed, wrapped_root: Option<&[u8]>) -> Result<()> {
        let (key, canary, wrapped_root) = (key.clone(), canary.clone(), wrapped_root.map(<[u8]>::to_vec));
        self.write(move |tx| keys::put_store_key(tx, &key, &canary, wrapped_root.as_deref())).await
    }

    async fn canary(&self) -> Result<Option<Sealed>> {
        self.read(|c| Ok(keys::meta(c, CANARY)?.map(Sealed::parse).transpose()?)).await
    }

    #[cfg(test)]
    async fn key(&self, id: i64) -> Result<Option<KeyRow>> {
        self.read(move |c| keys::by_id(c, id)).await
    }

    async fn active_key(&self, purpose: KeyPurpose, account_id: Option<&str>) -> Result<Option<KeyRow>> {
        let account_id = account_id.unwrap_or_default().to_owned();
        self.read(move |c| keys::active(c, purpose, &account_id)).await
    }

    async fn reserve_uses(&self, key_id: i64, count: i64) -> Result<i64> {
        self.write(move |tx| keys::add_uses(tx, key_id, count)).await
    }

    async fn key_ring(&self, purpose: KeyPurpose, account_id: &str) -> Result<Vec<RingKey>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            all(
                c,
                "SELECT id, purpose, account_id, wrapped, is_active, uses, created_at FROM keys
                 WHERE purpose = ?1 AND account_id = ?2 AND wrapped IS NOT NULL ORDER BY is_active DESC, created_at DESC",
                (purpose.word(), account_id),
                ring_key,
            )
        })
        .await
    }

    async fn live_keys(&self) -> Result<Vec<RingKey>> {
        let sql = "SELECT id, purpose, account_id, wrapped, is_active, uses, created_at FROM keys WHERE wrapped IS NOT NULL ORDER BY purpose, account_id, created_at";
        self.read(move |c| all(c, sql, [], ring_key)).await
    }

    async fn key_fate(&self, id: i64) -> Result<Option<KeyFate>> {
        self.read(move |c| {
            first(c, "SELECT purpose, account_id, wrapped IS NULL FROM keys WHERE id = ?1", [id], |row| {
                Ok(KeyFate { purpose: word(row, 0)?, account_id: row.get(1)?, is_destroyed: row.get(2)? })
            })
        })
        .await
    }

    async fn succeed_key(&self, old: i64, new: &[NewKey], canary: Option<&Sealed>, handover: Option<&KeyHandover>, lease: Option<&Lease>) -> Result<bool> {
        let (store, new, canary, handover, lease) = (self.clone(), new.to_vec(), canary.cloned(), handover.cloned(), lease.cloned());
        self.write(move |tx| {
            if let Some(lease) = &lease
                && !leases::is_held(tx, lease)?
            {
                return Ok(false);
            }
            // A store key wrapped by a root key that was replaced meanwhile would open for nobody.
            if let Some(canary) = &canary
                && keys::meta(tx, CANARY)?.as_deref() != Some(canary.as_bytes())
            {
                return Ok(false);
            }
            if run(tx, "UPDATE keys SET is_active = 0 WHERE id = ?1 AND is_active = 1 AND wrapped IS NOT NULL", [old])? == 0 {
                return Ok(false);
            }
            for key in &new {
                keys::insert(tx, key)?;
            }
            if let Some(handover) = &handover {
                handovers::build(tx, handover)?;
            }
            let Some(first) = new.first() else { return Ok(true) };
            let detail = format!("{} was replaced by a new one.", called(first.purpose));
            store.note(tx, &[about(AuditKind::KeyRotated, detail, first.account_id.as_deref())], no_earlier(tx, first.created_at)?)?;
            Ok(true)
        })
        .await
    }

    async fn handovers(&self) -> Result<Vec<KeyHandover>> {
        self.read(handovers::standing).await
    }

    async fn sealed_with(&self, key_id: i64, limit: u32) -> Result<Vec<SealedValue>> {
        self.read(move |c| sealed_with(c, key_id, limit)).await
    }

    async fn reseal(&self, lease: &Lease, values: Vec<(SealedValue, Sealed)>, now: i64) -> Result<Option<u64>> {
        let lease = lease.clone();
        self.write(move |tx| {
            if !hold(tx, &lease, now)? {
                return Ok(None);
            }
            let mut replaced = 0;
            for (old, new) in &values {
                keys::check_active(tx, [new])?;
                let (column, key) = read_ref(&old.at)?;
                // Only where the old envelope still stands: what was written meanwhile is newer, and sealed with the new key.
                replaced += run(tx, column.replace, (key, old.sealed.as_bytes(), new.as_bytes()))?;
            }
            Ok(Some(u64::try_from(replaced).unwrap_or(0)))
        })
        .await
    }

    async fn retire_key(&self, lease: &Lease, key_id: i64, now: i64) -> Result<Retired> {
        let (store, lease) = (self.clone(), lease.clone());
        self.destroying(ERASE_RETRY_WAIT, move |tx| {
            if !leases::is_held(tx, &lease)? {
                return Ok((Retired::Lost, false));
            }
            if is_needed(tx, key_id)? {
                return Ok((Retired::Needed, false));
            }
            let gone = first(
                tx,
                "UPDATE keys SET wrapped = NULL WHERE id = ?1 AND is_active = 0 AND wrapped IS NOT NULL RETURNING purpose, account_id",
                [key_id],
                |row| Ok((word::<KeyPurpose>(row, 0)?, row.get::<_, String>(1)?)),
            )?;
            if let Some((purpose, account_id)) = gone {
                let detail = format!("{} that was replaced is destroyed; nothing needs it any more.", called(purpose));
                store.note(tx, &[about(AuditKind::KeyDestroyed, detail, Some(&account_id))], now)?;
            }
            mark_erasure(tx)?;
            Ok((Retired::Destroyed, true))
        })
        .await
    }

    async fn change_root(&self, lease: &Lease, root: NewRoot, now: i64) -> Result<bool> {
        let (store, lease) = (self.clone(), lease.clone());
        self.destroying(ERASE_RETRY_WAIT, move |tx| {
            if !leases::is_held(tx, &lease)? || keys::meta(tx, CANARY)?.as_deref() != Some(root.old_canary.as_bytes()) {
                return Ok((false, false));
            }
            for (id, wrapped) in &root.store_keys {
                if run(tx, "UPDATE keys SET wrapped = ?2 WHERE id = ?1 AND purpose = 'store' AND wrapped IS NOT NULL", (id, wrapped.as_bytes()))? == 0 {
                    return Err(outdated(*id).into());
                }
            }
            let live = first(tx, "SELECT COUNT(*) FROM keys WHERE purpose = 'store' AND wrapped IS NOT NULL", [], |row| Ok(row.get::<_, i64>(0)?))?;
            if live != i64::try_from(root.store_keys.len()).ok() {
                // One that came meanwhile, by the store key that was the newest before it.
                return Err(outdated(root.store_keys.first().map_or(0, |(id, _)| *id)).into());
            }
            keys::set_meta(tx, CANARY, root.canary.as_bytes())?;
            put_fact(tx, ROOT_KDF, root.kdf.as_deref())?;
            put_fact(tx, ROOT_WRAPPED, root.wrapped.as_deref())?;
            store.note(tx, &[about(AuditKind::KeyRotated, "The root key was replaced by a new one.".to_owned(), None)], now)?;
            mark_erasure(tx)?;
            Ok((true, true))
        })
        .await
    }

    async fn keep_wrapped(&self, canary: &Sealed, wrapped: &[u8]) -> Result<bool> {
        let (canary, wrapped) = (canary.clone(), wrapped.to_vec());
        self.destroying(ERASE_RETRY_WAIT, move |tx| {
            if keys::meta(tx, CANARY)?.as_deref() != Some(canary.as_bytes()) {
                return Ok((false, false));
            }
            keys::set_meta(tx, ROOT_WRAPPED, &wrapped)?;
            mark_erasure(tx)?;
            Ok((true, true))
        })
        .await
    }

    async fn mark_rotation(&self, lease: &Lease, mark: Option<&[u8]>) -> Result<bool> {
        let (lease, mark) = (lease.clone(), mark.map(<[u8]>::to_vec));
        self.write(move |tx| {
            let ours = leases::is_held(tx, &lease)?;
            if ours {
                put_fact(tx, ROTATION, mark.as_deref())?;
            }
            Ok(ours)
        })
        .await
    }
}
