//! One folder's delta, page by page, one page ahead and no more. What is newest in a folder that takes long is listed beside it.

use super::body;
use super::listing;
use super::page::{PagePlace, store_page};
use super::page_size::PageSize;
use super::round::Round;
use super::run::SyncContext;
use super::tally::Tally;
use crate::error::{ErrorKind, Result};
use crate::graph::{DeltaAnswer, DeltaFrom, DeltaPage};
use crate::store::SyncedFolder;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes. While a page that holds as much is stored, the next one is not on its way: two of them would be in memory.
const LARGE_PAGE: usize = 3 << 20;

pub struct FolderSync {
    pub(super) context: Arc<SyncContext>,
    pub(super) folder: SyncedFolder,
    pub(super) page_size: PageSize,
    pub(super) tally: Tally,
    pub(super) round: Round,
    /// Its next page, where it came together with those of other folders.
    first: Option<DeltaPage>,
}

impl FolderSync {
    pub fn new(context: Arc<SyncContext>, folder: SyncedFolder, first: Option<DeltaPage>) -> Self {
        let page_size = PageSize::of(context.page_size, folder.page_size, folder.page_size_at, context.now());
        Self { context, folder, page_size, tally: Tally::default(), round: Round::default(), first }
    }

    pub async fn run(mut self) -> Result<Tally> {
        let (context, folder, page_size) = (self.context.clone(), self.folder.clone(), self.page_size.now());
        let (walking, ended) = oneshot::channel();
        let walk = async {
            let walked = self.walk().await;
            drop(walking);
            walked
        };
        let (walked, listed) = tokio::join!(walk, listing::newest(&context, &folder, page_size, ended));
        let mut tally = walked?;
        tally.add(&listed);
        Ok(tally)
    }

    /// The same without a list of the newest beside, as far as it comes in this part of a back-fill.
    pub async fn seed(mut self) -> Result<Tally> {
        self.walk().await
    }

    /// Every page from where the folder stands to its next delta link.
    async fn walk(&mut self) -> Result<Tally> {
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
                DeltaAnswer::FolderGone => return Ok(self.tally.clone()),
            };
            self.page_size.worked();
            if let Err(endless) = self.round.take(&page, self.folder.row.total.max(self.folder.stored)) {
                // A cursor that leads into it again and again is given up in the end.
                from = self.refused(from, endless).await?;
                continue;
            }
            let is_last = page.is_delta;
            let (link, is_large) = (page.link.clone(), page.held > LARGE_PAGE);
            let is_first = !self.folder.cursor.as_ref().is_some_and(|cursor| cursor.is_delta);
            if is_last || is_large {
                self.store(page).await?;
                if is_last || self.context.is_enough(is_first).await? {
                    return Ok(self.tally.clone());
                }
                from = self.link(link);
                continue;
            }
            if self.context.is_enough(is_first).await? {
                self.store(page).await?;
                return Ok(self.tally.clone());
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

    pub(super) fn id(&self) -> String {
        self.folder.row.graph_id.clone()
    }

    pub(super) fn link(&self, link: String) -> DeltaFrom {
        DeltaFrom::Link { folder_id: self.id(), link, page_size: self.page_size.now() }
    }

    fn resized(&self, from: DeltaFrom) -> DeltaFrom {
        match from {
            DeltaFrom::Start { .. } => self.beginning(),
            DeltaFrom::Link { link, .. } => self.link(link),
        }
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
            step: None,
            within_reach: true,
        };
        let stored = store_page(&self.context, place, items).await?;
        self.folder.cursor = stored.cursor;
        self.folder.stored = stored.stored;
        self.tally.add(&stored.tally);
        self.tally.pages += 1;
        self.context.graph.meters().pages.up();
        self.context.tell_progress(&self.folder.row, stored.stored);
        Ok(())
    }
}

async fn fetch(context: &SyncContext, from: DeltaFrom) -> Result<DeltaAnswer> {
    let caller = context.caller();
    context.ask(context.graph.delta_page(&caller, from, body::keep)).await
}
