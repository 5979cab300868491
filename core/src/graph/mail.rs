//! Messages, attachments, drafts.

use super::delta::{MESSAGE, MailItem, change_key, read_message};
use super::wire::{self, ItemBody, Page, Recipient};
use super::batch::Item;
use super::paging::Pages;
use super::{Caller, Graph, fault, literal, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::model::{Address, AttachmentInfo, AttachmentKind, FileAttachment, MailDraft, MailHeader};
use crate::pipeline::Safety;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, IF_MATCH};
use http::{Method, StatusCode};
use std::time::Duration;
use serde_json::value::RawValue;
use serde::{Deserialize, Serialize};
use url::Url;

/// What is asked of an attachment: never its content.
pub(super) const ATTACHMENT: &str = "id,name,contentType,size,isInline";
const STATE: &str = "id,isDraft,changeKey,conversationId";
/// A private property on every draft made here, by which it is found again when its id was never learnt.
pub(super) const MARK: &str = "String {6b1f0f0a-5c0c-4b0e-9c52-7a1d3f5e8b24} Name TidingsMark";
/// Longer than any server makes them.
const LONGEST_MESSAGE_ID: usize = 2048;

/// What became of a message that left a folder.
#[derive(Debug)]
pub enum Verified {
    Gone,
    /// It exists, as a delta would show it.
    There(Box<MailItem>),
    /// The mailbox does not tell, now or ever; the others were told.
    Unclear(Error),
}

/// What is attached to a message.
#[derive(Debug)]
pub enum Attached {
    Listed(Vec<AttachmentInfo>),
    /// It cannot be told, and asking again brings nothing.
    Untold,
    /// It cannot be told now.
    Failed(Error),
}

#[derive(Debug, Clone, Copy)]
pub struct OutgoingMail<'a> {
    pub draft: &'a MailDraft,
    pub internet_message_id: &'a str,
    pub mark: &'a str,
}

/// A draft that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeDraft {
    pub id: String,
    /// As the mailbox has it: ours, or the one that the server gave it.
    pub internet_message_id: String,
    pub conversation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMade {
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_draft: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    internet_message_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    to_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    cc_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    bcc_recipients: Option<Vec<Recipient>>,
}

/// An id that can be stored.
fn told(id: Option<String>) -> Option<String> {
    id.filter(|id| wire::is_id(id))
}

impl WireMade {
    /// None: it does not show the draft of this mail.
    fn of(self, mail: &OutgoingMail<'_>) -> Option<MadeDraft> {
        let internet_message_id = self.internet_message_id.filter(|id| id.is_empty() || is_message_id(id))?;
        if self.id.is_empty() || self.is_draft != Some(true) {
            return None;
        }
        let draft = mail.draft;
        let is_for = |shown: &Option<Vec<Recipient>>, to: &[Address]| is_for(shown.as_deref().unwrap_or_default(), to);
        let is_this = internet_message_id == mail.internet_message_id
            || (!internet_message_id.is_empty()
                && self.subject.as_deref() == Some(draft.subject.as_str())
                && is_for(&self.to_recipients, &draft.to)
                && is_for(&self.cc_recipients, &draft.cc)
                && is_for(&self.bcc_recipients, &draft.bcc));
        is_this.then_some(MadeDraft { id: self.id, internet_message_id, conversation_id: told(self.conversation_id) })
    }
}

/// A message of ours as the mailbox has it. An answer that leaves out what decides (whether it is a draft) is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    pub id: String,
    pub is_draft: bool,
    pub change_key: Option<String>,
    /// None: the property was not shown.
    pub mark: Option<String>,
    pub conversation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireState {
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_draft: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    change_key: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    single_value_extended_properties: Option<Vec<WireProperty>>,
}

#[derive(Deserialize)]
struct WireProperty {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    value: Option<String>,
}

