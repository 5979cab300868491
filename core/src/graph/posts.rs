//! Messages in chats and channels. Source: Graph, chatMessage: send, and chatMessage: post replies.

use super::wire::{self, ItemBody};
use super::{Caller, Graph, fault, segment, told};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::model::{BodyType, ChatImportance};
use crate::pipeline::{Safety, error_code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

/// Where a message goes.
#[derive(Clone, Copy)]
pub enum PostPlace<'a> {
    Chat(&'a str),
    Channel { team: &'a str, channel: &'a str, reply_to: Option<&'a str> },
}

impl PostPlace<'_> {
    fn path(&self) -> Result<String> {
        Ok(match self {
            Self::Chat(chat) => format!("chats/{}/messages", segment(chat)?),
            Self::Channel { team, channel, reply_to } => {
                let messages = format!("teams/{}/channels/{}/messages", segment(team)?, segment(channel)?);
                match reply_to {
                    Some(root) => format!("{messages}/{}/replies", segment(root)?),
                    None => messages,
                }
            }
        })
    }

    fn message(&self, id: &str) -> Result<String> {
        Ok(format!("{}/{}", self.path()?, segment(id)?))
    }

    /// Whether an answer speaks of this place, as far as it says where the message is.
    fn is_of(&self, posted: &Posted) -> bool {
        let is = |told: &Option<String>, wanted: &str| told.as_deref().is_none_or(|told| told == wanted);
        match self {
            Self::Chat(chat) => is(&posted.chat_id, chat),
            Self::Channel { channel, reply_to, .. } => {
                let place = posted.channel_identity.as_ref().and_then(|at| at.channel_id.clone());
                is(&place, channel) && (reply_to.is_none() || is(&posted.reply_to_id, reply_to.unwrap_or_default()))
            }
        }
    }
}

/// What is posted.
pub struct OutgoingPost {
    pub subject: Option<String>,
    pub body_type: BodyType,
    pub content: String,
    pub importance: ChatImportance,
    pub mentions: Vec<OutgoingMention>,
    pub attachments: Vec<OutgoingAttachment>,
    pub pictures: Vec<OutgoingPicture>,
}

/// In the content it stands as `../hostedContents/1/$value`, with its place in the list, from 1, as number.
pub struct OutgoingPicture {
    pub content_type: String,
    pub content: Vec<u8>,
}

/// In the content it stands as `<at id="…">`, with its place in the list as id.
pub struct OutgoingMention {
    pub text: String,
    pub target: Mentioned,
}

/// Whom or what a mention tells, as Microsoft knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentioned {
    pub kind: MentionedKind,
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionedKind {
    Person,
    Channel,
    Team,
    Tag,
}

/// In the content it stands as `<attachment id="…">`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingAttachment {
    pub id: String,
    pub content_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<&'static str>,
    body: ItemBody,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<WireMention<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attachments: &'a [OutgoingAttachment],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosted_contents: Vec<WirePicture<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WirePicture<'a> {
    #[serde(rename = "@microsoft.graph.temporaryId")]
    number: String,
    content_bytes: String,
    content_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMention<'a> {
    id: usize,
    mention_text: &'a str,
    mentioned: WireMentioned<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum WireMentioned<'a> {
    User(WireIdentity<'a>),
    Conversation(WireIdentity<'a>),
    Tag(WireIdentity<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireIdentity<'a> {
    id: &'a str,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_identity_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_identity_type: Option<&'static str>,
}

impl<'a> From<&'a Mentioned> for WireMentioned<'a> {
    fn from(target: &'a Mentioned) -> Self {
        let identity = WireIdentity { id: &target.id, display_name: &target.name, user_identity_type: None, conversation_identity_type: None };
        match target.kind {
            MentionedKind::Person => Self::User(WireIdentity { user_identity_type: Some("aadUser"), ..identity }),
            MentionedKind::Channel => Self::Conversation(WireIdentity { conversation_identity_type: Some("channel"), ..identity }),
            MentionedKind::Team => Self::Conversation(WireIdentity { conversation_identity_type: Some("team"), ..identity }),
            MentionedKind::Tag => Self::Tag(identity),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    chat_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    reply_to_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    channel_identity: Option<ChannelIdentity>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelIdentity {
    #[serde(default, deserialize_with = "lenient::scalar")]
    channel_id: Option<String>,
}

fn written(post: &OutgoingPost) -> Result<Vec<u8>> {
    let importance = match post.importance {
        ChatImportance::Normal => None,
        ChatImportance::High => Some("high"),
        ChatImportance::Urgent => Some("urgent"),
    };
    let mentions = post.mentions.iter().enumerate().map(|(id, one)| WireMention { id, mention_text: &one.text, mentioned: (&one.target).into() }).collect();
    let hosted_contents =
        (1..).zip(&post.pictures).map(|(number, one): (usize, _)| WirePicture { number: number.to_string(), content_bytes: STANDARD.encode(&one.content), content_type: &one.content_type }).collect();
    let wire = WireMessage { subject: post.subject.as_deref(), importance, body: ItemBody::new(post.body_type, &post.content), mentions, attachments: &post.attachments, hosted_contents };
    serde_json::to_vec(&wire).map_err(|_| Error::internal("A message could not be written."))
}

impl Graph {
    /// What the message says is replaced. Done twice, it is the same.
    pub async fn change_message(&self, caller: &Caller, place: PostPlace<'_>, id: &str, post: &OutgoingPost) -> Result<()> {
        let url = self.url(&place.message(id)?, &[])?;
        self.ask(self.write(caller, Method::PATCH, url, written(post)?, Safety::Repeatable)).await.map(drop)
    }

    /// The message shows that it was deleted. Done twice, it is the same. In a chat Microsoft does it below the person alone.
    pub async fn delete_message(&self, caller: &Caller, place: PostPlace<'_>, id: &str) -> Result<()> {
        let path = match place {
            PostPlace::Chat(_) => format!("me/{}", place.message(id)?),
            PostPlace::Channel { .. } => place.message(id)?,
        };
        let url = self.url(&format!("{path}/softDelete"), &[])?;
        self.ask(self.write(caller, Method::POST, url, Vec::new(), Safety::Repeatable)).await.map(drop)
    }

    /// Posted when this returns; answers with its id. Teams has no key to recognise a repetition by, so this is never repeated in doubt.
    pub async fn post_message(&self, caller: &Caller, place: PostPlace<'_>, post: &OutgoingPost) -> Result<String> {
        let url = self.url(&place.path()?, &[])?;
        let mut request = self.write(caller, Method::POST, url, written(post)?, Safety::Once);
        // With pictures it may be as large as a request can be.
        request.is_batchable = post.pictures.is_empty();
        let response = self.pipeline.send(request).await?;
        let unclear = |words: &str| Error::new(ErrorKind::OutcomeUnknown, words.to_owned()).with_request_id(response.request_id());
        // Graph repeats towards Teams by itself, and Teams refuses the repetition of what it has already.
        if response.status == StatusCode::CONFLICT && !fault::is_contested(error_code(&response.body).to_compare()) {
            return Err(unclear("Teams says that it has this message already, or something like it."));
        }
        if !response.status.is_success() {
            return told(response, Some(caller.account_id.clone())).map(|_| String::new());
        }
        match wire::read::<Posted>(&response.body).ok().filter(|made| !response.repeats(&made.id) && place.is_of(made)) {
            Some(made) => Ok(made.id),
            None => Err(unclear("The message may have been posted, but Microsoft's answer does not show it.")),
        }
    }
}
