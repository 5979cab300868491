//! What the bot has said is kept beside what was said to it, so that an operator reads both sides.

use super::channel::OwnWords;
use super::job::Tools;
use crate::bot::{Said, bot_id};
use crate::error::Result;
use crate::model::BotActivityKind;
use crate::random;
use crate::store::{ItemRow, NewActivity, activity_place};
use crate::vault::DataKey;

/// Not sealed yet.
pub struct OwnActivity {
    public_id: String,
    conversation_id: String,
    activity_id: String,
    kept: Said,
}

impl OwnActivity {
    pub fn new(tools: &Tools, OwnWords { conversation_id, activity_id, text }: OwnWords) -> Result<Self> {
        let sender_id = tools.bots.as_ref().map(|bot| bot_id(bot.client_id()));
        Ok(Self { public_id: format!("act_{}", random::token::<16>()?), conversation_id, activity_id, kept: Said { sender_id, text, is_own: true, ..Said::default() } })
    }

    pub fn sealed(&self, key: &DataKey, item: &ItemRow, now: i64) -> Result<NewActivity> {
        Ok(NewActivity {
            public_id: self.public_id.clone(),
            account_id: item.account_id.clone(),
            conversation_id: self.conversation_id.clone(),
            activity_id: self.activity_id.clone(),
            kind: BotActivityKind::Message,
            mark: own_mark(&item.id),
            at: now,
            received_at: now,
            sealed: key.seal(activity_place(&item.account_id, &self.public_id), &self.kept.bytes()?)?,
        })
    }
}

/// What tells the message of one send from that of another.
pub fn own_mark(item_id: &str) -> String {
    format!("sent/{item_id}")
}
