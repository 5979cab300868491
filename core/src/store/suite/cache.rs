//! The cache of attachments: what is kept, what goes for it, and what is never served.

use super::*;

const MOST: u64 = 1 << 20;

fn place(message: &str, attachment: &str) -> CachePlace {
    CachePlace { account_id: "a".into(), graph_id: message.into(), attachment_id: attachment.into(), listed_size: 7 }
}

fn piece(id: &str, place: CachePlace, part: u32, whole: Option<u64>, now: i64) -> NewPiece {
    NewPiece { id: id.into(), place, part, sealed: sealed("piece"), whole, most: MOST, now }
}

fn length() -> u64 {
    sealed("piece").as_bytes().len() as u64
}

/// The messages m1 to m3 of an account, and a draft.
async fn with_mail(s: &dyn Store) -> Lease {
    connect(s, "a").await;
    let lease = lease(s).await;
    s.save_folders("a", 1, &lease, &FolderNews { changed: vec![folder("in")], ..FolderNews::default() }, 1).await.unwrap();
    let draft = NewMessage { is_draft: true, ..message("draft", "in", 1) };
    let upserts = vec![message("m1", "in", 1), message("m2", "in", 1), message("m3", "in", 1), draft];
    assert!(matches!(s.apply(page("a", &lease, upserts)).await.unwrap(), Applied::Written { .. }));
    lease
}

async fn whole(s: &dyn Store, id: &str, message: &str, now: i64) {
    for part in 0..2 {
        assert_eq!(s.cache_piece(&piece(id, place(message, "f"), part, (part == 1).then_some(10), now)).await.unwrap(), CachedPiece::Stored);
    }
}

async fn sweep(s: &dyn Store, most: Option<u64>, stale_before: i64) {
    while s.sweep_cached(CacheSweep { most, stale_before }).await.unwrap() {}
}

async fn is_cached(s: &dyn Store, message: &str, now: i64) -> bool {
    s.cached(&place(message, "f"), now).await.unwrap().is_some()
}

pub async fn a_cached_content_is_served_once_it_is_whole(s: &dyn Store) {
    with_mail(s).await;
    assert_eq!(s.cache_piece(&piece("one", place("m1", "f"), 0, None, 1)).await.unwrap(), CachedPiece::Stored);
    assert!(!is_cached(s, "m1", 1).await && s.cached_piece("one", 0).await.unwrap().is_none(), "the rest is to come");
    assert_eq!(s.cache_piece(&piece("one", place("m1", "f"), 1, Some(10), 1)).await.unwrap(), CachedPiece::Stored);
    assert_eq!(s.cached(&place("m1", "f"), 1).await.unwrap(), Some(CachedRow { id: "one".into(), size: 10 }));
    assert!(s.cached_piece("one", 1).await.unwrap().is_some() && s.cached_piece("one", 2).await.unwrap().is_none());
    // Whole, it takes no more; another size in the list is another content, and takes its place.
    assert_eq!(s.cache_piece(&piece("one", place("m1", "f"), 2, None, 1)).await.unwrap(), CachedPiece::Refused);
    let other = CachePlace { listed_size: 8, ..place("m1", "f") };
    assert!(s.cached(&other, 1).await.unwrap().is_none());
    assert_eq!(s.cache_piece(&piece("two", other.clone(), 0, Some(4), 1)).await.unwrap(), CachedPiece::Stored);
    assert!(s.cached(&other, 1).await.unwrap().is_some() && !is_cached(s, "m1", 1).await && s.cached_piece("one", 0).await.unwrap().is_none());
    // Neither of a draft nor of what is not here, nor under a wrong account.
    for place in [place("draft", "f"), place("m9", "f"), CachePlace { account_id: "b".into(), ..place("m2", "f") }] {
        assert_eq!(s.cache_piece(&piece("x", place, 0, Some(1), 1)).await.unwrap(), CachedPiece::Refused);
    }
    // What is given up is not served.
    assert_eq!(s.cache_piece(&piece("three", place("m2", "f"), 0, None, 1)).await.unwrap(), CachedPiece::Stored);
    s.drop_cached("three").await.unwrap();
    assert_eq!(s.cache_piece(&piece("three", place("m2", "f"), 1, Some(1), 1)).await.unwrap(), CachedPiece::Refused);
    sweep(s, None, 0).await;
    assert!(!is_cached(s, "m2", 1).await && s.cached(&other, 1).await.unwrap().is_some());
}

