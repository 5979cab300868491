//! One page of items of a folder on its way into the store: completed, planned against what is here, sealed, written in one transaction.

use super::answers;
use super::body::kept;
use super::edits::{self, Edited};
use super::plan::{Held, Plan, Unreadable, Upsert, id_of, may_have_attachments, plan};
use super::rules;
use super::record::{MessageMetadata, body_place, new_id};
use super::run::SyncContext;
use super::search::text_of;
use super::tally::Tally;
use crate::clock::to_ms;
use crate::config::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::{failpoint, meanwhile};
use crate::graph::{DeltaItem, MailBody, MailItem, Verified};
use crate::model::{ChangeKind, QuarantineKind};
use crate::random;
use crate::runtime::blocking;
use crate::seal::AadContext;
use crate::stages::{Stage, timed};
use crate::store::{Applied, BackfillStep, Cursor, Known, NewMessage, PageBatch, Quarantined, Refusal, SearchText};
use crate::vault::DataKey;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Times a page is planned: anew where what is here changed between its plan and its writing.
const MOST_PLANS: u32 = 4;

/// Where a page belongs and what is stored with it.
#[derive(Debug, Clone)]
pub struct PagePlace {
    pub folder_id: String,
    pub enumeration: i64,
    /// Where the next request starts, and its version; None: these items came outside of the folder's walk.
    pub link: Option<(String, bool, i64)>,
    pub page_size: Option<u32>,
    /// Written although nothing seems new: what is here is known to be incomplete.
    pub anew: bool,
    /// How far it brings a back-fill.
    pub step: Option<BackfillStep>,
    /// Whether new mail that is older than the account's back-fill reaches is left out.
    pub within_reach: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Stored {
    /// Messages held in the folder now.
    pub stored: u32,
    pub cursor: Option<Cursor>,
    pub tally: Tally,
}

/// Errors: those of the mailbox and the store. What is wrong with one item is stored as a question about that item.
pub async fn store_page(context: &Arc<SyncContext>, place: PagePlace, items: Vec<DeltaItem>) -> Result<Stored> {
    let mut items = complete(context, items).await?;
    if place.within_reach {
        items = within_reach(context, items).await?;
    }
    // Two folders may bring the same mail at once (it was moved meanwhile): what is known must not change between the plan and its writing.
    let turn = context.turn.writing().await;
    failpoint!("sync.storing_page");
    let items = blocking(move || Ok(items.into_iter().map(packed).collect::<Vec<DeltaItem>>())).await?;
    let mut attempt = 1;
    let stored = loop {
        let held = held(context, &items, place.anew).await?;
        let plan = timed(Stage::Plan, || plan(&place.folder_id, items.clone(), &held));
        let tally = Tally::of(&plan);
        meanwhile!("sync.planned_page");
        match Box::pin(write(context, &place, plan)).await? {
            // Another process listed attachments, say: the same page means something else over what is here now.
            (Applied::Refused(Refusal::Outdated), _) if attempt < MOST_PLANS => attempt += 1,
            (Applied::Written { stored }, cursor) => break Ok(Stored { stored, cursor, tally }),
            (Applied::Refused(refusal), _) => break Err(refusal),
        }
    };
    failpoint!("sync.stored_page");
    drop(turn);
    let stored = match stored {
        Ok(stored) => stored,
        Err(refusal) => return Err(refused(context, refusal).await),
    };
    let meters = context.graph.meters();
    meters.messages_stored.add(stored.tally.added + stored.tally.changed + stored.tally.moved);
    if stored.tally.tells_news {
        context.news.send_modify(|n| *n = n.wrapping_add(1));
    }
    Ok(stored)
}

/// Its body as it is stored, so that it is packed once, however often it is planned.
fn packed(mut item: DeltaItem) -> DeltaItem {
    if let DeltaItem::Message(message) = &mut item {
        message.body = message.body.take().map(|body| MailBody::Kept(kept(body)));
    }
    item
}

/// Why a page was not stored.
async fn refused(context: &SyncContext, refusal: Refusal) -> Error {
    let why = match refusal {
        Refusal::TakenOver => return context.taken_over().await,
        Refusal::Outdated => "Messages of a page changed each time it was about to be stored; nothing of it was. Sync again.",
        Refusal::Stopped => return Error::new(ErrorKind::Cancelled, "The back-fill was stopped.").on_account(context.account.id.clone()),
        Refusal::Late => "These messages came when their folder was complete already; nothing of them was stored.",
    };
    Error::new(ErrorKind::StoreBusy, why).on_account(context.account.id.clone())
}

/// An update may hold only what changed. Such items are fetched whole rather than merged, since what is absent cannot be told from what is empty.
async fn complete(context: &SyncContext, mut items: Vec<DeltaItem>) -> Result<Vec<DeltaItem>> {
    let parts: Vec<String> = items.iter().filter(|item| is_partial(item)).filter_map(id_of).map(str::to_owned).collect();
    if parts.is_empty() {
        return Ok(items);
    }
    let mut whole: HashMap<String, Verified> = context.ask(context.graph.verify(&context.caller(), &parts)).await?.into_iter().collect();
    for item in items.iter_mut().filter(|item| is_partial(item)) {
        let Some(id) = id_of(item).map(str::to_owned) else { continue };
        *item = match whole.remove(&id) {
            Some(Verified::There(message)) => DeltaItem::Message(message),
            // Something is wrong with this one mail; it must not keep the others out.
            Some(Verified::Unclear(error)) => DeltaItem::Unreadable { id: Some(id), raw: String::new(), reason: error.reason().to_owned() },
            Some(Verified::Gone) | None => DeltaItem::Removed { id },
        };
    }
    Ok(items)
}

/// Without mail that is older than the account's back-fill reaches and was not fetched before.
async fn within_reach(context: &SyncContext, mut items: Vec<DeltaItem>) -> Result<Vec<DeltaItem>> {
    let Some(since) = context.store.backfill(&context.account.id).await?.and_then(|backfill| backfill.since) else { return Ok(items) };
    let is_old = |item: &DeltaItem| matches!(item, DeltaItem::Message(item) if item.received_at.is_some_and(|at| to_ms(at) < since));
    let old: Vec<&str> = items.iter().filter(|item| is_old(item)).filter_map(id_of).collect();
    if old.is_empty() {
        return Ok(items);
    }
    let known: HashSet<String> = context.store.known(&context.account.id, &old).await?.into_iter().filter(|row| !row.is_removed).map(|row| row.graph_id).collect();
    items.retain(|item| !is_old(item) || id_of(item).is_some_and(|id| known.contains(id)));
    Ok(items)
}

fn is_partial(item: &DeltaItem) -> bool {
    matches!(item, DeltaItem::Message(item) if item.is_partial)
}

/// What is here of the items of a page. The sealed part is opened only where the change key says that it may be the same, or something of it is kept.
async fn held(context: &SyncContext, items: &[DeltaItem], anew: bool) -> Result<HashMap<String, Held>> {
    let messages: HashMap<&str, &MailItem> = items.iter().filter_map(|item| match item {
        DeltaItem::Message(item) => Some((item.id.as_str(), &**item)),
        _ => None,
    }).collect();
    let ids: Vec<&str> = items.iter().filter_map(id_of).collect();
    // Read anew when a key was replaced between reading a row and opening it.
    let needs_head = |row: &Known| {
        let item = messages.get(row.graph_id.as_str());
        let is_same = !anew && !row.change_key.is_empty() && item.is_some_and(|item| item.change_key == row.change_key);
        is_same || item.is_some_and(|item| item.untold.is_any() || may_have_attachments(item))
    };
    let read = async || {
        let rows = context.store.known(&context.account.id, &ids).await?;
        let mut edited = edits::of_page(context, &ids, &rows).await?;
        let key = if rows.iter().any(|row| row.head.is_some() && (needs_head(row) || edited.contains_key(&row.graph_id))) { Some(context.vault.content(&context.account.id).await?) } else { None };
        let mut held = |row: Known| {
            let Edited { edits, body } = edited.remove(&row.graph_id).unwrap_or_default();
            let head = match (&row.head, &key) {
                (Some(sealed), Some(key)) if needs_head(&row) || !edits.is_empty() => Some(MessageMetadata::open_sealed(key, &context.account.id, &row.graph_id, row.version, sealed)?),
                _ => None,
            };
            Ok((row.graph_id.clone(), Held { row, head, is_whole: !anew, edits, body }))
        };
        timed(Stage::Plan, || rows.into_iter().map(&mut held).collect())
    };
    context.vault.with_current_keys(read).await
}

async fn write(context: &SyncContext, place: &PagePlace, plan: Plan) -> Result<(Applied, Option<Cursor>)> {
    let (account_id, folder_id) = (context.account.id.as_str(), place.folder_id.as_str());
    let places = plan.unreadable.iter().map(|_| random::token::<16>()).collect::<Result<Vec<String>>>()?;
    let plan_edits = plan.edits;
    let candidates = answers::candidates(&plan.upserts);
    let mails: Vec<Mail> = plan.upserts.into_iter().map(|upsert| Mail::of(upsert, context.content)).collect::<Result<_>>()?;
    let heads: Vec<(&str, &MessageMetadata)> = mails.iter().map(|mail| (mail.id.as_str(), &mail.head)).collect();
    let linked = rules::of_page(context, &heads).await?;
    // Sealed anew when a key is replaced between sealing and writing: what it sealed may open for nobody by then.
    let mails = Arc::new(mails);
    let write = async || {
        let content = context.vault.content(account_id).await?;
        let upserts = {
            let (mails, content, account_id) = (mails.clone(), content.clone(), account_id.to_owned());
            blocking(move || mails.iter().map(|mail| mail.seal(&content, &account_id)).collect::<Result<_>>()).await?
        };
        let edits = plan_edits.iter().map(|planned| planned.seal(&content)).collect::<Result<_>>()?;
        let links = rules::seal(context, &content, &linked).await?;
        let quarantined = |(item, row): (&Unreadable, &String)| {
            let raw = content.seal(AadContext { table: "quarantine", column: "raw", account_id, row, version: 1 }, item.raw.as_bytes())?;
            Ok(Quarantined { raw, place: row.clone(), graph_id: item.id.clone(), reason: item.reason.clone(), kind: QuarantineKind::Message })
        };
        let cursor = match &place.link {
            Some((link, is_delta, version)) => {
                let sealed = context.vault.secrets(account_id).await?.seal(cursor_place(account_id, folder_id, *version), link.as_bytes())?;
                Some(Cursor { link: sealed, version: *version, is_delta: *is_delta })
            }
            None => None,
        };
        let batch = PageBatch {
            account_id: account_id.to_owned(),
            folder_id: folder_id.to_owned(),
            generation: context.account.generation,
            lease: context.lease.clone(),
            enumeration: place.enumeration,
            upserts,
            seen: plan.seen.clone(),
            pending_removals: plan.pending_removals.clone(),
            quarantined: plan.unreadable.iter().zip(&places).map(quarantined).collect::<Result<_>>()?,
            completes_pass: cursor.as_ref().is_some_and(|cursor| cursor.is_delta),
            edits,
            links,
            candidates: candidates.clone(),
            cursor,
            step: place.step.clone(),
            page_size: place.page_size,
            now: context.now(),
        };
        let cursor = batch.cursor.clone();
        Ok((context.store.apply(batch).await?, cursor))
    };
    context.vault.with_current_keys(write).await
}

/// A mail as it is to be sealed, as often as it takes.
struct Mail {
    /// What hosts will call it, should it be new.
    shown_id: String,
    id: String,
    folder_id: String,
    conversation_id: String,
    change_key: String,
    received_at: Option<i64>,
    is_read: bool,
    is_draft: bool,
    head: MessageMetadata,
    body: Option<Bytes>,
    search: Option<SearchText>,
    version: i64,
    is_unlisted: bool,
    change: Option<ChangeKind>,
}

impl Mail {
    fn of(upsert: Upsert, content: Content) -> Result<Self> {
        let Upsert { mut item, folder_id, version, change, keeps_body, attachments, is_unlisted } = upsert;
        let mut search = (content == Content::Clear).then(|| text_of(&item)).transpose()?;
        let body = item.body.take().filter(|_| !keeps_body).map(|body| kept(body).packed);
        if let Some(words) = search.as_mut().filter(|_| keeps_body) {
            words.text = None;
        }
        Ok(Self {
            shown_id: new_id()?,
            head: MessageMetadata::of(&mut item, attachments),
            id: item.id,
            folder_id,
            conversation_id: item.conversation_id,
            change_key: item.change_key,
            received_at: item.received_at.map(to_ms),
            is_read: item.is_read,
            is_draft: item.is_draft,
            body,
            search,
            version,
            is_unlisted,
            change,
        })
    }

    fn seal(&self, content: &DataKey, account_id: &str) -> Result<NewMessage> {
        let body = self.body.as_ref().map(|body| content.seal(body_place(account_id, &self.id, self.version), body)).transpose()?;
        Ok(NewMessage {
            head: self.head.seal(content, account_id, &self.id, self.version)?,
            id: self.shown_id.clone(),
            graph_id: self.id.clone(),
            folder_id: self.folder_id.clone(),
            conversation_id: self.conversation_id.clone(),
            change_key: self.change_key.clone(),
            received_at: self.received_at,
            is_read: self.is_read,
            is_draft: self.is_draft,
            body,
            search: self.search.clone(),
            version: self.version,
            is_unlisted: self.is_unlisted,
            has_attachments: self.head.has_attachments,
            change: self.change,
        })
    }
}

pub fn cursor_place<'a>(account_id: &'a str, folder_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "folders", column: "cursor", account_id, row: folder_id, version }
}
