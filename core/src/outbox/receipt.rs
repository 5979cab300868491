//! From a row to what the host sees.

use super::channel::{Channel, Ids, by_route};
use super::job::read_progress;
use crate::clock::from_ms;
use crate::error::Result;
use crate::model::{Receipt, SendState};
use crate::store::{Hold, ItemRow};
use crate::vault::Vault;

/// What a parked send waits for.
const PARKED: &str = "The store was copied or restored from a backup, and this send was open then: it may have been sent since, from the original or before the \
     restore. Look whether it was; then take it back with cancel, let it go with retry (even_if_unknown), or open the store with on_copied_store = go, which lets all of them go.";

/// Blocking: opens the sealed part.
pub fn receipt(vault: &Vault, item: &ItemRow) -> Result<Receipt> {
    Ok(receipt_with(item, by_route!(item.route, C => ids::<C>(vault, item))?))
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
        attempts: item.attempts,
        reason: if is_parked { Some(PARKED.to_owned()) } else { item.reason.clone() },
        internet_message_id: ids.internet_message_id,
        graph_id: if delivered { ids.graph_id } else { None },
        chat_id: ids.chat_id,
        created_at: from_ms(item.created_at),
        sent_at: item.sent_at.map(from_ms),
        next_attempt_at: if state == SendState::Queued && !is_parked { item.next_at.map(from_ms) } else { None },
        is_parked,
    }
}

fn ids<C: Channel>(vault: &Vault, item: &ItemRow) -> Result<Ids> {
    // Nobody had it in hand yet, so nothing was made of it.
    if item.fence == 0 {
        return Ok(Ids::default());
    }
    Ok(C::ids(read_progress(vault, item)?.own))
}
