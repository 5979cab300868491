//! One folder's delta, page by page, one page ahead and no more.

use super::page::{PagePlace, cursor_place, store_page};
use super::page_size::PageSize;
use super::round::Round;
use super::run::SyncContext;
use super::tally::Tally;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{DeltaAnswer, DeltaFrom, DeltaPage};
use crate::model::Event;
use crate::runtime::blocking;
use crate::store::SyncedFolder;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Times a folder may lose its delta state within one sync before that is an error.
const MOST_RESYNCS: u32 = 2;
/// Refusals in a row of one stored link, in words that mean nothing to us, after which the folder is enumerated anew.
const MOST_REFUSALS: u32 = 3;
/// Bytes. While a page as long as this is stored, the next one is not on its way: two of them would be held in memory.
const LARGE_PAGE: usize = 3 << 20;

pub struct FolderSync {
    context: Arc<SyncContext>,
    folder: SyncedFolder,
    page_size: PageSize,
    tally: Tally,
    round: Round,
    /// Its next page, where it came together with those of other folders.
    first: Option<DeltaPage>,
}

impl FolderSync {
    pub fn new(context: Arc<SyncContext>, folder: SyncedFolder, first: Option<DeltaPage>) -> Self {
        let page_size = PageSize::of(context.page_size, folder.page_size, folder.page_size_at, context.now());
        Self { context, folder, page_size, tally: Tally::default(), round: Round::default(), first }
    }

    pub async fn run(mut self) -> Result<Tally> {
        let mut from = self.start().await?;
        // It continues the stored link, and nothing else.
        let mut ready = self.first.take().filter(|_| matches!(from, DeltaFrom::Link { .. })).map(|page| Ok(DeltaAnswer::Page(page)));
        loop {
            self.context.stop.check()?;
            let answer = match ready.take() {
                Some(answer) => answer,
                None => fetch(&self.context, from.clone()).await,
            };
            let answer = match answer {
                Ok(answer) => answer,
                // Too much for the service, or for one answer: ask for fewer of them.
                Err(error) if (error.is_overload() || error.kind() == ErrorKind::LimitExceeded) && self.page_size.shrink() => {
                    from = self.resized(from);
                    continue;
                }
                Err(error) => {
                    from = self.refused(from, error).await?;
                    continue;
                }
            };
            let page = match answer {
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
            self.page_size.worked();
            if let Err(endless) = self.round.take(&page, self.folder.row.total.max(self.folder.stored)) {
                // A cursor that leads into it again and again is given up in the end.
                from = self.refused(from, endless).await?;
                continue;
            }
            let is_last = page.is_delta;
            let (link, is_large) = (page.link.clone(), page.bytes > LARGE_PAGE);
            if is_last || is_large {
                self.store(page).await?;
                if is_last {
                    return Ok(self.tally);
                }
                from = self.link(link);
                continue;
            }
            // While this page is sealed and stored, the next one is on its way.
            let next = self.link(link);
            from = next.clone();
            let context = self.context.clone();
            let (stored, fetched) = tokio::join!(self.store(page), fetch(&context, next));
            stored?;
            ready = Some(fetched);
        }
    }

    async fn start(&mut self) -> Result<DeltaFrom> {
        let (context, folder_id) = (self.context.clone(), self.id());
        // Mail that came without a usable id can be asked for in one way only.
        if blocking(move || context.store.take_nameless(&context.account.id, &folder_id, context.account.generation, &context.lease, context.now())).await? {
            return self.resync(None).await;
        }
        let Some(cursor) = self.folder.cursor.clone() else { return Ok(self.beginning()) };
        let (context, folder_id) = (self.context.clone(), self.id());
        let link = blocking(move || {
            let mut cursor = cursor;
            let mut is_fresh = true;
            let plain = context.vault.with_current_keys(|| {
                // Should its key have been replaced since the folders were read, the link is read anew.
                if !std::mem::take(&mut is_fresh) {
                    let folder = context.store.folders(&context.account.id)?.into_iter().find(|folder| folder.row.graph_id == folder_id);
                    cursor = folder.and_then(|folder| folder.cursor).unwrap_or_else(|| cursor.clone());
                }
                context.vault.secrets(&context.account.id)?.open(cursor_place(&context.account.id, &folder_id, cursor.version), &cursor.link)
            })?;
            String::from_utf8(plain.to_vec()).map_err(|_| Error::new(ErrorKind::Corrupt, "A stored delta link cannot be read."))
        })
        .await;
        match link {
            Ok(link) => Ok(self.link(link)),
            // Connected anew since the folders were read: the new key does not open the old link, and nothing is damaged.
            Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::StoreBusy) && self.context.is_over().await => Err(self.context.taken_over().await),
            Err(e) => Err(e),
        }
    }

