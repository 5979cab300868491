//! A Teams message in a chat: chat found, made or given, message posted. Graph knows no idempotency key for a post, so an answer that is lost leaves the
//! send unknown. Source: Graph, chat: create and chatMessage: send.

use super::content::{self, parts};
use super::files::{self, Filed, Files};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{ChatReader, FileFolder, Mentioned, OutgoingPost, Person, PostPlace, pair_of_chat};
use crate::model::{BodyType, ChatDraft, RouteDraft, Feature, FileAttachment, SendRoute};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Progress, Sender, Terms};
use crate::outbox::check::{address, header, id as check_id};
use crate::outbox::content::{Fields, first_form};
use crate::outbox::item::{Verdict, verdict};
use crate::outbox::job::{Job, Tools};
use crate::store::{ItemRow, ItemState};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The others in a group; Teams takes 250 people.
const MOST_MEMBERS: usize = 249;

pub struct Chat;

/// What is known of a chat message under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatProgress {
    pub chat_id: Option<String>,
    /// Whom its mentions name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentioned: Vec<Mentioned>,
    /// Id of the message.
    pub graph_id: Option<String>,
    #[serde(skip_serializing_if = "Files::is_none")]
    pub files: Files,
    /// The chat was made just now, so it is there.
    #[serde(skip)]
    is_new: bool,
}

/// What a chat is found by.
enum To<'a> {
    Person(&'a str),
    Group(&'a [String], Option<&'a str>),
    Chat(&'a str),
}

fn target(chat: &ChatDraft) -> To<'_> {
    match &chat.chat_id {
        Some(id) => To::Chat(id),
        None if chat.members.is_empty() => To::Person(&chat.to),
        None => To::Group(&chat.members, chat.topic.as_deref()),
    }
}

/// The same for all drafts to one person or one group.
fn chat_key(chat: &ChatDraft) -> Option<String> {
    match target(chat) {
        To::Person(to) => Some(to.to_lowercase()),
        To::Group(members, topic) => {
            let mut members: Vec<String> = members.iter().map(|one| one.to_lowercase()).collect();
            members.sort();
            Some(format!("{}\n{}", members.join(" "), topic.unwrap_or_default()))
        }
        To::Chat(_) => None,
    }
}

impl Channel for Chat {
    type Draft = ChatDraft;
    type Progress = ChatProgress;

    const ROUTE: SendRoute = SendRoute::Chat;
    const SENDER: Sender = Sender::Account(Feature::Chat);

    fn of(draft: RouteDraft) -> Option<ChatDraft> {
        if let RouteDraft::Chat { chat } = draft { Some(chat) } else { None }
    }

