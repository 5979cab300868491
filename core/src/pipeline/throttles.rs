//! What outlives this process of the limits of a mailbox: who starts anew must not ask before a Retry-After is over, nor for more than the mailbox has left
//! in its window. Noted as it comes, and taken by whoever stores it, so that no request waits for a disk.

use super::retry::LONGEST_WAIT;
use super::scope::{Mailbox, RateScope, Service, Thread};
use crate::clock::{from_ms, to_ms};
use crate::throttle::{RequestsMade, Throttle};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// A shorter one is over before a process is there again.
pub const WORTH_KEEPING: Duration = Duration::from_secs(5);
/// The service of a sign-in's, which has the account's id as `user_id`.
const SIGN_IN: &str = "sign_in";
/// What the service of a conversation of a bot begins with, by whether something is said there.
const SAID: &str = "bots/said/";
const ASKED: &str = "bots/asked/";

/// Written into stores: a word is never renamed.
fn word(service: Service) -> &'static str {
    match service {
        Service::Outlook => "outlook",
        Service::Teams => "teams",
        Service::TeamsMessages => "teams_messages",
        Service::Directory => "directory",
        Service::Files => "files",
        Service::Bots => "bots",
        Service::Other => "other",
    }
}

/// None: it is nobody's.
pub fn throttle_of(scope: &RateScope, until: i64, made: Option<RequestsMade>) -> Option<Throttle> {
    match scope {
        RateScope::Graph(service, mailbox) => {
            let Mailbox { client_id, tenant_id, user_id } = (**mailbox).clone();
            Some(Throttle { client_id, tenant_id, user_id, service: word(*service).to_owned(), until, made })
        }
        RateScope::Uncounted(user_id) => {
            Some(Throttle { client_id: String::new(), tenant_id: String::new(), user_id: user_id.clone(), service: SIGN_IN.to_owned(), until, made })
        }
        RateScope::None => None,
    }
}

/// None: of a service that this version does not know.
pub fn scope_of(throttle: &Throttle) -> Option<RateScope> {
    if throttle.service == SIGN_IN {
        return Some(RateScope::Uncounted(throttle.user_id.clone()));
    }
    let service = Service::ALL.into_iter().find(|service| word(*service) == throttle.service)?;
    let mailbox = Mailbox { client_id: throttle.client_id.clone(), tenant_id: throttle.tenant_id.clone(), user_id: throttle.user_id.clone() };
    Some(RateScope::Graph(service, Arc::new(mailbox)))
}

/// Of one conversation of a bot.
pub fn of_thread(mailbox: Mailbox, thread: &Thread, until: i64, made: Option<RequestsMade>) -> Throttle {
    let Mailbox { client_id, tenant_id, user_id } = mailbox;
    Throttle { client_id, tenant_id, user_id, service: format!("{}{}", if thread.is_write { SAID } else { ASKED }, thread.id), until, made }
}

/// None: it is of no conversation.
pub fn thread_of(throttle: &Throttle) -> Option<Thread> {
    let of = |prefix: &str, is_write| throttle.service.strip_prefix(prefix).map(|id| Thread { id: id.to_owned(), is_write });
    of(SAID, true).or_else(|| of(ASKED, false))
}

/// What is left of a Retry-After. However clocks were set meanwhile, it is no longer than any.
pub fn left(throttle: &Throttle, now: SystemTime) -> Duration {
    from_ms(throttle.until).duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST_WAIT)
}

/// What nobody has stored yet.
#[derive(Default)]
pub struct Unkept {
    noted: Mutex<Pending>,
    is_noted: Notify,
}

#[derive(Default)]
struct Pending {
    /// The latest end of a Retry-After of each scope.
    ends: HashMap<RateScope, i64>,
    /// Made many requests.
    busy: HashSet<RateScope>,
}

impl Unkept {
    pub fn note(&self, scope: &RateScope, wait: Duration, now: SystemTime) {
        if wait < WORTH_KEEPING {
            return;
        }
        let until = to_ms(now).saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.all().ends.insert(scope.clone(), until);
        self.is_noted.notify_one();
    }

    pub fn note_busy(&self, scopes: Vec<RateScope>) {
        if !scopes.is_empty() {
            self.all().busy.extend(scopes);
            self.is_noted.notify_one();
        }
    }

    /// There is some that is kept elsewhere.
    pub fn wake(&self) {
        self.is_noted.notify_one();
    }

    /// Until there is some.
    pub async fn noted(&self) {
        self.is_noted.notified().await;
    }

    /// Ends of Retry-Afters, and who made many requests.
    pub fn take(&self) -> (HashMap<RateScope, i64>, HashSet<RateScope>) {
        let Pending { ends, busy } = std::mem::take(&mut *self.all());
        (ends, busy)
    }

    fn all(&self) -> MutexGuard<'_, Pending> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
