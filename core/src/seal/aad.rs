//! Where a sealed value is valid: exactly one place.

use super::envelope::{ALGORITHM, FORMAT};

/// The one spot a value belongs to. Read anywhere else, it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AadContext<'a> {
    pub table: &'a str,
    pub column: &'a str,
    /// Empty for what belongs to no account.
    pub account_id: &'a str,
    pub row: &'a str,
    pub version: i64,
}

/// Associated data of a value. Every field carries its length, so that no two places can read alike.
pub fn encode(store_id: &[u8], key_id: i64, place: &AadContext<'_>) -> Vec<u8> {
    lengths_and_bytes(&[
        &[FORMAT],
        &[ALGORITHM],
        store_id,
        &key_id.to_be_bytes(),
        place.table.as_bytes(),
        place.column.as_bytes(),
        place.account_id.as_bytes(),
        place.row.as_bytes(),
        &place.version.to_be_bytes(),
    ])
}

/// Each part after its length in eight bytes.
pub fn lengths_and_bytes(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}
