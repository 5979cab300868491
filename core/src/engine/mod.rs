//! What hosts call: one short method per verb. What a verb promises is written at the method; how it is kept, in the modules below.

mod accounts;
mod app_package;
mod apps;
mod attachment;
mod attachment_content;
mod backfill;
mod background;
mod connect;
mod bots;
mod calendar;
mod chats;
mod contacts;
mod content;
mod device;
mod endpoints;
mod edits;
mod events;
mod fan_out;
mod feed;
mod images;
mod health;
mod inbound;
mod retention;
mod open;
mod places;
mod raw;
mod raw_response;
mod scope;
mod search;
mod shared_mailboxes;
mod sender;
mod sent;
mod signature;
mod sign_in;
mod submit;
mod sync;
mod throttles;
mod usable;
mod verify;
mod workflows;

#[cfg(all(test, unix))]
mod audit_tests;
#[cfg(all(test, unix))]
mod cache_tests;
#[cfg(all(test, unix))]
mod erasure_tests;
#[cfg(all(test, unix))]
mod hostile_tests;
#[cfg(all(test, unix))]
mod owner_tests;
#[cfg(all(test, unix))]
mod raw_tests;
#[cfg(all(test, unix))]
mod rotation_tests;
#[cfg(all(test, unix))]
mod throttles_tests;
#[cfg(all(test, unix))]
mod waiting_tests;

pub use attachment::AttachmentWriter;
pub use attachment_content::AttachmentContent;
pub use device::DeviceSignIn;
pub use events::EventStream;
pub use feed::ChangeStream;
pub use raw::RawPages;
pub use raw_response::RawResponse;
pub use sign_in::LoopbackSignIn;

use crate::auth::Auth;
use crate::bots::Bots;
use crate::clock::{Clock, TestClock, to_ms};
use crate::config::Config;
use crate::calendar::Calendar;
use crate::chats::Chats;
use sync::Looks;
use crate::contacts::Contacts;
use crate::error::{Error, Result};
use crate::events::EventBus;
use crate::retention::Retention;
use crate::metrics::Meters;
use crate::notify::Notify;
use crate::model::*;
use crate::outbox::{DISCONNECTED, Outbox};
use crate::pipeline::Pipeline;
use crate::runtime::{Runtime, Stop};
use crate::secret::RootKey;
use crate::store::{AccountRow, Store};
use crate::sync::{AttachmentCache, Backfills, Edits, Reader, Sync, check_limit};
use crate::vault::Vault;
use crate::workflows::Workflows;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// How long shutdown waits for what is under way; what is not done by then is taken up at the next open.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Conversations of one page; of each some 50 mails are looked at.
const MOST_THREADS: u32 = 200;

/// One engine per process and store is enough; all methods may be called at the same time from any thread.
/// Durable steps run to their end even when the caller stops waiting.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    vault: Vault,
    auth: Arc<Auth>,
    outbox: Arc<Outbox>,
    sync: Arc<Sync>,
    edits: Arc<Edits>,
    backfills: Arc<Backfills>,
    reader: Reader,
    cache: AttachmentCache,
    contacts: Contacts,
    calendar: Calendar,
    chats: Chats,
    retention: Retention,
    workflows: Workflows,
    bots: Bots,
    notify: Arc<Notify>,
    event_bus: EventBus,
    /// Bumped whenever the change feed may have grown.
    news: watch::Sender<u64>,
    send_timeout: Duration,
    meters: Meters,
    pipeline: Arc<Pipeline>,
    /// Mailboxes are looked at by itself.
    is_started: AtomicBool,
}

impl Engine {
    /// Opens or makes the store, and takes up sends left by an earlier process, unless the store was copied or restored (see `on_copied_store`). A store that was
    /// not closed properly is checked first. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy.
    pub fn open(config: Config, root_key: Arc<RootKey>) -> Result<Self> {
        open::open(config, root_key, None).map(|inner| Self { inner })
    }

    /// `open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback.
    pub fn open_with_clock(config: Config, root_key: Arc<RootKey>, clock: Arc<TestClock>) -> Result<Self> {
        open::open(config, root_key, Some(clock)).map(|inner| Self { inner })
    }

    /// Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end.
    pub async fn shutdown(&self) {
        if self.inner.runtime.is_forked() {
            return;
        }
        self.inner.event_bus.close();
        let (store, pipeline, clock) = (self.inner.store.clone(), self.inner.pipeline.clone(), self.inner.clock.clone());
        self.inner.runtime.shutdown(SHUTDOWN, async move { throttles::keep_now(&*store, &pipeline, &*clock, true).await }).await;
        self.inner.store.close();
        tracing::info!(target: "tidings::engine", "closed");
    }

