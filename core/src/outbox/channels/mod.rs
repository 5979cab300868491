//! One file per route. None of them knows of another.

mod mail;
mod teams;
mod workflow;

pub use mail::{Forward, Mail, Reply};
pub use teams::{ChannelPost, Chat, Posted};
pub use workflow::Workflow;

/// What channels remember for as long as the process lives.
#[derive(Debug, Default)]
pub struct Memory {
    chats: teams::Chats,
    posts: workflow::Posts,
}
