//! What a notification brings of a message, encrypted for the subscriber's certificate, and the token that says who posts it.
//! Source: Graph, change notifications that include resource data.

use crate::entra::keys::sign;
use crate::http::{base64, unbase64};
use crate::mail::message::Message;
use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use serde_json::{Value, json};

/// Microsoft's publisher of notifications.
const PUBLISHER: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";
const LONGEST_ID: usize = 128;

/// What a subscription with resource data was made with.
#[derive(Clone)]
pub struct Encryption {
    /// As it was given: X.509 in base64.
    pub certificate: String,
    pub id: String,
    /// Properties.
    select: Vec<String>,
}

/// What is wrong on purpose.
#[derive(Clone, Copy, Default)]
pub struct Wrong {
    pub signature: bool,
    pub certificate: bool,
    pub message: bool,
}

fn public_key(certificate: &str) -> Option<OaepPublicEncryptingKey> {
    let der = unbase64(certificate)?;
    let der = CertificateDer::from(der);
    let parsed = ParsedCertificate::try_from(&der).ok()?;
    let key = PublicEncryptingKey::from_der(parsed.subject_public_key_info().as_ref()).ok()?;
    OaepPublicEncryptingKey::new(key).ok().filter(|key| (2_048..=4_096).contains(&key.key_size_bits()))
}

const KNOWN: [&str; 9] = ["id", "changeKey", "parentFolderId", "receivedDateTime", "sentDateTime", "isRead", "isDraft", "subject", "internetMessageId"];

/// None: no resource data is asked for. An error says what is wrong.
pub fn asked(body: &Value, resource: &str) -> Result<Option<Encryption>, String> {
    if body["includeResourceData"] != json!(true) {
        return Ok(None);
    }
    let (_, query) = resource.split_once('?').ok_or("A subscription with resource data to messages needs $select.")?;
    let select = query.split('&').find_map(|part| part.strip_prefix("$select=")).ok_or("A subscription with resource data to messages needs $select.")?;
    let select: Vec<String> = select.split(',').map(|name| name.trim().to_string()).collect();
    if let Some(other) = query.split('&').find(|part| !part.starts_with("$select=")) {
        return Err(format!("{other} is not allowed with resource data."));
    }
    if let Some(name) = select.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("{name} cannot be selected with resource data."));
    }
    let id = body["encryptionCertificateId"].as_str().filter(|id| !id.is_empty() && id.len() <= LONGEST_ID).ok_or("encryptionCertificateId is missing, or longer than 128 characters.")?;
    let certificate = body["encryptionCertificate"].as_str().ok_or("encryptionCertificate is missing.")?;
    public_key(certificate).ok_or("encryptionCertificate is no X.509 certificate with an RSA key of 2048 to 4096 bits.")?;
    Ok(Some(Encryption { certificate: certificate.to_string(), id: id.to_string(), select }))
}

fn shown(message: &Message, folder_id: &str, id: &str, select: &[String]) -> Value {
    let mut out = json!({"@odata.type": "#Microsoft.Graph.Message", "@odata.etag": message.etag(), "id": id});
    for name in select {
        let value = match name.as_str() {
            "changeKey" => json!(message.change_key()),
            "parentFolderId" => json!(folder_id),
            "receivedDateTime" => json!(crate::clock::iso(message.received)),
            "sentDateTime" => json!(crate::clock::iso(message.sent)),
            "isRead" => json!(message.is_read),
            "isDraft" => json!(message.is_draft),
            "subject" => json!(message.subject),
            "internetMessageId" => json!(message.message_id),
            _ => continue,
        };
        out[name] = value;
    }
    out
}

/// `encryptedContent` of a notification.
pub fn encrypted(encryption: &Encryption, message: &Message, folder_id: &str, id: &str, wrong: Wrong) -> Option<Value> {
    let random = SystemRandom::new();
    let mut key = [0; 32];
    random.fill(&mut key).ok()?;
    let id = if wrong.message { "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AAAAAAAAAAA==" } else { id };
    let mut data = shown(message, folder_id, id, &encryption.select).to_string().into_bytes();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key).ok()?).ok()?;
    let iv: FixedLength<16> = (&key[..16]).try_into().ok()?;
    cipher.less_safe_encrypt(&mut data, EncryptionContext::Iv128(iv)).ok()?;
    let mut signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data).as_ref().to_vec();
    if wrong.signature {
        signature[0] ^= 1;
    }
    let public = public_key(&encryption.certificate)?;
    let mut room = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut room, None).ok()?;
    let certificate_id = if wrong.certificate { "another-certificate" } else { encryption.id.as_str() };
    Some(json!({
        "data": base64(&data), "dataSignature": base64(&signature), "dataKey": base64(wrapped), "encryptionCertificateId": certificate_id,
        "encryptionCertificateThumbprint": "7D7A4FA0B5B1D8A3A8C1E0F2B3C4D5E6F7081920",
    }))
}

/// Who posts, to an application and about a tenant. `foreign`: signed with a key that nobody knows.
pub fn validation_token(app: &str, tenant: &str, now_ms: i64, foreign: bool) -> String {
    let now = now_ms / 1_000;
    let claims = json!({
        "aud": app, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now, "exp": now + 86_400, "appid": PUBLISHER, "appidacr": "2",
        "idp": format!("https://sts.windows.net/{tenant}/"), "tid": tenant, "ver": "1.0",
    });
    sign(&claims, false, foreign.then_some(crate::entra::keys::Tamper::ForeignKid))
}
