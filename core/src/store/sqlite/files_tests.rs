//! Whose folder and files those of a store may be, and what may be in them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::tests::*;
use super::*;
use crate::store::suite;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn folder_and_files_are_closed_to_others() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new/store");
    let store = open(&dir).unwrap();
    suite::connect(&store, "a").await;
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in std::fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 5, "database, log, index, mark and presence, nothing else");
    drop(store);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "database and mark");
}

#[test]
fn open_folders_are_closed_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open_up = || std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    open_up();
    drop(open(dir.path()).unwrap());
    assert_eq!(std::fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    open_up();
    std::fs::write(dir.path().join("others.txt"), "x").unwrap();
    assert_eq!(open(dir.path()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn links_and_odd_things_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    drop(open(&real).unwrap());
    let kind = |p: &Path| open(p).unwrap_err().kind();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert_eq!(kind(&link), ErrorKind::InvalidInput);
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    for name in ["tidings.db", "tidings.db-wal"] {
        std::os::unix::fs::symlink(real.join("tidings.db"), other.join(name)).unwrap();
        assert_eq!(kind(&other), ErrorKind::InvalidInput, "{name}");
        std::fs::remove_file(other.join(name)).unwrap();
    }
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(kind(&file), ErrorKind::InvalidInput);
    assert_eq!(kind(&file.join("below")), ErrorKind::InvalidInput);
}

#[test]
fn foreign_owners_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    // Only root can give files away; elsewhere there is nothing to try.
    if std::os::unix::fs::chown(dir.path().join("tidings.db"), Some(12_345), None).is_ok() {
        assert_eq!(open(dir.path()).unwrap_err().kind(), ErrorKind::Forbidden);
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
        assert_eq!(open(dir.path()).unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

#[test]
fn newer_foreign_altered_and_damaged_files_are_told_apart_and_left_alone() {
    type Case = (&'static str, fn(&Path), ErrorKind);
    let cases: [Case; 5] = [
        ("newer", |d| raw(d).execute_batch("PRAGMA user_version = 99").unwrap(), ErrorKind::InvalidInput),
        ("altered", |d| raw(d).execute_batch("CREATE TABLE more (x)").unwrap(), ErrorKind::Corrupt),
        ("trigger", |d| raw(d).execute_batch("CREATE TRIGGER t AFTER INSERT ON tokens BEGIN SELECT 1; END").unwrap(), ErrorKind::Corrupt),
        ("no database", |d| std::fs::write(d.join("tidings.db"), vec![b'x'; 40_000]).unwrap(), ErrorKind::Corrupt),
        ("foreign", |d| {
            std::fs::remove_file(d.join("tidings.db")).unwrap();
            raw(d).execute_batch("CREATE TABLE theirs (x)").unwrap();
        }, ErrorKind::InvalidInput),
    ];
    for (name, harm, kind) in cases {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        harm(dir.path());
        let before = std::fs::read(dir.path().join("tidings.db")).unwrap();
        assert_eq!(open(dir.path()).unwrap_err().kind(), kind, "{name}");
        assert_eq!(open(dir.path()).unwrap_err().kind(), kind, "{name}, again");
        if name == "no database" {
            assert!(std::fs::read(dir.path().join("tidings.db")).unwrap() == before);
        }
    }
}
