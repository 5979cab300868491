//! What leaves by Teams in a person's name: messages in chats, and in channels.

mod chat;
mod content;
mod files;
mod post;
mod sent;

pub use chat::{Chat, Chats};
pub use content::{check_file as check_link, check_mentions};
pub use post::ChannelPost;
pub use sent::PostedByPerson;

use crate::error::Error;
use crate::outbox::channel::{Channel, Finding, Outcome};
use crate::outbox::job::Job;

/// No key to look it up by, and the permissions asked for sending do not read: honest is `unknown`.
fn untold(what: &str, place: &str) -> Finding {
    Finding::Settled(Outcome::Unknown(format!("Microsoft did not confirm the {what}; it may have been delivered. Look into the {place} before sending it again.")))
}

fn refused<C: Channel>(job: &Job<C>, error: Error) -> Outcome {
    match job.progress.doubted {
        false => Outcome::Failed(error),
        true => Outcome::Unknown(format!("An earlier request may have delivered it; the last one was refused. {}", error.reason())),
    }
}
