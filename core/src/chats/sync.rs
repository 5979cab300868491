//! What is new in the chats of an account.

use super::Chats;
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, ChatState, TeamsMessageItem, TeamsMessageList, is_about_one};
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::store::{AccountRow, ChatPlaceRow, KnownTeamsMessage, Lease, NewTeamsMessage, TeamsMessageBatch, leased, taken_over, teams_message_place, teams_message_row};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What is done here, as errors name it.
const THIS: &str = "this sync of chats";
/// How long it waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
const DAY_MS: i64 = 86_400_000;
/// Of a chat that is not here yet, what was said in so many days.
const FIRST_DAYS: i64 = 30;
/// Chats looked at: those in which something was said last.
const MOST_CHATS: usize = 1_000;
/// Chats that may fail in one sync; more of them are an outage.
const MOST_FAILURES: usize = 10;
/// Messages taken of one chat at a time, the newest.
const MOST_MESSAGES: usize = 1_000;

/// One sync of one account's chats.
struct Pass<'a> {
    chats: &'a Chats,
    account: &'a AccountRow,
    lease: Lease,
    stop: &'a Stop,
    now: i64,
}

impl Chats {
    /// Whether a day has passed since they were looked at.
    pub async fn are_due(&self, account_id: &str) -> Result<bool> {
        let looked_at = self.store.chats_looked_at(account_id).await?;
        let now = to_ms(self.clock.now());
        Ok(looked_at.is_none_or(|at| now - at >= DAY_MS || at > now))
    }

    /// Brings the chats of an account up to date; answers how many messages are new, changed or gone. Stops between chats when told to; what is stored stays.
    pub async fn sync(&self, account: &AccountRow, stop: &Stop) -> Result<u32> {
        let now = to_ms(self.clock.now());
        let run = |lease| async move { Pass { chats: self, account, lease, stop, now }.run().await };
        let outcome = leased(&self.store, &self.clock, format!("chats/{}", account.id), stop, THIS, run).await;
        if let Ok(1..) = outcome {
            self.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        outcome.map_err(|e| e.on_account(&account.id))
    }
}

impl Pass<'_> {
    fn caller(&self) -> Caller {
        Caller::of(self.account, Priority::Sync, PATIENCE)
    }

    async fn run(&self) -> Result<u32> {
        let (store, account_id) = (&self.chats.store, self.account.id.as_str());
        let states = self.stop.until(self.chats.graph.chat_states(&self.caller(), MOST_CHATS)).await?;
        let hashes = self.chats.vault.hashes(account_id).await?;
        let known: HashMap<String, ChatPlaceRow> = store.chat_places(account_id).await?.into_iter().map(|row| (row.chat_id.clone(), row)).collect();
        let first = self.now - FIRST_DAYS * DAY_MS;
        let (mut changed, mut refused, mut failed, mut is_any_read) = (0_u32, Vec::new(), Vec::new(), !known.is_empty());
        for state in &states {
            let mark = hashes.of("chat mark", &[state.mark.as_bytes()])?;
            let place = known.get(&state.id);
            let is_quiet = place.is_none() && state.last_at.is_none_or(|at| to_ms(at) < first);
            if is_quiet || place.is_some_and(|place| place.mark == mark) {
                continue;
            }
            // A time to come would leave out everything until then.
            let known_to = place.map_or(first, |place| place.known_to.min(self.now));
            match self.chat(state, mark, known_to).await {
                Ok(count) => (changed, is_any_read) = (changed.saturating_add(count), true),
                Err(e) if e.kind() == ErrorKind::Forbidden => refused.push((ChatPlaceRow { chat_id: state.id.clone(), mark, known_to }, e)),
                // What is wrong with one chat keeps none of the others out. It is told in the end.
                Err(e) if is_about_one(&e) && !e.is_overload() && failed.len() < MOST_FAILURES => failed.push(e),
                Err(e) => return Err(e),
            }
            failpoint!("chats.stored_chat");
        }
        self.pass_over(refused, is_any_read).await?;
        if !store.chats_were_looked_at(account_id, self.account.generation, &self.lease, self.now).await? {
            return Err(taken_over(THIS));
        }
        failed.into_iter().next().map_or(Ok(changed), Err)
    }

