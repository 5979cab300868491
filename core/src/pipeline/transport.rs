//! The seam at the bottom: tests give a closure, the product gives reqwest on rustls with aws-lc-rs.

use crate::config::{Config, Endpoints};
use super::tls;
use crate::error::{Error, Result};
use crate::metrics::Meters;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(100);
/// A reused connection that the other side closed meanwhile leaves a sent request in doubt, so idle ones are not kept for long.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 64 << 10;

/// Whether the service can have seen the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    No,
    Maybe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No connection: refused, no such host, no route.
    Connect,
    /// No secure connection: whoever answers shows a certificate that nobody trusted here has signed, or one for another name or time.
    Certificate,
    /// No secure connection: the other side does not speak the versions accepted here.
    TlsVersion,
    /// No secure connection, for another reason.
    Tls,
    TimedOut,
    /// Reset, cut off, or not HTTP.
    Broken,
    /// The answer is larger than this request accepts.
    TooLarge,
}

#[derive(Debug, Clone)]
pub struct TransportError {
    pub sent: Sent,
    pub trouble: Trouble,
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl TransportError {
    pub fn new(sent: Sent, trouble: Trouble) -> Self {
        Self { sent, trouble, source: None }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.trouble)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

pub type Answer = std::result::Result<http::Response<Bytes>, TransportError>;

pub trait Transport: Send + Sync {
    /// One exchange, no redirects, no repetition. The body is whole and at most `max_body` bytes after decompression.
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer>;
}

impl<F, Fut> Transport for F
where
    F: Fn(http::Request<Bytes>) -> Fut + Send + Sync,
    Fut: Future<Output = Answer> + Send + 'static,
{
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer> {
        let answer = self(request);
        Box::pin(async move {
            let answer = answer.await?;
            if answer.body().len() > max_body { Err(TransportError::new(Sent::Maybe, Trouble::TooLarge)) } else { Ok(answer) }
        })
    }
}

/// Protocol of the connection an answer came over; kept with the answer, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Negotiated(pub &'static str);

/// Counts what passes.
pub struct Counted {
    inner: Arc<dyn Transport>,
    meters: Meters,
}

impl Counted {
    pub fn new(inner: Arc<dyn Transport>, meters: Meters) -> Self {
        Self { inner, meters }
    }
}

impl Transport for Counted {
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer> {
        self.meters.requests.up();
        let (answer, meters) = (self.inner.call(request, max_body), self.meters.clone());
        Box::pin(async move {
            let answer = answer.await;
            if answer.as_ref().is_ok_and(|answer| answer.status() == http::StatusCode::TOO_MANY_REQUESTS) {
                meters.throttled.up();
            }
            answer
        })
    }
}

/// The real network.
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    pub fn new(config: &Config) -> Result<Self> {
        // A simulator on this machine is never asked for through a proxy.
        let loopback = Endpoints::of(&config.cloud)?.loopback;
        // One provider for the whole engine. A host that has installed one of its own before keeps it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let oldest = if config.allow_tls12 { reqwest::tls::Version::TLS_1_2 } else { reqwest::tls::Version::TLS_1_3 };
        let mut client = reqwest::Client::builder()
            .tls_version_min(oldest)
            .tls_info(true)
            .tls_certs_merge(tls::authorities(config.ca_certificates.as_deref())?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(TOTAL)
            .timeout(TOTAL)
            .pool_idle_timeout(IDLE_CONNECTION)
            .http1_max_headers(200)
            .http2_max_header_list_size(MAX_HEADERS as u32)
            .gzip(true);
        // Read even when it is not used, so that a mistake shows before the day it matters.
        let proxy = config.proxy.as_deref().map(proxy).transpose()?;
        client = match proxy {
            _ if loopback => client.no_proxy(),
            Some(proxy) => client.proxy(proxy),
            None => client,
        };
        let client = client
            .build()
            .map_err(|e| Error::internal("The network could not be set up; the system's certificates may be missing (package ca-certificates).").with_source(e))?;
        Ok(Self { client })
    }
}

fn proxy(text: &str) -> Result<reqwest::Proxy> {
    let unusable = || Error::invalid("proxy is not an address such as http://proxy.example:8080.");
    let address = url::Url::parse(text).map_err(|_| unusable())?;
    if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
        return Err(unusable());
    }
    Ok(reqwest::Proxy::all(address).map_err(|_| unusable())?.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")))
}

impl Transport for ReqwestTransport {
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer> {
        let client = self.client.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|e| failed(e, Sent::No))?;
            let mut answer = client.execute(request).await.map_err(|e| failed(e, Sent::Maybe))?;
            let too_large = || TransportError::new(Sent::Maybe, Trouble::TooLarge);
            if answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEADERS {
                return Err(too_large());
            }
            // Counted as it is unpacked, so that a small file cannot become a large page.
            let expected = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            if expected > max_body {
                return Err(too_large());
            }
            let mut body = BytesMut::with_capacity(expected);
            while let Some(part) = answer.chunk().await.map_err(|e| failed(e, Sent::Maybe))? {
                if body.len() + part.len() > max_body {
                    return Err(too_large());
                }
                body.extend_from_slice(&part);
            }
            let mut whole = http::Response::new(body.freeze());
            if let Some(version) = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(reqwest::tls::TlsInfo::version) {
                whole.extensions_mut().insert(Negotiated(if version == reqwest::tls::Version::TLS_1_3 { "1.3" } else { "1.2" }));
            }
            *whole.status_mut() = answer.status();
            *whole.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(whole)
        })
    }
}

fn failed(error: reqwest::Error, sent: Sent) -> TransportError {
    // The address may hold a code or a token; an error ends up in logs.
    let error = error.without_url();
    let connecting = error.is_connect();
    let trouble = if let Some(trouble) = tls::trouble(&error) {
        trouble
    } else if error.is_timeout() {
        Trouble::TimedOut
    } else if connecting {
        Trouble::Connect
    } else {
        Trouble::Broken
    };
    TransportError { sent: if connecting { Sent::No } else { sent }, trouble, source: Some(Arc::new(error)) }
}
