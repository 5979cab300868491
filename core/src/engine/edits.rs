//! Changing messages: what may be asked for, and of whose.

use super::{Engine, Inner, scope};
use crate::clock::to_ms;
use crate::error::{Error, Result};
use crate::graph::MailFlag;
use crate::model::{Feature, FlagStatus, LinkRule, Message};
use crate::sync::{MessageChange, check_rule};
use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

const MOST_CATEGORIES: usize = 50;
const LONGEST_CATEGORY: usize = 255;
/// The year 9999, which stands for "never".
const LAST_TIME_MS: i64 = 253_370_764_800_000;

impl Engine {
    /// Sets the read state here and, in the background, in the mailbox: as `mark_all_read`, of one message, which is handed out as it is then. Errors:
    /// NotFound, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy.
    pub async fn mark_read(&self, message_id: String, is_read: bool, owner: Option<String>) -> Result<Message> {
        self.finish(|inner| async move {
            inner.edit_messages(std::slice::from_ref(&message_id), owner.as_deref(), MessageChange::Read(is_read)).await?;
            inner.reader.marked(message_id).await
        })
        .await
    }

    /// Sets the read state of 1 to 1,000 messages: of all of them, or of none. It is stored and shows at once, and goes to the mailbox in the background, many
    /// in a batch; `is_edit_waiting` of a message says that it is on its way. Offline it waits, without end and over restarts. Of each property the newest
    /// change counts, by Microsoft's clock and to the second: a newer one here replaces one that waits; where somebody else changed it in the mailbox after
    /// that, theirs stays. What Microsoft refuses for good is taken back here, which is a change in the feed and the event `EditRefused`; of a message that
    /// is gone nothing is left to change. A disconnect drops what waits. Source: Graph, message: update.
    /// Errors, before anything is stored: InvalidInput, NotFound (one of them is unknown or of another owner), NotConnected, NeedsReconnect, ConsentMissing
    /// (`Mail.ReadWrite`), StoreBusy.
    pub async fn mark_all_read(&self, message_ids: Vec<String>, is_read: bool, owner: Option<String>) -> Result<()> {
        self.edit_all(message_ids, owner, Ok(MessageChange::Read(is_read))).await
    }

    /// Flags 1 to 1,000 messages for follow-up, marks them as done, or takes the flag away; otherwise as `mark_all_read`. `due_at` is for `Flagged` alone:
    /// Outlook shows its day. Without it the flag has none. Source: Graph, followupFlag. Errors: as `mark_all_read`.
    pub async fn flag(&self, message_ids: Vec<String>, status: FlagStatus, due_at: Option<SystemTime>, owner: Option<String>) -> Result<()> {
        self.edit_all(message_ids, owner, checked_flag(status, due_at)).await
    }

    /// Adds and removes categories of 1 to 1,000 messages, by name; otherwise as `mark_all_read`. The list as it is here, changed by these, is what the mailbox
    /// gets, and the list is one property. 1 to 50 names of 1 to 255 characters. Errors: as `mark_all_read`.
    pub async fn categorize(&self, message_ids: Vec<String>, add: Vec<String>, remove: Vec<String>, owner: Option<String>) -> Result<()> {
        self.edit_all(message_ids, owner, checked_categories(add, remove)).await
    }

