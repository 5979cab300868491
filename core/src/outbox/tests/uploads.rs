//! Mails with staged contents: Microsoft's side of uploads, and what becomes of them when connections break, sessions end and processes are killed.

use super::chance::Chance;
use super::ledger::Ledger;
use super::microsoft::{Microsoft, State, Troubles, draft_id};
use super::world::{Process, World, draft, in_time, is_settled};
use crate::error::ErrorKind;
use crate::failpoint::Armed;
use crate::model::{RouteDraft, FileAttachment, Receipt, SendRoute, SendState};
use crate::outbox::Staging;
use crate::pipeline::Answer;
use crate::pipeline::fake::says;
use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// One in a session of two ranges, one in one request.
const FILES: &[usize] = &[4 * 1024 * 1024 + 7, 700_000];

/// Uploads under way, by the number in their address.
#[derive(Default)]
pub struct Sessions {
    pub all: HashMap<String, Session>,
    /// Each session is over after its first range.
    pub end_early: bool,
    pub begun: usize,
}

pub struct Session {
    account_id: String,
    message: String,
    size: usize,
    bytes: Vec<u8>,
}

pub fn is_upload(path: &str) -> bool {
    path.contains("/AttachmentSessions('")
}

/// The account's id is its token here, which no address may repeat.
pub fn masked(account_id: &str) -> String {
    account_id.bytes().map(|b| format!("{:02x}", b ^ 0x55)).collect()
}

pub fn account_of_upload(path: &str) -> String {
    unmasked(path.split('\'').nth(1).unwrap())
}

pub fn unmasked(masked: &str) -> String {
    (0..masked.len()).step_by(2).map(|at| char::from(u8::from_str_radix(&masked[at..at + 2], 16).unwrap() ^ 0x55)).collect()
}

fn session_of(path: &str) -> &str {
    path.rsplit("AttachmentSessions('").next().unwrap().trim_end_matches("')")
}

fn next(session: &Session) -> Answer {
    says(200, json!({ "ExpirationDateTime": "2030-01-01T00:00:00Z", "nextExpectedRanges": [format!("{}-", session.bytes.len())] }).to_string())
}

fn gone() -> Answer {
    says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)
}

impl State {
    /// What adds to a draft.
    pub fn attach(&mut self, account_id: &str, (method, path): (&str, &str), body: &[u8], id: &str) -> Answer {
        if is_upload(path) {
            assert_eq!(method, "PUT");
            return self.take(path, body);
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let message = draft_id(path).unwrap();
        let Some(draft) = self.mailboxes.get_mut(account_id).and_then(|mailbox| mailbox.messages.get_mut(message)) else { return gone() };
        if path.ends_with("/attachments") {
            draft.files.push(base64::engine::general_purpose::STANDARD.decode(asked["contentBytes"].as_str().unwrap()).unwrap().into());
            return says(201, json!({ "id": id }).to_string());
        }
        let size = usize::try_from(asked["AttachmentItem"]["size"].as_u64().unwrap()).unwrap();
        assert!(size >= 3 << 20, "smaller ones go in one request");
        self.sessions.begun += 1;
        self.sessions.all.insert(id.to_owned(), Session { account_id: account_id.to_owned(), message: message.to_owned(), size, bytes: Vec::new() });
        let url = format!("https://outlook.office.com/api/v2.0/Users('{}')/Messages('{message}')/AttachmentSessions('{id}')?authtoken=secret-{id}-0123456789abcdef", masked(account_id));
        says(201, json!({ "uploadUrl": url, "nextExpectedRanges": ["0-"] }).to_string())
    }

    fn take(&mut self, path: &str, body: &[u8]) -> Answer {
        let is_early = self.sessions.end_early && self.sessions.begun == 1;
        let Some(session) = self.sessions.all.get_mut(session_of(path)) else { return gone() };
        session.bytes.extend_from_slice(body);
        assert!(session.bytes.len() <= session.size);
        if session.bytes.len() < session.size {
            let answer = next(session);
            if is_early {
                self.sessions.all.remove(session_of(path));
            }
            return answer;
        }
        let session = self.sessions.all.remove(session_of(path)).unwrap();
        let Some(draft) = self.mailboxes.get_mut(&session.account_id).and_then(|mailbox| mailbox.messages.get_mut(&session.message)) else { return gone() };
        draft.files.push(session.bytes.into());
        says(201, "")
    }

    pub fn attached(&mut self, account_id: &str, path: &str) -> Answer {
        if is_upload(path) {
            return self.sessions.all.get(session_of(path)).map_or_else(gone, next);
        }
        let Some(draft) = self.mailboxes.get(account_id).and_then(|mailbox| mailbox.messages.get(draft_id(path)?)) else { return gone() };
        let list: Vec<Value> = (0..draft.files.len()).map(|n| json!({ "id": format!("file{n}") })).collect();
        says(200, json!({ "value": list }).to_string())
    }

    /// The connection breaks within a range: some of it is there.
    pub fn break_within(&mut self, path: &str, body: &[u8]) {
        let count = usize::try_from(self.chance.below(body.len().max(1) as u64)).unwrap();
        if let Some(session) = self.sessions.all.get_mut(session_of(path)) {
            session.bytes.extend_from_slice(&body[..count]);
        }
    }
}

fn content(text: &str, number: usize, size: usize) -> Vec<u8> {
    let seed = text.bytes().fold(number, |sum, b| sum * 31 % 1_000_003 + usize::from(b));
    let block: Vec<u8> = (0..8_191_usize).map(|at| ((at * 7 + at / 251 + seed) % 256) as u8).collect();
    let mut all = block.repeat(size / block.len() + 1);
    all.truncate(size);
    all
}

pub async fn stage(process: &Process, account_id: &str, bytes: &[u8]) -> String {
    let mut staging = process.outbox.stage(account_id, Some(bytes.len() as u64)).await.unwrap();
    for chunk in bytes.chunks(1_000_000) {
        staging.write(chunk.to_vec()).await.unwrap();
    }
    staging.finish().await.unwrap();
    staging.id().to_owned()
}

fn named(staged: String) -> FileAttachment {
    FileAttachment { name: "f".into(), content: Vec::new(), content_type: "a/b".into(), content_id: None, staged: Some(staged) }
}

/// Contents of these sizes, told apart by the text.
pub async fn staged(process: &Process, account_id: &str, text: &str, sizes: &[usize]) -> Vec<FileAttachment> {
    let mut files = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        files.push(named(stage(process, account_id, &content(text, number, *size)).await));
    }
    files
}

