//! The device authorization grant on the wire (RFC 8628).

use super::answer::{EntraError, EntraToken};
use super::{Credential, Denied, Entra, Grant, request};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::pipeline::{Response, Safety};
use http::StatusCode;
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct DeviceCode {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    #[serde(default, deserialize_with = "text")]
    pub message: String,
    /// Seconds; without a usable number a quarter of an hour, as Entra gives.
    #[serde(default = "usual_lifetime", deserialize_with = "lifetime")]
    pub expires_in: u32,
    #[serde(default, deserialize_with = "seconds")]
    pub interval: Option<u32>,
}

fn text<'de, D: serde::Deserializer<'de>>(input: D) -> std::result::Result<String, D::Error> {
    lenient::scalar(input).map(Option::unwrap_or_default)
}

fn usual_lifetime() -> u32 {
    900
}

fn lifetime<'de, D: serde::Deserializer<'de>>(input: D) -> std::result::Result<u32, D::Error> {
    seconds(input).map(|seconds| seconds.unwrap_or_else(usual_lifetime))
}

fn seconds<'de, D: serde::Deserializer<'de>>(input: D) -> std::result::Result<Option<u32>, D::Error> {
    lenient::scalar::<D, i64>(input).map(|seconds| seconds.and_then(|seconds| u32::try_from(seconds).ok()))
}

impl Entra {
    pub async fn device_code(&self, tenant: &str, scopes: &[String]) -> Result<DeviceCode, Denied> {
        let fields = [("client_id", self.client_id()), ("scope", &scopes.join(" "))];
        let response = self.post(tenant, "devicecode", &fields, false).await.map_err(Denied::Failed)?;
        read(&response)
    }

    /// One look whether the person has signed in.
    pub async fn device_grant(&self, tenant: &str, device_code: &str) -> Result<Grant, Denied> {
        let fields = [("client_id", self.client_id()), ("grant_type", GRANT), ("device_code", device_code)];
        let response = self.post(tenant, "token", &fields, true).await.map_err(Denied::Failed)?;
        let token: EntraToken = read(&response)?;
        token.grant().map(|grant| grant.without(response.secrets.clone())).ok_or_else(|| unreadable(&response))
    }

    /// `proven`: with whatever shows that the application itself asks.
    fn form(&self, tenant: &str, fields: &[(&str, &str)], proven: bool) -> Result<Vec<u8>> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        if let (Credential::Secret(secret), true) = (&self.credential, proven) {
            secret.expose(|text| {
                form.append_pair("client_secret", text);
            });
        }
        let mut body = form.finish().into_bytes();
        if let (Some(proof), true) = (self.proof(tenant), proven) {
            proof.attach(&mut body)?;
        }
        Ok(body)
    }

    async fn post(&self, tenant: &str, endpoint: &str, fields: &[(&str, &str)], proven: bool) -> Result<Response> {
        let body = self.form(tenant, fields, proven)?;
        let mut asked = oauth2::HttpRequest::new(body);
        *asked.method_mut() = http::Method::POST;
        *asked.uri_mut() = self.address(tenant, &format!("oauth2/v2.0/{endpoint}")).as_str().parse().map_err(|_| Error::internal("The sign-in address could not be made."))?;
        asked.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
        asked.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.pipeline.send(request(asked, Safety::Repeatable, None, self.share(tenant))?).await
    }
}

/// A refusal comes as 400 or 401 with JSON; anything else is a service that is not itself.
fn read<T: serde::de::DeserializeOwned>(response: &Response) -> Result<T, Denied> {
    match response.status {
        StatusCode::OK => json::read(&response.body).map_err(|_| unreadable(response)),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let body: EntraError = json::read(&response.body).map_err(|_| unreadable(response))?;
            Err(Denied::Refused(body.refusal(&response.secrets), response.request_id()))
        }
        _ => Err(unreadable(response)),
    }
}

fn unreadable(response: &Response) -> Denied {
    Denied::Failed(Error::new(ErrorKind::Upstream, "Microsoft's sign-in service answered something unreadable. Try again later.").with_request_id(response.request_id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use crate::config::{Cloud, Endpoints};
    use crate::pipeline::fake::{START_MS, Service, says, says_with};
    use std::sync::Arc;

    #[tokio::test]
    async fn who_is_throttled_holds_up_neither_another_tenant_nor_another_application() {
        let service = Service::new(|_, n| if n == 0 { says_with(429, ("retry-after", "1800"), "") } else { says(400, r#"{"error":"authorization_pending"}"#) });
        let clock = TestClock::new(START_MS);
        let (pipeline, endpoints) = (service.pipeline(&clock), Endpoints::of(&Cloud::Public).unwrap());
        let app = |client_id: &str| Entra::new(pipeline.clone(), Arc::new(clock.clone()), &endpoints, client_id, Credential::None);
        let asked = async |client_id: &str, tenant: &str| app(client_id).device_grant(tenant, "code").await.map(drop).map_err(|e| e.into_error(true).kind());
        for _ in 0..2 {
            assert_eq!(asked("a", "slow.example").await, Err(ErrorKind::Throttled));
        }
        assert_eq!(service.calls(), 1, "what was asked for is kept");
        let _ = asked("a", "other.example").await;
        let _ = asked("b", "slow.example").await;
        assert_eq!(service.calls(), 3);
    }
}
