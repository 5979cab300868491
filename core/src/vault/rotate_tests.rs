#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::tests::{connect, keys, profile, ready, root, store, token_place};
use super::*;
use crate::clock::TestClock;
use crate::error::{Error, ErrorKind};
use crate::runtime::block_on;
use crate::model::{ChangeKind, QuarantineKind, SendRoute};
use crate::seal::AadContext;
use crate::store::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const BODY: &[u8] = b"Dear Ms. Example, we look forward to Monday.";

pub async fn open(dir: &Path, seed: u8) -> (Arc<dyn Store>, Vault) {
    let store = store(dir);
    let vault = Vault::open(store.clone(), root(seed), 1).await.unwrap();
    ready(&vault).await;
    (store, vault)
}

fn at<'a>(table: &'a str, column: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table, column, account_id: "a", row, version }
}

fn mail(key: &DataKey, n: usize) -> Result<NewMessage> {
    let id = format!("m{n}");
    Ok(NewMessage {
        id: format!("msg_{n}"),
        graph_id: id.clone(),
        folder_id: "in".into(),
        conversation_id: "c".into(),
        change_key: "1".into(),
        received_at: Some(1_000),
        is_read: false,
        is_draft: false,
        head: key.seal(at("messages", "head", &id, 1), BODY)?,
        body: Some(key.seal(at("bodies", "body", &id, 1), BODY)?),
        search: None,
        version: 1,
        is_unlisted: false,
        has_attachments: false,
        change: Some(ChangeKind::MessageAdded),
    })
}

async fn page(store: &dyn Store, vault: &Vault, lease: &Lease, mails: std::ops::Range<usize>, version: i64) -> Result<Applied> {
    let (content, secrets) = (vault.content("a").await?, vault.secrets("a").await?);
    let batch = PageBatch {
        account_id: "a".into(),
        folder_id: "in".into(),
        generation: 1,
        lease: lease.clone(),
        enumeration: 1,
        upserts: mails.map(|n| mail(&content, n)).collect::<Result<_>>()?,
        seen: vec![],
        pending_removals: vec![],
        edits: vec![],
        links: vec![],
        candidates: vec![],
        quarantined: vec![Quarantined {
            graph_id: Some(format!("q{version}")),
            raw: content.seal(at("quarantine", "raw", &format!("p{version}"), 1), BODY)?,
            place: format!("p{version}"),
            reason: "odd".into(),
            kind: QuarantineKind::Message,
        }],
        cursor: Some(Cursor { link: secrets.seal(at("folders", "cursor", "in", version), BODY)?, version, is_delta: true }),
        page_size: None,
        step: None,
        completes_pass: false,
        now: 100,
    };
    store.apply(batch).await
}

async fn enqueue(store: &dyn Store, vault: &Vault) -> Result<String> {
    let hash = vault.hashes("a").await.unwrap().of("content", &[BODY])?.to_vec();
    let item = NewItem {
        id: "snd_1".into(),
        account_id: "a".into(),
        route: SendRoute::Mail,
        ordering_key: "l".into(),
        key: Some("same".into()),
        content_hash: hash,
        hash_version: 1,
        deadline: None,
        send_at: None,
        created_at: 1,
        is_bulk: true,
        progress: None,
        last_sender: Some(LastSenderRow { context: [0xcd; 32], account_id: "a".into(), from_address: Some(vault.content("a").await?.seal(at("last_senders", "from_address", &"cd".repeat(32), 7), BODY)?), used_at: 7 }),
        part: None,
    };
    let key = vault.content("a").await?;
    let part = Part { file: 0, part: 0, sealed: key.seal(at("outbox_parts", "part", "1/0/0", 1), BODY)? };
    let content = Content { payload: key.seal(at("outbox", "payload", "1", 2), BODY)?, version: 2, parts: vec![part], staged: Vec::new() };
    match store.put(&item, &content).await? {
        Enqueued::New(row) => Ok(row.id),
        Enqueued::Known { row, content_hash, .. } if content_hash == item.content_hash => Ok(row.id),
        Enqueued::Known { .. } => Err(Error::new(ErrorKind::Conflict, "other content")),
    }
}

