//! Everything that leaves as a message.
//!
//! A draft is checked, sealed and stored before `enqueue` answers. From then on it belongs to the delivery loop: *claim* it (lease, fence,
//! attempt counted), *prepare* what the request needs, write that and *dispatching*, only then make the request, *settle*. A process
//! killed anywhere in between leaves a row that says how far it came, and the next one takes it up from there ([`item`] has the table).
//! A request that may have had its effect is never repeated blindly: mail is looked up by the id of its draft, chat stays unknown. A claim that
//! had no effect is given back uncounted, and waits for as long as it takes.

mod attempt;
mod channel;
mod check;
mod content;
mod deliver;
mod item;
mod mail;
mod payload;
mod receipt;
mod reconcile;
mod settle;
mod submit;
mod teams;
mod tidy;
mod waiters;

pub use check::{check_draft, check_drafts, of_draft};
pub use deliver::Outbox;
pub use submit::DISCONNECTED;

#[cfg(test)]
mod tests;
