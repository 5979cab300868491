//! Syncing, with a progress bar fed by the engine's events.

use super::{Outcome, place::Place};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Account, Engine, Event, EventStream, Message, MessageQuery, SyncReport};

pub struct Synced {
    pub report: SyncReport,
    pub time: Duration,
}

pub async fn sync(engine: &Engine, account: &Account) -> Outcome<Synced> {
    let bar = bar();
    // Listening starts before the sync, or the first pages would pass unseen.
    let watching = tokio::spawn(watch(engine.events(None), bar.clone()));
    let began = Instant::now();
    let report = engine.sync(account.id.clone(), None).await;
    let time = began.elapsed();
    if report.is_err() {
        watching.abort();
    } else {
        let _ = watching.await; // ends with SyncFinished
    }
    bar.abandon(); // the full bar stays
    let report = report?;
    if report.folders == 0 {
        return Err("The mailbox has none of the folders in TIDINGS_FOLDERS. Use names such as inbox, sentitems or archive, or ids.".into());
    }
    Ok(Synced { report, time })
}

/// Folders are walked side by side and report one by one; the bar shows their sum.
async fn watch(events: Arc<EventStream>, bar: ProgressBar) {
    let mut folders: HashMap<String, (u64, u64)> = HashMap::new();
    while let Ok(Some(event)) = events.next().await {
        match event {
            Event::SyncProgress { folder_id, stored, total, .. } => {
                folders.insert(folder_id, (stored.into(), total.max(stored).into()));
                bar.set_length(folders.values().map(|(_, total)| total).sum());
                bar.set_position(folders.values().map(|(stored, _)| stored).sum());
            }
            Event::SyncFinished { .. } | Event::SyncFailed { .. } => return,
            _ => {}
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("Syncing  {bar:40} {pos}/{len} messages, {rate}").unwrap_or_else(|_| ProgressStyle::default_bar());
    // Its own `per_sec` shows fractions of a message.
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0} per second", state.per_sec());
    });
    ProgressBar::new(0).with_style(style)
}

/// Sets the read state of one mail. In the simulator an unread one is marked as read; in a real mailbox one that is read already is set to
/// read once more, so that the way to Microsoft and back is taken and nothing changes.
pub async fn mark_one(engine: &Engine, place: &Place, account: &Account) -> Outcome<Option<Message>> {
    let query = MessageQuery { account_id: Some(account.id.clone()), is_read: Some(place.browser().is_none()), limit: 1, ..MessageQuery::default() };
    match engine.messages(query).await?.items.into_iter().next() {
        Some(message) => Ok(Some(engine.mark_read(message.id, true, None).await?)),
        None => Ok(None),
    }
}
