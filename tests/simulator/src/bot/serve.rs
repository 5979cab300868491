//! The paths of the Connector.

use super::conversations::{self, create, find, readable, writable};
use super::limits::{self, What};
use super::{Spot, caller, roster, say, signing};
use crate::catalogue::{Place, tenant_of};
use crate::http::{Answer, Call};
use crate::routes::{lacks, missing};
use crate::server::Arrival;
use crate::world::World;

/// The global entry and those of regions.
const REGIONS: [&str; 8] = ["teams", "amer", "emea", "apac", "in", "uk", "de", "gcc"];

/// Words of paths, in whatever letter case.
const WORDS: [&str; 6] = ["v3", "conversations", "activities", "members", "pagedMembers", "teams"];

pub fn is_region(name: &str) -> bool {
    REGIONS.contains(&name)
}

pub fn handle(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    let id = world.noise.text(22);
    // A service URL ends with a slash or does not: who joins it badly asks for nothing that is there.
    if call.path.contains("//") {
        return Answer::empty(404);
    }
    let mut answer = serve(world, call, arrival).unwrap_or_else(|refused| refused);
    if answer.status == 201 && world.odd("bot_statuses_vary") {
        answer.status = if call.path.contains("/activities") { 202 } else { 200 };
    }
    answer.with("MS-CV", format!("{id}.0"))
}

fn serve(world: &mut World, call: &Call, arrival: &Arrival) -> Result<Answer, Answer> {
    let segments = call.segments();
    // Microsoft's own clients write `pagedmembers`.
    let word = |segment: &String| WORDS.iter().find(|word| word.eq_ignore_ascii_case(segment)).copied();
    let parts: Vec<&str> = segments.iter().map(|segment| word(segment).unwrap_or(segment)).collect();
    let (region, rest) = match parts.as_slice() {
        // Who checks what is posted asks without a token.
        ["v1", ".well-known", "openidconfiguration"] if call.method == "GET" => return Ok(signing::metadata(call)),
        ["v1", ".well-known", "keys"] if call.method == "GET" => return Ok(signing::keys(world)),
        [region, "v3", rest @ ..] if is_region(region) => (*region, rest),
        [region, tenant, "v3", rest @ ..] if is_region(region) && world.people.tenant(tenant).is_some() => (*region, rest),
        _ => return Err(lacks(call, "")),
    };
    if let Some(answer) = missing(call) {
        return Err(answer);
    }
    let bot = caller::bot(world, call)?;
    match rest {
        ["conversations"] => create(world, call, arrival, &bot, region),
        ["teams", id, more @ ..] => {
            let team = roster::team_of(world, id)?;
            readable(world, &bot, Spot::Channel(team, 0), region)?;
            limits::take(world, call, arrival, &bot, tenant_of(world, Place::Team(team)), id, What::Read)?;
            Ok(if more.is_empty() { roster::team(world, team) } else { roster::channels(world, team) })
        }
        ["conversations", id, what, more @ ..] => {
            let conversation = find(world, &bot, id)?;
            let kind = match (*what, more) {
                ("members", []) => What::OldRoster,
                ("activities", _) => What::Write,
                _ => What::Read,
            };
            match kind {
                What::Write => writable(world, &bot, conversation.spot, region)?,
                _ => readable(world, &bot, conversation.spot, region)?,
            }
            let (tenant, thread) = (tenant_of(world, conversation.spot.place()), conversation.thread(world, &bot));
            limits::take(world, call, arrival, &bot, tenant, &thread, kind)?;
            act(world, call, arrival, &bot, &conversation, what, more)
        }
        _ => Err(lacks(call, "")),
    }
}

fn act(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, conversation: &conversations::Conversation, what: &str, more: &[&str]) -> Result<Answer, Answer> {
    match (call.method.as_str(), what, more) {
        ("POST", "activities", []) => say::post(world, call, arrival, bot, conversation, None),
        ("POST", "activities", [id]) => say::post(world, call, arrival, bot, conversation, Some(id)),
        ("PUT", "activities", [id]) => say::change(world, call, bot, conversation, id),
        ("DELETE", "activities", [id]) => say::delete(world, bot, conversation, id),
        (_, "members", []) => Ok(roster::all(world, bot, conversation)),
        (_, "members", [id]) => roster::one(world, bot, conversation, id),
        (_, "pagedMembers", _) => roster::paged(world, call, bot, conversation),
        _ => Err(lacks(call, "")),
    }
}
