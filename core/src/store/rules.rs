//! Rules by which messages get a host's key.

use super::links::LinkedMessage;
use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// A rule of an owner.
#[derive(Debug, Clone)]
pub struct RuleRow {
    pub owner: String,
    /// Keyed hash of owner and key.
    pub hash: [u8; 32],
    pub version: i64,
    /// Under the store key, for its [`rule_place`].
    pub sealed: Sealed,
}

/// Under the store key; `row`: the hash as [`hex`](crate::hex::hex).
pub fn rule_place(row: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "link_rules", column: "sealed", account_id: "", row, version }
}

#[async_trait]
pub trait RuleStore {
    /// In place of the one with this hash, whose version was seen (0: there was none), and to be held against all mail of the owner that is here. `terms`:
    /// keyed hashes of its addresses and domains. False: it is another one by now. Errors: LimitExceeded, when the owner has `most` already.
    async fn put_rule(&self, rule: RuleRow, terms: Vec<[u8; 32]>, seen: i64, most: u32) -> Result<bool>;
    async fn rule(&self, hash: &[u8; 32]) -> Result<Option<RuleRow>>;
    /// In the order in which they were made.
    async fn rules(&self, owner: &str) -> Result<Vec<RuleRow>>;
    /// False: there is none.
    async fn remove_rule(&self, hash: &[u8; 32]) -> Result<bool>;
    async fn has_rules(&self, owner: &str) -> Result<bool>;
    /// Those that have one of these terms, with the term.
    async fn rules_with(&self, terms: Vec<[u8; 32]>) -> Result<Vec<([u8; 32], RuleRow)>>;
    /// Accounts whose mail is to be held against a rule.
    async fn accounts_to_scan(&self) -> Result<Vec<String>>;
    /// The next rule for an account, and the row after which it goes on.
    async fn next_scan(&self, account_id: &str) -> Result<Option<(RuleRow, i64)>>;
    /// What was found up to and including the row `after`; None: that was all. Messages it was taken from do not get the key back. False: it is another rule by now.
    async fn note_scan(&self, account_id: &str, rule: &RuleRow, found: Vec<LinkedMessage>, after: Option<i64>, now: i64) -> Result<bool>;
}
