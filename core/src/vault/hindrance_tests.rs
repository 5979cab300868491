#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::rotate_tests::{everything, open};
use super::tests::{root, store};
use super::*;

fn wrapped(seed: u8, wrapping: &[u8]) -> Arc<RootKey> {
    Arc::new(RootKey::unwrapped((seed..seed + 32).collect(), wrapping.to_vec()).unwrap())
}

#[test]
fn the_wrapped_key_passed_at_open_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 1));
    let kept = || wrapped_root_key(dir.path()).unwrap();
    assert_eq!(kept(), None);
    for wrapping in [b"first".as_slice(), b"again"] {
        drop(Vault::open(store(dir.path()), wrapped(1, wrapping), 1).unwrap());
        assert_eq!(kept().as_deref(), Some(wrapping));
    }
    // A key that is not the store's leaves nothing, one without a wrapping takes nothing away.
    assert!(Vault::open(store(dir.path()), wrapped(2, b"foreign"), 1).is_err());
    let (there, vault) = open(dir.path(), 1);
    assert_eq!(kept().as_deref(), Some(b"again".as_slice()));
    // Another root key came between the look and the step.
    let old = vault.0.root.canary();
    let order = Order { new_root: Some(root(2)), ..everything(None) };
    vault.rotate(&order, &crate::clock::TestClock::new(10), None).unwrap();
    assert!(!there.keep_wrapped(&old, b"late").unwrap());
    assert_eq!(kept(), None);
}
