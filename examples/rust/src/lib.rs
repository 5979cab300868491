//! What the stories share: an engine pointed at the simulator, and the simulator's control endpoints.

pub mod bots;
pub mod control;
pub mod route;

use serde::Serialize;
use std::sync::Arc;
use tidings::{Cloud, Config, Engine, Error, ErrorKind, Result, RootKey};

/// An engine on a store, set up by `TIDINGS_DATA`, `TIDINGS_CLIENT_ID`, `TIDINGS_LOGIN` and `TIDINGS_GRAPH`.
pub fn open() -> Result<Engine> {
    let mut config = Config::new(env("TIDINGS_DATA")?, env("TIDINGS_CLIENT_ID")?);
    config.cloud = Cloud::custom(env("TIDINGS_LOGIN")?, env("TIDINGS_GRAPH")?);
    Engine::open(config, root_key()?)
}

/// The key that opens the store: the same at each start, in a file beside it.
pub fn root_key() -> Result<Arc<RootKey>> {
    tidings::load_or_create_key(format!("{}.key", env("TIDINGS_DATA")?))
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
