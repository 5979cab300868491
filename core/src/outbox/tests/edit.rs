//! What a send says is replaced, or not any more.

use super::delivery::{Bench, bench, letter, made};
use super::*;
use crate::clock::{Clock, from_ms};
use crate::model::SendState;
use crate::outbox::channel::Channel;
use crate::outbox::channels::Mail;
use crate::outbox::job::{read_progress, seal_progress};
use crate::pipeline::fake::says;
use crate::store::{OutboxParts, Step, Tally};
use serde_json::Value;
use std::time::Duration;

/// Subjects of the drafts that were asked for.
fn subjects(bench: &Bench) -> Vec<String> {
    let seen = bench.service.seen.lock().unwrap();
    let drafts = seen.iter().filter(|request| request.uri().path() == "/v1.0/me/messages");
    drafts.map(|request| serde_json::from_slice::<Value>(request.body()).unwrap()["subject"].as_str().unwrap().to_owned()).collect()
}

async fn edit(bench: &Bench, id: &str, subject: &str) -> Result<Receipt> {
    bench.outbox.edit(id, MailDraft { subject: subject.into(), ..letter() }.into(), None).await
}

/// Leaves the mail to wait, tried in vain; `unmade`: the service turned its draft away unread.
async fn tried(bench: &Bench, unmade: bool) -> Receipt {
    let receipt = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    let item = bench.store.claim(bench.now(), 10_000, &[]).await.unwrap().unwrap();
    let mut progress = read_progress::<<Mail as Channel>::Progress>(&bench.vault, &item).await.unwrap();
    progress.own.unmade = unmade;
    let progress = seal_progress(&bench.vault.content("a").await.unwrap(), &item, &progress).unwrap();
    let next_at = Some(bench.now() + 600_000);
    let step = Step { state: ItemState::RetryWait, progress: Some(progress), reason: None, next_at, sent_at: None, links: Vec::new(), sent_mail: None, retires: None, said: None, claim_until: None, tally: Tally::None, tidy_at: None, announce: false, claim_next_until: None };
    assert!(bench.store.step(&item.id, item.fence, &step, bench.now()).await.unwrap().is_some());
    receipt
}

#[tokio::test]
async fn what_waits_and_left_nothing_in_the_mailbox_is_replaced() {
    let bench = bench(|request, _| if request.uri().path() == "/v1.0/me/messages" { made(request, "d") } else { says(202, "") });
    let receipt = tried(&bench, true).await;
    let edited = edit(&bench, &receipt.id, "Later").await.unwrap();
    assert_eq!((edited.id.as_str(), edited.state, edited.next_attempt_at), (receipt.id.as_str(), SendState::Queued, None));
    assert_eq!(bench.settle(&receipt.id).await.state, SendState::Sent);
    assert_eq!(subjects(&bench), ["Later"]);
    assert_eq!(edit(&bench, &receipt.id, "Too late").await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn what_may_have_left_a_draft_in_the_mailbox_is_not() {
    let bench = bench(|_, _| says(202, ""));
    let receipt = tried(&bench, false).await;
    let refused = edit(&bench, &receipt.id, "Later").await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Conflict && refused.reason().contains("something of it may lie at Microsoft"), "{refused}");
    assert_eq!(bench.outbox.cancel(&receipt.id, None).await.unwrap().state, SendState::Cancelled);
    assert!(edit(&bench, &receipt.id, "Later").await.unwrap_err().reason().contains("Hand in a new draft"));
}

#[tokio::test]
async fn what_a_worker_holds_is_not() {
    let bench = bench(|_, _| says(202, ""));
    let receipt = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    bench.left_in(&receipt, ItemState::Dispatching).await;
    let refused = edit(&bench, &receipt.id, "Later").await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Conflict && refused.reason().contains("being sent"), "{refused}");
}

#[tokio::test]
async fn the_new_time_counts() {
    let bench = bench(|request, _| if request.uri().path() == "/v1.0/me/messages" { made(request, "d") } else { says(202, "") });
    let at = |hours: u64| Some(bench.clock.now() + Duration::from_secs(hours * 3_600));
    let receipt = bench.outbox.enqueue(MailDraft { send_at: at(20), ..letter() }.into(), true).await.unwrap();
    assert_eq!(receipt.next_attempt_at, at(20));
    let draft = MailDraft { subject: "Sooner".into(), send_at: at(1), deadline: at(2), ..letter() };
    assert_eq!(bench.outbox.edit(&receipt.id, draft.into(), None).await.unwrap().next_attempt_at, at(1));
    let began = bench.now();
    bench.clock.advance(3_599_000);
    bench.until(&receipt.id, bench.passed(began, 3_598_000)).await;
    assert_eq!(bench.service.calls(), 0);
    bench.clock.advance(1_000);
    let sent = bench.settle(&receipt.id).await;
    assert_eq!((sent.state, sent.sent_at >= Some(from_ms(began + 3_600_000)), subjects(&bench)), (SendState::Sent, true, vec!["Sooner".to_owned()]));
}
