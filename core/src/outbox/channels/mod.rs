//! One file per route. None of them knows of another.

mod mail;
mod teams;

pub use mail::{Forward, Mail, Reply};
pub use teams::{ChannelPost, Chat, Posted};

/// What channels remember for as long as the process lives.
#[derive(Debug, Default)]
pub struct Memory {
    chats: teams::Chats,
}
