//! Who may be believed: tokens that say who signed in, and the keys that vouch for them.

mod bots;
mod issuers;
mod jwt;
mod publisher;
mod strict;

pub use bots::{BotTrust, Claimed};
pub use jwt::{Identity, is_guid};
pub use strict::object as json_object;

use crate::clock::{Clock, to_ms};
use crate::config::Endpoints;
use crate::error::Result;
use crate::pipeline::Pipeline;
use issuers::Issuers;
use std::sync::Arc;
use std::time::SystemTime;

pub struct Trust {
    issuers: Issuers,
    clock: Arc<dyn Clock>,
}

impl Trust {
    pub fn new(pipeline: Arc<Pipeline>, endpoints: &Endpoints, clock: Arc<dyn Clock>) -> Self {
        Self { issuers: Issuers::new(pipeline, endpoints, clock.clone()), clock }
    }

    /// Sees to it that keys of this tenant are at hand, so that a code is not spent on a token that cannot be verified.
    pub async fn ready(&self, tenant: &str) -> Result<()> {
        self.issuers.ready(tenant).await
    }

    /// Who signed in, if the token is Entra's, for this application, for this sign-in, and current. `tenant` is the one whose sign-in page was used.
    /// No `nonce`: the token came straight from Entra without a browser in between (device code).
    pub async fn id_token(&self, token: &str, tenant: &str, client_id: &str, nonce: Option<&str>) -> Result<Identity> {
        self.id_token_at(token, tenant, client_id, nonce, None).await
    }

    /// The same at the time the service itself gave with its answer: a clock that is wrong here must not make every renewal look forged.
    pub async fn id_token_at(&self, token: &str, tenant: &str, client_id: &str, nonce: Option<&str>, answered_at: Option<SystemTime>) -> Result<Identity> {
        let unverified = jwt::Unverified::parse(token)?;
        let (issuer, key) = self.issuers.key(tenant, unverified.kid()).await?;
        let claims: jwt::Claims = unverified.claims(&key)?;
        claims.check(&issuer, &key, client_id, nonce, to_ms(answered_at.unwrap_or_else(|| self.clock.now())) / 1000)
    }

    /// Whether a token that came with notifications says that Microsoft posts them, to this application and about this tenant. Errors: TokenRejected, and those of
    /// fetching keys.
    pub async fn validation_token(&self, token: &str, tenant_id: &str, client_id: &str) -> Result<()> {
        let unverified = jwt::Unverified::parse(token)?;
        let (issuer, key) = self.issuers.key("common", unverified.kid()).await?;
        unverified.claims::<publisher::PublisherClaims>(&key)?.check(&issuer, tenant_id, client_id, to_ms(self.clock.now()) / 1000)
    }
}

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod bots_tests;
#[cfg(test)]
mod corner_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
