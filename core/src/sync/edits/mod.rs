//! What is changed of messages here and goes to the mailbox: read state, flag, categories, folder.
//!
//! A change is stored together with the message as it is to be, so that it shows at once ([`make`]); then it is delivered in the background
//! ([`deliver`]), and waits for that as sends do. Where the mailbox has another value meanwhile, the newest change counts ([`rule`]).

mod deliver;
mod make;
mod page;
mod rule;
mod send;
mod settle;
mod wish;

pub use deliver::Edits;
pub use make::Change;
pub use page::{Edited, of_page};
pub use rule::{Edit, Planned, reconcile};


#[cfg(test)]
mod tests;