    fn terms(chat: &ChatDraft) -> Terms<'_> {
        Terms { key: chat.key.as_deref(), deadline: chat.deadline, send_at: chat.send_at }
    }

    fn check(chat: &ChatDraft) -> Result<()> {
        check_target(chat)?;
        content::check(&parts!(chat), "chat message", false)
    }

    fn order(chat: &ChatDraft) -> Order {
        match target(chat) {
            To::Person(to) => Order::By("chat", to.to_lowercase()),
            To::Group(..) => Order::By("group chat", chat_key(chat).unwrap_or_default()),
            To::Chat(id) => Order::By("chat id", id.to_owned()),
        }
    }

    fn weight(chat: &ChatDraft) -> usize {
        parts!(chat).weight()
    }

    fn canonical(chat: &ChatDraft) -> Vec<u8> {
        let mut out = Fields::new(b'c');
        out.text(1, &chat.to);
        out.text(2, &chat.body);
        out.body_type(3, chat.body_type);
        out.text(4, chat.chat_id.as_deref().unwrap_or_default());
        out.pairs(5, chat.members.iter().map(|one| [one.as_str()]));
        out.text(6, chat.topic.as_deref().unwrap_or_default());
        parts!(chat).append(&mut out, 7);
        out.into_bytes()
    }

    fn first_text(chat: &ChatDraft) -> Result<Vec<u8>> {
        first_form("chat", First { account_id: &chat.account_id, to: &chat.to, body: &chat.body, body_type: chat.body_type, key: chat.key.as_deref() })
    }

    fn attachments(chat: &ChatDraft) -> &[FileAttachment] {
        &chat.attachments
    }

    fn without_attachments(chat: &ChatDraft) -> ChatDraft {
        without_attachments(chat)
    }

    fn set_attachments(chat: &mut ChatDraft, attachments: Vec<FileAttachment>) {
        chat.attachments = attachments;
    }

    /// A file lies in the OneDrive of the account's person; who is in a group that was made elsewhere has to be asked.
    fn scopes(chat: &ChatDraft) -> &'static [&'static str] {
        match target(chat) {
            _ if chat.attachments.iter().all(content::is_picture) => &[],
            To::Chat(id) if pair_of_chat(id).is_none() => &["Files.ReadWrite", "Chat.ReadBasic"],
            _ => &["Files.ReadWrite"],
        }
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        find_chat(job).await?;
        if job.progress.own.mentioned.len() != job.draft.mentions.len() {
            let mentioned = content::look_up(&job.tools.graph, &job.caller(), &job.draft.mentions, None).await?;
            job.progress.own.mentioned = mentioned;
        }
        Ok(if files::bring(job).await? { Prepared::Ready } else { Prepared::Lost })
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        match post(job).await {
            // The chat that was known is gone, or the person is no longer in it. Nothing was posted; another one is found, once.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) && is_replaceable(job) => {
                forget(job).await?;
                job.progress.own.chat_id = None;
                find_chat(job).await.map_err(|unfound| of_replacing(unfound, error.clone()))?;
                files::share(job).await.map_err(|unshared| of_replacing(unshared, error))?;
                post(job).await
            }
            answer => answer,
        }
    }

    async fn reconcile(_: &mut Job<Self>) -> Result<Finding> {
        Ok(super::untold("chat message", "chat"))
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        Some(super::refused(job, error))
    }

    async fn tidy(tools: &Tools, item: &ItemRow, progress: &Progress<ChatProgress>, is_last: bool) -> Result<Option<ChatProgress>> {
        let left = files::tidy(tools, item, progress, &progress.own.files, is_last).await?;
        Ok(left.map(|files| ChatProgress { files, ..progress.own.clone() }))
    }

    fn read_again(own: &mut ChatProgress) {
        own.files.read_again();
    }

    fn replaced(own: ChatProgress, _: bool) -> Option<ChatProgress> {
        (!own.files.are_begun()).then(ChatProgress::default)
    }

    fn has_left_something(own: &ChatProgress, state: ItemState) -> bool {
        own.files.are_left(state)
    }

    fn may_leave_more(progress: &Progress<ChatProgress>, state: ItemState) -> bool {
        progress.own.files.may_follow(progress, state)
    }

    fn ids(own: ChatProgress) -> Ids {
        Ids { graph_id: own.graph_id, chat_id: own.chat_id, ..Ids::default() }
    }
}

impl Filed for Chat {
    fn files(own: &mut ChatProgress) -> &mut Files {
        &mut own.files
    }

    async fn folder(_: &Job<Self>) -> Result<FileFolder> {
        Ok(FileFolder::OfChats)
    }