impl WireState {
    fn read(self) -> Option<MessageState> {
        let is_mark = |p: &WireProperty| p.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(MARK));
        let mark = self.single_value_extended_properties.into_iter().flatten().find(is_mark).and_then(|p| p.value);
        Some(MessageState { id: self.id.filter(|id| !id.is_empty())?, is_draft: self.is_draft?, change_key: self.change_key.filter(|key| !key.is_empty()), mark, conversation_id: told(self.conversation_id) })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDraft<'a> {
    subject: &'a str,
    body: ItemBody,
    importance: &'static str,
    internet_message_id: &'a str,
    /// `sender` is for the service to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Recipient>,
    to_recipients: Vec<Recipient>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc_recipients: Vec<Recipient>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bcc_recipients: Vec<Recipient>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply_to: Vec<Recipient>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_read_receipt_requested: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_delivery_receipt_requested: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    internet_message_headers: &'a [MailHeader],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<WireFile<'a>>,
    single_value_extended_properties: [Property<'a>; 1],
}

#[derive(Serialize)]
pub(super) struct Property<'a> {
    pub id: &'static str,
    pub value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireFile<'a> {
    #[serde(rename = "@odata.type")]
    kind: &'static str,
    name: &'a str,
    content_type: &'a str,
    content_bytes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_inline: bool,
}

