//! What a person sees first: the messages of a folder by date. A list is quick and proves nothing; the folder's walk, which proves everything, goes on
//! beside it and shows the same messages again.

use super::body;
use super::page::{PagePlace, store_page};
use super::run::SyncContext;
use super::tally::Tally;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::graph::{Caller, DeltaItem, Listing, ListingOrder, ListingRange};
use crate::pipeline::Priority;
use crate::store::SyncedFolder;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Messages of a folder that are shown ahead of the others: what fits on a screen. More of them would be fetched twice.
const FIRST_SIGHT: u32 = 25;

/// Lists a range of a folder, page by page.
pub struct Lister {
    context: Arc<SyncContext>,
    caller: Caller,
    listing: Listing,
}

impl Lister {
    /// `page_size`: messages. Errors: InvalidInput, for a folder id that cannot be part of an address.
    pub async fn new(context: &Arc<SyncContext>, range: &ListingRange, page_size: u32, priority: Priority) -> Result<Self> {
        let caller = Caller { priority, ..context.caller() };
        let listing = context.graph.listing(&caller, range, page_size).await?;
        Ok(Self { context: context.clone(), caller, listing })
    }

    /// The link of the page that came last cannot be followed.
    fn has_unusable_link(&self) -> bool {
        self.listing.has_unusable_link()
    }

    /// There may be another page.
    pub fn has_more(&self) -> bool {
        self.listing.has_more()
    }

    /// The next page; None after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<DeltaItem>>> {
        self.context.ask(self.context.graph.listed(&self.caller, &mut self.listing, body::keep)).await
    }
}

/// Stores the newest messages of a folder whose enumeration takes more than one. Whatever goes wrong is left to the enumeration: that one brings the same
/// messages, and tells what is wrong. `ended`: it has ended, so a list that has not come by then is not waited for.
pub async fn newest(context: &Arc<SyncContext>, folder: &SyncedFolder, page_size: u32, ended: oneshot::Receiver<()>) -> Tally {
    if folder.cursor.is_some() || folder.row.total <= page_size {
        return Tally::default();
    }
    list_newest(context, folder, page_size, ended).await.unwrap_or_else(|error| {
        tracing::info!(target: "tidings::sync", account = context.account.id, kind = ?error.kind(), reason = error.reason(), "the newest messages of a folder are not shown ahead of the others");
        Tally::default()
    })
}

async fn list_newest(context: &Arc<SyncContext>, folder: &SyncedFolder, page_size: u32, ended: oneshot::Receiver<()>) -> Result<Tally> {
    let folder_id = folder.row.graph_id.clone();
    let range = ListingRange { folder_id: folder_id.clone(), from: None, to: None, order: ListingOrder::NewestFirst };
    let mut lister = Lister::new(context, &range, page_size.min(FIRST_SIGHT), Priority::Sync).await?;
    let page = tokio::select! {
        page = lister.next() => page?,
        _ = ended => None,
    };
    // A page that leads away is not believed: the walk brings the same messages.
    let Some(mut items) = page.filter(|_| !lister.has_unusable_link()) else { return Ok(Tally::default()) };
    // What is odd about an item is found out once, by the enumeration.
    items.retain(|item| matches!(item, DeltaItem::Message(message) if !message.is_partial));
    failpoint!("sync.listing_newest");
    // They were not shown by the enumeration yet: should it never show one of them, which left the folder before its turn came, it is asked about.
    let place = PagePlace { folder_id, enumeration: folder.enumeration - 1, link: None, page_size: folder.page_size, anew: false, step: None, within_reach: true };
    let stored = store_page(context, place, items).await?;
    failpoint!("sync.listed_newest");
    let mut tally = stored.tally;
    tally.pages += 1;
    context.graph.meters().pages.up();
    context.tell_progress(&folder.row, stored.stored);
    Ok(tally)
}
