//! Sealed values as anybody might put them into the store.

#![allow(clippy::panic)] // this is how a fuzz target says that something does not hold

use super::{AadContext, Cipher, KeyBytes, Sealed};
use crate::error::{ErrorKind, Result};
use std::sync::OnceLock;

/// The key that seeds name.
const KEY_ID: i64 = 7;

const PLACE: AadContext<'static> = AadContext { table: "messages", column: "head", account_id: "acc_1", row: "msg_1", version: 1 };

/// A stored value. It is also sealed as a text, and then damaged in a place that it names itself.
pub fn envelope(bytes: &[u8]) {
    let Some(cipher) = cipher() else { return };
    match Sealed::parse(bytes.to_vec()) {
        // Nothing in a file was sealed with a key that this process made.
        Ok(sealed) => {
            assert_eq!(sealed.as_bytes(), bytes);
            assert!(bytes.starts_with(&Sealed::begins(sealed.key_id())));
            assert!(refused(cipher.open(PLACE, &sealed)), "a made-up value opens");
        }
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidInput), "{error:?}"),
    }
    let Ok(genuine) = cipher.seal(PLACE, bytes) else { panic!("a value cannot be sealed") };
    assert!(cipher.open(PLACE, &genuine).is_ok_and(|plain| plain.as_slice() == bytes), "what was sealed does not come back");
    for place in [AadContext { row: "msg_2", ..PLACE }, AadContext { version: 2, ..PLACE }, AadContext { column: "body", ..PLACE }, AadContext { account_id: "acc_", row: "1msg_1", ..PLACE }] {
        assert!(refused(cipher.open(place, &genuine)), "a value opens in another place");
    }
    let damaged = damaged(genuine.as_bytes(), bytes);
    if let Ok(sealed) = Sealed::parse(damaged) {
        assert!(refused(cipher.open(PLACE, &sealed)), "a damaged value opens");
    }
}

fn refused<T>(opened: Result<T>) -> bool {
    opened.is_err_and(|error| error.kind() == ErrorKind::Corrupt)
}

/// One bit is turned, or bytes are cut off, as the first bytes of the text say.
fn damaged(genuine: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = genuine.to_vec();
    let number = by.iter().take(4).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    if number % 5 == 0 {
        out.truncate(out.len() - 1 - number % out.len());
    } else if let Some(byte) = out.get_mut(number / 8 % genuine.len()) {
        *byte ^= 1 << (number % 8);
    }
    out
}

fn cipher() -> Option<&'static Cipher> {
    static CIPHER: OnceLock<Option<Cipher>> = OnceLock::new();
    CIPHER.get_or_init(|| Some(Cipher::new(b"store", KEY_ID, &KeyBytes::random().ok()?))).as_ref()
}
