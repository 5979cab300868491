//! Mail as draft → send → confirm. The draft has an immutable id that its sent copy keeps, our own Message-ID and a private mark, so that
//! after any doubt the mailbox itself says what became of it. Source: Graph, outlook-immutable-id and message: send.

mod content;
mod evidence;
mod reconcile;
mod send;
mod tidy;

use crate::error::{Error, Result};
use crate::model::{Draft, Feature, FileAttachment, MailDraft, Route};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Progress, Terms};
use crate::outbox::job::{Job, Tools};
use crate::store::{ItemRow, ItemState};
use crate::vault::Hashes;
use serde::{Deserialize, Serialize};

pub struct Mail;

/// What is known of a mail under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MailProgress {
    /// Message-ID: ours, or the one that the mailbox gave the draft.
    pub internet_message_id: Option<String>,
    /// Private mark by which the mail is found if its id was never learnt.
    pub mark: Option<String>,
    /// Immutable id of the draft, and so of the sent copy.
    pub graph_id: Option<String>,
    /// The draft is to be read again before it is sent: a conflict, or time that went by.
    pub recheck: bool,
    /// A creation was in doubt, so there may be a second draft.
    pub stray: bool,
    /// Every creation was refused before it had an effect: no draft bears the mark.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unmade: bool,
}

impl MailProgress {
    /// As if no draft had ever been made; one that was is not ours to find any more.
    fn forget_draft(&mut self) {
        (self.graph_id, self.mark, self.internet_message_id, self.unmade) = (None, None, None, false);
    }
}

impl Channel for Mail {
    type Draft = MailDraft;
    type Progress = MailProgress;

    const ROUTE: Route = Route::Mail;
    const FEATURE: Feature = Feature::MailSend;

    fn of(draft: Draft) -> Option<MailDraft> {
        if let Draft::Mail { mail } = draft { Some(mail) } else { None }
    }

    fn terms(mail: &MailDraft) -> Terms<'_> {
        Terms { key: mail.key.as_deref(), deadline: mail.deadline, send_at: mail.send_at }
    }

    fn check(mail: &MailDraft) -> Result<()> {
        content::check(mail)
    }

    /// Mails that the host gave the same key. Any other is ordered by itself.
    fn order(mail: &MailDraft) -> Order {
        mail.ordering_key.as_ref().map_or(Order::Alone, |key| Order::By("order", key.clone()))
    }

    fn weight(mail: &MailDraft) -> usize {
        mail.attachments.iter().fold(mail.body.len(), |sum, file| sum + file.content.len())
    }

    fn canonical(mail: &MailDraft) -> Vec<u8> {
        content::canonical(mail)
    }

    fn first_text(mail: &MailDraft) -> Result<Vec<u8>> {
        content::first_text(mail)
    }

    fn attachments(mail: &MailDraft) -> &[FileAttachment] {
        &mail.attachments
    }

    fn without_attachments(mail: &MailDraft) -> MailDraft {
        content::without_attachments(mail)
    }

    fn set_attachments(mail: &mut MailDraft, attachments: Vec<FileAttachment>) {
        mail.attachments = attachments;
    }

    /// What it is found by, so that no write has to come before its draft is made.
    fn first_known(hashes: &Hashes, id: &str, created_at: i64) -> Result<Option<MailProgress>> {
        send::names_of(hashes, id, created_at).map(Some)
    }

    async fn sent_elsewhere(job: &mut Job<Self>) -> Result<Option<Outcome>> {
        reconcile::sent_elsewhere(job).await
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        send::prepare(job).await
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        send::dispatch(job).await
    }

    async fn reconcile(job: &mut Job<Self>) -> Result<Finding> {
        reconcile::reconcile(job).await
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        reconcile::refused(job, error).await
    }

    async fn tidy(tools: &Tools, item: &ItemRow, progress: &Progress<MailProgress>, is_last: bool) -> Result<Option<MailProgress>> {
        tidy::tidy(tools, item, progress, is_last).await
    }

    fn read_again(own: &mut MailProgress) {
        own.recheck = true;
    }

    /// Its names follow from the send, so they stay.
    fn replaced(own: MailProgress, is_new: bool) -> Option<MailProgress> {
        (is_new || own.unmade || own.mark.is_none()).then_some(own)
    }

    fn can_be_asked(own: &MailProgress) -> bool {
        own.mark.is_some()
    }

    /// Refused, its draft; sent, the other draft of a doubtful creation; lost, what the worker that lost it was just making.
    fn has_left_something(own: &MailProgress, state: ItemState) -> bool {
        match state {
            ItemState::Sent => own.stray,
            ItemState::Failed | ItemState::Claimed | ItemState::Prepared => own.mark.is_some() && !own.unmade,
            _ => false,
        }
    }

    fn may_leave_more(progress: &Progress<MailProgress>, state: ItemState) -> bool {
        tidy::may_remove(progress, state) && progress.own.mark.is_some() && (progress.own.stray || progress.own.graph_id.is_none())
    }

    fn ids(own: MailProgress) -> Ids {
        Ids { internet_message_id: own.internet_message_id, graph_id: own.graph_id, chat_id: None }
    }
}
