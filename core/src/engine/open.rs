//! Puts the engine together.

use super::{Inner, throttles};
use crate::auth::{Auth, AuthConfig};
use crate::bot::Connector;
use crate::bots::Bots;
use crate::clock::{Clock, SystemClock, TestClock, to_ms};
use crate::chats::Chats;
use crate::calendar::{Calendar, CalendarDays};
use crate::contacts::Contacts;
use crate::config::{Config, Content, CopiedStore, Endpoints};
use crate::error::{Error, Result};
use crate::events::EventBus;
use crate::flows::Flows;
use crate::graph::Graph;
use crate::notify::{Notify, Parts};
use crate::retention::{KeepUp, KeptFor, Retention};
use crate::outbox::Outbox;
use crate::pipeline::{Limits, Pipeline, ReqwestTransport};
use crate::runtime::Runtime;
use crate::secret::RootKey;
use crate::store::{Copied, Pace, SqliteStore, Store};
use crate::sync::{AttachmentCache, Backfills, Edits, Reader, Sync};
use crate::trust::{BotTrust, Trust};
use crate::vault::Vault;
use crate::workflows::Workflows;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// How long one process waits for another's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// A store holds tokens of one cloud; opened with another, it would hand them to strangers. Loopback clouds differ by port at every start of a test.
async fn same_cloud(store: &dyn Store, endpoints: &Endpoints) -> Result<()> {
    let cloud = if endpoints.loopback {
        "loopback".to_owned()
    } else {
        format!("{} {}", endpoints.login.origin().ascii_serialization(), endpoints.graph.origin().ascii_serialization())
    };
    if store.meta_or_insert("cloud", cloud.as_bytes()).await? == cloud.as_bytes() {
        return Ok(());
    }
    Err(Error::invalid("This store was made with another cloud, whose tokens must not be sent to this one. Open it with the cloud it was made with, or name another data_dir."))
}

/// What was chosen when the store was made stays. Looked at before the cloud is written, so that a store with a cloud and no choice is an older one,
/// which sealed everything.
async fn same_content(store: &dyn Store, content: Content) -> Result<()> {
    let word = |content| match content {
        Content::Sealed => "sealed",
        Content::Clear => "clear",
    };
    let chosen = if store.meta("content").await?.is_none() && store.meta("cloud").await?.is_some() { Content::Sealed } else { content };
    let made_with = store.meta_or_insert("content", word(chosen).as_bytes()).await?;
    if made_with == word(content).as_bytes() {
        return Ok(());
    }
    let made_with = if content == Content::Clear { "sealed" } else { "clear" };
    Err(Error::invalid(format!("This store was made with content {made_with}, and that is chosen once. Open it with content {made_with}, or name another data_dir.")))
}

fn tell_of_copy(Copied { is_new, parked, released }: Copied) {
    if parked > 0 {
        tracing::warn!(target: "tidings::engine", parked, "sends that were open when the store was copied or restored wait for on_copied_store = go");
    } else if released > 0 {
        tracing::warn!(target: "tidings::engine", released, "sends that were open when the store was copied or restored go out now, as on_copied_store says");
    } else if is_new {
        tracing::info!(target: "tidings::engine", "the store was copied or restored; nothing was waiting to be sent");
    }
}

