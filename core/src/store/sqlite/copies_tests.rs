//! Copies are parked, what only moved or was cut off is not; what ends without good-bye is checked and opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::tests::{open, raw};
use super::*;
use crate::model::{OutboxFilter, SendState};
use crate::runtime::block_on;
use crate::store::{AccountStore, MailStore, Copied, CopyStore, Hold, OutboxParts, OutboxStore, suite};
use std::process::Command;

const ORDER: &str = "TIDINGS_STORE_CHILD";

/// Not a test of its own: processes of the tests below run it.
#[tokio::test]
#[allow(clippy::disallowed_methods)] // which part it plays
async fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let (verb, dir) = order.split_once(' ').unwrap();
    let store = SqliteStore::open(Path::new(dir), Duration::from_secs(5));
    let store = match store {
        Ok(store) => store,
        Err(e) => {
            println!("\nCHILD refused {:?} {e}", e.kind());
            return;
        }
    };
    block_on(suite::with_log(&store));
    match verb {
        // Killed in the middle of its work.
        "abort" => {
            (0..20u8).for_each(|n| drop(block_on(store.meta_or_insert(&format!("k{n}"), &vec![n; 20_000]))));
            std::process::abort();
        }
        "send" => {
            for _ in 0..25 {
                match suite::try_enqueue(&store, "a").await {
                    Ok(id) => println!("\nCHILD sent {id}"),
                    Err(e) => println!("\nCHILD failed {:?}", e.kind()),
                }
            }
        }
        _ => {}
    }
}

fn command(verb: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::sqlite::copies_tests::child", "--nocapture"]).env(ORDER, format!("{verb} {}", dir.display()));
    command
}

