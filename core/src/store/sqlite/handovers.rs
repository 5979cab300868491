//! Handovers from store key to store key: small facts that stand for two hours.

use super::fault::Outcome;
use super::{all, keys, run};
use crate::seal::Sealed;
use crate::store::{HANDOVER_MS, KeyHandover};
use rusqlite::Connection;

const PREFIX: &str = "bridge/";

pub fn build(c: &Connection, handover: &KeyHandover) -> Outcome<()> {
    let value = [handover.made_at.to_be_bytes().as_slice(), handover.sealed.as_bytes()].concat();
    keys::set_meta(c, &format!("{PREFIX}{}", handover.key_id), &value)
}

/// Those that can be read; whoever finds none goes without.
pub fn standing(c: &Connection) -> Outcome<Vec<KeyHandover>> {
    Ok(rows(c)?.into_iter().filter_map(|(name, value)| parse(&name, &value)).collect())
}

/// Names of those whose time is over, by a clock that may have been set back since they were made; and of what is no handover at all.
pub fn due(c: &Connection, now: i64) -> Outcome<Vec<String>> {
    let stands = |name: &str, value: &[u8]| parse(name, value).is_some_and(|handover| now.abs_diff(handover.made_at) < HANDOVER_MS.unsigned_abs());
    Ok(rows(c)?.into_iter().filter(|(name, value)| !stands(name, value)).map(|(name, _)| name).collect())
}

pub fn expire(c: &Connection, now: i64) -> Outcome<()> {
    for name in due(c, now)? {
        run(c, "DELETE FROM meta WHERE name = ?1", [name])?;
    }
    Ok(())
}

fn rows(c: &Connection) -> Outcome<Vec<(String, Vec<u8>)>> {
    all(c, "SELECT name, value FROM meta WHERE name GLOB 'bridge/*'", [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn parse(name: &str, value: &[u8]) -> Option<KeyHandover> {
    let (made_at, sealed) = value.split_first_chunk::<8>()?;
    Some(KeyHandover {
        key_id: name.strip_prefix(PREFIX)?.parse().ok()?,
        made_at: i64::from_be_bytes(*made_at),
        sealed: Sealed::parse(sealed.to_vec()).ok()?,
    })
}
