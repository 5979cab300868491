//! Bridges from store key to store key: small facts that stand for two hours.

use super::fault::Outcome;
use super::{all, keys, run};
use crate::seal::Sealed;
use crate::store::{BRIDGE_MS, Bridge};
use rusqlite::Connection;

const PREFIX: &str = "bridge/";

pub fn build(c: &Connection, bridge: &Bridge) -> Outcome<()> {
    let value = [bridge.made_at.to_be_bytes().as_slice(), bridge.sealed.as_bytes()].concat();
    keys::set_meta(c, &format!("{PREFIX}{}", bridge.key_id), &value)
}

/// Those that can be read; whoever finds none goes without.
pub fn standing(c: &Connection) -> Outcome<Vec<Bridge>> {
    Ok(rows(c)?.into_iter().filter_map(|(name, value)| parse(&name, &value)).collect())
}

/// Names of those whose time is over, by a clock that may have been set back since they were made; and of what is no bridge at all.
pub fn due(c: &Connection, now: i64) -> Outcome<Vec<String>> {
    let stands = |name: &str, value: &[u8]| parse(name, value).is_some_and(|bridge| now.abs_diff(bridge.made_at) < BRIDGE_MS.unsigned_abs());
    Ok(rows(c)?.into_iter().filter(|(name, value)| !stands(name, value)).map(|(name, _)| name).collect())
}

pub fn burn(c: &Connection, now: i64) -> Outcome<()> {
    for name in due(c, now)? {
        run(c, "DELETE FROM meta WHERE name = ?1", [name])?;
    }
    Ok(())
}

fn rows(c: &Connection) -> Outcome<Vec<(String, Vec<u8>)>> {
    all(c, "SELECT name, value FROM meta WHERE name GLOB 'bridge/*'", [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn parse(name: &str, value: &[u8]) -> Option<Bridge> {
    let (made_at, sealed) = value.split_first_chunk::<8>()?;
    Some(Bridge {
        key_id: name.strip_prefix(PREFIX)?.parse().ok()?,
        made_at: i64::from_be_bytes(*made_at),
        sealed: Sealed::parse(sealed.to_vec()).ok()?,
    })
}
