//! What the stories share: an engine pointed at the simulator, and the simulator's control endpoints.

pub mod bots;
pub mod control;
pub mod route;

use serde::Serialize;
use std::sync::Arc;
use tidings::{Cloud, Config, Engine, Error, ErrorKind, Result, RootKey};

/// An engine on a fresh store, set up by `TIDINGS_DATA`, `TIDINGS_CLIENT_ID`, `TIDINGS_LOGIN` and `TIDINGS_GRAPH`.
/// A program of your own keeps the root key with its other secrets instead of making one at each start.
pub fn open() -> Result<Engine> {
    let mut config = Config::new(env("TIDINGS_DATA")?, env("TIDINGS_CLIENT_ID")?);
    config.cloud = Cloud::custom(env("TIDINGS_LOGIN")?, env("TIDINGS_GRAPH")?);
    let key = RootKey::raw(tidings::generate_root_key()?)?;
    Engine::open(config, Arc::new(key))
}

/// A setting of the environment.
pub fn env(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| Error::new(ErrorKind::InvalidInput, format!("{name} is not set. Start this through examples/run.sh rust.")))
}

/// The name that all languages have for a value of an enum, as in `mail_send`.
pub fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Several of them, or `none`.
pub fn words(values: &[impl Serialize]) -> String {
    if values.is_empty() { "none".to_owned() } else { values.iter().map(word).collect::<Vec<_>>().join(", ") }
}
