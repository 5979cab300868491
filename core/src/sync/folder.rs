//! One folder's delta, page by page, one page ahead and no more.

use super::plan::{Plan, Unreadable, Upsert, id_of, plan};
use super::record::{Head, body_place, new_id, pack_body};
use super::run::Pass;
use super::search::text_of;
use crate::clock::to_ms;
use crate::config::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{DeltaAnswer, DeltaFrom, DeltaItem, DeltaPage, MailItem};
use crate::model::{AttachmentInfo, BodyType, ChangeKind, Event, SyncReport};
use crate::runtime::blocking;
use crate::seal::Place;
use crate::vault::DataKey;
use crate::store::{Applied, Cursor, Known, NewMessage, PageBatch, Quarantined, SearchText, SyncedFolder};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What one or more folders brought.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub folders: u32,
    pub pages: u32,
    pub added: u32,
    pub changed: u32,
    pub moved: u32,
    pub removed: u32,
    pub resynced: u32,
    pub quarantined: u32,
    /// The change feed may have grown.
    pub tells_news: bool,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.pages += other.pages;
        self.added += other.added;
        self.changed += other.changed;
        self.moved += other.moved;
        self.removed += other.removed;
        self.resynced += other.resynced;
        self.quarantined += other.quarantined;
    }

    pub fn report(&self, account_id: &str) -> SyncReport {
        SyncReport {
            account_id: account_id.to_owned(),
            folders: self.folders,
            pages: self.pages,
            added: self.added,
            changed: self.changed,
            moved: self.moved,
            removed: self.removed,
            resynced: self.resynced,
            quarantined: self.quarantined,
            duration_ms: 0,
        }
    }

    /// What a page brings.
    fn of(plan: &Plan) -> Self {
        let mut tally = Self { pages: 1, quarantined: u32::try_from(plan.unreadable.len()).unwrap_or(u32::MAX), ..Self::default() };
        tally.tells_news = !plan.upserts.is_empty() || !plan.suspects.is_empty();
        for upsert in &plan.upserts {
            match upsert.change {
                ChangeKind::MessageAdded => tally.added += 1,
                ChangeKind::MessageMoved => tally.moved += 1,
                _ => tally.changed += 1,
            }
        }
        tally
    }
}

/// Times a folder may lose its delta state within one sync before that is an error.
const MOST_RESYNCS: u32 = 2;
/// Empty pages in a row before a folder's pages count as endless.
const MOST_EMPTY_PAGES: u32 = 1_000;

pub struct FolderSync {
    pass: Arc<Pass>,
    folder: SyncedFolder,
    /// Messages asked for per page; smaller after a page that was too large.
    page_size: u32,
    tally: Tally,
    /// Links already followed in this round.
    followed: HashSet<u64>,
    empty_pages: u32,
}

impl FolderSync {
    pub fn new(pass: Arc<Pass>, folder: SyncedFolder) -> Self {
        let page_size = pass.page_size;
        Self { pass, folder, page_size, tally: Tally::default(), followed: HashSet::new(), empty_pages: 0 }
    }

    pub async fn run(mut self) -> Result<Tally> {
        let mut from = self.start().await?;
        let mut ready = None;
        loop {
            self.pass.stop.check()?;
            let answer = match ready.take() {
                Some(answer) => answer,
                None => fetch(&self.pass, from.clone()).await,
            };
            let page = match answer {
                // A few large mails fill a page: ask for fewer of them.
                Err(error) if error.kind() == ErrorKind::LimitExceeded && self.page_size > 1 => {
                    self.page_size = (self.page_size / 4).max(1);
                    from = self.smaller(from);
                    continue;
                }
                answer => answer?,
            };
            let page = match page {
                DeltaAnswer::Page(page) => page,
                DeltaAnswer::Lost { restart } => {
                    from = self.resync(restart).await?;
                    continue;
                }
                // The list read a moment ago has it, so it is rather the link that leads nowhere; else this folder would stand still for ever.
                DeltaAnswer::FolderGone if self.folder.cursor.is_some() => {
                    from = self.resync(None).await?;
                    continue;
                }
                // Deleted in the mailbox since the list was read; the next list says what became of its mail.
                DeltaAnswer::FolderGone => return Ok(self.tally),
            };
            self.remember(&page)?;
            let is_last = page.is_delta;
            let link = page.link.clone();
            if is_last {
                self.store(page).await?;
                return Ok(self.tally);
            }
            // While this page is sealed and stored, the next one is on its way.
            let next = self.link(link);
            from = next.clone();
            let pass = self.pass.clone();
            let (stored, fetched) = tokio::join!(self.store(page), fetch(&pass, next));
            stored?;
            ready = Some(fetched);
        }
    }

