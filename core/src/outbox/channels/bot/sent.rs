//! A message of the bot that was sent is changed or deleted where it is. Source: Teams, update and delete messages sent from your bot.

use super::{BotProgress, content, person};
use crate::bot::{BotCaller, Connector, Named, Said, no_bot};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{BotActivityKind, BotDraft};
use crate::outbox::job::{Tools, read_progress};
use crate::outbox::own_words::own_mark;
use crate::roster::bot_caller;
use crate::store::{ItemRow, activity_place};

/// Where a message of the bot is.
pub struct SentByBot {
    mark: String,
    conversation_id: String,
    activity_id: String,
}

impl SentByBot {
    /// Errors: Conflict, when the Bot Connector did not say what it calls the message.
    pub async fn of(tools: &Tools, item: &ItemRow) -> Result<Self> {
        let own = read_progress::<BotProgress>(&tools.vault, item).await?.own;
        match (own.chat_id, own.graph_id) {
            (Some(conversation_id), Some(activity_id)) => Ok(Self { mark: own_mark(&item.id), conversation_id, activity_id }),
            _ => Err(Error::new(ErrorKind::Conflict, "It is not known where the message is.")),
        }
    }

    pub async fn change(&self, tools: &Tools, caller: &Caller, draft: &BotDraft) -> Result<()> {
        let mut mentioned = Vec::with_capacity(draft.mentions.len());
        for address in content::mentioned(draft) {
            let (user_id, name) = person::seen(tools, &caller.account_id, &address).await?.ok_or_else(person::unknown)?;
            mentioned.push(Named { user_id, name, text: String::new() });
        }
        let activity = content::compose(draft, &mentioned)?;
        let (connector, caller) = self.way(tools, caller).await?;
        connector.change(&caller, &self.conversation_id, &self.activity_id, &activity).await?;
        self.keep(tools, &caller.account_id, BotActivityKind::MessageEdited, content::text(draft)).await
    }

    pub async fn delete(&self, tools: &Tools, caller: &Caller) -> Result<()> {
        let (connector, caller) = self.way(tools, caller).await?;
        connector.delete(&caller, &self.conversation_id, &self.activity_id).await?;
        self.keep(tools, &caller.account_id, BotActivityKind::MessageDeleted, String::new()).await
    }

    /// In place of what was kept of it; what is older than is kept stays away.
    async fn keep(&self, tools: &Tools, account_id: &str, kind: BotActivityKind, text: String) -> Result<()> {
        let write = async || {
            let Some(row) = tools.store.own_activity(account_id, &self.mark).await? else { return Ok(()) };
            let (key, place) = (tools.vault.content(account_id).await?, activity_place(account_id, &row.public_id));
            let kept = Said { text: text.clone(), ..Said::read(&key.open(place, &row.sealed)?)? };
            let sealed = key.seal(activity_place(account_id, &row.public_id), &kept.bytes()?)?;
            tools.store.change_activity(&row.public_id, kind, &sealed).await
        };
        tools.vault.with_current_keys(write).await
    }

    async fn way<'a>(&self, tools: &'a Tools, caller: &Caller) -> Result<(&'a Connector, BotCaller)> {
        let connector = tools.bots.as_ref().ok_or_else(no_bot)?;
        let known = tools.store.conversation(&caller.account_id, &self.conversation_id).await?;
        Ok((connector, bot_caller(&*tools.store, caller, known.as_ref()).await?))
    }
}
