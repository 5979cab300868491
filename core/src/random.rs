//! The only module that asks for randomness.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Fills `bytes` from the operating system's generator. A failure means: write nothing.
#[allow(clippy::disallowed_methods)] // this is the module the rule points to
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::internal("The operating system gave no random bytes, so nothing was written.").with_source(std::io::Error::other(e.to_string())))
}

pub fn array<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// `N` random bytes as base64url without padding.
pub fn token<const N: usize>() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(array::<N>()?))
}

/// A number in `0.0..1.0`, for jitter; 0.5 when there is no randomness, since jitter is never worth a failure.
pub fn jitter() -> f64 {
    #[cfg(test)]
    if let Some(drawn) = crate::interleave::draw(1_000) {
        return drawn as f64 / 1_000.0;
    }
    array::<4>().map_or(0.5, |b| f64::from(u32::from_le_bytes(b)) / (f64::from(u32::MAX) + 1.0))
}

/// A random UUID, version 4 (RFC 9562).
pub fn uuid() -> Result<String> {
    Ok(as_uuid(array::<16>()?, 4))
}

/// The UUID that follows from a hash, version 8 (RFC 9562).
pub fn uuid_of(hash: [u8; 32]) -> String {
    as_uuid(std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default()), 8)
}

fn as_uuid(mut b: [u8; 16], kind: u8) -> String {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut b;
    *version = (*version & 0x0f) | (kind << 4);
    *variant = (*variant & 0x3f) | 0x80;
    let n = u128::from_be_bytes(b);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", n >> 96, (n >> 80) & 0xffff, (n >> 64) & 0xffff, (n >> 48) & 0xffff, n & 0xffff_ffff_ffff)
}
