use super::account::{Account, Feature};
use super::receipt::Receipt;
use serde::{Deserialize, Serialize};

/// One permission of Microsoft's, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Microsoft's name, as in `Mail.Send`.
    pub name: String,
    /// What it is, in a few words for the person who is asked.
    pub title: String,
    /// Why it is asked for.
    pub reason: String,
    /// Features that need it.
    pub features: Vec<Feature>,
    /// Microsoft lets only an administrator grant it.
    pub needs_admin: bool,
    /// Whether the account asked about has it; none without an account.
    pub granted: Option<bool>,
}

/// Permissions, and what they leave alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionList {
    pub items: Vec<Permission>,
    /// What is not accessed, in sentences for the person who is asked.
    pub not_accessed: Vec<String>,
}

/// What to explain: the permissions that features need or, with an account, those it was granted as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PermissionQuery {
    pub features: Vec<Feature>,
    pub extra_scopes: Vec<String>,
    pub account_id: Option<String>,
    /// Whose the account must be.
    pub owner: Option<String>,
}

/// `NotAsked`: the account has no mail feature. `Unlicensed`: no Exchange Online licence. `OnPremises`: it is on a server of the organisation's own, which
/// Graph cannot reach. `Forbidden`: the permission is missing. `Unreachable`: no answer; try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    NotAsked,
    Reachable,
    Unlicensed,
    OnPremises,
    Forbidden,
    Unreachable,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// As it is now; name and address are brought up to date.
    pub account: Account,
    pub mailbox: MailboxState,
    /// The test message, if one was asked for.
    pub test_message: Option<Receipt>,
    /// What does not work and what to do, in words; empty when all is well.
    pub problems: Vec<String>,
}
