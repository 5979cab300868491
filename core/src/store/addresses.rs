//! Who takes part in messages, by keyed hashes of the addresses. What is missing is noted before a list is made by an address.

use super::mail::MessageRow;
use crate::error::Result;
use async_trait::async_trait;

/// The people of one message.
#[derive(Debug, Clone)]
pub struct MessageAddresses {
    pub account_id: String,
    pub row_id: i64,
    /// Of the message as it was read.
    pub version: i64,
    /// Keyed hashes.
    pub hashes: Vec<[u8; 32]>,
}

#[async_trait]
pub trait AddressStore {
    /// Messages whose addresses are not noted, or not as they are now.
    async fn addresses_unknown(&self, account_id: &str, limit: u32) -> Result<Vec<MessageRow>>;
    /// In place of what was noted before, in one transaction. A message that changed or went meanwhile is left as it is.
    async fn note_addresses(&self, found: Vec<MessageAddresses>) -> Result<()>;
}
