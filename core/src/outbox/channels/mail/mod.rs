//! Mail as draft → send → confirm. The draft has an immutable id that its sent copy keeps, our own Message-ID and a private mark, so that
//! after any doubt the mailbox itself says what became of it. Source: Graph, outlook-immutable-id and message: send.

mod answer;
mod content;
mod evidence;
mod new;
mod pace;
mod reconcile;
mod send;
mod tidy;
mod upload;

use crate::error::{Error, Result};
use crate::graph::{MadeDraft, MessageState};
use crate::model::{RouteDraft, Feature, FileAttachment, SendRoute};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Progress, Sender, Terms};
use crate::outbox::job::{Job, Tools};
use crate::store::{ItemRow, ItemState};
use crate::vault::Hashes;
use content::MailParts;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use upload::Uploading;

/// A mail of one kind.
pub struct MailBy<K>(PhantomData<K>);

pub type Mail = MailBy<new::New>;
pub type Reply = MailBy<answer::Answer>;
pub type Forward = MailBy<answer::PassOn>;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// The draft is to be read again before it is sent: a conflict, or time that went by.
    pub recheck: bool,
    /// A creation was in doubt, so there may be a second draft.
    pub stray: bool,
    /// Every creation was refused before it had an effect: no draft bears the mark.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unmade: bool,
    /// The message that is answered was unread before its answer was made, and is to be so again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_unread: bool,
    /// A draft that is not whole yet, and how far its large attachments are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Uploading>,
}

impl MailProgress {
    /// It is in the mailbox, as its draft or its sent copy.
    fn is_found(&mut self, state: MessageState) {
        self.graph_id = Some(state.id);
        self.conversation_id = state.conversation_id.or(self.conversation_id.take());
    }

    /// As if no draft had ever been made; one that was is not ours to find any more.
    fn forget_draft(&mut self) {
        (self.graph_id, self.conversation_id, self.mark, self.internet_message_id, self.unmade, self.upload) = (None, None, None, None, false, None);
    }
}

/// A kind of mail: what it says, and how its draft is made. Everything after that is the same for all of them.
pub trait Making: Sized + Send + Sync + 'static {
    type Draft: Clone + Into<RouteDraft> + Send + Sync + 'static;
    const ROUTE: SendRoute;
    /// One request makes the whole draft, so that one found by its mark can be sent. If not, it is made anew.
    const IS_WHOLE_AT_ONCE: bool;

    /// None: it is a draft of another route.
    fn of(draft: RouteDraft) -> Option<Self::Draft>;
    fn parts(draft: &Self::Draft) -> MailParts<'_>;
    /// What is asked of it beside what every mail must be.
    fn check(_: &Self::Draft) -> Result<()> {
        Ok(())
    }
    fn canonical(draft: &Self::Draft) -> Vec<u8>;
    /// Form 0; it was never made of what came later.
    fn first_text(_: &Self::Draft) -> Result<Vec<u8>> {
        Err(crate::outbox::content::unknown_form())
    }
    /// Of one that has no ordering key.
    fn usual_order(_: &Self::Draft) -> Order {
        Order::Alone
    }
    fn without_attachments(draft: &Self::Draft) -> Self::Draft;
    fn set_attachments(draft: &mut Self::Draft, attachments: Vec<FileAttachment>);
    /// Makes the draft in the mailbox. None: the claim is lost.
    fn make(job: &mut Job<MailBy<Self>>) -> impl Future<Output = Result<Option<MadeDraft>>> + Send;
    /// What is left to do once the draft is there. Repeated until it comes off.
    fn after(_: &mut Job<MailBy<Self>>) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

impl<K: Making> Channel for MailBy<K> {
    type Draft = K::Draft;
    type Progress = MailProgress;

    const ROUTE: SendRoute = K::ROUTE;
    const SENDER: Sender = Sender::Account(Feature::MailSend);

    fn of(draft: RouteDraft) -> Option<K::Draft> {
        K::of(draft)
    }

    fn terms(mail: &K::Draft) -> Terms<'_> {
        let MailParts { key, deadline, send_at, .. } = K::parts(mail);
        Terms { key, deadline, send_at }
    }

    fn check(mail: &K::Draft) -> Result<()> {
        K::check(mail)?;
        content::check(&K::parts(mail))
    }

    fn link(mail: &K::Draft) -> Option<&str> {
        K::parts(mail).link
    }

    /// Mails that the host gave the same key.
    fn order(mail: &K::Draft) -> Order {
        K::parts(mail).ordering_key.map_or_else(|| K::usual_order(mail), |key| Order::By("order", key.to_owned()))
    }

    fn weight(mail: &K::Draft) -> usize {
        let parts = K::parts(mail);
        parts.attachments.iter().fold(parts.body.len(), |sum, file| sum + file.content.len())
    }

    fn canonical(mail: &K::Draft) -> Vec<u8> {
        K::canonical(mail)
    }

    fn first_text(mail: &K::Draft) -> Result<Vec<u8>> {
        K::first_text(mail)
    }

    fn attachments(mail: &K::Draft) -> &[FileAttachment] {
        K::parts(mail).attachments
    }

    fn without_attachments(mail: &K::Draft) -> K::Draft {
        K::without_attachments(mail)
    }

    fn set_attachments(mail: &mut K::Draft, attachments: Vec<FileAttachment>) {
        K::set_attachments(mail, attachments);
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
        Ids { internet_message_id: own.internet_message_id, graph_id: own.graph_id, conversation_id: own.conversation_id, ..Ids::default() }
    }
}
