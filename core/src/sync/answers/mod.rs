//! Answers that no person wrote: reports of mail that did not arrive, and automatic replies. What looks like one as it arrives ([`suspect`]), and what comes into the
//! conversation of a mail that was sent here, is looked at after the pages: a batch of their header lines proves what each is ([`proof`]), and of a report its parts are
//! read ([`report`]). It is tied to the send whose Message-ID it names, of the same account, and only where its origin is proven.

#[cfg(any(test, feature = "fuzzing"))]
mod fuzzing;
#[cfg(test)]
mod hostile_tests;
mod proof;
mod report;
mod suspect;

use super::record::MessageMetadata;
use super::run::SyncContext;
use crate::clock::from_ms;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, ContentPlace, MailHeaders, HeadersAnswer, is_about_one};
use crate::model::{Address, AutomaticReply, Bounce, BounceKind, MessageKind};
use crate::pipeline::Priority;
use crate::runtime::blocking;
use crate::store::{Candidate, Looked, LookedAt, NewAnswer, SendAnswers, answer_place, answer_row};
use crate::vault::message_id_hash;
use proof::{Form, Origin, form, named, origin};
use report::Recipient;
use std::collections::HashMap;
use std::sync::Arc;

#[cfg(any(test, feature = "fuzzing"))]
pub use fuzzing::bounce;
pub use suspect::candidates;

/// Messages asked about in one go: a batch.
const AT_ONCE: u32 = 20;
/// Batches of one sync; where more are to be looked at, the next sync goes on.
const MOST_BATCHES: u32 = 10;
/// Sends of a conversation whose copies are asked for their Message-ID.
const MOST_SENDS: u32 = 20;

/// Looks at what may be such an answer. What is wrong with one of them is a matter of that one; errors are about the mailbox or the way there.
pub async fn look(context: &Arc<SyncContext>) -> Result<()> {
    let caller = Caller { priority: Priority::BackFill, ..context.caller() };
    for _ in 0..MOST_BATCHES {
        context.stop.check()?;
        let due = context.store.candidates(&context.account.id, context.now(), AT_ONCE).await?;
        if due.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = due.iter().map(|candidate| candidate.graph_id.clone()).collect();
        let mut answers: HashMap<String, HeadersAnswer> = context.ask(context.graph.mail_headers(&caller, &ids)).await?.into_iter().collect();
        let mut found = Vec::with_capacity(due.len());
        for candidate in due {
            let finding = match answers.remove(&candidate.graph_id) {
                Some(HeadersAnswer::There(headers)) => finding(context, &caller, &candidate, &headers).await?,
                // The next page says that it is gone.
                Some(HeadersAnswer::Gone) => Finding::Told(MessageKind::Ordinary),
                Some(HeadersAnswer::Failed(error)) => later(&candidate, &error),
                None => Finding::Later,
            };
            found.push((candidate, finding));
        }
        write(context, &found).await?;
    }
    Ok(())
}

/// What a candidate turned out to be.
enum Finding {
    Told(MessageKind),
    Answers { kind: MessageKind, send_id: String, what: What },
    Later,
}

enum What {
    Bounced(Vec<Recipient>),
    Replied(Option<Address>),
}

fn later(candidate: &Candidate, error: &Error) -> Finding {
    tracing::info!(target: "tidings::sync", message = candidate.id, kind = ?error.kind(), "whether a message is an automatic one is asked again later");
    Finding::Later
}

async fn finding(context: &Arc<SyncContext>, caller: &Caller, candidate: &Candidate, headers: &MailHeaders) -> Result<Finding> {
    let (origin, mut ids) = (origin(headers), named(headers));
    let recipients = match form(headers) {
        Form::Ordinary => return Ok(Finding::Told(MessageKind::Ordinary)),
        Form::AutomaticReply => {
            let from = sender(context, candidate).await?;
            if !from.as_ref().is_some_and(|from| origin.vouches_for(&from.address)) {
                return Ok(Finding::Told(MessageKind::AutomaticReply));
            }
            return tied(context, caller, candidate, ids, MessageKind::AutomaticReply, What::Replied(from)).await;
        }
        Form::PlainReport { recipients } => recipients.into_iter().map(|address| Recipient { address, status: "5.0.0".to_owned(), reason: None, kind: BounceKind::Permanent }).collect(),
        Form::Report => {
            let place = ContentPlace { message_id: candidate.graph_id.clone(), attachment_id: None };
            let content = match context.ask(context.graph.content(caller, &place)).await {
                Ok(content) => content,
                Err(error) if is_about_one(&error) => return Ok(later(candidate, &error)),
                Err(error) => return Err(error),
            };
            // What follows the first megabyte is what came back; its header comes first.
            let Some(report) = blocking(move || Ok(report::read(&content.first))).await? else { return Ok(Finding::Told(MessageKind::Ordinary)) };
            if let Some(id) = report.original {
                ids.retain(|other| !other.eq_ignore_ascii_case(&id));
                ids.insert(0, id);
            }
            report.recipients
        }
    };
    let proven: Vec<Recipient> = recipients.into_iter().filter(|one| origin.vouches_for(&one.address)).collect();
    if proven.is_empty() || origin == Origin::Unproven {
        return Ok(Finding::Told(MessageKind::Bounce));
    }
    tied(context, caller, candidate, ids, MessageKind::Bounce, What::Bounced(proven)).await
}

