//! Retry-Afters that outlive this process: who starts anew must not ask before they are over. Noted when they are set, and taken by whoever stores them,
//! so that no request waits for a disk.

use super::retry::LONGEST_WAIT;
use super::scope::{Mailbox, RateScope, Service};
use crate::clock::{from_ms, to_ms};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// A shorter one is over before a process is there again.
const WORTH_KEEPING: Duration = Duration::from_secs(5);
/// The service of a sign-in's, which has the account's id as `user_id`.
const SIGN_IN: &str = "sign_in";

/// The end of a Retry-After by wall time (milliseconds since 1970), and whose requests it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    pub client_id: String,
    pub tenant_id: String,
    pub user_id: String,
    pub service: String,
    pub until: i64,
}

/// Written into stores: a word is never renamed.
fn word(service: Service) -> &'static str {
    match service {
        Service::Outlook => "outlook",
        Service::Teams => "teams",
        Service::Directory => "directory",
    }
}

impl Throttle {
    fn of(scope: RateScope, until: i64) -> Option<Self> {
        match scope {
            RateScope::Graph(service, mailbox) => {
                let Mailbox { client_id, tenant_id, user_id } = (*mailbox).clone();
                Some(Self { client_id, tenant_id, user_id, service: word(service).to_owned(), until })
            }
            RateScope::Uncounted(user_id) => Some(Self { client_id: String::new(), tenant_id: String::new(), user_id, service: SIGN_IN.to_owned(), until }),
            RateScope::None => None,
        }
    }

    /// None: of a service that this version does not know.
    pub(super) fn scope(&self) -> Option<RateScope> {
        if self.service == SIGN_IN {
            return Some(RateScope::Uncounted(self.user_id.clone()));
        }
        let service = [Service::Outlook, Service::Teams, Service::Directory].into_iter().find(|service| word(*service) == self.service)?;
        let mailbox = Mailbox { client_id: self.client_id.clone(), tenant_id: self.tenant_id.clone(), user_id: self.user_id.clone() };
        Some(RateScope::Graph(service, Arc::new(mailbox)))
    }

    /// What is left of it. However clocks were set meanwhile, it is no longer than any Retry-After.
    pub(super) fn left(&self, now: SystemTime) -> Duration {
        from_ms(self.until).duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST_WAIT)
    }
}

/// Those that nobody has stored yet: the latest of each scope.
#[derive(Default)]
pub struct Unkept {
    ends: Mutex<HashMap<RateScope, i64>>,
    noted: Notify,
}

impl Unkept {
    pub fn note(&self, scope: &RateScope, wait: Duration, now: SystemTime) {
        if wait < WORTH_KEEPING {
            return;
        }
        let until = to_ms(now).saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.ends().insert(scope.clone(), until);
        self.noted.notify_one();
    }

    /// Until there are some.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    pub fn take(&self) -> Vec<Throttle> {
        let ends = std::mem::take(&mut *self.ends());
        ends.into_iter().filter_map(|(scope, until)| Throttle::of(scope, until)).collect()
    }

    fn ends(&self) -> MutexGuard<'_, HashMap<RateScope, i64>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
