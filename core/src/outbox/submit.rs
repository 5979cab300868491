//! What hosts ask of the outbox: take a draft, say what became of it, take it back, send it again.

use super::channel::{Channel, Ids, Order, Progress, Terms, by_draft, by_route};
use super::check::of_draft;
use super::content::{FORM, content_hash};
use super::deliver::Outbox;
use super::job::{Tools, progress_text, read_progress, seal_first_progress, seal_progress};
use super::payload::{seal_content, work_of};
use super::last_sender::{contexts, remembered};
use super::receipt::{receipt, receipt_with, receipts};
use super::signature::Signatures;
use super::staged::StagedFiles;
use super::staging::{Staging, sweep};
use super::whole::is_whole;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::hex::hex;
use crate::model::{RouteDraft, Event, OutboxFilter, Receipt, SendState};
use crate::random;
use crate::store::{Content, Enqueued, Hold, IsUsable, NewPart, Parked, ItemRow, ItemState, NewItem, Reopened, SEND_ID, of_route};
use crate::vault::{DataKey, Hashes};
use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// For how long `retry` waits for somebody who has the send in hand.
const RETRY_TRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const TAKEN_BACK: &str = "It was taken back before it was sent.";
const LEFT_TO_THE_ORIGINAL: &str = "It was taken back in a store that was copied or restored, and does not leave from here. The original may have sent it: look into the mailbox or chat.";

impl Outbox {
    /// Makes the one draft durable. `is_bulk`: nobody waits for its outcome, so it goes after those that somebody waits for. Its account is looked at in the
    /// transaction. Errors: `NotConnected` if it may not send, for whatever reason.
    pub async fn enqueue_one(&self, drafts: &Arc<Vec<RouteDraft>>, is_bulk: bool, is_usable: IsUsable) -> Result<Receipt> {
        let drafts = Drafts::new(&self.tools, drafts.clone(), Vec::new(), is_bulk).await?;
        let enqueued = drafts.enqueue(is_usable).await?.pop().ok_or_else(lost)?;
        let receipt = drafts.accepted(0, enqueued).await?;
        failpoint!("outbox.enqueued");
        self.wake();
        Ok(receipt)
    }

    /// Whether drafts of this account can be sealed without a look at the store.
    pub fn is_ready_for(&self, account_id: &str) -> bool {
        self.tools.vault.hashes_in_memory(account_id).is_some() && self.tools.vault.content_in_memory(account_id).is_some()
    }

    /// Bytes of the largest staged content that this draft names, as far as it is known.
    pub async fn largest_staged(&self, draft: &RouteDraft) -> Result<u64> {
        Ok(StagedFiles::of(&self.tools, [draft]).await?.largest())
    }

    /// Makes all drafts durable in one transaction, or none. As [`enqueue_one`](Self::enqueue_one) otherwise.
    /// `parts`: by number, those that are parts of wholes; empty: none is.
    pub async fn enqueue_all(&self, drafts: Vec<RouteDraft>, parts: Vec<Option<NewPart>>, is_bulk: bool, is_usable: IsUsable) -> Result<Vec<Receipt>> {
        let drafts = Drafts::new(&self.tools, Arc::new(drafts), parts, is_bulk).await?;
        // A key that is known with other content is refused here; one that somebody else uses in this moment, in the transaction.
        for (number, known) in drafts.submitted().await?.into_iter().enumerate() {
            if let Some(known) = known {
                drafts.accepted(number, known).await.map_err(|e| of_draft(number, e))?;
            }
        }
        let mut receipts = Vec::new();
        for (number, enqueued) in drafts.enqueue(is_usable).await?.into_iter().enumerate() {
            receipts.push(drafts.accepted(number, enqueued).await?);
        }
        failpoint!("outbox.enqueued");
        self.wake();
        Ok(receipts)
    }

