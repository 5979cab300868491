//! Conversations: which one an id names, whether the bot is in it, and how one is made.

use super::limits::{self, What};
use super::refusals::{argument, blocked, disabled, not_in_roster, refuse, syntax, unknown_activity, unknown_conversation, writes_blocked};
use super::{Block, Spot, personal_id, say};
use crate::catalogue::{Place, tenant_of};
use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

/// What the id of a conversation names.
#[derive(Clone)]
pub struct Conversation {
    pub spot: Spot,
    /// Of a thread.
    pub root: Option<i64>,
}

impl Conversation {
    /// The thread that limits count by.
    pub fn thread(&self, world: &World, bot: &str) -> String {
        match self.spot {
            Spot::Person(person) => format!("{bot} {person}"),
            Spot::Channel(team, channel) => world.teams.teams[team].channels[channel].id.clone(),
        }
    }
}

/// A team and a channel by the channel's id.
pub fn channel(world: &World, id: &str) -> Option<(usize, usize)> {
    let mut all = world.teams.teams.iter().enumerate();
    all.find_map(|(team, one)| one.channels.iter().position(|c| c.id == id).map(|channel| (team, channel)))
}

/// Is there a thread of this first message?
fn has_root(world: &World, spot: (usize, usize), root: i64) -> bool {
    let channel = &world.teams.teams[spot.0].channels[spot.1];
    channel.messages.iter().any(|m| m.id == root) || world.bots.said.iter().any(|s| s.spot == Spot::Channel(spot.0, spot.1) && s.root == Some(root))
}

pub fn find(world: &World, bot: &str, id: &str) -> Result<Conversation, Answer> {
    if id.starts_with("a:") {
        return match world.bots.personal.get(id) {
            Some((own, person)) if own == bot => Ok(Conversation { spot: Spot::Person(*person), root: None }),
            // Each bot has ids of its own.
            Some(_) => Err(refuse(403, "BadArgument", "Failed to decrypt conversation id")),
            None => Err(unknown_conversation()),
        };
    }
    if let Some((person, of)) = id.strip_prefix("19:").and_then(|rest| rest.strip_suffix("@unq.gbl.spaces")).and_then(|pair| pair.split_once('_')) {
        let person = world.people.find(person).filter(|_| of.eq_ignore_ascii_case(bot));
        return person.map(|person| Conversation { spot: Spot::Person(person), root: None }).ok_or_else(not_in_roster);
    }
    let (thread, root) = match id.split_once(";messageid=") {
        Some((thread, root)) => (thread, Some(root.parse::<i64>().map_err(|_| syntax("Bad format of conversation ID"))?)),
        None => (id, None),
    };
    if !thread.starts_with("19:") {
        return Err(syntax("Bad format of conversation ID"));
    }
    let (team, channel) = channel(world, thread).ok_or_else(unknown_conversation)?;
    if root.is_some_and(|root| !has_root(world, (team, channel), root)) {
        return Err(unknown_conversation());
    }
    Ok(Conversation { spot: Spot::Channel(team, channel), root })
}

/// Is the app of the bot where this conversation is? With `late` the news may not have arrived yet.
pub fn is_there(world: &mut World, bot: &str, spot: Spot, late: bool) -> bool {
    let mut places = vec![spot.place()];
    if let Spot::Person(person) = spot {
        places.extend(world.teams.teams.iter().enumerate().filter(|(_, t)| t.members.contains(&person)).map(|(n, _)| Place::Team(n)));
    }
    let fits = |one: &crate::catalogue::Install| places.contains(&one.place) && one.version.bot.as_ref().is_some_and(|b| b.id.eq_ignore_ascii_case(bot));
    let now = world.now();
    let mut is_there = false;
    for one in world.catalogue.installs.iter_mut().filter(|one| fits(one)) {
        if late && (one.late > 0 || now < one.known_at) {
            one.late = one.late.saturating_sub(1);
        } else {
            is_there = true;
        }
    }
    is_there
}

/// The organisation has switched it off, or lives elsewhere.
pub fn admitted(world: &World, bot: &str, tenant: usize, region: &str) -> Result<(), Answer> {
    if world.bots.disabled.iter().any(|(which, at)| *at == tenant && which.as_deref().is_none_or(|w| w == bot)) {
        return Err(disabled());
    }
    let Some(own) = world.bots.regions.get(&tenant) else {
        return if region == "gcc" { Err(refuse(403, "InvalidBotApiHost", "Invalid bot api host.")) } else { Ok(()) };
    };
    if (own.name == "gcc") != (region == "gcc") {
        return Err(refuse(403, "InvalidBotApiHost", "Invalid bot api host."));
    }
    if own.is_strict && region != "teams" && region != own.name {
        return Err(unknown_conversation());
    }
    Ok(())
}

/// May the bot read here?
pub fn readable(world: &mut World, bot: &str, spot: Spot, region: &str) -> Result<(), Answer> {
    admitted(world, bot, tenant_of(world, spot.place()), region)?;
    if is_there(world, bot, spot, true) { Ok(()) } else { Err(not_in_roster()) }
}

