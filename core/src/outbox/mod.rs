//! Everything that leaves as a message.
//!
//! A draft is filled, checked, signed, sealed and stored before `enqueue` answers. From then on it belongs to the delivery loop: *claim* it (lease, fence,
//! attempt counted), *prepare* what the request needs, write that and *dispatching*, only then make the request, *settle*. A process
//! killed anywhere in between leaves a row that says how far it came, and the next one takes it up from there ([`item`] has the table).
//! A request that may have had its effect is never repeated blindly: mail is looked up by the id of its draft, chat stays unknown. A claim that
//! had no effect is given back uncounted, and waits for as long as it takes.
//!
//! What depends on the route is behind one trait, [`Channel`](channel::Channel): the loop claims, stores and settles without knowing how a message leaves.

mod attached;
mod attempt;
mod channel;
mod channels;
mod check;
mod content;
mod deliver;
mod due;
mod edit;
mod capacity;
mod fill;
mod item;
mod job;
mod last_sender;
mod own_words;
mod payload;
mod receipt;
mod sent;
mod settle;
mod signature;
mod staged;
mod staging;
mod submit;
mod tidy;
mod upload;
mod waiters;
mod whole;

pub use channel::{DISCONNECTED, REMOVED, Sender, scopes_for, sender_for, sender_of};
pub use attached::check_file;
pub use sent::Posted;
pub use check::{address as check_address, check_draft, check_drafts, id as check_id, is_key, of_draft, recipient as check_recipient};
pub use deliver::Outbox;
pub use fill::{fill, fill_all};
pub use staged::has_staged;
pub use staging::Staging;
pub use upload::IN_SESSION;

#[cfg(test)]
mod tests;
