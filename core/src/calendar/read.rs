//! The events that are here. Touches no network.

use super::{Calendar, unreadable};
use crate::clock::to_ms;
use crate::error::{Error, Result};
use crate::graph::GraphEvent;
use crate::model::{AuditKind, CalendarEvent, CalendarPage, CalendarQuery};
use crate::store::{Entry, EventRow, EventWindow, Scope, SealedEvent, event_place};
use crate::vault::DataKey;

impl Calendar {
    /// Errors: InvalidInput (the times, or the cursor is another query's).
    pub async fn list(&self, scope: Scope, query: CalendarQuery) -> Result<CalendarPage> {
        let (from_at, to_at) = (to_ms(query.starting), to_ms(query.ending));
        if from_at >= to_at {
            return Err(Error::invalid("starting must be before ending."));
        }
        let [kind, whose] = scope.parts();
        let (from, to) = (from_at.to_be_bytes(), to_at.to_be_bytes());
        let list: [&[u8]; 5] = [b"events", kind, whose, &from, &to];
        let after = query.cursor.as_deref().map(|cursor| self.vault.position::<2>(&list, cursor)).transpose()?;
        let window = EventWindow { account_ids: scope.account_ids().to_vec(), from_at, to_at, after: after.map(|[start, row]| (start, row)), limit: query.limit };
        let read = async || {
            let mut rows = self.store.events(&window).await?;
            let has_more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| has_more).map(|row| self.vault.cursor(&list, &[row.start_at, row.row_id])).transpose()?;
            Ok(CalendarPage { items: self.vault.open_rows(rows, |row| &row.account_id, open).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        let entry = Entry::new(AuditKind::ContentRead, format!("A list of calendar events was read, {} of them.", page.items.len()));
        self.store.record(&[self.vault.about(entry, &scope)?], to_ms(self.clock.now())).await?;
        Ok(page)
    }
}

fn open(key: &DataKey, row: EventRow) -> Result<CalendarEvent> {
    let opened = |sealed: &SealedEvent| -> Result<GraphEvent> {
        let plain = key.open(event_place(&row.account_id, &sealed.graph_id, sealed.version), &sealed.sealed)?;
        serde_json::from_slice(&plain).map_err(unreadable)
    };
    let master = row.master.as_ref().map(opened).transpose()?;
    let event = opened(&row.own)?.whole(master);
    Ok(CalendarEvent { id: row.public_id, account_id: row.account_id, ..event })
}
