//! Entra's metadata and signing keys: fetched from the configured login host only, kept for a day, asked again at most every five minutes for a key
//! that is not there. When the host is down, keys already here are good for a second day.

use super::{jwt::rejected, strict};
use crate::clock::Clock;
use crate::config::Endpoints;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::pipeline::{MAX_KEYS, Pipeline, Purpose, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

const FRESH: Duration = Duration::from_secs(24 * 3600);
const USABLE: Duration = Duration::from_secs(48 * 3600);
const BETWEEN_REFRESHES: Duration = Duration::from_secs(300);
const MOST_KEYS: usize = 500;
const SHORTEST_BITS: usize = 2048;
const LONGEST_BITS: usize = 8192;

pub struct Issuers {
    pipeline: Arc<Pipeline>,
    login: Url,
    clock: Arc<dyn Clock>,
    /// By tenant setting.
    places: std::sync::Mutex<HashMap<String, Place>>,
}

/// What is known of one tenant setting. The lock is held while fetching, so that many sign-ins fetch once and those of other tenants go on.
type Place = Arc<Mutex<Option<Arc<Known>>>>;

struct Known {
    issuer: String,
    keys: HashMap<String, Key>,
    fetched: Duration,
}

/// A public key that may sign for us.
#[derive(Clone)]
pub struct Key {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// Whose tokens it may sign, perhaps with `{tenantid}`; None: those of the metadata's issuer.
    pub issuer: Option<String>,
    /// Channels that a key of the Bot Connector may sign for.
    pub endorsements: Vec<String>,
}

impl Key {
    pub fn verifier(&self) -> jsonwebtoken::DecodingKey {
        jsonwebtoken::DecodingKey::from_rsa_raw_components(&self.modulus, &self.exponent)
    }
}

impl Issuers {
    pub fn new(pipeline: Arc<Pipeline>, endpoints: &Endpoints, clock: Arc<dyn Clock>) -> Self {
        Self { pipeline, login: endpoints.login.clone(), clock, places: std::sync::Mutex::default() }
    }

    fn place(&self, tenant: &str) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(tenant) {
            return place.clone();
        }
        // Tenants that nobody asks about and nothing is known of go, so that names that do not exist are not collected.
        places.retain(|_, place| Arc::strong_count(place) > 1 || place.try_lock().is_ok_and(|known| known.is_some()));
        places.entry(tenant.to_owned()).or_default().clone()
    }

    /// The issuer of this tenant setting, and its key `kid`.
    pub async fn key(&self, tenant: &str, kid: &str) -> Result<(String, Key)> {
        let place = self.place(tenant);
        let mut known = place.lock().await;
        let now = self.clock.elapsed();
        let mut current = known.clone();
        let age = current.as_ref().map(|k| now.saturating_sub(k.fetched));
        let holds = current.as_ref().is_some_and(|k| k.keys.contains_key(kid));
        let wanted = match age {
            None => true,
            Some(age) => age >= FRESH || (!holds && age >= BETWEEN_REFRESHES),
        };
        if wanted {
            match self.fetch(tenant, now).await {
                Ok(fetched) => {
                    let fetched = Arc::new(fetched);
                    *known = Some(fetched.clone());
                    current = Some(fetched);
                }
                Err(e) if holds && e.kind().is_retryable() && age.is_some_and(|age| age < USABLE) => {
                    tracing::warn!(target: "tidings::trust", "signing keys could not be renewed; those of yesterday are used");
                }
                Err(e) => return Err(e),
            }
        }
        let current = current.ok_or_else(|| rejected("its keys are not known"))?;
        let key = current.keys.get(kid).cloned().ok_or_else(|| rejected("its token is signed with an unknown key"))?;
        Ok((current.issuer.clone(), key))
    }

    /// Fetches what is not here or is a day old, like [`key`](Self::key), before any token is there.
    pub async fn ready(&self, tenant: &str) -> Result<()> {
        let place = self.place(tenant);
        let mut known = place.lock().await;
        let now = self.clock.elapsed();
        let age = known.as_ref().map(|k| now.saturating_sub(k.fetched));
        if age.is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        match self.fetch(tenant, now).await {
            Ok(fetched) => {
                *known = Some(Arc::new(fetched));
                Ok(())
            }
            Err(e) if e.kind().is_retryable() && age.is_some_and(|age| age < USABLE) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn fetch(&self, tenant: &str, now: Duration) -> Result<Known> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        let mut address = self.login.clone();
        address.path_segments_mut().map_err(|()| Error::internal("The login address has no path."))?.pop_if_empty().extend([tenant, "v2.0", ".well-known", "openid-configuration"]);
        let metadata: Metadata = self.read(address, tenant).await?;
        let keys = self.pipeline.hosts().received(&metadata.jwks_uri, Purpose::Identity)?;
        let keys: KeySet = self.read(keys, tenant).await?;
        Ok(Known { issuer: metadata.issuer, keys: keys.usable()?, fetched: now })
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, address: Url, tenant: &str) -> Result<T> {
        let mut request = Request::get(address, Purpose::Identity);
        request.max_body = MAX_KEYS;
        request.share = tenant.to_owned();
        let response = self.pipeline.send(request).await?;
        if response.status != http::StatusCode::OK {
            let refused = Error::new(ErrorKind::Upstream, format!("Microsoft's sign-in metadata is not to be had (HTTP {}). Check the tenant setting.", response.status.as_u16()));
            return Err(refused.with_request_id(response.request_id()));
        }
        let members = strict::object(json::text(&response.body).as_bytes());
        members.and_then(|members| serde_json::from_value(members.into()).ok()).ok_or_else(|| Error::new(ErrorKind::Upstream, "Microsoft's sign-in metadata could not be read. Try again later."))
    }
}

/// A JSON Web Key Set (RFC 7517), as much as is needed.
#[derive(Deserialize)]
pub struct KeySet {
    #[serde(deserialize_with = "lenient::objects")]
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "lenient::scalar")]
    kty: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    kid: Option<String>,
    #[serde(default, rename = "use", deserialize_with = "lenient::scalar")]
    usage: Option<String>,
    #[serde(default, deserialize_with = "lenient::present_scalars")]
    key_ops: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    alg: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    n: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    e: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    issuer: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    endorsements: Vec<String>,
}

