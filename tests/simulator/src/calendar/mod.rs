//! The default calendar of a mailbox, for reading: which path, with which right, does what. Source: Graph, calendarView and event.

pub mod control;
mod delta;
mod shown;
pub mod store;

use crate::clock;
use crate::graph::{Caller, bad, no_segment, not_allowed, page};
use crate::http::{Answer, Call};
use crate::mail::{Job, denied, not_found};
use crate::odata;
use crate::query;
use crate::schema::EVENT;
use crate::server::Arrival;
use crate::world::World;
use store::Calendar;

const READ: [&str; 2] = ["Calendars.Read", "Calendars.ReadWrite"];

/// The paths below a person that lead here.
pub fn is_here(name: &str) -> bool {
    ["calendarView", "events"].iter().any(|n| n.eq_ignore_ascii_case(name))
}

impl Job<'_> {
    fn calendar(&mut self) -> &mut Calendar {
        &mut self.world.calendars[self.person]
    }
}

pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, person: usize, rest: &[&str]) -> Answer {
    if !caller.has(&READ) || caller.person.is_some_and(|p| p != person) {
        return denied();
    }
    if world.people.people[person].mailbox != crate::people::Mailbox::Ready {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Answer::fail(404, "MailboxNotEnabledForRESTAPI", text);
    }
    if let Some(zone) = call.prefer("outlook.timezone").filter(|zone| !zone.eq_ignore_ascii_case("UTC")) {
        return query::lacking(format!("times in the zone {zone}"));
    }
    let now = world.now();
    let mut job = Job { world, call, person, actor: person, seq: arrival.seq, now, may_share: false };
    job.accuse_ids();
    match rest {
        [view] if view.eq_ignore_ascii_case("calendarView") => list(&mut job),
        [view, delta] if view.eq_ignore_ascii_case("calendarView") && delta.eq_ignore_ascii_case("delta") => delta::view(&mut job),
        [events, id] if events.eq_ignore_ascii_case("events") && call.method == "GET" => one(&mut job, id),
        [_, other, ..] => no_segment(other),
        _ => not_allowed(),
    }
}

/// From and to, of the options of a request.
fn window(query: &[(String, String)]) -> Result<(i64, i64), Answer> {
    let at = |name: &str| {
        let Some(text) = crate::mail::delta::option(query, name) else {
            return Err(Answer::fail(400, "ErrorInvalidParameter", format!("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime; {name} is missing.")));
        };
        clock::parse(&text).or_else(|| clock::parse(&format!("{text}Z"))).ok_or_else(|| bad(format!("The value '{text}' of parameter '{name}' is invalid.")))
    };
    let (from, to) = (at("startDateTime")?, at("endDateTime")?);
    // A view may span five years.
    if to <= from || to - from > 1_825 * 86_400_000 {
        return Err(Answer::fail(400, "ErrorInvalidRequest", "The requested time duration specified for calendar view is too long or ends before it starts."));
    }
    Ok((from, to))
}

fn list(job: &mut Job) -> Answer {
    let call = job.call;
    let read = || Ok((query::select(call, &EVENT, "RequestBroker--ParseUri")?, query::window(call, 10, 1000)?, query::count(call)?, window(&call.params())?));
    let (select, (top, skip), count, (from, to)) = match read() {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let (context, immutable) = (job.context("calendarView"), call.wants_immutable());
    let calendar = job.calendar();
    let all = calendar.between(from, to);
    let value = all.iter().skip(skip).take(top).filter_map(|key| Some(shown::event(calendar, calendar.get(*key)?, immutable, &select))).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skip", &(skip + top).to_string()));
    page(context, value, next, count.then_some(all.len()))
}

fn one(job: &mut Job, id: &str) -> Answer {
    let select = match query::select(job.call, &EVENT, "RequestBroker--ParseUri") {
        Ok(select) => select,
        Err(answer) => return answer,
    };
    let (context, immutable) = (job.context("events/$entity"), job.call.wants_immutable());
    let calendar = job.calendar();
    let found = calendar.find(id).and_then(|key| calendar.get(key));
    let Some(event) = found else { return not_found() };
    let mut shown = shown::event(calendar, event, immutable, &select);
    shown["@odata.context"] = serde_json::json!(context);
    Answer::json(200, &shown)
}