pub async fn two_who_read_the_same_attachment_store_it_once(s: &dyn Store) {
    with_mail(s).await;
    assert_eq!(s.cache_piece(&piece("one", place("m1", "f"), 0, None, 1_000)).await.unwrap(), CachedPiece::Stored);
    assert_eq!(s.cache_piece(&piece("two", place("m1", "f"), 0, Some(5), 2_000)).await.unwrap(), CachedPiece::Refused, "the first goes on");
    assert_eq!(s.cache_piece(&piece("two", place("m1", "f"), 1, Some(5), 2_000)).await.unwrap(), CachedPiece::Refused);
    assert_eq!(s.cache_piece(&piece("one", place("m1", "f"), 1, Some(10), 3_000)).await.unwrap(), CachedPiece::Stored);
    assert_eq!(s.cache_piece(&piece("three", place("m1", "f"), 0, Some(5), 4_000)).await.unwrap(), CachedPiece::Refused, "it is there");
    assert_eq!(s.cached(&place("m1", "f"), 4_000).await.unwrap().unwrap().id, "one");
    // Who stored no piece for long is passed, and told so.
    assert_eq!(s.cache_piece(&piece("slow", place("m2", "f"), 0, None, 5_000)).await.unwrap(), CachedPiece::Stored);
    let later = 5_000 + CACHE_STALE_MS;
    assert_eq!(s.cache_piece(&piece("quick", place("m2", "f"), 0, Some(5), later)).await.unwrap(), CachedPiece::Stored);
    assert_eq!(s.cache_piece(&piece("slow", place("m2", "f"), 1, Some(10), later)).await.unwrap(), CachedPiece::Refused);
    assert_eq!(s.cached(&place("m2", "f"), later).await.unwrap().unwrap().id, "quick");
    // What nobody goes on with is erased.
    assert_eq!(s.cache_piece(&piece("left", place("m3", "f"), 0, None, later)).await.unwrap(), CachedPiece::Stored);
    sweep(s, None, later + 1).await;
    assert_eq!(s.cache_piece(&piece("left", place("m3", "f"), 1, Some(1), later + 1)).await.unwrap(), CachedPiece::Refused);
    assert!(is_cached(s, "m1", later).await && is_cached(s, "m2", later).await);
}

pub async fn the_cache_stays_below_its_limit(s: &dyn Store) {
    with_mail(s).await;
    let most = 4 * length();
    let put = |id: &str, message: &str, part, whole, now| {
        let piece = NewPiece { most, ..piece(id, place(message, "f"), part, whole, now) };
        async move { s.cache_piece(&piece).await.unwrap() }
    };
    whole(s, "one", "m1", 1).await;
    whole(s, "two", "m2", 2).await;
    // Read again, a minute later.
    assert!(is_cached(s, "m1", 70_000).await);
    assert_eq!(put("three", "m3", 0, None, 80_000).await, CachedPiece::Stored);
    assert!(is_cached(s, "m1", 80_000).await && !is_cached(s, "m2", 80_000).await, "the other was used before");
    assert_eq!(put("three", "m3", 1, None, 80_000).await, CachedPiece::Stored);
    assert!(is_cached(s, "m1", 80_000).await, "both fit");
    assert_eq!(put("three", "m3", 2, None, 80_000).await, CachedPiece::Stored);
    assert!(!is_cached(s, "m1", 80_000).await);
    assert_eq!(put("three", "m3", 3, None, 80_000).await, CachedPiece::Stored);
    // Larger than all that may be kept: nothing of it stays.
    assert_eq!(put("three", "m3", 4, Some(50), 80_000).await, CachedPiece::Refused);
    assert_eq!(put("three", "m3", 5, Some(60), 80_000).await, CachedPiece::Refused);
    whole(s, "again", "m1", 90_000).await;
    // One that does not fit by itself takes nothing from others.
    let large = NewPiece { most: length() - 1, ..piece("large", place("m2", "f"), 0, Some(9), 90_000) };
    assert_eq!(s.cache_piece(&large).await.unwrap(), CachedPiece::Refused);
    assert!(is_cached(s, "m1", 90_000).await);
    // A smaller limit holds from the next sweep on.
    whole(s, "more", "m2", 91_000).await;
    sweep(s, Some(3 * length()), 0).await;
    assert!(!is_cached(s, "m1", 91_000).await && is_cached(s, "m2", 91_000).await);
    sweep(s, Some(0), 0).await;
    assert!(!is_cached(s, "m2", 91_000).await);
}

