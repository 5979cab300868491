#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! One key for everybody who starts, whoever comes first; nothing written over, nothing accepted that others could know.

use super::*;
use std::collections::HashSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Barrier;

fn kind(path: &Path) -> ErrorKind {
    load_or_create(path).unwrap_err().kind()
}

fn close(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn put(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    close(path);
}

#[test]
fn a_key_is_made_once_and_read_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/keys/tidings.key");
    let made = load_or_create(&path).unwrap();
    assert_eq!(*made, *load_or_create(&path).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("{}\n", STANDARD.encode(made.as_slice())), "one line of base64");
    let mode = |p: &Path| fs::metadata(p).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(&dir.path().join("new")), mode(&dir.path().join("new/keys"))), (0o600, 0o700, 0o700));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    assert_ne!(*made, *load_or_create(&dir.path().join("other.key")).unwrap());
}

#[test]
fn those_who_start_at_once_get_one_key() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/tidings.key");
        let start = Barrier::new(8);
        let keys: HashSet<[u8; 32]> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| {
                start.wait();
                *load_or_create(&path).unwrap()
            })).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}

/// As where there are no links: the file is made in its place, once.
#[test]
fn in_place_it_is_not_written_over_either() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidings.key");
    let line = |letter: u8| format!("{}\n", STANDARD.encode([[letter; 16], [7; 16]].concat()));
    in_place(&path, line(1).as_bytes()).unwrap();
    assert_eq!(in_place(&path, line(2).as_bytes()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), line(1));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(load_or_create(&path).unwrap().first(), Some(&1));
}

#[test]
fn what_other_tools_write_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidings.key");
    let text = STANDARD.encode((0..32).collect::<Vec<u8>>());
    for end in ["\n", "\r\n", ""] {
        put(&path, format!("{text}{end}"));
        assert_eq!(load_or_create(&path).unwrap().to_vec(), (0..32).collect::<Vec<u8>>());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    load_or_create(&path).unwrap();
}

#[test]
fn what_is_no_key_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidings.key");
    let good = STANDARD.encode((0..32).collect::<Vec<u8>>());
    for bad in [
        String::new(),
        "\n".into(),
        "a password\n".into(),
        STANDARD.encode([1; 31]),
        STANDARD.encode([1; 33]),
        STANDARD.encode([1; 32]),
        good.trim_end_matches('=').into(),
        format!(" {good}\n"),
        format!("{good}\n\n"),
        format!("{good}\n{good}\n"),
        format!("{good}{}", "\n".repeat(100)),
        good.replace('A', "-"),
        format!("{}9=", &good[..42]),
        "x".repeat(1 << 20),
    ] {
        put(&path, &bad);
        let error = load_or_create(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::VaultLocked, "{bad:.60}");
        assert!(bad.len() < 5 || !error.reason().contains(bad.trim()), "what was found is not repeated");
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
    }
    put(&path, [0xff; 32]);
    assert_eq!(kind(&path), ErrorKind::VaultLocked);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidings.key");
    load_or_create(&path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o620, 0o601, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = load_or_create(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::VaultLocked, "{mode:o}");
        assert!(error.reason().contains("chmod 600"), "{error}");
    }
    close(&path);
    load_or_create(&path).unwrap();
    // Only root can give files away; elsewhere there is nothing to try.
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        let error = load_or_create(&path).unwrap_err();
        assert!(error.kind() == ErrorKind::VaultLocked && error.reason().contains("another user"), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn paths_that_name_no_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("tidings.key");
    let at = |name: &str| dir.path().join(name);
    load_or_create(&real).unwrap();
    symlink(&real, at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["link", "dangling", "folder", "pipe", "tidings.key/below", "new/", "folder/..", "zero\0byte"] {
        assert_eq!(kind(&at(name)), ErrorKind::InvalidInput, "{name:?}");
    }
    for path in ["", "/", "..", "/dev/null"] {
        assert_eq!(kind(Path::new(path)), ErrorKind::InvalidInput, "{path:?}");
    }
    assert!(!at("nowhere").exists() && !at("new").exists());
    assert_eq!(kind(&at(&"n".repeat(300))), ErrorKind::InvalidInput);
    // A folder on the way may be a link.
    symlink(at("folder"), at("way")).unwrap();
    let key = load_or_create(&at("way/tidings.key")).unwrap();
    assert_eq!(*key, *load_or_create(&at("folder/tidings.key")).unwrap());
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let outcome = load_or_create(&dir.path().join("tidings.key"));
    // Root may write everywhere.
    if let Err(error) = outcome {
        assert_eq!(error.kind(), ErrorKind::VaultLocked);
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
}
