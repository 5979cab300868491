//! From a row to what the host sees.

use super::channel::{Channel, Ids, by_route};
use super::job::open_progress;
use super::payload::work_of;
use crate::clock::from_ms;
use crate::error::Result;
use crate::model::{Receipt, Route, SendState};
use crate::store::{Hold, ItemRow};
use crate::vault::{DataKey, Vault};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What a parked send waits for.
const PARKED: &str = "The store was copied or restored from a backup, and this send was open then: it may have been sent since, from the original or before the \
     restore. Look whether it was; then take it back with cancel, let it go with retry (even_if_unknown), or open the store with on_copied_store = go, which lets all of them go.";

/// Opens the sealed part.
pub async fn receipt(vault: &Vault, item: &ItemRow) -> Result<Receipt> {
    let key = if has_ids(item) { Some(vault.content(&item.account_id).await?) } else { None };
    opened_receipt(key.as_ref(), item)
}

/// The same for many, with one look at the keys of each account.
pub async fn receipts(vault: &Vault, items: Vec<ItemRow>) -> Result<Vec<Receipt>> {
    let mut keys = HashMap::new();
    for item in items.iter().filter(|item| has_ids(item)) {
        if let Entry::Vacant(entry) = keys.entry(item.account_id.clone()) {
            entry.insert(vault.content(&item.account_id).await?);
        }
    }
    let sealed = items.iter().filter_map(|item| item.progress.as_ref()).fold(0, |sum, progress| sum + progress.as_bytes().len());
    work_of(sealed, move || items.iter().map(|item| opened_receipt(keys.get(&item.account_id), item)).collect()).await
}

/// The same with what is known of it already.
pub fn receipt_with(item: &ItemRow, ids: Ids) -> Receipt {
    let is_parked = item.hold == Hold::Parked && item.state.is_open();
    let state = if is_parked { SendState::Queued } else { item.state.shown() };
    let delivered = state == SendState::Sent;
    Receipt {
        id: item.id.clone(),
        account_id: item.account_id.clone(),
        route: item.route,
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
    }
}

/// What nobody had in hand yet has none: nothing was made of it. The names of a mail, and the host's key, are known from the beginning.
fn has_ids(item: &ItemRow) -> bool {
    item.progress.is_some() && (item.fence > 0 || matches!(item.route, Route::Mail | Route::Reply | Route::Forward))
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
