//! Who posts an activity to a bot: a token of the Bot Connector that says so. Its keys have metadata of their own, and each says for which channels it may sign.
//! Source: Bot Framework, authentication (Bot Connector to bot).

use super::issuers::{Key, KeySet};
use super::jwt::{LAST_SECOND, SKEW, Unverified, rejected};
use super::strict;
use crate::clock::{Clock, to_ms};
use crate::config::BotPlaces;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::pipeline::{MAX_KEYS, Pipeline, Purpose, Request};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

const FRESH: Duration = Duration::from_secs(24 * 3600);
/// While the service is down, keys that are here are good for so long. Source: as above (keys are valid for at least five days).
const USABLE: Duration = Duration::from_secs(5 * 24 * 3600);
/// A key that is not here is asked for no more often: whoever makes up names of keys makes us ask.
const BETWEEN_REFRESHES: Duration = Duration::from_secs(300);
/// How long the whole of fetching may pause.
const PATIENCE: Duration = Duration::from_secs(2);

/// Verifies tokens of the Bot Connector.
pub struct BotTrust {
    pipeline: Arc<Pipeline>,
    metadata: Option<Url>,
    issuer: &'static str,
    clock: Arc<dyn Clock>,
    /// The lock is held while they are fetched, so that many activities fetch once.
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    keys: HashMap<String, Key>,
    fetched: Duration,
}

/// What an activity says of itself, before it is believed.
pub struct Claimed<'a> {
    pub channel_id: &'a str,
    pub service_url: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
    #[serde(default)]
    serviceurl: Option<String>,
    #[serde(default, rename = "serviceUrl")]
    service_url: Option<String>,
}

impl BotTrust {
    pub fn new(pipeline: Arc<Pipeline>, places: &BotPlaces, clock: Arc<dyn Clock>) -> Self {
        Self { pipeline, metadata: places.keys.clone(), issuer: places.issuer, clock, known: Mutex::default() }
    }

    /// Whether the Bot Connector posts it, for this bot, for this channel and from this service. Errors: TokenRejected, and those of fetching keys.
    pub async fn verify(&self, token: &str, client_id: &str, claimed: &Claimed<'_>) -> Result<()> {
        let unverified = Unverified::parse(token)?;
        let key = self.key(unverified.kid()).await?;
        let claims: Claims = unverified.claims(&key)?;
        if claims.iss != self.issuer {
            return Err(rejected("its token comes from another issuer"));
        }
        if claims.aud != client_id {
            return Err(rejected("its token is for another bot"));
        }
        if [claims.exp, claims.nbf].iter().any(|time| !(0..=LAST_SECOND).contains(time)) || claims.exp <= claims.nbf {
            return Err(rejected("its token has a time that is none"));
        }
        let now = to_ms(self.clock.now()) / 1000;
        if now >= claims.exp.saturating_add(SKEW) || now < claims.nbf.saturating_sub(SKEW) {
            return Err(rejected("its token is not valid now; compare this machine's clock"));
        }
        if !key.endorsements.iter().any(|channel| channel == claimed.channel_id) {
            return Err(rejected("its key may not sign for this channel"));
        }
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        // Both spellings at once would be two addresses to two readers.
        let named = match (claims.serviceurl, claims.service_url) {
            (Some(url), None) | (None, Some(url)) => url,
            _ => return Err(rejected("its token does not say where it comes from")),
        };
        if claimed.service_url.is_empty() || bare(&named) != bare(claimed.service_url) {
            return Err(rejected("it names another service than its token"));
        }
        Ok(())
    }

    async fn key(&self, kid: &str) -> Result<Key> {
        let mut known = self.known.lock().await;
        let now = self.clock.elapsed();
        let age = known.as_ref().map(|known| now.saturating_sub(known.fetched));
        let holds = known.as_ref().is_some_and(|known| known.keys.contains_key(kid));
        let is_wanted = age.is_none_or(|age| age >= FRESH || (!holds && age >= BETWEEN_REFRESHES));
        if is_wanted {
            match self.fetch().await {
                Ok(keys) => *known = Some(Known { keys, fetched: now }),
                Err(e) if holds && e.kind().is_retryable() && age.is_some_and(|age| age < USABLE) => {
                    tracing::warn!(target: "tidings::trust", "keys of the Bot Connector could not be renewed; those that are here are used");
                }
                Err(e) => return Err(e),
            }
        }
        known.as_ref().and_then(|known| known.keys.get(kid)).cloned().ok_or_else(|| rejected("its token is signed with an unknown key"))
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        let address = self.metadata.clone().ok_or_else(|| Error::invalid("Microsoft documents no keys of the Bot Connector for this cloud. Set bot_service_url."))?;
        let metadata: Metadata = self.read(address).await?;
        if metadata.issuer != self.issuer {
            return Err(Error::new(ErrorKind::TokenRejected, "The metadata of the Bot Connector is that of another issuer."));
        }
        let keys: KeySet = self.read(self.pipeline.hosts().received(&metadata.jwks_uri, Purpose::BotKeys)?).await?;
        keys.usable()
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, address: Url) -> Result<T> {
        let mut request = Request::get(address, Purpose::BotKeys);
        request.max_body = MAX_KEYS;
        request.max_wait = PATIENCE;
        let response = self.pipeline.send(request).await?;
        if response.status != http::StatusCode::OK {
            let refused = Error::new(ErrorKind::Upstream, format!("The keys of the Bot Connector are not to be had (HTTP {}).", response.status.as_u16()));
            return Err(refused.with_request_id(response.request_id()));
        }
        let members = strict::object(json::text(&response.body).as_bytes());
        members.and_then(|members| serde_json::from_value(members.into()).ok()).ok_or_else(|| Error::new(ErrorKind::Upstream, "The keys of the Bot Connector could not be read. Try again later."))
    }
}
