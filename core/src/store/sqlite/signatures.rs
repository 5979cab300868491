//! Signatures of accounts.

use super::{SqliteStore, exists, first, keys, run, sealed_opt};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::Sealed;
use crate::store::{SignatureRow, SignatureStore};
use async_trait::async_trait;

#[async_trait]
impl SignatureStore for SqliteStore {
    async fn signature(&self, account_id: &str) -> Result<Option<SignatureRow>> {
        let id = account_id.to_owned();
        self.read(move |c| first(c, "SELECT sealed, version FROM signatures WHERE account_id = ?1", [&id], |row| Ok(SignatureRow { sealed: sealed_opt(row, 0)?, version: row.get(1)? }))).await
    }

    async fn set_signature(&self, account_id: &str, signature: &SignatureRow) -> Result<bool> {
        let (id, SignatureRow { sealed, version }) = (account_id.to_owned(), signature.clone());
        self.write(move |tx| {
            if !exists(tx, "SELECT 1 FROM accounts WHERE id = ?1 AND owner <> ''", [&id])? {
                return Err(Error::new(ErrorKind::NotFound, "There is no account with this id.").on_account(&id).into());
            }
            keys::check_active(tx, sealed.iter())?;
            let written = run(
                tx,
                "INSERT INTO signatures (account_id, sealed, version) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account_id) DO UPDATE SET sealed = excluded.sealed, version = excluded.version WHERE version = excluded.version - 1",
                (&id, sealed.as_ref().map(Sealed::as_bytes), version),
            )?;
            Ok(written > 0)
        })
        .await
    }
}
