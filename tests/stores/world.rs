//! A simulator and engines on a clock that stands still.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tidings::{Account, Cloud, Config, ConnectRequest, Content, CopiedStore, Engine, Feature, RootKey, SignIn, TestClock};
use tidings_tests::{root, sim::Sim};

/// Everybody's clock, in every store kept here.
pub const TIME: &str = "2026-01-15T09:00:00Z";
pub const REDIRECT: &str = "http://localhost/callback";

pub struct World {
    pub sim: Arc<Sim>,
    pub clock: Arc<TestClock>,
}

impl World {
    /// Another `seed`, other ids of people, folders and mails.
    pub async fn new(name: &str, seed: u64) -> Self {
        let sim = Arc::new(Sim::start(&root(), name).await);
        sim.ask("reset", Some(&json!({ "clock": TIME, "seed": seed }))).await.unwrap_or_else(|e| panic!("{e}"));
        let now = sim.ask("clock", Some(&json!({ "advance_ms": 0 }))).await.unwrap_or_else(|e| panic!("{e}"));
        Self { sim, clock: Arc::new(TestClock::new(now["now_ms"].as_u64().unwrap_or_default())) }
    }

    /// `copied`: what of a copy waits.
    pub fn open(&self, folder: &Path, key: &[u8], content: Content, copied: CopiedStore) -> tidings::Result<Engine> {
        let mut config = Config::new(folder.to_string_lossy(), self.url("client_id"));
        config.on_copied_store = copied;
        config.cloud = Cloud::custom(self.url("login"), self.url("graph"));
        config.content = content;
        config.folders = vec!["inbox".into()];
        Engine::open_with_clock(config, Arc::new(RootKey::raw(key.to_vec())?), self.clock.clone())
    }

    pub async fn ask(&self, path: &str, body: Value) -> Value {
        self.sim.ask(path, Some(&body)).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// What the browser comes back with from Microsoft's page, wherever that page was when the sign-in began.
    pub async fn back_from(&self, url: &str, who: &str) -> String {
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let page = self.ask("signin", json!({ "url": format!("{}/{path}", self.url("login")), "as": who })).await;
        page["location"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned()
    }

    pub async fn sign_in(&self, engine: &Engine, owner: &str, who: &str, features: &[Feature]) -> Account {
        let request = ConnectRequest { owner: owner.into(), features: features.to_vec(), redirect_uri: REDIRECT.into(), ..ConnectRequest::default() };
        let started = engine.connect(request).await.unwrap_or_else(|e| panic!("{e}"));
        self.finish(engine, started, who).await
    }

    pub async fn finish(&self, engine: &Engine, started: SignIn, who: &str) -> Account {
        let back = self.back_from(&started.url, who).await;
        engine.finish_connect(back, started.binding).await.unwrap_or_else(|e| panic!("{who}: {e}"))
    }

    fn url(&self, name: &str) -> String {
        self.sim.urls[name].as_str().unwrap_or_default().to_owned()
    }
}
