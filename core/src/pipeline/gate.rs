//! Fair shares: four requests at a time per account and service, 64 for the process, users before syncs, and one Retry-After stops what that account
//! asks of that service. A refusal of Teams does not stop mail, nor the reverse: their limits are counted apart.

use super::Priority;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

const PER_SERVICE: usize = 4;
const PER_PROCESS: usize = 64;

/// The parts of Graph that count limits of their own. Source: Graph, throttling limits by service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Mail, calendar, contacts.
    Outlook,
    /// Chats, teams, channels, their apps.
    Teams,
    /// People and organisations.
    Directory,
}

impl Service {
    /// By the path below Graph's version. What stands in `me` or `users/{id}` belongs to the service of its name.
    pub fn of(path: &str) -> Self {
        let mut names = path.split('/').filter(|name| !name.is_empty()).skip(1).map(str::to_ascii_lowercase);
        let first = names.next().unwrap_or_default();
        let below = match first.as_str() {
            "me" => names.next(),
            "users" | "groups" => names.nth(1),
            _ => Some(first),
        };
        match below.as_deref() {
            Some("chats" | "teams" | "teamwork" | "joinedteams" | "appcatalogs" | "teamstemplates") => Self::Teams,
            None | Some("users" | "groups" | "people" | "organization" | "directory" | "directoryobjects" | "manager" | "memberof" | "photo" | "photos") => Self::Directory,
            Some(_) => Self::Outlook,
        }
    }
}

/// Whose share a request uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lane {
    Graph(Service, String),
    /// Sign-in and refresh of one account, or of one tenant and application where there is no account yet. Not counted: a Graph call that holds a slot must always get its token.
    SignIn(String),
    None,
}

#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    running: usize,
    lanes: HashMap<Lane, Share>,
    next_ticket: u64,
    /// In the order in which they get in.
    waiting: BTreeMap<(Priority, u64), Waiter>,
}

#[derive(Default)]
struct Share {
    running: usize,
    /// Nobody goes before this moment of the monotonic clock.
    fence: Duration,
}

struct Waiter {
    lane: Lane,
    enter: oneshot::Sender<Slot>,
}

impl Gate {
    /// Waits for a free slot. Dropping the future gives the place in the queue back.
    pub async fn enter(&self, lane: &Lane, priority: Priority) -> Slot {
        if matches!(lane, Lane::SignIn(_)) {
            return Slot(None);
        }
        let entered = {
            let mut state = self.state();
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let (enter, entered) = oneshot::channel();
            state.waiting.insert((priority, ticket), Waiter { lane: lane.clone(), enter });
            entered
        };
        self.admit();
        entered.await.unwrap_or(Slot(None))
    }

    /// How long nobody of this lane may go yet.
    pub fn fenced(&self, lane: &Lane, now: Duration) -> Duration {
        self.state().lanes.get(lane).map_or(Duration::ZERO, |share| share.fence.saturating_sub(now))
    }

    /// A fence only grows.
    pub fn fence(&self, lane: &Lane, until: Duration, now: Duration) {
        if *lane == Lane::None {
            return;
        }
        let mut state = self.state();
        // Lanes nobody uses any more go, so that the table stays as small as the work.
        state.lanes.retain(|_, share| share.running > 0 || share.fence > now);
        let share = state.lanes.entry(lane.clone()).or_default();
        share.fence = share.fence.max(until);
    }

    /// Lets in whoever may; in order, but a share that is used up does not hold up the others.
    fn admit(&self) {
        let mut unwanted = Vec::new();
        {
            let mut state = self.state();
            let State { running, lanes, waiting, .. } = &mut *state;
            waiting.retain(|_, waiter| !waiter.enter.is_closed());
            let mut entering = Vec::new();
            for (place, waiter) in waiting.iter() {
                if *running >= PER_PROCESS {
                    break;
                }
                if let Lane::Graph(..) = waiter.lane {
                    let share = lanes.entry(waiter.lane.clone()).or_default();
                    if share.running >= PER_SERVICE {
                        continue;
                    }
                    share.running += 1;
                }
                *running += 1;
                entering.push(*place);
            }
            for waiter in entering.iter().filter_map(|place| waiting.remove(place)) {
                let slot = Slot(Some((self.clone(), waiter.lane)));
                if let Err(slot) = waiter.enter.send(slot) {
                    unwanted.push(slot); // gave up between the two looks
                }
            }
        }
        // Dropped outside the lock, because dropping a slot takes it.
        drop(unwanted);
    }

