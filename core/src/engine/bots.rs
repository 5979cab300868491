//! What a bot sees of an organisation.

use super::{Engine, Inner};
use crate::bot::{Connector, check_conversation, no_bot};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{BotActivity, BotActivityPage, BotActivityQuery, BotConversationPage, BotConversationQuery, RosterMember, RosterPage};
use crate::outbox::check_id;
use crate::pipeline::Priority;
use crate::roster::{SeenPeople, bot_caller, shown, team_thread};
use crate::sync::check_limit;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_CURSOR: usize = 4 << 10;

impl Engine {
    /// People of a team as the bot sees them, a page of up to `limit` (50 to 500) at a time; `account_id` is that of an organisation, `cursor` the `next` of the page
    /// before. They are remembered, so that a `BotDraft` finds them by address, object id or `id`. The bot's app has to be installed in the team. Errors: InvalidInput;
    /// NotFound (the account, the team); NotConnected; Forbidden; AppNotInstalled; Throttled. Source: Teams, get Teams specific context for your bot.
    pub async fn roster(&self, account_id: String, team_id: String, limit: u32, cursor: Option<String>, owner: Option<String>) -> Result<RosterPage> {
        check_id("team_id", &team_id)?;
        if !(50..=500).contains(&limit) {
            return Err(Error::invalid("limit must be from 50 to 500."));
        }
        if cursor.as_ref().is_some_and(|cursor| cursor.is_empty() || cursor.len() > LONGEST_CURSOR || cursor.chars().any(char::is_control)) {
            return Err(Error::invalid("cursor is none that roster gave. Pass next of the page before, or leave it out."));
        }
        self.finish(|inner| async move { inner.roster(&account_id, &team_id, limit, cursor.as_deref(), owner.as_deref()).await.map_err(|e| e.on_account(&account_id)) }).await
    }

    /// What people said to the bot, what it was told, and what it said itself once that was sent (`is_own`), the newest first: of all organisations of an owner or of one
    /// account, of all conversations or of one. It is kept as long as changes are (`keep_changes_days`). Touches no network. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
    /// NotFound.
    pub async fn bot_activities(&self, query: BotActivityQuery) -> Result<BotActivityPage> {
        query.conversation_id.as_deref().map_or(Ok(()), check_conversation)?;
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.bots.activities(scope, &query).await
        })
        .await
    }

    /// One of them, as a change names it in `subject_id`. Touches no network. Errors: NotFound.
    pub async fn bot_activity(&self, id: String, owner: Option<String>) -> Result<BotActivity> {
        check_id("id", &id)?;
        self.finish(|inner| async move {
            let none = || Error::new(ErrorKind::NotFound, "There is no activity with this id, or it is older than is kept.");
            let row = inner.store.activity(&id).await?.ok_or_else(none)?;
            inner.owned(&row.account_id, owner.as_deref()).await.map_err(|_| none())?;
            inner.bots.activity(row).await?.ok_or_else(none)
        })
        .await
    }

    /// Conversations of the bot, the one in which something happened last first: of all organisations of an owner or of one account. Touches no network. Errors: as
    /// `bot_activities`.
    pub async fn conversations(&self, query: BotConversationQuery) -> Result<BotConversationPage> {
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.bots.conversations(scope, &query).await
        })
        .await
    }

    /// Shows in a conversation, for a few seconds, that the bot is typing. Errors: InvalidInput; NotFound (the account, the conversation); NotConnected; AppNotInstalled;
    /// BotBlocked; ConversationGone. Source: Bot Framework, activity of the type typing.
    pub async fn typing(&self, account_id: String, conversation_id: String, owner: Option<String>) -> Result<()> {
        check_conversation(&conversation_id)?;
        self.finish(|inner| async move { inner.typing(&account_id, &conversation_id, owner.as_deref()).await.map_err(|e| e.on_account(&account_id)) }).await
    }
}

impl Inner {
    async fn typing(&self, account_id: &str, conversation_id: &str, owner: Option<&str>) -> Result<()> {
        self.owned(account_id, owner).await?;
        self.usable_by_bot(account_id).await?;
        let none = || Error::new(ErrorKind::NotFound, "The bot knows no conversation with this id in this organisation.");
        let known = self.store.conversation(account_id, conversation_id).await?.ok_or_else(none)?;
        let caller = bot_caller(&*self.store, &Caller::new(account_id, Priority::Interactive, PATIENCE), Some(&known)).await?;
        self.bot()?.typing(&caller, conversation_id).await
    }

    async fn roster(&self, account_id: &str, team_id: &str, limit: u32, cursor: Option<&str>, owner: Option<&str>) -> Result<RosterPage> {
        self.owned(account_id, owner).await?;
        self.usable_by_bot(account_id).await?;
        let caller = Caller::new(account_id, Priority::Interactive, PATIENCE);
        let bot = bot_caller(&*self.store, &caller, None).await?;
        let thread = team_thread(&self.reader.graph, &caller, team_id).await?;
        let page = self.bot()?.roster(&bot, &thread, limit, cursor).await?;
        let seen = SeenPeople { store: &*self.store, vault: &self.vault };
        seen.keep(account_id, &page.members, to_ms(self.clock.now())).await?;
        let items: Vec<RosterMember> = page.members.into_iter().filter_map(shown).collect();
        Ok(RosterPage { items, next: page.next })
    }

    fn bot(&self) -> Result<&Connector> {
        self.bots.connector.as_ref().ok_or_else(no_bot)
    }
}
