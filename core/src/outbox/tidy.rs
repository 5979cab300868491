//! What a settled send has left at the service. The outbox finds the time for it; what is left, and how it is removed, the channel knows.

use super::channel::{Channel, Progress, by_route};
use super::deliver::Outbox;
use super::item::{Verdict, verdict};
use super::job::{read_progress, seal_progress};
use crate::clock::to_ms;
use crate::failpoint::failpoint;
use crate::runtime::blocking;
use crate::store::ItemRow;

/// Looked for again after this long, if the service cannot be asked.
const AGAIN_MS: i64 = 600_000;
/// After this long it is left where it is.
const LONGEST_MS: i64 = 14 * 86_400_000;

impl Outbox {
    pub(super) async fn tidy(&self, item: ItemRow) {
        by_route!(item.route, C => self.tidy_by::<C>(item).await);
    }

    async fn tidy_by<C: Channel>(&self, item: ItemRow) {
        let (tools, row) = (self.tools.clone(), item.clone());
        let progress = blocking(move || tools.vault.with_current_keys(|| read_progress::<C::Progress>(&tools.vault, &row))).await;
        let tidied = match &progress {
            // Once the claim is lost the host may have asked for the send again, and what is left is what it sends.
            Ok(progress) => tokio::select! { tidied = C::tidy(&self.tools, &item, progress) => tidied, () = self.heartbeat(&item) => return },
            Err(error) => Err(error.clone()),
        };
        failpoint!("outbox.tidied");
        let now = to_ms(self.tools.clock.now());
        let again_at = match &tidied {
            Err(error) if !matches!(verdict(error), Verdict::Refused) && now.saturating_sub(item.created_at) < LONGEST_MS => Some(now.saturating_add(AGAIN_MS)),
            _ => None,
        };
        let known = match (progress, tidied) {
            (Ok(progress), Ok(Some(own))) => Some(Progress { own, ..progress }),
            _ => None,
        };
        let (tools, row) = (self.tools.clone(), item.clone());
        let ended = blocking(move || {
            tools.vault.with_current_keys(|| {
                let sealed = known.as_ref().map(|progress| seal_progress(&tools.vault, &row, progress)).transpose()?;
                tools.store.tidied(&row.id, row.fence, sealed.as_ref(), again_at)
            })
        });
        if let Err(error) = ended.await {
            tracing::warn!(target: "tidings::outbox", send = item.id, kind = ?error.kind(), "drafts that were looked for could not be noted");
        }
        self.changed(&item.id);
    }
}
