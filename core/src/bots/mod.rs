//! What is said to a bot, and where it may write. The Bot Connector posts activities to the host's route; each is proven by its token before anything of it is
//! believed, is durable before it is answered, and is told to the host by the change feed.
//! Source: Bot Framework, authentication and activity schema; Teams, conversation events.

mod answer;
mod parse;
mod read;
mod receive;

pub use answer::invoke_response;
pub use receive::Received;

use crate::bot::Connector;
use crate::clock::Clock;
use crate::metrics::Meters;
use crate::store::Store;
use crate::trust::BotTrust;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone)]
pub struct Bots {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    /// None: there is no bot here; what it was told before is read all the same.
    pub connector: Option<Connector>,
    pub trust: Arc<BotTrust>,
    pub clock: Arc<dyn Clock>,
    pub meters: Meters,
    /// Bumped whenever the change feed may have grown.
    pub news: watch::Sender<u64>,
}

/// What is kept of a conversation.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    name: String,
}

#[cfg(test)]
mod tests;