    async fn start(&self) -> Result<DeltaFrom> {
        let Some(cursor) = self.folder.cursor.clone() else { return Ok(self.beginning()) };
        let (pass, folder_id) = (self.pass.clone(), self.id());
        let link = blocking(move || {
            let mut cursor = cursor;
            let mut is_fresh = true;
            let plain = pass.vault.again(|| {
                // Should its key have been replaced since the folders were read, the link is read anew.
                if !std::mem::take(&mut is_fresh) {
                    let folder = pass.store.folders(&pass.account.id)?.into_iter().find(|folder| folder.row.graph_id == folder_id);
                    cursor = folder.and_then(|folder| folder.cursor).unwrap_or_else(|| cursor.clone());
                }
                pass.vault.secrets(&pass.account.id)?.open(cursor_place(&pass.account.id, &folder_id, cursor.version), &cursor.link)
            })?;
            String::from_utf8(plain.to_vec()).map_err(|_| Error::new(ErrorKind::Corrupt, "A stored delta link cannot be read."))
        })
        .await;
        match link {
            Ok(link) => Ok(self.link(link)),
            // Connected anew since the folders were read: the new key does not open the old link, and nothing is damaged.
            Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::StoreBusy) && self.pass.is_over().await => Err(self.pass.taken_over().await),
            Err(e) => Err(e),
        }
    }

    fn id(&self) -> String {
        self.folder.row.graph_id.clone()
    }

    fn beginning(&self) -> DeltaFrom {
        DeltaFrom::Start { folder_id: self.id(), page_size: self.page_size }
    }

    fn link(&self, link: String) -> DeltaFrom {
        DeltaFrom::Link { folder_id: self.id(), link, page_size: self.page_size }
    }

    fn smaller(&self, from: DeltaFrom) -> DeltaFrom {
        match from {
            DeltaFrom::Start { .. } => self.beginning(),
            DeltaFrom::Link { link, .. } => self.link(link),
        }
    }

    /// Refuses pages that lead nowhere: in a circle, or on and on without a mail.
    fn remember(&mut self, page: &DeltaPage) -> Result<()> {
        self.empty_pages = if page.items.is_empty() { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > MOST_EMPTY_PAGES {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft's pages of a folder go on without any mail; the sync stopped there. Sync again later."));
        }
        let mut hasher = DefaultHasher::new();
        page.link.hash(&mut hasher);
        if self.followed.insert(hasher.finish()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Upstream, "Microsoft's pages of a folder lead in a circle; the sync stopped there. What came before is stored. Sync again later."))
    }

    /// The delta state is lost: enumerate anew, keep what is here until the new pass is complete.
    async fn resync(&mut self, restart: Option<String>) -> Result<DeltaFrom> {
        self.tally.resynced += 1;
        if self.tally.resynced > MOST_RESYNCS {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place in a folder several times in a row. Sync again later; nothing here is lost."));
        }
        let (pass, folder_id) = (self.pass.clone(), self.id());
        if !blocking(move || pass.store.begin_resync(&pass.account.id, &folder_id, pass.account.generation, &pass.lease, pass.now())).await? {
            return Err(self.pass.taken_over().await);
        }
        self.folder.pass += 1;
        self.folder.cursor = None;
        self.followed.clear();
        Ok(restart.map_or_else(|| self.beginning(), |link| self.link(link)))
    }

    /// Plans a page against what is here, asks for attachment names, and stores it with its cursor.
    async fn store(&mut self, page: DeltaPage) -> Result<()> {
        let (pass, folder_id) = (self.pass.clone(), self.id());
        let DeltaPage { items, link, is_delta } = page;
        let items = self.complete(items).await?;
        let attachments = self.attachments(&items).await?;
        let cursor_version = self.folder.cursor.as_ref().map_or(1, |c| c.version + 1);
        let pass_no = self.folder.pass;
        // Two folders may bring the same mail at once (it was moved meanwhile): what is known must not change between the plan and its writing.
        let turn = self.pass.writing.lock().await;
        let (applied, cursor, counted) = blocking(move || {
            let known = items_known(&pass, &items)?;
            let plan = plan(&folder_id, items, &known);
            let counted = Tally::of(&plan);
            let (applied, cursor) = write(&pass, &folder_id, pass_no, plan, attachments, &link, is_delta, cursor_version)?;
            Ok((applied, cursor, counted))
        })
        .await?;
        drop(turn);
        if !applied.written {
            return Err(self.pass.taken_over().await);
        }
        self.folder.cursor = Some(cursor);
        self.folder.stored = applied.stored;
        self.tally.add(&counted);
        let meters = self.pass.graph.meters();
        meters.pages.up();
        meters.messages_stored.add(counted.added + counted.changed + counted.moved);
        if counted.tells_news {
            self.pass.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        self.pass.bell.ring(Event::SyncProgress {
            account_id: self.pass.account.id.clone(),
            folder_id: self.id(),
            stored: applied.stored,
            total: self.folder.row.total.max(applied.stored),
        });
        Ok(())
    }

    /// An update may hold only what changed. Such items are fetched whole rather than merged, since what is absent cannot be told from what is empty.
    async fn complete(&self, items: Vec<DeltaItem>) -> Result<Vec<DeltaItem>> {
        if !items.iter().any(is_partial) {
            return Ok(items);
        }
        let caller = self.pass.caller();
        let whole = items.into_iter().map(async |item| match item {
            DeltaItem::Message(part) if part.is_partial => match self.pass.ask(self.pass.graph.message(&caller, &part.id)).await {
                Ok(Some(whole)) => Ok(DeltaItem::Message(Box::new(whole))),
                Ok(None) => Ok(DeltaItem::Removed { id: part.id }),
                // Something is wrong with this one mail; it must not keep the others out.
                Err(error) if matches!(error.kind(), ErrorKind::Upstream | ErrorKind::InvalidInput | ErrorKind::Forbidden) => {
                    Ok(DeltaItem::Unreadable { id: Some(part.id), raw: String::new(), reason: error.reason().to_owned() })
                }
                Err(error) => Err(error),
            },
            other => Ok(other),
        });
        futures_util::stream::iter(whole).buffered(4).try_collect().await
    }

    /// Delta does not list attachments: those of new and changed messages are asked for in batches.
    async fn attachments(&self, items: &[DeltaItem]) -> Result<HashMap<String, Vec<AttachmentInfo>>> {
        let candidates: Vec<(String, String)> = items.iter().filter_map(with_attachments).map(|item| (item.id.clone(), item.change_key.clone())).collect();
        if candidates.is_empty() {
            return Ok(HashMap::new());
        }
        let pass = self.pass.clone();
        let wanted: Vec<String> = blocking(move || {
            let ids: Vec<&str> = candidates.iter().map(|(id, _)| id.as_str()).collect();
            let known: HashMap<String, String> = pass.store.known(&pass.account.id, &ids)?.into_iter().map(|row| (row.graph_id, row.change_key)).collect();
            Ok(candidates.into_iter().filter(|(id, key)| key.is_empty() || known.get(id) != Some(key)).map(|(id, _)| id).collect())
        })
        .await?;
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let answers = self.pass.ask(self.pass.graph.attachments(&self.pass.caller(), &wanted)).await?;
        Ok(answers.into_iter().filter_map(|(id, list)| Some((id, list?))).collect())
    }
}