/// An account with something in every sealed column.
pub async fn fill(store: &dyn Store, vault: &Vault, mails: usize) -> Lease {
    connect(store, vault, "a", true).await;
    let (content, secrets) = keys(vault, "a").await;
    let lease = store.take_lease("sync:a", "me", 0, 1_000_000).await.unwrap().unwrap();
    let name = content.seal(at("folders", "name", "in", 1), BODY).unwrap();
    let folder = FolderRow { graph_id: "in".into(), parent_id: None, well_known_name: None, name, version: 1, total: 3, unread: 1, is_synced: true, is_search: false };
    assert!(store.save_folders("a", 1, &lease, &FolderNews { changed: vec![folder], ..FolderNews::default() }, 1).await.unwrap());
    for (n, start) in (0..mails).step_by(500).enumerate() {
        content.clone().ready().await;
        assert!(matches!(page(store, vault, &lease, start..mails.min(start + 500), n as i64 + 1).await.unwrap(), Applied::Written { .. }));
    }
    let claims = secrets.seal(at("accounts", "claims", "a", 1), BODY).unwrap();
    assert!(store.change_account("a", Some(1), AccountChange::Claims { sealed: Some(claims), version: 1 }, 1).await.unwrap());
    let id = enqueue(store, vault).await.unwrap();
    let item = store.claim(5, 1_000_000, &[]).await.unwrap().unwrap();
    let progress = content.seal(at("outbox", "progress", "1", 1), BODY).unwrap();
    let step = Step {
        state: ItemState::Prepared,
        progress: Some(progress),
        reason: None,
        next_at: None,
        sent_at: None,
        claim_until: Some(1_000_005),
        tally: Tally::Attempt,
        tidy_at: None,
        announce: false,
        claim_next_until: None,
        links: Vec::new(),
        sent_mail: None,
        retires: None, said: None,
    };
    assert!(store.step(&id, item.fence, &step, 5).await.unwrap().is_some());
    let sealed = vault.store_key().seal(attempt_place("ab"), BODY).unwrap();
    store.insert_attempt(&NewAttempt { state_hash: vec![0xab], sealed, created_at: 1, expires_at: i64::MAX }).await.unwrap();
    lease
}

fn attempt_place(row: &str) -> AadContext<'_> {
    AadContext { table: "attempts", column: "sealed", account_id: "", row, version: 1 }
}

/// Opens whatever is there, as the engine's callers do.
pub async fn read_all(store: &dyn Store, vault: &Vault) -> Result<usize> {
    vault.with_current_keys(async || {
        let (content, secrets) = (vault.content("a").await?, vault.secrets("a").await?);
        let opens = |plain: zeroize::Zeroizing<Vec<u8>>| assert_eq!(plain.as_slice(), BODY);
        let account = store.account("a").await?.unwrap();
        content.open(profile("a"), &account.profile)?;
        opens(secrets.open(at("accounts", "claims", "a", account.claims_version), &account.claims.unwrap())?);
        let token = store.token("a").await?.unwrap();
        secrets.open(token_place("a"), &token.sealed)?;
        let folder = crate::runtime::block_on(store.folders("a"))?.remove(0);
        opens(content.open(at("folders", "name", "in", 1), &folder.row.name)?);
        let cursor = folder.cursor.unwrap();
        opens(secrets.open(at("folders", "cursor", "in", cursor.version), &cursor.link)?);
        let rows = crate::runtime::block_on(store.messages(&MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 1_000, ..MessageWindow::default() }))?.rows;
        for row in &rows {
            opens(content.open(at("messages", "head", &row.graph_id, row.version), &row.head)?);
            let (body, version) = crate::runtime::block_on(store.body(row.row_id))?.unwrap();
            opens(content.open(at("bodies", "body", &row.graph_id, version), &body)?);
        }
        let item = store.item("snd_1", None).await?.unwrap();
        let held = store.content("snd_1").await?.unwrap().1;
        opens(content.open(at("outbox", "payload", "1", held.version), &held.payload)?);
        opens(content.open(at("outbox_parts", "part", "1/0/0", 1), &held.parts[0].sealed)?);
        opens(content.open(at("outbox", "progress", "1", item.progress_version), &item.progress.unwrap())?);
        let last = store.last_sender(&[0xcd; 32]).await?.unwrap();
        opens(content.open(at("last_senders", "from_address", &"cd".repeat(32), last.used_at), &last.from_address.unwrap())?);
        opens(vault.store_key().open(attempt_place("ab"), &store.attempt(&[0xab]).await?.unwrap().sealed)?);
        assert_eq!(enqueue(store, vault).await?, "snd_1", "the same submission is known again");
        Ok(rows.len())
    })
    .await
}

