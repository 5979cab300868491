//! Accounts, their tokens and keys, sign-in attempts, leases.

use super::endpoints::EndpointRow;
use crate::error::Result;
use crate::model::{AccountKind, AccountState, Feature};
use crate::seal::Sealed;
use async_trait::async_trait;

#[derive(Debug, Clone)]
pub struct AccountRow {
    pub id: String,
    /// Its place in the order in which accounts came; 0 until it is stored.
    pub number: i64,
    pub owner: String,
    /// With `user_id` and `owner` unique. For display and comparison use [`tenant`](Self::tenant) and [`person`](Self::person).
    pub tenant_id: String,
    pub user_id: String,
    pub kind: AccountKind,
    /// Name of the application it was connected through.
    pub app: String,
    /// Tenant or domain its tokens are asked at; empty: the application's own.
    pub authority: String,
    pub state: AccountState,
    /// Since when it is in this state.
    pub state_since: i64,
    pub features: Vec<Feature>,
    pub scopes: Vec<String>,
    /// Permissions asked for beside those of the features.
    pub extra_scopes: Vec<String>,
    /// Folders to sync, by well-known name or id, or `all`; empty: those of the configuration. Signing in again does not change them.
    pub folders: Vec<String>,
    /// Why it is not connected, in our own words.
    pub problem: Option<String>,
    /// Address and display name, under the content key.
    pub profile: Sealed,
    pub profile_version: i64,
    /// Bumped by every connect and disconnect; late results of an older generation change nothing.
    pub generation: i64,
    pub connected_at: i64,
    /// When access ends for good, since no lasting access was granted.
    pub access_ends_at: Option<i64>,
    /// What Microsoft asked for at its last refusal, under the secrets key.
    pub claims: Option<Sealed>,
    pub claims_version: i64,
    /// Of an organisation's account.
    pub approver: Approver,
    /// Of a shared mailbox: the account whose token opens it.
    pub delegate: Option<String>,
    /// What kind of account that is, as it was read; stored with that one alone.
    pub delegate_kind: Option<AccountKind>,
}

/// Whether somebody who may approve for the organisation has signed in to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// Nobody's roles are known: the application does not ask Entra for them.
    Unsaid,
    /// Whoever signed in may not.
    Refused,
    Proven,
}

impl AccountRow {
    /// A person's account, connected now; nothing is known of the person yet.
    pub fn new(id: impl Into<String>, owner: impl Into<String>, profile: Sealed, now: i64) -> Self {
        Self {
            id: id.into(),
            number: 0,
            owner: owner.into(),
            tenant_id: String::new(),
            user_id: String::new(),
            kind: AccountKind::Person,
            app: "default".to_owned(),
            authority: String::new(),
            state: AccountState::Connected,
            state_since: now,
            features: Vec::new(),
            scopes: Vec::new(),
            extra_scopes: Vec::new(),
            folders: Vec::new(),
            problem: None,
            profile,
            profile_version: 1,
            generation: 1,
            connected_at: now,
            access_ends_at: None,
            claims: None,
            claims_version: 0,
            approver: Approver::Unsaid,
            delegate: None,
            delegate_kind: None,
        }
    }

    /// Its token is the application's own: it is an organisation, or a mailbox that an organisation opens.
    pub fn is_app_only(&self) -> bool {
        self.kind == AccountKind::Tenant || self.delegate_kind == Some(AccountKind::Tenant)
    }

    /// `user_id` of an account that waits for its first sign-in. Holds a slash, which no id of Microsoft's does.
    pub fn nobody(account_id: &str) -> String {
        format!("nobody/{account_id}")
    }

    /// Nobody has signed in to it yet.
    pub fn is_nobodys(&self) -> bool {
        self.user_id == Self::nobody(&self.id)
    }

    /// `user_id` of an organisation: one account per application.
    pub fn organisation(app: &str) -> String {
        format!("tenant/{app}")
    }

    /// `user_id` of a person who is only known: beside the account that the same owner may have connected of the same person.
    pub fn known(user_id: &str) -> String {
        format!("link/{user_id}")
    }

    /// `user_id` of a shared mailbox, from a keyed hash of its address, which is stored in clear nowhere.
    pub fn shared(hash: &str) -> String {
        format!("shared/{hash}")
    }

