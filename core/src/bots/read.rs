//! What was said to the bot, and its conversations, for the host.

use super::{Bots, Names};
use crate::bot::Said;
use crate::clock::{from_ms, to_ms};
use crate::error::Result;
use crate::model::{AuditKind, BotActivity, BotActivityPage, BotActivityQuery, BotConversation, BotConversationPage, BotConversationQuery};
use crate::store::{ActivityRow, BotWindow, ConversationRow, Entry, Scope, activity_place, conversation_place};
use crate::vault::DataKey;

impl Bots {
    /// One more than asked for tells whether there are more. That it was read is recorded.
    pub async fn activities(&self, scope: Scope, query: &BotActivityQuery) -> Result<BotActivityPage> {
        let [kind, whose] = scope.parts();
        let conversation = query.conversation_id.as_deref().unwrap_or_default().as_bytes();
        let list: [&[u8]; 4] = [b"bot activities", kind, whose, conversation];
        let before = query.cursor.as_deref().map(|cursor| self.vault.position::<2>(&list, cursor)).transpose()?.map(|[at, row]| (at, row));
        let window = BotWindow { account_ids: scope.account_ids().to_vec(), conversation_id: query.conversation_id.clone(), before, limit: query.limit };
        let read = async || {
            let mut rows = self.store.activities(&window).await?;
            let more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| more).map(|row| self.vault.cursor(&list, &[row.at, row.row_id])).transpose()?;
            Ok(BotActivityPage { items: self.vault.open_rows(rows, |row| &row.account_id, shown).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        self.record(format!("A list of what was said to and by a bot was read, {} of them.", page.items.len()), &scope).await?;
        Ok(page)
    }

    pub async fn activity(&self, row: ActivityRow) -> Result<Option<BotActivity>> {
        let scope = Scope::Account(row.account_id.clone());
        let read = async || Ok(self.vault.open_rows(vec![row.clone()], |row| &row.account_id, shown).await?.pop());
        let found = self.vault.with_current_keys(read).await?;
        self.record("Something that was said to or by a bot was read.".to_owned(), &scope).await?;
        Ok(found)
    }

    pub async fn conversations(&self, scope: Scope, query: &BotConversationQuery) -> Result<BotConversationPage> {
        let [kind, whose] = scope.parts();
        let list: [&[u8]; 3] = [b"bot conversations", kind, whose];
        let before = query.cursor.as_deref().map(|cursor| self.vault.position::<2>(&list, cursor)).transpose()?.map(|[at, row]| (at, row));
        let window = BotWindow { account_ids: scope.account_ids().to_vec(), conversation_id: None, before, limit: query.limit };
        let read = async || {
            let mut rows = self.store.conversations(&window).await?;
            let more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| more).map(|(id, row)| self.vault.cursor(&list, &[row.active_at, *id])).transpose()?;
            let rows = rows.into_iter().map(|(_, row)| row).collect();
            Ok(BotConversationPage { items: self.vault.open_rows(rows, |row: &ConversationRow| &row.account_id, conversation_shown).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        self.record(format!("A list of conversations of a bot was read, {} of them.", page.items.len()), &scope).await?;
        Ok(page)
    }

    async fn record(&self, words: String, scope: &Scope) -> Result<()> {
        let entry = self.vault.about(Entry::new(AuditKind::ContentRead, words), scope)?;
        self.store.record(&[entry], to_ms(self.clock.now())).await
    }
}

fn shown(key: &DataKey, row: ActivityRow) -> Result<BotActivity> {
    let said = Said::read(&key.open(activity_place(&row.account_id, &row.public_id), &row.sealed)?)?;
    Ok(BotActivity {
        id: row.public_id,
        account_id: row.account_id,
        conversation_id: row.conversation_id,
        kind: row.kind,
        activity_id: row.activity_id,
        sender_id: said.sender_id,
        sender_object_id: said.sender_object_id,
        sender_name: said.sender_name,
        text: said.text,
        value: said.value,
        at: from_ms(row.at),
        verb: said.verb,
        is_own: said.is_own,
    })
}

fn conversation_shown(key: &DataKey, row: ConversationRow) -> Result<BotConversation> {
    let names: Names = match &row.sealed {
        Some(sealed) => serde_json::from_slice(&key.open(conversation_place(&row.account_id, &row.conversation_id, row.version), sealed)?).unwrap_or_default(),
        None => Names::default(),
    };
    Ok(BotConversation {
        account_id: row.account_id,
        id: row.conversation_id,
        kind: row.kind,
        state: row.state,
        user_id: row.teams_user_id,
        name: names.name,
        active_at: from_ms(row.active_at),
    })
}
