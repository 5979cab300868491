//! What became of a message's changes, made durable: what arrived is remembered for a while, what waits is put off, and what was overtaken or refused is
//! taken back here.

use super::deliver::{Edits, Message, is_final};
use super::page::opened;
use super::rule::Edit;
use super::send::look;
use super::wish::{Local, Value, Wish};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, MailItem};
use crate::model::{ChangeKind, Event};
use crate::pipeline::Priority;
use crate::random;
use crate::store::{EditBatch, EditEnd, EditedProperty, EndedEdit, Known};
use crate::sync::record::MessageMetadata;
use std::time::Duration;

/// Times it is written anew because a sync changed the message meanwhile.
const MOST_TRIES: u32 = 30;
/// How long the look waits that tells what to go back to.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of one change.
#[derive(Debug, Clone)]
pub(super) enum Done {
    /// It is still to be sent.
    Open,
    /// With the answer, where it shows the message.
    Arrived(Option<MailItem>),
    /// The mailbox has something newer.
    Overtaken(MailItem),
    Gone,
    Failed(Error),
}

/// What became of the changes of a message.
pub(super) struct Outcome {
    pub graph_id: String,
    pub done: Vec<(Edit, Done)>,
    /// The change key that was known and the one it has now, where nothing but these changes is in between.
    pub change_key: Option<(String, String)>,
}

impl Outcome {
    pub fn of(message: Message, done: impl Fn(&Edit) -> Done) -> Self {
        let done = message.edits.into_iter().map(|edit| (done(&edit), edit)).map(|(done, edit)| (edit, done)).collect();
        Self { graph_id: message.graph_id, done, change_key: None }
    }
}

/// What is to be written of one change.
struct Ending {
    edit: Edit,
    end: EditEnd,
    /// What is to be shown from now on; None: what is shown is right.
    value: Option<Value>,
    refused: Option<Error>,
}

impl Edits {
    pub(super) async fn settle(&self, account_id: &str, outcome: Outcome) -> Result<()> {
        let Outcome { graph_id, done, change_key } = outcome;
        let mut endings = Vec::with_capacity(done.len());
        // Asked once: how the mailbox has what it would not change.
        let mut there = None;
        for (edit, done) in done {
            if let Done::Failed(error) = &done
                && is_final(error)
                && there.is_none()
            {
                let caller = Caller::new(account_id, Priority::Send, PATIENCE);
                there = Some(look(self, &caller, &graph_id).await.ok().flatten());
            }
            endings.extend(self.ending(edit, done, there.as_ref().and_then(Option::as_ref)));
        }
        if endings.is_empty() {
            return Ok(());
        }
        let shown_id = self.write_endings(account_id, &graph_id, &endings, change_key).await?;
        for Ending { edit, refused, .. } in endings {
            let Some(error) = refused else { continue };
            tracing::warn!(target: "tidings::sync", account = account_id, property = ?edit.row.property, kind = ?error.kind(), request_id = error.request_id(), "a change of a message was refused");
            if let Some(message_id) = &shown_id {
                self.event_bus.publish(Event::EditRefused { account_id: account_id.to_owned(), message_id: message_id.clone(), kind: error.kind(), reason: error.reason().to_owned() });
            }
        }
        Ok(())
    }

    /// None: it stays as it is.
    fn ending(&self, edit: Edit, done: Done, there: Option<&MailItem>) -> Option<Ending> {
        let property = edit.row.property;
        let shown = |item: &MailItem| Value::shown(property, item);
        Some(match done {
            Done::Open => return None,
            Done::Arrived(item) => {
                // Microsoft may keep it in a form of its own, a day without its hour say.
                let value = item.as_ref().and_then(shown).filter(|value| *value != edit.wish.wanted);
                let modified = item.as_ref().and_then(|item| item.modified_at).map(to_ms);
                Ending { edit, end: EditEnd::Arrived { modified }, value, refused: None }
            }
            // Remembered as if it were ours: pages that were asked for before that are old.
            Done::Overtaken(item) => Ending { value: shown(&item), edit, end: EditEnd::Arrived { modified: item.modified_at.map(to_ms) }, refused: None },
            Done::Gone => Ending { edit, end: EditEnd::Gone, value: None, refused: None },
            Done::Failed(error) if is_final(&error) => {
                let value = there.and_then(shown).unwrap_or_else(|| edit.wish.base.clone());
                Ending { edit, end: EditEnd::Dropped, value: Some(value), refused: Some(error) }
            }
            Done::Failed(error) => {
                tracing::info!(target: "tidings::sync", account = edit.row.account_id, property = ?property, tries = edit.row.tries, kind = ?error.kind(), request_id = error.request_id(), "a change of a message waits");
                let next_at = self.now().saturating_add(backoff_ms(edit.row.tries, error.retry_after_ms(), random::jitter()));
                // Who was not even asked is no reason to wait longer each time.
                Ending { edit, end: EditEnd::Later { next_at, is_counted: !error.awaits_turn() }, value: None, refused: None }
            }
        })
    }

