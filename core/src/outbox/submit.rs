//! What hosts ask of the outbox: take a draft, say what became of it, take it back, send it again.

use super::channel::{Channel, Order, Progress, Terms, by_draft, by_route};
use super::check::{check_draft, check_drafts, of_draft};
use super::content::{FORM, content_hash};
use super::deliver::Outbox;
use super::job::{Tools, progress_text, read_progress, seal_first_progress, seal_progress};
use super::payload::seal_content;
use super::receipt::receipt;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::model::{Draft, Event, OutboxFilter, Receipt, SendState};
use crate::random;
use crate::runtime::blocking;
use crate::store::{Content, Enqueued, Hold, ItemRow, ItemState, NewItem, Reopened, SEND_ID, of_route};
use crate::vault::Hashes;
use std::pin::pin;
use std::time::Duration;

/// Why sends are taken back when their account goes.
pub const DISCONNECTED: &str = "The account was disconnected before it was sent.";
/// For how long `retry` waits for somebody who has the send in hand.
const RETRY_TRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const TAKEN_BACK: &str = "It was taken back before it was sent.";
const LEFT_TO_THE_ORIGINAL: &str = "It was taken back in a store that was copied or restored, and does not leave from here. The original may have sent it: look into the mailbox or chat.";

impl Outbox {
    /// Makes the draft durable. `is_bulk`: nobody waits for its outcome, so it goes after those that somebody waits for. The caller has checked account and permissions; that the account is still connected is checked in the transaction.
    pub async fn enqueue(&self, draft: Draft, is_bulk: bool) -> Result<Receipt> {
        let tools = self.tools.clone();
        check_draft(&draft, tools.clock.now())?;
        let row = blocking(move || enqueue(&tools, &draft, is_bulk)).await?;
        failpoint!("outbox.enqueued");
        self.wake();
        Ok(row)
    }

    /// Makes all drafts durable in one transaction, or none. As [`enqueue`](Self::enqueue) otherwise.
    pub async fn enqueue_all(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        let tools = self.tools.clone();
        check_drafts(&drafts, tools.clock.now())?;
        let receipts = blocking(move || enqueue_all(&tools, &drafts)).await?;
        failpoint!("outbox.enqueued");
        self.wake();
        Ok(receipts)
    }

    /// NotFound when it is not of an account of this owner.
    pub async fn receipt(&self, receipt_id: &str, owner: Option<String>) -> Result<Receipt> {
        let (tools, id) = (self.tools.clone(), receipt_id.to_owned());
        blocking(move || {
            check_owner(&tools, &id, owner.as_deref())?;
            read_receipt(&tools, &id)
        })
        .await
    }

    pub async fn receipts(&self, filter: OutboxFilter) -> Result<Vec<Receipt>> {
        if !(1..=1000).contains(&filter.limit) {
            return Err(Error::invalid("limit must be from 1 to 1000."));
        }
        if [&filter.owner, &filter.account_id].iter().all(|name| name.as_ref().is_none_or(String::is_empty)) {
            return Err(Error::invalid("Name an owner or an account_id: a list never goes over all owners."));
        }
        if filter.owner.as_ref().is_some_and(String::is_empty) || filter.account_id.as_ref().is_some_and(String::is_empty) {
            return Err(Error::invalid("owner and account_id may be left out, but not be empty."));
        }
        let tools = self.tools.clone();
        blocking(move || tools.vault.with_current_keys_blocking(|| tools.store.items(&filter)?.iter().map(|row| receipt(&tools.vault, row)).collect())).await
    }

    /// Takes back what is provably unsent; what is cancelled already stays so.
    pub async fn cancel(&self, receipt_id: &str, owner: Option<String>) -> Result<Receipt> {
        let (tools, id) = (self.tools.clone(), receipt_id.to_owned());
        let cancelled = blocking(move || {
            check_owner(&tools, &id, owner.as_deref())?;
            if tools.store.cancel(&id, TAKEN_BACK, to_ms(tools.clock.now()))? {
                return Ok(true);
            }
            let receipt = read_receipt(&tools, &id)?;
            match receipt.state {
                SendState::Queued if receipt.is_parked && tools.store.abandon_parked_blocking(&id, LEFT_TO_THE_ORIGINAL, to_ms(tools.clock.now()))? => Ok(true),
                SendState::Cancelled => Ok(false),
                SendState::Queued | SendState::Sending => Err(conflict("It is being sent at this moment, so it cannot be taken back. Its receipt will say what became of it.")),
                SendState::Sent => Err(conflict("It was sent, so it cannot be taken back.")),
                SendState::Unknown => Err(conflict("It may have been sent, so it cannot be taken back. Look into the mailbox or chat.")),
                SendState::Failed => Err(conflict("It was not sent and will not be, so there is nothing to take back.")),
            }
        })
        .await?;
        failpoint!("outbox.cancelled");
        let receipt = self.receipt(receipt_id, None).await?;
        if cancelled {
            tracing::info!(target: "tidings::outbox", send = receipt.id, account = receipt.account_id, "taken back");
            self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
            self.nudge();
        }
        Ok(receipt)
    }

