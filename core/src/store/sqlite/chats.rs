//! Chats by whom they are with.

use super::{SqliteStore, first, run};
use crate::error::Result;
use crate::store::ChatStore;
use async_trait::async_trait;

#[async_trait]
impl ChatStore for SqliteStore {
    async fn chat(&self, account_id: &str, people: &[u8; 32]) -> Result<Option<(String, i64)>> {
        let (account_id, people) = (account_id.to_owned(), *people);
        self.read(move |c| first(c, "SELECT chat_id, kept_at FROM chats WHERE account_id = ?1 AND people = ?2", (&account_id, &people[..]), |row| Ok((row.get(0)?, row.get(1)?)))).await
    }

    async fn keep_chat(&self, account_id: &str, people: &[u8; 32], chat_id: Option<&str>, now: i64) -> Result<()> {
        let (account_id, people, chat_id) = (account_id.to_owned(), *people, chat_id.map(str::to_owned));
        self.write(move |tx| {
            match &chat_id {
                Some(chat_id) => run(
                    tx,
                    "INSERT INTO chats (account_id, people, chat_id, kept_at) SELECT id, ?2, ?3, ?4 FROM accounts WHERE id = ?1 AND owner <> ''
                     ON CONFLICT (account_id, people) DO UPDATE SET chat_id = excluded.chat_id, kept_at = excluded.kept_at",
                    (&account_id, &people[..], chat_id, now),
                )?,
                None => run(tx, "DELETE FROM chats WHERE account_id = ?1 AND people = ?2", (&account_id, &people[..]))?,
            };
            Ok(())
        })
        .await
    }
}