    fn id(&self) -> String {
        self.folder.row.graph_id.clone()
    }

    fn beginning(&self) -> DeltaFrom {
        DeltaFrom::Start { folder_id: self.id(), page_size: self.page_size.now() }
    }

    fn link(&self, link: String) -> DeltaFrom {
        DeltaFrom::Link { folder_id: self.id(), link, page_size: self.page_size.now() }
    }

    fn resized(&self, from: DeltaFrom) -> DeltaFrom {
        match from {
            DeltaFrom::Start { .. } => self.beginning(),
            DeltaFrom::Link { link, .. } => self.link(link),
        }
    }

    /// What a refusal means for the place that was asked for. An outage says nothing of it; anything else, a few times in a row, means that the stored link
    /// leads nowhere, in whatever words: the folder is then enumerated anew.
    async fn refused(&mut self, from: DeltaFrom, error: Error) -> Result<DeltaFrom> {
        let is_outage = error.kind() == ErrorKind::Upstream && !self.context.is_reached.load(Ordering::Relaxed);
        if matches!(from, DeltaFrom::Start { .. }) || is_outage || !is_about_the_link(&error) {
            return Err(error);
        }
        let (context, folder_id) = (self.context.clone(), self.id());
        let Some(refusals) = blocking(move || context.store.note_refusal(&context.account.id, &folder_id, context.account.generation, &context.lease)).await? else {
            return Err(self.context.taken_over().await);
        };
        if refusals < MOST_REFUSALS {
            return Err(error);
        }
        tracing::warn!(target: "tidings::sync", account = self.context.account.id, kind = ?error.kind(), refusals, "a stored delta link is given up; the folder is read anew");
        self.resync(None).await
    }

    /// The delta state is lost: enumerate anew, keep what is here until the new enumeration is complete.
    async fn resync(&mut self, restart: Option<String>) -> Result<DeltaFrom> {
        self.tally.resynced += 1;
        if self.tally.resynced > MOST_RESYNCS {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place in a folder several times in a row. Sync again later; nothing here is lost."));
        }
        let (context, folder_id) = (self.context.clone(), self.id());
        if !blocking(move || context.store.begin_resync(&context.account.id, &folder_id, context.account.generation, &context.lease, context.now())).await? {
            return Err(self.context.taken_over().await);
        }
        failpoint!("sync.begun_resync");
        self.folder.enumeration += 1;
        self.folder.cursor = None;
        self.round = Round::default();
        Ok(restart.map_or_else(|| self.beginning(), |link| self.link(link)))
    }

    /// Stores a page with its cursor, and tells how far it is.
    async fn store(&mut self, page: DeltaPage) -> Result<()> {
        let DeltaPage { items, link, is_delta, .. } = page;
        let version = self.folder.cursor.as_ref().map_or(1, |c| c.version + 1);
        let place = PagePlace {
            folder_id: self.id(),
            enumeration: self.folder.enumeration,
            link: Some((link, is_delta, version)),
            page_size: self.page_size.kept(),
            anew: false,
        };
        let stored = store_page(&self.context, place, items).await?;
        self.folder.cursor = stored.cursor;
        self.folder.stored = stored.applied.stored;
        self.tally.add(&stored.tally);
        self.tally.pages += 1;
        self.context.graph.meters().pages.up();
        self.context.event_bus.publish(Event::SyncProgress {
            account_id: self.context.account.id.clone(),
            folder_id: self.id(),
            stored: stored.applied.stored,
            total: self.folder.row.total.max(stored.applied.stored),
        });
        Ok(())
    }
}

async fn fetch(context: &SyncContext, from: DeltaFrom) -> Result<DeltaAnswer> {
    let caller = context.caller();
    context.ask(context.graph.delta_page(&caller, from)).await
}

/// The mailbox was reached and the person is welcome, so it is rather the link that was refused.
pub(super) fn is_about_the_link(error: &Error) -> bool {
    use ErrorKind::{Conflict, Forbidden, InvalidInput, LimitExceeded, LinkRejected, NotFound, OutcomeUnknown, Upstream};
    matches!(error.kind(), InvalidInput | NotFound | Conflict | Forbidden | LimitExceeded | LinkRejected | OutcomeUnknown | Upstream)
}
