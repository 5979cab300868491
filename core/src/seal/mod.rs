//! Pure cryptography: the envelope, where it is valid, and the keys. Knows no storage.

mod aad;
mod cipher;
mod envelope;
mod key;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

#[cfg(test)]
mod tests;

pub use aad::AadContext;
pub use cipher::Cipher;
pub use envelope::Sealed;
pub use key::KeyBytes;
