//! Staged contents: who needs them, and when they go.

use super::*;

async fn stage(s: &dyn Store, account: &str, id: &str) {
    s.begin_staging(id, account, 1_000).await.unwrap();
    for part in 0..3 {
        assert!(s.stage_part(id, part, sealed("piece"), 1_000).await.unwrap());
    }
    assert!(s.finish_staging(id, Staged { size: 3, digest: vec![7] }, 1_000).await.unwrap());
}

async fn send(s: &dyn Store, account: &str, staged: &[&str]) -> Result<String> {
    let content = Content { parts: Vec::new(), staged: staged.iter().map(|id| (*id).to_owned()).collect(), ..content() };
    s.put(&item_of(account, "l", None), &content).await.map(|enqueued| match enqueued {
        Enqueued::New(row) => {
            assert!(row.has_files);
            row.id
        }
        other => panic!("{other:?}"),
    })
}

async fn sweep(s: &dyn Store, now: i64) {
    while s.sweep_staged(now).await.unwrap() {}
}

async fn known(s: &dyn Store, id: &str) -> Option<bool> {
    s.staged(&[id.to_owned()]).await.unwrap().pop().map(|row| row.is_gone)
}

async fn end(s: &dyn Store, state: ItemState) {
    let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
    assert!(claimed.has_files);
    assert!(s.step(&claimed.id, claimed.fence, &step(state), 2).await.unwrap().is_some());
}

pub async fn a_staged_content_is_there_for_as_long_as_a_send_needs_it(s: &dyn Store) {
    connect(s, "a").await;
    stage(s, "a", "stg_one").await;
    // Whole, it takes no more.
    assert!(!s.stage_part("stg_one", 3, sealed("piece"), 1_000).await.unwrap());
    let (one, two) = (send(s, "a", &["stg_one"]).await.unwrap(), send(s, "a", &["stg_one"]).await.unwrap());
    s.drop_staged("stg_one").await.unwrap();
    sweep(s, 1_000_000).await;
    assert!(s.staged_part("stg_one", 2).await.unwrap().is_some(), "two sends need it");
    // A failed send may be asked for again.
    end(s, ItemState::Failed).await;
    assert!(s.cancel(&two, "why", 3).await.unwrap());
    sweep(s, 1_000_000).await;
    assert!(s.staged_part("stg_one", 0).await.unwrap().is_some());
    let row = s.item(&one, None).await.unwrap().unwrap();
    let again = Reopened { seen: &row, state: ItemState::Queued, progress: sealed("p") };
    assert!(s.reopen(&again, 4).await.unwrap());
    end(s, ItemState::Sent).await;
    assert!(s.staged_part("stg_one", 0).await.unwrap().is_none(), "nobody needs it any more");
    sweep(s, 0).await;
    // That the sends named it stays known, so that the same submission is; a new one cannot name it.
    assert_eq!(known(s, "stg_one").await, Some(true));
    assert_eq!(send(s, "a", &["stg_one"]).await.unwrap_err().kind(), crate::error::ErrorKind::NotFound);
    while s.trim(&Kept { now: 10, changes_since: 0, most_changes: 1_000, sends_since: 10, senders_since: 0 }, 10).await.unwrap() {}
    sweep(s, 0).await;
    assert_eq!(known(s, "stg_one").await, None);
}

pub async fn a_staged_content_that_nobody_names_goes_in_its_time(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    stage(s, "a", "stg_one").await;
    s.begin_staging("stg_two", "a", 2_000).await.unwrap();
    // Not whole, not of this account, not there.
    for (account, id) in [("a", "stg_two"), ("b", "stg_one"), ("a", "stg_three")] {
        assert_eq!(send(s, account, &[id]).await.unwrap_err().kind(), crate::error::ErrorKind::NotFound, "{account} {id}");
    }
    sweep(s, 999).await;
    assert_eq!((known(s, "stg_one").await, known(s, "stg_two").await), (Some(false), Some(false)));
    sweep(s, 1_000).await;
    assert_eq!((known(s, "stg_one").await, known(s, "stg_two").await), (None, Some(false)));
    s.drop_staged("stg_two").await.unwrap();
    assert!(!s.stage_part("stg_two", 0, sealed("piece"), 9_000).await.unwrap(), "given up");
    assert!(!s.finish_staging("stg_two", Staged { size: 0, digest: vec![] }, 9_000).await.unwrap());
    sweep(s, 0).await;
    assert_eq!(known(s, "stg_two").await, None);
    s.disconnect_account("b", "gone", 4).await.unwrap();
    assert_eq!(s.begin_staging("stg_x", "b", 1).await.unwrap_err().kind(), crate::error::ErrorKind::NotConnected);
}

pub async fn what_a_send_says_is_replaced_with_its_staged_contents(s: &dyn Store) {
    connect(s, "a").await;
    for id in ["stg_old", "stg_both", "stg_new"] {
        stage(s, "a", id).await;
    }
    let id = send(s, "a", &["stg_old", "stg_both"]).await.unwrap();
    let seen = s.item(&id, None).await.unwrap().unwrap();
    let content = Content { parts: Vec::new(), staged: vec!["stg_both".into(), "stg_new".into()], ..content() };
    assert!(s.edit(&seen, NewItem { id: id.clone(), progress: Some(sealed("p")), ..item_of("a", "l", None) }, content, 5).await.unwrap());
    sweep(s, 1_000_000).await;
    assert_eq!((known(s, "stg_old").await, known(s, "stg_both").await, known(s, "stg_new").await), (None, Some(false), Some(false)));
    // A purge takes all of it.
    s.begin_purge(Purged::Account("a"), "why", 6).await.unwrap();
    while s.erase_some("a", 2, 7).await.unwrap() {}
    assert_eq!(known(s, "stg_both").await, None);
}
