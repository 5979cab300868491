//! Folders that were complete at the last sync have little to tell: their next pages come together.

use super::page::cursor_place;
use super::run::SyncContext;
use crate::error::Result;
use crate::graph::DeltaPage;
use crate::store::SyncedFolder;
use std::collections::HashMap;
use std::sync::Arc;

/// Fewer than these are asked for one by one, at the same time.
const FEWEST: usize = 4;
/// Changes of one folder. What has more goes on by itself, with pages of the usual size.
const MOST_CHANGES: u32 = 10;

/// By folder id. Whatever is missing here is asked for by the folder itself, and so is what is wrong with it.
pub async fn fetch(context: &Arc<SyncContext>, folders: &[SyncedFolder]) -> Result<HashMap<String, DeltaPage>> {
    // One whose pages were too much for the service is left alone.
    let is_fit = |folder: &&SyncedFolder| folder.page_size.is_none() && folder.cursor.as_ref().is_some_and(|cursor| cursor.is_delta);
    let fit: Vec<SyncedFolder> = folders.iter().filter(is_fit).cloned().collect();
    if fit.len() < FEWEST {
        return Ok(HashMap::new());
    }
    context.stop.check()?;
    let links: Vec<(String, String)> = match context.vault.secrets(&context.account.id).await {
        Ok(key) => {
            let open = |folder: SyncedFolder| {
                let cursor = folder.cursor?;
                let link = key.open(cursor_place(&context.account.id, &folder.row.graph_id, cursor.version), &cursor.link).ok()?;
                Some((folder.row.graph_id, String::from_utf8(link.to_vec()).ok()?))
            };
            fit.into_iter().filter_map(open).collect()
        }
        Err(_) => Vec::new(),
    };
    let pages = context.ask(context.graph.delta_pages(&context.caller(), &links, MOST_CHANGES)).await?;
    Ok(pages.into_iter().collect())
}
