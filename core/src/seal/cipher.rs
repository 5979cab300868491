//! AES-256-GCM over envelopes. The key schedule is prepared once and kept, since pages bring hundreds of values.

use super::aad::{self, AadContext};
use super::envelope::{NONCE_LEN, Sealed, TAG_LEN};
use super::key::KeyBytes;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use std::fmt;
use zeroize::Zeroizing;

/// One key, ready to seal and open values of one store. Wipes itself.
pub struct Cipher {
    aes: Aes256Gcm,
    key_id: i64,
    store_id: Vec<u8>,
}

impl Cipher {
    pub fn new(store_id: &[u8], key_id: i64, key: &KeyBytes) -> Self {
        Self { aes: key.expose(|bytes| Aes256Gcm::new(bytes.into())), key_id, store_id: store_id.to_vec() }
    }

    pub fn key_id(&self) -> i64 {
        self.key_id
    }

    /// Seals with a fresh random nonce; nobody outside can pass one.
    pub fn seal(&self, place: AadContext<'_>, plain: &[u8]) -> Result<Sealed> {
        let nonce = random::array::<NONCE_LEN>()?;
        let mut bytes = Sealed::header(self.key_id, &nonce, plain.len());
        let header = bytes.len();
        bytes.extend_from_slice(plain);
        let aad = aad::encode(&self.store_id, self.key_id, &place);
        let tag = bytes.get_mut(header..).and_then(|body| encrypt(&self.aes, &nonce, &aad, body)).ok_or_else(too_long)?;
        bytes.extend_from_slice(&tag);
        Ok(Sealed::assembled(bytes))
    }

    /// Fails with `Corrupt` when the value was changed, belongs elsewhere or was sealed with another key: these cannot be told apart.
    pub fn open(&self, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let parts = sealed.parts()?;
        let aad = aad::encode(&self.store_id, self.key_id, &place);
        let mut plain = Zeroizing::new(parts.ciphertext.to_vec());
        let opened = sealed.key_id() == self.key_id && decrypt(&self.aes, &parts.nonce, &aad, &mut plain, &parts.tag);
        if opened { Ok(plain) } else { Err(refused(&place)) }
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// None when the text is too long for the cipher (64 GB).
pub(super) fn encrypt(aes: &Aes256Gcm, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG_LEN]> {
    aes.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(text)).ok().map(Into::into)
}

pub(super) fn decrypt(aes: &Aes256Gcm, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8], tag: &[u8; TAG_LEN]) -> bool {
    aes.decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(text), tag.into()).is_ok()
}

fn too_long() -> Error {
    Error::new(ErrorKind::LimitExceeded, "The value is too long to be sealed; nothing was stored.")
}

fn refused(place: &AadContext<'_>) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!(
            "A value of the store ({}.{}) is damaged, was moved, or belongs to a key that is gone. The store was left as it is; restore it from a copy.",
            place.table, place.column
        ),
    )
}
