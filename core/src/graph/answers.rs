//! Replies and forwards: Microsoft makes the draft with its recipients, its subject and the quoted message, and what the sender says is put above that.
//! Source: Graph, message: createReply, createReplyAll, createForward, update; attachment: create.

use super::delta::change_key;
use super::mail::{CONTESTED_PAUSE, MARK, MadeDraft, Property, WireFile, is_for, is_message_id, tag};
use super::quoted::above;
use super::wire::{self, ItemBody, Recipient};
use super::{Caller, Graph, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::model::{Address, BodyType, FileAttachment, Importance, MailHeader};
use crate::pipeline::Safety;
use http::Method;
use http::header::IF_MATCH;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    Reply,
    ReplyAll,
    Forward,
}

impl AnswerKind {
    fn action(self) -> &'static str {
        match self {
            Self::Reply => "createReply",
            Self::ReplyAll => "createReplyAll",
            Self::Forward => "createForward",
        }
    }
}

/// A reply or a forward. `to`, `cc` and `bcc`: beside those whom Microsoft fills in.
pub struct OutgoingAnswer<'a> {
    pub kind: AnswerKind,
    /// Microsoft's ids of the message and of its conversation; the latter is empty if it is not known.
    pub original: &'a str,
    pub conversation_id: &'a str,
    /// In whose name it leaves; none: the mailbox's own.
    pub from_address: Option<&'a Address>,
    pub to: &'a [Address],
    pub cc: &'a [Address],
    pub bcc: &'a [Address],
    pub body: &'a str,
    pub body_type: BodyType,
    pub importance: Importance,
    pub attachments: &'a [FileAttachment],
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    pub headers: &'a [MailHeader],
    pub internet_message_id: &'a str,
    pub mark: &'a str,
}

/// A draft as Microsoft made it, without what the sender says.
pub struct BegunAnswer {
    id: String,
    change_key: Option<String>,
    body: Option<ItemBody>,
    to: Vec<Recipient>,
    cc: Vec<Recipient>,
    bcc: Vec<Recipient>,
}

/// Changes of a draft that are tried: a fresh one is often changed by Microsoft itself.
const TRIES: u32 = 4;

