//! What is checked of every request to Graph: who calls, whether it is too much, and which part answers its path.

use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use crate::{calendar, catalogue, contacts, drive, mail, profile, push, routes, teams, users};
use serde_json::json;

/// The largest body taken.
const BODY_MAX: usize = 4 << 20;

#[derive(Clone)]
pub struct Caller {
    /// None for an app with a token of its own.
    pub person: Option<usize>,
    pub tenant: usize,
    /// Client id.
    pub app: String,
    /// Of an app on its own: its roles.
    pub scopes: Vec<String>,
}

impl Caller {
    pub fn has(&self, any: &[&str]) -> bool {
        self.scopes.iter().any(|s| any.iter().any(|a| a.eq_ignore_ascii_case(s)))
    }
}

pub fn caller(world: &World, call: &Call) -> Result<Caller, Answer> {
    let refuse = |text: &str| {
        let challenge = format!(
            "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"",
            world.origins.beside(&call.origin).0
        );
        Answer::fail(401, "InvalidAuthenticationToken", text).with("WWW-Authenticate", challenge)
    };
    let header = call.header("authorization").unwrap_or("");
    let token = header.get(..7).filter(|b| b.eq_ignore_ascii_case("bearer ")).and_then(|_| header.get(7..)).unwrap_or("").trim();
    if token.is_empty() {
        return Err(refuse("Access token is empty."));
    }
    let Some(access) = world.entra.access(token) else {
        return Err(refuse("CompactToken parsing failed with error code: 80049217"));
    };
    if world.now() >= access.expires_ms {
        return Err(refuse("Lifetime validation failed, the token is expired."));
    }
    if !crate::entra::resource::is_graph(&format!("{}/.default", access.audience)) {
        return Err(refuse("Access token validation failure. Invalid audience."));
    }
    Ok(Caller { person: access.person, tenant: access.tenant, app: access.app.clone(), scopes: access.scopes.clone() })
}

