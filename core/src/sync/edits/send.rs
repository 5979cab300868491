//! One message's changes on their way to the mailbox: what can be set in one request, then the folder.

use super::deliver::{Edits, Message, judged};
use super::settle::{Done, Outcome};
use super::rule::Edit;
use super::wish::Value;
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, MailEdit, MailFlag, MailItem, Verified};

pub(super) struct Sending<'a> {
    pub edits: &'a Edits,
    pub caller: &'a Caller,
}

impl Sending<'_> {
    /// Errors: of the store. What the mailbox says is the outcome.
    pub async fn send(&self, message: Message) -> Result<Outcome> {
        let known = match &message.item {
            Some(item) => Some(item.change_key.clone()),
            None => self.edits.reader.store.known(&self.caller.account_id, &[message.graph_id.as_str()]).await?.pop().map(|row| row.change_key),
        };
        let graph_id = message.graph_id.clone();
        let mut outcome = self.set(message, known.filter(|key| !key.is_empty())).await?;
        // A message that is gone, or was refused, is not moved either: its other changes tell what to do.
        let (moves, set): (Vec<_>, Vec<_>) = outcome.done.into_iter().partition(|(edit, done)| matches!((done, &edit.wish.wanted), (Done::Open, Value::Place(_))));
        outcome.done = set;
        let is_gone = outcome.done.iter().any(|(_, done)| matches!(done, Done::Gone));
        for (edit, _) in moves {
            let done = match &edit.wish.wanted {
                _ if is_gone => Done::Gone,
                Value::Place(folder_id) => self.place(&graph_id, folder_id).await,
                _ => continue,
            };
            // The key that the first answer told is another one now.
            outcome.change_key = None;
            outcome.done.push((edit, done));
        }
        Ok(outcome)
    }

    /// Sets what is no folder. First on the condition that nothing else was changed meanwhile; where something was, the rule decides.
    async fn set(&self, message: Message, known: Option<String>) -> Result<Outcome> {
        let edit = wire(&message.edits);
        let graph_id = message.graph_id.clone();
        if edit.is_nothing() {
            return Ok(Outcome::of(message, |_| Done::Open));
        }
        match self.patch(&graph_id, &edit, known.as_deref()).await {
            Ok(item) => {
                let key = known.zip(item.as_ref().map(|item| item.change_key.clone()).filter(|key| !key.is_empty()));
                Ok(Outcome { change_key: key, ..Outcome::of(message, |edit| arrived(edit, item.as_ref())) })
            }
            Err(error) if known.is_some() && error.kind() == ErrorKind::Conflict => self.set_over_others(message).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(self.unless_gone(message, error).await),
            Err(error) => Ok(Outcome::of(message, |edit| failed(edit, &error))),
        }
    }

    async fn set_over_others(&self, message: Message) -> Result<Outcome> {
        let item = match self.look(&message.graph_id).await {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(Outcome::of(message, |_| Done::Gone)),
            Err(error) => return Ok(Outcome::of(message, |edit| failed(edit, &error))),
        };
        let (rest, mut outcome) = judged(message, item);
        let Some(rest) = rest else { return Ok(outcome) };
        let edit = wire(&rest.edits);
        let answer = if edit.is_nothing() { Ok(None) } else { self.patch(&rest.graph_id, &edit, None).await };
        let more = match answer {
            Ok(item) => Outcome::of(rest, |edit| arrived(edit, item.as_ref())),
            Err(error) if error.kind() == ErrorKind::NotFound => self.unless_gone(rest, error).await,
            Err(error) => Outcome::of(rest, |edit| failed(edit, &error)),
        };
        outcome.done.extend(more.done);
        Ok(outcome)
    }

    /// "Not found" may be said of something else, a folder say.
    async fn unless_gone(&self, message: Message, error: Error) -> Outcome {
        match self.look(&message.graph_id).await {
            Ok(None) => Outcome::of(message, |_| Done::Gone),
            Ok(Some(_)) => Outcome::of(message, |edit| failed(edit, &error)),
            Err(error) => Outcome::of(message, |edit| failed(edit, &error)),
        }
    }

    async fn place(&self, graph_id: &str, folder_id: &str) -> Done {
        match self.edits.reader.graph.move_message(self.caller, graph_id, folder_id).await {
            Ok(item) => Done::Arrived(item),
            Err(error) if error.kind() == ErrorKind::NotFound => match self.look(graph_id).await {
                Ok(None) => Done::Gone,
                Ok(Some(_)) => Done::Failed(Error::new(ErrorKind::NotFound, "The folder to which the message was moved is not there any more.")),
                Err(error) => Done::Failed(error),
            },
            Err(error) => Done::Failed(error),
        }
    }

    async fn patch(&self, graph_id: &str, edit: &MailEdit, known: Option<&str>) -> Result<Option<MailItem>> {
        self.edits.reader.graph.edit_message(self.caller, graph_id, edit, known).await
    }

    /// None: it is gone.
    async fn look(&self, graph_id: &str) -> Result<Option<MailItem>> {
        look(self.edits, self.caller, graph_id).await
    }
}

/// How the mailbox has a message. None: it is gone.
pub(super) async fn look(edits: &Edits, caller: &Caller, graph_id: &str) -> Result<Option<MailItem>> {
    let mut found = edits.reader.graph.editable(caller, &[graph_id.to_owned()]).await?;
    match found.pop() {
        Some((_, Verified::There(item))) => Ok(Some(*item)),
        Some((_, Verified::Gone)) => Ok(None),
        Some((_, Verified::Unclear(error))) => Err(error),
        None => Err(Error::new(ErrorKind::Upstream, "Microsoft's answer about a message lacks it. Try again later.")),
    }
}

fn is_place(edit: &Edit) -> bool {
    matches!(edit.wish.wanted, Value::Place(_))
}

fn arrived(edit: &Edit, item: Option<&MailItem>) -> Done {
    if is_place(edit) { Done::Open } else { Done::Arrived(item.cloned()) }
}

fn failed(edit: &Edit, error: &Error) -> Done {
    // Where something else was refused, it may still be moved.
    if is_place(edit) && super::deliver::is_final(error) { Done::Open } else { Done::Failed(error.clone()) }
}

/// What is set in one request.
fn wire(edits: &[Edit]) -> MailEdit {
    let mut all = MailEdit::default();
    for edit in edits {
        match &edit.wish.wanted {
            Value::Read(is_read) => all.is_read = Some(*is_read),
            Value::Flag { status, due } => all.flag = Some(MailFlag { status: *status, due_at: due.map(from_ms) }),
            Value::Categories(categories) => all.categories = Some(categories.clone()),
            Value::Place(_) => {}
        }
    }
    all
}
