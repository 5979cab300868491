//! A message in a channel, or a reply in its thread. Graph knows no idempotency key for a post, so an answer that is lost leaves the send unknown. Source:
//! Graph, chatMessage: send, and chatMessage: post replies.

use super::content::{self, parts};
use super::files::{self, Filed, Files};
use crate::error::{Error, Result};
use crate::graph::{FileFolder, Mentioned, OutgoingPost, PostPlace};
use crate::model::{ChannelPostDraft, RouteDraft, Feature, FileAttachment, SendRoute};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Progress, Sender, Terms};
use crate::outbox::check::{header, id as check_id};
use crate::outbox::content::Fields;
use crate::outbox::job::{Job, Tools};
use crate::store::{ItemRow, ItemState};
use serde::{Deserialize, Serialize};

pub struct ChannelPost;

/// What is known of a channel message under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostProgress {
    /// Where it was posted, so that it can be changed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<ChannelPlace>,
    /// Whom its mentions name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentioned: Vec<Mentioned>,
    /// Id of the message.
    pub graph_id: Option<String>,
    #[serde(skip_serializing_if = "Files::is_none")]
    pub files: Files,
}

/// A thread of a channel, or the channel itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPlace {
    pub team_id: String,
    pub channel_id: String,
    pub reply_to: Option<String>,
}

impl ChannelPlace {
    pub fn place(&self) -> PostPlace<'_> {
        PostPlace::Channel { team: &self.team_id, channel: &self.channel_id, reply_to: self.reply_to.as_deref() }
    }
}

impl Channel for ChannelPost {
    type Draft = ChannelPostDraft;
    type Progress = PostProgress;

    const ROUTE: SendRoute = SendRoute::ChannelPost;
    const SENDER: Sender = Sender::Account(Feature::Channels);

    fn of(draft: RouteDraft) -> Option<ChannelPostDraft> {
        if let RouteDraft::ChannelPost { channel_post } = draft { Some(channel_post) } else { None }
    }

    fn terms(post: &ChannelPostDraft) -> Terms<'_> {
        Terms { key: post.key.as_deref(), deadline: post.deadline, send_at: post.send_at }
    }

    fn check(post: &ChannelPostDraft) -> Result<()> {
        check_id("team_id", &post.team_id)?;
        check_id("channel_id", &post.channel_id)?;
        if let Some(root) = &post.reply_to {
            check_id("reply_to", root)?;
        }
        if let Some(subject) = &post.subject {
            header("subject", subject, 255)?;
            if post.reply_to.is_some() {
                return Err(Error::invalid("A reply in a channel has no subject. Leave it out."));
            }
        }
        content::check(&parts!(post), "channel message", true)
    }

    fn order(post: &ChannelPostDraft) -> Order {
        Order::By("channel", format!("{}/{}", post.team_id.to_lowercase(), post.channel_id))
    }

    fn weight(post: &ChannelPostDraft) -> usize {
        parts!(post).weight()
    }

    fn canonical(post: &ChannelPostDraft) -> Vec<u8> {
        let mut out = Fields::new(b'p');
        out.text(1, &post.team_id);
        out.text(2, &post.channel_id);
        out.text(3, post.reply_to.as_deref().unwrap_or_default());
        out.text(4, post.subject.as_deref().unwrap_or_default());
        out.text(5, &post.body);
        out.body_type(6, post.body_type);
        parts!(post).append(&mut out, 7);
        out.into_bytes()
    }

    fn attachments(post: &ChannelPostDraft) -> &[FileAttachment] {
        &post.attachments
    }

    fn without_attachments(post: &ChannelPostDraft) -> ChannelPostDraft {
        without_attachments(post)
    }

    fn set_attachments(post: &mut ChannelPostDraft, attachments: Vec<FileAttachment>) {
        post.attachments = attachments;
    }

    /// The library of a team is not the person's own.
    fn scopes(post: &ChannelPostDraft) -> &'static [&'static str] {
        if post.attachments.iter().all(content::is_picture) { &[] } else { &["Files.ReadWrite.All"] }
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        if job.progress.own.mentioned.len() != job.draft.mentions.len() {
            let place = (job.draft.team_id.as_str(), job.draft.channel_id.as_str());
            let mentioned = content::look_up(&job.tools.graph, &job.caller(), &job.draft.mentions, Some(place)).await?;
            job.progress.own.mentioned = mentioned;
        }
        Ok(if files::bring(job).await? { Prepared::Ready } else { Prepared::Lost })
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        let draft = &job.draft;
        let post = OutgoingPost { subject: draft.subject.clone(), pictures: content::hosted(&parts!(draft)), ..content::compose(&parts!(draft), &job.progress.own.mentioned, &job.progress.own.files.references())? };
        let place = ChannelPlace { team_id: draft.team_id.clone(), channel_id: draft.channel_id.clone(), reply_to: draft.reply_to.clone() };
        let id = job.tools.graph.post_message(&job.caller(), place.place(), &post).await?;
        job.progress.own.place = Some(place);
        job.progress.own.graph_id = Some(id);
        Ok(())
    }

    async fn reconcile(_: &mut Job<Self>) -> Result<Finding> {
        Ok(super::untold("channel message", "channel"))
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        Some(super::refused(job, error))
    }

    async fn tidy(tools: &Tools, item: &ItemRow, progress: &Progress<PostProgress>, is_last: bool) -> Result<Option<PostProgress>> {
        let left = files::tidy(tools, item, progress, &progress.own.files, is_last).await?;
        Ok(left.map(|files| PostProgress { files, ..progress.own.clone() }))
    }

    fn read_again(own: &mut PostProgress) {
        own.files.read_again();
    }

    fn replaced(own: PostProgress, _: bool) -> Option<PostProgress> {
        (!own.files.are_begun()).then(PostProgress::default)
    }

    fn has_left_something(own: &PostProgress, state: ItemState) -> bool {
        own.files.are_left(state)
    }

    fn may_leave_more(progress: &Progress<PostProgress>, state: ItemState) -> bool {
        progress.own.files.may_follow(progress, state)
    }

    fn ids(own: PostProgress) -> Ids {
        Ids { graph_id: own.graph_id, ..Ids::default() }
    }
}

/// Who is in the channel may open what is in its folder.
impl Filed for ChannelPost {
    fn files(own: &mut PostProgress) -> &mut Files {
        &mut own.files
    }

    async fn folder(job: &Job<Self>) -> Result<FileFolder> {
        job.tools.graph.files_folder(&job.caller(), &job.draft.team_id, &job.draft.channel_id).await
    }
}

/// Everything else.
fn without_attachments(post: &ChannelPostDraft) -> ChannelPostDraft {
    ChannelPostDraft {
        account_id: post.account_id.clone(),
        team_id: post.team_id.clone(),
        channel_id: post.channel_id.clone(),
        body: post.body.clone(),
        body_type: post.body_type,
        merge_fields: post.merge_fields.clone(),
        reply_to: post.reply_to.clone(),
        subject: post.subject.clone(),
        importance: post.importance,
        mentions: post.mentions.clone(),
        cards: post.cards.clone(),
        files: post.files.clone(),
        attachments: Vec::new(),
        key: post.key.clone(),
        deadline: post.deadline,
        send_at: post.send_at,
    }
}
