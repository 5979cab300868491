//! What was handed in during a test, and what must have become of it.

use super::microsoft::{Microsoft, REFUSED};
use super::uploads::{has_files, set_files, staged};
use super::world::{Process, World, draft, in_time};
use crate::clock::from_ms;
use crate::model::{RouteDraft, Receipt, SendRoute, SendState};
use crate::outbox::channel::Channel;
use crate::outbox::channels::Mail;
use crate::outbox::job::read_progress;
use crate::runtime::block_on;
use crate::store::{ItemState, OutboxParts};
use std::collections::HashMap;
use std::sync::Arc;

/// While nothing settles, time passes in ever longer steps.
const SHORTEST_STEP_MS: u64 = 100;
const LONGEST_STEP_MS: u64 = 4_000;

async fn a_while() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

pub struct Entry {
    pub account_id: String,
    pub route: SendRoute,
    /// By which Microsoft's side tells it from others.
    pub text: String,
    pub id: String,
    order: Option<String>,
    has_deadline: bool,
    /// Its row said at a kill that its request was being made.
    was_dispatching: bool,
    /// The host was told that it was taken back.
    pub is_taken_back: bool,
    /// It failed, which lets others go first, and was asked for again.
    pub is_queued_again: bool,
}

pub struct Ledger<'a> {
    world: &'a World,
    microsoft: Arc<Microsoft>,
    pub entries: Vec<Entry>,
    /// One process at a time delivers, so that nothing is taken over from one that still works.
    is_alone: bool,
    /// Bytes of the files that are staged for each mail.
    pub files: &'static [usize],
}

impl<'a> Ledger<'a> {
    pub fn new(world: &'a World, microsoft: &Arc<Microsoft>, is_alone: bool) -> Self {
        Self { world, microsoft: microsoft.clone(), entries: Vec::new(), is_alone, files: &[] }
    }

    /// Hands in a draft. `order`: see [`draft`]. `deadline`: milliseconds from now.
    pub async fn enqueue(&mut self, process: &mut Process, account_id: &str, route: SendRoute, is_refused: bool, order: Option<&str>, deadline: Option<i64>) {
        let text = format!("{account_id} {}{}", self.entries.len(), if is_refused { REFUSED } else { "" });
        let mut handed_in = draft(account_id, route, &text, order);
        let until = deadline.map(|ms| from_ms(i64::try_from(self.world.clock.now_ms()).unwrap() + ms));
        match &mut handed_in {
            RouteDraft::Mail { mail } => mail.deadline = until,
            RouteDraft::Reply { reply } => reply.deadline = until,
            RouteDraft::Forward { forward } => forward.deadline = until,
            RouteDraft::Chat { chat } => chat.deadline = until,
            RouteDraft::ChannelPost { channel_post } => channel_post.deadline = until,
            RouteDraft::Workflow { workflow } => workflow.deadline = until,
            RouteDraft::Bot { bot } => bot.deadline = until,
        }
        if !self.files.is_empty() {
            set_files(&mut handed_in, staged(process, account_id, &text, self.files).await);
        }
        // For some of them somebody waits.
        let is_bulk = !self.entries.len().is_multiple_of(3);
        let id = process.outbox.enqueue(handed_in, is_bulk).await.unwrap().id;
        if !is_bulk {
            process.wait_for(&id);
        }
        let (account_id, order) = (account_id.to_owned(), order.map(str::to_owned));
        self.entries.push(Entry { account_id, route, text, id, order, has_deadline: deadline.is_some(), was_dispatching: false, is_taken_back: false, is_queued_again: false });
    }

    /// A process was killed just now.
    pub async fn note_kill(&mut self) {
        for entry in &mut self.entries {
            entry.was_dispatching |= self.world.store.item(&entry.id, None).await.unwrap().unwrap().state == ItemState::Dispatching;
        }
    }

    /// How many sends there are, and how many of them ended as unknown.
    pub async fn unknown(&self, process: &Process) -> (usize, usize) {
        let receipts = self.receipts(process).await;
        (receipts.len(), receipts.iter().filter(|receipt| receipt.state == SendState::Unknown).count())
    }

