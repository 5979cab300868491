//! How far back mail is fetched.

use super::Engine;
use crate::error::Result;
use crate::model::{Backfill, BackfillEstimate, BackfillRange, Feature};
use crate::store::BackfillWish;

impl Engine {
    /// How many messages a range holds in the folders of the account that are synced, before anything is fetched. Asks Microsoft for the folders and, for a range
    /// with a beginning, for a count of each. Errors: InvalidInput, NotFound, NotConnected, NeedsReconnect, ConsentMissing, those of the network.
    /// Source: Graph, list mailFolders; list messages, `$count`.
    pub async fn estimate_backfill(&self, account_id: String, range: BackfillRange, owner: Option<String>) -> Result<BackfillEstimate> {
        self.guard(|inner, stop| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            let account = inner.usable(&account_id, Feature::MailSync).await?;
            stop.until(inner.backfills.estimate(&account, range)).await.map_err(|e| e.on_account(account_id))
        })
        .await
    }

    /// Fetches the mail of a range in the background, the newest first, bodies included, and answers once that is stored, with an estimate. It goes on in this
    /// process, or in another one that opens the store, until it is `Done`: over restarts, expired links and new sign-ins. Each page is durable with how far it
    /// brings the back-fill. New mail does not wait for it: `sync`, `start` and push go on. From then on nothing is fetched that is older than the range and was not
    /// fetched before. Called again it changes the range: what is here stays, a larger range fetches what is missing. Progress is in `events`
    /// (`BackfillChanged`) and `backfill_status`. An account without a back-fill is fetched whole by its first sync. A cancelled call has begun it or not.
    /// Errors: as `estimate_backfill`; Conflict.
    pub async fn backfill(&self, account_id: String, range: BackfillRange, owner: Option<String>) -> Result<Backfill> {
        self.guard(|inner, stop| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            let account = inner.usable(&account_id, Feature::MailSync).await?;
            stop.until(inner.backfills.begin(&account, range)).await.map_err(|e| e.on_account(account_id))
        })
        .await
    }

    /// Has a back-fill wait; nothing more of it is stored once this answers. Durable. Changes nothing of one that is done, cancelled or paused already.
    /// Touches no network. Errors: NotFound.
    pub async fn pause_backfill(&self, account_id: String, owner: Option<String>) -> Result<Backfill> {
        self.wish(account_id, owner, BackfillWish::Pause).await
    }

    /// Has a paused back-fill go on from where it is, also when its links have expired meanwhile. Durable. Changes nothing of one that is not paused.
    /// Touches no network. Errors: NotFound.
    pub async fn resume_backfill(&self, account_id: String, owner: Option<String>) -> Result<Backfill> {
        self.wish(account_id, owner, BackfillWish::Run).await
    }

    /// Ends a back-fill for good: what is here stays, and nothing older is fetched. The folders are still walked for their delta links, so that syncs go on from
    /// there. `backfill` begins another one. Durable. Changes nothing of one that is done. Touches no network. Errors: NotFound.
    pub async fn cancel_backfill(&self, account_id: String, owner: Option<String>) -> Result<Backfill> {
        self.wish(account_id, owner, BackfillWish::Cancel).await
    }

    /// How far the account's last back-fill is; none if there was none. Touches no network. Errors: NotFound.
    pub async fn backfill_status(&self, account_id: String, owner: Option<String>) -> Result<Option<Backfill>> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.backfills.status(&account_id).await
        })
        .await
    }

    async fn wish(&self, account_id: String, owner: Option<String>, wish: BackfillWish) -> Result<Backfill> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.backfills.wish(&account_id, wish).await
        })
        .await
    }
}