    /// Puts a failed send, or one in doubt if the host insists, into the queue again. The caller has checked account and permissions.
    pub async fn retry(&self, receipt_id: &str, even_if_unknown: bool) -> Result<Receipt> {
        let waiting = self.waiters.of(receipt_id);
        let mut left = RETRY_TRIES;
        let receipt = loop {
            let mut called = pin!(waiting.called.notified());
            called.as_mut().enable();
            let (tools, id) = (self.tools.clone(), receipt_id.to_owned());
            let opened = blocking(move || {
                tools.vault.with_current_keys_blocking(|| reopen(&tools, &id, even_if_unknown))?;
                read_receipt(&tools, &id)
            });
            match opened.await {
                // Its drafts are being looked for, which takes a moment.
                Err(busy) if busy.kind() == ErrorKind::StoreBusy && left > 0 => left -= 1,
                outcome => break outcome?,
            }
            tokio::select! { () = called => {}, () = self.tools.clock.deadline(RETRY_PAUSE) => {} }
        };
        failpoint!("outbox.reopened");
        tracing::info!(target: "tidings::outbox", send = receipt.id, account = receipt.account_id, "queued again");
        self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        self.nudge();
        Ok(receipt)
    }
}

fn enqueue(tools: &Tools, draft: &Draft, is_bulk: bool) -> Result<Receipt> {
    let new = new_item(tools, draft, is_bulk)?;
    let enqueued = tools.vault.with_current_keys_blocking(|| {
        let (item, content) = sealed(tools, &new, draft)?;
        tools.store.enqueue(&item, &content)
    })?;
    accepted(tools, draft, enqueued)
}

fn enqueue_all(tools: &Tools, drafts: &[Draft]) -> Result<Vec<Receipt>> {
    let new = drafts.iter().map(|draft| new_item(tools, draft, true)).collect::<Result<Vec<_>>>()?;
    // A key that is known with other content is refused here; one that somebody else uses in this moment, in the transaction.
    for (number, (new, draft)) in new.iter().zip(drafts).enumerate() {
        if let Some(known) = tools.store.submitted(&new.item)? {
            accepted(tools, draft, known).map_err(|e| of_draft(number, e))?;
        }
    }
    let all = tools.vault.with_current_keys_blocking(|| {
        let (items, contents): (Vec<_>, Vec<_>) = new.iter().zip(drafts).map(|(new, draft)| sealed(tools, new, draft)).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        tools.store.enqueue_all(&items, &contents)
    })?;
    drafts.iter().zip(all).map(|(draft, enqueued)| accepted(tools, draft, enqueued)).collect()
}

/// A send that is about to be stored.
struct New {
    item: NewItem,
    /// Not sealed yet.
    progress: Option<Vec<u8>>,
}

/// With the keys of this moment.
fn sealed(tools: &Tools, new: &New, draft: &Draft) -> Result<(NewItem, Content)> {
    let item = &new.item;
    let key = tools.vault.content_blocking(&item.account_id)?;
    let progress = new.progress.as_ref().map(|text| seal_first_progress(&key, item, text)).transpose()?;
    Ok((NewItem { progress, ..item.clone() }, seal_content(&key, &item.account_id, &item.id, draft)?))
}

fn first_progress<C: Channel>(hashes: &Hashes, id: &str, created_at: i64) -> Result<Option<Vec<u8>>> {
    C::first_known(hashes, id, created_at)?.map(|own| progress_text(&Progress { own, ..Progress::default() })).transpose()
}

fn new_item(tools: &Tools, draft: &Draft, is_bulk: bool) -> Result<New> {
    let account_id = draft.account_id();
    let (route, Terms { key, deadline }) = by_draft!(draft, C, one => (C::ROUTE, C::terms(one)));
    let hashes = tools.vault.hashes_blocking(account_id)?;
    let (id, created_at) = (new_id()?, to_ms(tools.clock.now()));
    let progress = by_draft!(draft, C, _one => first_progress::<C>(&hashes, &id, created_at))?;
    let item = NewItem {
        ordering_key: ordering_key(&hashes, &id, draft)?,
        id,
        content_hash: content_hash(&hashes, draft, FORM)?.to_vec(),
        hash_version: FORM,
        created_at,
        account_id: account_id.to_owned(),
        route,
        key: key.map(str::to_owned),
        deadline: deadline.map(to_ms),
        is_bulk,
        progress: None,
    };
    Ok(New { item, progress })
}

