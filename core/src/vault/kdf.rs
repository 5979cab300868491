//! From a passphrase to a root key: Argon2id (RFC 9106), with salt and costs that stand in the store in clear.

use super::base::corrupt;
use crate::error::{Error, Result};
use crate::random;
use crate::seal::KeyBytes;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// What is believed of costs found in a store. A row that asks for more would make opening hang or run out of memory; one that asks for less was never ours.
const MEMORY_KIB: RangeInclusive<u32> = 19_456..=1_048_576;
const PASSES: RangeInclusive<u32> = 1..=16;
const LANES: RangeInclusive<u32> = 1..=16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdf {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl Kdf {
    /// The second recommended option of RFC 9106 (64 MiB, 3 passes, 4 lanes) with a salt of 128 bits.
    pub fn fresh() -> Result<Self> {
        Ok(Self { kdf: "argon2id".to_owned(), memory_kib: 65_536, passes: 3, lanes: 4, salt: STANDARD_NO_PAD.encode(random::array::<16>()?) })
    }

    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("The salt of a passphrase could not be written. Please report it.").with_source(e))
    }

    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let kdf: Self = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
        let bounded = kdf.kdf == "argon2id" && MEMORY_KIB.contains(&kdf.memory_kib) && PASSES.contains(&kdf.passes) && LANES.contains(&kdf.lanes);
        if bounded && kdf.salt()?.len() == 16 { Ok(kdf) } else { Err(corrupt()) }
    }

    fn salt(&self) -> Result<Vec<u8>> {
        STANDARD_NO_PAD.decode(&self.salt).map_err(|_| corrupt())
    }

    /// Takes a good part of a second and 64 MiB.
    pub fn derive(&self, passphrase: &str) -> Result<KeyBytes> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| corrupt())?;
        let mut out = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt()?, out.as_mut_slice())
            .map_err(|_| Error::internal("The passphrase could not be turned into a key. Is there enough memory?"))?;
        KeyBytes::from_slice(out.as_slice()).ok_or_else(corrupt)
    }
}
