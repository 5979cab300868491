//! Facts that health is judged by.

use super::{SqliteStore, first, run, word};
use crate::error::Result;
use crate::store::{HealthError, HealthRow, HealthStore};
use crate::store::words::Word;
use async_trait::async_trait;

#[async_trait]
impl HealthStore for SqliteStore {
    async fn note_sync(&self, account_id: &str, outcome: &std::result::Result<i64, HealthError>) -> Result<()> {
        let (account_id, outcome) = (account_id.to_owned(), outcome.clone());
        self.write(move |tx| {
            match &outcome {
                Ok(at) => run(
                    tx,
                    "INSERT INTO health (account_id, last_success_at) SELECT id, ?2 FROM accounts WHERE id = ?1
                     ON CONFLICT (account_id) DO UPDATE SET last_success_at = excluded.last_success_at, last_error_at = NULL, error_kind = NULL, error = NULL",
                    (&account_id, at),
                )?,
                Err(error) => run(
                    tx,
                    "INSERT INTO health (account_id, last_error_at, error_kind, error) SELECT id, ?2, ?3, ?4 FROM accounts WHERE id = ?1
                     ON CONFLICT (account_id) DO UPDATE SET last_error_at = excluded.last_error_at, error_kind = excluded.error_kind, error = excluded.error",
                    (&account_id, error.at, error.kind.word(), &error.reason),
                )?,
            };
            Ok(())
        })
        .await
    }

    async fn health(&self, account_id: &str) -> Result<HealthRow> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            let row = first(c, "SELECT last_success_at, last_error_at, error_kind, error FROM health WHERE account_id = ?1", [account_id], |row| {
                let error = match row.get(1)? {
                    Some(at) => Some(HealthError { at, kind: word(row, 2)?, reason: row.get(3)? }),
                    None => None,
                };
                Ok(HealthRow { last_success_at: row.get(0)?, error })
            })?;
            Ok(row.unwrap_or_default())
        })
        .await
    }
}
