//! The authorize endpoint: who signs in, what do they agree to, what does the app get back.

use super::consent::{self, Hurdle};
use super::grants::{Code, MARK};
use super::keys::Tamper;
use super::request::{Back, Refusal, Request, check};
use super::{page, policy};
use crate::http::{Answer, Call, form};
use crate::world::World;
use serde_json::{Value, json};

/// What a person did on Microsoft's pages.
#[derive(Default)]
pub struct Choice {
    pub decision: String,
    /// What is granted of what was asked; None: all of it.
    pub scopes: Option<Vec<String>>,
    /// What is wrong with the id token that will come of it.
    pub tamper: Option<Tamper>,
}

impl Choice {
    pub fn decided(decision: &str) -> Choice {
        Choice { decision: decision.into(), ..Choice::default() }
    }
}

/// Where it ends.
pub enum End {
    Back(Back),
    /// The browser stays at Microsoft, the app hears nothing.
    Page(String),
}

impl End {
    fn answer(self) -> Answer {
        match self {
            End::Back(back) => back.answer(),
            End::Page(text) => Answer::html(200, page::error(&text)),
        }
    }

    /// For the control endpoint.
    pub fn into_json(self) -> Value {
        match self {
            End::Back(back) => json!({"location": back.location()}),
            End::Page(text) => json!({"location": null, "page": text}),
        }
    }
}

/// GET: the first page, or the redirect at once.
pub fn show(world: &mut World, call: &Call, tenant: &str, seq: u64) -> Answer {
    let request = match check(world, tenant, &call.query) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal).answer(),
    };
    match &request.challenge {
        Some((_, true)) => {}
        Some(_) => world.ledger.accuse("bad_pkce", seq, "authorize with a plain code_challenge"),
        None => world.ledger.accuse("bad_pkce", seq, "authorize without a code_challenge"),
    }
    if let Some(person) = world.entra.auto_approve {
        return finish(world, &request, person, &Choice::decided("approve")).answer();
    }
    if request.prompt == "none" {
        let text = "AADSTS50058: A silent sign-in request was sent but no user is signed in.";
        return request.back(&[("error", "login_required"), ("error_description", text)]).answer();
    }
    let hinted = request.hint.as_deref().and_then(|h| world.people.find(h));
    match hinted {
        Some(person) if request.prompt != "select_account" => ask_consent(world, call, &request, &call.query, person),
        _ => {
            let all = world.people.people.iter().enumerate().filter(|(n, _)| request.authority.admits(world, *n));
            let people: Vec<(String, String)> = all.map(|(_, p)| (p.address.clone(), p.name.clone())).collect();
            Answer::html(200, page::pick(&call.path, &call.query, &people))
        }
    }
}

fn ask_consent(world: &mut World, call: &Call, request: &Request, query: &str, person: usize) -> Answer {
    let who = &world.people.people[person];
    let anew = request.prompt == "consent";
    let scopes = consent::expand(world, &request.client_id, person, &request.scopes, anew);
    let settled = world.entra.consented(&request.client_id, person, who.tenant, &scopes);
    let kept_out = !request.authority.admits(world, person) || policy::page(world, person).is_err();
    if kept_out || (settled && !anew) {
        return finish(world, request, person, &Choice::decided("approve")).answer();
    }
    let address = who.address.clone();
    match consent::hurdle(world, &request.client_id, person, &scopes, anew) {
        None => Answer::html(200, page::consent(&call.path, query, &address, &scopes)),
        Some(hurdle) => Answer::html(200, page::needs_admin(&call.path, query, &address, matches!(hurdle, Hurdle::Request))),
    }
}

/// POST: what the person pressed.
pub fn decided(world: &mut World, call: &Call, tenant: &str) -> Answer {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let query = get("request").unwrap_or("");
    let request = match check(world, tenant, query) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal).answer(),
    };
    let Some(person) = get("as").and_then(|who| world.people.find(who)) else {
        return Answer::html(200, page::error("AADSTS50034: The user account does not exist in the directory."));
    };
    match get("decision") {
        None => ask_consent(world, call, &request, query, person),
        Some(decision) => finish(world, &request, person, &Choice::decided(decision)).answer(),
    }
}

