//! The device code flow: a code to type in on another device, and an app that keeps asking.

use super::authorize::{Choice, fits, granted};
use super::consent::{self, Hurdle};
use super::grants::MARK;
use super::issue::{Grant, give};
use super::keys::Tamper;
use super::request::{Authority, audience, plausible, undeclared};
use super::token::{Get, fail, need, no_tenant, unknown_app};
use super::{page, policy, resource, tenant_known};
use crate::http::{Answer, Call, form};
use crate::world::World;
use serde_json::json;

/// Codes live a quarter of an hour.
const LIFE_S: i64 = 900;

#[derive(Clone)]
pub struct Device {
    code: String,
    user_code: String,
    client_id: String,
    scopes: Vec<String>,
    authority: Authority,
    issued_ms: i64,
    /// Seconds between two polls; grows with every poll that comes too soon.
    interval: i64,
    polled_ms: Option<i64>,
    state: State,
}

#[derive(Clone)]
enum State {
    Pending,
    Declined,
    Approved { person: usize, scopes: Vec<String>, tamper: Option<Tamper> },
    Used,
}

/// POST /devicecode
pub fn start(world: &mut World, call: &Call, tenant: &str) -> Answer {
    match begin(world, call, tenant) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn begin(world: &mut World, call: &Call, tenant: &str) -> Result<Answer, Answer> {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    if !tenant_known(world, tenant) {
        return Err(no_tenant(world, tenant));
    }
    let client_id = need(world, &get, "client_id")?;
    let scope = need(world, &get, "scope")?;
    let Some(app) = world.people.app(&client_id).cloned() else {
        return Err(fail(world, 400, "unauthorized_client", 700_016, None, &unknown_app(&client_id, tenant)));
    };
    let authority = Authority::of(world, tenant);
    if let Err((number, text)) = audience(world, &app, tenant, authority) {
        return Err(fail(world, 400, "invalid_request", number, None, &text));
    }
    let scopes: Vec<String> = scope.split_whitespace().map(String::from).collect();
    if let Some((error, number, text)) = resource::wrong(world, tenant, &scopes) {
        return Err(fail(world, 400, error, number, None, &text));
    }
    if let Some(odd) = scopes.iter().find(|s| !plausible(s)) {
        let text = format!("The provided value for the input parameter 'scope' is not valid. The scope {odd} is not valid.");
        return Err(fail(world, 400, "invalid_scope", 70_011, None, &text));
    }
    if let Some(text) = undeclared(&app, &scopes) {
        let text = text.split_once(": ").map_or("", |(_, rest)| rest).to_string();
        return Err(fail(world, 400, "invalid_scope", 650_053, None, &text));
    }
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let user_code: String = (0..9).map(|_| letters[world.noise.below(letters.len())] as char).collect();
    let code = format!("1{MARK}{}", world.noise.text(140));
    let issued_ms = world.now();
    world.entra.devices.push(Device {
        code: code.clone(),
        user_code: user_code.clone(),
        client_id: app.client_id,
        scopes,
        authority,
        issued_ms,
        interval: 5,
        polled_ms: None,
        state: State::Pending,
    });
    let address = "https://microsoft.com/devicelogin";
    let message =
        format!("To sign in, use a web browser to open the page {address} and enter the code {user_code} to authenticate.");
    Ok(Answer::json(
        200,
        &json!({
            "user_code": user_code, "device_code": code, "verification_uri": address, "expires_in": LIFE_S, "interval": 5,
            "message": message,
        }),
    ))
}

/// The app asks whether it may go on.
pub fn poll(world: &mut World, call: &Call, client_id: &str, get: Get) -> Result<Answer, Answer> {
    let given = need(world, get, "device_code")?;
    let now = world.now();
    let same = |d: &Device| d.code == given && d.client_id.eq_ignore_ascii_case(client_id);
    let Some(at) = world.entra.devices.iter().position(same) else {
        let text = "Invalid verification code due to User typing in wrong user code for device code flow. Authorization is not \
                    approved.";
        return Err(fail(world, 400, "bad_verification_code", 70_018, None, text));
    };
    let device = &mut world.entra.devices[at];
    let soon = device.polled_ms.is_some_and(|last| now < last + device.interval * 1000);
    device.polled_ms = Some(now);
    if now >= device.issued_ms + LIFE_S * 1000 {
        let text = "Verification code expired. Have the user retry the sign-in.";
        return Err(fail(world, 400, "expired_token", 70_019, None, text));
    }
    if soon {
        device.interval += 5;
        // Microsoft publishes no number for this one.
        let text = "OAuth 2.0 device flow error. The client polls too often. Slow down.";
        return Err(fail(world, 400, "slow_down", 70_016, None, text));
    }
    let device = device.clone();
    match device.state.clone() {
        State::Pending => {
            let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
            Err(fail(world, 400, "authorization_pending", 70_016, None, text))
        }
        State::Declined => {
            let text = "User declined to consent to access the app.";
            Err(fail(world, 400, "authorization_declined", 65_004, None, text))
        }
        State::Used => {
            let text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing \
                        refresh token.";
            Err(fail(world, 400, "invalid_grant", 54_005, None, text))
        }
        State::Approved { person, scopes, tamper } => {
            world.entra.devices[at].state = State::Used;
            let (client_id, info) = (client_id.to_string(), get("client_info").is_some());
            let target = resource::first(&device.scopes).cloned();
            Ok(give(world, call, Grant { client_id, person, scopes, target, nonce: None, info, tamper }))
        }
    }
}

/// The person types the code in and decides. What the page says: done, or why not.
pub fn enter(world: &mut World, user_code: &str, person: usize, choice: &Choice) -> Result<&'static str, String> {
    let now = world.now();
    let typed: String = user_code.chars().filter(char::is_ascii_alphanumeric).collect();
    let fresh = |d: &Device| {
        d.user_code.eq_ignore_ascii_case(&typed) && matches!(d.state, State::Pending) && now < d.issued_ms + LIFE_S * 1000
    };
    let Some(at) = world.entra.devices.iter().position(fresh) else {
        return Err("That code didn't work. Check the code and try again.".into());
    };
    let device = world.entra.devices[at].clone();
    if !device.authority.admits(world, person) {
        return Err(super::authorize::kept_out(world, person));
    }
    fits(world, &device.client_id, person)?;
    policy::page(world, person)?;
    if choice.decision == "decline" {
        world.entra.devices[at].state = State::Declined;
        return Ok("You declined. You can close this window.");
    }
    let asked = consent::expand(world, &device.client_id, person, &device.scopes, false);
    match consent::hurdle(world, &device.client_id, person, &asked, false) {
        None => {}
        Some(Hurdle::Admin) => return Err("AADSTS90094: The grant requires admin permission.".into()),
        Some(Hurdle::Request) => return Err(page::REQUEST.into()),
    }
    let scopes = granted(world, person, &asked, choice.scopes.as_deref());
    world.entra.consent(&device.client_id, person, &scopes);
    world.entra.devices[at].state = State::Approved { person, scopes, tamper: choice.tamper };
    Ok("You have signed in to the application on your device. You may now close this window.")
}

/// `/devicelogin`, for a person with a browser.
pub fn show(world: &mut World, call: &Call) -> Answer {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let person = get("as").and_then(|who| world.people.find(who));
    if let (Some(code), Some(person)) = (get("user_code"), person) {
        let said = enter(world, code, person, &Choice::decided(get("decision").unwrap_or("approve")));
        return Answer::html(200, page::said("Device sign-in", &said.map_or_else(|text| text, String::from)));
    }
    let people: Vec<(String, String)> = world.people.people.iter().map(|p| (p.address.clone(), p.name.clone())).collect();
    Answer::html(200, page::device(&call.path, &people))
}
