//! Who may be believed: tokens that say who signed in, and the keys that vouch for them.

mod issuers;
mod jwt;

pub use jwt::{Identity, is_guid};

use crate::clock::{Clock, to_ms};
use crate::config::Endpoints;
use crate::error::Result;
use crate::pipeline::Pipeline;
use issuers::Issuers;
use std::sync::Arc;

pub struct Trust {
    issuers: Issuers,
    clock: Arc<dyn Clock>,
}

impl Trust {
    pub fn new(pipeline: Arc<Pipeline>, endpoints: &Endpoints, clock: Arc<dyn Clock>) -> Self {
        Self { issuers: Issuers::new(pipeline, endpoints, clock.clone()), clock }
    }

    /// Who signed in, if the token is Entra's, for this application, for this sign-in, and current. `tenant` is the one whose sign-in page was used.
    pub async fn id_token(&self, token: &str, tenant: &str, client_id: &str, nonce: &str) -> Result<Identity> {
        let unverified = jwt::Unverified::parse(token)?;
        let (issuer, key) = self.issuers.key(tenant, unverified.kid()).await?;
        let claims = unverified.verify(&key)?;
        claims.check(&issuer, &key, client_id, nonce, to_ms(self.clock.now()) / 1000)
    }
}

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
