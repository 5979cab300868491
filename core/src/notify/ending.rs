//! The subscriptions of accounts that end: deleted at Microsoft while their tokens are there, if it can be reached.

use super::Notify;
use crate::graph::Caller;
use crate::pipeline::Priority;
use futures_util::StreamExt;
use std::time::Duration;

/// What ends does not wait for the network any longer. Microsoft ends what is left within days, and what it posts until then is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 16;

impl Notify {
    pub async fn end(&self, account_ids: &[String]) {
        self.known.forget();
        let all = futures_util::stream::iter(account_ids).for_each_concurrent(AT_ONCE, |id| self.end_one(id));
        tokio::select! { () = all => {}, () = self.parts.clock.deadline(PATIENCE) => {} }
    }

    async fn end_one(&self, account_id: &str) {
        let Ok(Some(row)) = self.parts.store.subscription(account_id).await else { return };
        let Some(id) = row.graph_id else { return };
        let caller = Caller::new(account_id, Priority::Interactive, Duration::ZERO);
        if let Err(error) = self.parts.graph.unsubscribe(&caller, &id).await {
            tracing::debug!(target: "tidings::notify", account = account_id, kind = ?error.kind(), "the subscription of an account that ends could not be deleted; it expires by itself");
        }
    }
}
