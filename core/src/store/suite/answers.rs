//! Answers that no person wrote.

use super::*;
use crate::model::MessageKind;
use crate::store::{Kept, Looked, LookedAt, NewAnswer, SentMail};

fn sent(graph_id: &str, hash: u8, conversation_id: Option<&str>) -> SentMail {
    SentMail { account_id: "a".into(), graph_id: graph_id.into(), conversation_id: conversation_id.map(Into::into), hash: [hash; 32] }
}

/// A mail that was sent.
async fn send(s: &dyn Store, known: SentMail) -> String {
    let id = enqueue(s, "a", "lane", None).await;
    let fence = s.claim(1, 1_000_000, &[]).await.unwrap().unwrap().fence;
    let on_its_way = Step { sent_mail: Some(SentMail { conversation_id: None, ..known.clone() }), ..step(ItemState::Dispatching) };
    assert!(s.step(&id, fence, &on_its_way, 2).await.unwrap().is_some());
    assert!(s.step(&id, fence, &Step { sent_mail: Some(known), ..step(ItemState::Sent) }, 2).await.unwrap().is_some());
    id
}

fn at(id: &str, conversation: &str, received_at: i64) -> NewMessage {
    NewMessage { conversation_id: conversation.into(), received_at: Some(received_at), ..message(id, "in", 1) }
}

async fn open(s: &dyn Store, now: i64) -> Vec<String> {
    s.candidates("a", now, 100).await.unwrap().into_iter().map(|one| one.graph_id).collect()
}

fn bounced(graph_id: &str, send_id: &str) -> LookedAt {
    let answer = NewAnswer { send_id: send_id.into(), at: 7, sealed: sealed("answer"), given_up: None };
    LookedAt { graph_id: graph_id.into(), looked: Looked::Known { kind: MessageKind::Bounce, answer: Some(answer) } }
}

async fn told(s: &dyn Store, kind: ChangeKind) -> Vec<String> {
    s.changes(&["a".to_owned()], 0, 1_000).await.unwrap().into_iter().filter(|change| change.kind == kind).filter_map(|change| change.subject_id).collect()
}

pub async fn what_comes_into_the_conversation_of_a_send_is_looked_at(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![at("before", "c", 1)], |_| {}).await;
    let id = send(s, sent("copy", 1, Some("c"))).await;
    let page = vec![at("copy", "c", 2), at("reply", "c", 3), at("other", "d", 4), at("odd", "d", 5), NewMessage { is_draft: true, ..at("draft", "c", 6) }];
    apply(s, &lease, page, |b| (b.cursor, b.candidates) = (None, vec!["odd".into()])).await;
    assert_eq!(open(s, 100).await, ["odd", "reply"], "neither the copy itself, nor drafts, nor what was here before");
    assert_eq!(open(s, 99).await, [""; 0]);
    assert_eq!(s.sends_with("a", vec![[1; 32], [2; 32]]).await.unwrap(), [([1; 32], id.clone())]);
    assert_eq!(s.sends_with("b", vec![[1; 32]]).await.unwrap(), []);
    assert_eq!(s.sends_in("a", "c", 10).await.unwrap(), [(id, "copy".to_owned())]);
}

pub async fn an_answer_is_told_once(s: &dyn Store) {
    let lease = mailbox(s).await;
    let id = send(s, sent("copy", 1, Some("c"))).await;
    apply(s, &lease, vec![at("ndr", "c", 3)], |_| {}).await;
    for _ in 0..2 {
        assert!(s.settle_candidates("a", 1, &lease, vec![bounced("ndr", &id)], 200).await.unwrap());
    }
    assert_eq!(open(s, 1_000).await, [""; 0]);
    assert_eq!(told(s, ChangeKind::SendAnswered).await, [id.as_str()]);
    assert_eq!(told(s, ChangeKind::MessageChanged).await, ["msg_ndr"]);
    assert_eq!(s.messages(&window()).await.unwrap().rows[0].kind, MessageKind::Bounce);
    let answers = s.answers(&[id.as_str(), "snd_other"]).await.unwrap();
    assert_eq!(answers.iter().map(|one| (one.send_id.as_str(), one.graph_id.as_str())).collect::<Vec<_>>(), [(id.as_str(), "ndr")]);
    // A send of another account, or one that is gone.
    assert!(s.settle_candidates("a", 1, &lease, vec![bounced("ndr", "snd_gone")], 200).await.unwrap());
    assert_eq!(told(s, ChangeKind::SendAnswered).await.len(), 1);
    assert!(!s.settle_candidates("a", 2, &lease, vec![bounced("ndr", &id)], 200).await.unwrap(), "the account was connected anew");
    assert!(s.settle_candidates("a", 1, &lease, vec![LookedAt { looked: Looked::Known { kind: MessageKind::Ordinary, answer: None }, ..bounced("ndr", &id) }], 200).await.unwrap());
    assert_eq!(s.messages(&window()).await.unwrap().rows[0].kind, MessageKind::Ordinary);
}

pub async fn what_the_mailbox_does_not_tell_is_asked_again_and_given_up(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![at("odd", "c", 3)], |b| b.candidates = vec!["odd".into()]).await;
    let later = || vec![LookedAt { graph_id: "odd".into(), looked: Looked::Later }];
    assert!(s.settle_candidates("a", 1, &lease, later(), 200).await.unwrap());
    assert_eq!((open(s, 200 + 59_999).await.len(), open(s, 200 + 60_000).await.len()), (0, 1));
    for _ in 0..7 {
        assert!(s.settle_candidates("a", 1, &lease, later(), 200).await.unwrap());
    }
    assert_eq!(open(s, i64::MAX).await, [""; 0]);
}

pub async fn answers_go_with_their_send(s: &dyn Store) {
    let lease = mailbox(s).await;
    let id = send(s, sent("copy", 1, Some("c"))).await;
    apply(s, &lease, vec![at("ndr", "c", 3)], |_| {}).await;
    assert!(s.settle_candidates("a", 1, &lease, vec![bounced("ndr", &id)], 200).await.unwrap());
    let kept = Kept { changes_since: 0, sends_since: 3, senders_since: 0, most_changes: 1_000, now: 1_000 };
    assert!(!s.trim(&kept, 100).await.unwrap());
    assert!(s.item(&id, None).await.unwrap().is_none() && s.answers(&[&id]).await.unwrap().is_empty());
    assert_eq!(s.sends_with("a", vec![[1; 32]]).await.unwrap(), []);
}
