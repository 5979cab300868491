//! The simulator's control endpoints: what a person does in a browser, and what happens in the world outside.

use serde_json::{Value, json};
use std::sync::Arc;
use tidings::{Error, ErrorKind, Result};

/// A simulator that is running.
#[derive(Clone)]
pub struct Control {
    origin: String,
    http: reqwest::Client,
}

impl Control {
    /// By its control address.
    pub fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), http: http() }
    }

    /// The one named by `TIDINGS_CONTROL`.
    pub fn from_env() -> Result<Self> {
        Ok(Self::new(crate::env("TIDINGS_CONTROL")?))
    }

    /// POST /`path`.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let request = self.http.post(format!("{}/{path}", self.origin)).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.map_err(failed)?;
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        if !status.is_success() {
            return Err(Error::new(ErrorKind::Upstream, format!("The simulator refused /{path}: {status} {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Takes all scripted faults away.
    pub async fn clear_faults(&self) -> Result<()> {
        self.http.delete(format!("{}/faults", self.origin)).send().await.map(drop).map_err(failed)
    }

    /// Signs a person in on the page at `url` and gives the address the browser is sent back to.
    pub async fn sign_in(&self, url: &str, address: &str) -> Result<String> {
        let answer = self.post("signin", json!({ "url": url, "as": address })).await?;
        Ok(answer["location"].as_str().unwrap_or_default().to_owned())
    }

    /// Opens an address as a browser would, redirects included.
    pub async fn browse(&self, url: &str) -> Result<()> {
        self.http.get(url).send().await.map(drop).map_err(failed)
    }
}

/// A client without proxy: everything it asks is on this machine.
pub fn http() -> reqwest::Client {
    // reqwest is built without a TLS provider of its own choice and wants one even for plain HTTP.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = reqwest::Client::builder().no_proxy();
    match rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(tls) => client.tls_backend_preconfigured(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()),
        Err(_) => client,
    }
    .build()
    .unwrap_or_default()
}

fn failed(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Network, "The simulator does not answer. Is it running?").with_source(error)
}
