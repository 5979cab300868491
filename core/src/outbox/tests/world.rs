//! A store with accounts, the Microsoft they are at, and processes that come and go.

use super::chance::Chance;
use super::microsoft::{Microsoft, Troubles};
use super::wire::Wire;
use crate::bot::Connector;
use crate::clock::TestClock;
use crate::config::{Cloud, Endpoints};
use crate::error::Result;
use crate::events::EventBus;
use crate::flows::{Flows, url_place};
use crate::graph::Graph;
use crate::interleave::turns;
use crate::model::{AccountState, Address, BotDraft, ChannelPostDraft, ChatDraft, RouteDraft, Feature, ForwardDraft, MailDraft, ReplyDraft, Receipt, SendRoute, SendState, WorkflowDraft};
use crate::outbox::Outbox;
use crate::pipeline::fake::START_MS;
use crate::pipeline::{AccessToken, Limits, Mailbox, Pipeline, TokenSource};
use crate::runtime::{Runtime, block_on};
use crate::seal::AadContext;
use crate::secret::RootKey;
use crate::store::{Pace, AccountRow, Shorthand, SqliteStore, Store, TokenRow, WorkflowRow, tamper};
use crate::vault::Vault;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// What Microsoft calls the message that replies and forwards are about.
pub const ORIGINAL: &str = "original";

/// The token of an account is its id, by which Microsoft knows whose request it is.
struct Ids;

impl TokenSource for Ids {
    fn token(&self, account_id: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new(account_id))))
    }

    fn bot_token(&self, account_id: String, _: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken>> {
        self.token(account_id, None, None)
    }

    /// `a` and `a~2` are connections of one mailbox.
    fn mailbox(&self, account_id: &str) -> BoxFuture<'static, Arc<Mailbox>> {
        let mailbox = account_id.split('~').next().unwrap();
        Box::pin(std::future::ready(Mailbox::of_account(mailbox)))
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: TestClock,
    pub vault: Vault,
    tokens: Arc<dyn TokenSource>,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

/// A process with an outbox. Dropped, it is killed: what it was about stays as far as it came.
pub struct Process {
    pub outbox: Arc<Outbox>,
    delivering: JoinHandle<()>,
    waiting: Vec<JoinHandle<()>>,
    /// Its requests are made for as long as this lives.
    _lives: Arc<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.delivering.abort();
        self.waiting.iter().for_each(JoinHandle::abort);
    }
}

impl Process {
    /// Somebody waits for it from now on, for an hour.
    pub fn wait_for(&mut self, id: &str) {
        let (outbox, id) = (self.outbox.clone(), id.to_owned());
        self.waiting.push(tokio::spawn(async move { drop(outbox.wait(&id, Duration::from_secs(3_600)).await) }));
    }

    /// From here on it takes calls and sends nothing.
    pub async fn stop_delivering(&self) {
        self.delivering.abort();
        while !self.delivering.is_finished() {
            tokio::task::yield_now().await;
        }
        writes_through(&self.outbox).await;
    }

