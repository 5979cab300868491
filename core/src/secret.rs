//! Values that are wiped when dropped and never printed.

mod certificate;
mod keyfile;
mod keystore;
mod shown;

pub use certificate::ClientCertificate;
pub use shown::shown;

use crate::error::{Error, Result};
use std::fmt;
use zeroize::Zeroizing;

/// A value that is never printed and is wiped from memory when dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Lends the text to `use_it`; do not keep it.
    pub fn expose<T>(&self, use_it: impl FnOnce(&str) -> T) -> T {
        use_it(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The key that opens the store. It is never written anywhere.
pub struct RootKey(Kept);

enum Kept {
    Raw(Zeroizing<[u8; 32]>),
    Unwrapped { key: Zeroizing<[u8; 32]>, wrapped: Vec<u8> },
    /// Becomes a key with the salt of the store it opens.
    Passphrase(Zeroizing<String>),
}

/// Where a root key comes from, for the module that uses it.
pub enum RootSource<'a> {
    Raw(&'a [u8; 32]),
    Unwrapped { key: &'a [u8; 32], wrapped: &'a [u8] },
    Passphrase(&'a str),
}

impl RootKey {
    /// Bytes of a key as a KMS wrapped it.
    pub(crate) const MOST_WRAPPED: usize = 16 * 1024;

    /// Exactly 32 random bytes. Errors: InvalidInput when it has another length or is all one byte.
    pub fn raw(key: Vec<u8>) -> Result<Self> {
        key_bytes(key, "Make one with generate_root_key and keep it with your secrets.").map(|key| Self(Kept::Raw(key)))
    }

    /// From a passphrase of at least 12 characters, through Argon2id (RFC 9106: 64 MiB, 3 passes); salt and costs are kept with the store.
    /// Errors: InvalidInput.
    pub fn passphrase(passphrase: String) -> Result<Self> {
        let passphrase = Zeroizing::new(passphrase);
        let mut letters = passphrase.chars();
        let first = letters.next();
        if passphrase.chars().count() < 12 || letters.all(|c| Some(c) == first) {
            return Err(Error::invalid("The passphrase is too easy to guess. Take at least 12 characters, better several words."));
        }
        if passphrase.len() > 4096 {
            return Err(Error::invalid("The passphrase is longer than 4096 bytes. Take a shorter one, or a key file with RootKey.raw."));
        }
        Ok(Self(Kept::Passphrase(passphrase)))
    }

    /// From the key store of the operating system (Keychain, Credential Manager, Secret Service); made there when there is none under these names.
    /// Blocks while the system asks the person. Errors: InvalidInput, VaultLocked when the key store cannot be used.
    pub fn from_keyring(service: String, user: String) -> Result<Self> {
        keystore::get_or_create(&service, &user).map(|key| Self(Kept::Raw(key)))
    }

    /// See `load_or_create_key`.
    pub(crate) fn in_file(path: &std::path::Path) -> Result<Self> {
        keyfile::load_or_create(path).map(|key| Self(Kept::Raw(key)))
    }

    /// A key that your KMS has unwrapped: exactly 32 bytes. `wrapped` (1 byte to 16 KB) is kept with the store; `wrapped_root_key` gives it back for
    /// the next start. Errors: InvalidInput.
    pub fn unwrapped(key: Vec<u8>, wrapped: Vec<u8>) -> Result<Self> {
        let key = key_bytes(key, "Let your KMS make and wrap 32 random bytes.")?;
        if !(1..=Self::MOST_WRAPPED).contains(&wrapped.len()) {
            return Err(Error::invalid("wrapped must be 1 byte to 16 KB: the root key as your KMS wrapped it."));
        }
        if wrapped.windows(key.len()).any(|part| part == key.as_slice()) {
            return Err(Error::invalid("wrapped holds the root key in clear, and would be written to disk. Pass what your KMS answered to wrapping it."));
        }
        Ok(Self(Kept::Unwrapped { key, wrapped }))
    }

    /// Lends what it is made of to `use_it`; do not keep it.
    pub(crate) fn lend<T>(&self, use_it: impl FnOnce(RootSource<'_>) -> T) -> T {
        use_it(match &self.0 {
            Kept::Raw(key) => RootSource::Raw(key),
            Kept::Unwrapped { key, wrapped } => RootSource::Unwrapped { key, wrapped },
            Kept::Passphrase(text) => RootSource::Passphrase(text),
        })
    }
}

/// 32 bytes that are not all the same; `advice` says where good ones come from.
fn key_bytes(key: Vec<u8>, advice: &str) -> Result<Zeroizing<[u8; 32]>> {
    let key = Zeroizing::new(key);
    let mut bytes = Zeroizing::new([0; 32]);
    if key.len() != bytes.len() {
        return Err(Error::invalid(format!("The root key must be exactly 32 bytes. {advice}")));
    }
    bytes.copy_from_slice(&key);
    if bytes.windows(2).all(|pair| pair.first() == pair.last()) {
        return Err(Error::invalid(format!("The root key is one byte repeated. {advice}")));
    }
    Ok(bytes)
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}