pub fn set_files(draft: &mut RouteDraft, files: Vec<FileAttachment>) {
    match draft {
        RouteDraft::Mail { mail } => mail.attachments = files,
        RouteDraft::Reply { reply } => reply.attachments = files,
        RouteDraft::Forward { forward } => forward.attachments = files,
        RouteDraft::Chat { chat } => chat.attachments = files,
        RouteDraft::ChannelPost { channel_post } => channel_post.attachments = files,
        RouteDraft::Workflow { .. } | RouteDraft::Bot { .. } => {}
    }
}

/// Exactly these, each whole, after what an answer has from its original.
pub fn has_files(found: &[Bytes], route: SendRoute, text: &str, sizes: &[usize]) -> bool {
    let own = if !matches!(route, SendRoute::Reply | SendRoute::Forward) { found } else { found.get(1..).unwrap_or_default() };
    own.len() == sizes.len() && own.iter().zip(sizes).enumerate().all(|(number, (bytes, size))| *bytes == content(text, number, *size))
}

const CALM: Troubles = Troubles { unreachable: 0, lost_request: 0, lost_answer: 0, throttled: 0, contested: 0, late: 0, slow: 0 };
const TROUBLES: [Troubles; 4] = [
    CALM,
    Troubles { lost_answer: 30, throttled: 10, ..CALM },
    Troubles { lost_request: 30, ..CALM },
    Troubles { unreachable: 10, lost_request: 10, lost_answer: 10, throttled: 10, contested: 5, late: 30, slow: 0 },
];

/// Every point that a message of Teams with staged contents comes by.
const POSTED: [&str; 14] = [
    "outbox.claimed",
    "outbox.storing.Prepared",
    "outbox.stored.Prepared",
    "upload.range_arrived",
    "files.uploaded",
    "files.ready",
    "outbox.storing.Dispatching",
    "outbox.stored.Dispatching",
    "outbox.dispatched",
    "outbox.storing.Sent",
    "outbox.stored.Sent",
    "outbox.storing.RetryWait",
    "service.asked",
    "service.answered",
];

/// Every point that a mail with staged contents comes by.
const POINTS: [&str; 13] = [
    "outbox.claimed",
    "outbox.storing.Prepared",
    "outbox.stored.Prepared",
    "upload.range_arrived",
    "mail.file_uploaded",
    "mail.draft_made",
    "outbox.storing.Dispatching",
    "outbox.stored.Dispatching",
    "outbox.dispatched",
    "outbox.storing.Sent",
    "outbox.stored.Sent",
    "service.asked",
    "service.answered",
];

