//! Who has agreed to what, and who may.

use super::grants::{Entra, is_oidc, short};
use super::resource;
use crate::people::{App, Consent};
use crate::world::World;
use std::collections::BTreeMap;

/// What an administrator has agreed to for a whole tenant.
#[derive(Clone, Default)]
pub struct Approval {
    /// The app's registration names no permissions, so that all were agreed to.
    any: bool,
    /// As they were asked for, by their keys.
    scopes: BTreeMap<String, String>,
    pub roles: Vec<String>,
    /// Requests of the app on its own that still fail, as the news travels through Microsoft.
    pub late: u32,
}

/// What stands between a person and an app.
pub enum Hurdle {
    /// Page "Need admin approval".
    Admin,
    /// Page "Approval required", with a request to send to the administrator.
    Request,
}

/// Microsoft's list, by its pattern: what reaches beyond the person's own things, save where Microsoft says otherwise.
fn always_needs_admin(scope: &str) -> bool {
    const FREE: [&str; 10] = [
        "user.readbasic.all",
        "team.readbasic.all",
        "channel.readbasic.all",
        "files.read.all",
        "files.readwrite.all",
        "sites.read.all",
        "sites.readwrite.all",
        "notes.read.all",
        "notes.readwrite.all",
        "presence.read.all",
    ];
    if !resource::is_graph(scope) {
        return false;
    }
    const KEPT: [&str; 3] = ["directory.accessasuser.all", "teamsappinstallation.readwriteforuser", "calls.initiate"];
    let name = short(scope).to_lowercase();
    KEPT.contains(&name.as_str()) || (name.ends_with(".all") && !FREE.contains(&name.as_str()))
}

/// What personal accounts have nothing of.
pub fn work_only(scope: &str) -> bool {
    let name = short(scope).to_lowercase();
    let teams = ["chat", "channel", "team", "directory", "group", "presence", "onlinemeeting"];
    resource::is_graph(scope) && (name.ends_with(".all") || teams.iter().any(|t| name.starts_with(t)))
}

fn keyed(scopes: &[String]) -> impl Iterator<Item = (String, String)> {
    scopes.iter().map(|s| (resource::key(s), s.clone()))
}

/// What stands for `.default`: what was agreed to so far of that service or, at the first time and when the page is asked for
/// `anew`, all that the app registers of it.
pub fn expand(world: &World, client_id: &str, person: usize, scopes: &[String], anew: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for scope in scopes {
        if !resource::is_default(scope) || is_oidc(scope) {
            out.push(scope.clone());
            continue;
        }
        let agreed = if anew { Vec::new() } else { agreed(world, client_id, person, scope) };
        let stands = if agreed.is_empty() { registered(world, client_id, scope) } else { agreed };
        out.extend(stands);
    }
    out
}

/// What has been agreed to of the service of this scope.
pub fn agreed(world: &World, client_id: &str, person: usize, scope: &str) -> Vec<String> {
    let tenant = world.people.people[person].tenant;
    let approval = world.entra.approvals.get(&key(client_id, tenant));
    let own = world.entra.consents.get(&key(client_id, person));
    let mut all: BTreeMap<String, String> = own.cloned().unwrap_or_default();
    all.extend(approval.map(|a| a.scopes.clone()).unwrap_or_default());
    if approval.is_some_and(|a| a.any) {
        all.extend(keyed(&registered(world, client_id, scope)));
    }
    let fits = |s: &String| !is_oidc(s) && !resource::is_default(s) && resource::same(s, scope);
    // As the request names the service, so does the answer.
    all.into_values().filter(fits).map(|s| resource::renamed(scope, resource::split(&s).1)).collect()
}

/// What the registration of the app names of the service of this scope.
fn registered(world: &World, client_id: &str, scope: &str) -> Vec<String> {
    let Some(app) = world.people.app(client_id) else { return Vec::new() };
    if resource::is_graph(scope) {
        return app.registered().iter().map(|p| resource::renamed(scope, resource::split(p).1)).collect();
    }
    let exposed = resource::split(scope).0.and_then(|service| resource::app_of(world, service));
    let listed = app.permissions.iter().flatten().filter(|p| resource::same(p, scope)).cloned();
    match exposed {
        Some(_) if app.permissions.is_none() => vec![resource::renamed(scope, resource::EXPOSED)],
        _ => listed.collect(),
    }
}