/// A store with two sends of different lanes, one of them under way; closed.
async fn waiting(dir: &Path) {
    let store = open(dir).unwrap();
    block_on(suite::connect(&store, "a"));
    suite::enqueue(&store, "a", "l", Some("one")).await;
    suite::enqueue(&store, "a", "m", Some("two")).await;
    let claimed = store.claim(1, 10, &[]).await.unwrap().unwrap();
    store.step(&claimed.id, claimed.fence, &suite::step(crate::store::ItemState::Dispatching), 2).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn parked(store: &SqliteStore) -> u32 {
    block_on(store.parked_sends("a")).unwrap()
}

#[tokio::test]
async fn a_copy_is_parked_until_the_host_says_go_and_new_sends_go() {
    let root = tempfile::tempdir().unwrap();
    let (original, other) = (root.path().join("original"), root.path().join("copy"));
    waiting(&original).await;
    copy(&original, &other);
    let store = open(&other).unwrap();
    assert_eq!(parked(&store), 2);
    assert!(store.claim(1_000_000, 10, &[]).await.unwrap().is_none() && store.next_claim(1_000_000, &[]).await.unwrap().is_none());
    assert_eq!(block_on(store.settle_copy(false, 77)).unwrap(), Copied { is_new: true, parked: 2, released: 0 });
    assert_eq!(block_on(store.copied_at()).unwrap(), Some(77));
    let queued = OutboxFilter { state: Some(SendState::Queued), ..OutboxFilter::default() };
    assert_eq!(store.items(&queued).await.unwrap().len(), 2, "shown as queued, wherever they stood");
    // In the lane of a parked one.
    suite::enqueue(&store, "a", "l", Some("three")).await;
    assert_eq!(store.claim(10, 10, &[]).await.unwrap().unwrap().key.as_deref(), Some("three"));
    drop(store);
    // They stay parked over a restart, which is no new copy.
    let store = open(&other).unwrap();
    assert_eq!(block_on(store.settle_copy(false, 78)).unwrap(), Copied { is_new: false, parked: 2, released: 0 });
    assert_eq!(block_on(store.settle_copy(true, 79)).unwrap(), Copied { is_new: false, parked: 0, released: 2 });
    let (first, second) = (store.claim(1_000_000, 10, &[]).await.unwrap().unwrap(), store.claim(1_000_000, 10, &[]).await.unwrap().unwrap());
    assert_eq!((first.hold, second.hold), (Hold::Released, Hold::Released));
    drop(store);
    // The original goes on.
    let store = open(&original).unwrap();
    assert_eq!((parked(&store), block_on(store.settle_copy(false, 80)).unwrap()), (0, Copied::default()));
    assert!(store.claim(1_000_000, 10, &[]).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_put_back_in_place_is_parked_too() {
    type Way = (&'static str, fn(&Path, &Path));
    let ways: [Way; 6] = [
        ("over the files", |kept, dir| copy(kept, dir)),
        ("after the folder was removed", |kept, dir| {
            std::fs::remove_dir_all(dir).unwrap();
            copy(kept, dir);
        }),
        ("into an emptied folder", |kept, dir| {
            std::fs::read_dir(dir).unwrap().flatten().for_each(|e| std::fs::remove_file(e.path()).unwrap());
            copy(kept, dir);
        }),
        ("the main file alone", |kept, dir| assert!(std::fs::copy(kept.join("tidings.db"), dir.join("tidings.db")).is_ok())),
        ("file by file, renamed into place", |kept, dir| {
            for entry in std::fs::read_dir(kept).unwrap().flatten() {
                std::fs::copy(entry.path(), dir.join(".tmp")).unwrap();
                std::fs::rename(dir.join(".tmp"), dir.join(entry.file_name())).unwrap();
            }
        }),
        ("as a snapshot of SQLite's", |kept, dir| {
            std::fs::remove_dir_all(dir).unwrap();
            std::fs::create_dir_all(dir).unwrap();
            raw(kept).execute("VACUUM INTO ?1", [dir.join("tidings.db").to_string_lossy()]).unwrap();
        }),
    ];
    for (name, way) in ways {
        let root = tempfile::tempdir().unwrap();
        let (dir, kept) = (root.path().join("store"), root.path().join("kept"));
        waiting(&dir).await;
        copy(&dir, &kept);
        // Meanwhile they are sent.
        let store = open(&dir).unwrap();
        assert_eq!(parked(&store), 0, "{name}: a plain restart");
        block_on(store.settle_copy(false, 1)).unwrap();
        drop(store);
        way(&kept, &dir);
        let store = open(&dir).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(parked(&store), 2, "{name}");
    }
}

#[tokio::test]
async fn restarts_moves_and_new_modes_are_no_copies() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let (dir, moved) = (root.path().join("store"), root.path().join("elsewhere"));
    waiting(&dir).await;
    for _ in 0..3 {
        assert_eq!(parked(&open(&dir).unwrap()), 0, "a restart");
    }
    std::fs::rename(&dir, &moved).unwrap();
    assert_eq!(parked(&open(&moved).unwrap()), 0, "another name");
    for entry in std::fs::read_dir(&moved).unwrap().flatten() {
        std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(entry.path(), Some(std::os::unix::fs::MetadataExt::uid(&entry.metadata().unwrap())), None).unwrap();
    }
    assert_eq!(parked(&open(&moved).unwrap()), 0, "mode and owner");
    // Several engines at once, in this process and another.
    let (one, two) = (open(&moved).unwrap(), open(&moved).unwrap());
    assert!(command("look", &moved).output().unwrap().status.success());
    assert_eq!((parked(&one), parked(&two)), (0, 0));
    drop((one, two));
    assert_eq!(parked(&open(&moved).unwrap()), 0);
}

#[tokio::test]
async fn a_process_that_was_killed_leaves_no_copy_and_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    waiting(dir.path()).await;
    for _ in 0..3 {
        assert!(!command("abort", dir.path()).output().unwrap().status.success());
        assert!(dir.path().join("tidings.db-wal").exists());
    }
    let store = open(dir.path()).unwrap();
    assert_eq!(parked(&store), 0);
    assert_eq!(block_on(store.meta("k19")).unwrap(), Some(vec![19; 20_000]));
    drop(store);
    let names: Vec<String> = std::fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 2, "main file and mark, nothing else: {names:?}");
}

#[tokio::test]
async fn damage_after_an_unclean_end_is_found_before_anything_is_served() {
    let dir = tempfile::tempdir().unwrap();
    waiting(dir.path()).await;
    {
        let store = open(dir.path()).unwrap();
        (0..60u8).for_each(|n| drop(block_on(store.meta_or_insert(&format!("a{n}"), &vec![n; 30_000]))));
    }
    assert!(!command("abort", dir.path()).output().unwrap().status.success());
    let file = dir.path().join("tidings.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 16_384 * 16_384;
    bytes[middle..middle + 16_384].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    for _ in 0..2 {
        let error = open(dir.path()).unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.reason().contains("restore the whole folder"), "{error}");
        assert!(std::fs::read(&file).unwrap() == bytes, "left as it was");
    }
}

/// A library that stands between a process and the system, as file systems do that keep no locks.
fn shim(dir: &Path) -> PathBuf {
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    std::fs::write(&source, include_str!("shim.c")).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    library
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_locks_or_a_shared_index_one_process_has_the_store() {
    let root = tempfile::tempdir().unwrap();
    let library = shim(root.path());
    for (lies, alone) in [("", false), ("fcntl", true), ("fcntl flock", true), ("fcntl ofd flock", true), ("map", true), ("fcntl ofd flock map", true)] {
        let dir = root.path().join(format!("store {lies}"));
        let store = open(&dir).unwrap();
        block_on(suite::connect(&store, "a"));
        drop(store);
        let start = || command("send", &dir).env("LD_PRELOAD", &library).env("SHIM", lies).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let children: Vec<_> = (0..4).map(|_| start()).collect();
        let said: Vec<String> = children.into_iter().map(|c| String::from_utf8(c.wait_with_output().unwrap().stdout).unwrap()).collect();
        let said = said.join("\n");
        let mut sent: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("CHILD sent ")).collect();
        let refused = said.lines().filter(|line| line.starts_with("CHILD refused StoreBusy")).count();
        assert!(!said.contains("CHILD failed"), "{lies}: {said}");
        assert_eq!(sent.len() + 25 * refused, 100, "{lies}: {said}");
        if !alone {
            assert_eq!(refused, 0, "{said}");
        }
        assert!(!sent.is_empty(), "{lies}: somebody has it");
        let acknowledged = sent.len();
        sent.sort_unstable();
        sent.dedup();
        assert_eq!(sent.len(), acknowledged, "{lies}: a receipt id was given twice");
        let store = open(&dir).unwrap();
        let kept: Vec<String> = store.items(&OutboxFilter { limit: 1000, ..OutboxFilter::default() }).await.unwrap().iter().map(|item| item.id.to_string()).collect();
        assert_eq!(kept.len(), acknowledged, "{lies}: nothing acknowledged is lost");
        assert!(sent.iter().all(|id| kept.iter().any(|k| k == id)));
        assert_eq!(raw(&dir).query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    }
}

#[tokio::test]
#[ignore = "measures"]
async fn how_long_a_check_of_a_hundred_megabytes_takes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    block_on(suite::connect(&store, "a"));
    let lease = suite::lease(&store).await;
    store.save_folders("a", 1, &lease, &suite::listed(&[suite::folder("in")]), 1).await.unwrap();
    for page in 0..200 {
        let many = (0..100).map(|n| suite::message(&format!("m{page}-{n}"), "in", 1)).collect();
        suite::apply(&store, &lease, many, |_| {}).await;
        let filler: Vec<u8> = (0..450_000u32).map(|n| (n % 251) as u8).collect();
        block_on(store.meta_or_insert(&format!("filler{page}"), &filler)).unwrap();
    }
    let copy_dir = dir.path().join("copy");
    std::fs::create_dir(&copy_dir).unwrap();
    for name in ["tidings.db", "tidings.db-wal"] {
        std::fs::copy(dir.path().join(name), copy_dir.join(name)).unwrap();
    }
    let started = std::time::Instant::now();
    drop(open(&copy_dir).unwrap());
    let size = std::fs::metadata(copy_dir.join("tidings.db")).unwrap().len();
    let checked = started.elapsed();
    let started = std::time::Instant::now();
    drop(open(&copy_dir).unwrap());
    println!("{} MB: checked in {checked:?}, opened without a check in {:?}", size >> 20, started.elapsed());
}
