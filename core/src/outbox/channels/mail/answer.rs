//! Replies and forwards: Microsoft makes the draft, and what the sender says is put above the quoted message.

use super::content::{MailParts, canonical, check_recipients, mail_parts};
use super::evidence::names;
use super::{MailBy, Making};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{AnswerKind, MadeDraft, OutgoingAnswer};
use crate::model::{RouteDraft, FileAttachment, ForwardDraft, ReplyDraft, SendRoute};
use crate::outbox::channel::Order;
use crate::outbox::job::Job;
use crate::store::{ItemState, MessageRow};

/// To the sender of a message, or to all who got it.
pub struct Answer;

/// To others.
pub struct PassOn;

impl Making for Answer {
    type Draft = ReplyDraft;
    const ROUTE: SendRoute = SendRoute::Reply;
    const IS_WHOLE_AT_ONCE: bool = false;

    fn of(draft: RouteDraft) -> Option<ReplyDraft> {
        if let RouteDraft::Reply { reply } = draft { Some(reply) } else { None }
    }

    fn parts(reply: &ReplyDraft) -> MailParts<'_> {
        mail_parts!(reply, &[], "")
    }

    fn check(reply: &ReplyDraft) -> Result<()> {
        check_original(&reply.message_id)
    }

    fn canonical(reply: &ReplyDraft) -> Vec<u8> {
        let mut out = canonical(b'r', &Self::parts(reply));
        out.text(14, &reply.message_id);
        out.flag(15, reply.to_all);
        out.into_bytes()
    }

    /// Replies to one message: each looks whether the message is read, and leaves it as it was.
    fn usual_order(reply: &ReplyDraft) -> Order {
        Order::By("reply", reply.message_id.clone())
    }

    fn without_attachments(reply: &ReplyDraft) -> ReplyDraft {
        ReplyDraft {
            account_id: reply.account_id.clone(),
            message_id: reply.message_id.clone(),
            from_address: reply.from_address.clone(),
            context: reply.context.clone(),
            body: reply.body.clone(),
            body_type: reply.body_type,
            merge_fields: reply.merge_fields.clone(),
            add_signature: reply.add_signature,
            to_all: reply.to_all,
            to: reply.to.clone(),
            cc: reply.cc.clone(),
            bcc: reply.bcc.clone(),
            importance: reply.importance,
            attachments: Vec::new(),
            key: reply.key.clone(),
            link: reply.link.clone(),
            deadline: reply.deadline,
            ordering_key: reply.ordering_key.clone(),
            send_at: reply.send_at,
            read_receipt: reply.read_receipt,
            delivery_receipt: reply.delivery_receipt,
            headers: reply.headers.clone(),
        }
    }

    fn set_attachments(reply: &mut ReplyDraft, attachments: Vec<FileAttachment>) {
        reply.attachments = attachments;
    }

    /// Making it can mark the message that is answered as read, so it is looked at first, and what was unread is known durably before.
    async fn make(job: &mut Job<MailBy<Self>>) -> Result<Option<MadeDraft>> {
        let original = original(job, &job.draft.message_id).await?;
        let is_read = job.tools.graph.is_read(&job.caller(), &original.graph_id).await?.ok_or_else(gone)?;
        if !is_read && !job.progress.own.was_unread {
            job.progress.own.was_unread = true;
            if !job.advance(ItemState::Prepared).await? {
                return Ok(None);
            }
        }
        let kind = if job.draft.to_all { AnswerKind::ReplyAll } else { AnswerKind::Reply };
        make(job, kind, &original).await.map(Some)
    }

    async fn after(job: &mut Job<MailBy<Self>>) -> Result<()> {
        if job.progress.own.was_unread {
            let original = original(job, &job.draft.message_id).await?;
            // Read by its person or by the answer: the mailbox does not say by whom.
            if job.tools.graph.is_read(&job.caller(), &original.graph_id).await? == Some(true) {
                job.tools.graph.set_read(&job.caller(), &original.graph_id, false, "").await?;
            }
            job.progress.own.was_unread = false;
        }
        Ok(())
    }
}