async fn run(world: &World, point: &str, route: SendRoute, seed: u64) -> bool {
    let what = format!("killed at {point}, {route:?}, seed {seed}");
    let mut chance = Chance::new(seed);
    let account_id = format!("{point} {route:?} {seed}").replace(' ', "_");
    world.connect(&account_id);
    let microsoft = world.microsoft(chance.fork(), TROUBLES[usize::try_from(seed).unwrap() % TROUBLES.len()]);
    let mut ledger = Ledger::new(world, &microsoft, true);
    ledger.files = FILES;
    let (mut is_first, mut reached) = (true, false);
    for _ in 0..=chance.below(2) {
        let mut process = world.process(&microsoft);
        if std::mem::take(&mut is_first) {
            ledger.enqueue(&mut process, &account_id, route, false, None, None).await;
        }
        let armed = Armed::at(point, usize::try_from(chance.below(3)).unwrap());
        reached |= tokio::select! { () = armed.reached() => true, () = ledger.ended(&process, &what) => false };
        process.kill().await;
        ledger.note_kill().await;
    }
    let last = world.process(&microsoft);
    ledger.ended(&last, &what).await;
    ledger.check(&last, &what).await;
    while world.store.sweep_staged(0).await.unwrap() {}
    last.kill().await;
    reached
}

async fn kill_everywhere(route: SendRoute, points: &[&str]) {
    let world = World::new();
    // Each seed brings other troubles; the routes take turns with them.
    for (number, point) in points.iter().enumerate() {
        let mut is_killed = false;
        for seed in (number as u64..).take(12) {
            is_killed |= run(&world, point, route, seed).await;
            if is_killed {
                break;
            }
        }
        assert!(is_killed, "nobody came by {point}, {route:?}");
    }
}

#[tokio::test]
async fn mails_with_large_files_that_a_killed_process_left_leave_whole_and_once() {
    kill_everywhere(SendRoute::Mail, &POINTS).await;
}

#[tokio::test]
async fn chat_messages_with_files_that_a_killed_process_left_leave_whole_and_once() {
    kill_everywhere(SendRoute::Chat, &POSTED).await;
}

#[tokio::test]
async fn channel_messages_with_files_that_a_killed_process_left_leave_whole_and_once() {
    kill_everywhere(SendRoute::ChannelPost, &["upload.range_arrived", "files.uploaded", "files.ready", "outbox.stored.Dispatching", "service.answered"]).await;
}

#[tokio::test]
async fn answers_with_large_files_that_a_killed_process_left_leave_whole_and_once() {
    kill_everywhere(SendRoute::Reply, &["upload.range_arrived", "outbox.stored.Prepared", "outbox.dispatched"]).await;
    kill_everywhere(SendRoute::Forward, &["mail.file_uploaded", "outbox.storing.Dispatching", "service.answered"]).await;
}

fn place() -> (World, Arc<Microsoft>) {
    let world = World::new();
    world.connect("a");
    let microsoft = world.microsoft(Chance::new(1), Troubles::default());
    (world, microsoft)
}

async fn settled(process: &Process, id: &str) -> Receipt {
    let mut changes = process.outbox.settled();
    let settled = async {
        loop {
            let receipt = process.outbox.receipt(id, None).await.unwrap();
            if is_settled(&receipt) {
                return receipt;
            }
            changes.changed().await.unwrap();
        }
    };
    in_time(settled, || id.to_owned()).await
}

fn with(text: &str, ids: &[&str]) -> RouteDraft {
    let mut handed_in = draft("a", SendRoute::Mail, text, None);
    set_files(&mut handed_in, ids.iter().map(|id| named((*id).to_owned())).collect());
    handed_in
}

#[tokio::test]
async fn a_session_that_ends_early_is_begun_anew() {
    let (world, microsoft) = place();
    microsoft.end_sessions_early();
    let process = world.process(&microsoft);
    let files = staged(&process, "a", "one", FILES).await;
    let mut handed_in = draft("a", SendRoute::Mail, "one", None);
    set_files(&mut handed_in, files);
    let receipt = process.outbox.enqueue(handed_in, true).await.unwrap();
    assert_eq!(settled(&process, &receipt.id).await.state, SendState::Sent);
    microsoft.mailbox("a", |mailbox| assert!(has_files(&mailbox.files["one"], SendRoute::Mail, "one", FILES)));
    assert_eq!(microsoft.sessions_begun(), 2);
}

