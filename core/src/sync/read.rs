//! What is here: messages, bodies, threads, folders. Nothing of this touches the network, but marking as read.

use super::clean;
use super::record::{body_place, message, row_of, unpack_body};
use super::run::folder_place;
use crate::clock::{Clock, from_ms, to_ms};
use crate::config::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Graph};
use crate::model::{AccountFilter, AuditKind, BodyType, Folder, MailThread, Message, MessageBody, MessagePage, MessageQuery, QuarantinedItem};
use crate::pipeline::Priority;
use crate::runtime::blocking;
use crate::store::{Entry, MessageRow, MessageWindow, QuarantineRow, Store, SyncedFolder};
use crate::vault::{DataKey, Vault};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Rows read at a time of a long thread.
const THREAD_PAGE: u32 = 500;
const MOST_QUARANTINED: u32 = 1000;

#[derive(Clone)]
pub struct Reader {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    pub news: watch::Sender<u64>,
    pub content: Content,
}

impl Reader {
    pub async fn folders(&self, account_id: String) -> Result<Vec<Folder>> {
        self.look(move |this| {
            let key = this.vault.content(&account_id)?;
            this.store.folders(&account_id)?.into_iter().map(|f| folder(&key, &account_id, f)).collect()
        })
        .await
    }

    pub async fn quarantined(&self, account_id: String) -> Result<Vec<QuarantinedItem>> {
        let store = self.store.clone();
        let rows = blocking(move || store.quarantine(&account_id, MOST_QUARANTINED)).await?;
        let item = |row: QuarantineRow| QuarantinedItem {
            kind: row.kind,
            graph_id: row.graph_id,
            folder_id: row.folder_id,
            reason: row.reason,
            tries: row.tries,
            since: from_ms(row.since),
            next_try_at: from_ms(row.next_at),
        };
        Ok(rows.into_iter().map(item).collect())
    }

    pub async fn messages(&self, query: MessageQuery) -> Result<MessagePage> {
        if !(1..=500).contains(&query.limit) {
            return Err(Error::invalid("limit must be from 1 to 500."));
        }
        let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
        self.look(move |this| {
            let folder_ids = match (&query.folder, &query.account_id) {
                (Some(folder), Some(account_id)) => Some(vec![this.folder_id(account_id, folder)?.ok_or_else(no_folder)?]),
                // Without an account: the inboxes of all, say.
                (Some(folder), None) => Some(this.folder_ids(folder)?),
                (None, _) => None,
            };
            let window = MessageWindow {
                account_id: query.account_id.clone(),
                folder_ids,
                is_read: query.is_read,
                conversation_id: query.conversation_id.clone(),
                limit: query.limit,
                after,
                oldest_first: false,
            };
            let page = this.store.messages(&window)?;
            let next = page.rows.last().filter(|_| page.more).map(cursor_of);
            let items = this.open(&page.rows)?;
            this.record(window.account_id.as_deref(), None, counted("A list of messages was read", items.len()))?;
            Ok(MessagePage { items, next })
        })
        .await
    }

    pub async fn message(&self, message_id: &str) -> Result<Message> {
        let id = message_id.to_owned();
        self.look(move |this| {
            let row = this.row(&id)?;
            let message = message(&this.key(&row)?, &row)?;
            this.record(Some(&row.account_id), Some(id.clone()), "A message was read.")?;
            Ok(message)
        })
        .await
    }

    pub async fn body(&self, message_id: &str) -> Result<MessageBody> {
        let id = message_id.to_owned();
        self.look(move |this| {
            let row = this.row(&id)?;
            let body = this.read_body(&row)?;
            this.record(Some(&row.account_id), Some(id.clone()), "A body was read.")?;
            Ok(body)
        })
        .await
    }

    pub async fn thread(&self, message_id: &str) -> Result<MailThread> {
        let id = message_id.to_owned();
        self.look(move |this| {
            let row = this.row(&id)?;
            let mut messages = Vec::new();
            // A message without a conversation is its own.
            if row.conversation_id.is_empty() {
                messages = this.open(std::slice::from_ref(&row))?;
            } else {
                let mut window = MessageWindow {
                    account_id: Some(row.account_id.clone()),
                    conversation_id: Some(row.conversation_id.clone()),
                    limit: THREAD_PAGE,
                    oldest_first: true,
                    ..MessageWindow::default()
                };
                loop {
                    let page = this.store.messages(&window)?;
                    messages.extend(this.open(&page.rows)?);
                    window.after = page.rows.last().map(|last| (last.received_at.unwrap_or(0), last.row_id));
                    if !page.more {
                        break;
                    }
                }
            }
            // A purge may have come in between and left half of it.
            this.key(&row)?;
            this.record(Some(&row.account_id), Some(id.clone()), counted("A conversation was read", messages.len()))?;
            let subject = messages.first().map(|m| m.subject.clone()).unwrap_or_default();
            Ok(MailThread { conversation_id: row.conversation_id, account_id: row.account_id, subject, messages })
        })
        .await
    }

