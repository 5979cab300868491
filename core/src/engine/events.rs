//! Live events of one owner's accounts, or of everybody's.

use super::{Inner, scope};
use crate::error::{ErrorKind, Result};
use crate::events::Listener;
use crate::model::Event;
use crate::runtime::forked;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// Live events from the moment it was made.
pub struct EventStream {
    /// Weak: a stream that somebody still waits on does not keep an engine that nobody else has.
    inner: Weak<Inner>,
    owner: Option<String>,
    /// None in a process that was forked after the engine was opened.
    listener: Option<Listener>,
    process: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Taken from the listener and not given out yet.
    held: Option<Event>,
    /// Whether an account is the owner's. That never changes.
    known: HashMap<String, bool>,
}

impl EventStream {
    pub(super) fn new(inner: Arc<Inner>, owner: Option<String>) -> Self {
        // A thread that did not come along in the fork may hold the event bus's lock.
        let listener = (!inner.runtime.is_forked()).then(|| inner.event_bus.listen());
        Self { listener, inner: Arc::downgrade(&inner), owner, process: std::process::id(), state: Mutex::default() }
    }

    /// Waits for the next event; none after shutdown. A cancelled wait loses nothing. Errors: InvalidInput (the owner).
    pub async fn next(&self) -> Result<Option<Event>> {
        if let Some(owner) = &self.owner {
            scope::check(owner)?;
        }
        let Some(listener) = self.listener.as_ref().filter(|_| self.process == std::process::id()) else { return Err(forked()) };
        let mut state = self.state.lock().await;
        loop {
            if state.held.is_none() {
                state.held = listener.next().await?;
            }
            let Some(event) = &state.held else { return Ok(None) };
            let is_theirs = match (self.owner.as_deref(), account_of(event)) {
                (Some(owner), Some(account_id)) => match state.known.get(account_id) {
                    Some(known) => *known,
                    None => {
                        let account_id = account_id.to_owned();
                        let Some(found) = self.look_up(owner, &account_id).await? else { return Ok(None) };
                        state.known.insert(account_id, found);
                        found
                    }
                },
                _ => true,
            };
            let event = state.held.take();
            if is_theirs {
                return Ok(event);
            }
        }
    }

    /// None: the engine has ended.
    async fn look_up(&self, owner: &str, account_id: &str) -> Result<Option<bool>> {
        let Some(inner) = self.inner.upgrade() else { return Ok(None) };
        let (store, owner, id) = (inner.store.clone(), owner.to_owned(), account_id.to_owned());
        // In a task of the engine's runtime: whoever waits here may have none.
        match inner.runtime.finish(async move { store.account_ids(&owner, true).await }).await {
            Ok(ids) => Ok(Some(ids.contains(&id))),
            Err(error) if error.kind() == ErrorKind::Closed => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // As at its making: letting go takes a lock.
            std::mem::forget(self.listener.take());
        }
    }
}

/// None: it is about no account.
fn account_of(event: &Event) -> Option<&str> {
    match event {
        Event::AccountConnected { account_id }
        | Event::AccountChanged { account_id, .. }
        | Event::UploadProgress { account_id, .. }
        | Event::SyncProgress { account_id, .. }
        | Event::SyncFailed { account_id, .. }
        | Event::EditRefused { account_id, .. } => Some(account_id),
        Event::SendChanged { receipt } => Some(&receipt.account_id),
        Event::SyncFinished { report } => Some(&report.account_id),
        Event::BackfillChanged { backfill } => Some(&backfill.account_id),
        Event::Missed { .. } => None,
    }
}
