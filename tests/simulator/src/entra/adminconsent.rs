//! The pages where an administrator agrees for a whole tenant: v1 and v2, which differ in what they ask and in how they answer.

use super::authorize::End;
use super::consent::{approve_all, approve_scopes};
use super::grants::{is_oidc, short};
use super::request::{Back, Authority, app_of, plausible, undeclared};
use super::{page, policy};
use crate::apps::App;
use crate::http::{Answer, Call, form};
use crate::world::World;

struct Ask {
    app: App,
    redirect_uri: String,
    state: Option<String>,
    authority: Authority,
    /// None: v1, which asks for everything that is registered.
    scopes: Option<Vec<String>>,
}

fn check(world: &World, tenant: &str, v2: bool, query: &str) -> Result<Ask, String> {
    let pairs = form(query);
    let get = |name: &str| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let alias = tenant.to_ascii_lowercase();
    if alias == "consumers" || (v2 && alias == "common") {
        return Err("AADSTS50059: No tenant-identifying information found in either the request or implied by any provided \
                    credentials."
            .into());
    }
    let (app, redirect_uri) = app_of(world, tenant, get("client_id"), get("redirect_uri"))?;
    let scopes = match get("scope") {
        _ if !v2 => None,
        None => return Err("AADSTS900144: The request body must contain the following parameter: 'scope'.".into()),
        Some(text) => Some(text.split_whitespace().map(String::from).collect::<Vec<_>>()),
    };
    if let Some(list) = &scopes {
        if let Some(odd) = list.iter().find(|s| !plausible(s)) {
            return Err(format!(
                "AADSTS650053: The application 'Simulated app' asked for scope '{odd}' that doesn't exist on the resource \
                 '00000003-0000-0000-c000-000000000000'. Contact the app vendor."
            ));
        }
        if let Some(text) = undeclared(&app, list) {
            return Err(text);
        }
    }
    Ok(Ask { app, redirect_uri, state: get("state"), authority: Authority::of(world, tenant), scopes })
}

impl Ask {
    /// Everything that the registration names?
    fn whole(&self) -> bool {
        self.scopes.as_ref().is_none_or(|list| list.iter().any(|s| short(s) == ".default"))
    }

    fn shown(&self) -> Vec<String> {
        match &self.scopes {
            Some(list) if !self.whole() => list.clone(),
            _ => self.app.permissions.iter().flatten().chain(&self.app.roles).cloned().collect(),
        }
    }

    fn back(&self, fields: Vec<(&str, String)>, state: bool) -> End {
        let mut fields: Vec<(String, String)> = fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        fields.extend(self.state.clone().filter(|_| state).map(|s| ("state".to_string(), s)));
        End::Back(Back { uri: self.redirect_uri.clone(), mode: "query".into(), fields })
    }
}

/// GET: who is it, or at once.
pub fn show(world: &mut World, call: &Call, tenant: &str, v2: bool) -> Answer {
    let ask = match check(world, tenant, v2, &call.query) {
        Ok(ask) => ask,
        Err(text) => return Answer::html(200, page::error(&text)),
    };
    if let Some(person) = world.entra.auto_approve {
        return answer(finish(world, &ask, person, "approve"));
    }
    let may = |n: usize| ask.authority.admits(world, n) && !world.people.is_personal(n);
    let all = world.people.people.iter().enumerate().filter(|(n, _)| may(*n));
    let people: Vec<(String, String)> = all.map(|(_, p)| (p.address.clone(), p.name.clone())).collect();
    Answer::html(200, page::pick(&call.path, &call.query, &people))
}

/// POST: what the person pressed.
pub fn decided(world: &mut World, call: &Call, tenant: &str, v2: bool) -> Answer {
    let fields = form(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let query = get("request").unwrap_or("");
    let ask = match check(world, tenant, v2, query) {
        Ok(ask) => ask,
        Err(text) => return Answer::html(200, page::error(&text)),
    };
    let Some(person) = get("as").and_then(|who| world.people.find(who)) else {
        return Answer::html(200, page::error("AADSTS50034: The user account does not exist in the directory."));
    };
    match get("decision") {
        Some(decision) => answer(finish(world, &ask, person, decision)),
        None => match barred(world, &ask, person) {
            Some(text) => Answer::html(200, page::error(&text)),
            None => {
                let address = &world.people.people[person].address;
                Answer::html(200, page::admin_consent(&call.path, query, address, &ask.shown()))
            }
        },
    }
}

fn answer(end: End) -> Answer {
    match end {
        End::Back(back) => back.answer(),
        End::Page(text) => Answer::html(200, page::error(&text)),
    }
}

/// For the control endpoint.
pub fn sign_in(world: &mut World, tenant: &str, v2: bool, query: &str, person: usize, decision: &str) -> End {
    match check(world, tenant, v2, query) {
        Ok(ask) => finish(world, &ask, person, decision),
        Err(text) => End::Page(text),
    }
}

fn barred(world: &World, ask: &Ask, person: usize) -> Option<String> {
    if !ask.authority.admits(world, person) || world.people.is_personal(person) {
        return Some(super::authorize::kept_out(world, person));
    }
    let refused = super::authorize::fits(world, &ask.app.client_id, person).and_then(|()| policy::page(world, person));
    if let Err(text) = refused {
        return Some(text);
    }
    let text = "AADSTS90093: This operation can only be performed by an administrator. Sign out and sign in as an administrator or \
                contact one of your organization's administrators.";
    let who = &world.people.people[person];
    let may = if ask.whole() && !ask.app.roles.is_empty() { who.may_approve_all() } else { who.may_approve() };
    (!may).then(|| text.to_string())
}

fn finish(world: &mut World, ask: &Ask, person: usize, decision: &str) -> End {
    if let Some(text) = barred(world, ask, person) {
        return End::Page(text);
    }
    let tenant = world.people.people[person].tenant;
    let id = world.people.tenants[tenant].id.clone();
    if decision != "approve" {
        // Microsoft's own oddities: v2 says admin_consent=True even now, v1 leaves out the state.
        return match ask.scopes {
            None => ask.back(
                vec![("error", "permission_denied".into()), ("error_description", "The admin canceled the request".into())],
                false,
            ),
            Some(_) => {
                let text = "AADSTS65004: The resource owner or authorization server denied the request.";
                let fields = vec![
                    ("error", "consent_required".into()),
                    ("error_description", text.into()),
                    ("admin_consent", "True".into()),
                    ("tenant", id),
                ];
                ask.back(fields, true)
            }
        };
    }
    if ask.whole() {
        approve_all(world, &ask.app, tenant);
    }
    let Some(scopes) = &ask.scopes else {
        return ask.back(vec![("tenant", id), ("admin_consent", "True".into())], true);
    };
    approve_scopes(world, &ask.app.client_id, tenant, scopes);
    let mut told: Vec<String> = ask.shown().into_iter().filter(|s| !is_oidc(s)).collect();
    if told.is_empty() {
        told.push(".default".into());
    }
    let told: Vec<String> = told.iter().map(|s| format!("https://graph.microsoft.com/{}", short(s))).collect();
    ask.back(vec![("admin_consent", "True".into()), ("tenant", id), ("scope", told.join(" "))], true)
}
