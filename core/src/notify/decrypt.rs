//! What a notification brings of a message, encrypted for a certificate of ours. The signature is proven before anything is decrypted; it proves that nothing was
//! changed on the way, not who made it: whoever has the certificate can make one.
//! Source: Graph, change notifications that include resource data.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crate::json::lenient;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

/// Bytes of a key for AES-256.
const KEY: usize = 32;
const IV: usize = 16;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EncryptedContent {
    #[serde(deserialize_with = "text")]
    pub data: String,
    #[serde(deserialize_with = "text")]
    pub data_signature: String,
    #[serde(deserialize_with = "text")]
    pub data_key: String,
    #[serde(deserialize_with = "text")]
    pub encryption_certificate_id: String,
}

/// A content of another form is none, and takes nothing from the notification around it.
fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(lenient::scalar(input)?.unwrap_or_default())
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is for no certificate of ours.
    Certificate,
    Encoding,
    Key,
    Signature,
    Cipher,
    Json,
}

/// The private key of a certificate.
pub struct ContentKey(OaepPrivateDecryptingKey);

impl ContentKey {
    /// None: it is no RSA key.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        PrivateDecryptingKey::from_pkcs8(der).ok().and_then(|key| OaepPrivateDecryptingKey::new(key).ok()).map(Self)
    }

    pub fn open(&self, content: &EncryptedContent) -> Result<Value, Fault> {
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| Fault::Encoding);
        let (mut data, wrapped) = (decoded(&content.data)?, decoded(&content.data_key)?);
        let signature = decoded(&content.data_signature)?;
        let mut room = Zeroizing::new(vec![0; self.0.min_output_size()]);
        let key: &[u8] = self.0.decrypt(&OAEP_SHA1_MGF1SHA1, &wrapped, &mut room, None).map_err(|_| Fault::Key)?;
        if key.len() != KEY {
            return Err(Fault::Key);
        }
        // In constant time, and of its whole length.
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &data, &signature).map_err(|_| Fault::Signature)?;
        let iv: FixedLength<IV> = key.get(..IV).and_then(|iv| iv.try_into().ok()).ok_or(Fault::Key)?;
        let cipher = UnboundCipherKey::new(&AES_256, key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7).map_err(|_| Fault::Cipher)?;
        let plain = cipher.decrypt(&mut data, DecryptionContext::Iv128(iv)).map_err(|_| Fault::Cipher)?;
        let text = std::str::from_utf8(plain).map_err(|_| Fault::Json)?;
        if crate::json::too_deep(text.as_bytes()) {
            return Err(Fault::Json);
        }
        serde_json::from_str(text).map_err(|_| Fault::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases run when TIDINGS_VECTORS names the folder that holds them.
    #[allow(clippy::disallowed_methods)] // where the vectors are, when all of them run
    fn file(name: &str) -> Option<Value> {
        let folder = std::env::var_os("TIDINGS_VECTORS")?;
        Some(serde_json::from_slice(&std::fs::read(std::path::Path::new(&folder).join(name)).unwrap()).unwrap())
    }

    #[test]
    fn contents_of_notifications() {
        let Some(all) = file("graph_notification_test.json") else { return };
        let key = ContentKey::from_pkcs8(&STANDARD.decode(all["privateKeyPkcs8DerBase64"].as_str().unwrap()).unwrap()).unwrap();
        let (mut run, mut opened, mut refused, mut disagreed) = (0, 0, 0, Vec::new());
        for test in all["tests"].as_array().unwrap() {
            run += 1;
            let content: EncryptedContent = serde_json::from_value(test["encryptedContent"].clone()).unwrap();
            let found = if content.encryption_certificate_id == all["certificateId"] { key.open(&content) } else { Err(Fault::Certificate) };
            let stage = found.as_ref().err().map_or("", |fault| match fault {
                Fault::Certificate => "certificate",
                Fault::Encoding => "encoding",
                Fault::Key => "key",
                Fault::Signature => "signature",
                Fault::Cipher => "cipher",
                Fault::Json => "json",
            });
            let is_right = match &found {
                Ok(value) => test["expect"] == "valid" && *value == serde_json::from_str::<Value>(test["plaintext"].as_str().unwrap()).unwrap(),
                // A signature in another alphabet decodes or does not: either way it is none.
                Err(fault) => test["expect"] == "invalid" && (test["stage"] == stage || (test["stage"] == "signature" && *fault == Fault::Encoding)),
            };
            match (is_right, found.is_ok()) {
                (true, true) => opened += 1,
                (true, false) => refused += 1,
                (false, _) => disagreed.push(format!("{}: {stage}", test["id"])),
            }
        }
        println!("graph_notification_test.json: run {run}, decrypted {opened}, refused as expected {refused}, disagreed {disagreed:?}");
        assert_eq!((run, opened, refused, disagreed), (22, 6, 16, Vec::<String>::new()));
    }

    fn bytes(text: &Value) -> Vec<u8> {
        let text = text.as_str().unwrap();
        (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
    }

    #[test]
    fn data_keys() {
        let Some(all) = file("rsa_oaep_2048_sha1_mgf1sha1_test.json") else { return };
        let (mut run, mut disagreed) = (0, Vec::new());
        for group in all["testGroups"].as_array().unwrap() {
            let key = ContentKey::from_pkcs8(&bytes(&group["privateKeyPkcs8"])).unwrap();
            for test in group["tests"].as_array().unwrap() {
                run += 1;
                let label = bytes(&test["label"]);
                let mut room = vec![0; key.0.min_output_size()];
                let found = key.0.decrypt(&OAEP_SHA1_MGF1SHA1, &bytes(&test["ct"]), &mut room, Some(&label).filter(|label| !label.is_empty()).map(Vec::as_slice));
                if found.is_ok_and(|plain| plain == bytes(&test["msg"])) != (test["result"] != "invalid") {
                    disagreed.push(test["tcId"].as_i64().unwrap());
                }
            }
        }
        println!("rsa_oaep_2048_sha1_mgf1sha1_test.json: run {run}, disagreed {disagreed:?}");
        assert_eq!((run, disagreed), (36, vec![]));
    }

    #[test]
    fn ciphers() {
        let Some(all) = file("aes_cbc_pkcs5_test.json") else { return };
        let (mut run, mut disagreed) = (0, Vec::new());
        for group in all["testGroups"].as_array().unwrap().iter().filter(|group| group["keySize"] == 256) {
            for test in group["tests"].as_array().unwrap() {
                run += 1;
                let iv = FixedLength::<IV>::try_from(&bytes(&test["iv"])[..]).unwrap();
                let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &bytes(&test["key"])).unwrap()).unwrap();
                let mut data = bytes(&test["ct"]);
                let found = cipher.decrypt(&mut data, DecryptionContext::Iv128(iv)).is_ok_and(|plain| *plain == *bytes(&test["msg"]));
                if found != (test["result"] != "invalid") {
                    disagreed.push(test["tcId"].as_i64().unwrap());
                }
            }
        }
        println!("aes_cbc_pkcs5_test.json: run {run}, disagreed {disagreed:?}");
        assert_eq!((run, disagreed), (72, vec![]));
    }

    #[test]
    fn signatures() {
        let Some(all) = file("hmac_sha256_test.json") else { return };
        let (mut run, mut disagreed) = (0, Vec::new());
        for group in all["testGroups"].as_array().unwrap() {
            let is_whole = group["tagSize"] == 256;
            for test in group["tests"].as_array().unwrap() {
                run += 1;
                let found = hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &bytes(&test["key"])), &bytes(&test["msg"]), &bytes(&test["tag"])).is_ok();
                if found != (is_whole && test["result"] != "invalid") {
                    disagreed.push(test["tcId"].as_i64().unwrap());
                }
            }
        }
        println!("hmac_sha256_test.json: run {run}, disagreed {disagreed:?}");
        assert_eq!((run, disagreed), (174, vec![]));
    }

    #[test]
    fn what_is_no_key_opens_nothing() {
        assert!(ContentKey::from_pkcs8(b"").is_none() && ContentKey::from_pkcs8(&[0x30, 0x82, 0x01]).is_none());
    }
}
