#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::runtime::block_on;
use crate::store::suite::{self, store_suite};
use crate::store::{AccountStore, Applied, MailStore, NewMessage};
use proptest::prelude::*;

pub(super) struct Made {
    pub(super) store: SqliteStore,
    pub(super) dir: tempfile::TempDir,
}

/// Patient, since the machine may be busy.
pub(super) fn open(dir: &Path) -> Result<SqliteStore> {
    let store = SqliteStore::open(dir, Duration::from_secs(60))?;
    crate::runtime::block_on(suite::with_log(&store));
    Ok(store)
}

pub(super) fn made() -> Made {
    let dir = tempfile::tempdir().unwrap();
    Made { store: open(dir.path()).unwrap(), dir }
}

/// Takes the audit log of a closed store back to what version 19 made: one chain, here with the records of the store's own.
pub const ONE_CHAIN: &str = "
    CREATE TEMP TABLE kept AS SELECT number, at, kind, account_id, subject, detail, hash FROM audit WHERE chain = 1;
    INSERT INTO meta (name, value) SELECT 'audit_end', signed_end FROM audit_chains WHERE id = 1;
    DROP TABLE audit; DROP TABLE audit_chains;
    CREATE TABLE audit (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, account_id TEXT, subject TEXT, detail TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
    INSERT INTO audit SELECT * FROM kept;
    ALTER TABLE throttles DROP COLUMN counted_at; ALTER TABLE throttles DROP COLUMN counts;
    DROP TABLE IF EXISTS outbox_staged; DROP TABLE IF EXISTS staged_parts; DROP TABLE IF EXISTS staged; DROP TABLE IF EXISTS chats; DROP TABLE IF EXISTS paces; DROP TABLE IF EXISTS last_senders; DROP TABLE IF EXISTS signatures; DROP TABLE IF EXISTS links; DROP TABLE IF EXISTS polls; DROP TABLE IF EXISTS contacts; DROP TABLE IF EXISTS contact_folders; DROP TABLE IF EXISTS contact_addresses; DROP TABLE IF EXISTS calendar_events; DROP TABLE IF EXISTS calendar_views; DROP TABLE IF EXISTS chat_messages; DROP TABLE IF EXISTS chat_places; DROP TABLE IF EXISTS chat_looks;
    DROP TABLE IF EXISTS edits; DROP TABLE IF EXISTS unlinks; DROP TABLE IF EXISTS link_scans; DROP TABLE IF EXISTS link_terms; DROP TABLE IF EXISTS link_rules; DROP TABLE IF EXISTS subscriptions; DROP TABLE IF EXISTS news; DROP TABLE IF EXISTS backfills; DROP TABLE IF EXISTS backfill_windows; DROP TABLE IF EXISTS unsynced_looks; DROP TABLE IF EXISTS send_answers; DROP TABLE IF EXISTS sent_mails; DROP TABLE IF EXISTS answer_candidates; ALTER TABLE messages DROP COLUMN kind; DROP TABLE IF EXISTS certificates;
    DROP TABLE IF EXISTS endpoints; DROP TABLE IF EXISTS endpoint_sends; DROP INDEX IF EXISTS outbox_whole; ALTER TABLE outbox DROP COLUMN whole_id; ALTER TABLE outbox DROP COLUMN endpoint_id; ALTER TABLE outbox DROP COLUMN endpoint_version; DROP TABLE IF EXISTS bot_tokens; DROP TABLE IF EXISTS bot_people; DROP TABLE IF EXISTS bot_conversations; DROP TABLE IF EXISTS bot_activities; DROP TABLE IF EXISTS cached_pieces; DROP TABLE IF EXISTS cached_attachments; DROP TABLE IF EXISTS message_addresses; DROP INDEX messages_addresses_unknown; ALTER TABLE messages DROP COLUMN addresses_version;
    DROP INDEX messages_with_files; DROP INDEX messages_files_unknown; DROP INDEX messages_unread; ALTER TABLE messages DROP COLUMN has_attachments;
    DROP INDEX accounts_organisation; DROP INDEX accounts_delegate; ALTER TABLE accounts DROP COLUMN delegate;
    PRAGMA user_version = 19";

/// Plays the one who alters the file.
pub fn tamper(dir: &Path, statement: &str) {
    raw(dir).execute_batch(statement).unwrap();
}

/// Transactions that changed something, in the life of the store.
pub fn commits(dir: &Path) -> u64 {
    stamp::read(&raw(dir)).unwrap().stamp.commits
}

pub(super) fn raw(dir: &Path) -> Connection {
    Connection::open(dir.join(files::FILE)).unwrap()
}

store_suite!(made, [
    meta_is_written_once,
    the_first_store_key_stays,
    an_attempt_is_used_up_once,
    a_cached_content_is_served_once_it_is_whole,
    two_who_read_the_same_attachment_store_it_once,
    the_cache_stays_below_its_limit,
    a_large_content_evicts_many_small_ones,
    a_cached_content_goes_with_its_message_and_account,
    a_sign_in_ends_with_its_account_and_owner,
    an_account_comes_back_as_stored,
    a_workflow_is_no_account_and_ends_as_one,
    endpoints_are_kept_listed_and_changed_by_their_version,
    a_whole_is_stored_with_its_first_part_and_retires_what_was_refused,
    the_newer_token_of_a_bot_stays,
    people_of_a_bot_are_found_by_each_of_their_names,
    conversations_of_a_bot_are_remembered,
    an_activity_is_taken_once_with_all_it_says,
    a_deleted_owner_gets_no_workflow,
    connecting_again_takes_over,
    what_a_connection_knows_comes_back,
    a_waiting_account_makes_room_for_the_known_one,
    a_connection_is_decided_on_the_row_as_it_is,
    a_token_is_saved_by_its_holder,
    a_lease_has_one_holder,
    a_lease_of_a_clock_that_stood_ahead_keeps_nobody_out,
    disconnect_ends_everything_at_once,
    disconnect_settles_what_a_dead_worker_left,
    a_key_is_taken_once,
    content_comes_back_and_goes_with_the_send,
    what_is_given_back_without_an_effect_is_no_attempt,
    an_account_that_is_left_out_is_not_claimed_from,
    only_what_is_unsent_is_taken_back,
    a_settled_send_is_looked_at_again_without_its_claim,
    deadlines_end_what_waits,
    a_settled_send_is_opened_again_as_it_was_seen,
    lanes_keep_their_order,
    a_lapsed_claim_is_taken_over_where_it_stood,
    a_claim_that_is_kept_is_renewed_when_it_gets_short,
    the_step_that_settles_a_send_claims_the_next_of_its_ordering_key,
    what_a_step_makes_of_a_row_is_known_without_reading_it,
    what_is_scheduled_is_claimed_at_its_time,
    what_follows_by_another_route_is_claimed_again_after_its_lease,
    what_a_send_says_is_replaced_while_nobody_has_it_in_hand,
    a_step_claims_nothing_that_may_not_be_claimed,
    who_holds_another_store_key_takes_nothing,
    queues_take_turns_and_who_waits_goes_first,
    what_somebody_waits_for_is_claimed_beside_the_queues,
    the_outbox_is_listed_newest_first,
    a_page_and_its_cursor_are_one,
    the_same_page_twice_changes_nothing,
    a_page_that_was_planned_over_something_else_changes_nothing,
    attachments_are_listed_for_the_message_that_was_seen,
    a_stranger_writes_nothing,
    a_move_is_no_removal,
    questions_are_settled,
    a_complete_pass_asks_for_what_it_did_not_show,
    what_was_listed_is_to_be_shown_by_the_enumeration,
    a_folder_that_is_gone_asks_for_its_mail,
    lists_are_paged_without_gaps,
    a_conversation_is_listed_once_by_its_newest,
    pages_of_conversations_hold_still,
    messages_are_found_by_time_and_by_files,
    messages_are_found_by_an_address,
    a_change_is_shown_with_what_is_to_be_delivered,
    a_newer_change_replaces_the_older_one,
    changes_wait_for_their_time_and_their_account,
    what_becomes_of_a_change_is_not_said_of_a_newer_one,
    changes_go_with_their_message_and_account,
    lists_of_several_accounts_are_one,
    a_message_is_its_owners,
    a_chat_is_known_by_whom_it_is_with,
    a_signature_is_replaced_by_who_saw_it,
    a_link_is_for_its_message_and_what_comes_after_it,
    a_link_finds_the_conversation_of_a_copy_that_comes_later,
    a_link_of_a_draft_goes_no_further,
    a_host_gives_messages_a_key_and_takes_it_away,
    a_rule_is_found_by_its_terms_and_applied_in_steps,
    rules_go_with_the_last_account_of_their_owner,
    a_mailbox_keeps_its_pace,
    contacts_are_kept_with_the_place_in_their_folder,
    a_contact_is_gone_when_no_folder_has_it,
    contacts_are_found_by_address_and_paged,
    a_back_fill_is_one_process_s_at_a_time,
    a_back_fill_that_is_paused_or_cancelled_stores_nothing_more,
    a_larger_range_goes_on_where_the_smaller_one_ended,
    a_smaller_range_forgets_what_lies_beyond_a_gap,
    an_account_that_was_synced_whole_has_everything,
    a_back_fill_goes_on_when_the_account_is_connected_again,
    mail_in_folders_that_are_not_synced_is_asked_about_once_a_day,
    a_calendar_is_kept_with_its_place_and_a_series_goes_as_one,
    what_a_round_did_not_show_is_asked_about_and_what_the_view_left_is_dropped,
    events_come_in_order_of_time_with_their_masters,
    messages_are_kept_with_the_place_of_their_chat,
    a_mailbox_is_looked_at_by_one_at_a_time,
    a_mailbox_that_is_asked_for_is_due_by_then,
    a_mailbox_that_is_gone_is_not_looked_at,
    a_clock_that_stood_ahead_stops_no_looking,
    since_when_it_is_looked_at_is_known,
    the_last_sender_of_a_context_is_remembered_with_its_send,
    what_is_not_stored_is_not_remembered,
    an_account_that_is_gone_is_no_last_sender,
    contexts_that_are_not_used_any_more_are_forgotten,
    a_throttle_holds_until_its_time,
    a_throttle_of_a_clock_that_stood_ahead_holds_nobody,
    throttles_go_with_the_last_account_of_a_mailbox,
    requests_are_kept_as_long_as_they_count,
    a_closed_store_says_so,
    the_index_follows_the_messages,
    a_query_is_no_language,
    health_is_the_last_success_and_what_failed_since,
    steps_leave_records,
    records_are_chained,
    each_owner_has_a_chain,
    a_chain_is_erased_from_its_start,
    a_log_is_begun_once,
    a_purge_ends_reading_at_once,
    a_purge_erases_in_pieces_and_ends_once,
    a_purged_account_does_not_come_back,
    a_purge_says_of_sends_on_their_way_that_nobody_knows,
    sign_ins_nobody_came_back_to_go_after_a_day,
    an_owner_is_deleted_and_restored,
    an_owner_is_purged_whole,
    a_shared_mailbox_has_what_its_delegate_has,
    a_shared_mailbox_ends_with_its_delegate,
    a_shared_mailbox_is_purged_with_its_delegate,
    another_delegate_takes_over_and_everything_stays,
    a_shared_mailbox_needs_a_delegate_that_is_there,
    a_mailbox_of_an_organisation_is_told_apart,
    an_owner_is_purged_only_while_that_is_due,
    a_claim_of_a_clock_that_stood_ahead_is_taken_over,
    a_name_is_written_under_a_living_key_only,
    old_changes_go_and_their_readers_are_told,
    a_change_from_the_future_holds_nothing_up,
    of_too_many_changes_the_last_stay,
    tombstones_and_settled_sends_go,
    a_send_that_was_opened_again_is_kept,
    a_subscription_is_decided_on_the_row_as_it_is,
    subscriptions_are_due_in_their_time_and_after_another_sign_in,
    what_is_told_of_a_subscription_makes_it_due,
    notifications_find_their_subscription_by_its_client_state,
    news_stay_until_they_were_synced,
    what_comes_into_the_conversation_of_a_send_is_looked_at,
    an_answer_is_told_once,
    what_the_mailbox_does_not_tell_is_asked_again_and_given_up,
    answers_go_with_their_send,
    a_staged_content_is_there_for_as_long_as_a_send_needs_it,
    a_staged_content_that_nobody_names_goes_in_its_time,
    what_a_send_says_is_replaced_with_its_staged_contents,
]);

#[test]
fn settings_are_what_the_rules_say() {
    let made = made();
    let slot = made.store.writer.alone();
    let writer = slot.as_ref().unwrap();
    let pragma = |name: &str| writer.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, rusqlite::types::Value>(0)).map(|v| format!("{v:?}")).unwrap();
    for (name, value) in [
        ("page_size", "Integer(16384)"),
        ("cache_size", "Integer(400)"),
        ("journal_mode", "Text(\"wal\")"),
        ("synchronous", "Integer(2)"),
        ("secure_delete", "Integer(1)"),
        ("temp_store", "Integer(2)"),
        ("foreign_keys", "Integer(1)"),
        ("trusted_schema", "Integer(0)"),
        ("cell_size_check", "Integer(1)"),
        ("busy_timeout", "Integer(60000)"),
        ("user_version", &format!("Integer({})", open::MIGRATIONS.len())),
        ("mmap_size", "Integer(0)"),
    ] {
        assert_eq!(pragma(name), value, "{name}");
    }
    assert!(writer.execute_batch("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema").is_err());
}