    /// A content that drafts of this account may name once it is whole.
    pub async fn stage(&self, account_id: &str, size: Option<u64>) -> Result<Staging> {
        Staging::begin(self.tools.clone(), account_id, size).await
    }

    /// NotFound when it is not of an account of this owner.
    pub async fn receipt(&self, receipt_id: &str, owner: Option<String>) -> Result<Receipt> {
        check_owner(owner.as_deref())?;
        if is_whole(receipt_id) {
            return self.whole(receipt_id, owner.as_deref()).await;
        }
        read_receipt(&self.tools, receipt_id, owner.as_deref()).await
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
        let Tools { store, vault, .. } = &*self.tools;
        vault.with_current_keys(async || receipts(&self.tools, store.items(&filter).await?).await).await
    }

    /// Takes back what is provably unsent; what is cancelled already stays so.
    pub async fn cancel(&self, receipt_id: &str, owner: Option<String>) -> Result<Receipt> {
        if is_whole(receipt_id) {
            check_owner(owner.as_deref())?;
            return self.cancel_parts(receipt_id, owner.as_deref()).await;
        }
        self.cancel_one(receipt_id, owner).await
    }

    pub(super) async fn cancel_one(&self, receipt_id: &str, owner: Option<String>) -> Result<Receipt> {
        let cancelled = cancel(&self.tools, receipt_id, owner.as_deref()).await?;
        failpoint!("outbox.cancelled");
        let receipt = self.receipt(receipt_id, None).await?;
        if cancelled {
            tracing::info!(target: "tidings::outbox", send = receipt.id, account = receipt.account_id, "taken back");
            self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
            self.nudge();
            if let Err(error) = sweep(&self.tools).await {
                tracing::debug!(target: "tidings::outbox", kind = ?error.kind(), "staged contents are erased later");
            }
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
            let tools = &*self.tools;
            let opened = async {
                tools.vault.with_current_keys(async || reopen(tools, receipt_id, even_if_unknown).await).await?;
                read_receipt(tools, receipt_id, None).await
            };
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

/// True: it was taken back now. False: before.
async fn cancel(tools: &Tools, id: &str, owner: Option<&str>) -> Result<bool> {
    check_owner(owner)?;
    if owner.is_some() {
        item(tools, id, owner).await?;
    }
    let now = to_ms(tools.clock.now());
    if tools.store.cancel(id, TAKEN_BACK, now).await? {
        return Ok(true);
    }
    let receipt = read_receipt(tools, id, None).await?;
    match receipt.state {
        SendState::Queued if receipt.is_parked && abandon(tools, id, now).await? => Ok(true),
        SendState::Cancelled => Ok(false),
        SendState::Queued | SendState::Sending => Err(conflict("It is being sent at this moment, so it cannot be taken back. Its receipt will say what became of it.")),
        SendState::Sent => Err(conflict("It was sent, so it cannot be taken back.")),
        SendState::Unknown => Err(conflict("It may have been sent, so it cannot be taken back. Look into the mailbox or chat.")),
        SendState::Failed => Err(conflict("It was not sent and will not be, so there is nothing to take back.")),
    }
}

async fn abandon(tools: &Tools, id: &str, now: i64) -> Result<bool> {
    tools.store.settle_parked(id, Parked::Abandoned(LEFT_TO_THE_ORIGINAL.to_owned()), now).await
}

/// Drafts that are handed in together.
struct Drafts<'a> {
    tools: &'a Tools,
    drafts: Arc<Vec<RouteDraft>>,
    /// Bytes of all of them, about.
    weight: usize,
    hashes: Arc<HashMap<String, Hashes>>,
    staged: Arc<StagedFiles>,
    new: Arc<Vec<New>>,
    /// By number, what is stored in the place of drafts that are signed. Their content is compared as it was handed in: the same draft is the same content, whatever
    /// became of the signature in between.
    signed: Arc<HashMap<usize, RouteDraft>>,
}

/// A send that is about to be stored.
pub struct New {
    pub item: NewItem,
    /// Not sealed yet.
    progress: Option<Vec<u8>>,
    /// In which its sender is remembered.
    context: Option<[u8; 32]>,
}

impl<'a> Drafts<'a> {
    async fn new(tools: &'a Tools, drafts: Arc<Vec<RouteDraft>>, parts: Vec<Option<NewPart>>, is_bulk: bool) -> Result<Self> {
        let weight = drafts.iter().map(|draft| by_draft!(draft, C, one => C::weight(one))).sum();
        let mut hashes = HashMap::new();
        for account_id in account_ids(&drafts) {
            // Whether the account is still connected is asked by the write.
            let of_account = match tools.vault.hashes_in_memory(account_id) {
                Some(hashes) => hashes,
                None => tools.vault.hashes(account_id).await?,
            };
            hashes.insert(account_id.to_owned(), of_account);
        }
        let (hashes, now) = (Arc::new(hashes), to_ms(tools.clock.now()));
        let staged = Arc::new(StagedFiles::of(tools, drafts.iter()).await?);
        let contexts = contexts(tools, &drafts).await?;
        let (all, of_account, contents) = (drafts.clone(), hashes.clone(), staged.clone());
        let new = work_of(weight, move || {
            let one = |(draft, context)| Ok(New { context, ..new_item(of(&of_account, draft)?, (draft, &contents), new_id()?, is_bulk, now)? });
            all.iter().zip(contexts).map(one).collect()
        });
        let mut new: Vec<New> = new.await?;
        new.iter_mut().zip(parts).for_each(|(new, part)| new.item.part = part);
        let mut drafts = Self { tools, drafts, weight, hashes, staged, new: Arc::new(new), signed: Arc::default() };
        drafts.signed = Arc::new(drafts.check_named().await?);
        Ok(drafts)
    }

    /// One that was handed in before is known, whatever became of the message that it answers, of the contents it names and of the signature it wants. Answers those
    /// that are signed.
    async fn check_named(&self) -> Result<HashMap<usize, RouteDraft>> {
        let signatures = Signatures::of(self.tools, self.drafts.iter()).await?;
        let mut all_signed = HashMap::new();
        for (number, (draft, new)) in self.drafts.iter().zip(&*self.new).enumerate() {
            let named = match check_named(self.tools, draft, &self.staged).await {
                Ok(()) => signatures.signed(draft).await,
                Err(error) => Err(error),
            };
            let error = match named {
                Ok(signed) => {
                    all_signed.extend(signed.map(|signed| (number, signed)));
                    continue;
                }
                Err(error) => error,
            };
            let is_known = new.item.key.is_some() && self.tools.store.submitted(std::slice::from_ref(&new.item)).await?.iter().any(Option::is_some);
            if !is_known {
                return Err(if self.drafts.len() > 1 { of_draft(number, error) } else { error });
            }
        }
        Ok(all_signed)
    }

    /// What was handed in with their keys before.
    async fn submitted(&self) -> Result<Vec<Option<Enqueued>>> {
        if self.new.iter().all(|new| new.item.key.is_none()) {
            return Ok(Vec::new());
        }
        let items: Vec<NewItem> = self.new.iter().map(|new| new.item.clone()).collect();
        self.tools.store.submitted(&items).await
    }

    /// All in one step, or none.
    async fn enqueue(&self, is_usable: IsUsable) -> Result<Vec<Enqueued>> {
        let Tools { store, vault, .. } = self.tools;
        let mut is_first = true;
        vault.with_current_keys(|| {
            let is_first = std::mem::take(&mut is_first);
            async move {
                let mut keys = HashMap::new();
                for account_id in account_ids(&self.drafts) {
                    // The write says whether it is still the one.
                    let key = match vault.content_in_memory(account_id).filter(|_| is_first) {
                        Some(key) => key,
                        None => vault.content(account_id).await?,
                    };
                    keys.insert(account_id.to_owned(), key);
                }
                let (drafts, new, signed) = (self.drafts.clone(), self.new.clone(), self.signed.clone());
                let all = move || new.iter().zip(&*drafts).enumerate().map(|(number, (new, draft))| sealed(of(&keys, draft)?, new, signed.get(&number).unwrap_or(draft))).collect();
                let sealed = work_of(self.weight, all).await?;
                store.enqueue(sealed, is_usable).await
            }
        })
        .await
    }

    /// What the host is told of one of them.
    async fn accepted(&self, number: usize, enqueued: Enqueued) -> Result<Receipt> {
        let draft = self.drafts.get(number).ok_or_else(lost)?;
        match enqueued {
            Enqueued::New(row) => {
                self.tools.graph.meters().sends_queued.up();
                tracing::debug!(target: "tidings::outbox", send = row.id, account = row.account_id, "queued");
                // Nothing is known of it but what the draft says, so nothing has to be opened.
                let link = by_draft!(draft, C, one => C::link(one).map(str::to_owned));
                Ok(receipt_with(&row, Ids { link, ..Ids::default() }))
            }
            Enqueued::Known { row, content_hash: known, hash_version } => {
                let (drafts, hashes, staged) = (self.drafts.clone(), self.hashes.clone(), self.staged.clone());
                let hash = work_of(self.weight, move || {
                    let draft = drafts.get(number).ok_or_else(lost)?;
                    content_hash(of(&hashes, draft)?, draft, &staged, hash_version)
                });
                if known != hash.await? {
                    return Err(conflict("This idempotency key was used for a message with other content. Use a new key for a new message.").on_account(draft.account_id()));
                }
                read_receipt(self.tools, &row.id, None).await
            }
        }
    }
}

/// What a draft names is there: the message it answers or passes on, and staged contents. Errors: NotFound, LimitExceeded.
pub async fn check_named(tools: &Tools, draft: &RouteDraft, staged: &StagedFiles) -> Result<()> {
    staged.check(draft)?;
    check_original(tools, draft).await
}

/// What a draft answers or passes on is a message of its account. Errors: NotFound.
async fn check_original(tools: &Tools, draft: &RouteDraft) -> Result<()> {
    let Some(message_id) = draft.original() else { return Ok(()) };
    let row = tools.store.message(message_id, None).await?;
    if row.is_some_and(|row| row.account_id == draft.account_id()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFound, "This account has no message with this message_id. Pass the id of a message as messages shows it.").on_account(draft.account_id()))
}

/// Of these drafts, each once.
fn account_ids(drafts: &[RouteDraft]) -> BTreeSet<&str> {
    drafts.iter().map(RouteDraft::account_id).collect()
}

/// What belongs to the account of a draft.
fn of<'a, T>(by_account: &'a HashMap<String, T>, draft: &RouteDraft) -> Result<&'a T> {
    by_account.get(draft.account_id()).ok_or_else(lost)
}