/// To the first send that one of these Message-IDs is of.
async fn tied(context: &Arc<SyncContext>, caller: &Caller, candidate: &Candidate, ids: Vec<String>, kind: MessageKind, what: What) -> Result<Finding> {
    Ok(match send_of(context, caller, candidate, &ids).await? {
        Some(send_id) => Finding::Answers { kind, send_id, what },
        None => Finding::Told(kind),
    })
}

async fn send_of(context: &Arc<SyncContext>, caller: &Caller, candidate: &Candidate, ids: &[String]) -> Result<Option<String>> {
    if ids.is_empty() {
        return Ok(None);
    }
    let account_id = context.account.id.as_str();
    let hashes = context.vault.hashes(account_id).await?;
    let wanted = ids.iter().map(|id| message_id_hash(&hashes, id)).collect::<Result<Vec<_>>>()?;
    let mut found: HashMap<[u8; 32], String> = context.store.sends_with(account_id, wanted.clone()).await?.into_iter().collect();
    if let Some(send_id) = wanted.iter().find_map(|hash| found.remove(hash)) {
        return Ok(Some(send_id));
    }
    if candidate.conversation_id.is_empty() {
        return Ok(None);
    }
    // Exchange may have given a mail another Message-ID when it left; its copy in the mailbox has that one.
    let sends = context.store.sends_in(account_id, &candidate.conversation_id, MOST_SENDS).await?;
    if sends.is_empty() {
        return Ok(None);
    }
    let copies: Vec<String> = sends.iter().map(|(_, graph_id)| graph_id.clone()).collect();
    let told = context.ask(context.graph.message_ids(caller, &copies)).await?;
    let mut by_hash = HashMap::new();
    for ((send_id, _), message_id) in sends.into_iter().zip(told) {
        if let Some(message_id) = message_id {
            by_hash.entry(message_id_hash(&hashes, &message_id)?).or_insert(send_id);
        }
    }
    Ok(wanted.iter().find_map(|hash| by_hash.remove(hash)))
}

async fn sender(context: &SyncContext, candidate: &Candidate) -> Result<Option<Address>> {
    let account_id = context.account.id.as_str();
    let read = async || {
        let Some(row) = context.store.known(account_id, &[&candidate.graph_id]).await?.pop() else { return Ok(None) };
        let Some(head) = &row.head else { return Ok(None) };
        let key = context.vault.content(account_id).await?;
        Ok(MessageMetadata::open_sealed(&key, account_id, &row.graph_id, row.version, head)?.from)
    };
    context.vault.with_current_keys(read).await
}

/// All of a batch in one transaction, with what is told of it.
async fn write(context: &Arc<SyncContext>, found: &[(Candidate, Finding)]) -> Result<()> {
    failpoint!("sync.storing_answers");
    let now = context.now();
    let account_id = context.account.id.as_str();
    let write = async || {
        let mut looked = Vec::with_capacity(found.len());
        for (candidate, finding) in found {
            let result = match finding {
                Finding::Later => Looked::Later,
                Finding::Told(kind) => Looked::Known { kind: *kind, answer: None },
                Finding::Answers { kind, send_id, what } => {
                    let at = candidate.received_at.unwrap_or(now);
                    let answers = answers(candidate, what, at);
                    let given_up = answers.bounces.iter().find(|bounce| bounce.kind == BounceKind::Permanent).map(|bounce| format!("The mail could not be delivered (status {}).", bounce.status));
                    let text = serde_json::to_vec(&answers).map_err(|e| Error::internal("An answer to a send cannot be written.").with_source(e))?;
                    let row = answer_row(send_id, &candidate.graph_id);
                    let sealed = context.vault.content(account_id).await?.seal(answer_place(account_id, &row), &text)?;
                    Looked::Known { kind: *kind, answer: Some(NewAnswer { send_id: send_id.clone(), at, sealed, given_up }) }
                }
            };
            looked.push(LookedAt { graph_id: candidate.graph_id.clone(), looked: result });
        }
        context.store.settle_candidates(account_id, context.account.generation, &context.lease, looked, now).await
    };
    let is_written = context.vault.with_current_keys(write).await?;
    failpoint!("sync.stored_answers");
    if !is_written {
        return Err(context.taken_over().await);
    }
    if found.iter().any(|(_, finding)| !matches!(finding, Finding::Later | Finding::Told(MessageKind::Ordinary))) {
        context.news.send_modify(|n| *n = n.wrapping_add(1));
    }
    Ok(())
}

fn answers(candidate: &Candidate, what: &What, at: i64) -> SendAnswers {
    let (at, message_id) = (from_ms(at), candidate.id.clone());
    match what {
        What::Bounced(recipients) => {
            let bounce = |one: &Recipient| Bounce { recipient: one.address.clone(), status: one.status.clone(), reason: one.reason.clone(), kind: one.kind, at, message_id: message_id.clone() };
            SendAnswers { bounces: recipients.iter().map(bounce).collect(), ..SendAnswers::default() }
        }
        What::Replied(from) => SendAnswers { automatic_replies: vec![AutomaticReply { from_address: from.clone(), at, message_id }], ..SendAnswers::default() },
    }
}