#[tokio::test]
async fn a_damaged_page_is_reported_as_damage() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path()).unwrap();
        suite::connect(&store, "a").await;
        let lease = suite::lease(&store).await;
        store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in")]), 1).await.unwrap();
        let many = (0..400).map(|n| suite::message(&format!("m{n}"), "in", 1)).collect();
        suite::apply(&store, &lease, many, |_| {}).await;
    }
    let file = dir.path().join("tidings.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let from = 16_384; // all but the schema
    bytes[from..].fill(0xa5);
    std::fs::write(&file, &bytes).unwrap();
    let kind = open(dir.path()).and_then(|s| crate::runtime::block_on(s.messages(&suite::window())).map(drop).and(crate::runtime::block_on(s.known("a", &["m1", "m399"])).map(drop))).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(std::fs::read(&file).unwrap() == bytes, "left as it was");
}

#[tokio::test]
async fn a_held_lock_is_busy_and_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let made = Made { store: SqliteStore::open(dir.path(), Duration::from_millis(200)).unwrap(), dir };
    let other = raw(made.dir.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(made.store.meta_or_insert("x", b"1").await.unwrap_err().kind(), ErrorKind::StoreBusy);
    assert_eq!(made.store.meta("x").await.unwrap(), None, "reading goes on");
    other.execute_batch("COMMIT").unwrap();
    made.store.meta_or_insert("x", b"1").await.unwrap();
}

