//! What the token endpoint is asked, what it answers, and the form in which an account's token is kept.

mod answer;
mod device;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use device::DeviceCode;

use answer::{EntraError, EntraToken};

use super::assertion::Proof;
use super::state::Refusal;
use crate::clock::Clock;
use crate::config::Endpoints;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::foreign::{RequestId, Secrets};
use crate::pipeline::{AccessToken, MAX_TOKEN, Pipeline, Purpose, Request, Response, Safety};
use crate::secret::{ClientCertificate, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, StandardRevocableToken, TokenUrl,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const LONGEST_TOKEN: usize = 64 << 10;
/// Pauses a token request may make in all; the caller's own request waits behind it.
const PATIENCE: Duration = Duration::from_secs(20);

/// As it is sealed in the store.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct StoredToken {
    pub refresh_token: String,
    pub access_token: String,
    /// `sub` of the last id token that was verified; none in rows of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Brought by a renewal of which nobody could tell yet whose it is. Asked with only when the other one is refused for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
}

impl StoredToken {
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| Error::internal("A token could not be written."))
    }

    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|_| Error::new(ErrorKind::Corrupt, "The stored token cannot be read. Connect the account again."))
    }
}

/// A good answer.
pub struct Grant {
    pub access_token: AccessToken,
    pub refresh_token: Option<Zeroizing<String>>,
    pub id_token: Option<Zeroizing<String>>,
    pub client_info: Option<Zeroizing<String>>,
    /// The service's own time of the answer.
    pub answered_at: Option<SystemTime>,
    pub scopes: Option<Vec<String>>,
    pub lifetime: Duration,
    /// What was sent for it and what came, which nothing that is shown may repeat.
    pub secrets: Secrets,
}

impl Grant {
    /// `secrets`: what was sent. Scopes are stored in clear and shown, so none of them may repeat it, or the tokens that came.
    fn without(mut self, mut secrets: Secrets) -> Self {
        secrets.add(self.access_token.shared());
        for token in [&self.refresh_token, &self.id_token].into_iter().flatten() {
            secrets.add_text(token);
        }
        if let Some(scopes) = self.scopes.as_mut().filter(|scopes| secrets.are_in_any(scopes.iter().map(String::as_str))) {
            scopes.retain(|scope| !secrets.are_in_any([scope.as_str()]));
        }
        self.secrets = secrets;
        self
    }

    /// What an application's own token allows. The token is Microsoft's to read, not ours: that nothing stands in it is taken as a sign that the
    /// approval has not arrived yet, and nothing is decided by what does stand in it. None: it cannot be looked into.
    pub fn roles(&self) -> Option<Vec<String>> {
        #[derive(Deserialize)]
        struct Claims {
            #[serde(default, deserialize_with = "lenient::scalars")]
            roles: Vec<String>,
        }
        let claims: Claims = self.access_token.expose(|token| {
            let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
            serde_json::from_slice(&payload).ok()
        })?;
        Some(claims.roles.into_iter().filter(|role| role.len() <= 300).take(200).collect())
    }
}

/// No grant: refused by Entra in its own words, or an error of ours.
pub enum Denied {
    Refused(Refusal, Option<RequestId>),
    Failed(Error),
}

impl Denied {
    pub fn into_error(self, while_signing_in: bool) -> Error {
        match self {
            Self::Refused(refusal, request_id) => refusal.error(while_signing_in).with_request_id(request_id),
            Self::Failed(error) => error,
        }
    }
}

/// How an application proves that it is the one that asks.
pub enum Credential {
    /// A public client.
    None,
    Secret(Arc<Secret>),
    Certificate(Arc<ClientCertificate>),
}

/// Entra's endpoints, for one application. The tenant is said with each request: a token is asked at the one it comes from.
pub struct Entra {
    pipeline: Arc<Pipeline>,
    clock: Arc<dyn Clock>,
    login: Url,
    graph_prefix: String,
    client_id: String,
    credential: Credential,
}

type EntraClient = Client<
    EntraError,
    EntraToken,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;
impl Entra {
    pub fn new(pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, endpoints: &Endpoints, client_id: &str, credential: Credential) -> Self {
        Self { pipeline, clock, login: endpoints.login.clone(), graph_prefix: endpoints.scope_prefix(), client_id: client_id.to_owned(), credential }
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// It can have tokens of its own, without a person.
    pub fn is_confidential(&self) -> bool {
        !matches!(self.credential, Credential::None)
    }

    fn address(&self, tenant: &str, rest: &str) -> Url {
        let mut url = self.login.clone();
        url.set_path(&format!("{}/{tenant}/{rest}", self.login.path().trim_end_matches('/')));
        url
    }

    /// Neither another tenant nor another application waits when this one is told to.
    fn share(&self, tenant: &str) -> String {
        format!("{tenant} {}", self.client_id)
    }

    fn client(&self, tenant: &str) -> EntraClient {
        let client = Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(self.address(tenant, "oauth2/v2.0/authorize")))
            .set_token_uri(TokenUrl::from_url(self.address(tenant, "oauth2/v2.0/token")));
        match &self.credential {
            Credential::Secret(secret) => client.set_client_secret(secret.expose(|text| ClientSecret::new(text.to_owned()))),
            Credential::None | Credential::Certificate(_) => client,
        }
    }

