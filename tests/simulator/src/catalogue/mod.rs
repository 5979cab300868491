//! The catalogue of Teams apps, and where they are installed.

mod apps;
pub mod control;
mod installs;
mod package;
mod shown;

pub use apps::handle;
pub use installs::{below_team, below_user};

use crate::graph::Caller;
use crate::http::{Answer, Call, base64};
use crate::ids::Ids;
use crate::limits::Teams as Counted;
use crate::people::SECRET_APP;
use crate::server::Arrival;
use crate::teams::throttled;
use crate::world::World;

/// What the manifest of one version says.
#[derive(Clone)]
pub struct Version {
    pub id: String,
    pub name: String,
    pub short: String,
    pub full: String,
    /// Of the app.
    pub number: String,
    /// `published` or `submitted`.
    pub state: &'static str,
    pub bot: Option<Bot>,
    /// `webApplicationInfo.id`
    pub client: Option<String>,
    /// Resource-specific permissions that it asks for.
    pub asks: Vec<String>,
    /// What is wrong with it, so that nobody can install it.
    pub trouble: Option<String>,
    pub at_ms: i64,
}

#[derive(Clone)]
pub struct Bot {
    /// Client id.
    pub id: String,
    /// `personal`, `team`, `groupChat`.
    pub scopes: Vec<String>,
    pub is_notification_only: bool,
}

pub struct TeamsApp {
    /// In the catalogue.
    pub id: String,
    /// Of the manifest.
    pub external_id: String,
    /// `organization` or `store`
    pub method: &'static str,
    /// None: in every organisation's catalogue.
    pub tenant: Option<usize>,
    /// By the policy of the organisation.
    pub is_blocked: bool,
    /// The last one is the newest.
    pub versions: Vec<Version>,
}

impl TeamsApp {
    /// The newest version that was published.
    pub fn version(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|one| one.state == "published")
    }

    pub fn is_in(&self, tenant: usize) -> bool {
        self.tenant.is_none_or(|own| own == tenant)
    }
}

/// Where an app is installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Place {
    Person(usize),
    Team(usize),
}

impl Place {
    pub fn scope(self) -> &'static str {
        match self {
            Place::Person(_) => "personal",
            Place::Team(_) => "team",
        }
    }
}

pub struct Install {
    pub id: String,
    /// Index in the catalogue.
    pub app: usize,
    pub place: Place,
    /// The version installed.
    pub version: Version,
    /// Requests of the bot that still fail, as the news travels through Microsoft.
    pub late: u32,
    /// Before that it does not know of it.
    pub known_at: i64,
}

/// Something that the bot of an app is told.
pub struct Happened {
    pub bot: Bot,
    pub place: Place,
    /// `add`, `remove`, `add-upgrade`
    pub what: &'static str,
    /// Who did it, where it was a person.
    pub by: Option<usize>,
    /// The channel that was chosen at the installation.
    pub channel: Option<usize>,
}

pub struct Catalogue {
    pub apps: Vec<TeamsApp>,
    pub installs: Vec<Install>,
    pub happened: Vec<Happened>,
}

impl Catalogue {
    /// With one app, whose bot is the confidential client.
    pub fn start(seed: u64) -> Catalogue {
        // Ids of its own, so that those of people and mail do not depend on it.
        let mut ids = Ids::new(seed ^ 0xa995);
        let version = Version {
            id: base64(ids.guid().as_bytes()),
            name: "Simulated app".into(),
            short: "A small app".into(),
            full: "A small app, with a bot".into(),
            number: "1.0.0".into(),
            state: "published",
            bot: Some(Bot { id: SECRET_APP.into(), scopes: vec!["personal".into(), "team".into()], is_notification_only: false }),
            client: Some(SECRET_APP.into()),
            asks: Vec::new(),
            trouble: None,
            at_ms: 0,
        };
        let app = TeamsApp { id: ids.guid(), external_id: SECRET_APP.into(), method: "organization", tenant: None, is_blocked: false, versions: vec![version] };
        Catalogue { apps: vec![app], installs: Vec::new(), happened: Vec::new() }
    }

    /// The installation of the app of this bot.
    pub fn of_bot(&self, bot: &str, place: Place) -> Option<&Install> {
        self.installs.iter().find(|one| one.place == place && one.version.bot.as_ref().is_some_and(|b| b.id.eq_ignore_ascii_case(bot)))
    }
}

/// Graph counts what an application does with apps in an organisation.
fn too_many(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival) -> Option<Answer> {
    let what = match call.method.as_str() {
        "GET" => Counted::AppRead,
        "DELETE" => Counted::AppRemoval,
        _ => Counted::AppInstall,
    };
    let seconds = world.limits.in_tenant(caller.tenant, what, world.now())?;
    Some(throttled(world, call, arrival, seconds, "too many requests about apps are made by this application in this tenant"))
}

/// The tenant of a place.
pub fn tenant_of(world: &World, place: Place) -> usize {
    match place {
        Place::Person(person) => world.people.people[person].tenant,
        Place::Team(team) => world.teams.teams[team].tenant(),
    }
}

/// Why an app cannot be installed.
pub enum Refusal {
    Already,
    Blocked,
    /// The manifest does not allow it, or is wrong.
    Unfit(String),
}

pub fn install(world: &mut World, app: usize, place: Place, by: Option<usize>, channel: Option<usize>) -> Result<String, Refusal> {
    let one = &world.catalogue.apps[app];
    if world.catalogue.installs.iter().any(|i| i.app == app && i.place == place) {
        return Err(Refusal::Already);
    }
    if one.is_blocked {
        return Err(Refusal::Blocked);
    }
    let Some(version) = one.version().cloned() else { return Err(Refusal::Unfit("The app has no published version.".into())) };
    if let Some(trouble) = &version.trouble {
        return Err(Refusal::Unfit(trouble.clone()));
    }
    if version.bot.as_ref().is_some_and(|bot| !bot.scopes.iter().any(|scope| scope == place.scope())) {
        return Err(Refusal::Unfit(format!("The app does not support the {} scope.", place.scope())));
    }
    let of = match place {
        Place::Person(person) => &world.people.people[person].id,
        Place::Team(team) => &world.teams.teams[team].id,
    };
    let id = base64(format!("{of}##{}", one.id).as_bytes());
    let late = if world.odd("late_installation") { 2 } else { 0 };
    world.catalogue.happened.extend(version.bot.clone().map(|bot| Happened { bot, place, what: "add", by, channel }));
    world.catalogue.installs.push(Install { id: id.clone(), app, place, version, late, known_at: world.now() + world.bots.late_ms });
    Ok(id)
}

/// False: it was not installed.
pub fn uninstall(world: &mut World, app: usize, place: Place, by: Option<usize>) -> bool {
    let Some(at) = world.catalogue.installs.iter().position(|i| i.app == app && i.place == place) else { return false };
    let gone = world.catalogue.installs.remove(at);
    world.catalogue.happened.extend(gone.version.bot.map(|bot| Happened { bot, place, what: "remove", by, channel: None }));
    true
}

/// To the newest version. False: it is that already.
pub fn upgrade(world: &mut World, install: usize, by: Option<usize>) -> bool {
    let one = &world.catalogue.installs[install];
    let Some(newest) = world.catalogue.apps[one.app].version().cloned() else { return false };
    if newest.id == one.version.id {
        return false;
    }
    world.catalogue.happened.extend(newest.bot.clone().map(|bot| Happened { bot, place: one.place, what: "add-upgrade", by, channel: None }));
    world.catalogue.installs[install].version = newest;
    true
}