pub fn everything(new_root: Option<u8>) -> Order {
    Order { new_root: new_root.map(root), store_key: true, data_keys: true, account_id: None }
}

pub async fn live(store: &dyn Store) -> Vec<i64> {
    store.live_keys().await.unwrap().into_iter().filter(|key| !matches!(key.purpose, KeyPurpose::Hashes | KeyPurpose::Audit)).map(|key| key.id).collect()
}

#[tokio::test]
async fn all_keys_are_replaced_and_everything_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 450).await;
    let before = live(&*store).await;
    let report = vault.rotate(&everything(Some(2)), &TestClock::new(10), None).await.unwrap();
    assert_eq!((report.root_key, report.store_key, report.data_keys), (true, true, 2));
    // Two of each mail, and one of each: profile, claims, token, folder name and link, two quarantined at most, payload, progress, attempt, four wrapped keys.
    assert!(report.values >= 900 + 12, "{report:?}");
    assert!(live(&*store).await.iter().all(|id| !before.contains(id)));
    for id in before {
        assert!(store.key(id).await.unwrap().unwrap().wrapped.is_none());
    }
    assert_eq!(store.meta("key_rotation").await.unwrap(), None);
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 450);
    let kinds: Vec<_> = store.audit_rows(None, 0, 1_000).await.unwrap().into_iter().map(|row| row.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "key_rotated").count(), 4);
    assert_eq!(kinds.iter().filter(|kind| *kind == "key_destroyed").count(), 3);
    drop((store, vault));
    assert_eq!(Vault::open(super::tests::store(dir.path()), root(1), 1).await.unwrap_err().kind(), ErrorKind::WrongKey);
    let (store, vault) = open(dir.path(), 2).await;
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 450);
}

#[tokio::test]
async fn killed_after_any_step_nothing_is_lost() {
    let mut steps = 0;
    loop {
        steps += 1;
        let dir = tempfile::tempdir().unwrap();
        let (store, vault) = open(dir.path(), 1).await;
        fill(&*store, &vault, 5).await;
        let (other_store, other) = open(dir.path(), 1).await;
        vault.break_after(steps);
        let cut = vault.rotate(&everything(Some(2)), &TestClock::new(10), None).await;
        // Whoever was there all the time reads on.
        assert_eq!(read_all(&*other_store, &other).await.unwrap(), 5, "after {steps}");
        std::mem::forget((store, vault));
        let store = super::tests::store(dir.path());
        let seed = if Vault::open(store.clone(), root(1), 1).await.is_ok() { 1 } else { 2 };
        let vault = Vault::open(store.clone(), root(seed), 1).await.unwrap();
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 5, "after {steps}");
        // A lease that a dead process holds runs out.
        let clock = TestClock::new(10 + 60_000);
        let report = vault.rotate(&everything(Some(2)), &clock, None).await.unwrap();
        assert_eq!(live(&*store).await.len(), 3, "after {steps}: {report:?}");
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 5, "after {steps}");
        drop((store, vault));
        let (store, vault) = open(dir.path(), 2).await;
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 5, "after {steps}");
        if cut.is_ok() {
            break;
        }
    }
    assert!(steps > 10, "only {steps} steps");
}

