//! Events as tests make and change them.

use super::store::{Kind, New};
use crate::clock;
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Map, Value, json};

fn time(ask: &Value, name: &str) -> Result<Option<i64>, String> {
    ask[name].as_str().map(|text| clock::parse(text).ok_or_else(|| format!("no time: {text}"))).transpose()
}

fn fields(ask: &Value) -> Map<String, Value> {
    ask["set"].as_object().cloned().unwrap_or_default()
}

/// By id or subject; with `at`, the occurrence of it that begins then.
fn named(world: &World, ask: &Value) -> Result<(usize, u32), String> {
    let (owner, name) = (person(world, ask, "mailbox")?, ask["event"].as_str().ok_or("event is missing")?);
    let calendar = &world.calendars[owner];
    let key = calendar.find(name).or_else(|| calendar.named(name)).ok_or_else(|| format!("no such event: {name}"))?;
    let Some(at) = time(ask, "at")? else { return Ok((owner, key)) };
    let one = calendar.instances(key).into_iter().find(|one| calendar.get(*one).is_some_and(|event| event.start == at));
    one.map(|key| (owner, key)).ok_or_else(|| format!("{name} has no occurrence then"))
}

/// `{mailbox, start, end, zone?, set: {…}, every_days?, times?}`; with `times` it is a series.
pub fn add(world: &mut World, ask: &Value) -> Done {
    let owner = person(world, ask, "mailbox")?;
    let (start, end) = (time(ask, "start")?.ok_or("start is missing")?, time(ask, "end")?.ok_or("end is missing")?);
    let new = New { fields: fields(ask), start, end, zone: ask["zone"].as_str().unwrap_or("UTC").to_string() };
    let now = world.now();
    let (calendar, ids) = (&mut world.calendars[owner], &mut world.ids);
    let key = match ask["times"].as_i64() {
        Some(times) => calendar.insert_series(ids, new, ask["every_days"].as_i64().unwrap_or(7), times, now),
        None => calendar.insert(ids, new, now),
    };
    let instances: Vec<&str> = calendar.instances(key).into_iter().filter_map(|one| calendar.get(one)).map(|event| event.immutable.as_str()).collect();
    Ok(json!({"id": calendar.get(key).map(|event| &event.immutable), "instances": instances}))
}

/// `{mailbox, event, at?, start?, end?, zone?, set?}`; an occurrence that is changed is an exception from then on.
pub fn change(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let (start, end, now) = (time(ask, "start")?, time(ask, "end")?, world.now());
    let calendar = &mut world.calendars[owner];
    if let Some(event) = calendar.get_mut(key) {
        event.fields.extend(fields(ask));
        (event.start, event.end) = (start.unwrap_or(event.start), end.unwrap_or(event.end));
        if let Some(zone) = ask["zone"].as_str() {
            event.zone = zone.to_string();
        }
        if event.kind == Kind::Occurrence {
            event.kind = Kind::Exception;
        }
    }
    calendar.touch(key, now);
    Ok(json!({}))
}

/// `{mailbox, event, at?}`: an event, a series with all of it, or one occurrence.
pub fn delete(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let now = world.now();
    world.calendars[owner].remove(key, now);
    Ok(json!({}))
}