    fn leave(&self, lane: &Lane) {
        {
            let mut state = self.state();
            state.running = state.running.saturating_sub(1);
            if let Some(share) = state.lanes.get_mut(lane) {
                share.running = share.running.saturating_sub(1);
                if share.running == 0 && share.fence == Duration::ZERO {
                    state.lanes.remove(lane);
                }
            }
        }
        self.admit();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place inside; free again when dropped.
pub struct Slot(Option<(Gate, Lane)>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((gate, lane)) = self.0.take() {
            gate.leave(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn lane(name: &str) -> Lane {
        Lane::Graph(Service::Outlook, name.to_owned())
    }

    #[tokio::test]
    async fn four_per_service_and_users_go_first() {
        let gate = Gate::default();
        let mut inside = Vec::new();
        for _ in 0..4 {
            inside.push(gate.enter(&lane("a"), Priority::Sync).await);
        }
        let a = lane("a");
        let mut sync = Box::pin(gate.enter(&a, Priority::Sync));
        let mut user = Box::pin(gate.enter(&a, Priority::User));
        assert!((&mut sync).now_or_never().is_none());
        assert!((&mut user).now_or_never().is_none());
        // Another service of the account is not held up, nor another account.
        assert!(gate.enter(&Lane::Graph(Service::Teams, "a".into()), Priority::Sync).now_or_never().is_some());
        assert!(gate.enter(&lane("b"), Priority::Sync).now_or_never().is_some());
        inside.pop();
        assert!((&mut sync).now_or_never().is_none());
        let user = user.now_or_never();
        assert!(user.is_some());
        drop(user);
        assert!(sync.now_or_never().is_some());
    }

    #[tokio::test]
    async fn sixty_four_in_all_and_a_waiter_who_left_costs_nothing() {
        let gate = Gate::default();
        let mut inside = Vec::new();
        for n in 0..16 {
            for _ in 0..4 {
                inside.push(gate.enter(&lane(&n.to_string()), Priority::Sync).await);
            }
        }
        let other = lane("other");
        let mut gone = Box::pin(gate.enter(&other, Priority::User));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        assert!(gate.enter(&Lane::SignIn("x".into()), Priority::Sync).now_or_never().is_some(), "a token is always to be had");
        inside.pop();
        assert!(gate.enter(&other, Priority::Sync).now_or_never().is_some());
        drop(inside);
        assert_eq!(gate.state().running, 0);
        assert!(gate.state().lanes.is_empty());
    }

    #[test]
    fn a_fence_only_grows() {
        let gate = Gate::default();
        gate.fence(&lane("a"), Duration::from_secs(9), Duration::ZERO);
        gate.fence(&lane("a"), Duration::from_secs(5), Duration::ZERO);
        assert_eq!(gate.fenced(&lane("a"), Duration::from_secs(4)), Duration::from_secs(5));
        assert_eq!(gate.fenced(&lane("a"), Duration::from_secs(10)), Duration::ZERO);
        assert_eq!(gate.fenced(&lane("b"), Duration::ZERO), Duration::ZERO);
    }
    #[test]
    fn paths_tell_the_service() {
        for (path, service) in [
            ("/v1.0/me/messages", Service::Outlook),
            ("/v1.0/me/mailFolders/inbox/messages/delta", Service::Outlook),
            ("/v1.0/me/sendMail", Service::Outlook),
            ("/v1.0/users/shared@contoso.com/messages", Service::Outlook),
            ("/v1.0/$batch", Service::Outlook),
            ("/v1.0/chats/19:a@thread.v2/messages", Service::Teams),
            ("/v1.0/me/chats", Service::Teams),
            ("/v1.0/me/joinedTeams", Service::Teams),
            ("/v1.0/teams/x/channels", Service::Teams),
            ("/v1.0/users/alex@contoso.com/teamwork/installedApps", Service::Teams),
            ("/v1.0/users/alex@contoso.com", Service::Directory),
            ("/v1.0/users", Service::Directory),
            ("/v1.0/me", Service::Directory),
            ("/v1.0/organization", Service::Directory),
        ] {
            assert_eq!(Service::of(path), service, "{path}");
        }
    }

    #[test]
    fn a_fence_stops_one_service_of_one_account() {
        let gate = Gate::default();
        gate.fence(&Lane::Graph(Service::Teams, "a".into()), Duration::from_secs(600), Duration::ZERO);
        for (service, account, fenced) in [(Service::Teams, "a", true), (Service::Outlook, "a", false), (Service::Directory, "a", false), (Service::Teams, "b", false)] {
            assert_eq!(gate.fenced(&Lane::Graph(service, account.into()), Duration::ZERO) > Duration::ZERO, fenced, "{service:?} {account}");
        }
    }
}
