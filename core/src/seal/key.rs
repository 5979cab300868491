//! 32 secret bytes, and what can be derived from them.

use super::aad::lengths_and_bytes;
use crate::error::{Error, Result};
use crate::random;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Key material: wiped when dropped, never printed, never copied by `clone`.
pub struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    pub fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// None unless there are exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut own = Zeroizing::new([0; 32]);
        (bytes.len() == own.len()).then(|| own.copy_from_slice(bytes))?;
        Some(Self(own))
    }

    /// Lends the bytes to `use_it`; do not keep them.
    pub fn expose<T>(&self, use_it: impl FnOnce(&[u8; 32]) -> T) -> T {
        use_it(&self.0)
    }

    /// Another key for another purpose; the one cannot be computed from the other.
    pub fn derive(&self, salt: &[u8], purpose: &[&[u8]]) -> Result<Self> {
        let mut out = Zeroizing::new([0; 32]);
        hkdf_sha256(salt, self.0.as_slice(), &lengths_and_bytes(purpose), out.as_mut_slice())?;
        Ok(Self(out))
    }

    /// HMAC-SHA256 over the parts, each after its length.
    pub fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32]> {
        hmac_sha256(self.0.as_slice(), &lengths_and_bytes(parts))
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

pub(super) fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8], out: &mut [u8]) -> Result<()> {
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, out).map_err(|_| Error::internal("A key of this length cannot be derived. Please report it."))
}

pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Error::internal("A key of this length cannot sign. Please report it."))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}
