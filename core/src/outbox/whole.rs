//! Messages that went to several endpoints: the whole has no content and no state of its own, but what its parts have.

use super::deliver::Outbox;
use super::receipt::receipts;
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Receipt, Route, SendPart, SendState};
use crate::store::{WHOLE_ID, WholeRow};
use std::time::Duration;

pub fn is_whole(receipt_id: &str) -> bool {
    receipt_id.starts_with(WHOLE_ID)
}

/// What parts in these states are together. None: there is none.
fn together(states: &[SendState]) -> Option<SendState> {
    let all = |state| states.iter().all(|one| *one == state);
    let any = |state| states.contains(&state);
    if states.is_empty() {
        return None;
    }
    if any(SendState::Queued) || any(SendState::Sending) {
        let has_begun = states.iter().any(|state| matches!(state, SendState::Sending | SendState::Sent | SendState::Unknown));
        return Some(if has_begun { SendState::Sending } else { SendState::Queued });
    }
    Some(if all(SendState::Cancelled) {
        SendState::Cancelled
    } else if any(SendState::Unknown) {
        SendState::Unknown
    } else if any(SendState::Failed) {
        SendState::Failed
    } else {
        SendState::Sent
    })
}

fn shown(whole: WholeRow, parts: Vec<Receipt>) -> Receipt {
    let refused = whole.refused.into_iter().map(|one| SendPart { endpoint_id: one.endpoint_id, receipt_id: None, state: SendState::Failed, reason: Some(one.reason) });
    let latest_sent = parts.iter().filter_map(|part| part.sent_at).max();
    let next_attempt_at = parts.iter().filter_map(|part| part.next_attempt_at).min();
    let attempts = parts.iter().map(|part| part.attempts).max().unwrap_or(0);
    let is_parked = parts.iter().any(|part| part.is_parked);
    let parts: Vec<SendPart> = parts
        .into_iter()
        .map(|part| SendPart { endpoint_id: part.endpoint_id.unwrap_or_default(), receipt_id: Some(part.id), state: part.state, reason: part.reason })
        .chain(refused)
        .collect();
    let states: Vec<SendState> = parts.iter().map(|part| part.state).collect();
    let state = together(&states).unwrap_or(SendState::Failed);
    let troubled: Vec<&SendPart> = parts.iter().filter(|part| matches!(part.state, SendState::Failed | SendState::Unknown)).collect();
    let reason = troubled.first().map(|first| format!("{} of {} endpoints: {}", troubled.len(), parts.len(), first.reason.as_deref().unwrap_or("no reason is known.")));
    Receipt {
        id: whole.id,
        account_id: String::new(),
        route: Route::ToEndpoint,
        state,
        key: whole.key,
        link: None,
        attempts,
        reason,
        internet_message_id: None,
        graph_id: None,
        chat_id: None,
        conversation_id: None,
        created_at: from_ms(whole.created_at),
        sent_at: latest_sent.filter(|_| state == SendState::Sent),
        next_attempt_at,
        is_parked,
        bounces: Vec::new(),
        automatic_replies: Vec::new(),
        endpoint_id: None,
        whole_id: None,
        parts,
    }
}

impl Outbox {
    /// The receipt of a whole. Its subscriber counts as an owner; another owner sees it if all that it went through is theirs. Errors: NotFound.
    pub async fn whole(&self, id: &str, owner: Option<&str>) -> Result<Receipt> {
        let store = &self.tools.store;
        let whole = store.whole(id).await?.ok_or_else(none)?;
        if let Some(owner) = owner.filter(|owner| *owner != whole.subscriber) {
            for part in store.parts(id).await? {
                store.item(&part.id, Some(owner)).await?.ok_or_else(none)?;
            }
        }
        self.of_row(whole).await?.ok_or_else(none)
    }

    /// None: nothing is left of it, all that it went through was purged.
    async fn of_row(&self, whole: WholeRow) -> Result<Option<Receipt>> {
        let id = whole.id.clone();
        let parts = self.tools.vault.with_current_keys(async || receipts(&self.tools, self.tools.store.parts(&id).await?).await).await?;
        Ok((!parts.is_empty() || !whole.refused.is_empty()).then(|| shown(whole, parts)))
    }

    /// The whole that was handed in with this key before. Errors: Conflict, if it said something else.
    pub async fn known_whole(&self, subscriber: &str, key: &str, content_hash: &[u8; 32]) -> Result<Option<Receipt>> {
        let Some(whole) = self.tools.store.whole_by_key(subscriber, key).await? else { return Ok(None) };
        if whole.content_hash != content_hash {
            return Err(Error::new(ErrorKind::Conflict, "This idempotency key was used for a message with other content. Use a new key for a new message."));
        }
        let gone = || Error::new(ErrorKind::Conflict, "This idempotency key was used for a message of which nothing is left: what it went through was purged. Use a new key.");
        self.of_row(whole).await?.ok_or_else(gone).map(Some)
    }

    /// Waits for the outcome of its parts, at most `limit` in all.
    pub(super) async fn wait_for_parts(&self, id: &str, limit: Duration) -> Result<Receipt> {
        let begun = to_ms(self.tools.clock.now());
        for part in self.tools.store.parts(id).await? {
            let gone = u64::try_from(to_ms(self.tools.clock.now()).saturating_sub(begun)).unwrap_or(0);
            let Some(left) = limit.checked_sub(Duration::from_millis(gone)) else { break };
            self.wait_for_one(&part.id, left).await?;
        }
        self.whole(id, None).await
    }

    /// Takes back what of it is provably unsent. Errors: Conflict, if nothing of it is.
    pub(super) async fn cancel_parts(&self, id: &str, owner: Option<&str>) -> Result<Receipt> {
        let (mut refusal, mut is_done) = (None, false);
        for part in self.whole(id, owner).await?.parts {
            let Some(receipt_id) = part.receipt_id else { continue };
            match self.cancel_one(&receipt_id, None).await {
                Ok(_) => is_done = true,
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(error) if !is_done => Err(error),
            _ => self.whole(id, None).await,
        }
    }

}

fn none() -> Error {
    Error::new(ErrorKind::NotFound, "There is no send with this id.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use SendState::*;

    #[test]
    fn the_state_of_a_whole_follows_from_its_parts() {
        let cases: &[(&[SendState], SendState)] = &[
            (&[Sent], Sent),
            (&[Sent, Sent], Sent),
            (&[Queued, Queued], Queued),
            (&[Queued, Failed], Queued),
            (&[Queued, Sent], Sending),
            (&[Sending, Queued], Sending),
            (&[Sent, Failed], Failed),
            (&[Sent, Unknown, Failed], Unknown),
            (&[Cancelled, Cancelled], Cancelled),
            (&[Cancelled, Sent], Sent),
            (&[Cancelled, Failed], Failed),
        ];
        for (parts, whole) in cases {
            assert_eq!(together(parts), Some(*whole), "{parts:?}");
        }
        assert_eq!(together(&[]), None);
    }
}
