//! Endpoints of subscribers, and what was sent to several of them at once.

use super::ItemRow;
use crate::error::Result;
use crate::model::{EndpointKind, EndpointState};
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Of one subscriber.
pub const MOST_ENDPOINTS: u32 = 100;

#[derive(Debug, Clone)]
pub struct EndpointRow {
    pub row_id: i64,
    pub id: String,
    /// The account it goes through, or the workflow.
    pub account_id: String,
    pub subscriber: String,
    /// Keyed: of subscriber and context; of the target; of the person or team of the target alone.
    pub context_hash: [u8; 32],
    pub target_hash: [u8; 32],
    pub place_hash: [u8; 32],
    pub kind: EndpointKind,
    pub state: EndpointState,
    pub reason: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub changed_at: i64,
    /// Context and target, for its [`endpoint_place`].
    pub sealed: Sealed,
}

/// Under the content key.
pub fn endpoint_place<'a>(account_id: &'a str, id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "endpoints", column: "sealed", account_id, row: id, version }
}

/// Which endpoints; in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct EndpointWindow {
    /// None: of any account.
    pub account_ids: Option<Vec<String>>,
    pub subscriber: Option<String>,
    pub context_hash: Option<[u8; 32]>,
    pub state: Option<EndpointState>,
    /// Row of the last one that was shown.
    pub after: i64,
    pub limit: u32,
}

/// A message that went to endpoints.
#[derive(Debug, Clone)]
pub struct WholeRow {
    pub id: String,
    pub subscriber: String,
    pub key: Option<String>,
    pub content_hash: Vec<u8>,
    pub created_at: i64,
    pub refused: Vec<RefusedPart>,
}

/// What the ids of wholes begin with.
pub const WHOLE_ID: &str = "whl_";

/// An endpoint that a message was not taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPart {
    pub endpoint_id: String,
    pub reason: String,
}

/// Which whole a send is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    pub whole_id: String,
    pub endpoint_id: String,
    /// What it was when the message was handed in.
    pub endpoint_version: i64,
}

/// Why an endpoint gets nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// For good, until it is changed.
    Final,
    /// Until the app of the bot is installed there. Some: what the person is found by then, if they were named by an address.
    NotInstalled(Option<[u8; 32]>),
}

#[async_trait]
pub trait EndpointStore {
    /// One with the same target of the same subscriber and context is made active and answered in its place. Errors: LimitExceeded ([`MOST_ENDPOINTS`]), Conflict (the owner was
    /// deleted), NotConnected (there is no such account or workflow any more).
    async fn add_endpoint(&self, row: &EndpointRow) -> Result<EndpointRow>;
    /// In place of the version that was seen. None: it is another one by now. Conflict: there is one like it.
    async fn change_endpoint(&self, seen: &EndpointRow, row: &EndpointRow) -> Result<Option<EndpointRow>>;
    /// False: there is none.
    async fn remove_endpoint(&self, id: &str) -> Result<bool>;
    async fn endpoint(&self, id: &str) -> Result<Option<EndpointRow>>;
    /// One more than `limit` if there are.
    async fn endpoints(&self, window: &EndpointWindow) -> Result<Vec<EndpointRow>>;
    async fn whole(&self, id: &str) -> Result<Option<WholeRow>>;
    async fn whole_by_key(&self, subscriber: &str, key: &str) -> Result<Option<WholeRow>>;
    /// In the order in which they were handed in.
    async fn parts(&self, whole_id: &str) -> Result<Vec<ItemRow>>;
}
