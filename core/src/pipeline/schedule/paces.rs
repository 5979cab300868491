//! How far apart requests to Teams go once it has refused one of a person who asked once a second, beyond what that person's own queue keeps: of a whole tenant, and to one chat or channel, whoever
//! of its members asks; messages that are posted apart from all the rest, as Teams counts them. Before that Teams is asked as fast as it serves. Source: Graph, throttling limits by service, Teams.

use super::super::scope::{Mailbox, RateScope, Service};
use std::collections::HashMap;
use std::time::Duration;

/// Twenty a second of an application in a tenant.
const OF_A_TENANT: Duration = Duration::from_millis(50);
/// One a second to a chat or channel.
const OF_A_PLACE: Duration = Duration::from_secs(1);

/// An application in a tenant; with a place, one chat or channel in it.
type Key = (Service, String, String, Option<String>);

#[derive(Default)]
struct Pace {
    /// Requests keep their distance until then.
    until: Duration,
    /// When the next one may go.
    next: Duration,
}

#[derive(Default)]
pub struct Paces(HashMap<Key, Pace>);

impl Paces {
    /// Teams refused a request of this scope, about this place.
    pub fn refused(&mut self, scope: &RateScope, place: Option<&str>, until: Duration) {
        let Some(of_teams) = of_teams(scope) else { return };
        for key in keys(of_teams, place) {
            let pace = self.0.entry(key).or_default();
            pace.until = pace.until.max(until);
        }
    }

    /// Takes the next moment for so many requests of this scope, about this place, if that is no further off than `left`. Answers how long to wait for it.
    pub fn take(&mut self, scope: &RateScope, place: Option<&str>, requests: u32, left: Duration, now: Duration) -> Result<Duration, Duration> {
        let Some(of_teams) = of_teams(scope).filter(|_| !self.0.is_empty()) else { return Ok(Duration::ZERO) };
        let mut keys = keys(of_teams, place);
        keys.retain(|key| self.0.get(key).is_some_and(|pace| now < pace.until));
        let at = keys.iter().filter_map(|key| self.0.get(key)).map(|pace| pace.next).fold(now, Duration::max);
        let wait = at.saturating_sub(now);
        if wait > left {
            return Err(wait);
        }
        for key in keys {
            let distance = if key.3.is_some() { OF_A_PLACE } else { OF_A_TENANT };
            if let Some(pace) = self.0.get_mut(&key) {
                pace.next = at.saturating_add(distance.saturating_mul(requests));
            }
        }
        Ok(wait)
    }

    /// Whether requests of this scope keep a distance.
    pub fn is_on(&self, scope: &RateScope, now: Duration) -> bool {
        of_teams(scope).is_some_and(|of_teams| keys(of_teams, None).iter().any(|key| self.0.get(key).is_some_and(|pace| now < pace.until)))
    }

    pub fn forget_what_is_over(&mut self, now: Duration) {
        self.0.retain(|_, pace| now < pace.until);
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn of_teams(scope: &RateScope) -> Option<(Service, &Mailbox)> {
    match scope {
        RateScope::Graph(service @ (Service::Teams | Service::TeamsMessages), mailbox) => Some((*service, mailbox)),
        _ => None,
    }
}

fn keys((service, mailbox): (Service, &Mailbox), place: Option<&str>) -> Vec<Key> {
    let of = |place: Option<&str>| (service, mailbox.client_id.clone(), mailbox.tenant_id.clone(), place.map(str::to_owned));
    let mut keys = vec![of(None)];
    keys.extend(place.map(|place| of(Some(place))));
    keys
}
