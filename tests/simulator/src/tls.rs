//! A certificate authority of the simulator's own, made at the start, and what it lets listeners say.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

pub struct Tls {
    /// The authority's certificate, PEM.
    pub ca: String,
    /// TLS 1.2 and 1.3.
    pub modern: TlsAcceptor,
    /// TLS 1.2 alone.
    pub old: TlsAcceptor,
}

pub fn make() -> io::Result<Tls> {
    let failed = |e: &dyn std::fmt::Display| io::Error::other(format!("no certificate: {e}"));
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Simulated Microsoft 365 authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate().map_err(|e| failed(&e))?;
    let ca = authority.self_signed(&authority_key).map_err(|e| failed(&e))?;
    let issuer = Issuer::new(authority, authority_key);

    let mut params = CertificateParams::new(["localhost".to_string(), "127.0.0.1".to_string()]).map_err(|e| failed(&e))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(|e| failed(&e))?;
    let certificate = params.signed_by(&key, &issuer).map_err(|e| failed(&e))?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let acceptor = |versions: &[&'static rustls::SupportedProtocolVersion]| -> Result<TlsAcceptor, rustls::Error> {
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    };
    let (modern, old) = (acceptor(&[&TLS13, &TLS12]).map_err(|e| failed(&e))?, acceptor(&[&TLS12]).map_err(|e| failed(&e))?);
    Ok(Tls { ca: ca.pem(), modern, old })
}
