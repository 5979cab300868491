#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::cipher::{decrypt, encrypt};
use super::key::{hkdf_sha256, hmac_sha256};
use super::*;
use crate::error::ErrorKind;
use aes_gcm::{Aes256Gcm, KeyInit};
use proptest::prelude::*;
use serde_json::Value;

/// Groups of a vector file: of the folder in TIDINGS_VECTORS, or the few that are checked in. True: the full set.
#[allow(clippy::disallowed_methods)] // where the vectors are, when all of them run
fn vectors(name: &str) -> (Vec<Value>, bool) {
    let full = std::env::var("TIDINGS_VECTORS").ok();
    let dir = full.clone().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors").to_owned());
    let text = std::fs::read_to_string(std::path::Path::new(&dir).join(name)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    (file["testGroups"].as_array().unwrap().clone(), full.is_some())
}

fn hex(v: &Value) -> Vec<u8> {
    let text = v.as_str().unwrap().as_bytes();
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn aes_256_gcm_answers_as_known() {
    let (groups, full) = vectors("aes_gcm_test.json");
    let (mut accepted, mut refused) = (0, 0);
    for group in groups.iter().filter(|g| g["keySize"] == 256 && g["ivSize"] == 96 && g["tagSize"] == 128) {
        for t in group["tests"].as_array().unwrap() {
            let aes = Aes256Gcm::new_from_slice(&hex(&t["key"])).unwrap();
            let (iv, tag): ([u8; 12], [u8; 16]) = (hex(&t["iv"]).try_into().unwrap(), hex(&t["tag"]).try_into().unwrap());
            let mut text = hex(&t["ct"]);
            let opened = decrypt(&aes, &iv, &hex(&t["aad"]), &mut text, &tag);
            assert_eq!(opened, t["result"] == "valid", "case {}", t["tcId"]);
            if opened {
                assert_eq!(text, hex(&t["msg"]), "case {}", t["tcId"]);
                assert_eq!(encrypt(&aes, &iv, &hex(&t["aad"]), &mut text), Some(tag), "case {}", t["tcId"]);
                assert_eq!(text, hex(&t["ct"]), "case {}", t["tcId"]);
                accepted += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert_eq!((accepted, refused), if full { (39, 27) } else { (3, 2) });
}

#[test]
fn hkdf_answers_as_known() {
    let (groups, full) = vectors("hkdf_sha256_test.json");
    let mut run = 0;
    for t in groups.iter().flat_map(|g| g["tests"].as_array().unwrap()) {
        let mut out = vec![0; usize::try_from(t["size"].as_u64().unwrap()).unwrap()];
        let made = hkdf_sha256(&hex(&t["salt"]), &hex(&t["ikm"]), &hex(&t["info"]), &mut out).is_ok();
        assert_eq!(made && out == hex(&t["okm"]), t["result"] == "valid", "case {}", t["tcId"]);
        run += 1;
    }
    assert_eq!(run, if full { 86 } else { 3 });
}

#[test]
fn hmac_answers_as_known() {
    let (groups, full) = vectors("hmac_sha256_test.json");
    let mut run = 0;
    for t in groups.iter().filter(|g| g["tagSize"] == 256).flat_map(|g| g["tests"].as_array().unwrap()) {
        let mac = hmac_sha256(&hex(&t["key"]), &hex(&t["msg"])).unwrap();
        assert_eq!(mac.as_slice() == hex(&t["tag"]), t["result"] == "valid", "case {}", t["tcId"]);
        run += 1;
    }
    assert_eq!(run, if full { 87 } else { 6 });
}

const PLACE: AadContext<'_> = AadContext { table: "messages", column: "head", account_id: "a", row: "AAMk", version: 3 };

fn cipher() -> (Cipher, KeyBytes) {
    let key = KeyBytes::random().unwrap();
    (Cipher::new(b"store", 7, &key), key)
}

#[test]
fn a_value_opens_in_its_place_alone() {
    let (cipher, key) = cipher();
    let sealed = cipher.seal(PLACE, b"subject").unwrap();
    assert_eq!(cipher.open(PLACE, &sealed).unwrap().as_slice(), b"subject");
    let elsewhere = [
        AadContext { table: "bodies", ..PLACE },
        AadContext { column: "body", ..PLACE },
        AadContext { account_id: "b", ..PLACE },
        AadContext { account_id: "", ..PLACE },
        AadContext { row: "AAMK", ..PLACE },
        AadContext { version: 2, ..PLACE },
        // The same letters, split otherwise.
        AadContext { table: "message", column: "shead", ..PLACE },
        AadContext { account_id: "aA", row: "AMk", ..PLACE },
    ];
    for place in elsewhere {
        let e = cipher.open(place, &sealed).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{place:?}");
        assert!(!e.reason().contains("subject") && !e.reason().contains("AAM"));
    }
    for other in [Cipher::new(b"other", 7, &key), Cipher::new(b"store", 8, &key), Cipher::new(b"store", 7, &KeyBytes::random().unwrap())] {
        assert_eq!(other.open(PLACE, &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let (cipher, _) = cipher();
    let sealed = cipher.seal(PLACE, b"token").unwrap();
    for at in 0..sealed.as_bytes().len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(Sealed::parse(bytes).and_then(|s| cipher.open(PLACE, &s)).is_err(), "byte {at}");
    }
}

#[test]
fn nothing_but_the_envelope_parses() {
    let (cipher, _) = cipher();
    let bytes = cipher.seal(PLACE, b"").unwrap().as_bytes().to_vec();
    assert_eq!(bytes.len(), 38);
    assert_eq!(format!("{:?}", Sealed::parse(bytes.clone()).unwrap()), "Sealed(38 bytes)");
    assert_eq!(Sealed::parse(bytes.clone()).unwrap().key_id(), 7);
    let kind = |bytes: Vec<u8>| Sealed::parse(bytes).unwrap_err().kind();
    assert_eq!(kind(Vec::new()), ErrorKind::Corrupt);
    assert_eq!(kind(bytes[..37].to_vec()), ErrorKind::Corrupt);
    assert_eq!(kind([&[0], &bytes[1..]].concat()), ErrorKind::Corrupt);
    // A newer format or algorithm is reported as such, not as damage.
    assert_eq!(kind([&[2], &bytes[1..]].concat()), ErrorKind::InvalidInput);
    assert_eq!(kind([&[1, 2], &bytes[2..]].concat()), ErrorKind::InvalidInput);
}

#[test]
fn two_seals_of_one_value_differ() {
    let (cipher, _) = cipher();
    assert_ne!(cipher.seal(PLACE, b"x").unwrap(), cipher.seal(PLACE, b"x").unwrap());
}

#[test]
fn derived_keys_differ_by_purpose_and_salt() {
    let key = KeyBytes::from_slice(&[9; 32]).unwrap();
    let derive = |salt: &[u8], purpose: &[&[u8]]| key.derive(salt, purpose).unwrap().expose(|b| *b);
    assert_eq!(derive(b"s", &[b"a", b"b"]), derive(b"s", &[b"a", b"b"]));
    assert_ne!(derive(b"s", &[b"a", b"b"]), derive(b"s", &[b"ab"]));
    assert_ne!(derive(b"s", &[b"a"]), derive(b"t", &[b"a"]));
    assert_ne!(key.mac(&[b"ab", b"c"]).unwrap(), key.mac(&[b"a", b"bc"]).unwrap());
    assert!(KeyBytes::from_slice(&[1; 31]).is_none());
    assert_eq!(format!("{key:?}"), "KeyBytes(…)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_value_comes_back(plain in proptest::collection::vec(any::<u8>(), 0..2000), row in ".{0,40}", version: i64) {
        let (cipher, _) = cipher();
        let place = AadContext { row: &row, version, ..PLACE };
        let sealed = cipher.seal(place, &plain).unwrap();
        let back = Sealed::parse(sealed.as_bytes().to_vec()).unwrap();
        prop_assert_eq!(cipher.open(place, &back).unwrap().to_vec(), plain);
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let (cipher, _) = cipher();
        if let Ok(sealed) = Sealed::parse(bytes) {
            prop_assert!(cipher.open(PLACE, &sealed).is_err());
        }
    }
}
