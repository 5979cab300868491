//! A small Microsoft 365 that keeps what it was given: mailboxes with drafts and sent copies, chats, and troubles drawn by chance from a seed.

use super::chance::Chance;
use super::folders::{Folder, account_of_session, is_folder, is_session};
use super::uploads::{Sessions, account_of_upload, is_upload};
use crate::clock::{Clock, TestClock};
use crate::failpoint::reach;
use crate::pipeline::fake::says;
use crate::pipeline::{Answer, LONGEST_EXCHANGE};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How often, in a hundred requests that write, each trouble comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles {
    /// The connection is refused: nothing was done.
    pub unreachable: u32,
    /// It breaks before the request was read: nothing was done, and nobody can tell.
    pub lost_request: u32,
    /// It breaks after the request was done.
    pub lost_answer: u32,
    /// 429 with a Retry-After of 1 to 40 seconds.
    pub throttled: u32,
    /// 412: somebody else changed it.
    pub contested: u32,
    /// Exchange takes a mail, and moves it up to four minutes later.
    pub late: u32,
    /// What makes or sends something is on its way for up to the time after which it is given up.
    pub slow: u32,
}

pub struct Microsoft {
    clock: TestClock,
    /// Requests that write wait here, if it is slow.
    gate: Semaphore,
    is_slow: AtomicBool,
    state: Mutex<State>,
}

pub struct State {
    pub chance: Chance,
    pub troubles: Troubles,
    refuses: bool,
    pub mailboxes: HashMap<String, Mailbox>,
    pub sessions: Sessions,
    /// By account.
    pub folders: HashMap<String, Folder>,
    next_id: u64,
}

/// What one account has at Microsoft.
#[derive(Default)]
pub struct Mailbox {
    pub messages: BTreeMap<String, Message>,
    /// Of the message that replies are about. Making a reply marks it as read.
    pub is_original_read: bool,
    /// A reply was made for a process that was dead by then: nobody sees to the message.
    pub is_replied_by_the_dead: bool,
    chat: Option<String>,
    /// The app of the bot is in the team; so many requests of the bot are refused as if it were not.
    app: Option<u64>,
    /// How often it was installed.
    pub installations: u32,
    /// Texts that were accepted for delivery, in order: the subject of a mail, the body of a chat message.
    pub accepted: Vec<String>,
    /// Texts that somebody asked to send, whatever became of it.
    pub asked: Vec<String>,
    /// What was attached to each text that was accepted, in order.
    pub files: HashMap<String, Vec<Bytes>>,
    /// Whose each request is: those of a process that ended are nobody's to hold back.
    in_flight: [Vec<Weak<()>>; 5],
    /// The most requests at a time, in each service.
    pub most_in_flight: [u32; 5],
}

pub struct Message {
    subject: String,
    pub files: Vec<Bytes>,
    properties: Value,
    internet_message_id: Value,
    /// What is quoted; none: it is a new mail.
    quoted: Option<&'static str>,
    /// When it is in Sent Items; none: nobody has sent it.
    sent_at: Option<u64>,
}

impl Mailbox {
    /// Whether a draft of this text lies about that nobody has sent, or one that was to say it.
    pub fn is_draft(&self, text: &str) -> bool {
        let marks: Vec<&Value> = self.messages.values().filter(|message| message.subject == text).map(|message| &message.properties).collect();
        self.messages.values().any(|message| message.sent_at.is_none() && marks.contains(&&message.properties))
    }

    /// How often the one request that sends it has arrived.
    pub fn asked(&self, text: &str) -> usize {
        self.asked.iter().filter(|one| *one == text).count()
    }

    pub fn times(&self, text: &str) -> usize {
        self.accepted.iter().filter(|one| *one == text).count()
    }
}

/// Texts with this word are refused for good.
pub const REFUSED: &str = "refused";

impl Microsoft {
    pub fn new(clock: &TestClock, chance: Chance, troubles: Troubles) -> Arc<Self> {
        Arc::new(Self { clock: clock.clone(), gate: Semaphore::new(0), is_slow: AtomicBool::new(false), state: Mutex::new(State { chance, troubles, refuses: true, mailboxes: HashMap::new(), sessions: Sessions::default(), folders: HashMap::new(), next_id: 0 }) })
    }

