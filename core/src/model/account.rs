use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// What a person connects for; the engine derives the smallest set of Microsoft permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    Chat,
    Channels,
    People,
    MailSend,
    MailSync,
    SharedMailboxes,
    Contacts,
    Calendar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    Connected,
    NeedsReconnect,
    AwaitingAdmin,
    Misconfigured,
    Disconnected,
}

/// A sign-in to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectRequest {
    /// Your own opaque key of the person or team that owns the account, 1 to 200 characters.
    pub owner: String,
    /// At least one.
    pub features: Vec<Feature>,
    /// Where Microsoft sends the browser back; must be registered in Entra. `connect_here` fills it in.
    pub redirect_uri: String,
    /// Address to fill in on Microsoft's page.
    pub login_hint: Option<String>,
    /// Further Microsoft permissions to ask for, as in `Calendars.Read`.
    pub extra_scopes: Vec<String>,
}

/// A started sign-in. Send the person to `url`; keep `binding` in that person's session and hand it to `finish_connect`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    pub url: String,
    /// Secret that ties the callback to the browser it was started in.
    pub binding: String,
    #[serde(with = "rfc3339")]
    pub expires_at: SystemTime,
}

// The URL carries `state`, the binding is a secret: neither may reach a log through Debug.
impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A connected Microsoft 365 account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub owner: String,
    pub state: AccountState,
    /// Address and name as Microsoft gives them; for display, never a key.
    pub address: String,
    pub display_name: String,
    /// Entra tenant id and object id: who it is.
    pub tenant_id: String,
    pub user_id: String,
    pub features: Vec<Feature>,
    /// What was really granted.
    pub scopes: Vec<String>,
    /// Features asked for that the granted permissions do not cover.
    pub missing: Vec<Feature>,
    #[serde(with = "rfc3339")]
    pub connected_at: SystemTime,
    /// Why it is not connected, and what to do.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountFilter {
    pub owner: Option<String>,
    pub state: Option<AccountState>,
}