pub fn open(config: Config, root_key: Arc<RootKey>, test_clock: Option<Arc<TestClock>>) -> Result<Arc<Inner>> {
    let endpoints = config.check()?;
    if test_clock.is_some() && !endpoints.loopback {
        return Err(Error::invalid("A test clock is for Cloud.Custom on loopback addresses only; Microsoft's clock cannot be moved."));
    }
    let clock: Arc<dyn Clock> = match test_clock {
        Some(clock) => Arc::new((*clock).clone()),
        None => Arc::new(SystemClock::new()),
    };
    let transport = Arc::new(ReqwestTransport::new(&config)?);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Path::new(&config.data_dir), BUSY)?);
    let runtime = Runtime::start()?;
    let (vault, copied) = {
        let (store, endpoints, clock) = (store.clone(), endpoints.clone(), clock.clone());
        let (content, go) = (config.content, config.on_copied_store == CopiedStore::Go);
        runtime.wait(async move {
            let vault = Vault::open(store.clone(), root_key, to_ms(clock.now())).await?;
            same_content(&*store, content).await?;
            same_cloud(&*store, &endpoints).await?;
            Ok((vault, store.settle_copy(go, to_ms(clock.now())).await?))
        })?
    };
    let event_bus = EventBus::new();
    let news = watch::Sender::new(0);

    let limits = Limits { per_tenant: config.max_tenant_requests, per_process: config.max_requests, ..Limits::default() };
    let pipeline = Arc::new(Pipeline::new(endpoints.clone(), transport, clock.clone(), limits));
    let auth = Auth::new(store.clone(), vault.clone(), pipeline.clone(), clock.clone(), event_bus.clone(), AuthConfig::of(&config, &endpoints));
    pipeline.plug_tokens(auth.clone());
    {
        let (store, pipeline, clock) = (store.clone(), pipeline.clone(), clock.clone());
        runtime.wait(async move { throttles::resume(&*store, &pipeline, &*clock).await })?;
    }
    let meters = pipeline.meters().clone();
    meters.sends_parked.add(copied.parked);
    tell_of_copy(copied);
    let trust = Trust::new(pipeline.clone(), &endpoints, clock.clone());
    let bot_places = endpoints.bots.clone();
    let graph = Graph::new(pipeline.clone(), endpoints);
    let flows = Flows::new(pipeline.clone());
    let bot_trust = Arc::new(BotTrust::new(pipeline.clone(), &bot_places, clock.clone()));
    let connector = config.bot_app.as_ref().map(|name| {
        let client_id = config.apps.iter().find(|app| app.name == *name).map_or(&config.client_id, |app| &app.client_id);
        Connector::new(pipeline.clone(), bot_places, client_id).with_app(config.bot_external_id.as_deref())
    });
    let bots = Bots { store: store.clone(), vault: vault.clone(), connector: connector.clone(), trust: bot_trust, clock: clock.clone(), meters: meters.clone(), news: news.clone() };
    let workflows = Workflows { store: store.clone(), vault: vault.clone(), flows: flows.clone(), clock: clock.clone(), event_bus: event_bus.clone() };
    let pace = Pace { mails_per_minute: config.mails_per_minute, recipients_per_day: config.recipients_per_day };
    let outbox = Outbox::new(store.clone(), vault.clone(), graph.clone(), (flows, connector), clock.clone(), event_bus.clone(), pace);
    let contacts = Contacts { store: store.clone(), vault: vault.clone(), graph: graph.clone(), clock: clock.clone(), news: news.clone() };
    let days = CalendarDays { before: config.calendar_days_before, after: config.calendar_days_after };
    let calendar = Calendar { store: store.clone(), vault: vault.clone(), graph: graph.clone(), clock: clock.clone(), news: news.clone(), days };
    let chats = Chats { store: store.clone(), vault: vault.clone(), graph: graph.clone(), clock: clock.clone(), news: news.clone() };
    let parts = Parts {
        store: store.clone(),
        vault: vault.clone(),
        graph: graph.clone(),
        clock: clock.clone(),
        notification_url: config.notification_url.clone(),
        is_usable: super::usable::may_be_watched,
        with_content: config.encrypted_notifications,
        trust,
        client_ids: config.apps.iter().map(|app| (app.name.clone(), app.client_id.clone())).chain([("default".to_owned(), config.client_id.clone())]).collect(),
    };
    let notify = Notify::new(parts)?;
    let reader = Reader { store: store.clone(), vault: vault.clone(), graph, clock: clock.clone(), news: news.clone(), content: config.content };
    let edits = Edits::new(reader.clone(), event_bus.clone());
    let sync = Sync::new(reader.clone(), event_bus.clone(), config.page_size, config.folders);
    let backfills = Backfills::new(sync.clone());

    let (memory, waiting) = (auth.clone(), outbox.clone());
    let forget = Arc::new(move |account_id: &str| {
        memory.forget(account_id);
        // Whoever waits for a send of this account learns that it was cancelled.
        waiting.nudge();
    });
    let (keys, tokens) = (vault.clone(), auth.clone());
    let keep_up: KeepUp = Arc::new(move |now| {
        tokens.forget_idle(now);
        let keys = keys.clone();
        Box::pin(async move { keys.keep_up().await })
    });
    let cached = u64::from(config.attachment_cache_mb) << 20;
    let cache = AttachmentCache::new(store.clone(), vault.clone(), clock.clone(), cached);
    let kept_for = KeptFor { changes_days: config.keep_changes_days, sends_days: config.keep_sends_days, cached };
    let clocks = pipeline.clone();
    let is_time_known = Arc::new(move || clocks.confirms_time());
    let retention = Retention { kept_for, is_time_known, store: store.clone(), audit_signer: vault.audit_signer().clone(), clock: clock.clone(), event_bus: event_bus.clone(), forget, keep_up, news: news.clone() };

    runtime.background(outbox.clone().run(runtime.stop()));
    runtime.background(edits.clone().run(runtime.stop()));
    runtime.background(edits.clone().apply_rules(runtime.stop()));
    runtime.background(retention.clone().sweep(runtime.stop()));
    runtime.background(sync.clone().list_attachments(runtime.stop()));
    runtime.background(backfills.clone().run(runtime.stop()));
    runtime.background(super::retention::renew_keys(vault.clone(), clock.clone(), runtime.stop()));
    runtime.background(notify.clone().prove(runtime.stop()));
    runtime.background(throttles::keep(store.clone(), pipeline.clone(), clock.clone(), runtime.stop()));
    let send_timeout = Duration::from_millis(u64::from(config.send_timeout_ms));
    tracing::info!(target: "tidings::engine", version = env!("CARGO_PKG_VERSION"), content = ?config.content, "opened");
    let inner = Arc::new(Inner { runtime, clock, store, vault, auth, outbox, sync, edits, backfills, reader, cache, contacts, calendar, chats, retention, workflows, bots, notify, event_bus, news, send_timeout, meters, pipeline, is_started: AtomicBool::new(false) });
    super::inbound::start(&inner);
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cloud;
    use crate::error::ErrorKind;

    #[test]
    fn a_store_opens_with_its_own_cloud_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(RootKey::raw((0..32).collect()).unwrap());
        let mut config = Config::new(folder.path().join("store").to_string_lossy(), "00000000-0000-0000-0000-000000000000");
        drop(open(config.clone(), key.clone(), None).unwrap());
        for other in [Cloud::UsGov, Cloud::custom("http://127.0.0.1:9", "http://127.0.0.1:9")] {
            config.cloud = other;
            assert_eq!(open(config.clone(), key.clone(), None).err().map(|e| e.kind()), Some(ErrorKind::InvalidInput));
        }
        config.cloud = Cloud::Public;
        assert!(open(config, key, None).is_ok());
    }

    #[test]
    fn content_is_chosen_once() {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(RootKey::raw((0..32).collect()).unwrap());
        let config = |name: &str, content| {
            let mut config = Config::new(folder.path().join(name).to_string_lossy(), "00000000-0000-0000-0000-000000000000");
            config.content = content;
            config
        };
        for (name, first, second) in [("a", Content::Sealed, Content::Clear), ("b", Content::Clear, Content::Sealed)] {
            drop(open(config(name, first), key.clone(), None).unwrap());
            let error = open(config(name, second), key.clone(), None).err().unwrap();
            assert!(error.kind() == ErrorKind::InvalidInput && error.reason().contains("chosen once"), "{error}");
            drop(open(config(name, first), key.clone(), None).unwrap());
        }
        // A store from before there was a choice.
        #[cfg(unix)]
        {
            crate::store::tamper(&folder.path().join("b"), "DELETE FROM meta WHERE name = 'content'");
            assert!(open(config("b", Content::Clear), key.clone(), None).is_err());
            assert!(open(config("b", Content::Sealed), key, None).is_ok());
        }
    }
}