    /// Stands in for a client secret in every request of the token endpoint; none without a certificate.
    fn proof(&self, tenant: &str) -> Option<Arc<Proof>> {
        let Credential::Certificate(certificate) = &self.credential else { return None };
        let audience = self.address(tenant, "oauth2/v2.0/token").into();
        Some(Arc::new(Proof { certificate: certificate.clone(), client_id: self.client_id.clone(), audience, clock: self.clock.clone() }))
    }

    /// Microsoft's page for administrators.
    pub fn approval_url(&self, tenant: &str, scopes: &[String], redirect_uri: &str, state: Option<&str>) -> String {
        let mut url = self.address(tenant, "v2.0/adminconsent");
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("redirect_uri", redirect_uri);
        if let Some(state) = state {
            url.query_pairs_mut().append_pair("state", state);
        }
        url.into()
    }

    pub fn authorize_url(&self, tenant: &str, ask: Ask<'_>) -> Result<String> {
        let redirect = RedirectUrl::new(ask.redirect_uri.to_owned()).map_err(|_| Error::invalid("redirect_uri is not a URL."))?;
        let verifier = PkceCodeVerifier::new(ask.verifier.to_owned());
        let state = ask.state.to_owned();
        let client = self.client(tenant);
        let mut request = client
            .authorize_url(move || oauth2::CsrfToken::new(state))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .add_scopes(ask.scopes.iter().map(|s| oauth2::Scope::new(s.clone())))
            .set_pkce_challenge(oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("response_mode", "query")
            .add_extra_param("nonce", ask.nonce.to_owned());
        request = match ask.login_hint {
            Some(hint) => request.add_extra_param("login_hint", hint.to_owned()),
            // Without it a browser that is signed in somewhere connects that account without asking.
            None => request.add_extra_param("prompt", "select_account"),
        };
        if let Some(claims) = ask.claims {
            request = request.add_extra_param("claims", claims.to_owned());
        }
        Ok(request.url().0.into())
    }

    /// The code is good for one use, so this is never repeated in doubt.
    pub async fn exchange(&self, tenant: &str, code: &str, verifier: &str, redirect_uri: &str) -> Result<Grant, Denied> {
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Denied::Failed(Error::internal("The redirect URI of this sign-in is not a URL.")))?;
        let wire = Wire::new(self, tenant, Safety::Once, None);
        let call = wire.call();
        let client = self.client(tenant);
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect));
        let answer = request.request_async(&call).await;
        wire.read(answer)
    }

    /// Microsoft's old refresh tokens stay valid, so this may be repeated.
    pub async fn refresh(&self, tenant: &str, account_id: &str, refresh_token: &str, claims: Option<&str>) -> Result<Grant, Denied> {
        let token = RefreshToken::new(refresh_token.to_owned());
        let wire = Wire::new(self, tenant, Safety::Repeatable, Some(account_id));
        let call = wire.call();
        let client = self.client(tenant);
        let mut request = client.exchange_refresh_token(&token);
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims.to_owned());
        }
        let answer = request.request_async(&call).await;
        wire.read(answer)
    }

    /// A token of the application itself, for an organisation whose administrator has approved it. `tenant`: its id.
    pub async fn app_only(&self, tenant: &str, account_id: &str, claims: Option<&str>) -> Result<Grant, Denied> {
        self.client_credentials(tenant, &format!("{}.default", self.graph_prefix), Some(account_id), claims).await
    }

    /// A token of the application itself for another service than Graph. `tenant`: where it is asked.
    pub async fn bot(&self, tenant: &str, scope: &str) -> Result<Grant, Denied> {
        self.client_credentials(tenant, scope, None, None).await
    }

    async fn client_credentials(&self, tenant: &str, scope: &str, account_id: Option<&str>, claims: Option<&str>) -> Result<Grant, Denied> {
        let wire = Wire::new(self, tenant, Safety::Repeatable, account_id);
        let call = wire.call();
        let client = self.client(tenant);
        let mut request = client.exchange_client_credentials().add_scope(oauth2::Scope::new(scope.to_owned()));
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims.to_owned());
        }
        let answer = request.request_async(&call).await;
        wire.read(answer)
    }
}

