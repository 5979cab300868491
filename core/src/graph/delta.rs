//! Pages of changes of one folder. What a page cannot say for sure is said so: a lost cursor, an item that cannot be read, an item that is only a part.

use super::reading::{KeepBody, MailBody, PageReader, ReadPage, read_page};
use super::wire::{self, ItemBody, Recipient};
use super::batch::{Item, MOST_ITEMS};
use super::mail::is_about_one;
use super::paging::followed;
use super::untold::{MessageProperty, Untold};
use super::{Caller, Graph, IMMUTABLE, PREFER, fault, segment};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::foreign::Proofs;
use crate::model::{Address, FlagStatus, Importance, rfc3339};
use crate::pipeline::{MAX_STREAMED, Response, Sink, error_code};
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::SystemTime;
use url::Url;

/// Properties of a message that are asked for, always all and by name.
pub(super) const MESSAGE: &str = "id,changeKey,parentFolderId,conversationId,internetMessageId,subject,bodyPreview,from,sender,toRecipients,ccRecipients,\
bccRecipients,replyTo,receivedDateTime,sentDateTime,lastModifiedDateTime,isRead,isDraft,flag,importance,categories,hasAttachments,webLink,body";

#[derive(Debug, Clone)]
pub enum DeltaFrom {
    Start { folder_id: String, page_size: u32 },
    /// A link of an earlier page, as it was stored.
    Link { folder_id: String, link: String, page_size: u32 },
}

#[derive(Debug)]
pub enum DeltaAnswer {
    Page(DeltaPage),
    /// The cursor is no longer known: the folder has to be enumerated anew, from `restart` if Microsoft named a place.
    Lost { restart: Option<String> },
    FolderGone,
}

#[derive(Debug)]
pub struct DeltaPage {
    pub items: Vec<DeltaItem>,
    pub link: String,
    /// The round is complete; `link` starts the next one.
    pub is_delta: bool,
    /// About as many bytes as its items take.
    pub held: usize,
}

#[derive(Debug, Clone)]
pub enum DeltaItem {
    Message(Box<MailItem>),
    /// It left this folder: deleted or moved, which Graph does not tell.
    Removed { id: String },
    Unreadable { id: Option<String>, raw: String, reason: String },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailItem {
    pub id: String,
    pub change_key: String,
    pub folder_id: String,
    pub conversation_id: String,
    pub internet_message_id: Option<String>,
    pub subject: String,
    pub preview: String,
    pub from: Option<Address>,
    pub sender: Option<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub received_at: Option<SystemTime>,
    pub sent_at: Option<SystemTime>,
    /// When anything of it was changed last, to the second; None: not told.
    pub modified_at: Option<SystemTime>,
    pub is_read: bool,
    pub is_draft: bool,
    pub flag: MailFlag,
    pub importance: Importance,
    pub categories: Vec<String>,
    pub has_attachments: bool,
    pub web_link: Option<String>,
    pub body: Option<MailBody>,
    /// Properties asked for are missing, so this is a change of a known message and not a whole one.
    pub is_partial: bool,
    /// What was not told, which is not "no" and not "none".
    pub untold: Untold,
}

/// A flag and the day it is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MailFlag {
    pub status: FlagStatus,
    pub due_at: Option<SystemTime>,
}

impl MailItem {
    /// An id that is stored in clear repeats what proves who we are.
    pub(super) fn repeats(&self, proofs: &Proofs) -> bool {
        [&self.id, &self.change_key, &self.folder_id, &self.conversation_id].into_iter().chain(&self.internet_message_id).any(|id| proofs.are_in(id))
    }
}

