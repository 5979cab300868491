//! A subscription that is to be made: what is wrong with the request, and the question to its notification URL, which comes before the answer.

use super::{Push, Said, Subscription};
use crate::clock;
use crate::graph::{Caller, bad};
use crate::http::{Answer, Call, encode};
use crate::world::World;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::oneshot;

const MINUTE_MS: i64 = 60_000;
/// Mail: seven days, three in older copies of Microsoft's pages.
const LONGEST: i64 = 10_080;
const LONGEST_ONCE: i64 = 4_230;
/// With resource data.
const LONGEST_WITH_CONTENT: i64 = 1_440;
const SHORTEST: i64 = 45;
/// Of a mailbox, over all applications.
const MOST: usize = 1_000;
/// How long a notification URL may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Minutes.
pub fn longest(world: &World) -> i64 {
    if world.odd("old_subscription_lifetimes") { LONGEST_ONCE } else { LONGEST }
}

fn invalid(text: &str) -> Answer {
    Answer::fail(400, "ValidationError", text)
}

/// A time to come, raised to the shortest lifetime.
pub fn expiry(world: &World, value: &Value, with_content: bool) -> Result<i64, Answer> {
    let now = world.now();
    let asked = value.as_str().and_then(clock::parse).ok_or_else(|| bad("expirationDateTime is missing or is no time."))?;
    if asked <= now {
        return Err(bad("Subscription expiration must be in the future."));
    }
    let longest = if with_content { LONGEST_WITH_CONTENT } else { longest(world) };
    if asked > now + longest * MINUTE_MS {
        return Err(Answer::fail(400, "ExtensionError", format!("Operation: Create; Exception: [Status Code: BadRequest; Reason: Subscription expiration can only be {longest} minutes in the future.]")));
    }
    Ok(asked.max(now + SHORTEST * MINUTE_MS))
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || super::is_here(text)
}

/// Whose mailbox, and which folder of it.
fn place(world: &World, caller: &Caller, resource: &str) -> Result<(usize, Option<String>), Answer> {
    let plain = resource.trim_start_matches('/').replace("('", "/").replace("')", "");
    let parts: Vec<&str> = plain.split('/').collect();
    let (person, rest) = match parts.as_slice() {
        [me, rest @ ..] if me.eq_ignore_ascii_case("me") => (caller.person, rest),
        [users, who, rest @ ..] if users.eq_ignore_ascii_case("users") => (world.people.find(who).filter(|p| world.people.people[*p].tenant == caller.tenant), rest),
        _ => return Err(Answer::fail(501, "SimulatorLacks", "subscriptions to other resources than messages")),
    };
    let person = person.ok_or_else(|| bad("The resource names no mailbox of this organisation."))?;
    let folder = match rest {
        [messages] if messages.eq_ignore_ascii_case("messages") => None,
        [folders, name, messages] if folders.eq_ignore_ascii_case("mailFolders") && messages.eq_ignore_ascii_case("messages") => Some((*name).to_string()),
        _ => return Err(Answer::fail(501, "SimulatorLacks", "subscriptions to other resources than messages")),
    };
    let text = "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access to OData is disabled.]";
    let caller = &crate::mail::app_access::caller(world, caller, person).map_err(|_| Answer::fail(403, "ExtensionError", text))?;
    // Delegated: the own mailbox alone; shared ones are not supported.
    if !caller.has(&["Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic"]) || caller.person.is_some_and(|own| own != person) {
        let text = "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is denied. Check credentials and try again.]";
        return Err(Answer::fail(403, "ExtensionError", text));
    }
    Ok((person, folder))
}