    /// A chat that its organisation lets nobody read stops no other: it is asked about again once something happens in it. If no chat at all may be read, that is told.
    async fn pass_over(&self, refused: Vec<(ChatPlaceRow, Error)>, is_any_read: bool) -> Result<()> {
        for (place, error) in refused {
            if !is_any_read {
                return Err(error);
            }
            tracing::warn!(target: "tidings::sync", account = self.account.id, kind = ?error.kind(), request_id = error.request_id(), "a chat may not be read and is passed over");
            self.keep(&place, &[]).await?;
        }
        Ok(())
    }

    /// What was said or changed in a chat since then.
    async fn chat(&self, state: &ChatState, mark: [u8; 32], known_to: i64) -> Result<u32> {
        // Times are cut to milliseconds: what changed in the same one is asked for again.
        let since = from_ms(known_to.saturating_sub(1));
        // Gone, or the person left it, between the two answers.
        let Some(TeamsMessageList { items, unread }) = self.stop.until(self.chats.graph.teams_messages_since(&self.caller(), &state.id, since, MOST_MESSAGES)).await? else { return Ok(0) };
        if unread > 0 {
            tracing::warn!(target: "tidings::sync", account = self.account.id, rows = unread, "chat messages that cannot be read are left out");
        }
        // A message of a time to come must not hide those that come before it.
        let known_to = items.iter().map(|item| to_ms(item.modified_at).min(self.now)).max().unwrap_or(known_to).max(known_to);
        let place = ChatPlaceRow { chat_id: state.id.clone(), mark, known_to };
        self.keep(&place, &items).await
    }

    async fn keep(&self, place: &ChatPlaceRow, items: &[TeamsMessageItem]) -> Result<u32> {
        let stored = self.chats.vault.with_current_keys(async || self.store(place, items).await).await?;
        stored.ok_or_else(|| taken_over(THIS))
    }

    async fn store(&self, place: &ChatPlaceRow, items: &[TeamsMessageItem]) -> Result<Option<u32>> {
        let (chats, account_id) = (self.chats, self.account.id.as_str());
        // Of one that is shown twice, the first is the newer one.
        let mut latest: BTreeMap<&str, &TeamsMessageItem> = BTreeMap::new();
        for item in items {
            latest.entry(&item.teams_message.message.graph_id).or_insert(item);
        }
        let ids: Vec<String> = latest.keys().map(|id| (*id).to_owned()).collect();
        let known = chats.store.known_teams_messages(account_id, &place.chat_id, &ids).await?;
        let known: HashMap<String, KnownTeamsMessage> = known.into_iter().map(|row| (row.graph_id.clone(), row)).collect();
        let (content, hashes) = (chats.vault.content(account_id).await?, chats.vault.hashes(account_id).await?);
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        for (id, item) in latest {
            if item.is_deleted {
                gone.push(id.to_owned());
                continue;
            }
            let mut read = item.teams_message.clone();
            read.message.is_own = read.sender_id.as_ref().is_some_and(|sender| sender.eq_ignore_ascii_case(&self.account.user_id));
            let text = serde_json::to_vec(&read).map_err(|e| Error::internal("A chat message cannot be written.").with_source(e))?;
            let digest = hashes.of("chat message", &[&text])?;
            let before = known.get(id);
            if before.is_some_and(|known| known.digest == digest) {
                continue;
            }
            let version = before.map_or(1, |known| known.version + 1);
            put.push(NewTeamsMessage {
                public_id: format!("tms_{}", random::token::<16>()?),
                graph_id: id.to_owned(),
                sent_at: to_ms(read.message.sent_at),
                digest,
                version,
                sealed: content.seal(teams_message_place(account_id, &teams_message_row(&place.chat_id, id), version), &text)?,
            });
        }
        let batch = TeamsMessageBatch { account_id: account_id.to_owned(), generation: self.account.generation, lease: self.lease.clone(), place: place.clone(), put, gone, now: to_ms(chats.clock.now()) };
        chats.store.store_teams_messages(batch).await
    }
}
