//! Whose an answer of the token endpoint is. At a renewal nobody watches: an answer for somebody else would put another person's mail in an account's
//! place. So everything in it that names somebody has to name the account's person, and something has to.
//!
//! ```text
//! client_info, claims of the access token ── another ──▶ refused
//! id_token ── not Entra's, not for us, expired, another ──▶ refused
//! none of them names anybody, or the keys are not to be had ── /me asked with the new token ── another ──▶ refused
//! ```
//!
//! The access token is Graph's to read, and its signature cannot be verified here. Its claims are looked at all the same: Graph takes the token only if
//! they are true, so one that names another is another's, and one that names the right person opens nothing else.

use super::token::Grant;
use super::{Application, Auth};
use crate::config::PERSONAL_TENANT;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, AccountState};
use crate::pipeline::{AccessToken, Purpose, Request};
use crate::store::AccountRow;
use crate::trust::{Identity, is_guid, json_object};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Microsoft Graph's id as a resource.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
/// Who issues access tokens, beside the login host itself (tokens of version 1.0).
const ISSUERS: [&str; 3] = ["https://sts.windows.net/", "https://sts.chinacloudapi.cn/", "https://login.microsoftonline.com/"];

/// Whom an answer has to be for.
pub(super) struct Expected<'a> {
    pub tenant_id: &'a str,
    /// None: the application itself.
    pub person: Option<&'a str>,
    /// `sub` of an earlier id token, where one was kept.
    pub subject: Option<&'a str>,
    pub client_id: &'a str,
    /// At home elsewhere: `client_info` names the person as known there.
    pub is_guest: bool,
}

/// Why an answer is not taken.
pub(super) enum Doubt {
    /// It is somebody else's, or forged; in words.
    Another(&'static str),
    /// Nobody can tell at the moment.
    Unsure(Error),
}

/// What an answer says of whom it is for, as far as it can be read without asking anybody.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// The access token can be read, and names the one expected.
    pub by_access_token: bool,
}

impl Auth {
    /// Looks whether a renewal speaks for its account. Answers `sub` of its id token.
    pub(super) async fn check_identity(&self, app: &Application, account: &AccountRow, subject: Option<&str>, grant: &Grant) -> Result<Option<String>, Doubt> {
        let tenant_id = account.tenant().ok_or_else(|| Doubt::Unsure(Error::internal("An account without a tenant has a token.")))?;
        let person = match account.kind {
            AccountKind::Tenant => None,
            AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => Some(account.person().ok_or_else(|| Doubt::Unsure(Error::internal("An account without a person has a token.")))?),
        };
        let mut expected = Expected { tenant_id, person, subject, client_id: app.entra.client_id(), is_guest: false };
        let mut proven = None;
        if let Some(id_token) = &grant.id_token {
            match self.trust.id_token_at(id_token, self.tenant_of(account, app), expected.client_id, None, grant.answered_at).await {
                Ok(identity) => {
                    same(&identity, &expected)?;
                    expected.is_guest = identity.is_guest;
                    proven = Some(identity);
                }
                Err(e) if e.kind() == ErrorKind::TokenRejected => return Err(Doubt::Another("its id token does not prove who it is for")),
                // The keys are not to be had now. Graph says whom the token opens.
                Err(e) => tracing::debug!(target: "tidings::auth", kind = ?e.kind(), "an id token could not be verified"),
            }
        }
        let named = self.named(grant, &expected)?;
        // An account that waits for its person comes back only by a token that works.
        let has_to_work = account.state == AccountState::NeedsReconnect;
        // An id token says nothing about the token beside it that cannot be read.
        if has_to_work || !named.by_access_token || (grant.id_token.is_some() && proven.is_none()) {
            let opened = match person {
                Some(person) => self.opened(&grant.access_token, "me?$select=id").await.map(|id| id.is_none_or(|id| is_same_person(&id, person, tenant_id)).then_some(()).ok_or("it opens another person's account")),
                None => self.opened(&grant.access_token, "organization?$select=id").await.map(|id| id.is_none_or(|id| id.eq_ignore_ascii_case(tenant_id)).then_some(()).ok_or("it opens another organisation")),
            };
            match opened {
                Ok(verdict) => verdict.map_err(Doubt::Another)?,
                // Where a verified id token names the person, what Graph cannot say now is no reason to wait.
                Err(_) if proven.is_some() && !has_to_work => {}
                Err(e) => return Err(Doubt::Unsure(e)),
            }
        }
        Ok(proven.and_then(|identity| identity.subject))
    }

