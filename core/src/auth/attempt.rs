//! What has to be remembered between the two halves of a sign-in: sealed under the store key, found by the hash of `state`, used up once.

use super::callback::Callback;
use super::{Application, Auth};
use crate::clock::from_ms;
use crate::config::DEFAULT_APP;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::model::{Feature, SignIn, SubscriberLink};
use crate::random;
use crate::seal::AadContext;
use crate::store::{Consumed, NewAttempt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What it was started for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Aim {
    #[default]
    SignIn,
    /// To know who somebody is.
    Link,
    /// To prove which organisation somebody belongs to.
    Tenant,
    Reconnect(String),
    AddFeatures(String),
    /// An administrator approves; nobody signs in here.
    Approval(String),
}

impl Aim {
    /// The account it is about, when there is one already.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::SignIn | Self::Link | Self::Tenant => None,
            Self::Reconnect(id) | Self::AddFeatures(id) | Self::Approval(id) => Some(id),
        }
    }
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Attempt {
    #[zeroize(skip)]
    #[serde(default)]
    pub aim: Aim,
    pub owner: String,
    #[zeroize(skip)]
    pub features: Vec<Feature>,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    /// None: no browser carries the answer (device code).
    pub nonce: Option<String>,
    pub verifier: String,
    pub binding: String,
    #[serde(default = "default_app")]
    pub app: String,
    /// Tenant or domain the host asked for; empty: the application's own.
    #[serde(default)]
    pub authority: String,
    #[serde(default)]
    pub extra_scopes: Vec<String>,
    #[serde(default)]
    pub login_hint: Option<String>,
    #[serde(default)]
    pub context: Option<String>,
    /// The endpoint that is made for the person.
    #[zeroize(skip)]
    #[serde(default)]
    pub endpoint: Option<SubscriberLink>,
    /// What it is found by. Empty until it is stored.
    #[serde(skip)]
    pub hash: Vec<u8>,
}

fn default_app() -> String {
    DEFAULT_APP.to_owned()
}

impl Attempt {
    /// With fresh secrets; what it asks for is filled in by whoever starts it.
    pub fn new(aim: Aim, owner: String, app: String, redirect_uri: String) -> Result<Self> {
        Ok(Self {
            aim,
            owner,
            features: Vec::new(),
            redirect_uri,
            scopes: Vec::new(),
            nonce: Some(random::token::<32>()?),
            verifier: random::token::<32>()?,
            binding: random::token::<32>()?,
            app,
            authority: String::new(),
            extra_scopes: Vec::new(),
            login_hint: None,
            context: None,
            endpoint: None,
            hash: Vec::new(),
        })
    }

    /// Whose pages and tokens it uses.
    pub fn tenant<'a>(&'a self, app: &'a Application) -> &'a str {
        if self.authority.is_empty() { &app.tenant } else { &self.authority }
    }
}

impl Auth {
    /// Stores it; `state` is what the callback will bring.
    pub(super) async fn leave(&self, attempt: Attempt, url: String, state: &str) -> Result<SignIn> {
        let binding = attempt.binding.clone();
        let created_at = self.now();
        let expires_at = created_at.saturating_add(i64::from(self.config.sign_in_seconds) * 1000);
        let plain = Zeroizing::new(serde_json::to_vec(&attempt).map_err(|_| Error::internal("A sign-in could not be written."))?);
        self.put(&attempt, hash(state), plain, created_at, expires_at).await?;
        Ok(SignIn { url, binding, expires_at: from_ms(expires_at) })
    }

    /// Stores nothing but that it is under way: no browser will come back to it, and it ends with its owner all the same.
    pub(super) async fn mark(&self, attempt: &mut Attempt, expires_at: i64) -> Result<()> {
        attempt.hash = hash(&random::token::<32>()?);
        self.put(attempt, attempt.hash.clone(), Zeroizing::default(), self.now(), expires_at).await
    }

    async fn put(&self, attempt: &Attempt, hash: Vec<u8>, plain: Zeroizing<Vec<u8>>, created_at: i64, expires_at: i64) -> Result<()> {
        self.vault
            .with_current_keys(async || {
                let sealed = self.vault.store_key().seal(place(&hex(&hash)), &plain)?;
                let left = NewAttempt { state_hash: hash.clone(), sealed, created_at, expires_at };
                self.store.leave_attempt(&left, &attempt.owner, attempt.aim.account()).await
            })
            .await
    }

    /// Checks that the callback came in time to the browser it was meant for. Nothing is used up: whoever has only one half of it (a
    /// stolen callback, a stolen session) neither gets in nor spoils the sign-in of the one who has both.
    pub(super) async fn look(&self, callback: &Callback, binding: &str) -> Result<Attempt> {
        let hash = hash(&callback.state);
        let (row, plain) = self
            .vault
            .with_current_keys(async || {
                let row = self.store.attempt(&hash).await?.ok_or_else(unknown)?;
                let plain = self.vault.store_key().open(place(&hex(&hash)), &row.sealed)?;
                Ok((row, plain))
            })
            .await?;
        let mut attempt: Attempt = serde_json::from_slice(&plain).map_err(|_| Error::new(ErrorKind::Corrupt, "The stored sign-in cannot be read. Start it again."))?;
        if !bool::from(attempt.binding.as_bytes().ct_eq(binding.as_bytes())) {
            return Err(Error::new(ErrorKind::TokenRejected, "The binding is not the one of this sign-in: the callback belongs to another browser or attempt. Pass the binding that connect gave for it."));
        }
        if row.is_used {
            return Err(used());
        }
        if row.expires_at <= self.now() {
            return Err(expired());
        }
        attempt.hash = hash;
        Ok(attempt)
    }

    /// Uses it up in one atomic step: of several callers one goes on.
    pub(super) async fn consume(&self, callback: &Callback) -> Result<()> {
        match self.store.consume_attempt(&hash(&callback.state), self.now()).await? {
            Consumed::Fresh => Ok(()),
            Consumed::AlreadyUsed => Err(used()),
            Consumed::Expired => Err(expired()),
            Consumed::Unknown => Err(unknown()),
        }
    }

    /// Gives it back, since the code is as good as before.
    pub(super) async fn give_back(&self, callback: &Callback) {
        if let Err(e) = self.store.return_attempt(&hash(&callback.state)).await {
            tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "a sign-in could not be given back; it has to be started again");
        }
    }
}

fn place(row: &str) -> AadContext<'_> {
    AadContext { table: "attempts", column: "sealed", account_id: "", row, version: 1 }
}

pub(super) fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn unknown() -> Error {
    Error::invalid("This callback belongs to no sign-in started here, or to one that ended with its account or owner. Start one with connect.")
}

fn used() -> Error {
    Error::new(ErrorKind::Conflict, "This sign-in was finished already. Start a new one if it failed.")
}

fn expired() -> Error {
    Error::new(ErrorKind::Cancelled, "This sign-in took too long and has expired. Start it again.")
}