    /// The others in the chat: by the id of one of two, which names both; of a group that was made here, those whom it was made with.
    async fn readers(job: &Job<Self>) -> Result<Vec<ChatReader>> {
        let account = job.tools.store.account(&job.item.account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
        let is_other = |id: &str| !account.user_id.eq_ignore_ascii_case(id);
        let chat_id = job.progress.own.chat_id.as_deref().unwrap_or_default();
        if let Some((a, b)) = pair_of_chat(chat_id) {
            return Ok([a, b].into_iter().filter(|id| is_other(id)).map(|id| ChatReader::Id(id.to_owned())).collect());
        }
        Ok(match target(&job.draft) {
            To::Person(to) => vec![ChatReader::Address(to.to_owned())],
            To::Group(members, _) => members.iter().cloned().map(ChatReader::Address).collect(),
            To::Chat(id) => job.tools.graph.chat_members(&job.caller(), id).await?.into_iter().filter(|id| is_other(id)).map(ChatReader::Id).collect(),
        })
    }
}

/// Everything else.
fn without_attachments(chat: &ChatDraft) -> ChatDraft {
    ChatDraft {
        account_id: chat.account_id.clone(),
        to: chat.to.clone(),
        body: chat.body.clone(),
        body_type: chat.body_type,
        merge_fields: chat.merge_fields.clone(),
        key: chat.key.clone(),
        deadline: chat.deadline,
        send_at: chat.send_at,
        chat_id: chat.chat_id.clone(),
        members: chat.members.clone(),
        topic: chat.topic.clone(),
        importance: chat.importance,
        mentions: chat.mentions.clone(),
        cards: chat.cards.clone(),
        files: chat.files.clone(),
        attachments: Vec::new(),
    }
}

fn check_target(chat: &ChatDraft) -> Result<()> {
    let (has_chat, has_members) = (chat.chat_id.is_some(), !chat.members.is_empty());
    if usize::from(has_chat) + usize::from(has_members) + usize::from(!chat.to.is_empty()) > 1 {
        return Err(Error::invalid("A chat message goes to one place: fill in to, members or chat_id, and leave the others out."));
    }
    if chat.topic.is_some() && !has_members {
        return Err(Error::invalid("Only a group has a topic. Fill in members, or leave topic out."));
    }
    match target(chat) {
        To::Person(to) => address("to", to),
        To::Chat(id) => check_id("chat_id", id),
        To::Group(members, topic) => {
            if members.len() > MOST_MEMBERS {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("The group has {} members beside the sender; Teams takes {MOST_MEMBERS}. Use a team.", members.len())));
            }
            members.iter().try_for_each(|one| address("members", one))?;
            let mut seen = std::collections::HashSet::new();
            if members.iter().any(|one| !seen.insert(one.to_lowercase())) {
                return Err(Error::invalid("An address is in members twice. Name everybody once."));
            }
            match topic {
                Some(topic) if topic.trim().is_empty() => Err(Error::invalid("The topic is empty. Give the group a name, or leave topic out.")),
                Some(topic) => header("topic", topic, 250),
                None => Ok(()),
            }
        }
    }
}

#[derive(Serialize)]
struct First<'a> {
    account_id: &'a str,
    to: &'a str,
    body: &'a str,
    body_type: BodyType,
    key: Option<&'a str>,
}

/// Chats already known in this process, by account and whom they are with, so that the second message is one request.
#[derive(Debug, Default)]
pub struct Chats {
    known: Mutex<HashMap<(String, String), (String, i64)>>,
}

/// How long the chat with a person is taken to be with whoever has that address: a day, since an organisation gives an address to somebody else now and then.
const PERSON_MS: i64 = 24 * 60 * 60 * 1000;

/// A group stays the group that was made; who is in it is a matter of Teams.
fn still_holds(chat: &ChatDraft, kept_at: i64, now: i64) -> bool {
    matches!(target(chat), To::Group(..)) || (kept_at..kept_at.saturating_add(PERSON_MS)).contains(&now)
}

/// Entries kept; beyond that the cache starts over, since the store has them.
const KEPT: usize = 10_000;

impl Chats {
    fn chat(&self, account_id: &str, key: &str) -> Option<(String, i64)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&(account_id.to_owned(), key.to_owned())).cloned()
    }

    fn keep(&self, account_id: &str, key: String, chat_id: &str, kept_at: i64) {
        let mut chats = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= KEPT {
            chats.clear();
        }
        chats.insert((account_id.to_owned(), key), (chat_id.to_owned(), kept_at));
    }

    fn drop(&self, account_id: &str, key: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&(account_id.to_owned(), key.to_owned()));
    }
}

/// Whom a chat is with, as the store knows it.
async fn stored_key(job: &Job<Chat>, key: &str) -> Result<[u8; 32]> {
    job.tools.vault.hashes(&job.item.account_id).await?.of("chat with", &[key.as_bytes()])
}

async fn forget(job: &Job<Chat>) -> Result<()> {
    let Some(key) = chat_key(&job.draft) else { return Ok(()) };
    job.tools.memory.chats.drop(&job.item.account_id, &key);
    job.tools.store.keep_chat(&job.item.account_id, &stored_key(job, &key).await?, None, job.now()).await
}