    /// Answers what hosts call the message; None: it is not here any more.
    async fn write_endings(&self, account_id: &str, graph_id: &str, endings: &[Ending], change_key: Option<(String, String)>) -> Result<Option<String>> {
        let write = async || {
            for _ in 0..MOST_TRIES {
                let row = self.reader.store.known(account_id, &[graph_id]).await?.pop().filter(|row| !row.is_removed);
                let mut batch = self.endings_batch(account_id, graph_id, row.as_ref(), endings).await?;
                batch.change_keys.extend(change_key.clone().map(|(known, key)| (account_id.to_owned(), graph_id.to_owned(), known, key)));
                let tells_news = !batch.messages.is_empty();
                if self.reader.store.write_edits(batch).await? {
                    return Ok((tells_news, row.map(|row| row.id)));
                }
            }
            Err(Error::new(ErrorKind::StoreBusy, "A message changed each time the end of its change was about to be stored."))
        };
        let (tells_news, id) = self.reader.vault.with_current_keys(write).await?;
        if tells_news {
            self.reader.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        Ok(id)
    }

    async fn endings_batch(&self, account_id: &str, graph_id: &str, row: Option<&Known>, endings: &[Ending]) -> Result<EditBatch> {
        let key = self.reader.vault.content(account_id).await?;
        let mut batch = EditBatch { now: self.now(), ..EditBatch::default() };
        let here = opened(&key, self.reader.store.edits_of(account_id, &[graph_id]).await?)?;
        let mut local = match row.and_then(|row| Some((row, row.head.as_ref()?))) {
            Some((row, head)) if endings.iter().any(|ending| ending.value.is_some()) => {
                Some((Local { is_read: row.is_read, folder_id: row.folder_id.clone(), head: MessageMetadata::open_sealed(&key, account_id, graph_id, row.version, head)? }, row))
            }
            _ => None,
        };
        let mut change = None;
        for Ending { edit, end, value, .. } in endings {
            // A newer change of the same property has its own end.
            let Some(current) = here.iter().find(|one| one.row.property == edit.row.property && one.row.number == edit.row.number) else { continue };
            if let (Some(value), Some((local, _))) = (value, &mut local)
                && local.set(value)
            {
                let is_move = value.property() == EditedProperty::Place;
                change = Some(if is_move { ChangeKind::MessageMoved } else { change.unwrap_or(ChangeKind::MessageChanged) });
            }
            if let (EditEnd::Arrived { .. }, Some(value)) = (end, value) {
                let version = current.row.version.saturating_add(1);
                let sealed = Wish { wanted: value.clone(), ..current.wish.clone() }.seal(&key, account_id, graph_id, version)?;
                batch.ended.push(current.row.ended(EditEnd::Rebased { sealed, version }));
            }
            batch.ended.push(EndedEdit { end: end.clone(), ..current.row.ended(EditEnd::Dropped) });
        }
        if let (Some(kind), Some((local, row))) = (change, local) {
            batch.messages.push(local.written(&key, account_id, graph_id, row.row_id, row.version, Some(kind))?);
        }
        Ok(batch)
    }

    pub(super) async fn write(&self, batch: EditBatch) -> Result<()> {
        self.reader.store.write_edits(batch).await.map(drop)
    }
}

/// The wait before the next try: 2, 4, 8 … seconds up to 15 minutes, a quarter of it by chance, and no less than Microsoft asked for.
fn backoff_ms(tries: u32, asked_ms: Option<u64>, jitter: f64) -> i64 {
    let step = 1_000_i64.saturating_mul(1 << tries.saturating_add(1).min(10)).min(900_000);
    let own = step - step / 4 + (step as f64 * 0.25 * jitter) as i64;
    own.max(asked_ms.map_or(0, |asked| i64::try_from(asked).unwrap_or(i64::MAX)))
}