impl Graph {
    /// The page is read while it arrives; `keep` makes of each body what is kept of it.
    pub async fn delta_page(&self, caller: &Caller, from: DeltaFrom, keep: KeepBody) -> Result<DeltaAnswer> {
        let (folder_id, link, page_size) = match from {
            DeltaFrom::Start { folder_id, page_size } => (folder_id, None, page_size),
            DeltaFrom::Link { folder_id, link, page_size } => (folder_id, Some(link), page_size),
        };
        let first = self.url(&self.path(caller, &format!("mailFolders/{}/messages/delta", segment(&folder_id)?)).await?, &[("$select", MESSAGE)])?;
        let url = match &link {
            // A stored link is received data like a fresh one. One that leads nowhere any more, say because the cloud has another address now, is lost.
            Some(link) => match self.followed(caller, &first, link) {
                Ok(url) => url,
                Err(_) => return Ok(DeltaAnswer::Lost { restart: None }),
            },
            None => first.clone(),
        };
        // Headers are not part of a link; the ids of a page follow the header of its own request.
        let prefer = HeaderValue::from_str(&format!("{IMMUTABLE}, odata.maxpagesize={}", page_size.clamp(1, 1000))).map_err(|_| Error::internal("A header could not be made."))?;
        let mut request = self.get(caller, url).header(PREFER, prefer);
        // A page that is too much for the service fails however often it is asked for; a smaller one is the better next try.
        if page_size > 1 {
            request.attempts = 2;
            request.max_body = MAX_STREAMED;
        }
        let reader = Arc::new(PageReader::new(&folder_id, keep, request.max_body));
        request.sink = Some(Sink(reader.clone()));
        let response = self.pipeline.send(request).await?;
        if response.status.is_success() {
            let checked = reader.finish().and_then(|read| checked(read, &folder_id, link.as_deref(), &response.secrets.proofs(), |link| self.followed(caller, &first, link)));
            return checked.map(DeltaAnswer::Page).map_err(|e| e.with_request_id(response.request_id()).on_account(&caller.account_id));
        }
        if let Some(answer) = self.lost(caller, &first, &response) {
            return Ok(answer);
        }
        Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id))
    }

    /// The next page of several folders by their stored links, up to `most` changes of each, in as few requests as there may be. What is missing in the
    /// answer is to be asked for by itself, as it always can. Errors are about the mailbox or the way there.
    pub async fn delta_pages(&self, caller: &Caller, folders: &[(String, String)], most: u32) -> Result<Vec<(String, DeltaPage)>> {
        let prefer = format!("{IMMUTABLE}, odata.maxpagesize={}", most.clamp(1, 1000));
        let mut pages = Vec::with_capacity(folders.len());
        for folders in folders.chunks(MOST_ITEMS) {
            let (mut asked, mut paths) = (Vec::new(), Vec::new());
            for (folder_id, link) in folders {
                let first = self.url(&self.path(caller, &format!("mailFolders/{}/messages/delta", segment(folder_id)?)).await?, &[("$select", MESSAGE)])?;
                let Ok(url) = self.followed(caller, &first, link) else { continue };
                let Some(path) = url.as_str().strip_prefix(self.root.as_str()) else { continue };
                paths.push(format!("/{path}"));
                asked.push((folder_id, link, first));
            }
            let items = match self.batch_once(caller, &paths, &prefer).await {
                Ok(items) => items,
                Err(error) if is_about_one(&error) => continue,
                Err(error) => return Err(error),
            };
            for ((folder_id, link, first), item) in asked.into_iter().zip(items) {
                let Some(Item::Found(text, proofs)) = item else { continue };
                if let Ok(page) = checked_page(&text, folder_id, Some(link), &proofs, |link| self.followed(caller, &first, link)) {
                    pages.push((folder_id.clone(), page));
                }
            }
        }
        Ok(pages)
    }

    fn followed(&self, caller: &Caller, first: &Url, link: &str) -> Result<Url> {
        followed(self.pipeline.hosts(), &self.root, caller, first, link)
    }

    /// What a refusal means for the cursor; None: nothing, it is an ordinary error.
    fn lost(&self, caller: &Caller, first: &Url, response: &Response) -> Option<DeltaAnswer> {
        let code = error_code(&response.body);
        match response.status.as_u16() {
            _ if is_forgotten(response) => {}
            404 if code.is_one_of(&["erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound", "resourcenotfound", "itemnotfound"]) => return Some(DeltaAnswer::FolderGone),
            _ => return None,
        }
        // A place outside of this folder is not followed; the folder's own address does as well.
        let restart = response.header("location").filter(|place| self.followed(caller, first, place).is_ok() && !response.repeats(place)).map(str::to_owned);
        Some(DeltaAnswer::Lost { restart })
    }
}