#[derive(Serialize)]
struct WireAction<'a> {
    message: WireSeed<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSeed<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_recipients: Vec<Recipient>,
    /// They can be set at the creation alone.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    internet_message_headers: &'a [MailHeader],
    single_value_extended_properties: [Property<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireChange<'a> {
    body: ItemBody,
    internet_message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Recipient>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_recipients: Option<Vec<Recipient>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cc_recipients: Option<Vec<Recipient>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bcc_recipients: Option<Vec<Recipient>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_read_receipt_requested: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_delivery_receipt_requested: bool,
    single_value_extended_properties: [Property<'a>; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBegun {
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_draft: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    change_key: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    conversation_id: Option<String>,
    #[serde(default, rename = "@odata.etag", deserialize_with = "lenient::scalar")]
    etag: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    body: Option<ItemBody>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    to_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    cc_recipients: Option<Vec<Recipient>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    bcc_recipients: Option<Vec<Recipient>>,
}

impl WireBegun {
    /// None: it does not show the draft of this answer. What it names is changed and sent, so it must not be another one: a reply is in the conversation of
    /// its original, a forward goes to whom it was made for.
    fn of(self, answer: &OutgoingAnswer<'_>) -> Option<BegunAnswer> {
        let is_draft = !self.id.is_empty() && self.id != answer.original && self.is_draft == Some(true);
        let is_this = match answer.kind {
            AnswerKind::Reply | AnswerKind::ReplyAll => answer.conversation_id.is_empty() || self.conversation_id.as_deref() == Some(answer.conversation_id),
            AnswerKind::Forward => is_for(self.to_recipients.as_deref().unwrap_or_default(), answer.to),
        };
        (is_draft && is_this).then(|| BegunAnswer {
            change_key: self.change_key.filter(|key| !key.is_empty()).or_else(|| change_key(&self.etag?)),
            id: self.id,
            body: self.body,
            to: self.to_recipients.unwrap_or_default(),
            cc: self.cc_recipients.unwrap_or_default(),
            bcc: self.bcc_recipients.unwrap_or_default(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireChanged {
    #[serde(deserialize_with = "lenient::scalar")]
    internet_message_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRead {
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_read: Option<bool>,
}

impl Graph {
    /// Whether a message is read. None: the mailbox does not have it.
    pub async fn is_read(&self, caller: &Caller, id: &str) -> Result<Option<bool>> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(id)?)).await?, &[("$select", "id,isRead")])?;
        let Some(response) = self.look(self.get(caller, url)).await? else { return Ok(None) };
        let found: WireRead = wire::read(&response.body)?;
        let is_read = found.is_read.filter(|_| found.id == id);
        is_read.map(Some).ok_or_else(|| Error::new(ErrorKind::Upstream, "Microsoft's answer does not tell whether the message is read. Try again later.").with_request_id(response.request_id()))
    }

    /// Has Microsoft make the draft. It bears the mark, and is not to be sent yet. In doubt it is not repeated: a draft that nobody sends does no harm.
    pub async fn begin_answer(&self, caller: &Caller, answer: &OutgoingAnswer<'_>) -> Result<BegunAnswer> {
        let to = if answer.kind == AnswerKind::Forward { answer.to.iter().map(Recipient::from).collect() } else { Vec::new() };
        let seed = WireSeed { to_recipients: to, internet_message_headers: answer.headers, single_value_extended_properties: [Property { id: MARK, value: answer.mark }] };
        let url = self.url(&self.path(caller, &format!("messages/{}/{}", segment(answer.original)?, answer.kind.action())).await?, &[])?;
        let response = self.ask(self.write(caller, Method::POST, url, written(&WireAction { message: seed })?, Safety::Once)).await?;
        let begun = wire::read::<WireBegun>(&response.body).ok().and_then(|begun| begun.of(answer));
        begun.filter(|begun| !response.repeats(&begun.id)).ok_or_else(|| {
            Error::new(ErrorKind::OutcomeUnknown, "The draft may have been made, but Microsoft's answer does not show it.").with_request_id(response.request_id())
        })
    }

    /// Puts what the sender says into the draft, which can be sent then unless attachments are staged, which are not added here: the mailbox shows it under this id with the mark. Repeatable until the attachments
    /// are added; after an error the draft is not to be sent.
    pub async fn finish_answer(&self, caller: &Caller, begun: BegunAnswer, answer: &OutgoingAnswer<'_>) -> Result<MadeDraft> {
        let shown = self.change_begun(caller, &begun, answer).await?;
        let id = begun.id;
        for file in answer.attachments.iter().filter(|file| file.staged.is_none()) {
            let url = self.url(&self.path(caller, &format!("messages/{}/attachments", segment(&id)?)).await?, &[])?;
            self.ask(self.write(caller, Method::POST, url, written(&WireFile::from(file))?, Safety::Once)).await?;
        }
        let state = self.message_state(caller, &id).await?;
        let ours = state.filter(|state| state.is_draft && state.mark.as_ref().is_some_and(|mark| mark.eq_ignore_ascii_case(answer.mark)));
        let Some(ours) = ours else {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft's answer does not show the draft that was just made. It will be made again."));
        };
        Ok(MadeDraft { id, internet_message_id: shown, conversation_id: ours.conversation_id })
    }

    /// The Message-ID that the mailbox shows. Nobody else has a part in this draft, so a conflict means that Microsoft was at it: the same change is made
    /// once more, to what the draft was when it was made, so that it is the same however often.
    async fn change_begun(&self, caller: &Caller, begun: &BegunAnswer, answer: &OutgoingAnswer<'_>) -> Result<String> {
        let url = self.url(&self.path(caller, &format!("messages/{}", segment(&begun.id)?)).await?, &[])?;
        let request = self.write(caller, Method::PATCH, url, written(&change(begun, answer, self.usual_sender(caller).await?))?, Safety::Repeatable);
        let (mut pause, mut key) = (CONTESTED_PAUSE, begun.change_key.clone());
        for attempt in 1.. {
            let request = match key.as_deref().and_then(tag) {
                Some(condition) => request.clone().header(IF_MATCH, condition),
                None => request.clone(),
            };
            match self.ask(request).await {
                Ok(response) => {
                    let changed: WireChanged = wire::read(&response.body).unwrap_or_default();
                    let shown = changed.internet_message_id.filter(|id| is_message_id(id) && !response.repeats(id));
                    return Ok(shown.unwrap_or_else(|| answer.internet_message_id.to_owned()));
                }
                Err(error) if error.kind() != ErrorKind::Conflict || attempt == TRIES => return Err(error),
                Err(_) => {}
            }
            self.pipeline.clock().pause(pause).await;
            pause *= 2;
            key = self.current_key(caller, &begun.id).await?;
        }
        Err(Error::internal("A draft was changed without end."))
    }
}

fn change<'a>(begun: &BegunAnswer, answer: &OutgoingAnswer<'a>, usual_sender: Option<Recipient>) -> WireChange<'a> {
    let is_forward = answer.kind == AnswerKind::Forward;
    WireChange {
        body: above(answer.body_type, answer.body, begun.body.as_ref()),
        internet_message_id: answer.internet_message_id,
        from: answer.from_address.map(Recipient::from).or(usual_sender),
        // Those of a forward are there from the start.
        to_recipients: joined(&begun.to, if is_forward { &[] } else { answer.to }),
        cc_recipients: joined(&begun.cc, answer.cc),
        bcc_recipients: joined(&begun.bcc, answer.bcc),
        importance: (answer.importance != Importance::Normal).then(|| wire::importance_name(answer.importance)),
        is_read_receipt_requested: answer.read_receipt,
        is_delivery_receipt_requested: answer.delivery_receipt,
        single_value_extended_properties: [Property { id: MARK, value: answer.mark }],
    }
}

/// Both, each address once. None: there is nothing to add.
fn joined(there: &[Recipient], more: &[Address]) -> Option<Vec<Recipient>> {
    if more.is_empty() {
        return None;
    }
    let mut all = there.to_vec();
    for one in more {
        let is_there = all.iter().any(|there| there.email_address.as_ref().and_then(|e| e.address.as_deref()).is_some_and(|a| a.eq_ignore_ascii_case(&one.address)));
        if !is_there {
            all.push(one.into());
        }
    }
    Some(all)
}

fn written<T: Serialize>(what: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(what).map_err(|_| Error::internal("A draft could not be written."))
}
