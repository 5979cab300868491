//! Microsoft Graph: one function per operation. What it looks like on the wire stays in this module.

mod answers;
mod apps;
mod batch;
mod changes;
mod contacts;
mod content;
mod delta;
mod edits;
mod events;
mod folder_changes;
mod folders;
mod fault;
mod files;
mod list;
mod listing;
mod mail;
mod mail_headers;
mod mailbox;
mod paging;
mod places;
mod posts;
mod quoted;
mod raw;
mod reading;
mod rounds;
mod teams_messages;
mod search;
mod shared_mailbox;
mod subscriptions;
mod teams;
mod untold;
mod upload;
mod windows_zones;
mod wire;

pub use apps::{AppPlace, InstalledApp};
pub use changes::{Changes, ChangesAnswer};
pub use contacts::ContactItem;
pub use delta::{DeltaAnswer, DeltaFrom, DeltaItem, DeltaPage, MailFlag, MailItem};
#[cfg(test)]
pub use untold::Untold;
pub use untold::MessageProperty;
pub use edits::MailEdit;
pub use events::{EventItem, EventProof, GraphEvent};
pub use folder_changes::FolderChanges;
pub use rounds::Round;
pub use listing::{Listing, ListingOrder, ListingRange};
pub use folders::{FolderList, GraphFolder, WELL_KNOWN, WellKnownFolders};
pub use reading::{KeptBody, MailBody};
pub use content::{Content, ContentPlace, LONGEST_WHOLE};
pub use raw::{PageWalk, RawAnswer, RawCall};
pub use answers::{AnswerKind, OutgoingAnswer};
pub use teams_messages::{ChatState, GraphTeamsMessage, TeamsMessageItem, TeamsMessageList};
pub use files::{ChatReader, DriveFile, FileFolder};
pub use posts::{Mentioned, MentionedKind, OutgoingAttachment, OutgoingMention, OutgoingPicture, OutgoingPost, PostPlace};
pub use teams::{Person, pair_of_chat};
pub use subscriptions::{MadeSubscription, NewSubscription, RenewedSubscription};
pub use upload::{Arrived, NewUpload, RANGE, SMALLEST_RANGE, Upload, UploadOf, UploadUrl};
pub use mail_headers::{HeadersAnswer, MailHeaders};
pub use mail::{Attached, is_about_one, MadeDraft, MessageState, OutgoingMail, Verified};

use crate::config::Endpoints;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Meters;
use crate::pipeline::{Pipeline, Priority, Purpose, Request, Response, Safety};
use crate::store::AccountRow;
use http::{HeaderName, HeaderValue, Method};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

const JSON: &str = "application/json";
/// Ids that stay the same when a message is moved; to be said on every single request.
const IMMUTABLE: &str = "IdType=\"ImmutableId\"";

#[derive(Clone)]
pub struct Graph {
    pipeline: Arc<Pipeline>,
    root: Url,
    endpoints: Endpoints,
}

/// Whose token a request uses, and how patient it is.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account_id: String,
    /// Whose mailbox it is about, by object id or address: one that no account is for yet. None: the account's, which is the person's own or a shared one.
    pub mailbox: Option<String>,
    /// Object id of that person or mailbox, by which Graph may name it in its links; empty: unknown.
    pub user_id: String,
    pub priority: Priority,
    /// How long one request may pause in all: Retry-After and back-off.
    pub max_wait: Duration,
}

impl Caller {
    /// Asks for the account's mailbox.
    pub fn new(account_id: impl Into<String>, priority: Priority, max_wait: Duration) -> Self {
        Self { account_id: account_id.into(), mailbox: None, user_id: String::new(), priority, max_wait }
    }

    /// Asks for the mailbox of an account that is connected.
    pub fn of(account: &AccountRow, priority: Priority, max_wait: Duration) -> Self {
        Self { user_id: account.user_id.clone(), ..Self::new(&account.id, priority, max_wait) }
    }
}

/// Where a mailbox lies: `me`, or `users/{id}`. Errors: InvalidInput, for a mailbox that cannot be part of an address.
fn place_of(mailbox: Option<&str>) -> Result<String> {
    match mailbox {
        None => Ok("me".to_owned()),
        Some(id) => Ok(format!("users/{}", segment(id)?)),
    }
}

impl Graph {
    pub fn new(pipeline: Arc<Pipeline>, endpoints: Endpoints) -> Self {
        Self { pipeline, root: endpoints.graph.clone(), endpoints }
    }

    pub fn meters(&self) -> &Meters {
        self.pipeline.meters()
    }

    /// What time it is at Microsoft.
    pub fn server_time(&self) -> SystemTime {
        self.pipeline.server_time()
    }

    /// Where the caller's mailbox lies. Nothing else decides it: whatever asks for a mailbox's mail begins its path with this.
    async fn place(&self, caller: &Caller) -> Result<String> {
        match &caller.mailbox {
            Some(id) => place_of(Some(id)),
            None => place_of(self.pipeline.shared_mailbox(&caller.account_id).await?.as_deref()),
        }
    }

    /// A path within the caller's mailbox: `me/messages`, `users/{id}/messages`. Errors: those of the account, when its mailbox is not known.
    async fn path(&self, caller: &Caller, within: &str) -> Result<String> {
        Ok(format!("{}/{within}", self.place(caller).await?))
    }

    /// An address below Graph's root. `path` is made of literals and [`segment`]s.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url> {
        let mut text = format!("{}{path}", self.root);
        for (n, (name, value)) in query.iter().enumerate() {
            text.push_str(if n == 0 { "?" } else { "&" });
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value, b",$()/:'=-._~"));
        }
        Url::parse(&text).map_err(|_| Error::internal("A Graph address could not be made."))
    }

    fn get(&self, caller: &Caller, url: Url) -> Request {
        let mut request = Request::get(url, Purpose::Graph).header(PREFER, HeaderValue::from_static(IMMUTABLE));
        request.account_id = Some(caller.account_id.clone());
        request.priority = caller.priority;
        request.max_wait = caller.max_wait;
        request
    }

    fn write(&self, caller: &Caller, method: Method, url: Url, body: Vec<u8>, safety: Safety) -> Request {
        let mut request = self.get(caller, url).with_body(method, JSON, body);
        request.safety = safety;
        request
    }

    /// Sends, and takes everything but success as an error.
    async fn ask(&self, request: Request) -> Result<Response> {
        let account_id = request.account_id.clone();
        let response = self.pipeline.send(request).await?;
        told(response, account_id)
    }

    /// As [`ask`](Self::ask), but a thing that does not exist is an answer.
    async fn look(&self, request: Request) -> Result<Option<Response>> {
        match self.ask(request).await {
            Ok(response) => Ok(Some(response)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Success, or the error that the answer tells.
fn told(response: Response, account_id: Option<String>) -> Result<Response> {
    if response.status.is_success() {
        return Ok(response);
    }
    let error = fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id());
    Err(match account_id {
        Some(id) => error.on_account(id),
        None => error,
    })
}

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// An id as one path segment. Empty and dot segments would become another path.
fn segment(id: &str) -> Result<String> {
    if id.is_empty() || id == "." || id == ".." || id.len() > 4096 {
        return Err(Error::invalid("An id is empty or cannot be part of an address."));
    }
    Ok(encoded(id, b"-._~"))
}

fn encoded(text: &str, kept: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, b| {
        if b.is_ascii_alphanumeric() || kept.contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

/// A string literal of OData: quotes are doubled.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing_rounds;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod echo_tests;