#[test]
fn codes_keep_their_meaning() {
    use rusqlite::ffi;
    let kind = |code| explain(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).kind();
    for (code, expected) in [
        (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
        (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
        (ffi::SQLITE_NOTADB, ErrorKind::Corrupt),
        (ffi::SQLITE_BUSY, ErrorKind::StoreBusy),
        (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::StoreBusy),
        (ffi::SQLITE_LOCKED, ErrorKind::StoreBusy),
        (ffi::SQLITE_FULL, ErrorKind::StoreFull),
        (ffi::SQLITE_READONLY, ErrorKind::Forbidden),
        (ffi::SQLITE_CANTOPEN, ErrorKind::Forbidden),
        (ffi::SQLITE_IOERR, ErrorKind::Internal),
        (ffi::SQLITE_CONSTRAINT_UNIQUE, ErrorKind::Internal),
    ] {
        assert_eq!(kind(code), expected, "{code}");
    }
}

#[tokio::test]
async fn a_full_store_loses_nothing() {
    let made = made();
    {
        let slot = made.store.writer.alone();
        let pages: i64 = slot.as_ref().unwrap().query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
        slot.as_ref().unwrap().query_row(&format!("PRAGMA max_page_count = {}", pages + 1), [], |_| Ok(())).unwrap();
    }
    made.store.meta_or_insert("small", b"x").await.unwrap();
    assert_eq!(made.store.meta_or_insert("large", &vec![7; 200_000]).await.unwrap_err().kind(), ErrorKind::StoreFull);
    assert_eq!(made.store.meta("small").await.unwrap().unwrap(), b"x");
    assert_eq!(made.store.meta("large").await.unwrap(), None);
}

#[test]
fn several_processes_worth_of_stores_make_one_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::thread::scope(|s| {
        let opened: Vec<_> = (0..8).map(|_| s.spawn(|| SqliteStore::open(&path, Duration::from_secs(60)).map(drop))).collect();
        for one in opened {
            one.join().unwrap().unwrap();
        }
    });
}

#[tokio::test]
async fn one_claim_goes_to_one_worker() {
    let made = made();
    let other = open(made.dir.path()).unwrap();
    suite::connect(&made.store, "a").await;
    use suite::OutboxParts;
    let mut all = Vec::new();
    for n in 0..20 {
        all.push(suite::enqueue(&made.store, "a", &n.to_string(), None).await);
    }
    let claim_all = async |store: &SqliteStore| {
        let mut ids = Vec::new();
        while let Some(item) = store.claim(1, 1_000, &[]).await.unwrap() {
            ids.push(item.id);
        }
        ids
    };
    let (mut here, there) = tokio::join!(claim_all(&made.store), claim_all(&other));
    here.extend(there);
    here.sort_unstable();
    all.sort_unstable();
    assert_eq!(here, all);
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    suite::connect(&store, "a").await;
    let lease = suite::lease(&store).await;
    store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in")]), 1).await.unwrap();
    suite::apply(&store, &lease, vec![suite::message("m", "in", 1)], |_| {}).await;
    {
        // In the middle of a transaction …
        let slot = store.writer.alone();
        slot.as_ref().unwrap().execute_batch("BEGIN IMMEDIATE; DELETE FROM bodies; DELETE FROM messages;").unwrap();
    }
    // … the files are taken as a power cut would leave them.
    let copy = tempfile::tempdir().unwrap();
    for name in ["tidings.db", "tidings.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let after = open(copy.path()).unwrap();
    assert_eq!(after.messages(&suite::window()).await.unwrap().rows.len(), 1);
    assert_eq!(after.folders("a").await.unwrap()[0].cursor.as_ref().unwrap().version, 1);
    let check: String = raw(copy.path()).query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_blocked_erasure_is_finished_later() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let token = made.store.token("a").await.unwrap().unwrap().sealed;
    let log = made.dir.path().join("tidings.db-wal");
    let holds = |path: &Path| std::fs::read(path).unwrap().windows(24).any(|w| w == &token.as_bytes()[10..34]);
    let reader = raw(made.dir.path());
    reader.execute_batch("BEGIN; SELECT * FROM tokens").unwrap();
    made.store.disconnect_account("a", "by hand", 1).await.unwrap();
    assert!(made.store.meta(ERASURE_PENDING).await.unwrap().is_some() && holds(&log));
    reader.execute_batch("COMMIT").unwrap();
    made.store.take_lease("any", "write", 1, 1).await.unwrap();
    assert!(made.store.meta(ERASURE_PENDING).await.unwrap().is_none());
    assert!(!holds(&log) && !holds(&made.dir.path().join("tidings.db")));
    // Or at the next open, when the process ended before.
    made.store.meta_or_insert(ERASURE_PENDING, b"1").await.unwrap();
    assert!(open(made.dir.path()).unwrap().meta(ERASURE_PENDING).await.unwrap().is_none());
}

#[tokio::test]
async fn ten_thousand_messages_in_pages() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let lease = suite::lease(&made.store).await;
    made.store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in")]), 1).await.unwrap();
    let (head, body) = (suite::sealed(&"h".repeat(900)), suite::sealed(&"b".repeat(3_000)));
    let pages: Vec<Vec<NewMessage>> = (0..100)
        .map(|p| {
            (0..100)
                .map(|n| NewMessage {
                    head: head.clone(),
                    body: Some(body.clone()),
                    received_at: Some(1_700_000_000_000 - i64::from(p * 100 + n) * 60_000),
                    conversation_id: format!("AAQkADk2{:0>90}", (p * 100 + n) / 3),
                    ..suite::message(&format!("AAkALgAAAAAAHYQDEapmEc2byACqAC{:0>100}", (p * 7_919 + n * 104_729) % 1_000_003), "in", 1)
                })
                .collect()
        })
        .collect();
    #[allow(clippy::disallowed_methods)] // a measurement, no product code
    let start = std::time::Instant::now();
    let mut stored = 0;
    for page in pages {
        let ids: Vec<&str> = page.iter().map(|m| m.graph_id.as_str()).collect();
        assert!(made.store.known("a", &ids).await.unwrap().is_empty());
        let Applied::Written { stored: now } = suite::apply(&made.store, &lease, page, |_| {}).await else { panic!("nothing was written") };
        stored = now;
    }
    assert_eq!(stored, 10_000);
    println!("10,000 messages applied in {:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pages as a server may send them: additions, changes, moves, pending removals, in any order. Each is applied twice; the second time nothing happens.
    #[test]
    fn applying_a_page_twice_changes_nothing(pages in proptest::collection::vec(
        (any::<bool>(), proptest::collection::hash_map(0u8..8, 1i64..4, 0..6), proptest::collection::vec(0u8..8, 0..3), any::<bool>()), 1..8))
    {
        let made = made();
        crate::runtime::block_on(suite::connect(&made.store, "a"));
        let lease = block_on(suite::lease(&made.store));
        block_on(made.store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in"), suite::folder("out")]), 1)).unwrap();
        for (n, (first, upserts, pending_removals, completes)) in pages.into_iter().enumerate() {
            let folder = if first { "in" } else { "out" };
            let mut batch = suite::page("a", &lease, upserts.into_iter().map(|(id, version)| suite::message(&format!("m{id}"), folder, version)).collect());
            batch.folder_id = folder.into();
            batch.pending_removals = pending_removals.into_iter().map(|id| format!("m{id}")).collect();
            batch.completes_pass = completes;
            batch.cursor.as_mut().unwrap().version = i64::try_from(n).unwrap() + 1;
            block_on(made.store.apply(batch.clone())).unwrap();
            let once = block_on(picture(&made.store));
            block_on(made.store.apply(batch.clone())).unwrap();
            prop_assert_eq!(&once, &block_on(picture(&made.store)));
            // The counters kept on the way are those a count gives.
            for f in block_on(made.store.folders("a")).unwrap() {
                let window = crate::store::MessageWindow { mailboxes: vec![suite::of_folder(&f.row.graph_id)], ..suite::window() };
                prop_assert_eq!(f.stored as usize, block_on(made.store.messages(&window)).unwrap().rows.len());
            }
            let gone: Vec<String> = block_on(made.store.pending_removals("a", i64::MAX, 1)).unwrap().into_iter().map(|(id, _)| id).collect();
            block_on(made.store.settle("a", 1, &lease, crate::store::Question::PendingRemovals, &crate::store::Settled { gone: &gone, there: &[], later: &[] }, 1)).unwrap();
        }
    }
}

/// Whoever asked for it is gone, and nobody else has the store open.
#[tokio::test]
async fn a_store_whose_last_handle_a_step_holds_closes_after_it() {
    let Made { store, dir: _dir } = made();
    let opened = store.0.0.clone();
    let alone = opened.writer.alone();
    let asked = tokio::spawn(async move {
        let held = store.clone();
        let work = move |_: &Connection| {
            let _held = &held;
            Ok(())
        };
        store.write(work).await
    });
    while opened.writer.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    asked.abort();
    assert!(asked.await.is_err());
    drop(alone);
    for _ in 0..1_000 {
        if opened.closed.load(std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        crate::clock::real_time(Duration::from_millis(10)).await;
    }
    panic!("it is still open");
}

/// All that can be seen of a store's mail.
async fn picture(store: &SqliteStore) -> String {
    let rows: Vec<_> = store.messages(&suite::window()).await.unwrap().rows.into_iter().map(|r| (r.row_id, r.graph_id, r.folder_id, r.version, r.head)).collect();
    let folders: Vec<_> = store.folders("a").await.unwrap().into_iter().map(|f| (f.stored, f.enumeration, f.cursor.map(|c| c.version))).collect();
    format!("{rows:?} {folders:?} {:?} {:?}", store.pending_removals("a", i64::MAX, 100).await.unwrap(), suite::changes(store, 0).await.len())
}

#[tokio::test]
async fn the_index_is_no_shadow_of_what_was_removed() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let lease = suite::lease(&made.store).await;
    made.store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in")]), 1).await.unwrap();
    let words = |subject: &str| Some(crate::store::SearchText { subject: subject.into(), people: String::new(), text: Some("zebracanary".into()) });
    let upserts = (0..50).map(|n| NewMessage { search: words(&format!("yakcanary{n}")), ..suite::message(&format!("m{n}"), "in", 1) }).collect();
    suite::apply(&made.store, &lease, upserts, |_| {}).await;
    let holds = |text: &str| {
        made.store.writer.alone().as_ref().unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        std::fs::read(made.dir.path().join(files::FILE)).unwrap().windows(text.len()).any(|w| w == text.as_bytes())
    };
    assert!(holds("zebracanary") && holds("yakcanary"));
    let ids: Vec<String> = (0..50).map(|n| format!("m{n}")).collect();
    suite::apply(&made.store, &lease, vec![], |batch| batch.pending_removals = ids.clone()).await;
    made.store.settle("a", 1, &lease, crate::store::Question::PendingRemovals, &crate::store::Settled { gone: &ids, there: &[], later: &[] }, 9).await.unwrap();
    assert!(!holds("zebracanary") && !holds("yakcanary"));
    // Opened again, tables and settings are the known ones.
    made.store.close();
    assert!(open(made.dir.path()).is_ok());
}