/// Parameters of one authorize URL.
pub struct Ask<'a> {
    pub redirect_uri: &'a str,
    pub scopes: &'a [String],
    pub state: &'a str,
    pub nonce: &'a str,
    pub verifier: &'a str,
    pub login_hint: Option<&'a str>,
    /// What Microsoft asked for when it refused the account last.
    pub claims: Option<&'a str>,
}

/// The oauth2 crate on top of our pipeline. It keeps what the crate does not hand on: our own error, and the request id.
struct Wire {
    pipeline: Arc<Pipeline>,
    proof: Option<Arc<Proof>>,
    safety: Safety,
    account_id: Option<String>,
    share: String,
    noted: Arc<std::sync::Mutex<Noted>>,
    answered_at: Arc<std::sync::Mutex<Option<SystemTime>>>,
}

/// Of the answer: its id, and what it must not carry any further.
type Noted = (Option<RequestId>, Secrets);

type Failure = RequestTokenError<Error, EntraError>;

impl Wire {
    fn new(entra: &Entra, tenant: &str, safety: Safety, account_id: Option<&str>) -> Self {
        Self {
            pipeline: entra.pipeline.clone(),
            proof: entra.proof(tenant),
            safety,
            account_id: account_id.map(str::to_owned),
            share: entra.share(tenant),
            noted: Arc::default(),
            answered_at: Arc::default(),
        }
    }

    fn call(&self) -> impl Fn(oauth2::HttpRequest) -> futures_util::future::BoxFuture<'static, Result<oauth2::HttpResponse>> + Send + Sync + use<> {
        let (pipeline, proof, safety, noted) = (self.pipeline.clone(), self.proof.clone(), self.safety, self.noted.clone());
        let timed = self.answered_at.clone();
        let (account_id, share) = (self.account_id.clone(), self.share.clone());
        move |mut asked| {
            let (pipeline, proof, account_id, share, noted) = (pipeline.clone(), proof.clone(), account_id.clone(), share.clone(), noted.clone());
            let timed = timed.clone();
            Box::pin(async move {
                if let Some(proof) = proof {
                    proof.attach(asked.body_mut())?;
                }
                let response = pipeline.send(request(asked, safety, account_id, share)?).await?;
                *noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (response.request_id(), response.secrets.clone());
                *timed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
                answer(response)
            })
        }
    }

    fn read(&self, answer: Result<EntraToken, Failure>) -> Result<Grant, Denied> {
        let (request_id, secrets) = std::mem::take(&mut *self.noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let unreadable = |request_id| Denied::Failed(Error::new(ErrorKind::Upstream, "Microsoft's sign-in service answered something unreadable. Try again later.").with_request_id(request_id));
        match answer {
            Ok(token) => {
                let answered_at = self.answered_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                token.grant().map(|grant| Grant { answered_at, ..grant }.without(secrets)).ok_or_else(|| unreadable(request_id))
            }
            Err(RequestTokenError::ServerResponse(body)) => Err(Denied::Refused(body.refusal(&secrets), request_id)),
            Err(RequestTokenError::Request(error)) => Err(Denied::Failed(error)),
            Err(RequestTokenError::Parse(_, mut body)) => {
                body.zeroize();
                Err(unreadable(request_id))
            }
            Err(RequestTokenError::Other(_)) => Err(unreadable(request_id)),
        }
    }
}

fn request(asked: oauth2::HttpRequest, safety: Safety, account_id: Option<String>, share: String) -> Result<Request> {
    let (parts, body) = asked.into_parts();
    let url = parts.uri.to_string().parse().map_err(|_| Error::internal("The token address could not be made."))?;
    let mut request = Request::get(url, Purpose::Identity);
    request.method = parts.method;
    request.headers = parts.headers;
    request.body = Bytes::from(body);
    request.safety = safety;
    request.account_id = account_id;
    request.share = share;
    request.max_wait = PATIENCE;
    request.max_body = MAX_TOKEN;
    Ok(request)
}

fn answer(response: Response) -> Result<oauth2::HttpResponse> {
    // A refusal comes as 400 or 401 with JSON; anything else is a service that is not itself.
    let expected = matches!(response.status, StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if !expected {
        let status = response.status.as_u16();
        return Err(Error::new(ErrorKind::Upstream, format!("Microsoft's sign-in service answered HTTP {status}. Try again later.")).with_request_id(response.request_id()));
    }
    // Put right here, since the crate reads the bytes as they are. It would also refuse JSON that is called something else.
    let mut answer = http::Response::new(json::text(&response.body).into_owned().into_bytes());
    *answer.status_mut() = response.status;
    // The buffer held tokens. If nobody else looks at it, it is wiped; the copy is wiped by its reader or small and short-lived.
    if let Ok(mut body) = response.body.try_into_mut() {
        body.as_mut().zeroize();
    }
    Ok(answer)
}