    /// Entra tenant id, once somebody has proven it.
    pub fn tenant(&self) -> Option<&str> {
        Some(self.tenant_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Object id of the person, once somebody has signed in.
    pub fn person(&self) -> Option<&str> {
        person_of(&self.user_id)
    }
}

/// The person that a `user_id` names.
pub fn person_of(user_id: &str) -> Option<&str> {
    let id = user_id.strip_prefix("link/").unwrap_or(user_id);
    Some(id).filter(|id| !id.is_empty() && !id.contains('/'))
}

/// What the limits of a mailbox are counted by: its person, or the mark of a shared one. None: it has no mailbox.
pub fn mailbox_of(user_id: &str) -> Option<&str> {
    if user_id.starts_with("shared/") { Some(user_id) } else { person_of(user_id) }
}

/// Which accounts.
#[derive(Debug, Clone, Copy)]
pub enum AccountQuery<'a> {
    /// All of an owner.
    Owner(&'a str),
    /// The one of this person, if the owner has it.
    Person { owner: &'a str, tenant_id: &'a str, user_id: &'a str },
    /// The shared mailboxes that are opened through this account.
    OpenedThrough(&'a str),
    Page(AccountWindow<'a>),
    /// Those that have waited for an administrator since `awaiting_since` or longer, and those whose access has ended.
    Overdue { owner: Option<&'a str>, awaiting_since: i64, now: i64 },
}

/// A part of the list of accounts.
#[derive(Debug, Clone, Copy)]
pub struct AccountWindow<'a> {
    pub owner: Option<&'a str>,
    pub state: Option<AccountState>,
    /// Number of the last one seen; 0: from the first.
    pub after: i64,
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub struct TokenRow {
    pub account_id: String,
    /// Bumped by every write; part of where `sealed` is valid.
    pub version: i64,
    /// Under the secrets key.
    pub sealed: Sealed,
    pub expires_at: i64,
    pub refreshed_at: i64,
}

#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// SHA-256 of the `state` parameter.
    pub state_hash: Vec<u8>,
    pub sealed: Sealed,
    pub created_at: i64,
    pub expires_at: i64,
}

#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub sealed: Sealed,
    pub is_used: bool,
    pub expires_at: i64,
}

/// What became of trying to use a sign-in attempt up.
#[derive(Debug)]
pub enum Consumed {
    /// It was waiting and is used up now; nobody else gets it.
    Fresh,
    AlreadyUsed,
    Expired,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Wraps the others; wrapped by the root key.
    Store,
    /// Tokens, delta links: destroyed at disconnect.
    Secrets,
    /// Mail, outbox payloads, names: destroyed at purge.
    Content,
    /// Keyed hashes of an account, kept apart once its first content key is replaced, so that they stay what they were.
    Hashes,
    /// Signs the audit log; one per store.
    Audit,
}

/// Uses a key is stored with from the start: those of whoever made it, who seals with it before it is stored.
pub const USES_AT_BIRTH: i64 = 4_096;

#[derive(Debug, Clone)]
pub struct NewKey {
    pub id: i64,
    pub purpose: KeyPurpose,
    pub account_id: Option<String>,
    pub wrapped: Sealed,
    pub created_at: i64,
}

#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: i64,
    /// None once destroyed.
    pub wrapped: Option<Sealed>,
    /// Seals reserved so far.
    #[cfg_attr(not(test), allow(dead_code))]
    pub uses: i64,
}

/// Who may do a job now. Every write of that job carries `fence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: String,
    pub fence: i64,
    pub expires_at: i64,
}

/// A sign-in that is about to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewConnection<'a> {
    /// Hash of the attempt that it finishes. The attempt belongs to the account from then on.
    pub attempt: Option<&'a [u8]>,
    /// `generation` is the one after the row it was decided on, 1 for a new one.
    pub account: &'a AccountRow,
    pub token: Option<&'a TokenRow>,
    pub keys: &'a [NewKey],
    /// An account nobody ever signed in to, erased in the same step.
    pub replaces: Option<&'a str>,
    /// Made in the same step, once the account is there.
    pub endpoint: Option<&'a EndpointRow>,
}

/// What changes about an account.
#[derive(Debug, Clone)]
pub enum AccountChange {
    State { state: AccountState, problem: Option<String> },
    /// Begins the time anew that it may wait in this state, if that is its state still.
    Waiting(AccountState),
    /// What it is to be asked for from now on.
    Features(Vec<Feature>),
    /// What is synced of it from the next sync on.
    Folders(Vec<String>),
    /// Name and address. `version` is the one they were sealed for, the row's and one.
    Profile { sealed: Sealed, version: i64 },
    /// Of a shared mailbox: the account that opens it from now on, and what was found to work through it. [`moved_on`](crate::store::moved_on) when that
    /// account is not connected.
    Delegate { account_id: String, features: Vec<Feature> },
    /// What Microsoft asked for. `version` is the one it was sealed for, the row's and one.
    Claims { sealed: Option<Sealed>, version: i64 },
}

#[async_trait]
pub trait AccountStore {
    /// A small fact of the store.
    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Writes only if there is none yet, and answers what is there then: two processes that make a store agree on one.
    async fn meta_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>>;