/// What the host is told of it.
fn accepted(tools: &Tools, draft: &Draft, enqueued: Enqueued) -> Result<Receipt> {
    let account_id = draft.account_id();
    match enqueued {
        Enqueued::New(row) => {
            tools.graph.meters().sends_queued.up();
            tracing::debug!(target: "tidings::outbox", send = row.id, account = account_id, "queued");
            receipt(&tools.vault, &row)
        }
        Enqueued::Known { row, content_hash: known, hash_version } => {
            if known != content_hash(&tools.vault.hashes_blocking(account_id)?, draft, hash_version)? {
                return Err(conflict("This idempotency key was used for a message with other content. Use a new key for a new message.").on_account(account_id));
            }
            read_receipt(tools, &row.id)
        }
    }
}

fn reopen(tools: &Tools, id: &str, even_if_unknown: bool) -> Result<()> {
    let seen = tools.store.item(id)?.ok_or_else(not_found)?;
    by_route!(seen.route, C => reopen_by::<C>(tools, &seen, even_if_unknown))
}

fn reopen_by<C: Channel>(tools: &Tools, seen: &ItemRow, even_if_unknown: bool) -> Result<()> {
    let mut progress = read_progress::<C::Progress>(&tools.vault, seen)?;
    let mut state = ItemState::Queued;
    match seen.state {
        _ if seen.hold == Hold::Parked && seen.state.is_open() => {
            if !even_if_unknown {
                return Err(conflict("It waits because the store was copied or restored, and the original may have sent it. To send it all the same, say even_if_unknown."));
            }
            return if tools.store.release_parked_blocking(&seen.id, to_ms(tools.clock.now()))? { Ok(()) } else { Err(taken()) };
        }
        ItemState::Failed => {}
        ItemState::Unknown if even_if_unknown => {
            progress.doubted = true;
            progress.insisted = true;
            // The mailbox may know by now, and then it is not sent twice.
            if C::can_be_asked(&progress.own) {
                state = ItemState::Reconciling;
            }
        }
        ItemState::Unknown => return Err(conflict("It may have been sent. Look into the mailbox or chat first; to send it all the same, say even_if_unknown.")),
        ItemState::Sent => return Err(conflict("It was sent. To send it once more, hand in a new draft.")),
        ItemState::Cancelled => return Err(conflict("It was taken back, and its content is gone. Hand in a new draft.")),
        _ => return Err(conflict("It is still on its way, and will be tried again by itself.")),
    }
    C::read_again(&mut progress.own);
    (progress.conflicts, progress.doubt_since, progress.refusal) = (0, None, None);
    let progress = seal_progress(&tools.vault.content_blocking(&seen.account_id)?, seen, &progress)?;
    if tools.store.reopen(&Reopened { seen, state, progress }, to_ms(tools.clock.now()))? {
        return Ok(());
    }
    Err(taken())
}

fn taken() -> Error {
    Error::new(ErrorKind::StoreBusy, "Somebody else has this send in hand at this moment; nothing was changed. Try again.")
}

fn new_id() -> Result<String> {
    let bits = u128::from_be_bytes(random::array::<16>()?);
    Ok(format!("{SEND_ID}{bits:032x}"))
}

fn check_owner(tools: &Tools, id: &str, owner: Option<&str>) -> Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    if owner.is_empty() {
        return Err(Error::invalid("owner may be left out, but not be empty."));
    }
    let item = tools.store.item(id)?.ok_or_else(not_found)?;
    match tools.store.account_blocking(&item.account_id)? {
        Some(account) if account.owner == owner => Ok(()),
        _ => Err(not_found()),
    }
}

fn read_receipt(tools: &Tools, id: &str) -> Result<Receipt> {
    tools.vault.with_current_keys_blocking(|| receipt(&tools.vault, &item(tools, id)?))
}

fn item(tools: &Tools, id: &str) -> Result<ItemRow> {
    tools.store.item(id)?.ok_or_else(not_found)
}

/// What leaves in order has the same one.
fn ordering_key(hashes: &Hashes, id: &str, draft: &Draft) -> Result<String> {
    let account_id = draft.account_id();
    let (route, order) = by_draft!(draft, C, one => (C::ROUTE, C::order(one)));
    let (kind, by) = match order {
        Order::Alone => return Ok(format!("{}/{id}", of_route(account_id, route))),
        Order::By(kind, by) => (kind, by),
    };
    // Keyed, so that the column tells nothing about who is written to.
    let hash = hashes.of("outbox lane", &[by.as_bytes()])?;
    let short: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    Ok(format!("{account_id}/{kind}/{short}"))
}

fn conflict(reason: &str) -> Error {
    Error::new(ErrorKind::Conflict, reason)
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no send with this id.")
}
