//! What a settled send has left at the service. The outbox finds the time for it; what is left, and how it is removed, the channel knows.
//!
//! A worker that died or lost its claim may have had a request on its way, whose effect comes after the send was settled. What may still come is looked for
//! once more when no request can be on its way any longer.

use super::channel::{Channel, Progress, by_route};
use super::deliver::Outbox;
use super::item::{Verdict, verdict};
use super::job::{Job, read_progress, seal_progress};
use crate::clock::to_ms;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::pipeline::LONGEST_EXCHANGE;
use crate::store::{ItemRow, Tidied};

/// Looked for again after this long, if the service cannot be asked.
const AGAIN_MS: i64 = 600_000;
/// After this long it is left where it is.
const LONGEST_MS: i64 = 14 * 86_400_000;
/// A request that was made may have its effect for so long: the time of an exchange, and as much for a service that goes on after it was given up.
const ON_ITS_WAY_MS: i64 = 2 * LONGEST_EXCHANGE.as_millis() as i64;

impl Outbox {
    pub(super) async fn tidy(&self, item: ItemRow) {
        by_route!(item.route, C => self.tidy_by::<C>(item).await);
    }

    async fn tidy_by<C: Channel>(&self, item: ItemRow) {
        let vault = &self.tools.vault;
        let progress = vault.with_current_keys(async || read_progress::<C::Progress>(vault, &item).await).await;
        let late_at = match &progress {
            Ok(progress) => late_at(&item, C::may_leave_more(progress, item.state), to_ms(self.tools.clock.now())),
            Err(_) => None,
        };
        let tidied = match &progress {
            // Once the claim is lost the host may have asked for the send again, and what is left is what it sends.
            Ok(progress) => tokio::select! { tidied = C::tidy(&self.tools, &item, progress, late_at.is_none()) => tidied, () = self.heartbeat(&item) => return },
            Err(error) => Err(error.clone()),
        };
        failpoint!("outbox.tidied");
        let now = to_ms(self.tools.clock.now());
        let again_at = match &tidied {
            Err(error) if !matches!(verdict(error), Verdict::Refused) && now.saturating_sub(item.created_at) < LONGEST_MS => Some(now.saturating_add(AGAIN_MS)),
            Err(_) => None,
            Ok(_) => late_at,
        };
        let known = match (progress, tidied) {
            (Ok(progress), Ok(Some(own))) => Some(Progress { own, ..progress }),
            _ => None,
        };
        let ended = vault.with_current_keys(async || {
            let progress = match &known {
                Some(progress) => Some(seal_progress(&vault.content(&item.account_id).await?, &item, progress)?),
                None => None,
            };
            self.tools.store.tidied(&item.id, &Tidied::Ended { fence: item.fence, progress, again_at }).await
        });
        if let Err(error) = ended.await {
            tracing::warn!(target: "tidings::outbox", send = item.id, kind = ?error.kind(), "drafts that were looked for could not be noted");
        }
        self.changed(&item.id);
    }

    /// Its claim was lost, perhaps while a request of ours was on its way. Whoever settles it has looked, or will look, without knowing of that one.
    pub(super) async fn tidy_again<C: Channel>(&self, job: &Job<C>) -> Result<()> {
        if !C::has_left_something(&job.progress.own, job.item.state) {
            return Ok(());
        }
        let until = job.now().saturating_add(ON_ITS_WAY_MS);
        self.tools.store.tidied(&job.item.id, &Tidied::MayFollow { until }).await.map(drop)
    }
}

/// When nothing can come any more of what was asked for before it was settled, or before a claim was lost. None: that time has come, or the clock was set back.
fn late_at(item: &ItemRow, may_leave_more: bool, now: i64) -> Option<i64> {
    let after_end = item.settled_at.filter(|_| may_leave_more).map(|at| at.saturating_add(ON_ITS_WAY_MS));
    [after_end, item.tidy_until].into_iter().flatten().filter(|at| (1..=ON_ITS_WAY_MS).contains(&at.saturating_sub(now))).max()
}
