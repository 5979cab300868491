//! Connect Microsoft 365 accounts, send Teams messages and Outlook mail in a person's name, sync mailboxes both ways: one engine,
//! embedded in your process.
//!
//! # Layers
//!
//! A module imports the layers below it, never one above; modules on one layer do not know each other (the lowest excepted).
//!
//! ```text
//! methods      engine                                    one short method per verb
//! activities   auth      outbox      sync      contacts  calendar  chats     notify    retention  workflows  bots     connect · what leaves · what we ask for · what Microsoft tells · what is proven and erased
//! people       roster    endpoints                       whom a bot has seen, and how it writes to them · where subscribers are told something
//! tools        vault     trust       graph     flows     bot     secrets · proofs · Microsoft's API · posts to workflows · the Bot Connector
//! base         store     pipeline    events              durable rows · the only way out · the event bus
//! plain        app_package  model  error  foreign  seal  clock  random  hex  secret  config  json  runtime  logs  markup  metrics  failpoint  interleave  throttle  stages    plain things; no sockets, no SQL
//! ```

mod app_package;
mod auth;
mod bot;
mod bots;
mod calendar;
mod chats;
mod clock;
mod config;
mod contacts;
mod endpoints;
mod engine;
mod error;
mod events;
mod failpoint;
mod flows;
mod foreign;
mod graph;
mod hex;
#[cfg(test)]
mod interleave;
mod json;
mod retention;
mod roster;
mod logs;
mod markup;
mod metrics;
mod model;
mod notify;
mod outbox;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)] // the only way out
mod pipeline;
mod random;
mod runtime;
mod seal;
mod secret;
mod stages;
mod store;
mod sync;
mod throttle;
mod trust;
mod vault;
mod workflows;

/// What `tests/fuzz` calls: one function for each kind of input that others wrote. None of it is in a package.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::auth::fuzzing::{callback_query, token_answer};
    pub use crate::config::fuzzing::config_file;
    pub use crate::graph::fuzzing::{batch_answer, delta_page};
    pub use crate::graph::fuzzing_rounds::{chat_page, contact_page, event_page};
    pub use crate::notify::fuzzing::notification_post;
    pub use crate::retention::fuzzing::audit_page;
    pub use crate::seal::fuzzing::envelope;
    pub use crate::sync::fuzzing::{bounce, html};
}
#[cfg(test)]
mod fuzz_tests;

/// What `make bench` shows of the stages of a sync; in no package.
#[cfg(feature = "profile")]
#[doc(hidden)]
pub use stages::spent as time_by_stage;

pub use clock::TestClock;
pub use config::{App, Cloud, Config, Content, CopiedStore};
pub use engine::{AttachmentContent, AttachmentWriter, ChangeStream, DeviceSignIn, Engine, EventStream, LoopbackSignIn, RawPages, RawResponse};
pub use error::{Error, ErrorKind, Remedy, Result};
pub use logs::{LogStream, logs};
pub use model::*;
pub use runtime::{thread_waker, threads_ended};
pub use secret::{ClientCertificate, RootKey, Secret, shown};

/// The engine's version, as in `0.1.0`.
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// 32 fresh random bytes for `RootKey::raw`. Keep them where you keep your other secrets: without them nothing in the store can be read.
pub fn generate_root_key() -> Result<Vec<u8>> {
    random::array::<32>().map(Vec::from)
}

/// The root key in the file at `path`, for a program on one machine. A file that is missing is made, with its folder, for the user of this process alone (mode 0600 and
/// 0700; on Windows with the rights that its folder hands down): one line of base64 for 32 random bytes. It is never written over, and of several processes that
/// start at once all get the same key. Keep it outside of the folder of the store, and a copy of it apart from copies of the store: without it nothing in the store can be
/// read, and with both everything. Where the machine has a key store, or your platform a KMS, prefer `RootKey.from_keyring` or `RootKey.unwrapped`. Errors: InvalidInput (the path
/// names a folder, a link or no plain file), VaultLocked (others may read the file or it is theirs, it holds no key, it cannot be read or made), StoreFull.
pub fn load_or_create_key(path: impl AsRef<std::path::Path>) -> Result<std::sync::Arc<RootKey>> {
    RootKey::in_file(path.as_ref()).map(std::sync::Arc::new)
}

/// The HTTP answer to a `BotInvoke` of this name. Touches nothing. Errors: InvalidInput (the answer does not belong to that name, the card is no Adaptive Card that
/// Teams shows, the text is empty, the JSON is none, the status is not 400 to 599), LimitExceeded (100 KB).
/// Source: Adaptive Cards, Universal Action Model, response format.
pub fn invoke_response(name: String, answer: BotAnswer) -> Result<HttpResponse> {
    bots::invoke_response(&name, &answer)
}

/// The wrapped key that `RootKey::unwrapped` left with the store in this folder; none if there is no store yet, or it has another kind of key.
/// Needs no key. Errors: InvalidInput, Corrupt, StoreBusy.
pub fn wrapped_root_key(data_dir: String) -> Result<Option<Vec<u8>>> {
    vault::wrapped_root_key(std::path::Path::new(&data_dir))
}
