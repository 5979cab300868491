//! From a row to what the host sees.

use super::channel::{Channel, Ids, by_route};
use super::job::{Tools, open_progress};
use super::payload::work_of;
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Receipt, Route, SendState};
use crate::store::{Hold, ItemRow, SendAnswers, answer_place, answer_row};
use crate::vault::DataKey;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a parked send waits for.
const PARKED: &str = "The store was copied or restored from a backup, and this send was open then: it may have been sent since, from the original or before the \
     restore. Look whether it was; then take it back with cancel, let it go with retry (even_if_unknown), or open the store with on_copied_store = go, which lets all of them go.";

/// Opens the sealed part, and what answers it.
pub async fn receipt(tools: &Tools, item: &ItemRow) -> Result<Receipt> {
    let key = if has_ids(item) { Some(tools.vault.content(&item.account_id).await?) } else { None };
    let mut receipt = opened_receipt(key.as_ref(), item)?;
    add_answers(tools, std::slice::from_mut(&mut receipt), key.into_iter().map(|key| (item.account_id.clone(), key)).collect()).await?;
    Ok(receipt)
}

/// The same for many, with one look at the keys of each account.
pub async fn receipts(tools: &Tools, items: Vec<ItemRow>) -> Result<Vec<Receipt>> {
    let mut keys = HashMap::new();
    for item in items.iter().filter(|item| has_ids(item)) {
        if let Entry::Vacant(entry) = keys.entry(item.account_id.clone()) {
            entry.insert(tools.vault.content(&item.account_id).await?);
        }
    }
    let sealed = items.iter().filter_map(|item| item.progress.as_ref()).fold(0, |sum, progress| sum + progress.as_bytes().len());
    let opening = keys.clone();
    let mut receipts: Vec<Receipt> = work_of(sealed, move || items.iter().map(|item| opened_receipt(opening.get(&item.account_id), item)).collect::<Result<_>>()).await?;
    add_answers(tools, &mut receipts, keys).await?;
    Ok(receipts)
}

/// What answers mails that were sent, or may have been. `keys`: those that are at hand, by account.
async fn add_answers(tools: &Tools, receipts: &mut [Receipt], mut keys: HashMap<String, DataKey>) -> Result<()> {
    let mut mails: HashMap<String, &mut Receipt> =
        receipts.iter_mut().filter(|receipt| is_mail(receipt.route) && matches!(receipt.state, SendState::Sent | SendState::Unknown)).map(|receipt| (receipt.id.clone(), receipt)).collect();
    if mails.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = mails.keys().map(String::as_str).collect();
    for row in tools.store.answers(&ids).await? {
        let key = match keys.entry(row.account_id.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(tools.vault.content(&row.account_id).await?),
        };
        let plain = key.open(answer_place(&row.account_id, &answer_row(&row.send_id, &row.graph_id)), &row.sealed)?;
        let found: SendAnswers = serde_json::from_slice(&plain).map_err(|e| Error::new(ErrorKind::Corrupt, "A stored answer to a send cannot be read.").with_source(e))?;
        let Some(receipt) = mails.get_mut(&row.send_id) else { continue };
        receipt.bounces.extend(found.bounces);
        receipt.automatic_replies.extend(found.automatic_replies);
    }
    Ok(())
}

fn is_mail(route: Route) -> bool {
    matches!(route, Route::Mail | Route::Reply | Route::Forward)
}

/// The same with what is known of it already.
pub fn receipt_with(item: &ItemRow, ids: Ids) -> Receipt {
    let is_parked = item.hold == Hold::Parked && item.state.is_open();
    let state = if is_parked { SendState::Queued } else { item.state.shown() };
    let delivered = state == SendState::Sent;
    Receipt {
        id: item.id.clone(),
        account_id: item.account_id.clone(),
        route: item.route.into(),
        state,
        key: item.key.clone(),
        link: ids.link,
        attempts: item.attempts,
        reason: if is_parked { Some(PARKED.to_owned()) } else { item.reason.clone() },
        internet_message_id: ids.internet_message_id,
        graph_id: if delivered { ids.graph_id } else { None },
        conversation_id: if delivered { ids.conversation_id } else { None },
        chat_id: ids.chat_id,
        created_at: from_ms(item.created_at),
        sent_at: item.sent_at.map(from_ms),
        next_attempt_at: if state == SendState::Queued && !is_parked { item.next_at.map(from_ms) } else { None },
        is_parked,
        bounces: Vec::new(),
        automatic_replies: Vec::new(),
        endpoint_id: item.part.as_ref().map(|part| part.endpoint_id.clone()),
        whole_id: item.part.as_ref().map(|part| part.whole_id.clone()),
        parts: Vec::new(),
    }
}

/// What nobody had in hand yet has none: nothing was made of it. The names of a mail, and the host's key, are known from the beginning.
fn has_ids(item: &ItemRow) -> bool {
    item.progress.is_some() && (item.fence > 0 || is_mail(item.route.into()))
}

fn opened_receipt(key: Option<&DataKey>, item: &ItemRow) -> Result<Receipt> {
    let ids = match key {
        Some(key) if has_ids(item) => by_route!(item.route, C => ids::<C>(key, item))?,
        _ => Ids::default(),
    };
    Ok(receipt_with(item, ids))
}

fn ids<C: Channel>(key: &DataKey, item: &ItemRow) -> Result<Ids> {
    let progress = open_progress(key, item)?;
    let link = progress.link;
    // Whoever has it in hand first may still give it other names.
    let ids = if item.fence > 0 { C::ids(progress.own) } else { Ids::default() };
    Ok(Ids { link, ..ids })
}
