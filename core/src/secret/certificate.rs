//! A certificate with its private key. The key goes into the cryptographic library at once and does not come out again.

use crate::error::{Error, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const LONGEST_PEM: usize = 64 << 10;

/// A certificate that proves which application asks, instead of a client secret. Never printed.
/// Source: Microsoft identity platform, certificate credentials.
pub struct ClientCertificate {
    /// SHA-256 of the certificate, by which Entra knows it.
    thumbprint: [u8; 32],
    key: RsaKeyPair,
}

impl ClientCertificate {
    /// Both as PEM; the private key is RSA of 2048 bits or more, unencrypted. Errors: InvalidInput.
    pub fn from_pem(certificate: String, private_key: String) -> Result<Self> {
        let private_key = Zeroizing::new(private_key);
        if certificate.len() > LONGEST_PEM || private_key.len() > LONGEST_PEM {
            return Err(Error::invalid("A certificate or private key is longer than 64 KB. Pass one certificate and its key, both as PEM."));
        }
        let certificates = blocks(&certificate).ok_or_else(|| Error::invalid("The certificate is not proper PEM. It begins with -----BEGIN CERTIFICATE-----."))?;
        // Further ones are the chain, which Entra does not ask for.
        let certificate = certificates
            .iter()
            .find(|block| block.label == "CERTIFICATE")
            .ok_or_else(|| Error::invalid("The certificate holds no -----BEGIN CERTIFICATE----- part. Pass the one uploaded to Entra, as PEM."))?;
        let key = key(&private_key)?;
        let der = CertificateDer::from(certificate.content.as_slice());
        let parsed = ParsedCertificate::try_from(&der).map_err(|_| Error::invalid("The certificate cannot be read. Pass the one uploaded to Entra (X.509, version 3), as PEM."))?;
        let certified = Self { thumbprint: Sha256::digest(&certificate.content).into(), key };
        // What one signs and the other verifies belongs together, however the two are written down.
        let signature = certified.sign(b"tidings")?;
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, parsed.subject_public_key_info().as_ref())
            .verify(b"tidings", &signature)
            .map_err(|_| Error::invalid("The private key does not belong to the certificate. Of several certificates, the key's own comes first."))?;
        Ok(certified)
    }

    pub(crate) fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// RSA-PSS with SHA-256: PS256 of RFC 7518.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| Error::internal("A signature could not be made."))?;
        Ok(signature)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(…)")
    }
}

fn key(pem: &str) -> Result<RsaKeyPair> {
    let blocks = blocks(pem).ok_or_else(|| Error::invalid("The private key is not proper PEM. It begins with -----BEGIN PRIVATE KEY-----."))?;
    let mut keys = blocks.iter().filter(|block| block.label.ends_with("PRIVATE KEY"));
    let (key, another) = (keys.next(), keys.next());
    let key = key.ok_or_else(|| Error::invalid("There is no private key. Pass it as PEM; it begins with -----BEGIN PRIVATE KEY-----."))?;
    if another.is_some() {
        return Err(Error::invalid("There are several private keys. Pass the one of the certificate alone."));
    }
    if key.encrypted || key.label == "ENCRYPTED PRIVATE KEY" {
        return Err(Error::invalid("The private key is encrypted. Decrypt it first, as in `openssl pkey -in key.pem -out plain.pem`, and keep it with your other secrets."));
    }
    let not_rsa = || Error::invalid("The private key is not an RSA key, and Entra takes no other. Make an RSA key of 2048 bits or more.");
    let parsed = match key.label.as_str() {
        "PRIVATE KEY" if !is_rsa(&key.content) => return Err(not_rsa()),
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&key.content),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&key.content),
        _ => return Err(not_rsa()),
    };
    let pair = parsed.map_err(|e| match e.to_string().as_str() {
        "TooSmall" => Error::invalid("The private key is too short. Use an RSA key of 2048 bits or more."),
        _ => Error::invalid("The private key cannot be read. Pass an RSA key of 2048 to 8192 bits, unencrypted, as PEM."),
    })?;
    if pair.public_modulus_len() < 256 || pair.public_key().as_ref().is_empty() {
        return Err(Error::invalid("The private key is too short. Use an RSA key of 2048 bits or more."));
    }
    Ok(pair)
}

/// The algorithm that PKCS #8 names near its beginning is rsaEncryption.
fn is_rsa(pkcs8: &[u8]) -> bool {
    const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    pkcs8.get(..pkcs8.len().min(40)).is_some_and(|head| head.windows(RSA_ENCRYPTION.len()).any(|window| window == RSA_ENCRYPTION))
}

struct Block {
    label: String,
    /// It has the headers that OpenSSL's older form of encryption writes.
    encrypted: bool,
    content: Zeroizing<Vec<u8>>,
}

/// The blocks of a PEM text (RFC 7468), read here because a general reader leaves copies of the key behind in memory. None: it is not properly written.
fn blocks(pem: &str) -> Option<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = pem.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else { continue };
        let end = format!("-----END {label}-----");
        let (mut encrypted, mut complete) = (false, false);
        let mut text = Zeroizing::new(String::with_capacity(pem.len()));
        for line in lines.by_ref() {
            if line == end {
                complete = true;
                break;
            }
            match line.split_once(':') {
                Some((_, value)) => encrypted |= value.contains("ENCRYPTED"),
                None => text.push_str(line),
            }
        }
        if !complete {
            return None;
        }
        let mut content = Zeroizing::new(Vec::with_capacity(text.len()));
        // What an encrypted block holds is of no use; it is told as encrypted, not as unreadable.
        if STANDARD.decode_vec(text.as_bytes(), &mut content).is_err() && !encrypted {
            return None;
        }
        found.push(Block { label: label.to_owned(), encrypted, content });
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests;
