use super::endpoint::SubscriberLink;
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
    Declined,
    Misconfigured,
    Disconnected,
}

/// `Person`: one person's mailbox and chats. `Tenant`: a whole organisation, without a person. `Link`: a person who is known, whose data is not touched.
/// `SharedMailbox`: a mailbox that is opened through the account of somebody who may, or through that of its organisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    #[default]
    Person,
    Tenant,
    Link,
    SharedMailbox,
}

/// A sign-in to start.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Name of the application to connect through; none: the one of `Config` itself.
    pub app: Option<String>,
    /// Tenant id or domain to sign in to, for guests; none: the one of the application.
    pub tenant: Option<String>,
    /// Anything you want to find again at the account, at most 1000 characters; stored sealed.
    pub context: Option<String>,
}

/// An organisation to connect, by its administrator.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantRequest {
    /// As in `ConnectRequest`.
    pub owner: String,
    pub redirect_uri: String,
    pub app: Option<String>,
    /// Tenant id or domain, when it is known.
    pub tenant: Option<String>,
    pub context: Option<String>,
    /// Makes an endpoint for the person who signs in, through the bot of the organisation that is connected; it works once the administrator has approved. None: no endpoint.
    pub endpoint: Option<SubscriberLink>,
}

/// A person to get to know without touching any data: `openid profile User.Read`, nothing lasting.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkRequest {
    /// Your own key of that person, 1 to 200 characters.
    pub owner: String,
    pub redirect_uri: String,
    pub app: Option<String>,
    /// Tenant id or domain the person must belong to.
    pub tenant: Option<String>,
    pub login_hint: Option<String>,
    pub context: Option<String>,
    /// Makes an endpoint for the person once they have signed in, through the bot of a connected organisation, to which they must belong. None: no endpoint.
    pub endpoint: Option<SubscriberLink>,
}

/// What an administrator has to approve. Send the administrator's browser to `url`, or hand `sheet` to the IT department.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub account_id: String,
    /// Microsoft's page for administrators; comes back to the redirect URI, for `finish_connect`.
    pub url: String,
    /// Secret that ties the callback to the browser it was started in.
    pub binding: String,
    #[serde(with = "rfc3339")]
    pub expires_at: SystemTime,
    /// Text for the box in which Microsoft asks the person why.
    pub justification: String,
    /// Markdown: application id, each permission with its reason, what is not accessed, what to do.
    pub sheet: String,
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

/// A connected Microsoft 365 account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub owner: String,
    pub kind: AccountKind,
    pub state: AccountState,
    /// Application it was connected through.
    pub app: String,
    pub context: Option<String>,
    /// Address and name as Microsoft gives them; for display, never a key.
    pub address: String,
    pub display_name: String,
    /// Entra tenant id and object id: who it is. Empty until somebody has signed in.
    pub tenant_id: String,
    pub user_id: String,
    pub features: Vec<Feature>,
    /// What was really granted.
    pub scopes: Vec<String>,
    /// Features asked for that the granted permissions do not cover.
    pub missing: Vec<Feature>,
    #[serde(with = "rfc3339")]
    pub connected_at: SystemTime,
    /// Folders that are synced, by well-known name or id, or `all`; empty: those of the configuration.
    pub folders: Vec<String>,
    /// Why it is not connected, and what to do.
    pub problem: Option<String>,
    /// What will not work although it is connected, why, and what to do.
    pub warnings: Vec<String>,
    /// When access ends for good, since no lasting access (`offline_access`) was granted.
    #[serde(with = "rfc3339::option")]
    pub access_ends_at: Option<SystemTime>,
    /// Of a shared mailbox: id of the account it is opened through, or was before it was disconnected.
    pub delegate: Option<String>,
}

/// Which accounts, in the order in which they were connected first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountFilter {
    pub owner: Option<String>,
    pub state: Option<AccountState>,
    /// 1 to 1000.
    pub limit: u32,
    /// `next` of the page before; good for the same owner and state.
    pub cursor: Option<String>,
}

impl Default for AccountFilter {
    fn default() -> Self {
        Self { owner: None, state: None, limit: 100, cursor: None }
    }
}

/// Some accounts of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPage {
    pub items: Vec<Account>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}