impl KeySet {
    /// The keys that may sign; others are passed over. A name used twice spoils the whole set, since it is then not clear which key is meant.
    pub fn usable(self) -> Result<HashMap<String, Key>> {
        let unclear = |why: &str| Error::new(ErrorKind::TokenRejected, format!("Microsoft's signing keys {why}; nothing can be verified with them."));
        if self.keys.len() > MOST_KEYS {
            return Err(unclear("are too many"));
        }
        let mut seen = HashSet::new();
        let mut usable = HashMap::new();
        for entry in self.keys {
            if let Some(kid) = entry.kid.clone() {
                if !seen.insert(kid.clone()) {
                    return Err(unclear("have one name twice"));
                }
                if let Some(key) = entry.key() {
                    usable.insert(kid, key);
                }
            }
        }
        Ok(usable)
    }
}

impl Entry {
    /// An RSA key of a safe size, meant for signatures.
    fn key(self) -> Option<Key> {
        let signs = self.usage.as_deref().is_none_or(|u| u == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256");
        if self.kty.as_deref() != Some("RSA") || !signs {
            return None;
        }
        let modulus = number(&self.n?)?;
        let exponent = number(&self.e?)?;
        let sound = (SHORTEST_BITS..=LONGEST_BITS).contains(&bits(&modulus)) && modulus.last().is_some_and(|b| b & 1 == 1);
        // 3 and above, odd, and small enough that nobody can make us work for hours.
        let usual = (2..=32).contains(&bits(&exponent)) && exponent.last().is_some_and(|b| b & 1 == 1);
        (sound && usual).then_some(Key { modulus, exponent, issuer: self.issuer, endorsements: self.endorsements })
    }
}

/// A base64url number without leading zeros.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|b| *b != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}