impl<'a> From<&'a FileAttachment> for WireFile<'a> {
    fn from(file: &'a FileAttachment) -> Self {
        Self {
            kind: "#microsoft.graph.fileAttachment",
            name: &file.name,
            content_type: &file.content_type,
            content_bytes: STANDARD.encode(&file.content),
            content_id: file.content_id.as_deref(),
            is_inline: file.content_id.is_some(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireAttachment {
    #[serde(rename = "@odata.type", default, deserialize_with = "lenient::scalar")]
    kind: Option<String>,
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_inline: Option<bool>,
}

impl From<WireAttachment> for AttachmentInfo {
    fn from(w: WireAttachment) -> Self {
        Self {
            id: w.id,
            name: w.name.unwrap_or_default(),
            content_type: w.content_type.unwrap_or_default(),
            size: u32::try_from(w.size.unwrap_or(0).max(0)).unwrap_or(u32::MAX),
            is_inline: w.is_inline.unwrap_or_default(),
            kind: kind_of(w.kind.as_deref().unwrap_or_default()),
        }
    }
}

fn kind_of(odata_type: &str) -> AttachmentKind {
    match odata_type.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "itemattachment" => AttachmentKind::Item,
        "referenceattachment" => AttachmentKind::Reference,
        _ => AttachmentKind::File,
    }
}

/// It says something of what was asked for, and nothing of the mailbox or the way there.
pub fn is_about_one(error: &Error) -> bool {
    use ErrorKind::{Conflict, Forbidden, InvalidInput, LimitExceeded, LinkRejected, NotFound, Upstream};
    matches!(error.kind(), Upstream | InvalidInput | Forbidden | NotFound | LimitExceeded | LinkRejected | Conflict)
}

pub(super) fn verified(id: &str, item: Item) -> Verified {
    let (body, proofs) = match item {
        Item::Found(body, proofs) => (body, proofs),
        Item::Absent => return Verified::Gone,
        Item::Failed(error) => return Verified::Unclear(error),
    };
    match read_message(body.as_bytes(), "") {
        Ok(message) if message.repeats(&proofs) => Verified::Unclear(wire::repeating()),
        // What does not say where it is, or is another one, proves nothing.
        Ok(message) if message.id == id && !message.folder_id.is_empty() => Verified::There(Box::new(message)),
        Ok(_) => Verified::Unclear(Error::new(ErrorKind::Upstream, "Microsoft's answer about a message lacks its id or folder.")),
        Err(error) => Verified::Unclear(error),
    }
}

impl Graph {
    /// What is attached to these messages, in their order. What is wrong with one of them is told of that one.
    pub async fn attachments(&self, caller: &Caller, ids: &[String]) -> Result<Vec<(String, Attached)>> {
        let place = self.place(caller).await?;
        let path = |id: &String| Ok(format!("{place}/messages/{}/attachments?$select={ATTACHMENT}", segment(id)?));
        let paths = ids.iter().map(path).collect::<Result<Vec<_>>>()?;
        let found = self.batch_get(caller, &paths.iter().map(|path| format!("/{path}")).collect::<Vec<_>>(), fault::is_lasting).await?;
        let mut all = Vec::with_capacity(ids.len());
        for ((id, path), item) in ids.iter().zip(&paths).zip(found) {
            let attached = match item {
                Item::Found(body, proofs) if proofs.are_in(&body) => Attached::Failed(wire::repeating()),
                Item::Found(body, _) => self.whole_list(caller, path, &body).await?,
                Item::Absent => Attached::Untold,
                Item::Failed(error) => Attached::Failed(error),
            };
            all.push((id.clone(), attached));
        }
        Ok(all)
    }

    /// The first page came in a batch; the others, of which there are hardly ever any, are asked for one by one.
    async fn whole_list(&self, caller: &Caller, path: &str, body: &str) -> Result<Attached> {
        let mut page: Page<&RawValue> = match wire::of_text(body) {
            Ok(page) => page,
            Err(error) => return Ok(Attached::Failed(error)),
        };
        let files = match page.items() {
            Ok(files) => files,
            Err(error) => return Ok(Attached::Failed(error)),
        };
        let mut list: Vec<AttachmentInfo> = files.iter().filter_map(|raw| wire::item::<WireAttachment>(raw.get())).map(AttachmentInfo::from).collect();
        let Some(link) = &page.next_link else { return Ok(Attached::Listed(list)) };
        let first = Url::parse(&format!("{}{path}", self.root)).map_err(|_| Error::internal("A Graph address could not be made."))?;
        let mut pages = Pages::of(first);
        let rest = match pages.next(self.pipeline.hosts(), &self.root, caller, link) {
            Ok(next) => self.list_on::<WireAttachment>(caller, next, pages, usize::MAX, false).await,
            Err(error) => Err(error),
        };
        match rest {
            Ok(rest) => {
                list.extend(rest.into_iter().flat_map(|rest| rest.items).map(AttachmentInfo::from));
                Ok(Attached::Listed(list))
            }
            Err(error) if is_about_one(&error) => Ok(Attached::Failed(error)),
            Err(error) => Err(error),
        }
    }

    /// Whether these messages still exist and, if so, all of them: a delta's "removed" does not tell a deletion from a move, and its change of a known
    /// message may hold nothing but the change. What is wrong with one of them is told of that one.
    pub async fn verify(&self, caller: &Caller, ids: &[String]) -> Result<Vec<(String, Verified)>> {
        let place = self.place(caller).await?;
        let path = |id: &String| Ok(format!("/{place}/messages/{}?$select={MESSAGE}", segment(id)?));
        let paths = ids.iter().map(path).collect::<Result<Vec<_>>>()?;
        let found = self.batch_get(caller, &paths, fault::is_item_gone).await?;
        Ok(ids.iter().zip(found).map(|(id, item)| (id.clone(), verified(id, item))).collect())
    }

    /// Answers the new change key if it stands for this change alone: nothing else was changed since `known`. A conflict passes: the item is read again
    /// and the change repeated, with growing pauses.
    pub async fn set_read(&self, caller: &Caller, id: &str, is_read: bool, known: &str) -> Result<Option<String>> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[])?;
        let body = serde_json::json!({ "isRead": is_read }).to_string().into_bytes();
        let request = self.write(caller, Method::PATCH, url, body, Safety::Repeatable);
        let mut pause = CONTESTED_PAUSE;
        // With the key that is known; then without one, since what is read elsewhere is read; then with the one it has by now, should one be required.
        for attempt in 0.. {
            let key = match attempt {
                0 => Some(known.to_owned()),
                n if n % 2 == 1 => None,
                _ => self.current_key(caller, id).await?,
            };
            let condition = key.as_deref().and_then(tag);
            // Somebody else's change may be in between; the next sync has to show it, so a key that would hide it is not learnt.
            let is_alone = condition.is_some() && key.as_deref() == Some(known);
            let request = match condition {
                Some(tag) => request.clone().header(IF_MATCH, tag),
                None => request.clone(),
            };
            match self.ask(request).await {
                Ok(response) if is_alone => {
                    let wire: WireKey = wire::read(&response.body).unwrap_or_default();
                    return Ok(wire.change_key.or_else(|| change_key(&wire.etag?)).filter(|key| !response.repeats(key)));
                }
                Ok(_) => return Ok(None),
                Err(e) if e.kind() != ErrorKind::Conflict || pause > CONTESTED_PAUSE * 16 => return Err(e),
                Err(_) if attempt == 0 => continue,
                Err(_) => {}
            }
            self.pipeline.clock().pause(pause).await;
            pause *= 2;
        }
        Err(Error::internal("A change was repeated without end."))
    }

    pub(super) async fn current_key(&self, caller: &Caller, id: &str) -> Result<Option<String>> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[("$select", "id,changeKey")])?;
        let wire: WireKey = wire::read(&self.ask(self.get(caller, url)).await?.body)?;
        Ok(wire.change_key.or_else(|| change_key(&wire.etag?)))
    }

    /// Without the attachments that are staged. Not sent yet, and not repeated in doubt: after `OutcomeUnknown`, [`find_by_mark`](Self::find_by_mark) tells whether it was made. An answer that does
    /// not show this very draft is doubt: what it names might be another one, and would be sent. It is this one by its Message-ID; a server that gives
    /// drafts Message-IDs of its own shows subject and recipients.
    pub async fn create_draft(&self, caller: &Caller, mail: &OutgoingMail<'_>) -> Result<MadeDraft> {
        let draft = mail.draft;
        let recipients = |list: &[Address]| list.iter().map(Recipient::from).collect::<Vec<_>>();
        let wire = WireDraft {
            subject: &draft.subject,
            body: ItemBody::new(draft.body_type, &draft.body),
            importance: wire::importance_name(draft.importance),
            internet_message_id: mail.internet_message_id,
            from: draft.from_address.as_ref().map(Recipient::from).or(self.usual_sender(caller).await?),
            to_recipients: recipients(&draft.to),
            cc_recipients: recipients(&draft.cc),
            bcc_recipients: recipients(&draft.bcc),
            reply_to: recipients(&draft.reply_to),
            is_read_receipt_requested: draft.read_receipt,
            is_delivery_receipt_requested: draft.delivery_receipt,
            internet_message_headers: &draft.headers,
            attachments: draft.attachments.iter().filter(|file| file.staged.is_none()).map(WireFile::from).collect(),
            single_value_extended_properties: [Property { id: MARK, value: mail.mark }],
        };
        let body = serde_json::to_vec(&wire).map_err(|_| Error::internal("A draft could not be written."))?;
        let mut request = self.write(caller, Method::POST, self.url(&self.path(caller, "messages").await?, &[])?, body, Safety::Once);
        request.is_batchable = true;
        let response = self.ask(request).await?;
        match wire::read::<WireMade>(&response.body).ok().and_then(|made| made.of(mail)).filter(|made| !response.repeats(&made.id)) {
            Some(made) => Ok(made),
            None => Err(Error::new(ErrorKind::OutcomeUnknown, "The draft may have been made, but Microsoft's answer does not show it.").with_request_id(response.request_id())),
        }
    }

    /// Accepted for delivery when this returns. Any success but 202 comes from somebody who is not Graph, and is doubt.
    pub async fn send_draft(&self, caller: &Caller, id: &str) -> Result<()> {
        let url = self.url(&self.path(caller, &format!("messages/{}/send", segment(id)?)).await?, &[])?;
        let mut request = self.write(caller, Method::POST, url, Vec::new(), Safety::Once).header(CONTENT_LENGTH, HeaderValue::from_static("0"));
        request.headers.remove(CONTENT_TYPE);
        request.is_batchable = true;
        let response = self.ask(request).await?;
        if response.status == StatusCode::ACCEPTED {
            return Ok(());
        }
        Err(Error::new(ErrorKind::OutcomeUnknown, "Microsoft's answer does not say that the mail was accepted.").with_request_id(response.request_id()))
    }

    /// None: the mailbox does not have it (yet). An answer about another message, or one that does not say whether it is a draft, is an error.
    pub async fn message_state(&self, caller: &Caller, id: &str) -> Result<Option<MessageState>> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[("$select", STATE), ("$expand", &shown_mark())])?;
        let mut request = self.get(caller, url);
        request.is_batchable = true;
        let Some(response) = self.look(request).await? else { return Ok(None) };
        let state = wire::read::<WireState>(&response.body)?.read().filter(|state| state.id == id);
        state.map(Some).ok_or_else(|| Error::new(ErrorKind::Upstream, "Microsoft's answer does not tell what became of the message. Try again later.").with_request_id(response.request_id()))
    }

    /// Drafts and sent copies that carry this mark. None is an answer only if all that came can be read.
    pub async fn find_by_mark(&self, caller: &Caller, mark: &str) -> Result<Vec<MessageState>> {
        let filter = format!("singleValueExtendedProperties/Any(ep: ep/id eq {} and ep/value eq {})", literal(MARK), literal(mark));
        let (mut found, mut is_clear) = (Vec::new(), true);
        // In this order: what leaves Drafts between the two looks is in Sent Items by then.
        for folder in ["drafts", "sentitems"] {
            let url = self.url(&self.path(caller, &format!("mailFolders/{folder}/messages")).await?, &[("$filter", &filter), ("$select", STATE), ("$expand", &shown_mark())])?;
            let Some(list) = self.list::<WireState>(caller, url).await? else { continue };
            is_clear &= list.unread == 0;
            for wire in list.items {
                match wire.read() {
                    Some(state) if state.mark.as_deref().is_some_and(|m| m.eq_ignore_ascii_case(mark)) => found.push(state),
                    Some(_) => {}
                    None => is_clear = false,
                }
            }
        }
        // What does not say what it is may be the one that is looked for.
        if found.is_empty() && !is_clear { Err(wire::unreadable()) } else { Ok(found) }
    }

    /// Removes a draft that is still as it was seen. A conflict: it is not, and stays.
    pub async fn delete_draft(&self, caller: &Caller, id: &str, change_key: &str) -> Result<()> {
        let condition = tag(change_key).ok_or_else(|| Error::internal("A draft to be removed has no change key."))?;
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[])?;
        let mut request = self.write(caller, Method::DELETE, url, Vec::new(), Safety::Repeatable).header(IF_MATCH, condition);
        request.headers.remove(CONTENT_TYPE);
        self.look(request).await.map(drop)
    }
}

/// Whether these are shown as the recipients.
pub(super) fn is_for(shown: &[Recipient], to: &[Address]) -> bool {
    let shown: Vec<&str> = shown.iter().filter_map(|one| one.email_address.as_ref()?.address.as_deref()).collect();
    shown.len() == to.len() && to.iter().all(|to| shown.iter().any(|shown| shown.eq_ignore_ascii_case(&to.address)))
}

pub(super) fn is_message_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_MESSAGE_ID && !text.chars().any(char::is_control)
}

/// The first pause after a conflict; the longest is 16 times as long.
pub(super) const CONTESTED_PAUSE: Duration = Duration::from_millis(500);

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireKey {
    #[serde(rename = "changeKey")]
    change_key: Option<String>,
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
}

/// The condition under which a message still has this change key.
pub(super) fn tag(change_key: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("W/\"{change_key}\"")).ok().filter(|_| !change_key.is_empty())
}

/// Our own mark is shown when it is asked for.
fn shown_mark() -> String {
    format!("singleValueExtendedProperties($filter=id eq {})", literal(MARK))
}
