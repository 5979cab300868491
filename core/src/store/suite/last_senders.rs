//! Who wrote last in a context, remembered with the send.

use super::*;
use crate::store::Kept;

const DAY: i64 = 86_400_000;

fn by(account: &str, context: u8, address: Option<&str>, at: i64) -> NewItem {
    let last = LastSenderRow { context: [context; 32], account_id: account.into(), from_address: address.map(sealed), used_at: at };
    NewItem { last_sender: Some(last), ..item_of(account, "l", None) }
}

async fn last(s: &dyn Store, context: u8) -> Option<(String, bool, i64)> {
    s.last_sender(&[context; 32]).await.unwrap().map(|row| (row.account_id, row.from_address.is_some(), row.used_at))
}

pub async fn the_last_sender_of_a_context_is_remembered_with_its_send(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    assert_eq!(last(s, 1).await, None);
    s.put(&by("a", 1, Some("shared"), 5), &content()).await.unwrap();
    s.put(&by("b", 2, None, 6), &content()).await.unwrap();
    assert_eq!((last(s, 1).await, last(s, 2).await), (Some(("a".into(), true, 5)), Some(("b".into(), false, 6))));
    s.put(&by("b", 1, None, 4), &content()).await.unwrap();
    assert_eq!(last(s, 1).await, Some(("b".into(), false, 4)), "the one that was stored last, whatever the clock says");
    s.put(&item_of("a", "l", None), &content()).await.unwrap();
    assert_eq!(last(s, 1).await, Some(("b".into(), false, 4)), "a send without a context changes nothing");
}

pub async fn what_is_not_stored_is_not_remembered(s: &dyn Store) {
    connect(s, "a").await;
    let first = NewItem { key: Some("k".into()), ..by("a", 1, Some("shared"), 5) };
    s.put(&first, &content()).await.unwrap();
    let same = NewItem { key: Some("k".into()), ..by("a", 1, None, 6) };
    assert!(matches!(s.put(&same, &content()).await.unwrap(), Enqueued::Known { .. }));
    let other = NewItem { key: Some("k".into()), content_hash: vec![9], ..by("a", 2, None, 7) };
    assert!(s.put(&other, &content()).await.is_err());
    let refused = s.enqueue(vec![(by("a", 1, None, 8), content())], |_, _| false).await;
    assert_eq!(refused.unwrap_err().kind(), crate::error::ErrorKind::NotConnected);
    assert_eq!((last(s, 1).await, last(s, 2).await), (Some(("a".into(), true, 5)), None));
}

pub async fn an_account_that_is_gone_is_no_last_sender(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    s.put(&by("a", 1, Some("shared"), 5), &content()).await.unwrap();
    s.put(&by("b", 2, None, 5), &content()).await.unwrap();
    s.disconnect_account("a", "by hand", 6).await.unwrap();
    assert_eq!((last(s, 1).await, last(s, 2).await), (None, Some(("b".into(), false, 5))));
    s.begin_purge(Purged::Account("b"), "purged", 7).await.unwrap();
    assert_eq!(last(s, 2).await, None, "from the first step on");
    while s.erase_some("b", 1, 8).await.unwrap() {}
    assert_eq!(last(s, 2).await, None);
}

pub async fn contexts_that_are_not_used_any_more_are_forgotten(s: &dyn Store) {
    connect(s, "a").await;
    for (context, at) in [(1, DAY), (2, DAY), (3, 9 * DAY)] {
        s.put(&by("a", context, Some("shared"), at), &content()).await.unwrap();
    }
    let kept = Kept { now: 10 * DAY, changes_since: 0, most_changes: 1_000, sends_since: 0, senders_since: 5 * DAY };
    while s.trim(&kept, 1).await.unwrap() {}
    assert_eq!((last(s, 1).await, last(s, 2).await, last(s, 3).await), (None, None, Some(("a".into(), true, 9 * DAY))));
}
