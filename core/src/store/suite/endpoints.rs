//! Endpoints of subscribers, and wholes.

use super::*;
use crate::error::ErrorKind;
use crate::model::{EndpointKind, EndpointState};
use crate::store::suite::OutboxParts;
use crate::store::{EndpointRow, EndpointWindow, MOST_ENDPOINTS, NewPart, PartOf, RefusedPart, Retirement, WholeRow};

fn endpoint(id: &str, subscriber: &str, target: u8) -> EndpointRow {
    EndpointRow {
        row_id: 0,
        id: id.into(),
        account_id: "a".into(),
        subscriber: subscriber.into(),
        context_hash: [1; 32],
        target_hash: [target; 32],
        place_hash: [target + 100; 32],
        kind: EndpointKind::TeamsUser,
        state: EndpointState::Active,
        reason: None,
        version: 1,
        created_at: 5,
        changed_at: 5,
        sealed: sealed(id),
    }
}

fn of(subscriber: &str) -> EndpointWindow {
    EndpointWindow { subscriber: Some(subscriber.into()), limit: 100, ..EndpointWindow::default() }
}

async fn ids(s: &dyn Store, window: EndpointWindow) -> Vec<String> {
    s.endpoints(&window).await.unwrap().into_iter().map(|row| row.id).collect()
}

pub async fn endpoints_are_kept_listed_and_changed_by_their_version(s: &dyn Store) {
    connect(s, "a").await;
    let one = s.add_endpoint(&endpoint("e1", "s", 1)).await.unwrap();
    s.add_endpoint(&endpoint("e2", "s", 2)).await.unwrap();
    s.add_endpoint(&endpoint("e3", "t", 1)).await.unwrap();
    assert_eq!(s.add_endpoint(&endpoint("e4", "s", 1)).await.unwrap().id, "e1");
    assert_eq!(ids(s, of("s")).await, ["e1", "e2"]);
    assert_eq!(ids(s, EndpointWindow { after: one.row_id, ..of("s") }).await, ["e2"]);
    assert_eq!(ids(s, EndpointWindow { context_hash: Some([2; 32]), ..of("s") }).await, [] as [&str; 0]);
    assert_eq!(ids(s, EndpointWindow { account_ids: Some(vec!["a".into()]), limit: 2, ..EndpointWindow::default() }).await.len(), 3, "one more than asked for");
    assert_eq!(s.add_endpoint(&EndpointRow { account_id: "nobody".into(), ..endpoint("e5", "s", 5) }).await.unwrap_err().kind(), ErrorKind::NotConnected);

    let changed = EndpointRow { target_hash: [9; 32], version: 2, changed_at: 8, ..one.clone() };
    assert_eq!(s.change_endpoint(&one, &changed).await.unwrap().unwrap().version, 2);
    assert!(s.change_endpoint(&one, &changed).await.unwrap().is_none(), "another came before");
    let twin = EndpointRow { target_hash: [2; 32], version: 3, ..changed.clone() };
    assert_eq!(s.change_endpoint(&changed, &twin).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(s.remove_endpoint("e2").await.unwrap());
    assert!(!s.remove_endpoint("e2").await.unwrap());
    assert!(s.endpoint("e2").await.unwrap().is_none());

    for number in 0..MOST_ENDPOINTS - 1 {
        s.add_endpoint(&EndpointRow { context_hash: [3; 32], target_hash: [u8::try_from(number).unwrap(); 32], ..endpoint(&format!("more{number}"), "s", 0) }).await.unwrap();
    }
    assert_eq!(s.add_endpoint(&endpoint("e6", "s", 7)).await.unwrap_err().kind(), ErrorKind::LimitExceeded);

    s.begin_purge(Purged::Owner("s"), "because", 9).await.unwrap();
    assert_eq!(ids(s, of("s")).await, [] as [&str; 0]);
    assert_eq!(ids(s, of("t")).await, ["e3"]);
}

pub async fn a_whole_is_stored_with_its_first_part_and_retires_what_was_refused(s: &dyn Store) {
    connect(s, "a").await;
    with_log(s).await;
    for (id, target) in [("e1", 1), ("e2", 2)] {
        s.add_endpoint(&endpoint(id, "s", target)).await.unwrap();
    }
    let whole = WholeRow { id: "whl_1".into(), subscriber: "s".into(), key: Some("k".into()), content_hash: vec![7], created_at: 1, refused: vec![RefusedPart { endpoint_id: "e3".into(), reason: "no".into() }] };
    let part = |endpoint_id: &str, whole: Option<&WholeRow>| NewPart { of: PartOf { whole_id: "whl_1".into(), endpoint_id: endpoint_id.into(), endpoint_version: 1 }, whole: whole.cloned() };
    let (first, second) = (item_of("a", "lane", None), item_of("a", "lane", None));
    let sends = vec![
        (NewItem { part: Some(part("e1", Some(&whole))), ..first.clone() }, content()),
        (NewItem { part: Some(part("e2", None)), ..second.clone() }, content()),
    ];
    s.enqueue(sends, |_, _| true).await.unwrap();
    assert_eq!(s.whole("whl_1").await.unwrap().unwrap().refused, whole.refused);
    assert_eq!(s.whole_by_key("s", "k").await.unwrap().unwrap().id, "whl_1");
    assert!(s.whole_by_key("t", "k").await.unwrap().is_none());
    let parts = s.parts("whl_1").await.unwrap();
    assert_eq!(parts.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [first.id.as_str(), second.id.as_str()]);
    assert_eq!(parts[1].part.as_ref().unwrap().endpoint_id, "e2");

    // The key is used: nothing of it is stored.
    let again = WholeRow { id: "whl_2".into(), ..whole.clone() };
    let third = item_of("a", "lane", None);
    let send = (NewItem { part: Some(part("e1", Some(&again))), ..third.clone() }, content());
    assert_eq!(s.enqueue(vec![send], |_, _| true).await.unwrap_err().kind(), ErrorKind::StoreBusy);
    assert!(s.item(&third.id, None).await.unwrap().is_none() && s.whole("whl_2").await.unwrap().is_none());

    for (id, endpoint_id, why) in [(&first.id, "e1", Retirement::NotInstalled(Some([42; 32]))), (&second.id, "e2", Retirement::Final)] {
        if endpoint_id == "e2" {
            // It was changed since the message was handed in.
            let seen = s.endpoint("e2").await.unwrap().unwrap();
            s.change_endpoint(&seen, &EndpointRow { version: 2, ..seen.clone() }).await.unwrap();
        }
        let claimed = s.claim(10, 100, &[]).await.unwrap().unwrap();
        assert_eq!(claimed.id, *id);
        s.step(id, claimed.fence, &Step { reason: Some("gone".into()), retires: Some(why), ..step(ItemState::Failed) }, 11).await.unwrap();
    }
    let one = s.endpoint("e1").await.unwrap().unwrap();
    assert_eq!((one.state, one.reason.as_deref()), (EndpointState::Retired, Some("gone")));
    assert_eq!(s.endpoint("e2").await.unwrap().unwrap().state, EndpointState::Active);
    assert_eq!(one.place_hash, [42; 32]);
    // The same target again is the same endpoint, and active.
    let back = s.add_endpoint(&endpoint("e9", "s", 1)).await.unwrap();
    assert_eq!((back.id.as_str(), back.state), ("e1", EndpointState::Active));
}