/// As [`checked`], of a page that is here as a whole.
pub(super) fn checked_page(text: &str, folder_id: &str, from: Option<&str>, proofs: &Proofs, followed: impl Fn(&str) -> Result<Url>) -> Result<DeltaPage> {
    checked(read_page(text, folder_id)?, folder_id, from, proofs, followed)
}

/// What a page says, once all of it is believed. `from`: the link it was asked for with; `followed` tells whether a link may be used for the next page.
fn checked(ReadPage { mut page, held }: ReadPage, folder_id: &str, from: Option<&str>, proofs: &Proofs, followed: impl Fn(&str) -> Result<Url>) -> Result<DeltaPage> {
    let (link, is_delta) = match (page.next_link.take(), page.delta_link.take()) {
        (Some(next), None) => (next, false),
        (None, Some(delta)) => (delta, true),
        _ => return Err(Error::new(ErrorKind::Upstream, "A page of changes says neither where it goes on nor that it is the last.")),
    };
    // The same cursor again after a complete round means that nothing happened; the same next page means that it would never end.
    if !is_delta && from == Some(link.as_str()) {
        return Err(Error::new(ErrorKind::Upstream, "A page of changes leads to itself, so the list would never end."));
    }
    followed(&link)?;
    if proofs.are_in(&link) {
        return Err(wire::repeating());
    }
    Ok(DeltaPage { items: checked_items(page.items()?, folder_id, proofs)?, link, is_delta, held })
}

/// The items of a page of this folder, without what repeats a secret.
pub(super) fn checked_items(items: Vec<DeltaItem>, folder_id: &str, proofs: &Proofs) -> Result<Vec<DeltaItem>> {
    if is_of_another_folder(&items, folder_id) {
        return Err(Error::new(ErrorKind::Upstream, "A page of messages belongs to another folder; nothing of it was kept. Try again later."));
    }
    Ok(items.into_iter().map(|item| if repeats(&item, proofs) { hidden() } else { item }).collect())
}

/// The place in a list of changes is not known any more.
pub(super) fn is_forgotten(response: &Response) -> bool {
    let by_code = || error_code(&response.body).is_one_of(&["syncstatenotfound", "resyncrequired", "syncstateinvalid", "invalidsyncstatedata"]);
    match response.status.as_u16() {
        410 => true,
        400 | 404 => by_code(),
        _ => false,
    }
}

/// Every message says that it lies elsewhere. One that does may have been moved in this moment.
fn is_of_another_folder(items: &[DeltaItem], folder_id: &str) -> bool {
    let mut messages = items.iter().filter_map(|item| match item {
        DeltaItem::Message(message) => Some(&message.folder_id),
        _ => None,
    });
    // A folder may have been asked for by a name.
    let is_name = folder_id.len() < 20;
    let Some(first) = messages.next().filter(|_| !is_name) else { return false };
    first != folder_id && messages.clone().count() > 0 && messages.all(|other| other == first)
}

/// It may not be stored.
pub(super) fn repeats(item: &DeltaItem, proofs: &Proofs) -> bool {
    match item {
        DeltaItem::Message(message) => message.repeats(proofs),
        DeltaItem::Removed { id } => proofs.are_in(id),
        DeltaItem::Unreadable { id, .. } => id.as_ref().is_some_and(|id| proofs.are_in(id)),
    }
}

