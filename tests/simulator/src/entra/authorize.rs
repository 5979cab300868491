//! The authorize endpoint: is the request sound, who signs in, what does the app get back.

use super::grants::{Code, is_oidc, short};
use super::{is_alias, page, tenant_known};
use crate::http::{Answer, Call, form};
use crate::world::World;

pub struct Request {
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<(String, bool)>,
    mode: String,
    prompt: String,
    hint: Option<String>,
    tenant: Option<usize>,
}

/// A request that cannot go on.
pub enum Refusal {
    /// Shown to the person; the app never hears of it.
    Page(String),
    /// Told to the app.
    Back(Box<Request>, &'static str, String),
}

pub fn check(world: &World, tenant: &str, query: &str) -> Result<Request, Refusal> {
    let pairs = form(query);
    let get = |name: &str| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let page = |number: u32, text: String| Refusal::Page(format!("AADSTS{number}: {text}"));
    let missing = |name: &str| page(900_144, format!("The request body must contain the following parameter: '{name}'."));
    if !tenant_known(world, tenant) {
        return Err(page(90_002, format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.")));
    }
    let client_id = get("client_id").ok_or_else(|| missing("client_id"))?;
    let Some(app) = world.people.app(&client_id) else {
        return Err(page(700_016, super::token::unknown_app(&client_id, tenant)));
    };
    let redirect_uri = get("redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
    if !app.takes_redirect(&redirect_uri) {
        let text = format!(
            "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for the \
             application '{client_id}'."
        );
        return Err(page(50_011, text));
    }
    let method = get("code_challenge_method");
    let request = Request {
        client_id,
        redirect_uri,
        scopes: get("scope").unwrap_or_default().split_whitespace().map(String::from).collect(),
        state: get("state"),
        nonce: get("nonce"),
        challenge: get("code_challenge").map(|c| (c, method.as_deref() == Some("S256"))),
        mode: get("response_mode").unwrap_or_else(|| "query".into()),
        prompt: get("prompt").unwrap_or_default(),
        hint: get("login_hint"),
        tenant: if is_alias(tenant) { None } else { world.people.tenant(tenant) },
    };
    let back = |request: Request, error, number: u32, text: &str| {
        Err(Refusal::Back(Box::new(request), error, format!("AADSTS{number}: {text}")))
    };
    match get("response_type").as_deref() {
        Some("code") => {}
        None => {
            return back(
                request,
                "invalid_request",
                900_144,
                "The request body must contain the following parameter: 'response_type'.",
            );
        }
        Some(_) => {
            return back(request, "unsupported_response_type", 700_051, "response_type is not enabled for the application.");
        }
    }
    if request.scopes.is_empty() {
        return back(request, "invalid_request", 900_144, "The request body must contain the following parameter: 'scope'.");
    }
    if let Some(odd) = request.scopes.iter().find(|s| !plausible(s)) {
        let text = format!("The application asked for scope '{odd}' that doesn't exist on the resource.");
        return back(request, "invalid_client", 650_053, &text);
    }
    if method.is_some_and(|m| m != "S256" && m != "plain") {
        return back(request, "invalid_request", 501_490, "The code_challenge_method is not supported.");
    }
    if request.challenge.as_ref().is_some_and(|(c, _)| !(43..=128).contains(&c.len())) {
        return back(request, "invalid_request", 501_491, "Invalid size of Code_Challenge parameter.");
    }
    if !matches!(request.mode.as_str(), "query" | "fragment" | "form_post") {
        return back(request, "invalid_request", 70_007, "The response_mode is not supported.");
    }
    Ok(request)
}

/// A scope of sign-in, or one that looks like Graph's.
fn plausible(scope: &str) -> bool {
    if is_oidc(scope) {
        return true;
    }
    let name = short(scope);
    let words = name.split('.').all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    name == ".default" || (name.contains('.') && words)
}

/// GET: the first page, or the redirect at once.
pub fn show(world: &mut World, call: &Call, tenant: &str, seq: u64) -> Answer {
    let request = match check(world, tenant, &call.query) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    match &request.challenge {
        Some((_, true)) => {}
        Some(_) => world.ledger.accuse("bad_pkce", seq, "authorize with a plain code_challenge"),
        None => world.ledger.accuse("bad_pkce", seq, "authorize without a code_challenge"),
    }
    if let Some(person) = world.entra.auto_approve {
        return match finish(world, &request, person, "approve") {
            Ok(back) => back.answer(),
            Err(text) => Answer::html(200, page::error(&text)),
        };
    }
    if request.prompt == "none" {
        let text = "AADSTS50058: A silent sign-in request was sent but no user is signed in.";
        return request.back(&[("error", "login_required"), ("error_description", text)]).answer();
    }
    let hinted = request.hint.as_deref().and_then(|h| world.people.find(h));
    match hinted {
        Some(person) if request.prompt != "select_account" => ask_consent(world, call, &request, &call.query, person),
        _ => {
            let fits = |tenant: usize| request.tenant.is_none_or(|t| t == tenant);
            let people: Vec<(String, String)> =
                world.people.people.iter().filter(|p| fits(p.tenant)).map(|p| (p.address.clone(), p.name.clone())).collect();
            Answer::html(200, page::pick(&call.path, &call.query, &people))
        }
    }
}

fn ask_consent(world: &mut World, call: &Call, request: &Request, query: &str, person: usize) -> Answer {
    if request.prompt != "consent" && world.entra.consented(&request.client_id, person, &request.scopes) {
        return match finish(world, request, person, "approve") {
            Ok(back) => back.answer(),
            Err(text) => Answer::html(200, page::error(&text)),
        };
    }
    let address = &world.people.people[person].address;
    Answer::html(200, page::consent(&call.path, query, address, &request.scopes))
}

/// POST: what the person pressed.
pub fn decided(world: &mut World, call: &Call, tenant: &str) -> Answer {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let query = get("request").unwrap_or("");
    let request = match check(world, tenant, query) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let Some(person) = get("as").and_then(|who| world.people.find(who)) else {
        return Answer::html(200, page::error("AADSTS50034: The user account does not exist in the directory."));
    };
    match get("decision") {
        None => ask_consent(world, call, &request, query, person),
        Some(decision) => match finish(world, &request, person, decision) {
            Ok(back) => back.answer(),
            Err(text) => Answer::html(200, page::error(&text)),
        },
    }
}

fn refuse(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Page(text) => Answer::html(200, page::error(&text)),
        Refusal::Back(request, error, text) => request.back(&[("error", error), ("error_description", &text)]).answer(),
    }
}

/// For the control endpoint: where the browser is sent, or what the page says.
pub fn sign_in(world: &mut World, tenant: &str, query: &str, person: usize, decision: &str) -> Result<String, String> {
    match check(world, tenant, query) {
        Ok(request) => finish(world, &request, person, decision).map(|back| back.location()),
        Err(Refusal::Page(text)) => Err(text),
        Err(Refusal::Back(request, error, text)) => {
            Ok(request.back(&[("error", error), ("error_description", &text)]).location())
        }
    }
}

fn finish(world: &mut World, request: &Request, person: usize, decision: &str) -> Result<Back, String> {
    let home = world.people.people[person].tenant;
    if request.tenant.is_some_and(|t| t != home) {
        let address = &world.people.people[person].address;
        return Err(format!(
            "AADSTS50020: User account '{address}' does not exist in this tenant and cannot access the application."
        ));
    }
    match decision {
        "approve" => {}
        "decline" => {
            let text = "AADSTS65004: User declined to consent to access the app.";
            let fields = [("error", "access_denied"), ("error_subcode", "cancel"), ("error_description", text)];
            return Ok(request.back(&fields));
        }
        "admin_required" => {
            let text = "AADSTS90094: The grant requires admin permission.";
            return Ok(request.back(&[("error", "access_denied"), ("error_description", text)]));
        }
        other => return Err(format!("no such decision: {other}")),
    }
    world.entra.consent(&request.client_id, person, &request.scopes);
    let code = format!("1.{}", world.noise.text(90));
    let issued_ms = world.now();
    world.entra.codes.insert(
        code.clone(),
        Code {
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            person,
            scopes: request.scopes.clone(),
            challenge: request.challenge.clone(),
            nonce: request.nonce.clone(),
            issued_ms,
            used: false,
        },
    );
    let session = world.noise.guid();
    Ok(request.back(&[("code", &code), ("session_state", &session)]))
}

/// What goes to the redirect URI.
struct Back {
    uri: String,
    mode: String,
    fields: Vec<(String, String)>,
}

impl Request {
    fn back(&self, fields: &[(&str, &str)]) -> Back {
        let mut fields: Vec<(String, String)> = fields.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        fields.extend(self.state.clone().map(|s| ("state".to_string(), s)));
        Back { uri: self.redirect_uri.clone(), mode: self.mode.clone(), fields }
    }
}

impl Back {
    fn location(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.uri) else {
            return self.uri.clone();
        };
        if self.mode == "fragment" {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
            url.set_fragment(Some(&text));
        } else {
            url.query_pairs_mut().extend_pairs(&self.fields);
        }
        url.to_string()
    }

    fn answer(&self) -> Answer {
        match self.mode.as_str() {
            "form_post" => Answer::html(200, page::post_back(&self.uri, &self.fields)),
            _ => Answer::redirect(&self.location()),
        }
    }
}
