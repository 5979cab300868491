//! Back-fills in any order of what hosts and mailboxes may do, with processes killed at every point: what is here in the end is what the mailbox holds.

use super::facts::mail;
use super::*;
use crate::failpoint::Armed;
use crate::model::{BackfillRange, BackfillState, ChangeKind, rfc3339};
use crate::pipeline::fake::START_MS;
use crate::store::{BackfillWish, Mailbox, MessageWindow};
use crate::sync::Backfills;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const POINTS: [&str; 9] = [
    "backfill.divided",
    "backfill.storing",
    "backfill.stored",
    "backfill.seeded",
    "sync.stored_folders",
    "sync.storing_page",
    "sync.stored_page",
    "sync.settling_removals",
    "sync.settled_removals",
];
const RANGES: [BackfillRange; 5] = [BackfillRange::Nothing, BackfillRange::ThirtyDays, BackfillRange::NinetyDays, BackfillRange::TwelveMonths, BackfillRange::Everything];
const DAY: u64 = 86_400;
const PAGE: usize = 3;

/// The inbox as Microsoft has it.
#[derive(Default, Clone)]
struct Inbox {
    /// Everything that happened to it, in order. None: the message is gone.
    events: Vec<(String, Option<Value>)>,
    /// Links of an earlier epoch are refused, in lists and in delta.
    epoch: usize,
    delta_epoch: usize,
}

impl Inbox {
    fn put(&mut self, id: &str, key: &str, received: SystemTime) {
        let mut mail = mail(id, key, key, "");
        mail["receivedDateTime"] = rfc3339::to_text(received).into();
        self.events.push((id.into(), Some(mail)));
    }

    fn messages(&self) -> BTreeMap<&str, &Value> {
        let mut last: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
        for (id, mail) in &self.events {
            last.insert(id, mail.as_ref());
        }
        last.into_iter().filter_map(|(id, mail)| Some((id, mail?))).collect()
    }

