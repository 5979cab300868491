//! What a way out has to be able to do. The delivery loop knows routes only through [`Channel`].
//!
//! Adding a route is a file in [`channels`](super::channels) with its line in [`by_route`] and [`by_draft`], a variant of `SendRoute` and of `RouteDraft`, its word in
//! the store, and its record in the UDL.

use super::job::{Job, Tools};
use crate::error::{Error, Result};
use crate::model::{RouteDraft, Feature, FileAttachment, SendRoute};
use crate::store::{ItemRow, ItemState};
use crate::vault::Hashes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// A route: what its drafts must be, and how one is sent. A channel holds nothing itself; what it remembers is in the [`Job`], or in
/// [`Memory`](super::channels::Memory) for as long as the process lives.
pub trait Channel: Sized + Send + Sync + 'static {
    /// What hosts hand in.
    type Draft: Clone + Into<RouteDraft> + Send + Sync + 'static;
    /// What this channel alone knows of a send. Its fields are stored beside those of [`Progress`], so it has none of their names.
    type Progress: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    const ROUTE: SendRoute;
    /// What its sends belong to.
    const SENDER: Sender;

    /// None: it is a draft of another route.
    fn of(draft: RouteDraft) -> Option<Self::Draft>;
    fn terms(draft: &Self::Draft) -> Terms<'_>;
    /// Errors: InvalidInput or LimitExceeded, naming the field and the remedy. The deadline is looked at by the caller.
    fn check(draft: &Self::Draft) -> Result<()>;
    fn order(draft: &Self::Draft) -> Order;
    /// The host's key for what it is about. Only mails have one.
    fn link(_: &Self::Draft) -> Option<&str> {
        None
    }
    /// Bytes of text and attachments, about.
    fn weight(draft: &Self::Draft) -> usize;
    /// Form 1 of the content ([`content`](super::content)).
    fn canonical(draft: &Self::Draft) -> Vec<u8>;
    /// Form 0. Only the routes of the first versions have one.
    fn first_text(_: &Self::Draft) -> Result<Vec<u8>> {
        Err(super::content::unknown_form())
    }
    fn attachments(_: &Self::Draft) -> &[FileAttachment] {
        &[]
    }
    /// A copy that leaves the attachments where they are.
    fn without_attachments(draft: &Self::Draft) -> Self::Draft {
        draft.clone()
    }
    fn set_attachments(_: &mut Self::Draft, _: Vec<FileAttachment>) {}
    /// Permissions that it needs beside those of its feature.
    fn scopes(_: &Self::Draft) -> &'static [&'static str] {
        &[]
    }

    /// What is known of a send before anything is made for it, stored with it. It follows from the id and the time of the send alone, so that whoever takes
    /// it in hand later knows what to look for. None: nothing.
    fn first_known(_hashes: &Hashes, _id: &str, _created_at: i64) -> Result<Option<Self::Progress>> {
        Ok(None)
    }

    /// Whether a copy of this store, or the store before it was set back, has sent it. Asked before anything is made. None: it has not, or nobody can be asked.
    fn sent_elsewhere(_: &mut Job<Self>) -> impl Future<Output = Result<Option<Outcome>>> + Send {
        std::future::ready(Ok(None))
    }
    /// Makes sure of all that the request needs. Nothing of it is a message to anybody yet.
    fn prepare(job: &mut Job<Self>) -> impl Future<Output = Result<Prepared>> + Send;
    /// The one request that sends it. `Dispatching` is stored by then.
    fn dispatch(job: &mut Job<Self>) -> impl Future<Output = Result<()>> + Send;
    /// After a request that may have sent it: asks, never guesses.
    fn reconcile(job: &mut Job<Self>) -> impl Future<Output = Result<Finding>> + Send;
    /// The request was refused for good. None: it is to be asked all the same ([`reconcile`](Self::reconcile)).
    fn refused(job: &mut Job<Self>, error: Error) -> impl Future<Output = Option<Outcome>> + Send;
    /// Removes what a settled send has left at the service. `is_last`: it is not looked for again after this. Some: what is known of it from now on.
    fn tidy(_tools: &Tools, _item: &ItemRow, _progress: &Progress<Self::Progress>, _is_last: bool) -> impl Future<Output = Result<Option<Self::Progress>>> + Send {
        std::future::ready(Ok(None))
    }

    /// What was made for it may have changed since, and is read again before it is sent.
    fn read_again(_: &mut Self::Progress) {}
    /// What stays known of a send whose content is replaced before it leaves; `is_new`: nobody had it in hand. None: something of it may lie at the service.
    fn replaced(_: Self::Progress, _is_new: bool) -> Option<Self::Progress> {
        Some(Self::Progress::default())
    }
    /// Whether the service can be asked what became of it.
    fn can_be_asked(_: &Self::Progress) -> bool {
        false
    }
    /// Whether a send that ends like this, or was lost to another worker in this state, may have left something at the service.
    fn has_left_something(_: &Self::Progress, _: ItemState) -> bool {
        false
    }
    /// Whether more of it may come: a request that nobody heard of may still be on its way.
    fn may_leave_more(_: &Progress<Self::Progress>, _: ItemState) -> bool {
        false
    }
    fn ids(progress: Self::Progress) -> Ids;
    /// What was said by whom people can answer: an operator reads both sides.
    fn said(_: &Self::Draft, _: &Self::Progress) -> Option<OwnWords> {
        None
    }
}

/// What the bot has said.
pub struct OwnWords {
    pub conversation_id: String,
    /// Empty: nobody knows what Teams calls it.
    pub activity_id: String,
    pub text: String,
}