fn items_known(pass: &Pass, items: &[DeltaItem]) -> Result<HashMap<String, Known>> {
    let ids: Vec<&str> = items.iter().filter_map(id_of).collect();
    Ok(pass.store.known(&pass.account.id, &ids)?.into_iter().map(|row| (row.graph_id.clone(), row)).collect())
}

async fn fetch(pass: &Pass, from: DeltaFrom) -> Result<DeltaAnswer> {
    let caller = pass.caller();
    pass.ask(pass.graph.delta_page(&caller, from)).await
}

fn is_partial(item: &DeltaItem) -> bool {
    matches!(item, DeltaItem::Message(item) if item.is_partial)
}

/// `hasAttachments` is false when there are only inline ones, so the body is looked at too.
fn with_attachments(item: &DeltaItem) -> Option<&MailItem> {
    let DeltaItem::Message(item) = item else { return None };
    let shows_some = item.body.as_ref().is_some_and(|(form, content)| *form == BodyType::Html && content.contains("cid:"));
    (item.has_attachments || shows_some).then_some(item)
}

#[allow(clippy::too_many_arguments)] // one transaction's worth of facts, used in one place
fn write(
    pass: &Pass,
    folder_id: &str,
    pass_no: i64,
    plan: Plan,
    mut attachments: HashMap<String, Vec<AttachmentInfo>>,
    link: &str,
    is_delta: bool,
    cursor_version: i64,
) -> Result<(Applied, Cursor)> {
    let account_id = pass.account.id.as_str();
    let mails: Vec<Mail> = plan.upserts.into_iter().map(|upsert| Mail::of(upsert, &mut attachments, pass.content)).collect::<Result<_>>()?;
    // Sealed anew when a key is replaced between sealing and writing: what it sealed may open for nobody by then.
    pass.vault.again(|| {
        let (content, secrets) = (pass.vault.content(account_id)?, pass.vault.secrets(account_id)?);
        let upserts = mails.iter().map(|mail| mail.seal(&content, account_id, folder_id)).collect::<Result<_>>()?;
        let place = Place { table: "quarantine", column: "raw", account_id, row: folder_id, version: 1 };
        let quarantined = |item: &Unreadable| Ok(Quarantined { raw: content.seal(place, item.raw.as_bytes())?, graph_id: item.id.clone(), reason: item.reason.clone() });
        let batch = PageBatch {
            account_id,
            folder_id,
            generation: pass.account.generation,
            lease: &pass.lease,
            pass: pass_no,
            upserts,
            seen: plan.seen.clone(),
            suspects: plan.suspects.clone(),
            quarantined: plan.unreadable.iter().map(quarantined).collect::<Result<_>>()?,
            cursor: Cursor { link: secrets.seal(cursor_place(account_id, folder_id, cursor_version), link.as_bytes())?, version: cursor_version, is_delta },
            completes_pass: is_delta,
            now: pass.now(),
        };
        Ok((pass.store.apply(&batch)?, batch.cursor))
    })
}

