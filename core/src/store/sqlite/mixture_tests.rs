//! Files of different moments and stores, put together in every way: what opens is one moment, whole, and nothing that its mark promises is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::tests::open;
use super::*;
use crate::runtime::block_on;
use crate::store::{AccountStore, suite};
use std::collections::BTreeMap;

/// The files of a folder by their last part: `db`, `wal`, `shm`, `mark-3`.
type Files = BTreeMap<String, Vec<u8>>;

fn files_of(dir: &Path) -> Files {
    let entries = std::fs::read_dir(dir).unwrap().flatten();
    let named = entries.filter_map(|e| {
        let name = e.file_name().to_string_lossy().into_owned();
        let part = name.strip_prefix("tidings.db").unwrap().trim_start_matches('-').to_owned();
        (!part.starts_with("open-")).then(|| (if part.is_empty() { "db".to_owned() } else { part }, std::fs::read(e.path()).unwrap()))
    });
    named.collect()
}

fn put(dir: &Path, part: &str, bytes: &[u8]) {
    let name = if part == "db" { "tidings.db".to_owned() } else { format!("tidings.db-{part}") };
    std::fs::write(dir.join(name), bytes).unwrap();
}

fn mark(files: &Files) -> (String, Vec<u8>) {
    files.iter().find(|(part, _)| part.starts_with("mark-")).map(|(part, bytes)| (part.clone(), bytes.clone())).unwrap()
}

/// One more step, over several pages: `n` names it, `big` differs with it.
fn step(store: &SqliteStore, n: u8) {
    block_on(store.meta_or_insert(&format!("n{n:03}"), &vec![n; 40_000])).unwrap();
    store.write_here(|tx| keys::set_meta(tx, "last", &[n; 30_000])).unwrap();
}

fn checkpoint(store: &SqliteStore) {
    let slot = store.writer.alone();
    slot.as_ref().unwrap().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
}

/// The step that the store is at; none of the earlier ones is missing.
fn at(store: &SqliteStore) -> u8 {
    let last = block_on(store.meta("last")).unwrap().unwrap_or_default();
    let n = last.first().copied().unwrap_or(0);
    assert!(last.iter().all(|b| *b == n), "torn");
    for i in 1..=u8::MAX {
        let there = block_on(store.meta(&format!("n{i:03}"))).unwrap();
        assert_eq!(there.is_some(), i <= n, "step {i} at {n}");
        assert!(there.is_none_or(|bytes| bytes == vec![i; 40_000]), "torn");
    }
    let slot = store.writer.alone();
    assert_eq!(slot.as_ref().unwrap().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    n
}

/// A moment: its files, and the step it stands at.
struct Moment {
    name: &'static str,
    files: Files,
    step: u8,
}

/// The life of a store: closed after step 2; in its second generation several rounds of the log.
fn life() -> Vec<Moment> {
    let dir = tempfile::tempdir().unwrap();
    let mut moments = Vec::new();
    let mut keep = |name, step| moments.push(Moment { name, files: files_of(dir.path()), step });
    let store = open(dir.path()).unwrap();
    step(&store, 1);
    keep("first generation", 1);
    step(&store, 2);
    drop(store);
    keep("closed", 2);
    let store = open(dir.path()).unwrap();
    step(&store, 3);
    keep("second generation", 3);
    checkpoint(&store);
    keep("log copied back", 3);
    step(&store, 4);
    keep("second round", 4);
    step(&store, 5);
    checkpoint(&store);
    step(&store, 6);
    step(&store, 7);
    keep("third round", 7);
    step(&store, 8);
    keep("third round, later", 8);
    moments
}

fn other() -> Moment {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    (1..=5).for_each(|n| step(&store, n));
    Moment { name: "another store", files: files_of(dir.path()), step: 5 }
}

#[test]
fn what_opens_is_one_moment_and_holds_what_its_mark_promises() {
    let mut moments = life();
    moments.push(other());
    let (mut opened, mut refused, mut wrong) = (0, 0, Vec::new());
    let newest = moments.len() - 2;
    let wals: Vec<(String, Option<Vec<u8>>)> = moments
        .iter()
        .map(|m| (m.name.to_owned(), m.files.get("wal").cloned()))
        .chain([("none".to_owned(), None)])
        .chain([2, 3].map(|part| {
            let whole = &moments[newest].files["wal"];
            (format!("cut to 1/{part}"), Some(whole[..whole.len() / part].to_vec()))
        }))
        .filter(|(name, wal)| wal.is_some() || name == "none")
        .collect();
    for db in &moments {
        for (wal_name, wal) in &wals {
            for side in moments.iter().map(Some).chain([None]) {
                for shm in [None, moments[newest].files.get("shm")] {
                    let dir = tempfile::tempdir().unwrap();
                    put(dir.path(), "db", &db.files["db"]);
                    wal.iter().for_each(|wal| put(dir.path(), "wal", wal));
                    shm.iter().for_each(|shm| put(dir.path(), "shm", shm));
                    side.iter().for_each(|side| put(dir.path(), &mark(&side.files).0, &mark(&side.files).1));
                    let what = format!("db {}, log {wal_name}, mark {}, index {}", db.name, side.map_or("none", |s| s.name), shm.is_some());
                    let before = files_of(dir.path());
                    match open(dir.path()) {
                        Err(e) if e.kind() == ErrorKind::Corrupt => {
                            refused += 1;
                            assert!(e.reason().contains("restore") && e.reason().contains("left as"), "{what}: {e}");
                            let after = files_of(dir.path());
                            for part in ["db", "wal"] {
                                // Looking leaves an empty log.
                                let of = |files: &Files| files.get(part).cloned().unwrap_or_default();
                                assert!(of(&before) == of(&after), "{what}: {part} was changed");
                            }
                        }
                        Err(e) => wrong.push(format!("{what}: {:?} {e}", e.kind())),
                        Ok(store) => {
                            opened += 1;
                            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| at(&store)));
                            match found {
                                Err(_) => wrong.push(format!("{what}: no moment")),
                                // A mark of the same generation promises its commits.
                                Ok(n) => {
                                    let own = side.filter(|side| side.files.contains_key("wal") == db.files.contains_key("wal") && mark(&side.files).0 == mark(&db.files).0);
                                    if own.is_some_and(|own| own.name != "another store" && db.name != "another store" && n < own.step) {
                                        wrong.push(format!("{what}: at {n}, promised {}", own.map_or(0, |o| o.step)));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    println!("{opened} opened, {refused} refused");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // Each moment by itself opens.
    for moment in &moments {
        let dir = tempfile::tempdir().unwrap();
        moment.files.iter().filter(|(part, _)| *part != "shm").for_each(|(part, bytes)| put(dir.path(), part, bytes));
        assert_eq!(at(&open(dir.path()).unwrap_or_else(|e| panic!("{}: {e}", moment.name))), moment.step, "{}", moment.name);
    }
}

#[test]
fn a_main_file_by_itself_opens_as_of_an_earlier_moment() {
    let moments = life();
    for (name, step) in [("closed", 2), ("second round", 3), ("third round, later", 5)] {
        let moment = moments.iter().find(|m| m.name == name).unwrap();
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "db", &moment.files["db"]);
        let store = open(dir.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(at(&store), step, "{name}");
        block_on(suite::connect(&store, "a"));
    }
}
