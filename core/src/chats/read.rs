//! The messages that are here. Touches no network.

use super::{Chats, unreadable};
use crate::clock::to_ms;
use crate::error::Result;
use crate::graph::GraphTeamsMessage;
use crate::model::{AuditKind, BodyType, TeamsMessage, TeamsMessageQuery};
use crate::store::{Entry, TeamsMessageRow, TeamsMessageWindow, Scope, teams_message_place, teams_message_row};
use crate::vault::DataKey;

/// Messages with the form of their bodies, as their senders wrote them.
pub struct ReadPage {
    pub items: Vec<(BodyType, TeamsMessage)>,
    pub next: Option<String>,
}

impl Chats {
    /// Errors: InvalidInput (the cursor is another query's).
    pub async fn list(&self, scope: Scope, query: &TeamsMessageQuery) -> Result<ReadPage> {
        let [kind, whose] = scope.parts();
        let list: [&[u8]; 4] = [b"chat messages", kind, whose, query.chat_id.as_deref().unwrap_or_default().as_bytes()];
        let before = query.cursor.as_deref().map(|cursor| self.vault.position::<2>(&list, cursor)).transpose()?;
        let window = TeamsMessageWindow { account_ids: scope.account_ids().to_vec(), chat_id: query.chat_id.clone(), before: before.map(|[time, row]| (time, row)), limit: query.limit };
        let read = async || {
            let mut rows = self.store.teams_messages(&window).await?;
            let has_more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| has_more).map(|row| self.vault.cursor(&list, &[row.sent_at, row.row_id])).transpose()?;
            Ok(ReadPage { items: self.vault.open_rows(rows, |row| &row.account_id, open).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        let entry = Entry::new(AuditKind::ContentRead, format!("A list of chat messages was read, {} of them.", page.items.len()));
        self.store.record(&[self.vault.about(entry, &scope)?], to_ms(self.clock.now())).await?;
        Ok(page)
    }
}

fn open(key: &DataKey, row: TeamsMessageRow) -> Result<(BodyType, TeamsMessage)> {
    let plain = key.open(teams_message_place(&row.account_id, &teams_message_row(&row.chat_id, &row.graph_id), row.version), &row.sealed)?;
    let read: GraphTeamsMessage = serde_json::from_slice(&plain).map_err(unreadable)?;
    Ok((read.body_type, TeamsMessage { id: row.public_id, account_id: row.account_id, ..read.message }))
}