/// A mail as it is to be sealed, as often as it takes.
struct Mail {
    /// What hosts will call it, should it be new.
    shown_id: String,
    id: String,
    conversation_id: String,
    change_key: String,
    received_at: Option<i64>,
    is_read: bool,
    is_draft: bool,
    head: Head,
    body: Option<Vec<u8>>,
    search: Option<SearchText>,
    version: i64,
    change: ChangeKind,
}

impl Mail {
    fn of(upsert: Upsert, attachments: &mut HashMap<String, Vec<AttachmentInfo>>, content: Content) -> Result<Self> {
        let Upsert { mut item, version, change } = upsert;
        let search = (content == Content::Clear).then(|| text_of(&item));
        let body = item.body.take().map(|(form, text)| pack_body(form, &text));
        let files = attachments.remove(&item.id).unwrap_or_default();
        Ok(Self {
            shown_id: new_id()?,
            head: Head::of(&mut item, files),
            id: item.id,
            conversation_id: item.conversation_id,
            change_key: item.change_key,
            received_at: item.received_at.map(to_ms),
            is_read: item.is_read,
            is_draft: item.is_draft,
            body,
            search,
            version,
            change,
        })
    }

    fn seal(&self, content: &DataKey, account_id: &str, folder_id: &str) -> Result<NewMessage> {
        let body = self.body.as_ref().map(|body| content.seal(body_place(account_id, &self.id, self.version), body)).transpose()?;
        Ok(NewMessage {
            head: self.head.seal(content, account_id, &self.id, self.version)?,
            id: self.shown_id.clone(),
            graph_id: self.id.clone(),
            folder_id: folder_id.to_owned(),
            conversation_id: self.conversation_id.clone(),
            change_key: self.change_key.clone(),
            received_at: self.received_at,
            is_read: self.is_read,
            is_draft: self.is_draft,
            body,
            search: self.search.clone(),
            version: self.version,
            change: Some(self.change),
        })
    }
}

fn cursor_place<'a>(account_id: &'a str, folder_id: &'a str, version: i64) -> Place<'a> {
    Place { table: "folders", column: "cursor", account_id, row: folder_id, version }
}