/// The subscription as it will be, or what is wrong with it.
pub fn wanted(world: &mut World, caller: &Caller, call: &Call) -> Result<Subscription, Answer> {
    let body = call.json().filter(Value::is_object).ok_or_else(|| bad("Empty Payload. JSON content expected."))?;
    let text = |name: &str| body[name].as_str().map(String::from);
    for name in ["notificationUrlAppId", "notificationQueryOptions"] {
        if !matches!(&body[name], Value::Null | Value::Bool(false)) {
            return Err(Answer::fail(501, "SimulatorLacks", name));
        }
    }
    let url = text("notificationUrl").filter(|url| is_url(url)).ok_or_else(|| invalid("Notification URL scheme must be https."))?;
    let lifecycle_url = text("lifecycleNotificationUrl");
    if lifecycle_url.as_deref().is_some_and(|url| !is_url(url)) {
        return Err(invalid("Lifecycle notification URL scheme must be https."));
    }
    let changes: Vec<String> = text("changeType").unwrap_or_default().split(',').map(|one| one.trim().to_ascii_lowercase()).collect();
    if changes.iter().any(|one| !["created", "updated", "deleted"].contains(&one.as_str())) {
        return Err(bad("changeType must be created, updated or deleted."));
    }
    let client_state = text("clientState");
    if client_state.as_deref().is_some_and(|state| state.len() > 128) {
        return Err(bad("clientState is longer than 128 characters."));
    }
    let resource = text("resource").ok_or_else(|| bad("resource is missing."))?;
    let encryption = super::content::asked(&body, &resource).map_err(|why| invalid(&why))?;
    let (mailbox, folder) = place(world, caller, resource.split('?').next().unwrap_or(&resource))?;
    let expires_ms = expiry(world, &body["expirationDateTime"], encryption.is_some())?;
    let many = world.push.subscriptions.iter().filter(|one| one.mailbox == mailbox).count();
    if many >= MOST || world.odd("subscriptions_full") {
        return Err(Answer::fail(403, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: The mailbox has reached its limit of subscriptions.]"));
    }
    let same = world.push.subscriptions.iter().find(|one| one.app == caller.app && one.mailbox == mailbox && one.changes == changes && one.resource == resource);
    if let Some(same) = same.filter(|_| world.odd("subscriptions_taken")) {
        return Err(Answer::fail(409, "ExtensionError", format!("Subscription Id <{}> already exists for the requested combination", same.id)));
    }
    Ok(Subscription {
        id: world.ids.guid(),
        app: caller.app.clone(),
        creator: caller.person,
        tenant: caller.tenant,
        mailbox,
        changes,
        folder,
        resource,
        url,
        lifecycle_url,
        client_state,
        tls: text("latestSupportedTlsVersion"),
        immutable: call.wants_immutable(),
        expires_ms,
        was_asked: false,
        renewed: 0,
        reauthorized: 0,
        encryption,
    })
}

/// For a request that would be accepted: the questions to its URLs, each with its token.
type Questions = Vec<(String, oneshot::Receiver<Said>)>;

fn ask(push: &mut Push, now: i64, token: String, url: &str) -> (String, oneshot::Receiver<Said>) {
    let (tell, hear) = oneshot::channel();
    let join = if url.contains('?') { "&" } else { "?" };
    push.add_post(now, format!("{url}{join}validationToken={}", encode(&token).replace(':', "%3a")), "text/plain; charset=utf-8", String::new(), Vec::new(), Some(tell));
    (token, hear)
}

/// None: the request makes no subscription, or is refused anyway.
pub fn question(world: &mut World, call: &Call) -> Option<impl Future<Output = String> + Send + use<>> {
    let is_one = call.method == "POST" && call.segments().iter().skip(1).map(String::as_str).eq(["subscriptions"]);
    let caller = if is_one { crate::graph::caller(world, call).ok()? } else { return None };
    let one = wanted(world, &caller, call).ok()?;
    let now = world.now();
    let mut questions: Questions = Vec::new();
    for url in std::iter::once(one.url.clone()).chain(one.lifecycle_url) {
        let token = format!("Validation: Testing client application reachability for subscription Request-Id: {}", world.noise.guid());
        questions.push(ask(&mut world.push, now, token, &url));
    }
    Some(async move {
        let fail = |why: &str| format!("Subscription validation request {why}");
        for (token, hear) in questions {
            match tokio::time::timeout(PATIENCE, hear).await {
                Ok(Ok(said)) if said.status == 200 && said.content_type.to_ascii_lowercase().starts_with("text/plain") && said.body == token => {}
                Ok(Ok(said)) => {
                    return fail(&format!("failed. [HTTP status code is '{}'.] Notification endpoint must respond with 200 OK to validation request.", said.status));
                }
                _ => return fail("timed out."),
            }
        }
        String::new()
    })
}

/// The questions of a request that nobody answered are not asked any more.
pub fn answered(world: &mut World, seq: u64, outcome: String) {
    world.push.posts.retain(|post| post.asks.as_ref().is_none_or(|asks| !asks.is_closed()));
    world.push.answers.insert(seq, outcome);
}