/// What the sends of a route belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// An account that is connected for this.
    Account(Feature),
    /// A workflow that was added, and not removed.
    Workflow,
    /// The bot, in an organisation that is connected.
    Bot,
}

impl Sender {
    /// Why what was not sent yet is taken back when it goes.
    pub fn gone(self) -> &'static str {
        match self {
            Self::Account(_) | Self::Bot => DISCONNECTED,
            Self::Workflow => REMOVED,
        }
    }
}

/// Why sends are taken back when their account goes.
pub const DISCONNECTED: &str = "The account was disconnected before it was sent.";
/// Why posts are taken back when their workflow goes.
pub const REMOVED: &str = "The workflow was removed before it was sent.";

/// What every draft says beside its content.
pub struct Terms<'a> {
    pub key: Option<&'a str>,
    pub deadline: Option<SystemTime>,
    pub send_at: Option<SystemTime>,
}

/// Which messages of an account leave in the order in which they were handed in.
pub enum Order {
    /// It waits for no other.
    Alone,
    /// Those with the same kind and value.
    By(&'static str, String),
}

/// What a receipt shows of a send.
#[derive(Default)]
pub struct Ids {
    pub internet_message_id: Option<String>,
    pub graph_id: Option<String>,
    pub conversation_id: Option<String>,
    pub chat_id: Option<String>,
    /// The host's own key.
    pub link: Option<String>,
    /// Whom a message of the bot is for, by the bot's own id; no receipt shows it.
    pub teams_user_id: Option<String>,
}

/// What is known so far of a send; sealed with the item, as one flat record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress<P> {
    /// Refusals because of a conflict.
    pub conflicts: u32,
    /// Some request may have sent it.
    pub doubted: bool,
    /// Since when it is asked whether the last request did.
    pub doubt_since: Option<i64>,
    /// Why the last request was refused, after one that may have sent it.
    pub refusal: Option<String>,
    /// The host wants it sent again although it may have been sent.
    pub insisted: bool,
    /// The host's key for what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(flatten)]
    pub own: P,
}

/// How a send ended, or why it waits.
#[derive(Debug)]
pub enum Outcome {
    Sent,
    Later(Error),
    /// It is asked again after this many milliseconds; what a receipt says meanwhile.
    Watch(i64, &'static str),
    Failed(Error),
    Unknown(String),
    /// The claim was lost or the item cancelled; somebody else decides.
    Lost,
}

/// What came of a preparation.
#[derive(Debug)]
pub enum Prepared {
    Ready,
    /// It turns out to have been sent.
    Sent,
    Lost,
}

/// What is to be done once it was asked.
#[derive(Debug)]
pub enum Finding {
    Settled(Outcome),
    /// What was prepared is still there: it was not sent, and the same request is safe.
    NotSent,
    /// Nothing is known of it any more, and the host wants it sent all the same.
    Anew,
}

/// The expression with the channel of a route under the name given.
macro_rules! by_route {
    ($route:expr, $channel:ident => $do:expr) => {
        match $route {
            crate::model::SendRoute::Mail => {
                type $channel = crate::outbox::channels::Mail;
                $do
            }
            crate::model::SendRoute::Reply => {
                type $channel = crate::outbox::channels::Reply;
                $do
            }
            crate::model::SendRoute::Forward => {
                type $channel = crate::outbox::channels::Forward;
                $do
            }
            crate::model::SendRoute::Chat => {
                type $channel = crate::outbox::channels::Chat;
                $do
            }
            crate::model::SendRoute::ChannelPost => {
                type $channel = crate::outbox::channels::ChannelPost;
                $do
            }
            crate::model::SendRoute::Workflow => {
                type $channel = crate::outbox::channels::Workflow;
                $do
            }
            crate::model::SendRoute::Bot => {
                type $channel = crate::outbox::channels::Bot;
                $do
            }
        }
    };
}
pub(super) use by_route;

/// The same for a draft, with what is in it.
macro_rules! by_draft {
    ($draft:expr, $channel:ident, $inner:ident => $do:expr) => {
        match $draft {
            crate::model::RouteDraft::Mail { mail: $inner } => {
                type $channel = crate::outbox::channels::Mail;
                $do
            }
            crate::model::RouteDraft::Reply { reply: $inner } => {
                type $channel = crate::outbox::channels::Reply;
                $do
            }
            crate::model::RouteDraft::Forward { forward: $inner } => {
                type $channel = crate::outbox::channels::Forward;
                $do
            }
            crate::model::RouteDraft::Chat { chat: $inner } => {
                type $channel = crate::outbox::channels::Chat;
                $do
            }
            crate::model::RouteDraft::ChannelPost { channel_post: $inner } => {
                type $channel = crate::outbox::channels::ChannelPost;
                $do
            }
            crate::model::RouteDraft::Workflow { workflow: $inner } => {
                type $channel = crate::outbox::channels::Workflow;
                $do
            }
            crate::model::RouteDraft::Bot { bot: $inner } => {
                type $channel = crate::outbox::channels::Bot;
                $do
            }
        }
    };
}
pub(super) use by_draft;

/// What sends of this route belong to.
pub fn sender_of(route: SendRoute) -> Sender {
    by_route!(route, C => C::SENDER)
}

/// The same for a draft.
pub fn sender_for(draft: &RouteDraft) -> Sender {
    by_draft!(draft, C, _one => C::SENDER)
}

/// Permissions that a draft needs beside those of its feature.
pub fn scopes_for(draft: &RouteDraft) -> &'static [&'static str] {
    by_draft!(draft, C, one => C::scopes(one))
}
