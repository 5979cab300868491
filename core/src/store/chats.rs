//! Chats that were made or found, by whom they are with.

use crate::error::Result;
use async_trait::async_trait;

#[async_trait]
pub trait ChatStore {
    /// The chat of this account with these people, and since when it is known; `people` is a keyed hash of them.
    async fn chat(&self, account_id: &str, people: &[u8; 32]) -> Result<Option<(String, i64)>>;
    /// From now on this is the chat with them; None: there is none. Changes nothing for an account that is gone.
    async fn keep_chat(&self, account_id: &str, people: &[u8; 32], chat_id: Option<&str>, now: i64) -> Result<()>;
}
