//! Values that are wiped when dropped and never printed.

mod certificate;

pub use certificate::ClientCertificate;

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
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Exactly 32 random bytes. Errors: InvalidInput when it has another length or is all one byte.
    pub fn raw(key: Vec<u8>) -> Result<Self> {
        let key = Zeroizing::new(key);
        let bytes: [u8; 32] = key
            .as_slice()
            .try_into()
            .map_err(|_| Error::invalid("The root key must be exactly 32 bytes. Make one with generate_root_key and keep it with your secrets."))?;
        let bytes = Zeroizing::new(bytes);
        if bytes.windows(2).all(|pair| pair.first() == pair.last()) {
            return Err(Error::invalid("The root key is one byte repeated. Make one with generate_root_key."));
        }
        Ok(Self(bytes))
    }

    /// From a passphrase of at least 12 characters, through Argon2id (RFC 9106: 64 MiB, 3 passes); salt and costs are kept with the store.
    /// Errors: InvalidInput.
    pub fn passphrase(_passphrase: String) -> Result<Self> {
        Err(Error::internal("Not built yet."))
    }

    /// From the key store of the operating system (Keychain, Credential Manager, Secret Service); made there when there is none under these names.
    /// Blocks while the system asks the person. Errors: InvalidInput, VaultLocked when the key store cannot be used.
    pub fn from_keyring(_service: String, _user: String) -> Result<Self> {
        Err(Error::internal("Not built yet."))
    }

    /// A key that your KMS has unwrapped: exactly 32 bytes. `wrapped` (1 byte to 16 KB) is kept with the store; `wrapped_root_key` gives it back for
    /// the next start. Errors: InvalidInput.
    pub fn unwrapped(_key: Vec<u8>, _wrapped: Vec<u8>) -> Result<Self> {
        Err(Error::internal("Not built yet."))
    }

    /// Lends the bytes to `use_it`; do not keep them.
    pub fn expose<T>(&self, use_it: impl FnOnce(&[u8; 32]) -> T) -> T {
        use_it(&self.0)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}
