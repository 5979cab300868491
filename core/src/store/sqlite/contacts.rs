//! Contacts of mailboxes.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, first, json, keys, may_write, run, sealed, sealed_opt};
use crate::error::Result;
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{ContactBatch, ContactFolderRow, ContactRow, ContactStore, ContactWindow, KnownContact, Lease, NewContact};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

fn put(tx: &Connection, batch: &ContactBatch, contact: &NewContact) -> Outcome<()> {
    let ContactBatch { account_id, folder_id, enumeration, now, .. } = batch;
    let row = first(
        tx,
        "INSERT INTO contacts (public_id, account_id, graph_id, folder_id, change_key, version, enumeration, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (account_id, graph_id) DO UPDATE SET folder_id = excluded.folder_id, change_key = excluded.change_key, version = excluded.version,
           enumeration = excluded.enumeration, sealed = excluded.sealed
         RETURNING id, public_id",
        (&contact.public_id, account_id, &contact.graph_id, folder_id, &contact.change_key, contact.version, enumeration, contact.sealed.as_bytes()),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
    )?;
    let Some((id, public_id)) = row else { return Ok(()) };
    run(tx, "DELETE FROM contact_addresses WHERE contact_id = ?1", [id])?;
    for hash in &contact.addresses {
        run(tx, "INSERT INTO contact_addresses (account_id, hash, contact_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (account_id, &hash[..], id))?;
    }
    announce(tx, ChangeKind::ContactChanged, account_id, Some(&public_id), *now)
}

/// What is in no folder any more.
fn drop_gone(tx: &Connection, account_id: &str, now: i64) -> Outcome<u32> {
    let gone = all(tx, "SELECT id, public_id FROM contacts WHERE account_id = ?1 AND folder_id = ''", [account_id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (id, public_id) in &gone {
        run(tx, "DELETE FROM contact_addresses WHERE contact_id = ?1", [id])?;
        run(tx, "DELETE FROM contacts WHERE id = ?1", [id])?;
        announce(tx, ChangeKind::ContactRemoved, account_id, Some(public_id), now)?;
    }
    Ok(u32::try_from(gone.len()).unwrap_or(u32::MAX))
}

fn row(row: &Row<'_>) -> Outcome<ContactRow> {
    Ok(ContactRow { row_id: row.get(0)?, public_id: row.get(1)?, account_id: row.get(2)?, graph_id: row.get(3)?, folder_id: row.get(4)?, version: row.get(5)?, sealed: sealed(row, 6)? })
}

#[async_trait]
impl ContactStore for SqliteStore {
    async fn contact_folders(&self, account_id: &str) -> Result<Vec<ContactFolderRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            all(c, "SELECT graph_id, link, link_version, enumeration FROM contact_folders WHERE account_id = ?1 ORDER BY id", [&account_id], |row| {
                Ok(ContactFolderRow { graph_id: row.get(0)?, link: sealed_opt(row, 1)?, link_version: row.get(2)?, enumeration: row.get(3)? })
            })
        })
        .await
    }

    async fn begin_contacts(&self, account_id: &str, generation: i64, lease: &Lease, folder_id: &str) -> Result<Option<i64>> {
        let (account_id, lease, folder_id) = (account_id.to_owned(), lease.clone(), folder_id.to_owned());
        self.write(move |tx| {
            if !may_write(tx, &account_id, generation, &lease)? {
                return Ok(None);
            }
            first(
                tx,
                "INSERT INTO contact_folders (account_id, graph_id, link_version, enumeration) VALUES (?1, ?2, 0, 1)
                 ON CONFLICT (account_id, graph_id) DO UPDATE SET link = NULL, enumeration = enumeration + 1 RETURNING enumeration",
                (&account_id, &folder_id),
                |row| Ok(row.get(0)?),
            )
        })
        .await
    }

    async fn known_contacts(&self, account_id: &str, graph_ids: &[String]) -> Result<Vec<KnownContact>> {
        let (account_id, graph_ids) = (account_id.to_owned(), graph_ids.to_vec());
        self.read(move |c| {
            all(
                c,
                "SELECT k.graph_id, k.folder_id, k.change_key, k.version FROM json_each(?2) AS wanted CROSS JOIN contacts AS k ON k.account_id = ?1 AND k.graph_id = wanted.value",
                (&account_id, json(&graph_ids)?),
                |row| Ok(KnownContact { graph_id: row.get(0)?, folder_id: row.get(1)?, change_key: row.get(2)?, version: row.get(3)? }),
            )
        })
        .await
    }

    async fn store_contacts(&self, batch: ContactBatch) -> Result<Option<u32>> {
        self.write(move |tx| {
            let ContactBatch { account_id, folder_id, enumeration, .. } = &batch;
            if !may_write(tx, account_id, batch.generation, &batch.lease)? {
                return Ok(None);
            }
            keys::check_active(tx, batch.put.iter().map(|contact| &contact.sealed).chain([&batch.link]))?;
            for contact in &batch.put {
                put(tx, &batch, contact)?;
            }
            run(
                tx,
                "UPDATE contacts SET folder_id = ?2, enumeration = ?3 WHERE account_id = ?1 AND graph_id IN (SELECT value FROM json_each(?4))",
                (account_id, folder_id, enumeration, json(&batch.same)?),
            )?;
            // It may have come back to another folder already.
            run(
                tx,
                "UPDATE contacts SET folder_id = '' WHERE account_id = ?1 AND folder_id = ?2 AND graph_id IN (SELECT value FROM json_each(?3))",
                (account_id, folder_id, json(&batch.gone)?),
            )?;
            if batch.is_delta {
                run(tx, "UPDATE contacts SET folder_id = '' WHERE account_id = ?1 AND folder_id = ?2 AND enumeration < ?3", (account_id, folder_id, enumeration))?;
            }
            run(
                tx,
                "UPDATE contact_folders SET link = ?3, link_version = ?4 WHERE account_id = ?1 AND graph_id = ?2",
                (account_id, folder_id, Sealed::as_bytes(&batch.link), batch.link_version),
            )?;
            Ok(Some(u32::try_from(batch.put.len()).unwrap_or(u32::MAX)))
        })
        .await
    }

    async fn settle_contacts(&self, account_id: &str, generation: i64, lease: &Lease, folders: &[String], now: i64) -> Result<Option<u32>> {
        let (account_id, lease, folders) = (account_id.to_owned(), lease.clone(), folders.to_vec());
        self.write(move |tx| {
            if !may_write(tx, &account_id, generation, &lease)? {
                return Ok(None);
            }
            let folders = json(&folders)?;
            run(tx, "UPDATE contacts SET folder_id = '' WHERE account_id = ?1 AND folder_id <> '' AND folder_id NOT IN (SELECT value FROM json_each(?2))", (&account_id, &folders))?;
            run(tx, "DELETE FROM contact_folders WHERE account_id = ?1 AND graph_id NOT IN (SELECT value FROM json_each(?2))", (&account_id, &folders))?;
            drop_gone(tx, &account_id, now).map(Some)
        })
        .await
    }

    async fn contacts(&self, window: &ContactWindow) -> Result<Vec<ContactRow>> {
        let window = window.clone();
        self.read(move |c| {
            let ContactWindow { account_ids, address, after, limit } = &window;
            let limit = limit.saturating_add(1);
            let Some(address) = address else {
                return all(
                    c,
                    "SELECT id, public_id, account_id, graph_id, folder_id, version, sealed FROM contacts
                     WHERE id > ?1 AND account_id IN (SELECT value FROM json_each(?2)) ORDER BY id LIMIT ?3",
                    (after, json(account_ids)?, limit),
                    row,
                );
            };
            let mut rows = Vec::new();
            for account_id in account_ids {
                let Some(hash) = address.get(account_id) else { continue };
                rows.extend(all(
                    c,
                    "SELECT k.id, k.public_id, k.account_id, k.graph_id, k.folder_id, k.version, k.sealed FROM contact_addresses AS a CROSS JOIN contacts AS k ON k.id = a.contact_id
                     WHERE a.account_id = ?1 AND a.hash = ?2 AND a.contact_id > ?3 ORDER BY a.contact_id LIMIT ?4",
                    (account_id, &hash[..], after, limit),
                    row,
                )?);
            }
            rows.sort_by_key(|row| row.row_id);
            rows.truncate(limit as usize);
            Ok(rows)
        })
        .await
    }
}