fn lost() -> Error {
    Error::internal("A draft was lost while it was stored. Please report it.")
}

/// With the key of this moment.
fn sealed(key: &DataKey, new: &New, draft: &RouteDraft) -> Result<(NewItem, Content)> {
    let item = &new.item;
    let progress = new.progress.as_ref().map(|text| seal_first_progress(key, item, text)).transpose()?;
    let last_sender = new.context.map(|context| remembered(key, context, draft, item.created_at)).transpose()?;
    Ok((NewItem { progress, last_sender, ..item.clone() }, seal_content(key, &item.account_id, &item.id, draft)?))
}

fn first_progress<C: Channel>(hashes: &Hashes, id: &str, created_at: i64, link: Option<&str>) -> Result<Option<Vec<u8>>> {
    let link = link.map(str::to_owned);
    C::first_known(hashes, id, created_at)?.map(|own| progress_text(&Progress { own, link, ..Progress::default() })).transpose()
}

pub fn new_item(hashes: &Hashes, (draft, staged): (&RouteDraft, &StagedFiles), id: String, is_bulk: bool, created_at: i64) -> Result<New> {
    let (route, Terms { key, deadline, send_at }) = by_draft!(draft, C, one => (C::ROUTE, C::terms(one)));
    let progress = by_draft!(draft, C, one => first_progress::<C>(hashes, &id, created_at, C::link(one)))?;
    let item = NewItem {
        ordering_key: ordering_key(hashes, &id, draft)?,
        id,
        content_hash: content_hash(hashes, draft, staged, FORM)?.to_vec(),
        hash_version: FORM,
        created_at,
        account_id: draft.account_id().to_owned(),
        route,
        key: key.map(str::to_owned),
        deadline: deadline.map(to_ms),
        send_at: send_at.map(to_ms),
        is_bulk,
        progress: None,
        last_sender: None,
        part: None,
    };
    Ok(New { item, progress, context: None })
}