fn hidden() -> DeltaItem {
    DeltaItem::Unreadable { id: None, raw: String::new(), reason: "its ids repeat a secret".to_owned() }
}

/// `id` apart, nothing here has to be there or of the documented form: a mail is worth having with what can be read of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage {
    id: String,
    #[serde(rename = "@removed", default)]
    removed: Option<serde::de::IgnoredAny>,
    #[serde(rename = "@odata.etag", default, deserialize_with = "lenient::scalar")]
    etag: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    change_key: Option<String>,
    #[serde(default, deserialize_with = "lenient::present")]
    parent_folder_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present")]
    conversation_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present")]
    internet_message_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present")]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present")]
    body_preview: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present_object")]
    from: Option<Option<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_object")]
    sender: Option<Option<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    to_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    cc_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    bcc_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    reply_to: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    received_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    sent_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_modified_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::present")]
    is_read: Option<Option<bool>>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_draft: Option<bool>,
    #[serde(default, deserialize_with = "lenient::object")]
    flag: Option<Flag>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    importance: Option<String>,
    #[serde(default, deserialize_with = "lenient::present_scalars")]
    categories: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    has_attachments: Option<bool>,
    #[serde(default, deserialize_with = "lenient::present")]
    web_link: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::present_object")]
    body: Option<Option<ItemBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flag {
    #[serde(default, deserialize_with = "lenient::scalar")]
    flag_status: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    due_date_time: Option<Day>,
}

/// In UTC, unless another zone was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    #[serde(default, deserialize_with = "lenient::scalar")]
    date_time: Option<String>,
}

impl Flag {
    /// None: it says nothing.
    fn read(self) -> Option<MailFlag> {
        let status = match self.flag_status?.to_ascii_lowercase().as_str() {
            "flagged" => FlagStatus::Flagged,
            "complete" => FlagStatus::Complete,
            _ => FlagStatus::NotFlagged,
        };
        // Without a zone in the text.
        let due = self.due_date_time.and_then(|day| day.date_time).and_then(|text| time(format!("{}Z", text.trim_end_matches(['Z', 'z']))));
        Some(MailFlag { status, due_at: due.filter(|_| status == FlagStatus::Flagged) })
    }
}

/// What is read of every item first, however bad the rest is.
#[derive(Deserialize)]
struct Marks {
    /// A number is no id: it would be another one in an address.
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "@removed", default)]
    removed: Option<serde::de::IgnoredAny>,
}

/// An item of a page. None: it is no JSON. Almost always it is what it should be, and is read in one pass.
pub(super) fn read_item(text: &str, folder_id: &str) -> Option<DeltaItem> {
    match serde_json::from_str::<WireMessage>(text) {
        Ok(wire) if wire::is_id(&wire.id) => Some(item_of(wire, folder_id)),
        _ => serde_json::from_str::<&RawValue>(text).ok().map(|raw| item(raw, folder_id)),
    }
}

fn item(raw: &RawValue, folder_id: &str) -> DeltaItem {
    let marks = wire::item::<Marks>(raw.get());
    let Some((id, removed)) = marks.and_then(|marks| Some((marks.id.filter(|id| wire::is_id(id))?, marks.removed))) else {
        return DeltaItem::Unreadable { id: None, raw: raw.get().to_owned(), reason: "it has no usable id".to_owned() };
    };
    // Nothing else of what left has to be readable.
    if removed.is_some() {
        return DeltaItem::Removed { id };
    }
    match wire::item(raw.get()) {
        Some(wire) => item_of(wire, folder_id),
        None => DeltaItem::Unreadable { id: Some(id), raw: raw.get().to_owned(), reason: "it cannot be read".to_owned() },
    }
}

fn item_of(wire: WireMessage, folder_id: &str) -> DeltaItem {
    // Graph's reason says `deleted` of a move as well, so it is not read.
    if wire.removed.is_some() {
        return DeltaItem::Removed { id: wire.id };
    }
    DeltaItem::Message(Box::new(message(wire, folder_id)))
}