/// The person a path speaks of: `/me` or `/users/{id}`, and what comes after.
fn subject<'a>(world: &World, caller: &Caller, parts: &'a [&'a str]) -> Option<(Option<usize>, &'a [&'a str])> {
    match parts {
        [me, rest @ ..] if me.eq_ignore_ascii_case("me") => Some((caller.person, rest)),
        [users, who, rest @ ..] if users.eq_ignore_ascii_case("users") => {
            let mailed = rest.first().is_some_and(|first| is_mail(first));
            let found = if mailed { world.people.find(who) } else { world.people.find_user(who) };
            let found = found.filter(|p| world.people.people[*p].tenant == caller.tenant);
            Some((found, rest))
        }
        _ => None,
    }
}

fn is_mail(name: &str) -> bool {
    ["mailFolders", "messages", "sendMail"].iter().any(|m| m.eq_ignore_ascii_case(name))
}

/// The mailbox that a request works on, to count it there.
pub fn mailbox_of(world: &World, caller: &Caller, call: &Call) -> Option<usize> {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    match subject(world, caller, &parts)? {
        (Some(person), [first, ..]) if is_mail(first) || contacts::is_here(first) || calendar::is_here(first) => Some(person),
        _ => None,
    }
}

pub fn handle(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    let answer = serve(world, call, arrival);
    match &answer.error {
        Some((_, what)) if answer.status == 501 => routes::lacks(call, what),
        _ => answer,
    }
}

fn serve(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    if mail::upload::is_upload(call) {
        return mail::upload::handle(world, call, arrival);
    }
    if drive::upload::is_open(call) {
        return drive::upload::handle(world, call, arrival);
    }
    if call.body.len() > BODY_MAX || call.too_long {
        return Answer::fail(400, "BadRequest", "The maximum request length supported is 4MB.");
    }
    if let Some(answer) = routes::missing(call) {
        return answer;
    }
    // The schema is everybody's.
    if call.segments() == ["v1.0", "$metadata"] {
        return if call.method == "GET" { crate::metadata::show() } else { not_allowed() };
    }
    let caller = match caller(world, call) {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    if let Some(mailbox) = arrival.mailbox {
        let now = world.now();
        let wait = world.limits.count(mailbox, now);
        if arrival.too_many && world.limits.throttle {
            let text = "Application is over its MailboxConcurrency limit.";
            let answer = Answer::fail(429, "ApplicationThrottled", text);
            return if world.odd("concurrency_retry_after") { answer.with("Retry-After", "1") } else { answer };
        }
        if let Some(seconds) = wait {
            world.limits.promise(&arrival.person, call, now + seconds * 1000);
            let text = "Application is over its request limit for this mailbox.";
            return Answer::fail(429, "ApplicationThrottled", text).with("Retry-After", seconds.to_string());
        }
    }
    route(world, &caller, call, arrival)
}

fn route(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival) -> Answer {
    let segments = call.segments();
    let mut parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    if parts == ["oidc", "userinfo"] {
        return users::userinfo(world, caller);
    }
    if parts.first() != Some(&"v1.0") {
        return Answer::fail(400, "BadRequest", "Invalid version.");
    }
    parts.remove(0);
    let method = call.method.as_str();
    match parts.as_slice() {
        [users] if users.eq_ignore_ascii_case("users") => return users::list(world, caller, call),
        [users, "$count"] if users.eq_ignore_ascii_case("users") => return users::count(world, caller, call),
        [chats, rest @ ..] if chats.eq_ignore_ascii_case("chats") => {
            return teams::handle(world, caller, call, arrival, None, rest);
        }
        [catalogs, rest @ ..] if catalogs.eq_ignore_ascii_case("appCatalogs") => return catalogue::handle(world, caller, call, arrival, rest),
        [drives, _, ..] if drives.eq_ignore_ascii_case("drives") => return drive::handle(world, caller, call, None),
        [subscriptions, rest @ ..] if subscriptions.eq_ignore_ascii_case("subscriptions") => return push::handle(world, caller, call, arrival, rest),
        [teams] if teams.eq_ignore_ascii_case("teams") => return teams::all(world, caller, call),
        [teams, id, rest @ ..] if teams.eq_ignore_ascii_case("teams") => return teams::team(world, caller, call, arrival, id, rest),
        [organization, rest @ ..] if organization.eq_ignore_ascii_case("organization") => {
            return if method == "GET" { profile::organization(world, caller, call, rest.first().copied()) } else { not_allowed() };
        }
        _ => {}
    }
    if world.odd("user_names_refused") && parts.first().is_some_and(|p| p.eq_ignore_ascii_case("users")) {
        let plain = call.path.split('/').filter(|s| !s.is_empty()).nth(2).map(|raw| crate::http::decode(raw, false));
        if plain.is_some_and(|name| name.starts_with('$') || name.contains('\'') || name.to_ascii_uppercase().contains("#EXT#")) {
            return Answer::fail(400, "Request_BadRequest", "Bad request. Please fix the request before retrying.");
        }
    }
    let Some((person, rest)) = subject(world, caller, &parts) else {
        return no_segment(parts.first().unwrap_or(&""));
    };
    let me = parts.first().is_some_and(|p| p.eq_ignore_ascii_case("me"));
    if me && caller.person.is_none() {
        return Answer::fail(400, "BadRequest", "/me request is only valid with delegated authentication flow.");
    }
    let Some(person) = person else {
        let who = parts.get(1).unwrap_or(&"");
        return if rest.first().is_some_and(|r| is_mail(r)) {
            Answer::fail(404, "ErrorInvalidUser", format!("The requested user '{who}' is invalid."))
        } else {
            users::unknown(who)
        };
    };
    let asking = match rest {
        [first, ..] if is_mail(first) || calendar::is_here(first) || contacts::is_here(first) => match mail::app_access::caller(world, caller, person) {
            Ok(asking) => asking,
            Err(answer) => return answer,
        },
        _ => caller.clone(),
    };
    let caller = &asking;
    match rest {
        [] if method == "GET" => users::get(world, caller, call, person),
        [first, ..] if profile::is_here(first) => profile::handle(world, caller, call, person, rest),
        [first, ..] if is_mail(first) => mail::handle(world, caller, call, arrival, person, rest),
        [first, ..] if calendar::is_here(first) => calendar::handle(world, caller, call, arrival, person, rest),
        [first, ..] if contacts::is_here(first) => contacts::handle(world, caller, call, arrival, person, rest),
        [chats, rest @ ..] if chats.eq_ignore_ascii_case("chats") => {
            teams::handle(world, caller, call, arrival, Some(person), rest)
        }
        [drive, ..] if drive.eq_ignore_ascii_case("drive") => drive::handle(world, caller, call, Some(person)),
        [teamwork, rest @ ..] if teamwork.eq_ignore_ascii_case("teamwork") => catalogue::below_user(world, caller, call, arrival, person, rest),
        [joined] if joined.eq_ignore_ascii_case("joinedTeams") => teams::joined(world, caller, call, person),
        [other, ..] => no_segment(other),
        [] => not_allowed(),
    }
}

pub fn no_segment(name: &str) -> Answer {
    Answer::fail(400, "BadRequest", format!("Resource not found for the segment '{name}'."))
}

pub fn not_allowed() -> Answer {
    Answer::fail(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
}

pub fn bad(text: impl Into<String>) -> Answer {
    Answer::fail(400, "BadRequest", text)
}

/// A collection, with the link to what follows.
pub fn page(context: String, value: Vec<serde_json::Value>, next: Option<String>, count: Option<usize>) -> Answer {
    let mut body = json!({"@odata.context": context});
    if let Some(count) = count {
        body["@odata.count"] = json!(count);
    }
    if let Some(next) = next {
        body["@odata.nextLink"] = json!(next);
    }
    body["value"] = json!(value);
    Answer::json(200, &body)
}
