//! The Bot Connector of Teams: what a bot may ask, what it has said, and what it is told.

mod caller;
pub mod control;
mod conversations;
mod forge;
mod limits;
mod people;
mod posts;
mod press;
mod refusals;
mod roster;
mod say;
mod serve;
mod signing;
mod told;
mod tell;

pub use caller::named;
pub use refusals::{code_of, told as dressed};
pub use serve::handle;
pub use signing::{Proof, warm_up};
pub use told::{answered, collect};

use crate::catalogue::Place;
use crate::http::{base64url, hex};
use crate::world::World;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};

/// Where something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Spot {
    Person(usize),
    /// Team and channel.
    Channel(usize, usize),
}

impl Spot {
    pub fn place(self) -> Place {
        match self {
            Spot::Person(person) => Place::Person(person),
            Spot::Channel(team, _) => Place::Team(team),
        }
    }
}

/// What a bot has said, or a person to a bot.
pub struct Said {
    pub id: i64,
    /// Client id, in lower case.
    pub bot: String,
    /// None: the bot itself.
    pub person: Option<usize>,
    pub spot: Spot,
    /// The first message of the thread, in a channel.
    pub root: Option<i64>,
    pub activity: Value,
    pub is_edited: bool,
    pub is_deleted: bool,
}

/// How a person has shut out a bot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// ConversationBlockedByUser
    Conversation,
    /// MessageWritesBlocked
    Writes,
}

/// Where an organisation lives.
#[derive(Clone)]
pub struct Region {
    pub name: String,
    /// Activities carry `/{region}/{tenant}/`.
    pub with_tenant: bool,
    /// Requests by the address of another region are refused.
    pub is_strict: bool,
}

/// What is added to the members of a team for tests of its list.
#[derive(Clone, Copy, Default)]
pub struct Crowd {
    pub count: usize,
    /// Every page is followed by another.
    pub is_endless: bool,
    pub hides_emails: bool,
}

/// An activity that left for the endpoint of a bot.
pub struct Sent {
    /// Of the activity.
    pub id: String,
    pub bot: String,
    pub activity: Value,
    /// Of the post.
    pub post: u64,
    pub statuses: Vec<u16>,
    pub body: String,
    pub is_forged: bool,
}

#[derive(Default)]
pub struct Bots {
    /// Ids of people as bots know them: client id, person.
    users: HashMap<String, (String, usize)>,
    /// Ids of personal conversations: client id, person.
    personal: HashMap<String, (String, usize)>,
    pub said: Vec<Said>,
    pub typed: u32,
    blocked: HashMap<(String, usize), Block>,
    /// None: every bot.
    disabled: Vec<(Option<String>, usize)>,
    regions: HashMap<usize, Region>,
    crowds: HashMap<usize, Crowd>,
    /// Channels that only moderators write to.
    moderated: Vec<(usize, usize)>,
    endpoints: HashMap<String, String>,
    windows: HashMap<limits::Key, VecDeque<i64>>,
    pub sent: Vec<Sent>,
    last: i64,
    /// How long the Connector does not know of an installation.
    pub late_ms: i64,
    /// How often the keys were changed.
    keys: usize,
    endorsements: Option<Vec<String>>,
}

fn digest(world: &World, parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(world.secret.as_bytes());
    for part in parts {
        hasher.update(part.to_ascii_lowercase().as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}

/// A person as this bot knows them: the same for as long as the world lasts.
pub fn user_id(world: &mut World, bot: &str, person: usize) -> String {
    let id = user_id_of(world, bot, &world.people.people[person].id);
    world.bots.users.entry(id.clone()).or_insert_with(|| (bot.to_ascii_lowercase(), person));
    id
}

/// The same of somebody who is in a list alone.
fn user_id_of(world: &World, bot: &str, id: &str) -> String {
    let (first, second) = (digest(world, &["user", bot, id]), digest(world, &["user again", bot, id]));
    format!("29:1{}{}", base64url(&first), &base64url(&second)[..20])
}

/// The conversation of a bot with a person, which always has the same id.
pub fn personal_id(world: &mut World, bot: &str, person: usize) -> String {
    let of = world.people.people[person].id.clone();
    let (first, second) = (digest(world, &["personal", bot, &of]), digest(world, &["personal again", bot, &of]));
    let id = format!("a:1{}{}", base64url(&first), base64url(&second));
    world.bots.personal.entry(id.clone()).or_insert_with(|| (bot.to_ascii_lowercase(), person));
    id
}

/// The same conversation as Graph calls it.
pub fn chat_id(world: &World, bot: &str, person: usize) -> String {
    format!("19:{}_{}@unq.gbl.spaces", world.people.people[person].id, bot.to_ascii_lowercase())
}

pub fn thread_id(world: &World, team: usize) -> String {
    world.teams.teams[team].channels.first().map(|c| c.id.clone()).unwrap_or_default()
}

/// An id of a message, which is a time.
fn next_id(world: &mut World) -> i64 {
    world.bots.last = world.now().max(world.bots.last + 1);
    world.bots.last
}

/// An id of an activity that is no message.
fn event_id(world: &mut World) -> String {
    let id = world.noise.guid();
    format!("f:{id}")
}

/// The id that a conversation has in activities.
fn conversation_id(world: &mut World, bot: &str, spot: Spot, root: Option<i64>) -> String {
    match (spot, root) {
        (Spot::Person(person), _) => personal_id(world, bot, person),
        (Spot::Channel(team, channel), None) => world.teams.teams[team].channels[channel].id.clone(),
        (Spot::Channel(team, channel), Some(root)) => format!("{};messageid={root}", world.teams.teams[team].channels[channel].id),
    }
}

/// What activities of an organisation carry as `serviceUrl`.
fn service_url(world: &World, tenant: usize) -> String {
    let base = &world.origins.bot;
    match world.bots.regions.get(&tenant) {
        Some(region) if region.with_tenant => format!("{base}/{}/{}/", region.name, world.people.tenants[tenant].id),
        Some(region) => format!("{base}/{}/", region.name),
        None => format!("{base}/emea/"),
    }
}

/// An id of somebody who does not exist.
fn made_up(world: &World, what: &str, n: usize) -> String {
    let hex = hex(&digest(world, &[what, &n.to_string()]));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
