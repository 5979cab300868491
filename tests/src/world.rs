//! An engine on a new store, connected to the simulator: for tests that are not scenarios.

use crate::{root, sim::Sim};
use serde_json::json;
use std::sync::Arc;
use tidings::{Cloud, Config, ConnectRequest, Engine, Feature, RootKey};

pub struct World {
    pub sim: Sim,
    pub engine: Engine,
    _folder: tempfile::TempDir,
}

impl World {
    /// `settings` may change what the engine is opened with.
    pub async fn new(name: &str, settings: impl FnOnce(&mut Config)) -> Self {
        let sim = Sim::start(&root(), name).await;
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let mut config = Config::new(folder.path().join("store").to_string_lossy(), text(&sim, "client_id"));
        config.cloud = Cloud::custom(text(&sim, "login"), text(&sim, "graph"));
        settings(&mut config);
        let key = tidings::generate_root_key().and_then(RootKey::raw).unwrap_or_else(|e| panic!("{e}"));
        let engine = Engine::open(config, Arc::new(key)).unwrap_or_else(|e| panic!("{e}"));
        Self { sim, engine, _folder: folder }
    }

    /// Signs this person in for mail; gives the account's id.
    pub async fn connect(&self, address: &str) -> String {
        self.connect_for(address, vec![Feature::MailSync]).await
    }

    /// The same for other features.
    pub async fn connect_for(&self, address: &str, features: Vec<Feature>) -> String {
        let request = ConnectRequest {
            owner: "tests".into(),
            features,
            redirect_uri: "http://localhost/callback".into(),
            ..ConnectRequest::default()
        };
        let started = self.engine.connect(request).await.unwrap_or_else(|e| panic!("{e}"));
        let page = self.ask("signin", json!({ "url": started.url, "as": address })).await;
        let back = page["location"].as_str().unwrap_or_default().to_owned();
        self.engine.finish_connect(back, started.binding).await.unwrap_or_else(|e| panic!("{e}")).id
    }

    pub async fn ask(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        self.sim.ask(path, Some(&body)).await.unwrap_or_else(|e| panic!("{e}"))
    }
}

fn text(sim: &Sim, name: &str) -> String {
    sim.urls[name].as_str().unwrap_or_default().to_owned()
}
