//! Pure cryptography: the envelope, where it is valid, and the keys. Knows no storage.

mod envelope;

pub use envelope::Sealed;
