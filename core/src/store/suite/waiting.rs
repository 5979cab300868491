//! Sends that wait: for their time, and until what they say is replaced.

use super::*;

pub async fn what_is_scheduled_is_claimed_at_its_time(s: &dyn Store) {
    connect(s, "a").await;
    let later = NewItem { send_at: Some(100), ..item_of("a", "l", None) };
    let row = match s.put(&later, &content()).await.unwrap() {
        Enqueued::New(row) => row,
        other => panic!("{other:?}"),
    };
    assert_eq!((row.state, row.next_at, s.item(&later.id, None).await.unwrap().unwrap().next_at), (ItemState::Queued, Some(100), Some(100)));
    // What must have left by then is looked at by then.
    let short = NewItem { send_at: Some(90), deadline: Some(95), ..item_of("a", "m", None) };
    s.put(&short, &content()).await.unwrap();
    assert_eq!(s.next_claim(1, &[]).await.unwrap(), Some(Due::Scheduled(90)));
    assert!(s.claim(89, 10, &[]).await.unwrap().is_none());
    assert_eq!(s.claim(90, 5, &[]).await.unwrap().unwrap().id, short.id);
    assert_eq!(s.expire(96).await.unwrap(), std::slice::from_ref(&short.id));
    let claimed = s.claim(100, 10, &[]).await.unwrap().unwrap();
    assert_eq!((claimed.id.as_str(), claimed.attempts), (later.id.as_str(), 1));
    // Given back, it is tried again as any other.
    s.step(&claimed.id, claimed.fence, &Step { claim_until: None, next_at: Some(130), ..step(ItemState::RetryWait) }, 101).await.unwrap();
    assert_eq!(s.next_claim(101, &[]).await.unwrap(), Some(Due::Retry(130)));
    let waited = Awaited { ids: vec![later.id.clone()], most: 1, except: Vec::new(), in_hand: Default::default(), of_one_route: 4 };
    assert!(s.claim_awaited(101, 10, &waited).await.unwrap().is_empty());
}

pub async fn what_a_send_says_is_replaced_while_nobody_has_it_in_hand(s: &dyn Store) {
    connect(s, "a").await;
    let (first, second) = (item_of("a", "l", Some("k")), item_of("a", "l", None));
    s.put(&first, &content()).await.unwrap();
    s.put(&second, &content()).await.unwrap();
    let seen = s.item(&first.id, None).await.unwrap().unwrap();
    let small = |text: &str| Content { payload: sealed(text), version: 3, parts: Vec::new(), staged: Vec::new() };
    let other = NewItem { ordering_key: "m".into(), content_hash: vec![9], send_at: Some(50), deadline: Some(80), progress: Some(sealed("names")), ..first.clone() };
    // Sealed with a key that was replaced: nothing is changed.
    let dead = Content { payload: sealed_by(999, "p"), ..small("x") };
    assert!(s.edit(&seen, other.clone(), dead, 2).await.is_err());
    let new = small("new");
    assert!(s.edit(&seen, other.clone(), new.clone(), 2).await.unwrap());
    assert!(!s.edit(&seen, other.clone(), small("newer"), 3).await.unwrap(), "it is not as it was seen");
    let (row, found) = s.content(&first.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.next_at, row.deadline, row.key.as_deref(), row.progress_version, row.has_files), (ItemState::Queued, Some(50), Some(80), Some("k"), 1, false));
    assert!(found.payload == new.payload && found.version == 3 && found.parts.is_empty() && row.progress.is_some());
    let again = s.put(&NewItem { id: "snd_x".into(), ..first.clone() }, &content()).await.unwrap_err();
    assert_eq!(again.kind(), crate::error::ErrorKind::Conflict, "its key stands for the new content");
    // The other of its lane goes on; it comes at its time, and who has it in hand is not disturbed.
    assert_eq!(s.claim(4, 10, &[]).await.unwrap().unwrap().id, second.id);
    assert!(s.claim(4, 10, &[]).await.unwrap().is_none());
    let claimed = s.claim(50, 10, std::slice::from_ref(&second.id)).await.unwrap().unwrap();
    assert_eq!(claimed.id, first.id);
    assert!(!s.edit(&row, other.clone(), small("late"), 51).await.unwrap());
    assert!(!s.edit(&claimed, other, small("late"), 51).await.unwrap());
    // Back in its old lane, before what came later.
    s.step(&claimed.id, claimed.fence, &Step { claim_until: None, ..step(ItemState::RetryWait) }, 52).await.unwrap();
    let third = enqueue(s, "a", "n", None).await;
    let seen = s.item(&first.id, None).await.unwrap().unwrap();
    assert!(s.edit(&seen, NewItem { ordering_key: "n".into(), ..first.clone() }, small("n"), 53).await.unwrap());
    assert_eq!(s.claim(54, 10, std::slice::from_ref(&second.id)).await.unwrap().unwrap().id, first.id);
    assert!(s.claim(54, 10, std::slice::from_ref(&second.id)).await.unwrap().is_none(), "{third} waits for it");
}
