//! Subscriptions that notifications were held against a moment ago.

use crate::clock::Clock;
use crate::error::Result;
use crate::store::{KnownSubscription, Store};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long they are believed; another process may have ended them.
const BELIEVED: Duration = Duration::from_secs(30);
/// When there are more, they are all forgotten.
const MOST: usize = 50_000;

/// Only what exists is remembered: what strangers send fills no memory.
#[derive(Default)]
pub struct KnownOnes(Mutex<HashMap<[u8; 32], (KnownSubscription, Duration)>>);

impl KnownOnes {
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Those that have one of these client states, by its hash.
    pub async fn find(&self, store: &dyn Store, clock: &dyn Clock, hashes: &[[u8; 32]]) -> Result<HashMap<[u8; 32], KnownSubscription>> {
        let now = clock.elapsed();
        let mut found = HashMap::with_capacity(hashes.len());
        let mut unknown = Vec::new();
        {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for hash in hashes {
                match known.get(hash).filter(|(_, at)| now.saturating_sub(*at) < BELIEVED) {
                    Some((one, _)) => drop(found.insert(*hash, one.clone())),
                    None => unknown.push(*hash),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let read = store.known_subscriptions(&unknown).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST {
            known.clear();
        }
        for one in read {
            // One whose id is not stored yet is asked for again.
            if one.graph_id.is_some() {
                known.insert(one.client_hash, (one.clone(), now));
            }
            found.insert(one.client_hash, one);
        }
        Ok(found)
    }
}