    /// Runs to its end also when the caller stops waiting.
    fn finish<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.inner.runtime.finish(work(self.inner.clone()))
    }

    /// Ends at the next safe edge when the caller stops waiting.
    fn guard<T, F>(&self, work: impl FnOnce(Arc<Inner>, Stop) -> F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.inner.runtime.guard(|stop| work(self.inner.clone(), stop))
    }

    /// Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput, Conflict (the owner was deleted).
    /// Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636.
    pub async fn connect(&self, request: ConnectRequest) -> Result<SignIn> {
        self.finish(|inner| async move { inner.begin(request).await }).await
    }

    /// Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
    /// Also takes the callback of an `Approval`. Errors: InvalidInput, Conflict (already used, or another person than the account's), Cancelled (declined or
    /// expired), ConsentMissing (an administrator must approve first: `account_id` names the stored account, for `approval`), Forbidden (a policy, a wrong
    /// registration, a guest who would connect an organisation, nobody who may approve for it), LimitExceeded (20 accounts of the owner wait already), TokenRejected (it failed its checks, or Microsoft does not take its code any more: start again), Network (the same callback can be
    /// brought again).
    pub async fn finish_connect(&self, callback_url: String, binding: String) -> Result<Account> {
        self.finish(|inner| async move { inner.finish_sign_in(&callback_url, &binding).await }).await
    }

    /// Starts a sign-in whose callback is received on a loopback port of this machine. Errors: as `connect`.
    pub async fn connect_here(&self, request: ConnectRequest) -> Result<Arc<LoopbackSignIn>> {
        let (sign_in, receiver) = self
            .finish(|inner| async move {
                inner.retention.check_not_deleted(&request.owner).await?;
                inner.auth.begin_here(request).await
            })
            .await?;
        Ok(Arc::new(LoopbackSignIn::new(self.inner.clone(), sign_in, receiver)))
    }

    /// A page of the accounts, in the order in which they were connected first. Errors: InvalidInput (limit, or the cursor is another list's).
    pub async fn accounts(&self, filter: AccountFilter) -> Result<AccountPage> {
        self.finish(|inner| async move { inner.auth.accounts(filter).await }).await
    }

    /// With an `owner`, here and in all calls that take one, the account or message of another owner is NotFound. Errors: NotFound.
    pub async fn account(&self, account_id: String, owner: Option<String>) -> Result<Account> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.auth.account(&account_id).await
        })
        .await
    }

    /// Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Its subscription is deleted at Microsoft first, if that can be
    /// reached within five seconds; else it expires, and what is posted until then is dropped. Shared mailboxes that are opened through it are disconnected with it. Synced mail is kept. Errors: NotFound.
    pub async fn disconnect(&self, account_id: String, owner: Option<String>) -> Result<Account> {
        self.finish(|inner| async move { inner.disconnect(account_id, owner).await }).await
    }

    /// Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
    /// Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing (also of a `from_address` that is not the account's own),
    /// Conflict. After that the receipt tells: without a right in Exchange to the `from_address` it is `failed`.
    pub async fn send(&self, draft: Draft) -> Result<Receipt> {
        if draft.is_scheduled() {
            return self.enqueue(draft).await;
        }
        let stored = self.store(draft, false).await?;
        let id = stored.id.clone();
        let outcome = self.guard(|inner, stop| async move {
            tokio::select! {
                outcome = inner.outbox.wait(&id, inner.send_timeout) => outcome,
                () = stop.wait() => inner.outbox.receipt(&id, None).await,
            }
        });
        // It is stored and goes out, now or at the next open. An error here would say that nothing was accepted, and the message be sent again.
        Ok(outcome.await.unwrap_or(stored))
    }

    /// Stores the draft and answers at once; delivery goes on in the background, after what `send` waits for. Errors: as `send` before storing.
    pub async fn enqueue(&self, draft: Draft) -> Result<Receipt> {
        self.store(draft, true).await
    }

    /// `enqueue` for 1 to 1000 drafts in one transaction: all of them are stored, or none. Receipts come in the order of the drafts; one whose idempotency
    /// key is known gives the receipt there is. Together they may hold 64 MB. Errors: as `send` before storing; what is wrong with a draft says which.
    pub async fn enqueue_all(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        self.finish(|inner| async move { inner.enqueue_all(drafts).await }).await
    }

    async fn store(&self, draft: Draft, is_bulk: bool) -> Result<Receipt> {
        self.finish(|inner| async move { inner.enqueue(draft, is_bulk).await }).await
    }

    /// What became of a draft. With `owner`, a send of another owner is NotFound. Errors: NotFound.
    pub async fn receipt(&self, receipt_id: String, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move { inner.outbox.receipt(&receipt_id, owner).await }).await
    }

    /// Sends of an owner or an account, newest first; of what went to endpoints the parts, which name their whole. Errors: InvalidInput when neither is named.
    pub async fn outbox(&self, filter: OutboxFilter) -> Result<Vec<Receipt>> {
        self.finish(|inner| async move { inner.outbox.receipts(filter).await }).await
    }

    /// Replaces what a send says that has not left: the draft is whole, what it leaves out is gone, with its time, deadline and order. The send keeps its
    /// receipt, its account, its kind and its idempotency key, which then stands for the new content. With `owner`, a send of another owner is NotFound.
    /// Errors: as `send` before storing; NotFound; Conflict when it has left, is being sent, or something of it may lie at Microsoft already, as a draft or a file.
    pub async fn edit(&self, receipt_id: String, draft: Draft, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move { inner.edit(&receipt_id, draft, owner).await }).await
    }

    /// Takes a send back that is provably unsent, and its draft out of the mailbox if one was made. What is cancelled already stays so. A parked send ends
    /// as `unknown`: it does not leave from here, and the original of the store may have sent it. With `owner`, a send of another owner is NotFound.
    /// Errors: NotFound, Conflict when it was sent, is being sent, may have been sent, or failed.
    pub async fn cancel(&self, receipt_id: String, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move { inner.outbox.cancel(&receipt_id, owner).await }).await
    }

    /// Sends a failed one again, without its deadline; the receipt is `queued`, and delivery goes on in the background. With `even_if_unknown` also one that
    /// may have been sent: a mail is looked for once more first, a chat message is posted again. A parked send is let go by that as well. With `owner`, a
    /// send of another owner is NotFound. Errors: NotFound, Conflict when it is not failed, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy.
    pub async fn retry(&self, receipt_id: String, even_if_unknown: bool, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move { inner.retry(&receipt_id, even_if_unknown, owner).await }).await
    }

    /// Brings the account's folders up to date, its contacts, its calendar and its chats (for `chat`, if `Chat.Read` was granted: Microsoft allows them to be asked for once a day). Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
    /// While a back-fill of the account is not done, folders that it has not come to the end of bring what is new in them. Calls that come while a sync of the account runs
    /// share the one after it.
    /// Source: Graph, message: delta. Errors: NotFound (of another owner), NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected.
    pub async fn sync(&self, account_id: String, owner: Option<String>) -> Result<SyncReport> {
        self.guard(|inner, stop| async move {
            if owner.is_some() {
                inner.owned(&account_id, owner.as_deref()).await?;
            }
            inner.sync_one(&account_id, Looks::Asked, stop).await
        })
        .await
    }

    /// `sync` for all accounts of an owner, or of everybody when none is named, that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read: several at a time, in any order. Outcomes
    /// come in the order of `accounts`; the failure of one stops no other. A cancelled call stops each sync after a page. Errors: InvalidInput (the owner).
    pub async fn sync_all(&self, owner: Option<String>) -> Result<Vec<SyncOutcome>> {
        self.guard(|inner, stop| async move { inner.sync_all(owner, stop).await }).await
    }

    /// Chooses the folders that are synced from the next sync on, by well-known name, id or, once they are known, display name, or `["all"]` for every folder, those to come as well; an empty
    /// list: those of the configuration. Mail of a folder that is no longer chosen is kept as it is. Touches no network.
    /// Errors: InvalidInput, LimitExceeded (more than 1,000), NotFound.
    pub async fn choose_folders(&self, account_id: String, folders: Vec<String>, owner: Option<String>) -> Result<Account> {
        self.finish(|inner| async move { inner.choose_folders(account_id, folders, owner).await }).await
    }

    /// Folders known from the last sync. Errors: NotFound.
    pub async fn folders(&self, account_id: String, owner: Option<String>) -> Result<Vec<Folder>> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.reader.folders(account_id).await
        })
        .await
    }

    /// What of the mailbox is set aside because it could not be read or told, oldest first, 1,000 at the most. Each is asked for again by the syncs to come,
    /// with growing pauses, and leaves this list when it can be read or is gone. Touches no network. Errors: NotFound.
    pub async fn quarantined(&self, account_id: String, owner: Option<String>) -> Result<Vec<QuarantinedItem>> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.reader.quarantined(account_id).await
        })
        .await
    }

    /// Of all accounts of an owner, or of one account. The first list that asks for an `address`, or after an update for
    /// `has_attachments`, looks through all mail that is here, some seconds for 100,000. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
    /// NotFound.
    pub async fn messages(&self, query: MessageQuery) -> Result<MessagePage> {
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.reader.messages(scope, query).await
        })
        .await
    }

    /// Conversations of all accounts of an owner or of one account, each once, with its newest mail; two accounts in the same conversation are two threads. Pages hold
    /// still while mail arrives: what came since the first page was asked for shows at the top of the next walk, and moves nothing in this one. Errors: as `messages`.
    pub async fn threads(&self, query: ThreadQuery) -> Result<ThreadPage> {
        self.finish(|inner| async move {
            if !(1..=MOST_THREADS).contains(&query.limit) {
                return Err(Error::invalid("limit must be from 1 to 200."));
            }
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.reader.threads(scope, query).await
        })
        .await
    }

    /// Errors: NotFound.
    pub async fn message(&self, message_id: String, owner: Option<String>) -> Result<Message> {
        self.finish(|inner| async move { inner.reader.message(message_id, owner).await }).await
    }

    /// The content as it came and both forms, or with `form` only that one made of it: making text or safe HTML of a long mail takes milliseconds. Touches no network, unless
    /// pictures are asked for as data. Errors: NotFound; for pictures as data those of `attachment`.
    pub async fn body(&self, message_id: String, owner: Option<String>, form: Option<BodyForm>, options: Option<BodyOptions>) -> Result<MessageBody> {
        self.guard(|inner, stop| async move { stop.until(inner.shown_body(message_id, owner, form, options.unwrap_or_default())).await }).await
    }

    /// The conversation a message belongs to, in its account. Errors: NotFound.
    pub async fn thread(&self, message_id: String, owner: Option<String>) -> Result<MailThread> {
        self.finish(|inner| async move { inner.reader.thread(message_id, owner).await }).await
    }

    /// Live events from now on: of all accounts of an owner, or of everybody when none is named.
    pub fn events(&self, owner: Option<String>) -> Arc<EventStream> {
        Arc::new(EventStream::new(self.inner.clone(), owner))
    }

    /// The change feed of all accounts of an owner, or of one account. What is wrong with the query is told by the stream: InvalidInput, NotFound,
    /// CursorExpired (it is older than what is kept: `keep_changes_days`).
    pub fn changes(&self, query: ChangeQuery) -> Arc<ChangeStream> {
        Arc::new(ChangeStream::new(self.inner.clone(), query))
    }
}

