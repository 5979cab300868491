//! Calendars of accounts.

use super::Engine;
use super::usable::not_connected_for;
use crate::error::Result;
use crate::model::{CalendarPage, CalendarQuery, Feature};
use crate::sync::check_limit;

impl Engine {
    /// Events between two times as of the last sync, in the order in which they begin, of all accounts of an owner or of one account; each occurrence of a series
    /// is one. Accounts that are connected for `calendar` have their default calendar synced by `sync`, `start` and `run_once`, from `calendar_days_before` to
    /// `calendar_days_after` of the configuration. One that lasts all day counts from midnight to midnight UTC. Touches no network.
    /// Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account was not connected for `calendar`).
    pub async fn events_between(&self, query: CalendarQuery) -> Result<CalendarPage> {
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            if let Some(id) = scope.account_id() {
                // Nothing was ever synced, and nothing will be: an empty list would be no answer.
                let row = inner.row(id).await?;
                if !row.features.contains(&Feature::Calendar) {
                    return Err(not_connected_for(&row, Feature::Calendar, Some("Calendars.Read")));
                }
            }
            inner.calendar.list(scope, query).await
        })
        .await
    }
}