    pub fn mailbox<T>(&self, account_id: &str, look: impl FnOnce(&Mailbox) -> T) -> T {
        look(self.state().mailboxes.entry(account_id.to_owned()).or_default())
    }

    /// From now on requests that write are answered one by one, as they are let through.
    pub fn slow_down(&self) {
        self.is_slow.store(true, Ordering::Relaxed);
    }

    /// From now on they are answered at once; those that wait still do.
    pub fn speed_up(&self) {
        self.is_slow.store(false, Ordering::Relaxed);
    }

    pub fn let_through(&self, requests: usize) {
        self.gate.add_permits(requests);
    }

    /// Each upload is over after its first range, the first time.
    pub fn end_sessions_early(&self) {
        self.state().sessions.end_early = true;
    }

    pub fn sessions_begun(&self) -> usize {
        self.state().sessions.begun
    }

    /// Until so many requests that write were answered.
    pub async fn writes(&self, count: u64) {
        while self.state().next_id < count {
            tokio::task::yield_now().await;
        }
    }

    /// Files that lie in the folder of an account.
    pub fn files_left(&self, account_id: &str) -> usize {
        self.state().folders.get(account_id).map_or(0, Folder::count)
    }

    pub fn heal(&self) {
        self.state().troubles = Troubles::default();
    }

    /// Nothing is refused any more.
    pub fn relent(&self) {
        self.state().refuses = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Who asked may go away meanwhile; the request does not come back.
    pub async fn exchange(self: Arc<Self>, request: http::Request<Bytes>, process: Weak<()>) -> Answer {
        reach("service.asked").await;
        // Taken back also when who asked goes away.
        let _under_way = self.under_way(account_of(&request), service_of(&request), process.clone());
        tokio::spawn(self.clone().done(request, process)).await.unwrap()
    }

    fn under_way(self: &Arc<Self>, account_id: String, service: usize, process: Weak<()>) -> UnderWay {
        let mut state = self.state();
        let mailbox = state.mailboxes.entry(account_id.clone()).or_default();
        mailbox.in_flight[service].push(process.clone());
        let now = mailbox.in_flight[service].iter().filter(|process| process.strong_count() > 0).count();
        mailbox.most_in_flight[service] = mailbox.most_in_flight[service].max(u32::try_from(now).unwrap());
        UnderWay(self.clone(), account_id, service, process)
    }

    async fn done(self: Arc<Self>, request: http::Request<Bytes>, process: Weak<()>) -> Answer {
        let (asked_at, is_write) = (self.clock.elapsed(), request.method() != http::Method::GET);
        let (pauses, on_its_way) = {
            let State { chance, troubles, .. } = &mut *self.state();
            let is_slow = is_write && !deletes(&request) && chance.below(100) < u64::from(troubles.slow);
            (chance.below(4), if is_slow { chance.below(LONGEST_EXCHANGE.as_millis() as u64) } else { 0 })
        };
        if on_its_way > 0 {
            self.clock.pause(Duration::from_millis(on_its_way)).await;
        }
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        if self.is_slow.load(Ordering::Relaxed) && is_write {
            self.gate.acquire().await.unwrap().forget();
        }
        let answer = {
            let mut state = self.state();
            let troubles = state.troubles;
            if self.clock.elapsed().saturating_sub(asked_at) > LONGEST_EXCHANGE {
                // What takes longer to arrive never does.
                state.troubles = Troubles { lost_request: 100, ..Troubles::default() };
            }
            let answer = state.answer(&account_of(&request), &request, self.clock.now_ms());
            state.troubles = troubles;
            if process.strong_count() == 0 && request.uri().path().ends_with("createReply") {
                state.mailboxes.entry(account_of(&request)).or_default().is_replied_by_the_dead = true;
            }
            answer
        };
        reach("service.answered").await;
        tokio::task::yield_now().await;
        answer
    }
}

struct UnderWay(Arc<Microsoft>, String, usize, Weak<()>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.state().mailboxes.get_mut(&self.1) {
            let all = &mut mailbox.in_flight[self.2];
            if let Some(at) = all.iter().position(|process| process.ptr_eq(&self.3)) {
                all.swap_remove(at);
            }
        }
    }
}

