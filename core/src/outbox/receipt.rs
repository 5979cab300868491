//! From a row to what the host sees.

use super::carrier::read_progress;
use crate::clock::from_ms;
use crate::error::Result;
use crate::model::{Receipt, SendState};
use crate::store::ItemRow;
use crate::vault::Vault;

/// Blocking: opens the sealed part.
pub fn receipt(vault: &Vault, item: &ItemRow) -> Result<Receipt> {
    let progress = read_progress(vault, item)?;
    let state = item.state.shown();
    let delivered = state == SendState::Sent;
    Ok(Receipt {
        id: item.id.clone(),
        account_id: item.account_id.clone(),
        route: item.route,
        state,
        key: item.key.clone(),
        attempts: item.attempts,
        reason: item.reason.clone(),
        internet_message_id: progress.internet_message_id,
        graph_id: if delivered { progress.graph_id } else { None },
        chat_id: progress.chat_id,
        created_at: from_ms(item.created_at),
        sent_at: item.sent_at.map(from_ms),
        next_attempt_at: if state == SendState::Queued { item.next_at.map(from_ms) } else { None },
    })
}
