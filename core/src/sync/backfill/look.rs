//! What is new in a folder whose back-fill has not come to its delta link yet.

use super::super::listing::Lister;
use super::super::page::{PagePlace, store_page};
use super::super::run::SyncContext;
use super::super::tally::Tally;
use crate::error::Result;
use crate::graph::{ListingOrder, ListingRange};
use crate::pipeline::Priority;
use crate::store::SyncedFolder;
use std::sync::Arc;

/// Messages of a page: what comes between two looks.
const PAGE: u32 = 25;
/// Pages of one look. What is left after them is listed by the back-fill, or shown by its walk.
const MOST_PAGES: u32 = 20;

/// Lists the newest messages until nothing of a page is new. Changes and removals of older ones are shown by the walk of the folder that ends its back-fill.
pub async fn look(context: &Arc<SyncContext>, folder: &SyncedFolder) -> Result<Tally> {
    let folder_id = folder.row.graph_id.clone();
    let range = ListingRange { folder_id: folder_id.clone(), from: None, to: None, order: ListingOrder::NewestFirst };
    let mut lister = Lister::new(context, &range, context.page_size.min(PAGE), Priority::Sync).await?;
    let mut tally = Tally::default();
    for _ in 0..MOST_PAGES {
        context.stop.check()?;
        let Some(items) = lister.next().await? else { break };
        let place = PagePlace { folder_id: folder_id.clone(), enumeration: folder.enumeration - 1, link: None, page_size: folder.page_size, anew: false, step: None, within_reach: true };
        let count = items.len();
        let stored = store_page(context, place, items).await?;
        tally.add(&stored.tally);
        tally.pages += 1;
        // All that is left is known, or the folder was empty here and all of it is left to the back-fill.
        let added = usize::try_from(stored.tally.added).unwrap_or(usize::MAX);
        if added < count || folder.stored == 0 {
            break;
        }
    }
    Ok(tally)
}