async fn reopen(tools: &Tools, id: &str, even_if_unknown: bool) -> Result<()> {
    let seen = item(tools, id, None).await?;
    by_route!(seen.route, C => reopen_by::<C>(tools, &seen, even_if_unknown).await)
}

async fn reopen_by<C: Channel>(tools: &Tools, seen: &ItemRow, even_if_unknown: bool) -> Result<()> {
    let mut progress = read_progress::<C::Progress>(&tools.vault, seen).await?;
    let mut state = ItemState::Queued;
    match seen.state {
        _ if seen.hold == Hold::Parked && seen.state.is_open() => {
            if !even_if_unknown {
                return Err(conflict("It waits because the store was copied or restored, and the original may have sent it. To send it all the same, say even_if_unknown."));
            }
            return if tools.store.settle_parked(&seen.id, Parked::Released, to_ms(tools.clock.now())).await? { Ok(()) } else { Err(taken()) };
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
    let progress = seal_progress(&tools.vault.content(&seen.account_id).await?, seen, &progress)?;
    if tools.store.reopen(&Reopened { seen, state, progress }, to_ms(tools.clock.now())).await? {
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

pub fn check_owner(owner: Option<&str>) -> Result<()> {
    if owner.is_some_and(str::is_empty) { Err(Error::invalid("owner may be left out, but not be empty.")) } else { Ok(()) }
}

pub async fn read_receipt(tools: &Tools, id: &str, owner: Option<&str>) -> Result<Receipt> {
    tools.vault.with_current_keys(async || receipt(tools, &item(tools, id, owner).await?).await).await
}

pub async fn item(tools: &Tools, id: &str, owner: Option<&str>) -> Result<ItemRow> {
    tools.store.item(id, owner).await?.ok_or_else(not_found)
}

/// What leaves in order has the same one.
fn ordering_key(hashes: &Hashes, id: &str, draft: &RouteDraft) -> Result<String> {
    let account_id = draft.account_id();
    let (route, order, send_at) = by_draft!(draft, C, one => (C::ROUTE, C::order(one), C::terms(one).send_at));
    let (kind, by) = match order {
        Order::Alone => return Ok(format!("{}/{id}", of_route(account_id, route))),
        Order::By(kind, by) => (kind, by),
    };
    // Keyed, so that the column tells nothing about who is written to. What is scheduled is in order with what leaves at the same time alone.
    let at = send_at.map(|at| to_ms(at).to_string());
    let parts: Vec<&[u8]> = std::iter::once(by.as_bytes()).chain(at.as_deref().map(str::as_bytes)).collect();
    let hash = hashes.of("outbox lane", &parts)?;
    Ok(format!("{account_id}/{kind}/{}", hex(hash.get(..12).unwrap_or_default())))
}

pub fn conflict(reason: &str) -> Error {
    Error::new(ErrorKind::Conflict, reason)
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no send with this id.")
}