impl Making for PassOn {
    type Draft = ForwardDraft;
    const ROUTE: SendRoute = SendRoute::Forward;
    const IS_WHOLE_AT_ONCE: bool = false;

    fn of(draft: RouteDraft) -> Option<ForwardDraft> {
        if let RouteDraft::Forward { forward } = draft { Some(forward) } else { None }
    }

    fn parts(forward: &ForwardDraft) -> MailParts<'_> {
        mail_parts!(forward, &[], "")
    }

    fn check(forward: &ForwardDraft) -> Result<()> {
        check_original(&forward.message_id)?;
        check_recipients(&Self::parts(forward))
    }

    fn canonical(forward: &ForwardDraft) -> Vec<u8> {
        let mut out = canonical(b'f', &Self::parts(forward));
        out.text(14, &forward.message_id);
        out.into_bytes()
    }

    fn without_attachments(forward: &ForwardDraft) -> ForwardDraft {
        ForwardDraft {
            account_id: forward.account_id.clone(),
            message_id: forward.message_id.clone(),
            from_address: forward.from_address.clone(),
            context: forward.context.clone(),
            to: forward.to.clone(),
            body: forward.body.clone(),
            body_type: forward.body_type,
            merge_fields: forward.merge_fields.clone(),
            add_signature: forward.add_signature,
            cc: forward.cc.clone(),
            bcc: forward.bcc.clone(),
            importance: forward.importance,
            attachments: Vec::new(),
            key: forward.key.clone(),
            link: forward.link.clone(),
            deadline: forward.deadline,
            ordering_key: forward.ordering_key.clone(),
            send_at: forward.send_at,
            read_receipt: forward.read_receipt,
            delivery_receipt: forward.delivery_receipt,
            headers: forward.headers.clone(),
        }
    }

    fn set_attachments(forward: &mut ForwardDraft, attachments: Vec<FileAttachment>) {
        forward.attachments = attachments;
    }

    async fn make(job: &mut Job<MailBy<Self>>) -> Result<Option<MadeDraft>> {
        let original = original(job, &job.draft.message_id).await?;
        make(job, AnswerKind::Forward, &original).await.map(Some)
    }
}

/// In two steps, of which the first makes a draft that is not to be sent yet: until the second came off, there is one to be removed.
async fn make<K: Making>(job: &mut Job<MailBy<K>>, kind: AnswerKind, original: &MessageRow) -> Result<MadeDraft> {
    let (tools, caller, had_stray) = (job.tools.clone(), job.caller(), job.progress.own.stray);
    let begun = tools.graph.begin_answer(&caller, &outgoing(job, kind, original)?).await?;
    job.progress.own.stray = true;
    failpoint!("mail.answer_begun");
    let made = tools.graph.finish_answer(&caller, begun, &outgoing(job, kind, original)?).await?;
    job.progress.own.stray = had_stray;
    Ok(made)
}

fn outgoing<'a, K: Making>(job: &'a Job<MailBy<K>>, kind: AnswerKind, original: &'a MessageRow) -> Result<OutgoingAnswer<'a>> {
    let (internet_message_id, mark) = names(job)?;
    let MailParts { from_address, to, cc, bcc, body, body_type, importance, attachments, read_receipt, delivery_receipt, headers, .. } = K::parts(&job.draft);
    Ok(OutgoingAnswer { kind, original: &original.graph_id, conversation_id: &original.conversation_id, from_address, to, cc, bcc, body, body_type, importance, attachments, read_receipt, delivery_receipt, headers, internet_message_id, mark })
}

/// A message of this account.
async fn original<K: Making>(job: &Job<MailBy<K>>, message_id: &str) -> Result<MessageRow> {
    job.tools.store.message(message_id, None).await?.filter(|row| row.account_id == job.item.account_id).ok_or_else(gone)
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "The message that this answers or passes on is not in the mailbox any more. Send a new mail instead.")
}

fn check_original(message_id: &str) -> Result<()> {
    if message_id.is_empty() { Err(Error::invalid("message_id is empty. Pass the id of the message that is answered or passed on.")) } else { Ok(()) }
}