impl State {
    /// What a request is to send.
    pub fn text(&self, account_id: &str, path: &str, body: &[u8]) -> Option<String> {
        match draft_id(path) {
            Some(id) => Some(self.mailboxes.get(account_id)?.messages.get(id)?.subject.clone()),
            None if is_bot(path) => {
                let asked: Value = serde_json::from_slice(body).ok()?;
                Some(asked["text"].as_str().or(asked["activity"]["text"].as_str())?.to_owned())
            }
            None if is_workflow(path) => Some(post_text(&serde_json::from_slice(body).ok()?)),
            None => Some(said(&serde_json::from_slice(body).ok()?)?.to_owned()),
        }
    }

    pub fn write(&mut self, account_id: &str, (method, path, range): (&str, &str, &str), body: &[u8], now: u64) -> Answer {
        let is_late = self.chance.below(100) < u64::from(self.troubles.late);
        let delay = if is_late { self.chance.below(240_000) } else { 0 };
        self.next_id += 1;
        let id = format!("id{}", self.next_id);
        if is_folder(path) {
            return self.write_folder(account_id, (method, path), (range, body), &id);
        }
        let referred = self.folders.entry(account_id.to_owned()).or_default().referred(&asked_of(body), path.starts_with("/v1.0/chats/"));
        let mailbox = self.mailboxes.entry(account_id.to_owned()).or_default();
        let asked = asked_of(body);
        match (method, path) {
            ("POST", "/v1.0/me/messages") => {
                let subject = asked["subject"].as_str().unwrap().to_owned();
                let (properties, internet_message_id) = (asked["singleValueExtendedProperties"].clone(), asked["internetMessageId"].clone());
                mailbox.messages.insert(id.clone(), Message { subject, properties, internet_message_id: internet_message_id.clone(), quoted: None, sent_at: None, files: Vec::new() });
                says(201, json!({ "id": id, "isDraft": true, "internetMessageId": internet_message_id }).to_string())
            }
            // Without what the sender says, it is nothing to be sent.
            ("POST", "/v1.0/me/messages/original/createReply" | "/v1.0/me/messages/original/createForward") => {
                mailbox.is_original_read |= path.ends_with("createReply");
                let properties = asked["message"]["singleValueExtendedProperties"].clone();
                mailbox.messages.insert(id.clone(), Message { subject: String::new(), properties, internet_message_id: json!("<by@microsoft>"), quoted: Some("<hr>old"), sent_at: None, files: vec![Bytes::from_static(b"of the original")] });
                says(201, json!({ "id": id, "isDraft": true, "changeKey": "k", "toRecipients": asked["message"]["toRecipients"], "body": { "contentType": "html", "content": "<hr>old" } }).to_string())
            }
            ("PATCH", "/v1.0/me/messages/original") => {
                mailbox.is_original_read = asked["isRead"].as_bool().unwrap();
                says(200, json!({ "id": "original" }).to_string())
            }
            ("PATCH", _) => match mailbox.messages.get_mut(draft_id(path).unwrap()) {
                Some(message) if message.sent_at.is_none() => {
                    let said = asked["body"]["content"].as_str().unwrap().strip_prefix("<div>").unwrap();
                    message.subject = said.strip_suffix(&format!("</div><br>{}", message.quoted.unwrap())).unwrap().to_owned();
                    (message.properties, message.internet_message_id) = (asked["singleValueExtendedProperties"].clone(), asked["internetMessageId"].clone());
                    says(200, json!({ "id": draft_id(path), "internetMessageId": message.internet_message_id }).to_string())
                }
                _ => says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#),
            },
            ("POST", "/v1.0/chats") => {
                // Of the token, which names the account, no answer may show anything.
                let chat = mailbox.chat.get_or_insert(id);
                says(201, json!({ "id": chat }).to_string())
            }
            ("POST", _) if is_installations(path) && mailbox.app.is_some() => says(409, r#"{"error":{"code":"Conflict"}}"#),
            ("POST", _) if is_installations(path) => {
                mailbox.app = Some(self.chance.below(3));
                mailbox.installations += 1;
                says(201, "")
            }
            // A thread is begun by its first message.
            ("POST", "/teams/v3/conversations") if asked["activity"].is_object() => match &mut mailbox.app {
                None => says(403, r#"{"error":{"code":"BotNotInConversationRoster"}}"#),
                Some(late) if *late > 0 => {
                    *late -= 1;
                    says(403, r#"{"error":{"code":"BotNotInConversationRoster"}}"#)
                }
                Some(_) => {
                    let text = asked["activity"]["text"].as_str().unwrap().to_owned();
                    if self.refuses && text.contains(REFUSED) {
                        return says(403, r#"{"error":{"code":"MessageWritesBlocked"}}"#);
                    }
                    mailbox.accepted.push(text);
                    says(201, json!({ "id": format!("19:c@thread.tacv2;messageid={id}"), "activityId": id }).to_string())
                }
            },
            ("POST", "/teams/v3/conversations") => {
                let with = asked["members"][0]["id"].as_str().unwrap().replace("29:", "a:");
                says(201, json!({ "id": with }).to_string())
            }
            ("POST", _) if is_bot(path) => {
                let text = asked["text"].as_str().unwrap().to_owned();
                if self.refuses && text.contains(REFUSED) {
                    return says(403, r#"{"error":{"code":"ConversationBlockedByUser"}}"#);
                }
                mailbox.accepted.push(text);
                says(201, json!({ "id": id }).to_string())
            }
            ("POST", _) if is_workflow(path) => {
                let text = post_text(&asked);
                if self.refuses && text.contains(REFUSED) {
                    return says(404, r#"{"error":{"code":"WorkflowNotFound"}}"#);
                }
                mailbox.accepted.push(text);
                says(202, "")
            }
            ("POST", _) if is_post(path) => {
                let text = said(&asked).unwrap().to_owned();
                if self.refuses && text.contains(REFUSED) {
                    return says(403, r#"{"error":{"code":"Forbidden"}}"#);
                }
                if asked["attachments"].is_array() {
                    let Some(files) = referred else { return says(400, r#"{"error":{"code":"BadRequest"}}"#) };
                    mailbox.files.insert(text.clone(), files);
                }
                mailbox.accepted.push(text);
                says(201, json!({ "id": id }).to_string())
            }
            _ if path.ends_with("/attachments") || path.ends_with("/createUploadSession") || is_upload(path) => self.attach(account_id, (method, path), body, &id),
            ("POST", _) => match mailbox.messages.get_mut(draft_id(path).unwrap()) {
                Some(message) if self.refuses && message.subject.contains(REFUSED) => says(400, r#"{"error":{"code":"ErrorInvalidRecipients"}}"#),
                // One that waits to be moved is taken a second time: the engine must not ask for it.
                Some(message) if message.sent_at.is_none_or(|at| at > now) => {
                    message.sent_at = Some(now + delay);
                    mailbox.accepted.push(message.subject.clone());
                    mailbox.files.insert(message.subject.clone(), message.files.clone());
                    says(202, "")
                }
                _ => says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#),
            },
            ("DELETE", _) => match mailbox.messages.get(draft_id(path).unwrap()) {
                Some(message) if message.sent_at.is_none() => {
                    mailbox.messages.remove(draft_id(path).unwrap());
                    says(204, "")
                }
                Some(_) => says(412, r#"{"error":{"code":"ErrorIrresolvableConflict"}}"#),
                None => says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#),
            },
            other => panic!("nobody here answers {other:?}"),
        }
    }

    pub fn read(&mut self, account_id: &str, path: &str, query: &str, now: u64) -> Answer {
        let mailbox = self.mailboxes.entry(account_id.to_owned()).or_default();
        let shown = |(id, message): (&String, &Message)| {
            let is_draft = message.sent_at.is_none_or(|at| at > now);
            json!({ "id": id, "isDraft": is_draft, "changeKey": "k", "internetMessageId": message.internet_message_id, "singleValueExtendedProperties": message.properties })
        };
        if is_folder(path) {
            return self.read_folder(account_id, path);
        }
        match path {
            "/v1.0/appCatalogs/teamsApps" => says(200, json!({ "value": [{ "id": "app", "externalId": "app-of-the-bot", "distributionMethod": "organization" }] }).to_string()),
            _ if is_installations(path) => {
                let there: Vec<Value> = mailbox.app.iter().map(|_| json!({ "id": "installation", "teamsApp": { "id": "app" } })).collect();
                says(200, json!({ "value": there }).to_string())
            }
            _ if path.ends_with("/filesFolder") => says(200, json!({ "id": "folder", "parentReference": { "driveId": "d" } }).to_string()),
            "/v1.0/me/messages/original" => says(200, json!({ "id": "original", "isRead": mailbox.is_original_read }).to_string()),
            _ if path.ends_with("/attachments") || is_upload(path) => self.attached(account_id, path),
            "/v1.0/users" => says(200, json!({ "value": [{ "id": "somebody" }] }).to_string()),
            "/v1.0/me/mailFolders/drafts/messages" | "/v1.0/me/mailFolders/sentitems/messages" => {
                let is_wanted = |message: &Value| {
                    let mark = message["singleValueExtendedProperties"][0]["value"].as_str().unwrap();
                    message["isDraft"] == json!(path.contains("drafts")) && query.contains(mark)
                };
                let found: Vec<Value> = mailbox.messages.iter().map(shown).filter(is_wanted).collect();
                says(200, json!({ "value": found }).to_string())
            }
            _ => match draft_id(path).and_then(|id| mailbox.messages.get_key_value(id)) {
                Some(found) => says(200, shown(found).to_string()),
                None => says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#),
            },
        }
    }
}

/// Alone or in a batch.
fn deletes(request: &http::Request<Bytes>) -> bool {
    request.method() == http::Method::DELETE || String::from_utf8_lossy(request.body()).contains(r#""method":"DELETE""#)
}

fn account_of(request: &http::Request<Bytes>) -> String {
    if is_upload(request.uri().path()) {
        assert!(!request.headers().contains_key("authorization"), "a token for the address of an upload");
        return account_of_upload(request.uri().path());
    }
    if is_session(request.uri().path()) {
        assert!(!request.headers().contains_key("authorization"), "a token for the address of an upload");
        return account_of_session(request.uri().path());
    }
    match request.headers().get("authorization") {
        Some(token) => token.to_str().unwrap().trim_start_matches("Bearer ").to_owned(),
        // A workflow is named by its path.
        None => request.uri().path().split('/').nth(2).unwrap().to_owned(),
    }
}

/// Microsoft counts Outlook, Teams and the directory apart; a batch is of the service of what is in it.
fn service_of(request: &http::Request<Bytes>) -> usize {
    let first = serde_json::from_slice(request.body()).map_or(Value::Null, |batch: Value| batch["requests"][0]["url"].clone());
    let path = first.as_str().map_or_else(|| request.uri().path().to_owned(), |url| format!("/v1.0{url}"));
    ["/v1.0/chats", "/v1.0/teams", "/v1.0/users", "/workflows/", "/teams/v3/"].iter().position(|prefix| path.starts_with(prefix)).map_or(0, |n| n.max(1))
}

/// Of a message in a chat or channel.
pub fn is_post(path: &str) -> bool {
    ["/v1.0/chats/", "/v1.0/teams/"].iter().any(|prefix| path.starts_with(prefix))
}

/// Of a message of a bot.
pub fn is_bot(path: &str) -> bool {
    path.starts_with("/teams/v3/conversations")
}

/// Of the apps of a team.
fn is_installations(path: &str) -> bool {
    path.starts_with("/v1.0/teams/") && path.ends_with("/installedApps")
}

pub fn is_workflow(path: &str) -> bool {
    path.starts_with("/workflows/")
}

/// What a message in a chat or channel says, without what is attached.
fn said(asked: &Value) -> Option<&str> {
    asked["body"]["content"].as_str()?.split("<attachment").next()
}

fn asked_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// What a post shows.
fn post_text(post: &Value) -> String {
    post["attachments"][0]["content"]["body"][0]["text"].as_str().unwrap().to_owned()
}

/// Of `/v1.0/me/messages/{id}` and what is below it.
pub fn draft_id(path: &str) -> Option<&str> {
    path.strip_prefix("/v1.0/me/messages/")?.split('/').next()
}