    /// Until nothing of it runs any more; a write that had begun is through.
    pub async fn kill(mut self) {
        self.delivering.abort();
        let _ = (&mut self.delivering).await;
        let (tools, store) = (Arc::downgrade(&self.outbox.tools), self.outbox.tools.store.clone());
        drop(self);
        while tools.strong_count() > 0 || !store.is_idle() {
            tokio::task::yield_now().await;
        }
    }
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
        let vault = block_on(Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0)).unwrap();
        Self { store, clock: passing(), vault, tokens: Arc::new(Ids), runtime: Runtime::start().unwrap(), folder }
    }

    pub fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    pub fn connect(&self, account_id: &str) {
        let keys = self.vault.new_account_keys(account_id, true, 1).unwrap();
        let handles = block_on(self.vault.adopt(account_id, &keys)).unwrap();
        let place = |table, column| AadContext { table, column, account_id, row: account_id, version: 1 };
        let account = AccountRow {
            tenant_id: "tenant".into(),
            user_id: format!("user of {account_id}"),
            state: AccountState::Connected,
            features: vec![Feature::MailSend, Feature::Chat, Feature::Channels],
            ..AccountRow::new(account_id, "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
        };
        let sealed = handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap();
        let token = TokenRow { account_id: account_id.into(), version: 1, sealed, expires_at: i64::MAX, refreshed_at: 1 };
        block_on(self.store.store_account(&account, Some(&token), &keys, None, 1)).unwrap();
        // The message that replies and forwards are about. Nobody reads what it says.
        let message = format!("INSERT INTO messages (account_id, graph_id, folder_id, version, head, shown_id) SELECT id, '{ORIGINAL}', 'in', 1, profile, '{}' FROM accounts WHERE id = '{account_id}'", original(account_id));
        tamper(&self.folder.path().join("store"), &message);
        self.add_workflow(account_id);
    }

    /// One beside the account, whose posts Microsoft's side keeps with what is that account's.
    fn add_workflow(&self, account_id: &str) {
        let id = workflow(account_id);
        let keys = self.vault.new_account_keys(&id, true, 1).unwrap();
        let handles = block_on(self.vault.adopt(&id, &keys)).unwrap();
        let profile = handles.content.seal(AadContext { table: "accounts", column: "profile", account_id: &id, row: &id, version: 1 }, b"{}").unwrap();
        let url = format!("https://prod-12.logic.azure.com/workflows/{account_id}/triggers/manual/paths/invoke?sig=abcdefghijkl");
        let token = TokenRow { account_id: id.clone(), version: 1, sealed: handles.secrets.seal(url_place(&id, 1), url.as_bytes()).unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
        let row = WorkflowRow { id: id.clone(), owner: "owner".into(), profile, profile_version: 1, added_at: 1 };
        block_on(self.store.add_workflow(&row, &token, &keys, u32::MAX)).unwrap();
    }

    /// What is queued is as if a version had stored it that gave mails their names later.
    pub fn forget_names(&self) {
        tamper(&self.folder.path().join("store"), "UPDATE outbox SET progress = NULL, progress_version = 0 WHERE fence = 0");
    }

    pub fn microsoft(&self, chance: Chance, troubles: Troubles) -> Arc<Microsoft> {
        Microsoft::new(&self.clock, chance, troubles)
    }

    /// A process that has opened the store now.
    pub fn process(&self, microsoft: &Arc<Microsoft>) -> Process {
        let endpoints = || Endpoints::of(&Cloud::Public).unwrap();
        let lives = Arc::new(());
        let pipeline = Arc::new(Pipeline::new(endpoints(), Arc::new(Wire::of(&lives, microsoft)), Arc::new(self.clock.clone()), Limits::default()));
        pipeline.plug_tokens(self.tokens.clone());
        let flows = Flows::new(pipeline.clone());
        let bots = Connector::new(pipeline.clone(), endpoints().bots, "4f2b6f0a-0000-4000-8000-000000000002").with_app(Some("app-of-the-bot"));
        let outbox = Outbox::new(self.store.clone(), self.vault.clone(), Graph::new(pipeline, endpoints()), (flows, Some(bots)), Arc::new(self.clock.clone()), EventBus::new(), Pace::default());
        let delivering = tokio::spawn(outbox.clone().run(self.runtime.stop()));
        Process { outbox, delivering, waiting: Vec::new(), _lives: lives }
    }
}

/// After its delivery was stopped: until a write that had begun is through. A claim that comes later would hold a send that nobody works on.
pub async fn writes_through(outbox: &Outbox) {
    while Arc::strong_count(&outbox.tools) > 1 || !outbox.tools.store.is_idle() {
        tokio::task::yield_now().await;
    }
}

/// Turns that others take while somebody waits for a time, before that time comes, at most.
const BEFORE_TIME_PASSES: u64 = 60;

/// A clock whose pauses are over soon; it still shows how long they were.
fn passing() -> TestClock {
    let clock = TestClock::new(START_MS);
    let ticking = clock.clone();
    tokio::spawn(async move {
        loop {
            ticking.next_wait().await;
            turns(BEFORE_TIME_PASSES).await;
            ticking.advance(ticking.next_wait().await);
        }
    });
    clock
}

/// Waits for it, in real time not for ever.
#[allow(clippy::disallowed_methods)] // real time: it ends a test that hangs
pub async fn in_time<T>(outcome: impl Future<Output = T>, what: impl Fn() -> String) -> T {
    tokio::time::timeout(Duration::from_secs(60), outcome).await.unwrap_or_else(|_| panic!("it does not end: {}", what()))
}

pub fn is_settled(receipt: &Receipt) -> bool {
    !matches!(receipt.state, SendState::Queued | SendState::Sending)
}

/// Id of the workflow beside an account.
pub fn workflow(account_id: &str) -> String {
    format!("wfl_of_{account_id}")
}

/// The team in whose channels bots speak.
pub const TEAM: &str = "02bd9fd6-8f93-4758-87c3-1fb73740a315";

/// The bot of every other of the accounts that [`super::kills`] makes writes into channels, all others to people.
fn speaks_in_channel(account_id: &str) -> bool {
    account_id.contains("_Bot_") && account_id.ends_with(['1', '3', '5', '7', '9'])
}

/// A draft with this text, by which Microsoft's side tells it from others. `to` orders what goes by chat, `order` mails.
pub fn original(account_id: &str) -> String {
    format!("msg_of_{account_id}")
}

pub fn draft(account_id: &str, route: SendRoute, text: &str, order: Option<&str>) -> RouteDraft {
    match route {
        SendRoute::Mail => MailDraft {
            account_id: account_id.into(),
            to: vec![Address { address: "alex@contoso.com".into(), name: String::new() }],
            subject: text.into(),
            ordering_key: order.map(str::to_owned),
            key: Some(text.into()),
            ..MailDraft::default()
        }
        .into(),
        // Of the message that every account of this world has.
        SendRoute::Reply => ReplyDraft {
            account_id: account_id.into(),
            message_id: original(account_id),
            body: text.into(),
            // Those to one message are in order by themselves.
            ordering_key: None,
            key: Some(text.into()),
            ..ReplyDraft::default()
        }
        .into(),
        SendRoute::Forward => ForwardDraft {
            account_id: account_id.into(),
            message_id: original(account_id),
            to: vec![Address { address: "alex@contoso.com".into(), name: String::new() }],
            body: text.into(),
            ordering_key: order.map(str::to_owned),
            key: Some(text.into()),
            ..ForwardDraft::default()
        }
        .into(),
        SendRoute::Chat => {
            let to = format!("{}@contoso.com", order.unwrap_or(text).replace(' ', "."));
            ChatDraft { account_id: account_id.into(), to, body: text.into(), key: Some(text.into()), ..ChatDraft::default() }.into()
        }
        SendRoute::ChannelPost => {
            let channel_id = format!("19:{}@thread.tacv2", order.unwrap_or(text).replace(' ', "."));
            ChannelPostDraft { account_id: account_id.into(), team_id: "team".into(), channel_id, body: text.into(), key: Some(text.into()), ..ChannelPostDraft::default() }.into()
        }
        // Into a channel of a team that has not the bot's app yet.
        SendRoute::Bot if speaks_in_channel(account_id) => {
            let channel_id = format!("19:{}@thread.tacv2", order.unwrap_or(text).replace(' ', "."));
            BotDraft { account_id: account_id.into(), channel_id: Some(channel_id), team_id: Some(TEAM.into()), body: text.into(), key: Some(text.into()), ..BotDraft::default() }.into()
        }
        // To somebody whom nobody has to look up.
        SendRoute::Bot => {
            let to = format!("29:{}", order.unwrap_or(text).replace(' ', "."));
            BotDraft { account_id: account_id.into(), to, body: text.into(), key: Some(text.into()), ..BotDraft::default() }.into()
        }
        // Posts to one workflow are in order by themselves.
        SendRoute::Workflow => WorkflowDraft { workflow_id: workflow(account_id), text: Some(text.into()), key: Some(text.into()), ..WorkflowDraft::default() }.into(),
    }
}
