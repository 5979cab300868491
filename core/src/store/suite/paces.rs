//! The pace of a mailbox.

use super::*;

fn request(item: &str, is_bulk: bool) -> PaceRequest {
    let pace = Pace { mails_per_minute: 2, recipients_per_day: 0 };
    PaceRequest { mailbox: "t/user-a".into(), account_id: "a".into(), item: item.into(), recipients: 1, is_bulk, pace }
}

pub async fn a_mailbox_keeps_its_pace(s: &dyn Store) {
    connect(s, "a").await;
    let mut items = Vec::new();
    for n in 0..6 {
        items.push(enqueue(s, "a", &format!("lane {n}"), None).await);
    }
    let pace = async |at: usize, is_bulk, now| s.pace(&request(&items[at], is_bulk), now).await.unwrap();
    assert_eq!((pace(0, true, 1_000).await, pace(1, true, 1_000).await), (None, None));
    assert_eq!((pace(2, true, 1_500).await, pace(3, true, 1_500).await, pace(4, true, 1_500).await), (Some(61_000), Some(61_000), Some(121_000)));
    assert_eq!(pace(1, true, 2_000).await, None, "what was let go stays so");
    assert_eq!(pace(2, true, 2_000).await, Some(61_000), "and who waits has a time");
    assert_eq!(pace(5, false, 61_000).await, None, "a person passes those that wait");
    assert_eq!((pace(2, true, 61_000).await, pace(3, true, 61_000).await), (None, Some(121_000)), "one of which finds another time");
    assert_eq!(pace(4, true, 121_000).await, None);
    // Another account of the same mailbox has the same pace, another mailbox its own.
    let other = PaceRequest { mailbox: "t/user-b".into(), ..request("x", true) };
    assert_eq!(s.pace(&other, 121_000).await.unwrap(), None);
}
