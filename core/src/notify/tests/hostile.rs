//! Posts and contents by whoever finds the route: always the documented status, within bounds, and what is good among them is believed.

use super::*;
use crate::notify::decrypt::{ContentKey, EncryptedContent, Fault};
use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

async fn watched() -> (World, Arc<Notify>, String, String) {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    notify.run_due().await.unwrap();
    world.clear(&notify).await;
    let (id, one) = world.only();
    (world, notify, id, one.client_state)
}

async fn status(notify: &Notify, body: impl Into<Vec<u8>>) -> u32 {
    let answer = notify.receive(HttpRequest { body: Some(body.into()), ..HttpRequest::default() }).await;
    assert!(answer.body.is_empty() && answer.headers.is_empty());
    answer.status
}

#[tokio::test]
async fn bodies_of_any_form_have_the_documented_status() {
    let (world, notify, id, state) = watched().await;
    let good = item(&state, &id).to_string();
    let nested = |depth: usize| format!(r#"{{"value":[{{"a":{}1{}}}]}}"#, "[".repeat(depth), "]".repeat(depth));
    let many = |n: usize, one: &str| format!(r#"{{"value":[{}]}}"#, vec![one; n].join(","));
    for (what, body, wanted) in [
        ("a million notifications", many(1_000_000, "0").into_bytes(), 413),
        ("as many as may be", many(1_000, "{}").into_bytes(), 202),
        ("one more", many(1_001, "{}").into_bytes(), 413),
        ("deep", nested(1_000_000).into_bytes(), 400),
        ("as deep as may be", nested(60).into_bytes(), 202),
        ("the list twice", br#"{"value":[],"value":[]}"#.to_vec(), 400),
        ("no list", br#"{"value":{"a":1}}"#.to_vec(), 400),
        ("a list alone", b"[]".to_vec(), 400),
        ("a text", br#""value""#.to_vec(), 400),
        ("cut off", good.as_bytes()[..good.len() - 1].to_vec(), 400),
        ("cut off within a character", "{\"value\":[\"\u{e9}".as_bytes()[..12].to_vec(), 400),
        ("no UTF-8 in a text", [b"{\"value\":[{\"clientState\":\"".as_slice(), &[0xff, 0xc0, 0x80], b"\"}]}"].concat(), 202),
        ("half a pair", br#"{"value":[{"clientState":"\ud800","subscriptionId":"\udfff\ud800"}]}"#.to_vec(), 202),
        ("nulls", br#"{"value":[{"clientState":"\u0000"}]}"#.to_vec(), 202),
        ("a number no parser reads", br#"{"value":[{"clientState":1e400}]}"#.to_vec(), 202),
        ("tokens of any type", br#"{"value":[],"validationTokens":{"a":[7]}}"#.to_vec(), 202),
        ("tokens twice", br#"{"value":[],"validationTokens":[],"validationTokens":[]}"#.to_vec(), 400),
        ("two bytes", b"\xff\xfe".to_vec(), 400),
        ("empty", Vec::new(), 400),
        ("a name of megabytes", format!(r#"{{"value":[],"{}":1}}"#, "n".repeat(3 << 20)).into_bytes(), 202),
        ("many names", format!(r#"{{"value":[]{}}}"#, r#","a":1"#.repeat(500_000)).into_bytes(), 202),
    ] {
        assert_eq!(status(&notify, body).await, wanted, "{what}");
    }
    assert!(world.marks().await.is_empty());
    // What is good among the bad is believed.
    let mixed = format!(r#"{{"value":[null,7,"x",[],{{"clientState":[]}},{{"clientState":"a","clientState":"b"}},{good},{{"clientState":"{}"}}]}}"#, "x".repeat(1 << 20));
    assert_eq!(status(&notify, mixed).await, 202);
    assert_eq!(world.marks().await, ["a"]);
}

#[tokio::test]
async fn a_good_notification_with_parts_of_any_type_is_believed_all_the_same() {
    let (world, notify, id, state) = watched().await;
    for property in ["encryptedContent", "resourceData", "changeType", "resource", "lifecycleEvent", "subscriptionExpirationDateTime"] {
        for odd in [
            json!(null),
            json!(7),
            json!("x"),
            json!([]),
            json!({}),
            json!({ "id": 7, "data": 7, "dataSignature": [], "dataKey": {}, "encryptionCertificateId": null }),
            json!({ "id": [], "data": null, "dataKey": "x".repeat(100_000), "encryptionCertificateId": "x".repeat(100_000) }),
        ] {
            let mut item = item(&state, &id);
            item[property] = odd.clone();
            assert_eq!(status(&notify, json!({ "value": [item] }).to_string()).await, 202);
            assert_eq!(world.marks().await, ["a"], "{property}: {}", odd.to_string().get(..40).unwrap_or_default());
            world.clear(&notify).await;
        }
    }
}

/// A content as Microsoft makes it, of parts that may be odd.
struct Sealer {
    own: ContentKey,
    public: OaepPublicEncryptingKey,
}

impl Sealer {
    fn new() -> Self {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public = OaepPublicEncryptingKey::new(key.public_key()).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = key.as_der().unwrap();
        Self { own: ContentKey::from_pkcs8(der.as_ref()).unwrap(), public }
    }

    fn wrapped(&self, key: &[u8]) -> Vec<u8> {
        let mut room = vec![0; self.public.ciphertext_size()];
        self.public.encrypt(&OAEP_SHA1_MGF1SHA1, key, &mut room, None).unwrap().to_vec()
    }

    fn content(&self, key: &[u8], plain: &[u8]) -> EncryptedContent {
        let mut data = plain.to_vec();
        let iv: aws_lc_rs::iv::FixedLength<16> = key[..16].try_into().unwrap();
        let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key[..32]).unwrap()).unwrap();
        cipher.less_safe_encrypt(&mut data, EncryptionContext::Iv128(iv)).unwrap();
        self.signed(key, &data)
    }

    /// Of any data, with the right signature.
    fn signed(&self, key: &[u8], data: &[u8]) -> EncryptedContent {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
        EncryptedContent {
            data: STANDARD.encode(data),
            data_signature: STANDARD.encode(signature),
            data_key: STANDARD.encode(self.wrapped(key)),
            encryption_certificate_id: "c".into(),
        }
    }
}

#[test]
fn contents_of_wrong_sizes_are_refused_and_nothing_breaks() {
    let sealer = Sealer::new();
    let key: Vec<u8> = (0..64).collect();
    let good = sealer.content(&key[..32], br#"{"id":"AAMk"}"#);
    assert_eq!(sealer.own.open(&good).unwrap()["id"], "AAMk");
    // Keys of other lengths, rightly wrapped.
    for length in [0, 1, 15, 16, 24, 31, 33, 64] {
        assert_eq!(sealer.own.open(&sealer.signed(&key[..length], b"x")), Err(Fault::Key), "a key of {length}");
    }
    // Data of any length, rightly signed.
    for length in [0, 1, 15, 16, 17, 32, 1 << 20] {
        // One in 256 has a padding by chance.
        assert!(matches!(sealer.own.open(&sealer.signed(&key[..32], &vec![7; length])), Err(Fault::Cipher | Fault::Json)), "data of {length}");
    }
    let part = |change: fn(&mut EncryptedContent, String), value: &str| {
        let mut content = good.clone();
        change(&mut content, value.to_owned());
        sealer.own.open(&content).unwrap_err()
    };
    for length in [0, 1, 31, 33, 255, 257, 1 << 20] {
        let odd = STANDARD.encode(vec![0xab; length]);
        assert_eq!(part(|content, odd| content.data_key = odd, &odd), Fault::Key, "a wrapped key of {length}");
        assert_eq!(part(|content, odd| content.data_signature = odd, &odd), Fault::Signature, "a signature of {length}");
        assert_eq!(part(|content, odd| content.data = odd, &odd), Fault::Signature, "other data of {length}");
    }
    for text in ["%", "=", "a", "\u{0}", "\u{e9}", "AAAA\n", &URL_SAFE_NO_PAD.encode([0xff; 31]), &"=".repeat(1 << 20)] {
        assert_eq!(part(|content, odd| content.data = odd, text), Fault::Encoding);
        assert_eq!(part(|content, odd| content.data_key = odd, text), Fault::Encoding);
        assert_eq!(part(|content, odd| content.data_signature = odd, text), Fault::Encoding);
    }
    // What is rightly encrypted may be anything.
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for plain in [b"".as_slice(), b"{", b"\xff\xfe", b"{\"id\":\"\\ud800\"}", b"1e400", &deep] {
        assert_eq!(sealer.own.open(&sealer.content(&key[..32], plain)), Err(Fault::Json));
    }
}