/// A message as the rest of the engine sees it.
pub(super) fn read_message(body: &[u8], folder_id: &str) -> Result<MailItem> {
    let text = json::text(body);
    if json::too_deep(text.as_bytes()) {
        return Err(wire::unreadable());
    }
    wire::item(&text).map(|wire| message(wire, folder_id)).ok_or_else(wire::unreadable)
}

/// The year 9999, which stands for "never", and where calendars of some languages end.
const LAST_TIME_MS: i64 = 253_370_764_800_000;

fn message(wire: WireMessage, folder_id: &str) -> MailItem {
    let is_partial = wire.parent_folder_id.is_none() || wire.subject.is_none() || wire.to_recipients.is_none() || wire.is_read.is_none() || wire.body.is_none();
    let mut untold = Untold::default();
    let addresses = |list: Vec<Recipient>| list.into_iter().filter_map(Recipient::address).collect::<Vec<Address>>();
    let flag = wire.flag.and_then(Flag::read);
    let parent = wire.parent_folder_id.flatten().filter(|id| wire::is_id(id));
    MailItem {
        id: wire.id,
        change_key: wire.change_key.or_else(|| wire.etag.as_deref().and_then(change_key)).unwrap_or_default(),
        folder_id: parent.unwrap_or_else(|| folder_id.to_owned()),
        conversation_id: untold.take(MessageProperty::Conversation, wire.conversation_id).unwrap_or_default(),
        internet_message_id: untold.take(MessageProperty::InternetMessageId, wire.internet_message_id),
        subject: wire.subject.flatten().unwrap_or_default(),
        preview: untold.take(MessageProperty::Preview, wire.body_preview).unwrap_or_default(),
        from: untold.take(MessageProperty::From, wire.from).and_then(Recipient::address),
        sender: untold.take(MessageProperty::Sender, wire.sender).and_then(Recipient::address),
        to: addresses(wire.to_recipients.unwrap_or_default()),
        cc: addresses(untold.take(MessageProperty::Cc, wire.cc_recipients)),
        bcc: addresses(untold.take(MessageProperty::Bcc, wire.bcc_recipients)),
        reply_to: addresses(untold.take(MessageProperty::ReplyTo, wire.reply_to)),
        received_at: untold.take(MessageProperty::Received, wire.received_date_time.map(time)),
        sent_at: untold.take(MessageProperty::Sent, wire.sent_date_time.map(time)),
        modified_at: wire.last_modified_date_time.and_then(time),
        is_read: untold.take(MessageProperty::Read, wire.is_read.flatten()),
        is_draft: untold.take(MessageProperty::Draft, wire.is_draft),
        flag: untold.take(MessageProperty::Flag, flag),
        importance: untold.take(MessageProperty::Importance, wire.importance.as_deref().map(wire::importance)),
        categories: untold.take(MessageProperty::Categories, wire.categories),
        has_attachments: untold.take(MessageProperty::Attachments, wire.has_attachments),
        web_link: untold.take(MessageProperty::WebLink, wire.web_link),
        body: wire.body.flatten().map(|body| MailBody::Whole(body.kind(), body.content.unwrap_or_default())),
        is_partial,
        untold,
    }
}

/// A time that is none (year 1 for "no time", year 9999 for "never", no zone) is no reason to hide a mail.
fn time(text: String) -> Option<SystemTime> {
    rfc3339::from_text(&text).filter(|at| (0..LAST_TIME_MS).contains(&to_ms(*at)))
}

/// `CQAAABYAAA` of `W/"CQAAABYAAA"`.
pub(super) fn change_key(etag: &str) -> Option<String> {
    etag.strip_prefix("W/").unwrap_or(etag).strip_prefix('"')?.strip_suffix('"').filter(|key| !key.is_empty()).map(str::to_owned)
}
