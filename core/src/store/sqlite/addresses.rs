//! Who takes part in messages.

use super::fault::Outcome;
use super::{SqliteStore, all, mail, run};
use crate::error::Result;
use crate::store::{AddressStore, MessageAddresses, MessageRow};
use async_trait::async_trait;
use rusqlite::Connection;

/// A condition on messages of the account ?1: somebody with the hash that is bound at this place takes part.
pub fn among(place: usize) -> String {
    format!(" AND id IN (SELECT a.message_id FROM message_addresses AS a WHERE a.account_id = ?1 AND a.hash = ?{place})")
}

pub fn forget(c: &Connection, row_id: i64) -> Outcome<()> {
    run(c, "DELETE FROM message_addresses WHERE message_id = ?1", [row_id])?;
    Ok(())
}

fn note(c: &Connection, found: &MessageAddresses) -> Outcome<()> {
    let is_as_read = run(
        c,
        "UPDATE messages SET addresses_version = version WHERE id = ?1 AND account_id = ?2 AND version = ?3 AND is_removed = 0",
        (found.row_id, &found.account_id, found.version),
    )?;
    if is_as_read == 0 {
        return Ok(());
    }
    forget(c, found.row_id)?;
    for hash in &found.hashes {
        run(c, "INSERT INTO message_addresses (account_id, hash, message_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (&found.account_id, &hash[..], found.row_id))?;
    }
    Ok(())
}

#[async_trait]
impl AddressStore for SqliteStore {
    async fn addresses_unknown(&self, account_id: &str, limit: u32) -> Result<Vec<MessageRow>> {
        let id = account_id.to_owned();
        let sql = format!(
            "SELECT {} FROM messages AS m INDEXED BY messages_addresses_unknown WHERE m.is_removed = 0 AND m.addresses_version <> m.version AND m.account_id = ?1 LIMIT ?2",
            mail::COLUMNS
        );
        self.read(move |c| all(c, &sql, (id, limit), mail::message_row)).await
    }

    async fn note_addresses(&self, found: Vec<MessageAddresses>) -> Result<()> {
        self.write(move |tx| found.iter().try_for_each(|one| note(tx, one))).await
    }
}
