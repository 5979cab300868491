//! One part of a folder, page by page, the newest first.

use super::super::listing::Lister;
use super::super::page::{PagePlace, store_page};
use super::super::page_size::PageSize;
use super::super::run::SyncContext;
use super::super::seeding::is_about_the_link;
use super::super::tally::Tally;
use super::shown::shown;
use crate::clock::{from_ms, to_ms};
use crate::error::{ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{DeltaItem, ListingOrder, ListingRange};
use crate::model::Event;
use crate::pipeline::Priority;
use crate::store::{BackfillStep, BackfillWindow, OPEN_LOWER, OPEN_UPPER, SyncedFolder};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pages in a row that bring a part no further, all of one second or without a date. The rest of a part that has more of them is left to the walk of its folder.
const MOST_STILL: u32 = 100;
/// Failures of a back-fill in a row, with pauses between them, after which a part that cannot be listed is left to the walk as well.
const MOST_FAILURES: u32 = 5;

/// Time at work, counted once however many parts are listed at a time.
pub struct Stopwatch(Mutex<Duration>);

impl Stopwatch {
    pub fn start(context: &SyncContext) -> Self {
        Self(Mutex::new(context.clock.elapsed()))
    }

    /// Milliseconds since it was asked last.
    fn lap(&self, context: &SyncContext) -> i64 {
        let now = context.clock.elapsed();
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), now);
        i64::try_from(now.saturating_sub(before).as_millis()).unwrap_or(i64::MAX)
    }
}

/// What all parts that are listed at a time have in common.
pub struct Listing {
    pub context: Arc<SyncContext>,
    pub turn: i64,
    /// Failures in a row, before this slice.
    pub failures: u32,
    pub stopwatch: Stopwatch,
    /// A page was listed in this slice, which each of them does: else one whose time is over before would bring it nowhere.
    pub has_listed: AtomicBool,
}

impl Listing {
    /// Lists one part until it is done or this slice is over. A link that has expired is replaced by one that begins where the part stands. A part that has begun
    /// goes on until it stands elsewhere: else it would begin with the same second in each slice, for ever. What leads nowhere is left to the walk of the folder,
    /// which brings all of it.
    pub async fn list(&self, folder: &SyncedFolder, mut window: BackfillWindow) -> Result<Tally> {
        let context = &self.context;
        let mut page_size = PageSize::of(context.page_size, folder.page_size, folder.page_size_at, context.now());
        let mut tally = Tally::default();
        let mut lister = self.lister(&window, &page_size).await?;
        let mut is_first = true;
        let (mut renewed_at, mut still) = (None, 0);
        while window.reached > window.lower {
            let is_over = context.is_enough(false).await?;
            let may_end = still == 0 && self.has_listed.load(Ordering::Acquire);
            if is_over && (may_end || context.is_unwanted().await?) {
                break;
            }
            if still >= MOST_STILL {
                return self.leave(folder, &window, tally, "its pages do not end").await;
            }
            context.stop.check()?;
            let items = match lister.next().await {
                Ok(items) => items,
                Err(error) if (error.is_overload() || error.kind() == ErrorKind::LimitExceeded) && page_size.shrink() => {
                    (lister, is_first) = (self.lister(&window, &page_size).await?, true);
                    continue;
                }
                Err(error) if !is_first && is_about_the_link(&error) => {
                    if renewed_at == Some(window.reached) {
                        return self.leave(folder, &window, tally, error.reason()).await;
                    }
                    renewed_at = Some(window.reached);
                    (lister, is_first) = (self.lister(&window, &page_size).await?, true);
                    continue;
                }
                Err(error) if self.failures >= MOST_FAILURES && !error.is_overload() && is_about_the_link(&error) => return self.leave(folder, &window, tally, error.reason()).await,
                Err(error) => return Err(error),
            };
            page_size.worked();
            let is_last = !lister.has_more();
            let items = items.unwrap_or_default();
            let step = self.step(&window, &items, is_first, is_last);
            let reached = step.reached;
            tally.add(&self.store(folder, items, step).await?);
            tally.pages += 1;
            self.has_listed.store(true, Ordering::Release);
            still = if reached < window.reached { 0 } else { still + 1 };
            (window.reached, is_first) = (reached, false);
        }
        Ok(tally)
    }

    /// The part counts as listed.
    async fn leave(&self, folder: &SyncedFolder, window: &BackfillWindow, mut tally: Tally, why: &str) -> Result<Tally> {
        tracing::warn!(target: "tidings::sync", account = self.context.account.id, reason = why, "a part of a back-fill leads nowhere; the rest of it is left to the walk of its folder");
        let step = BackfillStep { turn: self.turn, lower: window.lower, reached: window.lower, done: 0, worked_ms: self.stopwatch.lap(&self.context) };
        tally.add(&self.store(folder, Vec::new(), step).await?);
        Ok(tally)
    }

    async fn lister(&self, window: &BackfillWindow, page_size: &PageSize) -> Result<Lister> {
        let bound = |at: i64, open: i64| (at != open).then(|| from_ms(at));
        let range = ListingRange {
            folder_id: window.folder_id.clone(),
            from: bound(window.lower, OPEN_LOWER),
            to: bound(window.reached, OPEN_UPPER),
            order: ListingOrder::NewestFirst,
        };
        Lister::new(&self.context, &range, page_size.now(), Priority::BackFill).await
    }

    /// How far a page brings the part. Messages of the same second as the oldest one may follow on the next page, so that one begins with that second again.
    fn step(&self, window: &BackfillWindow, items: &[DeltaItem], is_first: bool, is_last: bool) -> BackfillStep {
        let received = |item: &DeltaItem| match item {
            DeltaItem::Message(item) => item.received_at.map(to_ms),
            DeltaItem::Removed { .. } | DeltaItem::Unreadable { .. } => None,
        };
        let oldest = items.iter().filter_map(received).min();
        let reached = match oldest {
            _ if is_last => window.lower,
            Some(oldest) => oldest.saturating_add(1).clamp(window.lower, window.reached),
            None => window.reached,
        };
        // Those of that second were counted with the page before.
        let is_counted = |item: &&DeltaItem| is_first && window.reached != OPEN_UPPER && received(item).is_some_and(|at| at == window.reached.saturating_sub(1));
        let done = items.iter().filter(|item| !is_counted(item)).count();
        BackfillStep { turn: self.turn, lower: window.lower, reached, done: u32::try_from(done).unwrap_or(u32::MAX), worked_ms: self.stopwatch.lap(&self.context) }
    }

    async fn store(&self, folder: &SyncedFolder, items: Vec<DeltaItem>, step: BackfillStep) -> Result<Tally> {
        let context = &self.context;
        // What an enumeration has still to show is marked so: it asks for what it does not show.
        let is_complete = folder.cursor.as_ref().is_some_and(|cursor| cursor.is_delta);
        let enumeration = if is_complete { folder.enumeration } else { folder.enumeration - 1 };
        failpoint!("backfill.storing");
        let place = PagePlace { folder_id: folder.row.graph_id.clone(), enumeration, link: None, page_size: folder.page_size, anew: false, step: Some(step), within_reach: true };
        let stored = store_page(context, place, items).await?;
        failpoint!("backfill.stored");
        context.graph.meters().pages.up();
        if let Some(row) = context.store.backfill(&context.account.id).await? {
            context.event_bus.publish(Event::BackfillChanged { backfill: shown(&row) });
        }
        Ok(stored.tally)
    }
}
