//! Whom to trust beside the system, and why a secure connection did not come about.

use super::transport::Trouble;
use crate::config::Config;
use crate::error::{Error, Result};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use std::error::Error as StdError;
use std::sync::Arc;

const LARGEST: usize = 1 << 20;

/// TLS as the configuration asks for it, read once and shared by all connections: to read the system's authorities takes long.
pub fn client(config: &Config) -> Result<ClientConfig> {
    // A provider of the engine's own: which one the process uses by default is for the host to say.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = if config.allow_tls12 { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let trusted = authorities(config.ca_certificates.as_deref())?;
    let verifier = if trusted.is_empty() { Verifier::new(provider.clone()) } else { with_authorities(trusted, provider.clone()) }.map_err(|_| not_set_up())?;
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).map_err(|_| not_set_up())?;
    let mut tls = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

#[cfg(not(target_os = "android"))]
fn with_authorities(trusted: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    Verifier::new_with_extra_roots(trusted, provider)
}

#[cfg(target_os = "android")]
fn with_authorities(_: Vec<CertificateDer<'static>>, _: Arc<CryptoProvider>) -> Result<Verifier, rustls::Error> {
    Err(rustls::Error::General("this system takes no further authorities".to_owned()))
}

pub fn not_set_up() -> Error {
    Error::internal("The network could not be set up; the system's certificates may be missing (package ca-certificates).")
}

/// The authorities of `ca_certificates`, each looked at now: a mistake must not wait for the first request to show.
fn authorities(pem: Option<&str>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(text) = pem else { return Ok(Vec::new()) };
    let refuse = |why: &str| Error::invalid(format!("ca_certificates {why}. Give certificates as PEM, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."));
    if text.len() > LARGEST {
        return Err(refuse("is larger than 1 MB"));
    }
    let blocks = pem::parse_many(text).map_err(|_| refuse("cannot be read"))?;
    if blocks.is_empty() {
        return Err(refuse("holds no certificate"));
    }
    let mut tried = RootCertStore::empty();
    let mut all = Vec::with_capacity(blocks.len());
    for block in blocks {
        if block.tag() != "CERTIFICATE" {
            return Err(refuse("holds something else than certificates"));
        }
        let certificate = CertificateDer::from(block.into_contents());
        tried.add(certificate.clone()).map_err(|_| refuse("holds a certificate that cannot be read"))?;
        all.push(certificate);
    }
    Ok(all)
}

/// None: it has nothing to do with TLS. rustls hides inside an I/O error inside a connection error.
pub fn trouble(error: &(dyn StdError + 'static)) -> Option<Trouble> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(classify(error));
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn classify(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Trouble::Certificate,
        // A server that knows no version of ours says so in either way; some only say that nothing fits.
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => Trouble::TlsVersion,
        rustls::Error::PeerIncompatible(_) => Trouble::TlsVersion,
        _ => Trouble::Tls,
    }
}

#[cfg(test)]
mod tests;
