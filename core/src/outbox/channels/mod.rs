//! One file per route. None of them knows of another.

mod chat;
mod mail;
mod workflow;

pub use chat::Chat;
pub use mail::{Forward, Mail, Reply};
pub use workflow::Workflow;

/// What channels remember for as long as the process lives.
#[derive(Debug, Default)]
pub struct Memory {
    chats: chat::Chats,
    posts: workflow::Posts,
}