#[tokio::test]
async fn what_was_cut_off_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 1).await;
    // Mark, succession, one batch, destruction of the first key; then the second succession.
    vault.break_after(5);
    assert!(vault.rotate(&everything(None), &TestClock::new(10), None).await.is_err());
    vault.break_after(i64::MAX);
    let done = live(&*store).await;
    let report = vault.rotate(&everything(None), &TestClock::new(20), None).await.unwrap();
    assert_eq!((report.data_keys, report.store_key), (1, true));
    assert!(live(&*store).await.iter().filter(|id| done.contains(id)).count() >= 1, "a key made a moment ago was replaced again");
}

#[tokio::test]
async fn a_writer_with_the_old_key_is_refused_and_seals_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    let lease = fill(&*store, &vault, 3).await;
    let (there, other) = open(dir.path(), 1).await;
    let old = keys(&other, "a").await;
    let name = old.0.seal(at("folders", "name", "in", 2), BODY).unwrap();
    let token = TokenRow { account_id: "a".into(), version: 2, sealed: old.1.seal(AadContext { version: 2, ..token_place("a") }, b"t").unwrap(), expires_at: 9, refreshed_at: 1 };
    let attempt = NewAttempt { state_hash: vec![1], sealed: other.store_key().seal(attempt_place("01"), BODY).unwrap(), created_at: 1, expires_at: 9 };
    let new_keys = other.new_account_keys("b", true, 1).unwrap();
    let renamed = old.0.seal(AadContext { version: 2, ..profile("a") }, BODY).unwrap();
    vault.rotate(&everything(None), &TestClock::new(10), None).await.unwrap();
    // Sealed before, written after: each of these would be lost.
    let folder = FolderRow { graph_id: "in".into(), parent_id: None, well_known_name: None, name, version: 2, total: 3, unread: 1, is_synced: true, is_search: false };
    assert!(is_outdated(&there.save_folders("a", 1, &lease, &FolderNews { changed: vec![folder], ..FolderNews::default() }, 1).await.unwrap_err()));
    assert!(is_outdated(&there.save_token(&token, 1, None).await.unwrap_err()));
    assert!(is_outdated(&there.insert_attempt(&attempt).await.unwrap_err()));
    assert!(is_outdated(&there.change_account("a", Some(1), AccountChange::Profile { sealed: renamed, version: 2 }, 1).await.unwrap_err()));
    let handles = other.adopt("b", &new_keys).await.unwrap();
    let row = AccountRow { user_id: "b".into(), ..AccountRow::new("b", "owner", handles.content.seal(profile("b"), b"x").unwrap(), 1) };
    let refused = there.store_account(&row, None, &new_keys, None, 1).await;
    assert!(is_outdated(&refused.unwrap_err()));
    assert_eq!(read_all(&*there, &other).await.unwrap(), 3);
    // The engine's way: seal again.
    let tries = AtomicUsize::new(0);
    other
        .with_current_keys(async || {
            let is_first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            let sealed = if is_first { attempt.sealed.clone() } else { other.store_key().seal(attempt_place("01"), BODY)? };
            there.insert_attempt(&NewAttempt { sealed, ..attempt.clone() }).await
        })
        .await
        .unwrap();
    assert_eq!(tries.into_inner(), 2);
    assert!(matches!(page(&*there, &other, &lease, 3..4, 2).await.unwrap(), Applied::Written { .. }));
}

