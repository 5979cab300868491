//! Conversations as lists show them, over one account or all of an owner. Ids of conversations are a mailbox's own, so two accounts in one conversation have two threads.

use super::read::{Reader, counted};
use crate::error::Result;
use crate::model::{Address, Message, ThreadPage, ThreadQuery, ThreadSummary};
use crate::store::{MessageRow, Scope, ThreadPlace, ThreadRow, ThreadWindow};
use std::collections::{HashMap, HashSet};

/// Mails of a conversation that are looked at for who takes part and what it is about; and the oldest one.
const MOST_MEMBERS: u32 = 50;
const MOST_PARTICIPANTS: usize = 100;

impl Reader {
    pub async fn threads(&self, scope: Scope, query: ThreadQuery) -> Result<ThreadPage> {
        let list = list_of(&scope, &query);
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        let after = query.cursor.as_deref().map(|cursor| self.vault.position::<3>(&list, cursor)).transpose()?;
        let window = ThreadWindow {
            mailboxes: self.mailboxes(&scope, query.folder.as_deref()).await?,
            unread_only: query.unread_only,
            link: self.link_hashes(&scope, query.link.as_deref()).await?,
            address: self.address_hashes(&scope, query.address.as_deref()).await?,
            limit: query.limit,
            after: after.map(|[received_at, row_id, until]| ThreadPlace { received_at, row_id, until }),
            most_members: MOST_MEMBERS,
        };
        let read = async || {
            let page = self.store.threads(&window).await?;
            let next = page.next.map(|place| self.vault.cursor(&list, &[place.received_at, place.row_id, place.until])).transpose()?;
            Ok(ThreadPage { items: self.summaries(page.rows).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        self.record(&scope, counted("A list of conversations was read", page.items.len())).await?;
        Ok(page)
    }

    async fn summaries(&self, rows: Vec<ThreadRow>) -> Result<Vec<ThreadSummary>> {
        // Each message is opened once, though the newest is mostly a member as well.
        let mut seen = HashSet::new();
        let all = rows.iter().flat_map(|row| std::iter::once(&row.newest).chain(&row.members));
        let wanted: Vec<MessageRow> = all.filter(|row| seen.insert(row.row_id)).cloned().collect();
        let opened: HashMap<String, Message> = self.open(wanted).await?.into_iter().map(|message| (message.id.clone(), message)).collect();
        // Without those of an account that is being purged.
        Ok(rows.into_iter().filter_map(|row| summary(row, &opened)).collect())
    }
}

fn summary(row: ThreadRow, opened: &HashMap<String, Message>) -> Option<ThreadSummary> {
    let newest = opened.get(&row.newest.id)?.clone();
    let members: Vec<&Message> = row.members.iter().filter_map(|row| opened.get(&row.id)).collect();
    let mut links = Vec::new();
    for link in members.iter().rev().flat_map(|message| &message.links) {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    Some(ThreadSummary {
        conversation_id: newest.conversation_id.clone(),
        account_id: newest.account_id.clone(),
        subject: members.last().map_or_else(|| newest.subject.clone(), |oldest| oldest.subject.clone()),
        participants: participants(&members),
        messages: row.messages,
        unread: row.unread,
        has_attachments: row.has_attachments || members.iter().any(|message| message.has_attachments),
        links,
        newest,
    })
}

/// Those who wrote before those who were written to, each once, the latest first.
fn participants(members: &[&Message]) -> Vec<Address> {
    let wrote = members.iter().filter_map(|message| message.from_address.as_ref());
    let read = members.iter().flat_map(|message| message.to.iter().chain(&message.cc));
    let mut known = HashSet::new();
    let is_new = |address: &&Address| known.insert(if address.address.is_empty() { address.name.to_lowercase() } else { address.address.to_lowercase() });
    wrote.chain(read).filter(is_new).take(MOST_PARTICIPANTS).cloned().collect()
}

/// What a list of conversations is, for its cursors: whose, and by what filters.
fn list_of(scope: &Scope, query: &ThreadQuery) -> Vec<Vec<u8>> {
    let given = |text: &Option<String>| text.as_ref().map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat());
    let [kind, whose] = scope.parts().map(<[u8]>::to_vec);
    let mut list = vec![b"threads".to_vec(), kind, whose, given(&query.folder), given(&query.link), vec![u8::from(query.unread_only)]];
    list.extend(query.address.as_ref().map(|address| [b"@", address.as_bytes()].concat()));
    list
}
