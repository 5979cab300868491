//! Teams workflows that posts go to. A workflow has keys, sends and an end as an account has: it is disconnected and purged by the same steps, and stands where
//! rows name an account. What is asked of accounts tells of none.

use super::accounts::{NewKey, TokenRow};
use crate::error::Result;
use crate::model::AccountState;
use crate::seal::Sealed;
use async_trait::async_trait;

/// A workflow that takes posts.
#[derive(Debug, Clone)]
pub struct WorkflowRow {
    pub id: String,
    pub owner: String,
    /// Name, host and context, under the content key; in the place and version of an account's profile.
    pub profile: Sealed,
    pub profile_version: i64,
    pub added_at: i64,
}

#[async_trait]
pub trait WorkflowStore {
    /// The workflow, its URL and its keys in one step, with a change-feed row. `url` is sealed in the place of an account's token. Errors: Conflict (the owner was
    /// deleted), LimitExceeded (the owner has `most` of them already).
    async fn add_workflow(&self, workflow: &WorkflowRow, url: &TokenRow, keys: &[NewKey], most: u32) -> Result<()>;
    /// None: there is none with this id, or it was removed.
    async fn workflow(&self, id: &str) -> Result<Option<WorkflowRow>>;
    /// Of an owner, in the order in which they came.
    async fn workflows(&self, owner: &str) -> Result<Vec<WorkflowRow>>;
    /// State of an account or, with `Connected` until it is removed, of a workflow. None: it is gone.
    async fn sender_state(&self, id: &str) -> Result<Option<AccountState>>;
}
