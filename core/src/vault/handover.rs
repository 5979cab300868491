//! How a process that has the store open goes on when store key and root key were both replaced by another one: it holds the store key that was replaced,
//! and finds the new one sealed with it. For two hours; after that a replaced key opens nothing any more.

use super::base::{Base, corrupt};
use crate::error::{Error, Result};
use crate::seal::{Cipher, KeyBytes, AadContext, Sealed};
use crate::store::KeyHandover;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Where a handover is valid: for this new key, made at this time.
pub fn place(key_id: &str, made_at: i64) -> AadContext<'_> {
    AadContext { table: "meta", column: "bridge", account_id: "", row: key_id, version: made_at }
}

/// Opens something with a key held in memory; none when that key is not held.
type Held<'a> = &'a dyn Fn(AadContext<'_>, &Sealed) -> Option<Result<Zeroizing<Vec<u8>>>>;

/// Goes from a key that is held to the wanted one, over as many handovers as it takes. None: there is no way.
pub fn follow(base: &Base, handovers: Vec<KeyHandover>, wanted: i64, held: Held<'_>) -> Result<Option<KeyBytes>> {
    let mut handovers: HashMap<i64, KeyHandover> = handovers.into_iter().map(|handover| (handover.key_id, handover)).collect();
    let mut ahead = Vec::new();
    let mut at = wanted;
    // Backwards to a key that is held. Each handover is taken out, so that handovers made in a ring have an end.
    let mut key = loop {
        let Some(handover) = handovers.remove(&at) else { return Ok(None) };
        if let Some(opened) = held(place(&at.to_string(), handover.made_at), &handover.sealed) {
            break opened.and_then(|bytes| key_of(&bytes))?;
        }
        let from = handover.sealed.key_id();
        ahead.push(handover);
        at = from;
    };
    while let Some(handover) = ahead.pop() {
        let cipher = Cipher::new(&base.store_id, handover.sealed.key_id(), &key);
        key = key_of(&cipher.open(place(&handover.key_id.to_string(), handover.made_at), &handover.sealed)?)?;
    }
    Ok(Some(key))
}

fn key_of(bytes: &[u8]) -> Result<KeyBytes> {
    KeyBytes::from_slice(bytes).ok_or_else::<Error, _>(corrupt)
}
