//! A new mail: one request makes its draft.

use super::content::{MailParts, canonical, check_recipients, mail_parts};
use super::evidence::names;
use super::{MailBy, Making};
use crate::error::Result;
use crate::graph::{MadeDraft, OutgoingMail};
use crate::model::{Address, BodyType, RouteDraft, FileAttachment, Importance, MailDraft, SendRoute};
use crate::outbox::content::first_form;
use crate::outbox::job::Job;
use serde::Serialize;

pub struct New;

impl Making for New {
    type Draft = MailDraft;
    const ROUTE: SendRoute = SendRoute::Mail;
    const IS_WHOLE_AT_ONCE: bool = true;

    fn of(draft: RouteDraft) -> Option<MailDraft> {
        if let RouteDraft::Mail { mail } = draft { Some(mail) } else { None }
    }

    fn parts(mail: &MailDraft) -> MailParts<'_> {
        mail_parts!(mail, &mail.reply_to, &mail.subject)
    }

    fn check(mail: &MailDraft) -> Result<()> {
        check_recipients(&Self::parts(mail))
    }

    fn canonical(mail: &MailDraft) -> Vec<u8> {
        canonical(b'm', &Self::parts(mail)).into_bytes()
    }

    fn first_text(mail: &MailDraft) -> Result<Vec<u8>> {
        first_text(mail)
    }

    fn without_attachments(mail: &MailDraft) -> MailDraft {
        without_attachments(mail)
    }

    fn set_attachments(mail: &mut MailDraft, attachments: Vec<FileAttachment>) {
        mail.attachments = attachments;
    }

    async fn make(job: &mut Job<MailBy<Self>>) -> Result<Option<MadeDraft>> {
        let outgoing = {
            let (internet_message_id, mark) = names(job)?;
            OutgoingMail { draft: &job.draft, internet_message_id, mark }
        };
        job.tools.graph.create_draft(&job.caller(), &outgoing).await.map(Some)
    }
}

/// Its form 0.
fn first_text(mail: &MailDraft) -> Result<Vec<u8>> {
    first_form(
        "mail",
        First {
            account_id: &mail.account_id,
            to: &mail.to,
            subject: &mail.subject,
            body: &mail.body,
            body_type: mail.body_type,
            cc: &mail.cc,
            bcc: &mail.bcc,
            reply_to: &mail.reply_to,
            importance: mail.importance,
            attachments: mail.attachments.iter().map(|f| FirstFile { name: &f.name, content: &f.content, content_type: &f.content_type }).collect(),
            key: mail.key.as_deref(),
        },
    )
}

#[derive(Serialize)]
struct First<'a> {
    account_id: &'a str,
    to: &'a [Address],
    subject: &'a str,
    body: &'a str,
    body_type: BodyType,
    cc: &'a [Address],
    bcc: &'a [Address],
    reply_to: &'a [Address],
    importance: Importance,
    attachments: Vec<FirstFile<'a>>,
    key: Option<&'a str>,
}

#[derive(Serialize)]
struct FirstFile<'a> {
    name: &'a str,
    content: &'a [u8],
    content_type: &'a str,
}

fn without_attachments(mail: &MailDraft) -> MailDraft {
    MailDraft {
        account_id: mail.account_id.clone(),
        from_address: mail.from_address.clone(),
        context: mail.context.clone(),
        to: mail.to.clone(),
        subject: mail.subject.clone(),
        body: mail.body.clone(),
        body_type: mail.body_type,
        merge_fields: mail.merge_fields.clone(),
        add_signature: mail.add_signature,
        cc: mail.cc.clone(),
        bcc: mail.bcc.clone(),
        reply_to: mail.reply_to.clone(),
        importance: mail.importance,
        attachments: Vec::new(),
        key: mail.key.clone(),
        link: mail.link.clone(),
        deadline: mail.deadline,
        ordering_key: mail.ordering_key.clone(),
        send_at: mail.send_at,
        read_receipt: mail.read_receipt,
        delivery_receipt: mail.delivery_receipt,
        headers: mail.headers.clone(),
    }
}
