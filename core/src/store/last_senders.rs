//! From which account, and in whose name, an owner wrote last in a context.

use crate::error::Result;
use crate::seal::Sealed;
use async_trait::async_trait;

/// What is remembered with a send that names a context, in the transaction that stores it.
#[derive(Debug, Clone)]
pub struct LastSenderRow {
    /// Keyed hash of owner and context.
    pub context: [u8; 32],
    pub account_id: String,
    /// Sealed for row version `used_at`. None: the account's own address.
    pub from_address: Option<Sealed>,
    pub used_at: i64,
}

#[async_trait]
pub trait LastSenderStore {
    /// None: nothing is remembered, or its account is disconnected or purged.
    async fn last_sender(&self, context: &[u8; 32]) -> Result<Option<LastSenderRow>>;
}