fn key(client_id: &str, at: usize) -> (String, usize) {
    (client_id.to_lowercase(), at)
}

impl Entra {
    pub fn consent(&mut self, client_id: &str, person: usize, scopes: &[String]) {
        let known = self.consents.entry(key(client_id, person)).or_default();
        known.extend(keyed(scopes));
    }

    /// By the person, or by the administrator for everyone of the tenant.
    pub fn consented(&self, client_id: &str, person: usize, tenant: usize, scopes: &[String]) -> bool {
        let known = self.consents.get(&key(client_id, person));
        let approval = self.approvals.get(&key(client_id, tenant));
        scopes.iter().all(|scope| {
            let name = resource::key(scope);
            known.is_some_and(|k| k.contains_key(&name)) || approval.is_some_and(|a| a.covers(&name))
        })
    }

    pub fn approval(&mut self, client_id: &str, tenant: usize) -> Option<&mut Approval> {
        self.approvals.get_mut(&key(client_id, tenant))
    }
}

impl Approval {
    /// Microsoft adds the scopes of sign-in and User.Read to every first consent.
    fn covers(&self, name: &str) -> bool {
        self.any || self.scopes.contains_key(name) || is_oidc(name) || name == "user.read"
    }
}

/// Does the tenant know the app, by an administrator's approval or anyone's consent?
pub fn installed(world: &World, client_id: &str, tenant: usize) -> bool {
    let people = &world.people.people;
    let own = |(client, person): &(String, usize)| client.eq_ignore_ascii_case(client_id) && people[*person].tenant == tenant;
    world.entra.approvals.contains_key(&key(client_id, tenant)) || world.entra.consents.keys().any(own)
}

/// May this person agree to these scopes, or has it been agreed to already? `anew` when the consent page was asked for.
pub fn hurdle(world: &World, client_id: &str, person: usize, scopes: &[String], anew: bool) -> Option<Hurdle> {
    let who = &world.people.people[person];
    let settled = |s: &String| world.entra.consented(client_id, person, who.tenant, std::slice::from_ref(s));
    let open: Vec<&String> = scopes.iter().filter(|s| anew || !settled(s)).collect();
    if open.is_empty() || who.admin || world.people.is_personal(person) {
        return None;
    }
    match world.people.tenants[who.tenant].consent {
        Consent::Users => open.into_iter().any(|s| always_needs_admin(s)).then_some(Hurdle::Admin),
        Consent::Admin => Some(Hurdle::Admin),
        Consent::AdminWithRequests => Some(Hurdle::Request),
    }
}

/// Everything that the registration names: by v1, by `.default`, or in Entra's own pages.
pub fn approve_all(world: &mut World, app: &App, tenant: usize) {
    let late = if world.odd("late_consent") { 2 } else { 0 };
    let approval = world.entra.approvals.entry(key(&app.client_id, tenant)).or_default();
    match &app.permissions {
        None => approval.any = true,
        Some(list) => approval.scopes.extend(keyed(list)),
    }
    approval.roles = app.roles.clone();
    approval.late = late;
}

/// Named scopes alone, as v2 of the admin consent page can ask for.
pub fn approve_scopes(world: &mut World, client_id: &str, tenant: usize, scopes: &[String]) {
    let approval = world.entra.approvals.entry(key(client_id, tenant)).or_default();
    approval.scopes.extend(keyed(scopes));
}

/// The app is thrown out of the tenant, with all that anyone there agreed to.
pub fn withdraw(world: &mut World, client_id: &str, tenant: usize) {
    let people = &world.people.people;
    world.entra.approvals.remove(&key(client_id, tenant));
    world
        .entra
        .consents
        .retain(|(client, person), _| !(client.eq_ignore_ascii_case(client_id) && people[*person].tenant == tenant));
}
