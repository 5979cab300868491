//! Whom to trust beside the system, and why a secure connection did not come about.

use super::transport::Trouble;
use crate::error::{Error, Result};
use rustls::{AlertDescription, RootCertStore};
use std::error::Error as StdError;

const LARGEST: usize = 1 << 20;

/// The authorities of `ca_certificates`, each looked at now: a mistake must not wait for the first request to show.
pub fn authorities(pem: Option<&str>) -> Result<Vec<reqwest::Certificate>> {
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
        tried.add(block.contents().to_vec().into()).map_err(|_| refuse("holds a certificate that cannot be read"))?;
        all.push(reqwest::Certificate::from_der(block.contents()).map_err(|_| refuse("holds a certificate that cannot be read"))?);
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
