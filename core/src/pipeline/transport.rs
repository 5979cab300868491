//! The seam at the bottom: tests give a closure, the product gives reqwest on rustls with aws-lc-rs.

use crate::config::{Config, Endpoints};
use super::body::{Arriving, Sink, too_large};
use super::lines::{InUse, Lines};
use super::public::{NotPublic, PublicNames};
use super::rest::{Pieces, Rest, Whole};
use super::tls;
use crate::error::{Error, Result};
use crate::metrics::Meters;
use crate::stages::{Stage, waited};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const CONNECT: Duration = Duration::from_secs(10);
/// An exchange that takes longer is given up; what was asked for may have been done.
pub const LONGEST_EXCHANGE: Duration = Duration::from_secs(100);
/// A body that is read on demand takes no longer than this in all, and no piece of it longer than an exchange.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(3600);
/// A reused connection that the other side closed meanwhile leaves a sent request in doubt, so idle ones are not kept for long.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// A mailbox answers four requests at a time, and Teams four more of its person.
const IDLE_CONNECTIONS: usize = 8;
/// Requests at a time that have a connection each: sign-ins, and renewals of tokens, of which thousands can become due together.
const MOST_UNSHARED: usize = 8;
/// The same of requests that go to public addresses alone.
const MOST_PUBLIC: usize = 16;
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
    /// The name leads to an address that is not public, and may lead to public ones only.
    NotPublic,
    /// Reset, cut off, or not HTTP.
    Broken,
    /// The answer is larger than this request accepts.
    TooLarge,
    /// An answer to another request.
    Misfit,
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
    /// One exchange, no redirects, no repetition. The body is at most `max_body` bytes after decompression; it is whole or, where a [`Sink`] is an extension
    /// of the request and the answer a success, may be handed on as it arrives.
    /// Connections are kept for requests of the same [`Line`], which is an extension of the request; without one they are not kept.
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer>;

    /// Connections kept for this line are not used again.
    fn give_up(&self, line: &Line) {
        let _ = line;
    }
}

/// An extension of a request that goes to a public address alone, and through no proxy that only the environment names.
#[derive(Debug, Clone, Copy)]
pub struct PublicOnly;

/// Whose connections a request may use: those of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line(pub String);

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

    fn give_up(&self, line: &Line) {
        self.inner.give_up(line);
    }
}

/// The real network. Each account has a client, and so connections, of its own: an answer that slips on a kept connection cannot reach another account.
pub struct ReqwestTransport {
    maker: Maker,
    /// Keeps no connection.
    unshared: reqwest::Client,
    unshared_places: Arc<Semaphore>,
    /// For what is [`PublicOnly`]. Keeps no connection, so a name is looked up for each request. None of them takes the place of a sign-in.
    public: reqwest::Client,
    public_places: Arc<Semaphore>,
    lines: Lines,
}

/// Makes clients that differ in nothing but their connections.
struct Maker {
    tls: rustls::ClientConfig,
    proxy: Option<reqwest::Proxy>,
    loopback: bool,
}

impl Maker {
    fn client(&self, idle_connections: usize) -> std::result::Result<reqwest::Client, reqwest::Error> {
        let client = self.builder(idle_connections);
        match &self.proxy {
            // A simulator on this machine is never asked for through a proxy.
            _ if self.loopback => client.no_proxy(),
            Some(proxy) => client.proxy(proxy.clone()),
            None => client,
        }
        .build()
    }

    /// What the settings name as the proxy looks names up itself, in its own network.
    fn public_client(&self) -> std::result::Result<reqwest::Client, reqwest::Error> {
        let client = self.builder(0).no_proxy();
        match &self.proxy {
            Some(proxy) if !self.loopback => client.proxy(proxy.clone()),
            _ => client.dns_resolver(Arc::new(PublicNames { loopback: self.loopback })),
        }
        .build()
    }

    fn builder(&self, idle_connections: usize) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .tls_info(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(LONGEST_EXCHANGE)
            .timeout(LONGEST_EXCHANGE)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(idle_connections)
            .http1_max_headers(200)
            .http2_max_header_list_size(MAX_HEADERS as u32)
            .gzip(true)
    }
}

impl ReqwestTransport {
    pub fn new(config: &Config) -> Result<Self> {
        let loopback = Endpoints::of(&config.cloud)?.loopback;
        // Read even when it is not used, so that a mistake shows before the day it matters.
        let proxy = config.proxy.as_ref().map(|proxy| proxy.expose(read_proxy)).transpose()?;
        let maker = Maker { tls: tls::client(config)?, proxy, loopback };
        let unshared = maker.client(0).map_err(|_| tls::not_set_up())?;
        let public = maker.public_client().map_err(|_| tls::not_set_up())?;
        let places = |most| Arc::new(Semaphore::new(most));
        Ok(Self { maker, unshared, unshared_places: places(MOST_UNSHARED), public, public_places: places(MOST_PUBLIC), lines: Lines::default() })
    }

    /// A client for one request, and what is to be held while it is under way.
    pub(super) fn client(&self, line: Option<&Line>) -> std::result::Result<(reqwest::Client, Option<InUse>), TransportError> {
        let Some(line) = line else { return Ok((self.unshared.clone(), None)) };
        let (client, in_use) = self.lines.enter(line, || self.maker.client(IDLE_CONNECTIONS)).map_err(|e| failed(e, Sent::No))?;
        Ok((client, Some(in_use)))
    }
}

#[cfg(test)]
impl ReqwestTransport {
    pub fn kept_lines(&self) -> usize {
        self.lines.len()
    }
}