fn refuse(refusal: Refusal) -> End {
    match refusal {
        Refusal::Page(text) => End::Page(text),
        Refusal::Back(request, error, text) => End::Back(request.back(&[("error", error), ("error_description", &text)])),
    }
}

/// For the control endpoint: where the browser is sent, or what the page says.
pub fn sign_in(world: &mut World, tenant: &str, query: &str, person: usize, choice: &Choice) -> End {
    match check(world, tenant, query) {
        Ok(request) => finish(world, &request, person, choice),
        Err(refusal) => refuse(refusal),
    }
}

/// Why this authority does not admit the person.
pub fn kept_out(world: &World, person: usize) -> String {
    let address = &world.people.people[person].address;
    if world.people.is_personal(person) {
        return format!(
            "AADSTS500200: User account '{address}' is a personal Microsoft account. Personal Microsoft accounts are not supported \
             for this application unless explicitly invited to an organization."
        );
    }
    format!("AADSTS50020: User account '{address}' does not exist in this tenant and cannot access the application.")
}

/// What a person gets of what was asked.
pub fn granted(world: &World, person: usize, asked: &[String], only: Option<&[String]>) -> Vec<String> {
    use super::resource::key;
    let personal = world.people.is_personal(person);
    let chosen = |s: &String| only.is_none_or(|list| list.iter().any(|o| key(o) == key(s)));
    asked.iter().filter(|s| chosen(s) && !(personal && consent::work_only(s))).cloned().collect()
}

/// May an account of this kind use this app? The page, if not.
pub fn fits(world: &World, client_id: &str, person: usize) -> Result<(), String> {
    use crate::apps::Audience;
    let Some(app) = world.people.app(client_id) else { return Ok(()) };
    match &app.audience {
        Audience::Work if world.people.is_personal(person) => Err(format!(
            "unauthorized_client: The client does not exist or is not enabled for consumers. If you are the application \
             developer, configure a new application through the App Registrations in the Azure Portal. ({client_id})"
        )),
        Audience::Single(domain) if world.people.tenant_of(person).domain != *domain => Err(kept_out(world, person)),
        _ => Ok(()),
    }
}

fn finish(world: &mut World, request: &Request, person: usize, choice: &Choice) -> End {
    if !request.authority.admits(world, person) {
        return End::Page(kept_out(world, person));
    }
    let barred = fits(world, &request.client_id, person).and_then(|()| policy::page(world, person));
    if let Err(text) = barred {
        return End::Page(text);
    }
    let needs_admin = "AADSTS90094: The grant requires admin permission.";
    match choice.decision.as_str() {
        "decline" => {
            let text = "AADSTS65004: User declined to consent to access the app.";
            let fields = [("error", "access_denied"), ("error_subcode", "cancel"), ("error_description", text)];
            return End::Back(request.back(&fields));
        }
        "admin_required" => {
            return End::Back(request.back(&[("error", "access_denied"), ("error_description", needs_admin)]));
        }
        "request" => return End::Page(page::REQUESTED.into()),
        _ => {}
    }
    let anew = request.prompt == "consent";
    let asked = consent::expand(world, &request.client_id, person, &request.scopes, anew);
    match consent::hurdle(world, &request.client_id, person, &asked, anew) {
        None => {}
        Some(Hurdle::Request) => return End::Page(page::REQUEST.into()),
        Some(Hurdle::Admin) => {
            return End::Back(request.back(&[("error", "access_denied"), ("error_description", needs_admin)]));
        }
    }
    let scopes = granted(world, person, &asked, choice.scopes.as_deref());
    world.entra.consent(&request.client_id, person, &scopes);
    let code = format!("1.{MARK}{}", world.noise.text(90));
    let issued_ms = world.now();
    world.entra.codes.insert(
        code.clone(),
        Code {
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            person,
            scopes,
            target: super::resource::first(&request.scopes).cloned(),
            challenge: request.challenge.clone(),
            nonce: request.nonce.clone(),
            tamper: choice.tamper,
            issued_ms,
            used: false,
        },
    );
    let session = world.noise.guid();
    End::Back(request.back(&[("code", &code), ("session_state", &session)]))
}