/// May the bot write here?
pub fn writable(world: &mut World, bot: &str, spot: Spot, region: &str) -> Result<(), Answer> {
    readable(world, bot, spot, region)?;
    match spot {
        Spot::Person(person) => match world.bots.blocked.get(&(bot.to_string(), person)) {
            Some(Block::Conversation) => Err(blocked()),
            Some(Block::Writes) => Err(writes_blocked()),
            None => Ok(()),
        },
        Spot::Channel(team, channel) => {
            let (one, is_archived) = (&world.teams.teams[team].channels[channel], world.teams.teams[team].is_archived());
            if one.kind() != "standard" {
                return Err(not_in_roster());
            }
            if is_archived || one.is_archived() || world.bots.moderated.contains(&(team, channel)) {
                return Err(writes_blocked());
            }
            Ok(())
        }
    }
}

const INCORRECT: &str = "Incorrect conversation creation parameters";

/// POST v3/conversations
pub fn create(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, region: &str) -> Result<Answer, Answer> {
    let ask = call.json().filter(Value::is_object).ok_or_else(|| syntax("Bad format of conversation parameters"))?;
    let given = ask["bot"]["id"].as_str().map(|id| id.trim_start_matches("28:").to_ascii_lowercase());
    if given.is_some_and(|id| id != bot) {
        return Err(argument("The bot is not the one that the token is of"));
    }
    let members = ask["members"].as_array().cloned().unwrap_or_default();
    match ask["channelData"]["channel"]["id"].as_str() {
        Some(id) if members.is_empty() => in_channel(world, call, arrival, bot, region, &ask, id),
        None if members.len() == 1 && ask["isGroup"] != true => with_person(world, call, arrival, bot, region, &ask, &members[0]),
        // A bot makes no groups.
        _ => Err(syntax(INCORRECT)),
    }
}

/// Whom a member of a request names.
fn person(world: &World, bot: &str, member: &Value) -> Result<usize, Answer> {
    let undecipherable = || argument("Failed to decrypt pairwise id");
    let id = member["id"].as_str().ok_or_else(|| syntax(INCORRECT))?;
    match world.bots.users.get(id) {
        Some((own, person)) if own == bot => return Ok(*person),
        Some(_) => return Err(undecipherable()),
        None => {}
    }
    let by_object = world.people.people.iter().position(|p| p.oid.eq_ignore_ascii_case(id));
    by_object.filter(|_| world.odd("bots_take_object_ids")).ok_or_else(undecipherable)
}

fn with_person(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, region: &str, ask: &Value, member: &Value) -> Result<Answer, Answer> {
    let tenant = ask["tenantId"].as_str().or(ask["channelData"]["tenant"]["id"].as_str()).ok_or_else(|| syntax(INCORRECT))?;
    let tenant = world.people.tenant(tenant).ok_or_else(|| argument("Unknown tenant"))?;
    let person = person(world, bot, member)?;
    if world.people.people[person].tenant != tenant {
        return Err(argument("Failed to decrypt pairwise id"));
    }
    let spot = Spot::Person(person);
    // Whoever has blocked the bot is found out when it says something.
    match ask["activity"].is_object() {
        true => writable(world, bot, spot, region)?,
        false => readable(world, bot, spot, region)?,
    }
    limits::take(world, call, arrival, bot, tenant, &format!("{bot} {person}"), What::Write)?;
    let id = personal_id(world, bot, person);
    let mut answer = json!({ "id": id });
    if ask["activity"].is_object() {
        let said = say::accept(world, arrival, bot, &Conversation { spot, root: None }, &ask["activity"], None)?;
        answer["activityId"] = json!(said.to_string());
    }
    Ok(Answer::json(201, &answer))
}

fn in_channel(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, region: &str, ask: &Value, id: &str) -> Result<Answer, Answer> {
    let (team, channel) = channel(world, id).ok_or_else(unknown_conversation)?;
    let spot = Spot::Channel(team, channel);
    let tenant = tenant_of(world, spot.place());
    let named = ask["tenantId"].as_str().or(ask["channelData"]["tenant"]["id"].as_str());
    if named.is_some_and(|named| world.people.tenant(named) != Some(tenant)) {
        return Err(argument("The channel is not of this tenant"));
    }
    if !ask["activity"].is_object() {
        return Err(syntax(INCORRECT));
    }
    writable(world, bot, spot, region)?;
    limits::take(world, call, arrival, bot, tenant, id, What::Write)?;
    let said = say::accept(world, arrival, bot, &Conversation { spot, root: None }, &ask["activity"], None)?;
    Ok(Answer::json(201, &json!({"id": format!("{id};messageid={said}"), "activityId": said.to_string()})))
}

/// The message that a reply is to, where there is one.
pub fn replied(world: &World, conversation: &Conversation, id: &str) -> Result<Option<i64>, Answer> {
    let Spot::Channel(team, channel) = conversation.spot else { return Ok(None) };
    if conversation.root.is_some() {
        return Ok(conversation.root);
    }
    let root = id.parse().ok().filter(|root| has_root(world, (team, channel), *root));
    root.map(Some).ok_or_else(unknown_activity)
}