/// Why no other chat was found. Nothing was posted by then, so whatever is unclear about the chat is no doubt about the message.
fn of_replacing(unfound: Error, first: Error) -> Error {
    match verdict(&unfound) {
        Verdict::Doubt => Error::new(ErrorKind::Network, "The chat is gone, and Microsoft gave no usable answer about another one. It is tried again."),
        Verdict::Refused if unfound.kind() != ErrorKind::NotFound => first,
        _ => unfound,
    }
}

/// It was known before this attempt, and can be found or made anew.
fn is_replaceable(job: &Job<Chat>) -> bool {
    job.draft.chat_id.is_none() && !job.progress.own.is_new && !job.progress.doubted
}

/// Finds the people and the chat. Its id is stored with the state that follows; looked for again, the same chat of two is found.
async fn find_chat(job: &mut Job<Chat>) -> Result<()> {
    if job.progress.own.chat_id.is_some() {
        return Ok(());
    }
    if let Some(id) = &job.draft.chat_id {
        job.progress.own.chat_id = Some(id.clone());
        return Ok(());
    }
    let (account_id, key) = (job.item.account_id.clone(), chat_key(&job.draft).unwrap_or_default());
    let now = job.now();
    let holds = |found: &(String, i64)| still_holds(&job.draft, found.1, now);
    if let Some((known, _)) = job.tools.memory.chats.chat(&account_id, &key).filter(holds) {
        job.progress.own.chat_id = Some(known);
        return Ok(());
    }
    let people = stored_key(job, &key).await?;
    if let Some((known, kept_at)) = job.tools.store.chat(&account_id, &people).await?.filter(holds) {
        job.tools.memory.chats.keep(&account_id, key, &known, kept_at);
        job.progress.own.chat_id = Some(known);
        return Ok(());
    }
    let caller = job.caller();
    let account = job.tools.store.account(&account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
    let graph = &job.tools.graph;
    let person = async |address: &str| -> Result<Person> {
        let found = graph.find_person(&caller, address).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "Nobody in this organisation has the address the chat message is for. Check it, or send a mail instead.")
        })?;
        if account.user_id.eq_ignore_ascii_case(&found.id) {
            return Err(Error::invalid("The chat message is for the sender; Teams has no chat with oneself here."));
        }
        Ok(found)
    };
    let chat_id = match target(&job.draft) {
        To::Group(members, topic) => {
            let mut people: Vec<Person> = Vec::with_capacity(members.len());
            for (number, address) in members.iter().enumerate() {
                let one = person(address).await.map_err(|e| {
                    let reason = format!("members[{number}]: {}", e.reason());
                    e.with_reason(reason)
                })?;
                // Two addresses of one person.
                if people.iter().all(|other| !other.id.eq_ignore_ascii_case(&one.id)) {
                    people.push(one);
                }
            }
            graph.group_chat(&caller, &account.user_id, topic, &people).await?
        }
        To::Person(to) => graph.one_to_one_chat(&caller, &account.user_id, &person(to).await?).await?,
        To::Chat(id) => id.to_owned(),
    };
    failpoint!("chat.made");
    job.tools.store.keep_chat(&account_id, &people, Some(&chat_id), now).await?;
    job.tools.memory.chats.keep(&account_id, key, &chat_id, now);
    job.progress.own.is_new = true;
    job.progress.own.chat_id = Some(chat_id);
    Ok(())
}

/// Posts the message.
async fn post(job: &mut Job<Chat>) -> Result<()> {
    let chat_id = job.progress.own.chat_id.clone().ok_or_else(|| Error::internal("A prepared chat message has no chat."))?;
    let post = content::compose(&parts!(job.draft), &job.progress.own.mentioned, &job.progress.own.files.references())?;
    let post = OutgoingPost { pictures: content::hosted(&parts!(job.draft)), ..post };
    let id = job.tools.graph.post_message(&job.caller(), PostPlace::Chat(&chat_id), &post).await?;
    job.progress.own.graph_id = Some(id);
    Ok(())
}