    /// Moves 1 to 1,000 messages to a folder, by its id, well-known name, display name or path, as of the last sync; otherwise as `mark_all_read`. They keep their ids. Not to
    /// Deleted Items or below: mail is never deleted from here. Source: Graph, message: move. Errors: as `mark_all_read`; NotFound, for a folder that is not
    /// known; InvalidInput, for one that takes no mail.
    pub async fn move_messages(&self, message_ids: Vec<String>, folder: String, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move { inner.move_messages(message_ids, &folder, owner.as_deref()).await }).await
    }

    /// `move_messages` to the archive folder of their mailboxes. Errors: as `move_messages`; NotFound where a mailbox has no archive folder.
    pub async fn archive(&self, message_ids: Vec<String>, owner: Option<String>) -> Result<()> {
        self.move_messages(message_ids, "archive".to_owned(), owner).await
    }

    /// Gives 1 to 1,000 messages a key of the host's own, all of them or none: `links` shows it, of what came into their conversations since as well, and of
    /// what comes there later; `messages` finds them by it. Each is a change in the feed. Nothing of it leaves this store.
    /// Errors: InvalidInput, NotFound (one of them is unknown or of another owner), StoreBusy.
    pub async fn link(&self, message_ids: Vec<String>, key: String, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move { inner.edits.link(&message_ids, owner.as_deref(), &key, true).await }).await
    }

    /// Takes a key from 1 to 1,000 messages, whoever gave it, and remembers that. Others of their conversations keep it; where no message of a conversation
    /// is left that was given it, what comes there gets it no more. Errors: as `link`.
    pub async fn unlink(&self, message_ids: Vec<String>, key: String, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move { inner.edits.link(&message_ids, owner.as_deref(), &key, false).await }).await
    }

    /// From now on messages of the owner's accounts get the rule's key by who wrote them and who is among `to` and `cc`: as they arrive, and those that are here in
    /// the background, in steps that survive a restart; as if by `link`, so that their conversations inherit it. An address may stand in many rules. A message the key was taken
    /// from by `unlink` does not get it back. A rule with the same key is replaced; what messages got by it stays. Addresses are stored sealed, and found by keyed hashes.
    /// Errors: InvalidInput, LimitExceeded (10,000 rules of the owner), Conflict (the owner was deleted), StoreBusy.
    pub async fn set_link_rule(&self, rule: LinkRule) -> Result<()> {
        check_rule(&rule)?;
        self.finish(|inner| async move {
            scope::check(&rule.owner)?;
            inner.retention.check_not_deleted(&rule.owner).await?;
            inner.edits.set_rule(&rule).await
        })
        .await
    }

    /// All rules of an owner, in the order in which they were made. Errors: InvalidInput.
    pub async fn link_rules(&self, owner: String) -> Result<Vec<LinkRule>> {
        self.finish(|inner| async move {
            scope::check(&owner)?;
            inner.edits.rules(&owner).await
        })
        .await
    }

    /// No more messages get a key by this rule; those that have it keep it. Errors: InvalidInput, NotFound.
    pub async fn remove_link_rule(&self, owner: String, key: String) -> Result<()> {
        self.finish(|inner| async move {
            scope::check(&owner)?;
            inner.edits.remove_rule(&owner, &key).await
        })
        .await
    }

    async fn edit_all(&self, message_ids: Vec<String>, owner: Option<String>, change: Result<MessageChange>) -> Result<()> {
        let change = change?;
        self.finish(|inner| async move { inner.edit_messages(&message_ids, owner.as_deref(), change).await }).await
    }
}

impl Inner {
    async fn edit_messages(&self, ids: &[String], owner: Option<&str>, change: MessageChange) -> Result<()> {
        self.may_edit(ids, owner).await?;
        self.edits.make(ids, owner, change).await
    }

    async fn move_messages(&self, ids: Vec<String>, folder: &str, owner: Option<&str>) -> Result<()> {
        let mut places = HashMap::new();
        for account_id in self.may_edit(&ids, owner).await? {
            let place = self.reader.target_folder(&account_id, folder).await.map_err(|e| e.on_account(account_id.clone()))?;
            places.insert(account_id, place);
        }
        self.edits.make(&ids, owner, MessageChange::Place(places)).await
    }

    /// The accounts of these messages, which may all be changed.
    async fn may_edit(&self, ids: &[String], owner: Option<&str>) -> Result<BTreeSet<String>> {
        let accounts: BTreeSet<String> = self.edits.rows(ids, owner).await?.into_iter().map(|row| row.account_id).collect();
        for account_id in &accounts {
            self.usable(account_id, Feature::MailSync).await?;
        }
        Ok(accounts)
    }
}

fn checked_flag(status: FlagStatus, due_at: Option<SystemTime>) -> Result<MessageChange> {
    if due_at.is_some() && status != FlagStatus::Flagged {
        return Err(Error::invalid("due_at is for the status Flagged alone."));
    }
    if due_at.is_some_and(|at| !(0..LAST_TIME_MS).contains(&to_ms(at))) {
        return Err(Error::invalid("due_at must be after 1970 and before the year 9999."));
    }
    Ok(MessageChange::Flag(MailFlag { status, due_at }))
}

fn checked_categories(add: Vec<String>, remove: Vec<String>) -> Result<MessageChange> {
    if !(1..=MOST_CATEGORIES).contains(&(add.len() + remove.len())) {
        return Err(Error::invalid("add and remove must have 1 to 50 categories together."));
    }
    let is_name = |name: &String| (1..=LONGEST_CATEGORY).contains(&name.chars().count()) && name.trim() == name && !name.chars().any(char::is_control);
    if !add.iter().chain(&remove).all(is_name) {
        return Err(Error::invalid("A category must have 1 to 255 characters, none of them a control character, and no space at its ends."));
    }
    if add.iter().any(|name| remove.iter().any(|other| other.to_lowercase() == name.to_lowercase())) {
        return Err(Error::invalid("A category cannot be both added and removed."));
    }
    Ok(MessageChange::Categories { add, remove })
}