/// With thousands of accounts open, one replaced key must not cost a look at all of them.
#[tokio::test]
async fn one_outdated_key_is_read_anew_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    let lease = fill(&*store, &vault, 1).await;
    connect(&*store, &vault, "b", true).await;
    let (there, other) = open(dir.path(), 1).await;
    let (content, secrets) = keys(&other, "a").await;
    let held = [content, secrets, other.content("b").await.unwrap(), other.store_key()];
    let ids = || held.iter().map(DataKey::active_id).collect::<Vec<_>>();
    let renamed = held[0].seal(at("folders", "name", "in", 2), BODY).unwrap();
    let attempt = |n: u8| Ok::<_, Error>(NewAttempt { state_hash: vec![n], sealed: held[3].seal(attempt_place(&format!("{n:02x}")), BODY)?, created_at: 1, expires_at: 9 });
    let before = ids();
    vault.rotate(&everything(None), &TestClock::new(10), None).await.unwrap();
    let folder = FolderRow { graph_id: "in".into(), parent_id: None, well_known_name: None, name: renamed, version: 2, total: 3, unread: 1, is_synced: true, is_search: false };
    let error = there.save_folders("a", 1, &lease, &FolderNews { changed: vec![folder], ..FolderNews::default() }, 1).await.unwrap_err();
    assert_eq!(outdated_key(&error), Some(before[0]));
    let mut refused = Some(error);
    let mut once = || std::future::ready(refused.take().map_or(Ok(()), Err));
    other.with_current_keys(&mut once).await.unwrap();
    // The new key of the mail is wrapped by the new key of the store, so that one was read as well.
    let after = ids();
    assert!(after[0] != before[0] && after[1..3] == before[1..3], "{before:?} {after:?}");
    // The others are read when they are asked for.
    other.content("b").await.unwrap();
    assert_ne!(ids()[2], before[2]);
    assert_eq!(read_all(&*there, &other).await.unwrap(), 1);
    // The key of the store is one of its own.
    vault.rotate(&everything(None), &TestClock::new(20), None).await.unwrap();
    let before = ids();
    other.with_current_keys(async || there.insert_attempt(&attempt(7)?).await).await.unwrap();
    let after = ids();
    assert!(after[3] != before[3] && after[..3] == before[..3], "{before:?} {after:?}");
    // A row that is another one by now says nothing of keys.
    let mut moved = Some(moved_on());
    let mut once = || std::future::ready(moved.take().map_or(Ok(()), Err));
    other.with_current_keys(&mut once).await.unwrap();
    assert_eq!(ids(), after);
}

#[tokio::test]
async fn readers_and_writers_notice_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    let lease = fill(&*store, &vault, 40).await;
    let stop = AtomicBool::new(false);
    let read = async || {
        while !stop.load(Ordering::SeqCst) {
            // A new process each time, so that keys are loaded at every stage.
            let (store, vault) = open(dir.path(), 1).await;
            for _ in 0..3 {
                assert!(read_all(&*store, &vault).await.unwrap() >= 40);
            }
        }
    };
    let write = async || {
        let (store, vault) = open(dir.path(), 1).await;
        let mut n = 40;
        while !stop.load(Ordering::SeqCst) {
            let applied = vault.with_current_keys(async || crate::runtime::block_on(page(&*store, &vault, &lease, n..n + 1, n as i64))).await.unwrap();
            assert!(matches!(applied, Applied::Written { .. }));
            n += 1;
            crate::clock::real_time(std::time::Duration::from_millis(20)).await;
        }
        n
    };
    let rotate = async || {
        for n in 0..4 {
            vault.rotate(&everything(None), &TestClock::new(10 + n), None).await.unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    };
    let written = std::thread::scope(|s| {
        s.spawn(|| block_on(read()));
        let written = s.spawn(|| block_on(write()));
        s.spawn(|| block_on(rotate()));
        written.join().unwrap()
    });
    assert_eq!(read_all(&*store, &vault).await.unwrap(), written.min(1_000));
}

#[tokio::test]
async fn an_older_root_key_goes_on_and_is_told_when_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 2).await;
    let (there, other) = open(dir.path(), 1).await;
    let root_only = Order { new_root: Some(root(2)), ..Order::default() };
    let report = vault.rotate(&root_only, &TestClock::new(10), None).await.unwrap();
    assert_eq!((report.root_key, report.store_key, report.data_keys), (true, false, 0));
    assert_eq!(read_all(&*there, &other).await.unwrap(), 2);
    // It may not wrap a store key that the new root key could not open, nor put its own back.
    let e = other.rotate(&everything(None), &TestClock::new(11), None).await.unwrap_err();
    assert_eq!((e.kind(), e.reason().contains("older root key")), (ErrorKind::VaultLocked, true));
    assert_eq!(other.rotate(&Order { new_root: Some(root(3)), ..Order::default() }, &TestClock::new(12), None).await.unwrap_err().kind(), ErrorKind::VaultLocked);
    vault.rotate(&Order { store_key: true, data_keys: true, ..Order::default() }, &TestClock::new(13), None).await.unwrap();
    store.drop_expired(13 + HANDOVER_MS).await.unwrap();
    let e = other.with_current_keys(async || other.content("a").await).await.unwrap_err();
    assert_eq!((e.kind(), e.reason().contains("older root key")), (ErrorKind::VaultLocked, true));
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 2);
}

