//! What is new in the calendar of a mailbox.

use super::Calendar;
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, Changes, ChangesAnswer, EventItem, EventProof, GraphEvent, Round, is_about_one};
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::store::{AccountRow, CalendarViewRow, EventBatch, KnownEvent, Lease, NewEvent, calendar_cursor_place, event_place, leased, taken_over};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// What is done here, as errors name it.
const THIS: &str = "this sync of a calendar";
/// How long it waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
/// Events asked for by their ids, and stored, at a time.
const AT_ONCE: usize = 200;

/// One sync of one account's calendar.
struct Pass<'a> {
    calendar: &'a Calendar,
    account: &'a AccountRow,
    lease: Lease,
    stop: &'a Stop,
    view: (i64, i64),
}

/// What is known of some events: how they are now, or that they are gone.
#[derive(Default)]
struct Found {
    /// By Microsoft's id; the last one counts.
    events: BTreeMap<String, GraphEvent>,
    gone: BTreeSet<String>,
    /// There, and as they were, as far as can be told.
    kept: Vec<String>,
    /// Why something could not be told of one of them.
    failed: Option<Error>,
}

impl Calendar {
    /// Brings the calendar of an account up to date; answers how many events are new, changed or gone. Stops between pages when told to; what is stored stays.
    pub async fn sync(&self, account: &AccountRow, stop: &Stop) -> Result<u32> {
        let view = self.days.view(self.clock.now());
        let run = |lease| async move { Pass { calendar: self, account, lease, stop, view }.run().await };
        let outcome = leased(&self.store, &self.clock, format!("calendar/{}", account.id), stop, THIS, run).await;
        if let Ok(1..) = outcome {
            self.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        outcome.map_err(|e| e.on_account(&account.id))
    }
}

impl Pass<'_> {
    fn caller(&self) -> Caller {
        Caller::of(self.account, Priority::Sync, PATIENCE)
    }

    async fn run(&self) -> Result<u32> {
        let mut failed = None;
        let mut changed = self.pages(&mut failed).await?;
        // A round ends with questions: what it did not show may be gone.
        let unshown = self.calendar.store.unshown_events(&self.account.id).await?;
        for ids in unshown.chunks(AT_ONCE) {
            let mut found = Found::default();
            self.ask(ids.to_vec(), &mut found).await?;
            changed = changed.saturating_add(self.store(&found, None, false).await?);
            failed = failed.or(found.failed);
        }
        changed = changed.saturating_add(self.store(&Found::default(), None, true).await?);
        // What is wrong with one event keeps none of the others out. It is told in the end.
        failed.map_or(Ok(changed), Err)
    }

    /// Every page from where the calendar stands to its next delta link. `failed`: what could not be told of single events.
    async fn pages(&self, failed: &mut Option<Error>) -> Result<u32> {
        let (store, account_id) = (&self.calendar.store, self.account.id.as_str());
        let row = store.calendar_view(account_id).await?;
        let mut version = row.as_ref().map_or(0, |row| row.link_version);
        // Another day, or other settings: the view is another one, and a link belongs to its own.
        let mut link = match row {
            Some(row) if (row.from_at, row.to_at) == self.view => self.link().await?,
            _ => None,
        };
        let (mut changed, mut has_begun, mut round) = (0_u32, false, Round::default());
        let view = (from_ms(self.view.0), from_ms(self.view.1));
        loop {
            if link.is_none() {
                if !store.begin_calendar(account_id, self.account.generation, &self.lease, self.view).await? {
                    return Err(taken_over(THIS));
                }
                (has_begun, round) = (true, Round::default());
            }
            let answer = match self.stop.until(self.calendar.graph.calendar_changes(&self.caller(), view, link.as_deref())).await? {
                ChangesAnswer::Page(page) => match round.take(&page.link, page.is_delta, page.items.iter().map(mark), "events") {
                    Ok(()) => ChangesAnswer::Page(page),
                    Err(endless) => ChangesAnswer::UnusableLink(endless),
                },
                answer => answer,
            };
            match answer {
                ChangesAnswer::Lost if !has_begun => link = None,
                ChangesAnswer::Lost => return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place in the calendar twice. Sync again later; nothing here is lost.")),
                ChangesAnswer::UnusableLink(error) if has_begun => return Err(error),
                // Else the calendar would stand still for ever.
                ChangesAnswer::UnusableLink(error) => {
                    tracing::warn!(target: "tidings::sync", account = account_id, reason = error.reason(), "a stored link of a calendar is given up; it is read anew");
                    link = None;
                }
                ChangesAnswer::Gone => return Err(Error::new(ErrorKind::NotFound, "The mailbox has no calendar.")),
                ChangesAnswer::Page(page) => {
                    version += 1;
                    let found = self.found(&page).await?;
                    changed = changed.saturating_add(self.store(&found, Some((&page.link, version)), false).await?);
                    failpoint!("calendar.stored_page");
                    if failed.is_none() {
                        *failed = found.failed;
                    }
                    if page.is_delta {
                        return Ok(changed);
                    }
                    link = Some(page.link);
                }
            }
        }
    }

