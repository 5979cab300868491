//! What of the outbox is due, for whoever runs now and then.

use super::deliver::Outbox;
use crate::clock::{real_time, to_ms};
use crate::error::Result;
use crate::runtime::Stop;
use crate::store::{Due, DueRequest, NextDue};
use std::time::Duration;

/// Between two looks; what is settled here is looked at at once.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Outbox {
    /// Waits until all that is due was sent, or has to wait for its time. Ends as well when it is stopped, or when the store cannot be read.
    pub async fn until_nothing_is_due(&self, stop: &Stop) {
        let mut settled = self.settled();
        loop {
            settled.mark_unchanged();
            let is_idle = self.in_flight.has_nothing();
            match self.next().await {
                Ok(Some(Due::Retry(at) | Due::Scheduled(at))) if at <= to_ms(self.tools.clock.now()) => {}
                Ok(_) if !is_idle => {}
                Ok(_) | Err(_) => return,
            }
            tokio::select! {
                _ = settled.changed() => {}
                () = real_time(LOOK_AGAIN) => {}
                () = stop.wait() => return,
            }
        }
    }

    /// When something is to be sent again or for the first time. None: nothing waits.
    pub async fn next_due(&self) -> Result<Option<i64>> {
        Ok(self.next().await?.map(|due| match due {
            Due::Retry(at) | Due::Scheduled(at) | Due::Lapse(at) => at,
        }))
    }

    async fn next(&self) -> Result<Option<Due>> {
        let NextDue { claim, .. } = self.tools.store.next_due(DueRequest { now: to_ms(self.tools.clock.now()), except: Some(self.avoided()), awaited: None }).await?;
        Ok(claim)
    }
}
