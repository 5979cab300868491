//! Everything that arrives by asking.
//!
//! A sync lists the folders, then walks each chosen folder's delta: fetch a page, [`plan`] it against what is here, seal, and store changes and cursor
//! in one transaction. While a long folder is walked for the first time, its newest messages are listed beside it ([`listing`]), so that they show at once. That Graph says "removed" is only a question, since a move looks the same; [`removal`] proves it by the immutable id before
//! anything is dropped. Lost delta state is repaired by a new enumeration of the folder and the same question for whatever the enumeration did not show.
//! What is attached is listed once the pages are stored ([`attachments`]): before the sync ends where it is little, after it where it is much.
//! One sync per account runs at a time, over all processes: a lease with a fence that every write carries.

mod addresses;
mod answers;
mod attachment_cache;
mod attachments;
mod backfill;
mod body;
mod quarantined;
mod clean;
mod counts;
mod files_known;
mod edits;
mod first_pages;
mod folder;
mod folders;
mod inline;
mod links;
mod listing;
mod mailbox_search;
mod named;
mod page;
mod page_size;
mod plan;
pub mod polling;
mod read;
mod record;
mod removal;
mod round;
mod rules;
mod run;
mod search;
mod seeding;
mod shown_body;
mod split_html;
mod split_text;
mod tally;
mod threads;
mod turn;
mod html_limits;
mod html_open;

pub use clean::{Pictures, html as clean_html, text as clean_text};
pub use attachment_cache::{AttachmentCache, Filling, Hit, listed_in};
pub use backfill::Backfills;
pub use edits::{Change as MessageChange, Edits};
pub use rules::check_rule;
pub use read::{Reader, check_limit};
pub use run::Sync;
pub use shown_body::Images;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
#[cfg(test)]
mod tests;
