//! What is here: messages, bodies, threads, folders. Nothing of this touches the network.

use super::body::unpack_body;
use super::inline::shows_inline_files;
use super::named::{self, Place};
use super::record::{body_place, message};
use super::run::folder_place;
use super::shown_body::{Images, shown};
use crate::clock::{Clock, from_ms, to_ms};
use crate::config::{ALL_FOLDERS, Content};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::model::{AttachmentInfo, AuditKind, BodyForm, BodyOptions, BodyType, Folder, MailThread, Message, MessageBody, MessagePage, MessageQuery, QuarantinedItem};
use crate::runtime::blocking;
use crate::store::{Entry, FolderRow, Mailbox, MessageRow, MessageWindow, QuarantineRow, Scope, Store, SyncedFolder};
use crate::vault::{DataKey, Vault};
use std::collections::HashMap;
use std::sync::Arc;
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
        let read = async || {
            let key = self.vault.content(&account_id).await?;
            let unread = self.store.unread(&account_id).await?;
            self.store.folders(&account_id).await?.into_iter().map(|f| folder(&key, &account_id, f, &unread)).collect()
        };
        self.vault.with_current_keys(read).await
    }

    pub async fn quarantined(&self, account_id: String) -> Result<Vec<QuarantinedItem>> {
        let rows = self.store.quarantine(&account_id, MOST_QUARANTINED).await?;
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

    pub async fn messages(&self, scope: Scope, query: MessageQuery) -> Result<MessagePage> {
        let list = list_of(&scope, &query);
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        let after = query.cursor.as_deref().map(|cursor| self.vault.position::<2>(&list, cursor)).transpose()?;
        let window = MessageWindow {
            mailboxes: self.mailboxes(&scope, query.folder.as_deref()).await?,
            is_read: query.is_read,
            has_attachments: query.has_attachments,
            from: query.received_after.map(to_ms),
            before: query.received_before.map(to_ms),
            conversation_id: query.conversation_id.clone(),
            link: self.link_hashes(&scope, query.link.as_deref()).await?,
            address: self.address_hashes(&scope, query.address.as_deref()).await?,
            limit: query.limit,
            after: after.map(|[at, row]| (at, row)),
            oldest_first: false,
        };
        if window.has_attachments.is_some() {
            self.know_files(&scope).await?;
        }
        let read = async || {
            let page = self.store.messages(&window).await?;
            let last = page.rows.last().filter(|_| page.more);
            let next = last.map(|row| self.vault.cursor(&list, &[row.received_at.unwrap_or(0), row.row_id])).transpose()?;
            Ok(MessagePage { items: self.open(page.rows).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        self.record(&scope, counted("A list of messages was read", page.items.len())).await?;
        Ok(page)
    }

    pub async fn message(&self, id: String, owner: Option<String>) -> Result<Message> {
        let (row, message) = self.read_message(&id, owner.as_deref()).await?;
        self.record_one(&row, "A message was read.").await?;
        Ok(message)
    }

    /// A message whose content is about to be read from the mailbox; that it is read is recorded.
    pub async fn message_for_content(&self, id: String, owner: Option<String>, detail: &str) -> Result<Message> {
        let (row, message) = self.read_message(&id, owner.as_deref()).await?;
        self.record_one(&row, detail).await?;
        Ok(message)
    }

    /// The mailbox's id of a mail, its account and what is attached, if its HTML names pictures of its own.
    pub async fn named_pictures(&self, id: &str, owner: Option<&str>) -> Result<Option<(String, String, Vec<AttachmentInfo>)>> {
        let read = async || {
            let row = self.row(id, owner).await?;
            let body = self.read_body(&row, Some(BodyForm::Original), BodyOptions::default(), Arc::default()).await?;
            let names_any = body.body_type == BodyType::Html && blocking(move || Ok(shows_inline_files(&body.content))).await?;
            let files = if names_any { message(&self.key(&row).await?, &row)?.attachments } else { Vec::new() };
            Ok((row, files))
        };
        let (row, files) = self.vault.with_current_keys(read).await?;
        Ok((!files.is_empty()).then_some((row.graph_id, row.account_id, files)))
    }

    /// `images`: those of its pictures that are to take their place.
    pub async fn body(&self, id: String, owner: Option<String>, form: Option<BodyForm>, options: BodyOptions, images: Images) -> Result<MessageBody> {
        let images = Arc::new(images);
        let read = async || {
            let row = self.row(&id, owner.as_deref()).await?;
            let body = self.read_body(&row, form, options, images.clone()).await?;
            Ok((row, body))
        };
        let (row, body) = self.vault.with_current_keys(read).await?;
        self.record_one(&row, "A body was read.").await?;
        Ok(body)
    }

    pub async fn thread(&self, id: String, owner: Option<String>) -> Result<MailThread> {
        let read = async || {
            let row = self.row(&id, owner.as_deref()).await?;
            let messages = self.read_thread(&row).await?;
            // A purge may have come in between and left half of it.
            self.key(&row).await?;
            Ok((row, messages))
        };
        let (row, messages) = self.vault.with_current_keys(read).await?;
        self.record_one(&row, counted("A conversation was read", messages.len())).await?;
        let subject = messages.first().map(|m| m.subject.clone()).unwrap_or_default();
        Ok(MailThread { conversation_id: row.conversation_id, account_id: row.account_id, subject, messages })
    }

    async fn read_thread(&self, row: &MessageRow) -> Result<Vec<Message>> {
        // A message without a conversation is its own.
        if row.conversation_id.is_empty() {
            return self.open(vec![row.clone()]).await;
        }
        let mut window = MessageWindow {
            mailboxes: vec![Mailbox { account_id: row.account_id.clone(), folder_id: None }],
            conversation_id: Some(row.conversation_id.clone()),
            limit: THREAD_PAGE,
            oldest_first: true,
            ..MessageWindow::default()
        };
        let mut messages = Vec::new();
        loop {
            let page = self.store.messages(&window).await?;
            window.after = page.rows.last().map(|last| (last.received_at.unwrap_or(0), last.row_id));
            messages.extend(self.open(page.rows).await?);
            if !page.more {
                return Ok(messages);
            }
        }
    }

    /// After a change of it.
    pub async fn marked(&self, id: String) -> Result<Message> {
        let (row, message) = self.read_message(&id, None).await?;
        self.record_one(&row, "A message was marked and read.").await?;
        Ok(message)
    }

    /// A folder to move messages to, by id or well-known name. Errors: NotFound, InvalidInput for one that takes no mail, or from which it would be deleted.
    pub async fn target_folder(&self, account_id: &str, folder: &str) -> Result<String> {
        let folder = named::well_known(folder).unwrap_or(folder);
        if DELETED.contains(&folder) {
            return Err(deleted());
        }
        let target = self.folder_id(account_id, folder).await?;
        let folders: HashMap<String, FolderRow> = self.store.folders(account_id).await?.into_iter().map(|f| (f.row.graph_id.clone(), f.row)).collect();
        let target = target.and_then(|id| folders.get(&id));
        let target = target.ok_or_else(|| if folder == "archive" { no_archive() } else { no_folder() })?;
        if target.is_search {
            return Err(Error::invalid("A search folder shows messages of others and holds none. Name another folder."));
        }
        let mut above = Some(target);
        // No tree is deeper than Exchange's 300 levels; a circle ends here.
        for _ in 0..300 {
            let Some(row) = above else { break };
            if row.well_known_name.as_deref().is_some_and(|name| DELETED.contains(&name)) {
                return Err(deleted());
            }
            above = row.parent_id.as_ref().and_then(|parent| folders.get(parent));
        }
        Ok(target.graph_id.clone())
    }

    async fn row(&self, id: &str, owner: Option<&str>) -> Result<MessageRow> {
        self.store.message(id, owner).await?.ok_or_else(not_found)
    }

    async fn read_message(&self, id: &str, owner: Option<&str>) -> Result<(MessageRow, Message)> {
        let read = async || {
            let row = self.row(id, owner).await?;
            let mut message = message(&self.key(&row).await?, &row)?;
            if let Some(links) = self.links_of(std::slice::from_ref(&row)).await?.remove(&row.row_id) {
                message.links = links;
            }
            message.is_edit_waiting = !self.store.waiting_edits(&[row.row_id]).await?.is_empty();
            Ok((row, message))
        };
        self.vault.with_current_keys(read).await
    }

    /// Who reads content leaves a record of it, before anything is handed out. No record, no content.
    pub(super) async fn record(&self, scope: &Scope, detail: impl Into<String>) -> Result<()> {
        self.write_record(self.vault.about(Entry::new(AuditKind::ContentRead, detail), scope)?).await
    }

    async fn record_one(&self, row: &MessageRow, detail: impl Into<String>) -> Result<()> {
        self.write_record(Entry::new(AuditKind::ContentRead, detail).on(&row.account_id).about(&row.id)).await
    }

    async fn write_record(&self, entry: Entry) -> Result<()> {
        self.store.record(&[entry], to_ms(self.clock.now())).await
    }

    async fn read_body(&self, row: &MessageRow, form: Option<BodyForm>, options: BodyOptions, images: Arc<Images>) -> Result<MessageBody> {
        // Microsoft may send no body at all.
        let Some((sealed, version)) = self.store.body(row.row_id).await? else {
            // Or a purge came in between and took it.
            self.key(row).await?;
            return Ok(MessageBody::default());
        };
        let (key, account_id, graph_id) = (self.key(row).await?, row.account_id.clone(), row.graph_id.clone());
        // Cleaning a large body takes its time.
        blocking(move || {
            let (body_type, content) = unpack_body(&key.open(body_place(&account_id, &graph_id, version), &sealed)?)?;
            Ok(shown(body_type, content, form, options, &images))
        })
        .await
    }

    /// A message whose key is destroyed is being purged: it is gone, though its row may still be there.
    async fn key(&self, row: &MessageRow) -> Result<DataKey> {
        self.vault.content(&row.account_id).await.map_err(|e| if e.kind() == ErrorKind::NotConnected { not_found() } else { e })
    }

    /// Call it within `with_current_keys`.
    pub(super) async fn open(&self, rows: Vec<MessageRow>) -> Result<Vec<Message>> {
        let mut keys = HashMap::new();
        for row in &rows {
            if !keys.contains_key(&row.account_id) {
                let key = match self.key(row).await {
                    Ok(key) => Some(key),
                    // A list of several accounts goes on without the one that is being purged.
                    Err(e) if e.kind() == ErrorKind::NotFound => None,
                    Err(e) => return Err(e),
                };
                keys.insert(row.account_id.clone(), key);
            }
        }
        let mut links = self.links_of(&rows).await?;
        let waiting = self.store.waiting_edits(&rows.iter().map(|row| row.row_id).collect::<Vec<_>>()).await?;
        let mut shown = move |key: &DataKey, row: &MessageRow| {
            Ok(Message { links: links.remove(&row.row_id).unwrap_or_default(), is_edit_waiting: waiting.contains(&row.row_id), ..message(key, row)? })
        };
        let open = move || rows.iter().filter_map(|row| Some((keys.get(&row.account_id)?.as_ref()?, row))).map(|(key, row)| shown(key, row)).collect();
        blocking(open).await
    }

    /// What stands for a folder to sync, of which nothing may be known yet: a well-known name as Microsoft writes it, or its id, since names change.
    pub async fn chosen_folder(&self, account_id: &str, name: String) -> Result<String> {
        if name == ALL_FOLDERS {
            return Ok(name);
        }
        match named::well_known(&name) {
            Some(known) => Ok(known.to_owned()),
            None => Ok(self.folder_id(account_id, &name).await?.unwrap_or(name)),
        }
    }

    /// A folder of an account by id, well-known name, display name or path (`named.rs`). None: there is none. Errors: InvalidInput for a name of several.
    pub async fn folder_id(&self, account_id: &str, folder: &str) -> Result<Option<String>> {
        let find = async || {
            let rows: Vec<FolderRow> = self.store.folders(account_id).await?.into_iter().map(|f| f.row).collect();
            if let Some(row) = rows.iter().find(|row| named::is_exactly(folder, &row.graph_id, row.well_known_name.as_deref())) {
                return Ok(Some(row.graph_id.clone()));
            }
            let key = match self.vault.content(account_id).await {
                // It is being purged: a list of several accounts goes on without it.
                Err(e) if e.kind() == ErrorKind::NotConnected => return Ok(None),
                key => key?,
            };
            let place = |row: FolderRow| {
                let name = key.open(folder_place(account_id, &row.graph_id, row.version), &row.name)?;
                let display_name = String::from_utf8_lossy(&name).into_owned();
                Ok(Place { id: row.graph_id, parent_id: row.parent_id, well_known_name: row.well_known_name, display_name })
            };
            let places: Vec<Place> = rows.into_iter().map(place).collect::<Result<_>>()?;
            Ok(named::called(&places, folder)?.map(|place| place.id.clone()))
        };
        self.vault.with_current_keys(find).await.map_err(|e| e.on_account(account_id))
    }

    /// Where a list is taken from. A folder that an account has not is left out of a list over several.
    pub(super) async fn mailboxes(&self, scope: &Scope, folder: Option<&str>) -> Result<Vec<Mailbox>> {
        let mut mailboxes = Vec::new();
        for account_id in scope.account_ids() {
            let folder_id = match folder {
                None => None,
                Some(folder) => match self.folder_id(account_id, folder).await? {
                    Some(id) => Some(id),
                    None if scope.account_id().is_some() => return Err(no_folder()),
                    None => continue,
                },
            };
            mailboxes.push(Mailbox { account_id: account_id.clone(), folder_id });
        }
        Ok(mailboxes)
    }
}

/// What a list of messages is, for its cursors: whose, and by what filters.
fn list_of(scope: &Scope, query: &MessageQuery) -> Vec<Vec<u8>> {
    let given = |text: &Option<String>| text.as_ref().map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat());
    let [kind, whose] = scope.parts().map(<[u8]>::to_vec);
    let mut list = vec![b"messages".to_vec(), kind, whose, given(&query.folder), given(&query.conversation_id), query.is_read.map_or_else(Vec::new, |is| vec![u8::from(is)])];
    // Cursors of lists without one stay good. A link begins with =, the others with their own mark.
    list.extend(query.link.as_ref().map(|_| given(&query.link)));
    list.extend(query.address.as_ref().map(|address| [b"@", address.as_bytes()].concat()));
    list.extend(query.has_attachments.map(|has| vec![b'f', u8::from(has)]));
    let times = [(b'a', query.received_after), (b'b', query.received_before)];
    list.extend(times.into_iter().filter_map(|(mark, at)| Some([&[mark][..], &to_ms(at?).to_be_bytes()].concat())));
    list
}

fn folder(key: &DataKey, account_id: &str, folder: SyncedFolder, unread: &HashMap<String, u32>) -> Result<Folder> {
    let SyncedFolder { row, stored, cursor, .. } = folder;
    // Microsoft does not tell of a folder whenever a message comes.
    let is_complete = row.is_synced && cursor.is_some_and(|cursor| cursor.is_delta);
    let (total, unread) = if is_complete { (stored, unread.get(&row.graph_id).copied().unwrap_or(0)) } else { (row.total, row.unread) };
    let name = key.open(folder_place(account_id, &row.graph_id, row.version), &row.name)?;
    Ok(Folder {
        account_id: account_id.to_owned(),
        display_name: String::from_utf8_lossy(&name).into_owned(),
        id: row.graph_id,
        well_known_name: row.well_known_name,
        is_synced: row.is_synced,
        stored,
        total,
        unread,
    })
}

/// Of a list or a search.
pub fn check_limit(limit: u32) -> Result<()> {
    if (1..=500).contains(&limit) { Ok(()) } else { Err(Error::invalid("limit must be from 1 to 500.")) }
}

pub(super) fn counted(what: &str, messages: usize) -> String {
    format!("{what}, {messages} of them.")
}

fn no_folder() -> Error {
    Error::new(ErrorKind::NotFound, "No folder of this id or name is known here. Sync first, or pass an id or a name that folders shows.")
}

fn no_archive() -> Error {
    Error::new(ErrorKind::NotFound, "This mailbox has no archive folder, as of its last sync. Outlook makes one when something is archived there for the first time: sync after that, or name another folder.")
}

/// Folders whose mail is on its way out.
const DELETED: [&str; 2] = ["deleteditems", "recoverableitemsdeletions"];

fn deleted() -> Error {
    Error::invalid("Messages are not moved to Deleted Items, or to a folder in it: Exchange empties it, and Tidings never deletes mail. Name another folder, archive say.")
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no message with this id.")
}