    /// In the mailbox first, then here: if the process dies in between, the next sync brings it.
    pub async fn mark_read(&self, message_id: &str, is_read: bool) -> Result<Message> {
        let (this, id) = (self.clone(), message_id.to_owned());
        let row = blocking(move || this.row(&id)).await?;
        let caller = Caller { account_id: row.account_id.clone(), user_id: String::new(), priority: Priority::User, max_wait: Duration::from_secs(30) };
        let change_key = self.graph.set_read(&caller, &row.graph_id, is_read, &row.change_key).await?;
        let id = message_id.to_owned();
        let written = self.look(move |this| {
            this.store.set_read(row.row_id, is_read, change_key.as_deref(), to_ms(this.clock.now()))?;
            let row = this.row(&id)?;
            let message = message(&this.key(&row)?, &row)?;
            this.record(Some(&row.account_id), Some(id.clone()), "A message was marked and read.")?;
            Ok(message)
        })
        .await;
        self.news.send_modify(|n| *n = n.wrapping_add(1));
        written
    }

    /// The account a message belongs to.
    pub async fn account_of(&self, message_id: &str) -> Result<String> {
        let (this, id) = (self.clone(), message_id.to_owned());
        blocking(move || Ok(this.row(&id)?.account_id)).await
    }

    /// Reads off the async threads; anew when a key was replaced between reading a row and opening it.
    pub(super) async fn look<T: Send + 'static>(&self, work: impl Fn(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let this = self.clone();
        blocking(move || this.vault.again(|| work(&this))).await
    }

    fn row(&self, id: &str) -> Result<MessageRow> {
        self.store.message(row_of(id).ok_or_else(not_found)?)?.ok_or_else(not_found)
    }

    /// Who reads content leaves a record of it, before anything is handed out. No record, no content.
    pub(super) fn record(&self, account_id: Option<&str>, subject: Option<String>, detail: impl Into<String>) -> Result<()> {
        let entry = Entry { account_id: account_id.map(str::to_owned), subject, ..Entry::new(AuditKind::ContentRead, detail) };
        self.store.record(&[entry], to_ms(self.clock.now()))
    }

    fn read_body(&self, row: &MessageRow) -> Result<MessageBody> {
        // Microsoft may send no body at all.
        let Some((sealed, version)) = self.store.body(row.row_id)? else {
            // Or a purge came in between and took it.
            self.key(row)?;
            return Ok(MessageBody { body_type: BodyType::Text, content: String::new(), text: String::new(), html: String::new() });
        };
        let packed = self.key(row)?.open(body_place(&row.account_id, &row.graph_id, version), &sealed)?;
        let (body_type, content) = unpack_body(&packed)?;
        let (text, html) = (clean::text(body_type, &content), clean::html(body_type, &content));
        Ok(MessageBody { body_type, content, text, html })
    }

    /// A message whose key is destroyed is being purged: it is gone, though its row may still be there.
    fn key(&self, row: &MessageRow) -> Result<DataKey> {
        self.vault.content(&row.account_id).map_err(|e| if e.kind() == ErrorKind::NotConnected { not_found() } else { e })
    }

    pub(super) fn open(&self, rows: &[MessageRow]) -> Result<Vec<Message>> {
        let mut items = Vec::with_capacity(rows.len());
        let mut keys = std::collections::HashMap::new();
        for row in rows {
            if !keys.contains_key(&row.account_id) {
                let key = match self.key(row) {
                    Ok(key) => Some(key),
                    // A list of several accounts goes on without the one that is being purged.
                    Err(e) if e.kind() == ErrorKind::NotFound => None,
                    Err(e) => return Err(e),
                };
                keys.insert(row.account_id.clone(), key);
            }
            if let Some(Some(key)) = keys.get(&row.account_id) {
                items.push(message(key, row)?);
            }
        }
        Ok(items)
    }

    fn folder_id(&self, account_id: &str, folder: &str) -> Result<Option<String>> {
        let mut rows = self.store.folders(account_id)?.into_iter().map(|f| f.row);
        Ok(rows.find(|f| f.graph_id == folder || f.well_known_name.as_deref() == Some(folder)).map(|f| f.graph_id))
    }

    fn folder_ids(&self, folder: &str) -> Result<Vec<String>> {
        let accounts = self.store.accounts(&AccountFilter::default())?;
        let found: Vec<Option<String>> = accounts.iter().map(|account| self.folder_id(&account.id, folder)).collect::<Result<_>>()?;
        Ok(found.into_iter().flatten().collect())
    }
}

fn folder(key: &DataKey, account_id: &str, folder: SyncedFolder) -> Result<Folder> {
    let SyncedFolder { row, stored, .. } = folder;
    let name = key.open(folder_place(account_id, &row.graph_id, row.version), &row.name)?;
    Ok(Folder {
        account_id: account_id.to_owned(),
        display_name: String::from_utf8_lossy(&name).into_owned(),
        id: row.graph_id,
        well_known_name: row.well_known_name,
        stored,
        total: row.total,
        unread: row.unread,
    })
}

/// A message without a time counts as received at 0, as in [`MessageWindow`].
pub(super) fn cursor_of(row: &MessageRow) -> String {
    format!("{}.{}", row.received_at.unwrap_or(0), row.row_id)
}

pub(super) fn parse_cursor(text: &str) -> Result<(i64, i64)> {
    text.split_once('.')
        .and_then(|(at, row)| Some((at.parse().ok()?, row.parse().ok()?)))
        .ok_or_else(|| Error::invalid("cursor is not one that messages gave. Pass `next` of the page before, or none."))
}

pub(super) fn counted(what: &str, messages: usize) -> String {
    format!("{what}, {messages} of them.")
}

fn no_folder() -> Error {
    Error::new(ErrorKind::NotFound, "No such folder is known here. Sync first, or pass an id from folders.")
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no message with this id.")
}
