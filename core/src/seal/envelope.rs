//! The envelope: format byte, algorithm byte, key id (8), nonce (12), ciphertext, tag (16). There is no other form and no plain one.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// Format 1: everything is laid out as the constants below say.
pub const FORMAT: u8 = 1;
/// Algorithm 1: AES-256-GCM with a 96-bit nonce and a 128-bit tag.
pub const ALGORITHM: u8 = 1;

pub const KEY_ID_LEN: usize = 8;
pub const NONCE_LEN: usize = 12;
pub const TAG_LEN: usize = 16;
pub const HEADER_LEN: usize = 2 + KEY_ID_LEN + NONCE_LEN;

/// Bytes that only this module can make; the store takes no others for secrets and content.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// An envelope taken apart; nothing is verified yet.
pub struct Parts<'a> {
    pub nonce: [u8; NONCE_LEN],
    pub ciphertext: &'a [u8],
    pub tag: [u8; TAG_LEN],
}

impl Sealed {
    /// Takes stored bytes back. Looks at the form only; whether they are genuine shows when they are opened.
    pub fn parse(bytes: Vec<u8>) -> Result<Self> {
        match bytes.as_slice() {
            [format, ..] if *format > FORMAT => Err(newer()),
            [FORMAT, algorithm, ..] if *algorithm > ALGORITHM => Err(newer()),
            [FORMAT, ALGORITHM, ..] if bytes.len() >= HEADER_LEN + TAG_LEN => Ok(Self(bytes)),
            _ => Err(damaged()),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Which key it was sealed with.
    pub fn key_id(&self) -> i64 {
        self.0.get(2..).and_then(|rest| rest.first_chunk::<KEY_ID_LEN>()).map_or(0, |id| i64::from_be_bytes(*id))
    }

    /// How every envelope of this key begins.
    pub fn begins(key_id: i64) -> Vec<u8> {
        [&[FORMAT, ALGORITHM], key_id.to_be_bytes().as_slice()].concat()
    }

    pub(super) fn header(key_id: i64, nonce: &[u8; NONCE_LEN], room: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + room + TAG_LEN);
        bytes.extend_from_slice(&[FORMAT, ALGORITHM]);
        bytes.extend_from_slice(&key_id.to_be_bytes());
        bytes.extend_from_slice(nonce);
        bytes
    }

    /// Only the cipher calls this, with header, ciphertext and tag in place.
    pub(super) fn assembled(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn parts(&self) -> Result<Parts<'_>> {
        let (header, rest) = self.0.split_at_checked(HEADER_LEN).ok_or_else(damaged)?;
        let nonce = *header.last_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or_else(damaged)?;
        Ok(Parts { nonce, ciphertext, tag: *tag })
    }
}

fn newer() -> Error {
    Error::new(ErrorKind::InvalidInput, "The store holds values written by a newer Tidings. Update Tidings; nothing was changed.")
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "A sealed value has lost its form, so the store is damaged. It was left as it is; restore it from a copy.")
}