    /// What can be read of an answer names nobody else.
    pub(super) fn named(&self, grant: &Grant, expected: &Expected<'_>) -> Result<Named, Doubt> {
        let another = |why| Err(Doubt::Another(why));
        if let Some(info) = grant.client_info.as_deref().and_then(|text| decoded(text)) {
            let Some(info) = json_object(&info) else { return another("it says in two ways who it is for") };
            let is = |name: &str, wanted: &str| info.get(name).is_none_or(|value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(wanted)));
            let names_another = !is("utid", expected.tenant_id) || !expected.person.is_none_or(|person| is("uid", person));
            if names_another && !expected.is_guest {
                return another("its client_info names somebody else");
            }
        }
        let Some(claims) = grant.access_token.expose(readable) else { return Ok(Named::default()) };
        let Some(claims) = claims else { return another("its access token says something twice") };
        match self.misfit(&claims, expected) {
            Some(why) => another(why),
            None => {
                let has = |name: &str| claims.get(name).is_some_and(Value::is_string);
                Ok(Named { by_access_token: has("tid") && (expected.person.is_none() || has("oid")) })
            }
        }
    }

    /// Claims of an access token that contradict what is expected. A claim that is not there contradicts nothing; one of another form than text does.
    fn misfit(&self, claims: &Map<String, Value>, expected: &Expected<'_>) -> Option<&'static str> {
        let fits = |name: &str, check: &dyn Fn(&str) -> bool| match claims.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => check(text),
            Some(_) => false,
        };
        let audience = |text: &str| {
            let text = text.trim_end_matches('/');
            let ours = self.config.endpoints.scope_prefix();
            text.eq_ignore_ascii_case(GRAPH) || text.eq_ignore_ascii_case(ours.trim_end_matches('/')) || text.eq_ignore_ascii_case("https://graph.microsoft.com")
        };
        let issuer = |text: &str| {
            let login = self.config.endpoints.login.as_str();
            let of_entra = ISSUERS.iter().any(|start| text.starts_with(start)) || text.starts_with(login) || self.config.endpoints.loopback;
            of_entra && text.split('/').filter(|part| is_guid(part)).all(|part| part.eq_ignore_ascii_case(expected.tenant_id))
        };
        let kind = if expected.person.is_some() { "user" } else { "app" };
        if !fits("tid", &|text| text.eq_ignore_ascii_case(expected.tenant_id)) {
            return Some("its access token is of another organisation");
        }
        if let Some(person) = expected.person
            && !fits("oid", &|text| text.eq_ignore_ascii_case(person))
        {
            return Some("its access token is another person's");
        }
        if !fits("aud", &audience) {
            return Some("its access token is for another service");
        }
        if !["appid", "azp"].iter().all(|name| fits(name, &|text| text.eq_ignore_ascii_case(expected.client_id))) {
            return Some("its access token is another application's");
        }
        if !fits("iss", &issuer) {
            return Some("its access token comes from another issuer");
        }
        if !fits("idtyp", &|text| text.eq_ignore_ascii_case(kind)) {
            return Some("its access token is of another kind");
        }
        None
    }

    /// Whose things a token opens, before anything else is done with it. None: Graph may not tell this application.
    async fn opened(&self, token: &AccessToken, path: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Thing {
            id: Option<String>,
        }
        #[derive(Deserialize)]
        struct List {
            value: Vec<Thing>,
        }
        let mut request = Request::get(self.config.endpoints.graph.join(path).map_err(|_| Error::internal("The Graph address is not usable."))?, Purpose::Graph);
        request.bearer = Some(token.clone());
        request.max_wait = Duration::from_secs(5);
        let response = self.pipeline.send(request).await?;
        let unsure = || Error::new(ErrorKind::Upstream, "Microsoft does not say whose a renewed token is, so it is not used. Try again later.").with_request_id(response.request_id());
        if !response.status.is_success() {
            return Err(unsure());
        }
        let found = serde_json::from_slice::<List>(&response.body).ok().and_then(|list| list.value.into_iter().next()).or_else(|| serde_json::from_slice::<Thing>(&response.body).ok());
        found.and_then(|thing| thing.id).filter(|id| !id.is_empty()).map(Some).ok_or_else(unsure)
    }
}

fn same(identity: &Identity, expected: &Expected<'_>) -> Result<(), Doubt> {
    if identity.tenant_id != expected.tenant_id.to_ascii_lowercase() {
        return Err(Doubt::Another("its id token is of another organisation"));
    }
    if expected.person.is_some_and(|person| identity.user_id != person.to_ascii_lowercase()) {
        return Err(Doubt::Another("its id token is another person's"));
    }
    if let (Some(known), Some(said)) = (expected.subject, &identity.subject)
        && known != said
    {
        return Err(Doubt::Another("its id token is another person's"));
    }
    Ok(())
}

/// Graph names personal accounts by the last sixteen digits of what their tokens say.
fn is_same_person(graph_id: &str, person: &str, tenant_id: &str) -> bool {
    let digits = |text: &str| text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let (graph_id, person) = (digits(graph_id), digits(person));
    graph_id == person || (tenant_id == PERSONAL_TENANT && graph_id.trim_start_matches('0') == person.trim_start_matches('0'))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

/// The claims of a token that looks like a JWT with JSON inside; `Some(None)` when they are given twice. None: a lump that only Graph can read.
fn readable(token: &str) -> Option<Option<Map<String, Value>>> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let json = decoded(payload)?;
    serde_json::from_slice::<Map<String, Value>>(&json).ok()?;
    Some(json_object(&json))
}
