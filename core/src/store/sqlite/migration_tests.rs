//! A store that the version before wrote goes on where it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::open::MIGRATIONS;
use super::tests::{ONE_CHAIN, made, open, raw};
use crate::store::suite::{self, OutboxParts, sealed, step};
use crate::store::{Content, ItemState, KeyStore, OutboxStore};
use rusqlite::Connection;
use rusqlite_migration::Migrations;

/// Takes the outbox of a closed store back to what the first `count` migrations make, without rows.
fn set_back(db: &Connection, count: usize) {
    let mut old = Connection::open_in_memory().unwrap();
    Migrations::from_slice(&MIGRATIONS[..count]).to_latest(&mut old).unwrap();
    let tables = "SELECT sql FROM sqlite_schema WHERE tbl_name LIKE 'outbox%' AND sql IS NOT NULL ORDER BY type DESC, rowid";
    let made: Vec<String> = old.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(|sql| sql.unwrap()).collect();
    db.execute_batch(ONE_CHAIN).unwrap();
    db.execute_batch("DROP TABLE outbox_payloads; DROP TABLE outbox_parts; DROP TABLE outbox_queues; DROP TABLE outbox").unwrap();
    db.execute_batch(&made.join(";")).unwrap();
    db.pragma_update(None, "user_version", u32::try_from(count).unwrap()).unwrap();
}

#[tokio::test]
async fn what_was_open_before_payloads_had_rows_of_their_own_goes_out() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let dir = made.dir;
    drop(made.store);
    let db = raw(dir.path());
    set_back(&db, 17);
    let (one, three, four) = (sealed("one"), sealed("three"), sealed("four"));
    for (id, state, is_open, payload) in [(1, "queued", 1, one.as_bytes()), (2, "sent", 0, b"".as_slice()), (3, "failed", 0, three.as_bytes()), (4, "dispatching", 1, four.as_bytes())] {
        db.execute(
            "INSERT INTO outbox (id, public_id, account_id, route, lane, content_hash, state, is_open, is_head, payload, payload_version, created_at)
             VALUES (?1, 'snd_' || ?1, 'a', 'mail', 'a/' || ?1, x'01', ?2, ?3, ?3, ?4, 2, 1)",
            (id, state, is_open, payload),
        )
        .unwrap();
    }
    db.execute_batch("INSERT INTO outbox_queues (account_id, route, due_at) VALUES ('a', 'mail', 0)").unwrap();
    drop(db);

    let store = open(dir.path()).unwrap();
    let held = async |id: &str| store.content(id).await.unwrap().map(|(_, Content { version, payload: stored, .. })| (version, stored.as_bytes().to_vec()));
    for (id, payload) in [("snd_1", Some(&one)), ("snd_2", None), ("snd_3", Some(&three)), ("snd_4", Some(&four))] {
        assert_eq!(held(id).await, payload.map(|sealed_one| (2, sealed_one.as_bytes().to_vec())), "{id}");
    }
    // A rotation finds them, at the place they were sealed for.
    let places: Vec<_> = store.sealed_with(one.key_id(), 100).await.unwrap().into_iter().filter(|value| value.column == "payload").map(|value| (value.table, value.row)).collect();
    assert_eq!(places, [("outbox", "1".to_owned()), ("outbox", "3".to_owned()), ("outbox", "4".to_owned())]);
    for (id, state) in [("snd_1", ItemState::Claimed), ("snd_4", ItemState::Dispatching)] {
        let claimed = store.claim(1, 1_000, &[]).await.unwrap().unwrap();
        assert_eq!((claimed.id.as_str(), claimed.state), (id, state));
        assert!(store.step(id, claimed.fence, &step(ItemState::Sent), 2).await.unwrap().is_some());
        assert_eq!(held(id).await, None, "{id}");
    }
}