pub async fn a_large_content_evicts_many_small_ones(s: &dyn Store) {
    with_mail(s).await;
    for n in 0..300 {
        let small = piece(&format!("small{n}"), place("m1", &format!("f{n}")), 0, Some(5), n);
        assert_eq!(s.cache_piece(&small).await.unwrap(), CachedPiece::Stored);
    }
    // Erased in several steps.
    let sealed = sealed(&"x".repeat(300 * usize::try_from(length()).unwrap()));
    let most = sealed.as_bytes().len() as u64;
    let large = NewPiece { sealed, most, ..piece("large", place("m2", "f"), 0, Some(9), 1_000) };
    assert_eq!(s.cache_piece(&large).await.unwrap(), CachedPiece::Again);
    assert!(!is_cached(s, "m2", 1_000).await);
    assert_eq!(s.cache_piece(&large).await.unwrap(), CachedPiece::Stored);
    assert!(is_cached(s, "m2", 1_000).await && s.cached(&place("m1", "f299"), 1_000).await.unwrap().is_none());
}

pub async fn a_cached_content_goes_with_its_message_and_account(s: &dyn Store) {
    let lease = with_mail(s).await;
    for (id, message) in [("one", "m1"), ("two", "m2"), ("three", "m3")] {
        whole(s, id, message, 1).await;
    }
    // m1 is gone from the mailbox, m2 becomes a draft, m3 is read.
    let gone = PageBatch { pending_removals: vec!["m1".into()], cursor: Some(Cursor { link: sealed("link"), version: 2, is_delta: true }), ..page("a", &lease, vec![]) };
    assert!(matches!(s.apply(gone).await.unwrap(), Applied::Written { .. }));
    assert!(is_cached(s, "m1", 1).await, "it may have been moved");
    let settled = Settled { gone: &["m1".to_owned()], there: &[], later: &[] };
    assert_eq!(s.settle("a", 1, &lease, Question::PendingRemovals, &settled, 2).await.unwrap(), Some((1, 0)));
    let changed = vec![NewMessage { is_draft: true, ..message("m2", "in", 2) }, NewMessage { is_read: true, ..message("m3", "in", 2) }];
    let changed = PageBatch { cursor: Some(Cursor { link: sealed("link"), version: 3, is_delta: true }), ..page("a", &lease, changed) };
    assert!(matches!(s.apply(changed).await.unwrap(), Applied::Written { .. }));
    assert_eq!((is_cached(s, "m1", 2).await, is_cached(s, "m2", 2).await, is_cached(s, "m3", 2).await), (false, false, true));
    assert!(s.cached_piece("one", 0).await.unwrap().is_none() && s.cached_piece("two", 0).await.unwrap().is_none());
    sweep(s, None, 0).await;
    // Its row may go.
    while s.trim(&Kept { now: 10, changes_since: 5, most_changes: 1_000, sends_since: 0, senders_since: 0 }, 10).await.unwrap() {}
    // A disconnect keeps content, a purge does not.
    s.disconnect_account("a", "why", 20).await.unwrap();
    assert!(is_cached(s, "m3", 20).await);
    s.begin_purge(Purged::Account("a"), "why", 30).await.unwrap();
    while s.erase_some("a", 2, 31).await.unwrap() {}
    assert!(!is_cached(s, "m3", 31).await && s.cached_piece("three", 0).await.unwrap().is_none());
}