fn read_proxy(text: &str) -> Result<reqwest::Proxy> {
    let unusable = || Error::invalid("proxy is not an address such as http://proxy.example:8080.");
    let address = url::Url::parse(text).map_err(|_| unusable())?;
    if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
        return Err(unusable());
    }
    Ok(reqwest::Proxy::all(address).map_err(|_| unusable())?.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")))
}

impl Transport for ReqwestTransport {
    fn call(&self, request: http::Request<Bytes>, max_body: usize) -> BoxFuture<'static, Answer> {
        let is_public_only = request.extensions().get::<PublicOnly>().is_some();
        let client = if is_public_only { Ok((self.public.clone(), None)) } else { self.client(request.extensions().get()) };
        let sink = request.extensions().get::<Sink>().cloned();
        let whole = request.extensions().get::<Whole>().copied();
        let places = if is_public_only { &self.public_places } else { &self.unshared_places }.clone();
        Box::pin(async move {
            let (client, in_use) = client?;
            let _place = match &in_use {
                Some(_) => None,
                None => places.acquire_owned().await.ok(),
            };
            let mut request = reqwest::Request::try_from(request).map_err(|e| failed(e, Sent::No))?;
            let Some(whole) = whole else { return gathered(waited(Stage::Download, client.execute(request)).await, sink, max_body).await };
            // The first part is as patient as any exchange; what follows may take its time.
            *request.timeout_mut() = Some(LONGEST_DOWNLOAD);
            let begun = async { begun(client.execute(request).await, max_body, whole, in_use).await };
            tokio::time::timeout(LONGEST_EXCHANGE, begun).await.unwrap_or_else(|_| Err(TransportError::new(Sent::Maybe, Trouble::TimedOut)))
        })
    }

    fn give_up(&self, line: &Line) {
        self.lines.give_up(line);
    }
}

/// An answer whose headers are here.
fn checked(answer: reqwest::Result<reqwest::Response>) -> std::result::Result<reqwest::Response, TransportError> {
    let answer = answer.map_err(|e| failed(e, Sent::Maybe))?;
    if answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEADERS {
        return Err(too_large());
    }
    Ok(answer)
}

/// The answer with all of its body, of which `max_body` bytes are accepted.
async fn gathered(answer: reqwest::Result<reqwest::Response>, sink: Option<Sink>, max_body: usize) -> Answer {
    let mut answer = checked(answer)?;
    let expected = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let mut body = Arriving::new(sink.filter(|_| answer.status().is_success()), expected, max_body)?;
    while let Some(part) = waited(Stage::Download, answer.chunk()).await.map_err(|e| failed(e, Sent::Maybe))? {
        body.take(&part)?;
    }
    Ok(dressed(body.end(), &mut answer))
}

/// The answer with the first part of its body, if that is a success and longer than `whole`.
async fn begun(answer: reqwest::Result<reqwest::Response>, max_body: usize, Whole(whole): Whole, in_use: Option<InUse>) -> Answer {
    if !answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
        return gathered(answer, None, max_body).await;
    }
    let mut answer = checked(answer)?;
    let mut first = BytesMut::new();
    while first.len() <= whole {
        match answer.chunk().await.map_err(|e| failed(e, Sent::Maybe))? {
            Some(part) => first.extend_from_slice(&part),
            None => return Ok(dressed(http::Response::new(first.freeze()), &mut answer)),
        }
    }
    let mut begun = dressed(http::Response::new(first.freeze()), &mut answer);
    begun.extensions_mut().insert(Rest::new(Downloading { answer, _in_use: in_use }));
    Ok(begun)
}

/// With status, headers and the protocol it came over.
fn dressed(mut whole: http::Response<Bytes>, answer: &mut reqwest::Response) -> http::Response<Bytes> {
    if let Some(version) = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(reqwest::tls::TlsInfo::version) {
        whole.extensions_mut().insert(Negotiated(if version == reqwest::tls::Version::TLS_1_3 { "1.3" } else { "1.2" }));
    }
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    whole
}

/// A body under way.
struct Downloading {
    answer: reqwest::Response,
    _in_use: Option<InUse>,
}

impl Pieces for Downloading {
    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Bytes>, TransportError>> {
        Box::pin(async move {
            match tokio::time::timeout(LONGEST_EXCHANGE, self.answer.chunk()).await {
                Ok(piece) => piece.map_err(|e| failed(e, Sent::Maybe)),
                Err(_) => Err(TransportError::new(Sent::Maybe, Trouble::TimedOut)),
            }
        })
    }
}

fn failed(error: reqwest::Error, sent: Sent) -> TransportError {
    let connecting = error.is_connect();
    let trouble = if let Some(trouble) = tls::trouble(&error) {
        trouble
    } else if is_not_public(&error) {
        Trouble::NotPublic
    } else if error.is_timeout() {
        Trouble::TimedOut
    } else if connecting {
        Trouble::Connect
    } else {
        Trouble::Broken
    };
    // The libraries' own words may quote the address, a certificate or an answer; what the operating system calls it may be told.
    TransportError { sent: if connecting { Sent::No } else { sent }, trouble, source: system_error(&error).map(|kind| Arc::new(std::io::Error::from(kind)) as _) }
}

fn is_not_public(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<NotPublic>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn system_error(error: &(dyn StdError + 'static)) -> Option<std::io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<std::io::Error>() {
            Some(io) if io.kind() != std::io::ErrorKind::Other => return Some(io.kind()),
            _ => next = error.source(),
        }
    }
    None
}