    /// With whose it is: it ends, whatever became of it, when its account is disconnected or purged, or its owner deleted or purged.
    async fn leave_attempt(&self, attempt: &NewAttempt, owner: &str, account_id: Option<&str>) -> Result<()>;
    /// Looks without using it up, so that a callback from the wrong browser costs the right one nothing.
    async fn attempt(&self, state_hash: &[u8]) -> Result<Option<AttemptRow>>;
    /// One atomic update: of several callers one gets `Fresh`. Attempts expired for a day are erased on the way.
    async fn consume_attempt(&self, state_hash: &[u8], now: i64) -> Result<Consumed>;
    /// Gives a used attempt back: it is proven that nothing was done with it.
    async fn return_attempt(&self, state_hash: &[u8]) -> Result<()>;

    /// Account, token and keys in one step, with a change-feed row. What is opened through it gets its state and scopes. An account with this id is taken over: its mail and outbox stay, its generation
    /// grows, a new secrets key replaces the old, tokens not given are gone. Another account of the same owner, tenant and user is a Conflict.
    /// If the row it was decided on has changed since, or somebody has signed in to the replaced one, nothing is stored and the error is
    /// [`moved_on`](crate::store::moved_on). `Cancelled`, and nothing stored, when its attempt has ended meanwhile. Answers the row as stored.
    async fn connect_account(&self, new: NewConnection<'_>, now: i64) -> Result<AccountRow>;
    /// False when somebody else was here: the generation, the version or the state it was decided on has moved on, or the account is gone.
    /// `generation` None: whichever it is. What is opened through the account gets its state.
    async fn change_account(&self, id: &str, generation: Option<i64>, change: AccountChange, now: i64) -> Result<bool>;
    /// In one step, with all that is opened through it: state, generation, token row gone, secrets key destroyed, delta cursors gone, unsent sends cancelled with `reason`, those a dead
    /// worker left in doubt unknown, change-feed rows.
    /// Afterwards no copy of the key is left in the backend's own files, unless somebody reads them at this moment: then later steps see to it. Idempotent. Answers ids of the sends cancelled.
    async fn disconnect_account(&self, id: &str, reason: &str, now: i64) -> Result<Vec<String>>;

    async fn account(&self, id: &str) -> Result<Option<AccountRow>>;
    /// In the order in which they came.
    async fn accounts(&self, query: AccountQuery<'_>) -> Result<Vec<AccountRow>>;
    /// Ids of all accounts and workflows of an owner, in the order in which they came. `and_gone`: also of those that are being purged or are gone.
    async fn account_ids(&self, owner: &str, and_gone: bool) -> Result<Vec<String>>;
    /// Another owner has tokens of this organisation, or had them until they stopped working. `user_id`: [`AccountRow::organisation`].
    async fn is_connected_elsewhere(&self, owner: &str, tenant_id: &str, user_id: &str) -> Result<bool>;

    async fn token(&self, account_id: &str) -> Result<Option<TokenRow>>;
    /// Replaces the row if its version is still `token.version - 1`, the account's generation is unchanged and, when given, the lease is still ours.
    /// False: somebody else was here.
    async fn save_token(&self, token: &TokenRow, generation: i64, lease: Option<&Lease>) -> Result<bool>;

    /// Takes a free or expired lease (fence + 1), or renews our own. None: somebody else holds it.
    async fn take_lease(&self, name: &str, holder: &str, now: i64, for_ms: i64) -> Result<Option<Lease>>;
    /// Waits for no other work. False: it was lost.
    async fn renew_lease(&self, lease: &Lease, now: i64, for_ms: i64) -> Result<bool>;
    async fn release_lease(&self, lease: &Lease) -> Result<()>;
}