#[tokio::test]
async fn one_rotation_at_a_time_and_only_what_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 1).await;
    connect(&*store, &vault, "b", true).await;
    let kind = async |order: Order| vault.rotate_within(std::time::Duration::from_millis(300), &order, &TestClock::new(10), None).await.unwrap_err().kind();
    assert_eq!(kind(Order::default()).await, ErrorKind::InvalidInput);
    assert_eq!(kind(Order { account_id: Some("a".into()), store_key: true, ..Order::default() }).await, ErrorKind::InvalidInput);
    assert_eq!(kind(Order { account_id: Some("x".into()), data_keys: true, ..Order::default() }).await, ErrorKind::NotFound);
    let lease = store.take_lease("rotate_keys", "they", 0, 1_000).await.unwrap().unwrap();
    assert_eq!(kind(everything(None)).await, ErrorKind::StoreBusy);
    store.release_lease(&lease).await.unwrap();
    let before = live(&*store).await;
    let order = Order { account_id: Some("a".into()), data_keys: true, ..Order::default() };
    assert_eq!(vault.rotate(&order, &TestClock::new(10), None).await.unwrap().data_keys, 2);
    assert_eq!(live(&*store).await.iter().filter(|id| before.contains(id)).count(), 3);
    // A disconnect in the middle takes the replaced key along.
    vault.break_after(2);
    assert!(vault.rotate(&everything(None), &TestClock::new(20), None).await.is_err());
    store.disconnect_account("a", "by hand", 21).await.unwrap();
    store.disconnect_account("b", "by hand", 21).await.unwrap();
    assert!(store.live_keys().await.unwrap().iter().all(|key| key.purpose != KeyPurpose::Secrets));
    vault.break_after(i64::MAX);
    vault.rotate(&everything(None), &TestClock::new(22), None).await.unwrap();
}

#[tokio::test]
async fn keys_that_are_due_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 2).await;
    let before = live(&*store).await;
    let day = 86_400_000;
    assert_eq!(vault.rotate_due(&TestClock::new(89 * day), None).await.unwrap(), Slice::default());
    assert_eq!(vault.rotate_due(&TestClock::new(91 * day), None).await.unwrap().report.data_keys, 2);
    // The store key stays, so that processes with an older root key go on.
    assert_eq!(live(&*store).await.iter().filter(|id| before.contains(id)).count(), 1);
    assert_eq!(vault.rotate_due(&TestClock::new(91 * day), None).await.unwrap(), Slice::default());
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 2);
    let busy = Vault::open_with(store.clone(), &root(1), 1, Limits { due: 6_000, most: 1 << 32, age: i64::MAX, ..Limits::USUAL }).await.unwrap();
    let key = busy.content("a").await.unwrap();
    for n in 0..9_000 {
        if n % 1_000 == 0 {
            key.clone().ready().await;
        }
        key.seal(profile("a"), b"x").unwrap();
    }
    let report = busy.rotate_due(&TestClock::new(92 * day), None).await.unwrap().report;
    assert!(report.data_keys >= 1, "{report:?}");
    assert_eq!(read_all(&*store, &busy).await.unwrap(), 2);
}

#[tokio::test]
#[ignore = "measures; run with --ignored --nocapture"]
async fn ten_thousand_messages_change_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 10_000).await;
    let report = vault.rotate(&everything(Some(2)), &crate::clock::SystemClock::new(), None).await.unwrap();
    println!("{report:?}");
}
