//! The certificates that Microsoft encrypts contents of notifications for. One is made for new subscriptions and replaced after some months; an old one stays until no
//! subscription is left that was made with it, and a day longer, for what is on its way.
//! Source: Graph, change notifications that include resource data (managing encryption certificates).

use super::Notify;
use super::decrypt::ContentKey;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::runtime::blocking;
use crate::store::{CertificateRow, certificate_place};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

const DAY_MS: i64 = 86_400_000;
/// A new one for new subscriptions.
const REPLACED_MS: i64 = 90 * DAY_MS;
/// How long it is valid, as it says itself.
const VALID_YEARS: i32 = 2;
/// Keys that are held ready.
const MOST: usize = 32;

/// Keys that contents were opened with a moment ago, by the name of their certificate.
#[derive(Default)]
pub struct ContentKeys(Mutex<HashMap<String, Arc<ContentKey>>>);

impl Notify {
    /// The one for new subscriptions, made if need be. The caller holds the lease of subscriptions.
    pub(super) async fn current_certificate(&self) -> Result<CertificateRow> {
        let newest = self.parts.store.newest_certificate().await?;
        if let Some(row) = newest.filter(|row| self.now().saturating_sub(row.made_at) < REPLACED_MS) {
            return Ok(row);
        }
        let name = random::token::<16>()?;
        let made_at = self.now();
        let (certificate, key) = blocking(move || make(made_at)).await?;
        let write = async || {
            let sealed = self.parts.vault.store_key().seal(certificate_place(&name), &key)?;
            let row = CertificateRow { name: name.clone(), certificate: certificate.clone(), made_at, sealed };
            self.parts.store.add_certificate(&row).await?;
            Ok(row)
        };
        let row = self.parts.vault.with_current_keys(write).await?;
        tracing::info!(target: "tidings::notify", certificate = row.name, "a certificate for contents of notifications was made");
        Ok(row)
    }

    /// None: there is no certificate of this name.
    pub(super) async fn content_key(&self, name: &str) -> Result<Option<Arc<ContentKey>>> {
        if let Some(key) = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Some(key.clone()));
        }
        let read = async || {
            let Some(row) = self.parts.store.certificate(name).await? else { return Ok(None) };
            self.parts.vault.store_key().open(certificate_place(name), &row.sealed).map(Some)
        };
        let Some(der) = self.parts.vault.with_current_keys(read).await? else { return Ok(None) };
        let key = Arc::new(ContentKey::from_pkcs8(&der).ok_or_else(|| Error::new(ErrorKind::Corrupt, "The key of a certificate for notifications cannot be read."))?);
        let mut held = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST {
            held.clear();
        }
        held.insert(name.to_owned(), key.clone());
        Ok(Some(key))
    }

    /// Erases those that nothing is encrypted for any more.
    pub(super) async fn drop_certificates(&self) -> Result<()> {
        let now = self.now();
        for name in self.parts.store.drop_certificates(now, now.saturating_sub(DAY_MS)).await? {
            self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        }
        Ok(())
    }
}

/// A certificate, as Graph takes it, and its private key in PKCS #8.
fn make(now: i64) -> Result<(String, Zeroizing<Vec<u8>>)> {
    let failed = |_| Error::internal("A certificate for notifications could not be made. Please report it.");
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Tidings notifications");
    let date = jiff::Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (year, month) = (i32::from(date.year()), u8::try_from(date.month()).unwrap_or(1));
    // From the first of the month: clocks differ.
    (params.not_before, params.not_after) = (date_time_ymd(year, month, 1), date_time_ymd(year.saturating_add(VALID_YEARS), month, 1));
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((STANDARD.encode(certificate.der()), Zeroizing::new(key.serialize_der())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_opens_as_a_key_and_names_nobody() {
        let (certificate, key) = make(1_768_467_600_000).unwrap();
        assert!(ContentKey::from_pkcs8(&key).is_some());
        let der = STANDARD.decode(certificate).unwrap();
        assert!(rustls::server::ParsedCertificate::try_from(&rustls::pki_types::CertificateDer::from(der.as_slice())).is_ok());
    }
}
