//! Back-filling a mailbox, with a progress bar fed by the engine's events.

use super::{Outcome, place::Place};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Account, Backfill, BackfillRange, BackfillState, Engine, Event, EventStream, Message, MessageQuery};

pub struct Filled {
    pub backfill: Backfill,
    pub time: Duration,
}

/// Mail of a year, the newest first. It goes on in the background; this waits for its end only to show it.
pub async fn backfill(engine: &Engine, account: &Account) -> Outcome<Filled> {
    // Listening starts before the back-fill, or the first pages would pass unseen.
    let events = engine.events(None);
    let began = Instant::now();
    let begun = engine.backfill(account.id.clone(), BackfillRange::TwelveMonths, None).await?;
    let bar = bar(begun.total.into());
    let ended = watch(&events, begun, &bar).await;
    bar.abandon(); // the full bar stays
    Ok(Filled { backfill: ended?, time: began.elapsed() })
}

async fn watch(events: &Arc<EventStream>, mut now: Backfill, bar: &ProgressBar) -> Outcome<Backfill> {
    while !matches!(now.state, BackfillState::Done | BackfillState::Cancelled) {
        // It would try again by itself, but here somebody waits.
        if let Some(problem) = now.problem {
            return Err(format!("The back-fill does not get on: {problem}").into());
        }
        match events.next().await? {
            Some(Event::BackfillChanged { backfill }) => now = backfill,
            Some(_) => continue,
            None => return Err("The engine was closed.".into()),
        }
        bar.set_length(now.total.into());
        bar.set_position(now.done.into());
    }
    bar.set_length(now.total.into());
    bar.set_position(now.done.into());
    Ok(now)
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("Back-fill {bar:40} {pos}/{len} messages, {rate}, {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
    // Its own `per_sec` shows fractions of a message.
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0} per second", state.per_sec());
    });
    ProgressBar::new(total).with_style(style)
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
