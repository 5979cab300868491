//! What is attached to messages. Delta does not tell it (`$expand` would bring the files themselves, since it ignores what is selected of them), so it is asked
//! for once the pages are stored, in batches of the lowest priority: mail is here before anybody has counted its files.

use super::record::MessageMetadata;
use super::run::{SyncContext, ask};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Attached, Caller};
use crate::model::{AttachmentInfo, QuarantineKind};
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::seal::AadContext;
use crate::store::{AttachmentList, Known, Quarantined, Unlisted};
use crate::vault::DataKey;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Messages asked about in one go: five batches of twenty.
const AT_ONCE: u32 = 100;
/// A sync waits for so many lists; where more are to come, they follow it.
const MOST_AWAITED: u32 = 200;
/// Accounts whose lists follow at the same time.
const ACCOUNTS_AT_ONCE: usize = 8;

/// Accounts whose attachments are listed after their sync.
pub struct Lists {
    queue: mpsc::UnboundedSender<Arc<SyncContext>>,
    queued: Mutex<Option<mpsc::UnboundedReceiver<Arc<SyncContext>>>>,
}

impl Default for Lists {
    fn default() -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        Self { queue, queued: Mutex::new(Some(queued)) }
    }
}

impl Lists {
    /// Lists what is left of a few, and has many listed afterwards. Answers how many messages are still to be listed.
    pub async fn after_sync(&self, context: &Arc<SyncContext>) -> Result<u32> {
        list_few(context).await?;
        let open = count(context).await?;
        if open > 0 && context.turn.queue_listing() {
            let _ = self.queue.send(context.clone()); // the engine is closing; the next one's sync lists them
        }
        Ok(open)
    }

    /// Lists what is queued until the engine stops.
    pub async fn run(&self, stop: Stop) {
        let Some(mut queued) = self.queued.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.wait() => break,
                Some(context) = queued.recv(), if running.len() < ACCOUNTS_AT_ONCE => running.push(follow(context, stop.clone())),
                Some(()) = running.next() => {}
            }
        }
        while running.next().await.is_some() {}
    }
}

/// Lists what a sync brought, if its caller can wait for that.
pub async fn list_few(context: &Arc<SyncContext>) -> Result<()> {
    if (1..=MOST_AWAITED).contains(&count(context).await?) { list(context, &context.stop).await } else { Ok(()) }
}

/// The lists of one account. What goes wrong is no matter: the next sync goes on with it.
async fn follow(context: Arc<SyncContext>, stop: Stop) {
    // Before it begins: a sync that ends meanwhile may have brought more.
    context.turn.unqueue_listing();
    match list(&context, &stop).await {
        Ok(()) => tracing::info!(target: "tidings::sync", account = context.account.id, "listed attachments"),
        Err(error) => tracing::info!(target: "tidings::sync", account = context.account.id, kind = ?error.kind(), "attachments are listed by the next sync"),
    }
}

async fn count(context: &Arc<SyncContext>) -> Result<u32> {
    context.store.count_unlisted(&context.account.id, context.now()).await
}

/// Lists what is to be listed, the newest first. A list that cannot be read is set aside, and stops no other. Errors are about the mailbox or the way there.
async fn list(context: &Arc<SyncContext>, stop: &Stop) -> Result<()> {
    let _alone = ask(stop, async { Ok(context.turn.listing().await) }).await?;
    let caller = Caller { priority: Priority::BackFill, ..context.caller() };
    loop {
        stop.check()?;
        let open = context.store.unlisted(&context.account.id, context.now(), AT_ONCE).await?;
        if open.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = open.iter().map(|message| message.graph_id.clone()).collect();
        let found = ask(stop, context.graph.attachments(&caller, &ids)).await?.into_iter().collect();
        // Each of them changed meanwhile. They are listed after the page that changed them.
        if store(context, open, found).await? == 0 {
            return Ok(());
        }
    }
}

/// How many messages were settled.
async fn store(context: &Arc<SyncContext>, open: Vec<Unlisted>, found: HashMap<String, Attached>) -> Result<u32> {
    let turn = context.turn.writing().await;
    failpoint!("sync.listing_attachments");
    let settled = write(context, &open, &found).await?;
    failpoint!("sync.listed_attachments");
    drop(turn);
    let Some((settled, tells_news)) = settled else { return Err(context.taken_over().await) };
    if tells_news {
        context.news.send_modify(|n| *n = n.wrapping_add(1));
    }
    Ok(settled)
}

/// None: the account is no longer the one that was asked about.
async fn write(context: &SyncContext, open: &[Unlisted], found: &HashMap<String, Attached>) -> Result<Option<(u32, bool)>> {
    let account_id = context.account.id.as_str();
    let ids: Vec<&str> = open.iter().map(|message| message.graph_id.as_str()).collect();
    // Read and sealed anew when a key is replaced in between.
    let write = async || {
        let key = context.vault.content(account_id).await?;
        let here: HashMap<String, Known> = context.store.known(account_id, &ids).await?.into_iter().map(|row| (row.graph_id.clone(), row)).collect();
        let (mut lists, mut failed) = (Vec::with_capacity(open.len()), Vec::new());
        for Unlisted { graph_id, version } in open {
            let Some(row) = here.get(graph_id).filter(|row| row.version == *version && !row.is_removed) else { continue };
            let (head, has_attachments) = match found.get(graph_id) {
                Some(Attached::Listed(files)) => with_files(&key, account_id, row, files)?.unzip(),
                // It cannot be told, and asking again brings nothing.
                Some(Attached::Untold) => (None, None),
                Some(Attached::Failed(error)) => {
                    failed.push((*version, set_aside(&key, account_id, graph_id, error)?));
                    continue;
                }
                None => continue,
            };
            lists.push(AttachmentList { graph_id: graph_id.clone(), version: *version, head, has_attachments: has_attachments.unwrap_or(false) });
        }
        let tells_news = lists.iter().any(|list| list.head.is_some());
        let settled = context.store.put_attachments(account_id, context.account.generation, &lists, &failed, context.now()).await?;
        Ok(settled.map(|settled| (settled, tells_news)))
    };
    context.vault.with_current_keys(write).await
}

/// The sealed part of a message with what is attached, and whether that is more than inline files; None: it says so already.
fn with_files(key: &DataKey, account_id: &str, row: &Known, files: &[AttachmentInfo]) -> Result<Option<(crate::seal::Sealed, bool)>> {
    let sealed = row.head.as_ref().ok_or_else(|| Error::new(ErrorKind::Corrupt, "A stored message cannot be read."))?;
    let mut head = MessageMetadata::open_sealed(key, account_id, &row.graph_id, row.version, sealed)?;
    if head.attachments == files && !head.has_is_untold {
        return Ok(None);
    }
    head.attachments = files.to_vec();
    if std::mem::take(&mut head.has_is_untold) {
        head.has_attachments = files.iter().any(|file| !file.is_inline);
    }
    Ok(Some((head.seal(key, account_id, &row.graph_id, row.version + 1)?, head.has_attachments)))
}

fn set_aside(key: &DataKey, account_id: &str, graph_id: &str, error: &Error) -> Result<Quarantined> {
    let place = random::token::<16>()?;
    let raw = key.seal(AadContext { table: "quarantine", column: "raw", account_id, row: &place, version: 1 }, b"")?;
    Ok(Quarantined { raw, place, graph_id: Some(graph_id.to_owned()), reason: error.reason().to_owned(), kind: QuarantineKind::Attachments })
}
