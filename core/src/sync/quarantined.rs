//! What was set aside is asked for again, with growing pauses, until it can be read or is gone.

use super::page::{PagePlace, store_page};
use super::run::{SyncContext, Verdicts};
use super::tally::Tally;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::graph::{DeltaItem, MailItem};
use crate::store::{Question, Settled};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const AT_ONCE: u32 = 100;

/// Asks for what is due.
pub async fn retry(context: &Arc<SyncContext>) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        context.stop.check()?;
        let due = context.store.due_quarantine(&context.account.id, context.now(), AT_ONCE).await?;
        let ids: Vec<String> = due.into_iter().filter_map(|row| row.graph_id).collect();
        if ids.is_empty() {
            return Ok(tally);
        }
        let Verdicts { mut gone, mut there, later } = context.verify(&ids).await?;
        let unwanted = unwanted(context, &mut there).await?;
        tally.add(&store(context, there, true).await?);
        gone.extend(unwanted);
        failpoint!("sync.settling_quarantine");
        let settled = Settled { gone: &gone, there: &[], later: &later };
        let written = context.store.settle(&context.account.id, context.account.generation, &context.lease, Question::Quarantine, &settled, context.now()).await?;
        failpoint!("sync.settled_quarantine");
        if written.is_none() {
            return Err(context.taken_over().await);
        }
    }
}

/// Mail that lies in a folder that is not listed, or is not synced by now and the mail is not here: it would not have been fetched either.
async fn unwanted(context: &Arc<SyncContext>, messages: &mut Vec<MailItem>) -> Result<Vec<String>> {
    let account_id = &context.account.id;
    let listed: HashMap<String, bool> = context.store.folders(account_id).await?.into_iter().map(|f| (f.row.graph_id, f.row.is_synced)).collect();
    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let here: Vec<String> = context.store.known(account_id, &ids).await?.into_iter().map(|row| row.graph_id).collect();
    let (wanted, unwanted): (Vec<_>, Vec<_>) = messages.drain(..).partition(|message| listed.get(&message.folder_id).is_some_and(|is_synced| *is_synced || here.contains(&message.id)));
    *messages = wanted;
    Ok(unwanted.into_iter().map(|message| message.id).collect())
}

/// Stores messages that were fetched by id, each in the folder it says it is in. Those of folders that are not listed are left to what else is known of them.
pub async fn store(context: &Arc<SyncContext>, messages: Vec<MailItem>, anew: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    if messages.is_empty() {
        return Ok(tally);
    }
    let passes: HashMap<String, (i64, Option<u32>)> =
        context.store.folders(&context.account.id).await?.into_iter().map(|f| (f.row.graph_id, (f.enumeration, f.page_size))).collect();
    let mut by_folder: BTreeMap<String, Vec<DeltaItem>> = BTreeMap::new();
    for message in messages {
        by_folder.entry(message.folder_id.clone()).or_default().push(DeltaItem::Message(Box::new(message)));
    }
    for (folder_id, items) in by_folder {
        let Some((enumeration, page_size)) = passes.get(&folder_id).copied() else { continue };
        let place = PagePlace { folder_id, enumeration, link: None, page_size, anew, step: None, within_reach: false };
        tally.add(&store_page(context, place, items).await?.tally);
    }
    Ok(tally)
}
