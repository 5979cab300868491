//! What is kept and for how long: the audit log read and proven, accounts erased, owners deleted.

mod audit;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod owners;
mod purge;
mod trim;
mod verify;

pub use trim::KeptFor;

use crate::clock::{Clock, to_ms};
use crate::error::{Error, Result};
use crate::events::EventBus;
use crate::store::{AuditSigner, Store};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// Drops what memory holds of an account.
pub type Forget = Arc<dyn Fn(&str) + Send + Sync>;

/// Follows what other processes did to the keys, drops what memory holds of idle accounts.
pub type KeepUp = Arc<dyn Fn(i64) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Our clock is known to be right.
pub type IsTimeKnown = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone)]
pub struct Retention {
    pub store: Arc<dyn Store>,
    pub audit_signer: Arc<dyn AuditSigner>,
    pub clock: Arc<dyn Clock>,
    pub event_bus: EventBus,
    pub forget: Forget,
    pub keep_up: KeepUp,
    pub kept_for: KeptFor,
    pub is_time_known: IsTimeKnown,
    /// Bumped whenever the change feed may have grown.
    pub news: watch::Sender<u64>,
}

impl Retention {
    fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    fn told(&self) {
        self.news.send_modify(|n| *n = n.wrapping_add(1));
    }
}

fn check_owner(owner: &str) -> Result<()> {
    if !(1..=200).contains(&owner.chars().count()) || owner.chars().any(char::is_control) {
        return Err(Error::invalid("owner must be 1 to 200 characters, none of them a control character."));
    }
    Ok(())
}