    /// A list of a range, the newest first.
    fn list(&self, path: &str, query: &str) -> Answer {
        let query = query.replace("%20", " ").replace("%24", "$");
        let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let epoch = value("$epoch").map_or(self.epoch, |text| text.parse().unwrap());
        if epoch != self.epoch {
            return says(410, r#"{"error":{"code":"SyncStateNotFound"}}"#);
        }
        let bound = |op: &str| value("$filter").and_then(|text| text.split(" and ").find_map(|one| rfc3339::from_text(one.strip_prefix("receivedDateTime ")?.strip_prefix(op)?.trim())));
        let received = |mail: &Value| rfc3339::from_text(mail["receivedDateTime"].as_str().unwrap()).unwrap();
        let messages = self.messages();
        let mut found: Vec<&&Value> = messages.values().filter(|mail| bound("ge").is_none_or(|at| received(mail) >= at) && bound("lt").is_none_or(|at| received(mail) < at)).collect();
        found.sort_by_key(|mail| (std::cmp::Reverse(received(mail)), mail["id"].as_str().unwrap().to_owned()));
        let skip: usize = value("$skip").map_or(0, |text| text.parse().unwrap());
        let mut answer = json!({ "value": found.iter().skip(skip).take(PAGE).collect::<Vec<_>>() });
        if skip + PAGE < found.len() {
            let filter = value("$filter").map(|text| format!("&$filter={}", text.replace(' ', "%20"))).unwrap_or_default();
            answer["@odata.nextLink"] = format!("https://graph.microsoft.com{path}?$orderby=receivedDateTime%20desc{filter}&$epoch={epoch}&$skip={}", skip + PAGE).into();
        }
        says(200, answer.to_string())
    }

    fn delta(&self, path: &str, query: &str) -> Answer {
        let token = query.split_once("token=").map(|(_, rest)| rest.split('&').next().unwrap().split_once('.').unwrap());
        let (from, epoch): (usize, usize) = token.map_or((0, self.delta_epoch), |(from, epoch)| (from.parse().unwrap(), epoch.parse().unwrap()));
        if epoch != self.delta_epoch {
            return says(410, r#"{"error":{"code":"syncStateNotFound"}}"#);
        }
        let to = self.events.len().min(from + PAGE);
        let is_last = |n: &usize| self.events[n + 1..].iter().all(|(id, _)| *id != self.events[*n].0);
        let item = |(id, mail): &(String, Option<Value>)| mail.clone().unwrap_or_else(|| json!({ "id": id, "@removed": { "reason": "deleted" } }));
        let items: Vec<Value> = (from..to).filter(is_last).map(|n| item(&self.events[n])).collect();
        let (link, token) = if to < self.events.len() { ("@odata.nextLink", "$skiptoken") } else { ("@odata.deltaLink", "$deltatoken") };
        says(200, json!({ "value": items, link: format!("https://graph.microsoft.com{path}?{token}={to}.{epoch}") }).to_string())
    }

    fn answer(&self, request: &Seen) -> Answer {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        match path {
            "/v1.0/me/mailFolders/delta" => says(200, json!({ "value": [], "@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$deltatoken=f" }).to_string()),
            "/v1.0/me/mailFolders/in/messages/delta" => self.delta(path, query),
            "/v1.0/me/mailFolders/in/messages" => self.list(path, query),
            "/v1.0/$batch" => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let answers = body["requests"].as_array().unwrap().iter().map(|item| {
                    let id = item["url"].as_str().unwrap().trim_start_matches("/me/messages/").split(['?', '/']).next().unwrap();
                    match self.messages().get(id) {
                        Some(mail) => json!({ "id": item["id"], "status": 200, "body": mail }),
                        None => json!({ "id": item["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
                    }
                });
                says(200, json!({ "responses": answers.collect::<Vec<_>>() }).to_string())
            }
            other => panic!("nobody here answers {other}"),
        }
    }
}

struct World {
    fixture: Fixture,
    inbox: Arc<Mutex<Inbox>>,
    clock: TestClock,
    seed: u64,
    drawn: u64,
    /// Messages put so far.
    put: u32,
    kills: u32,
    /// What the host asked for last, and how far it had come.
    wanted: Option<(BackfillRange, SystemTime)>,
    done: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let (answering, clock) = (inbox.clone(), crate::pipeline::fake::clock());
        let fixture = fixture_with(clock.clone(), Content::Sealed, 1_000, move |request| answering.lock().unwrap().answer(request));
        let mut world = Self { fixture, inbox, clock, seed, drawn: 0, put: 0, kills: 0, wanted: None, done: 0 };
        for _ in 0..world.below(30) {
            let days = [1, 10, 29, 31, 80, 100, 300, 400, 3_000][usize::try_from(world.below(9)).unwrap()];
            world.arrive(days);
        }
        world
    }

    fn below(&mut self, bound: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.drawn).hash(&mut hasher);
        self.drawn += 1;
        hasher.finish() % bound
    }

    /// Several come in the same second now and then.
    fn arrive(&mut self, days_ago: u64) {
        let second = START_MS / 1000 - days_ago * DAY + self.below(2);
        let id = format!("m{}", self.put);
        self.put += 1;
        self.inbox.lock().unwrap().put(&id, "1", UNIX_EPOCH + Duration::from_secs(second));
    }

    fn any(&mut self) -> Option<String> {
        let ids: Vec<String> = self.inbox.lock().unwrap().messages().keys().map(|id| (*id).to_owned()).collect();
        (!ids.is_empty()).then(|| ids[usize::try_from(self.below(ids.len() as u64)).unwrap()].clone())
    }

    fn happens(&mut self) {
        match self.below(5) {
            0 => self.arrive(0),
            1 => {
                if let Some(id) = self.any() {
                    self.inbox.lock().unwrap().events.push((id, None));
                }
            }
            2 => {
                if let Some(id) = self.any() {
                    let mut mail = self.inbox.lock().unwrap().messages()[id.as_str()].clone();
                    mail["isRead"] = true.into();
                    mail["changeKey"] = format!("{}+", mail["changeKey"].as_str().unwrap()).into();
                    self.inbox.lock().unwrap().events.push((id, Some(mail)));
                }
            }
            3 => self.inbox.lock().unwrap().delta_epoch += 1,
            _ => self.inbox.lock().unwrap().epoch += 1,
        }
    }

    fn backfills(&self) -> Arc<Backfills> {
        Backfills::new(Sync::new(self.fixture.reader.clone(), EventBus::new(), PAGE as u32, vec![]))
    }

    /// Of a host, at any time.
    async fn asks(&mut self) {
        let backfills = self.backfills();
        match self.below(6) {
            0 | 1 => {
                let range = RANGES[usize::try_from(self.below(5)).unwrap()];
                let begun = backfills.begin(&self.fixture.account, range).await.unwrap();
                (self.wanted, self.done) = (Some((range, begun.since.unwrap_or(UNIX_EPOCH))), 0);
            }
            2 => self.wishes(&backfills, BackfillWish::Pause).await,
            3 => self.wishes(&backfills, BackfillWish::Run).await,
            4 => self.wishes(&backfills, BackfillWish::Cancel).await,
            _ => {}
        }
        self.watch(&backfills).await;
    }

    async fn wishes(&self, backfills: &Backfills, wish: BackfillWish) {
        let answer = backfills.wish("a", wish).await;
        assert_eq!(answer.is_ok(), self.wanted.is_some(), "{wish:?}");
    }

    /// Progress never goes back.
    async fn watch(&mut self, backfills: &Backfills) {
        if let Some(now) = backfills.status("a").await.unwrap() {
            assert!(now.done >= self.done && now.total >= now.done, "seed {}: {now:?} after {}", self.seed, self.done);
            self.done = now.done;
        }
    }

    /// A process works on what is due until nothing is, or until it is killed.
    async fn works(&mut self, killed_at: Option<(&str, usize)>) {
        let armed = killed_at.map(|(point, passing)| Armed::at(point, passing));
        let backfills = self.backfills();
        let mut running = tokio::spawn(backfills.clone().run(self.fixture.runtime.stop()));
        let idle = async {
            loop {
                backfills.until_nothing_is_due(&self.fixture.runtime.stop()).await;
                // Taken between the two looks.
                tokio::task::yield_now().await;
                if backfills.next_due().await.unwrap().is_none_or(|at| at > crate::clock::to_ms(crate::clock::Clock::now(&self.clock))) && backfills.is_idle() {
                    return;
                }
            }
        };
        let reached = async {
            match &armed {
                Some(armed) => armed.reached().await,
                None => std::future::pending().await,
            }
        };
        let was_killed = tokio::select! {
            () = reached => true,
            () = idle => false,
            _ = &mut running => panic!("it ended by itself"),
        };
        self.kills += u32::from(was_killed);
        // What the host does while it is held there.
        if was_killed && self.below(2) == 0 {
            self.asks().await;
        }
        running.abort();
        let _ = running.await;
        drop(armed);
        // Its leases are over.
        self.clock.advance(3_600_000);
        let backfills = self.backfills();
        self.watch(&backfills).await;
    }

    async fn check(&mut self) {
        let backfills = self.backfills();
        if self.wanted.is_none() {
            let begun = backfills.begin(&self.fixture.account, BackfillRange::NinetyDays).await.unwrap();
            (self.wanted, self.done) = (Some((BackfillRange::NinetyDays, begun.since.unwrap())), 0);
        }
        backfills.wish("a", BackfillWish::Run).await.unwrap();
        self.works(None).await;
        let ended = backfills.status("a").await.unwrap().unwrap();
        assert!(matches!(ended.state, BackfillState::Done | BackfillState::Cancelled), "seed {}: {ended:?}", self.seed);
        Box::pin(self.fixture.sync()).await.unwrap();
        let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 500, ..MessageWindow::default() };
        let here: BTreeMap<String, String> = self.fixture.store.messages(&window).await.unwrap().rows.into_iter().map(|row| (row.graph_id, row.change_key)).collect();
        let inbox = self.inbox.lock().unwrap().clone();
        let there: BTreeMap<String, (String, SystemTime)> = inbox
            .messages()
            .into_iter()
            .map(|(id, mail)| (id.to_owned(), (mail["changeKey"].as_str().unwrap().to_owned(), rfc3339::from_text(mail["receivedDateTime"].as_str().unwrap()).unwrap())))
            .collect();
        for (id, key) in &here {
            assert_eq!(Some(key), there.get(id).map(|(key, _)| key), "seed {}: {id} is not as the mailbox has it", self.seed);
        }
        let since = ended.since.unwrap_or(UNIX_EPOCH);
        for (id, (_, received)) in there.iter().filter(|(_, (_, received))| *received >= since) {
            assert!(here.contains_key(id), "seed {}: {id} of {received:?} is missing ({ended:?})", self.seed);
        }
        if ended.state == BackfillState::Done {
            assert_eq!((ended.done, self.wanted.map(|(_, since)| since)), (ended.total, Some(since)), "seed {}", self.seed);
        }
        let added: Vec<_> = self.fixture.store.changes(&["a".into()], 0, 10_000).await.unwrap().into_iter().filter(|row| row.kind == ChangeKind::MessageAdded).filter_map(|row| row.subject_id).collect();
        assert_eq!(added.len(), added.iter().collect::<BTreeSet<_>>().len(), "seed {}: a message came twice", self.seed);
    }
}

/// What more of them cost is paid by whoever asks for more.
const RUNS: u64 = 30;

/// A number from the environment.
#[allow(clippy::disallowed_methods)] // a test's own setting
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
async fn any_order_of_wishes_kills_and_mail_ends_with_what_the_mailbox_holds() {
    let first = setting("TIDINGS_BACKFILL_SEED", 0);
    let mut kills = 0;
    for seed in first..first + setting("TIDINGS_BACKFILL_RUNS", RUNS) {
        let mut world = World::new(seed);
        for _ in 0..2 + world.below(6) {
            Box::pin(world.asks()).await;
            for _ in 0..world.below(3) {
                world.happens();
            }
            match world.below(4) {
                0 => drop(Box::pin(world.fixture.sync()).await.unwrap()),
                1 => Box::pin(world.works(None)).await,
                _ => {
                    let at = (POINTS[usize::try_from(world.below(POINTS.len() as u64)).unwrap()], usize::try_from(world.below(3)).unwrap());
                    Box::pin(world.works(Some(at))).await;
                }
            }
        }
        Box::pin(world.check()).await;
        kills += world.kills;
    }
    println!("{kills} processes were killed");
    assert!(kills > 0);
}

#[tokio::test]
async fn a_killed_process_leaves_what_the_next_one_ends() {
    for point in POINTS {
        let mut kills = 0;
        for passing in 0..2 {
            let mut world = World::new(passing);
            (0..12).for_each(|n| world.arrive(n * 5));
            let backfills = world.backfills();
            let begun = backfills.begin(&world.fixture.account, BackfillRange::NinetyDays).await.unwrap();
            world.wanted = Some((BackfillRange::NinetyDays, begun.since.unwrap()));
            // One that is removed before its folder is walked for the delta link.
            Box::pin(world.works(Some(("backfill.divided", 0)))).await;
            Box::pin(world.works(Some(("backfill.stored", 1)))).await;
            let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 1, ..MessageWindow::default() };
            let listed = world.fixture.store.messages(&window).await.unwrap().rows.remove(0).graph_id;
            world.inbox.lock().unwrap().events.push((listed, None));
            let before = world.kills;
            Box::pin(world.works(Some((point, usize::try_from(passing).unwrap())))).await;
            kills += world.kills - before;
            Box::pin(world.check()).await;
        }
        assert!(kills > 0, "{point}: nothing came by");
    }
}
