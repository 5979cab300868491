use super::*;
use crate::error::ErrorKind;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use std::sync::OnceLock;
use pem::{EncodeConfig, LineEnding, Pem, encode_config};

/// A certificate and its key, as PEM, made once for all tests.
fn pair() -> &'static (String, String) {
    static ONE: OnceLock<(String, String)> = OnceLock::new();
    ONE.get_or_init(|| {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    })
}

fn refused(certificate: &str, key: &str) -> String {
    let error = ClientCertificate::from_pem(certificate.to_owned(), key.to_owned()).expect_err("accepted");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.reason().contains("MII"), "no key text in an error");
    error.reason().to_owned()
}

fn written(label: &str, der: &[u8]) -> String {
    encode_config(&Pem::new(label, der), EncodeConfig::new().set_line_ending(LineEnding::LF))
}

#[test]
fn a_certificate_with_its_key_is_taken_however_it_is_written() {
    let (certificate, key) = pair();
    let one = ClientCertificate::from_pem(certificate.clone(), key.clone()).unwrap();
    assert_eq!(format!("{one:?}"), "ClientCertificate(…)");
    let der = blocks(certificate).unwrap().remove(0).content;
    assert_eq!(one.thumbprint().as_slice(), Sha256::digest(&*der).as_slice());
    // Windows line ends, text around it, one file with both.
    ClientCertificate::from_pem(certificate.replace('\n', "\r\n"), key.replace('\n', "\r\n")).unwrap();
    let both = format!("Bag Attributes\n  friendlyName: x\n{key}\nsubject=CN\n{certificate}");
    ClientCertificate::from_pem(both.clone(), both).unwrap();
    // The older form of an RSA key: what PKCS #8 wraps.
    let pkcs8 = blocks(key).unwrap().remove(0).content;
    ClientCertificate::from_pem(certificate.clone(), written("RSA PRIVATE KEY", &pkcs8[26..])).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_with_words() {
    let (certificate, key) = pair();
    assert!(refused("", key).contains("not proper PEM"));
    assert!(refused(key, key).contains("BEGIN CERTIFICATE"));
    assert!(refused(certificate, "").contains("not proper PEM"));
    assert!(refused(certificate, certificate).contains("no private key"));
    assert!(refused(certificate, &key[..key.len() - 30]).contains("not proper PEM"));
    assert!(refused(certificate, &format!("{key}{key}")).contains("several"));
    assert!(refused(certificate, &key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE").replace("END PRIVATE", "END ENCRYPTED PRIVATE")).contains("encrypted"));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(refused(certificate, old).contains("encrypted"));
    assert!(refused(certificate, &written("EC PRIVATE KEY", b"whatever")).contains("not an RSA key"));
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    assert!(refused(certificate, &written("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref())).contains("not an RSA key"));
    let another = KeyPair::generate(KeySize::Rsa2048).unwrap();
    assert!(refused(certificate, &written("PRIVATE KEY", another.as_der().unwrap().as_ref())).contains("does not belong"));
    let pkcs8 = blocks(key).unwrap().remove(0).content;
    assert!(refused(certificate, &written("PRIVATE KEY", &pkcs8[..200])).contains("cannot be read"));
    assert!(refused(&written("CERTIFICATE", b"nonsense"), key).contains("cannot be read"));
    assert!(refused(&"a".repeat(LONGEST_PEM + 1), key).contains("64 KB"));
    assert!(refused(certificate, include_str!("short.pem")).contains("too short"));
}
