//! A message that was posted is changed or deleted where it is. Source: Graph, chatMessage: update, and chatMessage: softDelete.

use super::chat::ChatProgress;
use super::content::{self, Parts, Reference, parts};
use super::post::PostProgress;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, OutgoingPost, PostPlace};
use crate::model::{RouteDraft, Mention, SendRoute};
use crate::outbox::job::{Tools, read_progress};
use crate::store::ItemRow;

/// A posted message, by what is known of its send.
pub enum PostedByPerson {
    Chat(ChatProgress),
    Channel(PostProgress),
}

impl PostedByPerson {
    /// None: it is of another route.
    pub async fn of(tools: &Tools, item: &ItemRow) -> Result<Option<Self>> {
        Ok(match item.route {
            SendRoute::Chat => Some(Self::Chat(read_progress::<ChatProgress>(&tools.vault, item).await?.own)),
            SendRoute::ChannelPost => Some(Self::Channel(read_progress::<PostProgress>(&tools.vault, item).await?.own)),
            _ => None,
        })
    }

    /// Where it is, and its id there.
    fn place(&self) -> Result<(PostPlace<'_>, &str)> {
        let found = match self {
            Self::Chat(ChatProgress { chat_id: Some(chat), graph_id: Some(id), .. }) => Some((PostPlace::Chat(chat), id.as_str())),
            Self::Channel(PostProgress { place: Some(place), graph_id: Some(id), .. }) => Some((place.place(), id.as_str())),
            _ => None,
        };
        found.ok_or_else(|| Error::new(ErrorKind::Conflict, "It is not known where the message is."))
    }

    /// The permission without which Microsoft changes nothing there.
    pub fn scope(&self) -> &'static str {
        match self {
            Self::Chat(_) => "Chat.ReadWrite",
            Self::Channel(_) => "ChannelMessage.ReadWrite",
        }
    }

    /// The files stay as they were posted: the draft names them as the first one did.
    fn placed(&self, said: &Parts<'_>) -> Result<Vec<Reference>> {
        let files = match self {
            Self::Chat(own) => &own.files,
            Self::Channel(own) => &own.files,
        };
        if said.attachments.iter().any(content::is_picture) {
            return Err(Error::invalid("The pictures in the text of a message are not changed once it was sent. Leave the attachments with a content_id out, and their images with them."));
        }
        let placed = files.references();
        if placed.len() != said.attachments.len() {
            return Err(Error::invalid("The files of a message stay as they were posted. Pass as many attachments as the draft had that was sent; their content is not looked at."));
        }
        Ok(placed)
    }

    pub async fn change(&self, tools: &Tools, caller: &Caller, draft: &RouteDraft) -> Result<()> {
        let (place, id) = self.place()?;
        let channel = if let PostPlace::Channel { team, channel, .. } = place { Some((team, channel)) } else { None };
        let (subject, said, mentions): (Option<String>, Parts<'_>, &[Mention]) = match draft {
            RouteDraft::Chat { chat } => (None, parts!(chat), &chat.mentions),
            RouteDraft::ChannelPost { channel_post: post } => (post.subject.clone(), parts!(post), &post.mentions),
            _ => return Err(Error::internal("A message of Teams is changed by another draft.")),
        };
        let mentioned = content::look_up(&tools.graph, caller, mentions, channel).await?;
        let post = OutgoingPost { subject, ..content::compose(&said, &mentioned, &self.placed(&said)?)? };
        tools.graph.change_message(caller, place, id, &post).await
    }

    pub async fn delete(&self, tools: &Tools, caller: &Caller) -> Result<()> {
        let (place, id) = self.place()?;
        tools.graph.delete_message(caller, place, id).await
    }
}
