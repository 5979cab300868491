//! One file per route. None of them knows of another.

mod chat;
mod mail;

pub use chat::Chat;
pub use mail::{Forward, Mail, Reply, check_file};

/// What channels remember for as long as the process lives.
#[derive(Debug, Default)]
pub struct Memory {
    chats: chat::Chats,
}
