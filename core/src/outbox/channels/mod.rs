//! One file per route. None of them knows of another.

mod bot;
mod mail;
mod teams;
mod workflow;

pub use bot::{Bot, SentByBot};
pub use mail::{Forward, Mail, Reply};
pub use teams::{ChannelPost, Chat, PostedByPerson};
pub use workflow::Workflow;

/// What channels remember for as long as the process lives.
#[derive(Debug, Default)]
pub struct Memory {
    chats: teams::Chats,
    posts: workflow::Posts,
}