#[tokio::test]
async fn the_same_content_staged_twice_is_the_same_submission() {
    let (world, microsoft) = place();
    let process = world.process(&microsoft);
    let [one, again, other] = [stage(&process, "a", b"content").await, stage(&process, "a", b"content").await, stage(&process, "a", b"other").await];
    let first = process.outbox.enqueue(with("x", &[&one]), true).await.unwrap();
    assert_eq!(process.outbox.enqueue(with("x", &[&again]), true).await.unwrap().id, first.id);
    assert_eq!(process.outbox.enqueue(with("x", &[&other]), true).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(settled(&process, &first.id).await.state, SendState::Sent);
    // Its content is gone by now, and it is known all the same.
    while world.store.sweep_staged(0).await.unwrap() {}
    assert!(world.store.staged_part(&one, 0).await.unwrap().is_none());
    assert_eq!(process.outbox.enqueue(with("x", &[&one]), true).await.unwrap().id, first.id);
    assert_eq!(process.outbox.enqueue(with("y", &[&one]), true).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_staged_badly_leaves_nothing() {
    let (world, microsoft) = place();
    let process = world.process(&microsoft);
    let begin = async |said: Option<u64>| process.outbox.stage("a", said).await;
    let left = async |staging: &Staging| world.store.staged(&[staging.id().to_owned()]).await.unwrap().len();
    // Too long.
    let mut staging = begin(Some(600_000)).await.unwrap();
    staging.write(vec![1; 600_000]).await.unwrap();
    assert_eq!(left(&staging).await, 1);
    assert_eq!(staging.write(vec![1]).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!((left(&staging).await, staging.write(vec![]).await.unwrap_err().kind()), (0, ErrorKind::Conflict));
    // Too short.
    let mut staging = begin(Some(600_000)).await.unwrap();
    staging.write(vec![1; 599_999]).await.unwrap();
    assert_eq!(staging.finish().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(left(&staging).await, 0);
    // Given up; of one that is finished nothing changes.
    let mut staging = begin(None).await.unwrap();
    staging.write(vec![1; 600_000]).await.unwrap();
    staging.give_up().await.unwrap();
    assert_eq!(left(&staging).await, 0);
    let mut staging = begin(None).await.unwrap();
    staging.finish().await.unwrap();
    staging.give_up().await.unwrap();
    assert_eq!(left(&staging).await, 1);
    assert_eq!(begin(Some((150 << 20) + 1)).await.err().map(|e| e.kind()), Some(ErrorKind::LimitExceeded));
    // Each by itself is small enough.
    let ids: Vec<String> = vec![stage(&process, "a", &[0; 1000]).await; 2];
    crate::store::tamper(&world.folder(), "UPDATE staged SET size = 100000000");
    assert_eq!(process.outbox.enqueue(with("z", &[&ids[0], &ids[1]]), true).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[tokio::test]
async fn what_is_taken_back_while_it_is_uploaded_is_not_sent() {
    let (world, microsoft) = place();
    let process = world.process(&microsoft);
    let files = staged(&process, "a", "one", FILES).await;
    microsoft.slow_down();
    let mut handed_in = draft("a", SendRoute::Mail, "one", None);
    set_files(&mut handed_in, files.clone());
    let receipt = process.outbox.enqueue(handed_in, true).await.unwrap();
    // The draft, the session, the first range.
    for requests in 1..=3 {
        microsoft.let_through(1);
        in_time(microsoft.writes(requests), || format!("{requests} requests")).await;
    }
    assert_eq!(process.outbox.cancel(&receipt.id, None).await.unwrap().state, SendState::Cancelled);
    microsoft.speed_up();
    microsoft.let_through(10);
    let ids: Vec<String> = files.into_iter().filter_map(|file| file.staged).collect();
    let tidied = async {
        while microsoft.mailbox("a", |mailbox| mailbox.is_draft("one")) {
            world.clock.advance(1_000);
            tokio::task::yield_now().await;
        }
    };
    in_time(tidied, || "its draft is removed".to_owned()).await;
    microsoft.mailbox("a", |mailbox| assert!(mailbox.accepted.is_empty() && mailbox.asked.is_empty()));
    assert!(world.store.staged(&ids).await.unwrap().iter().all(|row| row.is_gone));
}