impl Inner {
    async fn begin(&self, request: ConnectRequest) -> Result<SignIn> {
        self.retention.check_not_deleted(&request.owner).await?;
        self.auth.begin(request).await
    }

    /// A sign-in that was refused is recorded.
    async fn finish_sign_in(&self, callback_url: &str, binding: &str) -> Result<Account> {
        let outcome = self.auth.finish(callback_url, binding).await;
        self.noted(outcome).await
    }

    async fn noted(&self, outcome: Result<Account>) -> Result<Account> {
        if let Err(error) = &outcome {
            self.retention.sign_in_refused(error).await;
        }
        told(&outcome);
        // A refusal can leave an account as well, one that waits for an administrator.
        self.account_changed();
        outcome
    }

    async fn disconnect(&self, account_id: String, owner: Option<String>) -> Result<Account> {
        let row = self.owned(&account_id, owner.as_deref()).await?;
        self.notify.end(&self.with_opened(&row.id).await).await;
        self.store.disconnect_account(&row.id, DISCONNECTED, to_ms(self.clock.now())).await?;
        // Listed anew: something may have been added meanwhile.
        for id in &self.with_opened(&row.id).await {
            self.vault.forget(id);
            self.auth.forget(id);
            tracing::info!(target: "tidings::engine", account = id, "disconnected");
            self.event_bus.publish(Event::AccountChanged { account_id: id.clone(), state: AccountState::Disconnected });
        }
        self.account_changed();
        self.auth.account(&row.id).await
    }

    /// An account and what is opened through it; that this cannot be listed now must not stop what ends them.
    pub(super) async fn with_opened(&self, account_id: &str) -> Vec<String> {
        let opened = self.auth.opened_through(account_id).await.unwrap_or_default();
        std::iter::once(account_id.to_owned()).chain(opened).collect()
    }

    fn account_changed(&self) {
        self.outbox.nudge();
        self.edits.wake();
        self.notify.nudge();
        self.news.send_modify(|n| *n = n.wrapping_add(1));
    }

    async fn row(&self, account_id: &str) -> Result<AccountRow> {
        self.store.account(account_id).await?.ok_or_else(scope::no_account)
    }
}

/// A line in the log about how a sign-in ended, however it was begun.
fn told(outcome: &Result<Account>) {
    match outcome {
        Ok(account) => tracing::info!(target: "tidings::auth", account = account.id, state = ?account.state, "sign-in finished"),
        Err(error) => {
            tracing::warn!(target: "tidings::auth", account = error.account_id(), kind = ?error.kind(), request_id = error.request_id(), "sign-in refused");
        }
    }
}