    /// Where the calendar stands. None: at its beginning.
    async fn link(&self) -> Result<Option<String>> {
        let (calendar, account_id) = (self.calendar, self.account.id.as_str());
        let open = async || match calendar.store.calendar_view(account_id).await? {
            Some(CalendarViewRow { link: Some(link), link_version, .. }) => calendar.vault.secrets(account_id).await?.open(calendar_cursor_place(account_id, link_version), &link).map(Some),
            _ => Ok(None),
        };
        match calendar.vault.with_current_keys(open).await {
            Ok(link) => Ok(link.and_then(|plain| String::from_utf8(plain.to_vec()).ok())),
            // The account was connected anew, and has another key: the calendar is read from its beginning.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a page says, with what it leaves open asked for.
    async fn found(&self, page: &Changes<EventItem>) -> Result<Found> {
        let mut found = Found::default();
        let (mut removed, mut was_shown, mut unreadable) = (BTreeSet::new(), BTreeSet::new(), 0_u32);
        // The last word of a page counts.
        for item in &page.items {
            match item {
                EventItem::Event(event) => {
                    removed.remove(&event.event.graph_id);
                    found.events.insert(event.event.graph_id.clone(), (**event).clone());
                }
                EventItem::Removed { id } => {
                    if found.events.remove(id).is_some() {
                        was_shown.insert(id.clone());
                    }
                    removed.insert(id.clone());
                }
                EventItem::Unreadable => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(target: "tidings::sync", account = self.account.id, rows = unreadable, "events that cannot be read are left out");
        }
        // What was never here, nor on this page, was never in the view.
        let mut removed: Vec<String> = removed.into_iter().collect();
        let known = self.known(&removed).await?;
        removed.retain(|id| known.contains_key(id) || was_shown.contains(id));
        self.ask(removed, &mut found).await?;
        let masters: BTreeSet<String> = found.events.values().filter(|one| one.is_part).filter_map(|one| one.event.series_id.clone()).filter(|id| !found.events.contains_key(id)).collect();
        let masters: Vec<String> = masters.into_iter().collect();
        let known = self.known(&masters).await?;
        self.ask(masters.into_iter().filter(|id| !known.contains_key(id)).collect(), &mut found).await?;
        // A series that is gone has no occurrences, whatever the page says.
        let Found { events, gone, .. } = &mut found;
        events.retain(|_, one| !one.event.series_id.as_ref().is_some_and(|id| gone.contains(id)));
        Ok(found)
    }

    async fn known(&self, ids: &[String]) -> Result<HashMap<String, KnownEvent>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let known = self.calendar.store.known_events(&self.account.id, ids).await?;
        Ok(known.into_iter().map(|row| (row.graph_id.clone(), row)).collect())
    }

    /// Whether these are there, and within the view.
    async fn ask(&self, ids: Vec<String>, found: &mut Found) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let proofs = self.stop.until(self.calendar.graph.events_by_id(&self.caller(), &ids)).await?;
        for (id, proof) in ids.into_iter().zip(proofs) {
            match proof {
                EventProof::Here(one) if one.is_master || self.is_in_view(&one) => {
                    found.events.insert(id, *one);
                }
                EventProof::Here(_) | EventProof::Gone => {
                    found.gone.insert(id);
                }
                EventProof::Unreadable => found.kept.push(id),
                EventProof::Failed(error) if is_about_one(&error) && !error.is_overload() => {
                    found.failed.get_or_insert(error);
                    found.kept.push(id);
                }
                EventProof::Failed(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_in_view(&self, one: &GraphEvent) -> bool {
        to_ms(one.event.end_at) >= self.view.0 && to_ms(one.event.start_at) <= self.view.1
    }

    /// `is_end`: of the round.
    async fn store(&self, found: &Found, link: Option<(&str, i64)>, is_end: bool) -> Result<u32> {
        let stored = self.calendar.vault.with_current_keys(async || self.store_once(found, link, is_end).await).await?;
        stored.ok_or_else(|| taken_over(THIS))
    }

    async fn store_once(&self, found: &Found, link: Option<(&str, i64)>, is_end: bool) -> Result<Option<u32>> {
        let (calendar, account_id) = (self.calendar, self.account.id.as_str());
        let ids: Vec<String> = found.events.keys().cloned().collect();
        let known = self.known(&ids).await?;
        let (content, hashes) = (calendar.vault.content(account_id).await?, calendar.vault.hashes(account_id).await?);
        let (mut put, mut same) = (Vec::new(), found.kept.clone());
        for (id, one) in &found.events {
            let text = serde_json::to_vec(one).map_err(|e| Error::internal("An event cannot be written.").with_source(e))?;
            let digest = hashes.of("calendar event", &[&text])?;
            let before = known.get(id);
            if before.is_some_and(|known| known.digest == digest) {
                same.push(id.clone());
                continue;
            }
            let version = before.map_or(1, |known| known.version + 1);
            put.push(NewEvent {
                public_id: format!("evt_{}", random::token::<16>()?),
                graph_id: id.clone(),
                series_id: one.event.series_id.clone().unwrap_or_default(),
                is_master: one.is_master,
                start_at: to_ms(one.event.start_at),
                end_at: to_ms(one.event.end_at),
                digest,
                version,
                sealed: content.seal(event_place(account_id, id, version), &text)?,
            });
        }
        let link = match link {
            Some((link, version)) => Some((calendar.vault.secrets(account_id).await?.seal(calendar_cursor_place(account_id, version), link.as_bytes())?, version)),
            None => None,
        };
        let batch = EventBatch {
            account_id: account_id.to_owned(),
            generation: self.account.generation,
            lease: self.lease.clone(),
            put,
            same,
            gone: found.gone.iter().cloned().collect(),
            link,
            is_end,
            now: to_ms(calendar.clock.now()),
        };
        calendar.store.store_events(batch).await
    }
}

/// What tells one item of a round from another.
fn mark(item: &EventItem) -> (&str, bool) {
    match item {
        EventItem::Event(event) => (&event.event.graph_id, false),
        EventItem::Removed { id } => (id, true),
        EventItem::Unreadable => ("", false),
    }
}
