//! Values that are wiped when dropped and never printed.

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