    async fn receipts(&self, process: &Process) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for entry in &self.entries {
            receipts.push(process.outbox.receipt(&entry.id, None).await.unwrap());
        }
        receipts
    }

    /// For a test that hangs.
    fn rows(&self) -> String {
        let row = |entry: &Entry| block_on(self.world.store.item(&entry.id, None)).unwrap().map(|row| format!("\n{:?} {:?}: {:?}", entry.text, row.state, row.reason));
        self.entries.iter().filter_map(row).collect()
    }

    async fn is_open(&self, entry: &Entry) -> bool {
        self.world.store.item(&entry.id, None).await.unwrap().unwrap().state.is_open()
    }

    /// Until all of it is settled.
    pub async fn settled(&self, process: &Process, what: &str) {
        let settled = async {
            let mut changes = process.outbox.settled();
            let mut open: Vec<&Entry> = self.entries.iter().collect();
            let mut step_ms = SHORTEST_STEP_MS;
            loop {
                let before = open.len();
                for entry in std::mem::take(&mut open) {
                    if self.is_open(entry).await {
                        open.push(entry);
                    }
                }
                if open.is_empty() {
                    return;
                }
                step_ms = if open.len() < before { SHORTEST_STEP_MS } else { step_ms };
                // Another process may settle it, without a word here. Time passes also while nobody sits out a pause: some wait for a limit alone.
                tokio::select! {
                    changed = changes.changed() => changed.unwrap(),
                    () = a_while() => {
                        self.world.clock.advance(step_ms);
                        step_ms = (step_ms * 2).min(LONGEST_STEP_MS);
                    }
                }
            }
        };
        in_time(settled, || format!("{what}{}", self.rows())).await;
    }

    /// Until nothing is left to do, nor to be removed from a mailbox.
    pub async fn ended(&self, process: &Process, what: &str) {
        self.settled(process, what).await;
        self.microsoft.heal();
        let tidied = async {
            while self.world.store.next_upkeep().await.unwrap().is_some() {
                // The time of what is looked for again comes.
                self.world.clock.advance(1_000);
                tokio::task::yield_now().await;
            }
        };
        in_time(tidied, || format!("{what}: drafts are still looked for")).await;
    }

    /// Nothing was lost, nothing sent twice, and what has an order left in it.
    pub async fn check(&self, process: &Process, what: &str) {
        let mut in_order: HashMap<_, Vec<&String>> = HashMap::new();
        for (entry, receipt) in self.entries.iter().zip(self.receipts(process).await) {
            self.check_one(entry, &receipt, what).await;
            if let (Some(order), SendState::Sent, false) = (&entry.order, receipt.state, entry.is_queued_again) {
                in_order.entry((&entry.account_id, entry.route, order)).or_default().push(&entry.text);
            }
        }
        self.check_originals();
        self.check_folders(process, what).await;
        for ((account_id, ..), texts) in in_order {
            self.microsoft.mailbox(account_id, |mailbox| {
                let left: Vec<&String> = mailbox.accepted.iter().filter(|text| texts.contains(text)).collect();
                assert_eq!(left, texts, "{what}: in another order");
            });
        }
    }

    /// Files lie there for messages that were posted, and for those of which nobody knows.
    async fn check_folders(&self, process: &Process, what: &str) {
        let mut wanted: HashMap<&String, (usize, bool)> = HashMap::new();
        for (entry, receipt) in self.entries.iter().zip(self.receipts(process).await) {
            let is_kept = matches!(entry.route, SendRoute::Chat | SendRoute::ChannelPost) && matches!(receipt.state, SendState::Sent | SendState::Unknown);
            let (files, is_unknown) = wanted.entry(&entry.account_id).or_default();
            *files += if is_kept { self.files.len() } else { 0 };
            *is_unknown |= receipt.state == SendState::Unknown;
        }
        for (account_id, (files, is_unknown)) in wanted {
            let left = self.microsoft.files_left(account_id);
            assert!(left == files || (is_unknown && left > files), "{what}: {left} files in the folder in the place of {files}");
        }
    }

    /// What was unread before its replies is unread after them. One that was taken back may leave it read, and so may what a worker asked for that lost its
    /// claim: it arrives when others are through.
    fn check_originals(&self) {
        if !self.is_alone {
            return;
        }
        let left: Vec<&Entry> = self.entries.iter().filter(|entry| entry.route == SendRoute::Reply).collect();
        for entry in left.iter().filter(|entry| !left.iter().any(|other| other.account_id == entry.account_id && (other.is_taken_back || other.has_deadline || other.text.contains(REFUSED)))) {
            self.microsoft.mailbox(&entry.account_id, |mailbox| assert!(!mailbox.is_original_read || mailbox.is_replied_by_the_dead, "{}", entry.text));
        }
    }

    async fn check_one(&self, entry: &Entry, receipt: &Receipt, what: &str) {
        let text = &entry.text;
        let (times, asked, is_left) = self.microsoft.mailbox(&entry.account_id, |mailbox| (mailbox.times(text), mailbox.asked(text), mailbox.is_draft(text)));
        let what = format!("{what}: {text:?}, asked for {asked} times, accepted {times} times: {receipt:?}");
        let may_be_made = asked > 0 || entry.was_dispatching || !self.is_alone;
        let may_be_unknown = may_be_made && (is_post(entry.route) || entry.has_deadline);
        match receipt.state {
            SendState::Sent => {
                assert!(times == 1 && !entry.is_taken_back, "{what}");
                self.microsoft.mailbox(&entry.account_id, |mailbox| assert!((is_post(entry.route) && self.files.is_empty()) || has_files(&mailbox.files[text], entry.route, text, self.files), "{what}"));
            }
            SendState::Failed => assert!(times == 0 && (text.contains(REFUSED) || entry.has_deadline) && !entry.is_taken_back, "{what}"),
            SendState::Cancelled => assert!(times == 0 && entry.is_taken_back, "{what}"),
            SendState::Unknown => assert!(times <= 1 && may_be_unknown && !entry.is_taken_back, "{what}"),
            SendState::Queued | SendState::Sending => panic!("{what}"),
        }
        // A draft that a request may have sent stays where it is.
        assert!(!is_left || (receipt.state != SendState::Sent && self.is_doubted(entry).await), "its draft is left: {what}");
    }

    async fn is_doubted(&self, entry: &Entry) -> bool {
        let row = self.world.store.item(&entry.id, None).await.unwrap().unwrap();
        read_progress::<<Mail as Channel>::Progress>(&self.world.vault, &row).await.unwrap().doubted
    }
}

/// Nobody can be asked what became of it, and it has no files.
fn is_post(route: SendRoute) -> bool {
    matches!(route, SendRoute::Chat | SendRoute::ChannelPost | SendRoute::Workflow | SendRoute::Bot)
}
