//! AES-256-GCM as the store seals (the crate `aes-gcm`) beside that of aws-lc-rs, in place, one thread.

use super::Outcome;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [(&str, usize); 3] = [("1 KB", 1 << 10), ("16 KB", 16 << 10), ("1 MB", 1 << 20)];
/// Long enough to level out the clock of the processor.
const SPELL: Duration = Duration::from_millis(300);

/// Megabytes per second.
#[derive(Serialize)]
pub struct Speed {
    pub size: &'static str,
    pub aes_gcm: f64,
    pub aws_lc_rs: f64,
}

pub fn compare() -> Outcome<Vec<Speed>> {
    // Nonces repeat here: nothing of this is kept, and a random one would be measured with it.
    let (key, nonce) = ([7_u8; 32], [9_u8; 12]);
    let ours = Aes256Gcm::new(&key.into());
    let theirs = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| "aws-lc-rs refused the key")?);
    let mut speeds = Vec::new();
    for (size, bytes) in SIZES {
        let mut buffer = vec![5_u8; bytes];
        let aes_gcm = speed(&mut buffer, |text| ours.encrypt_inout_detached(&nonce.into(), b"", InOutBuf::from(text)).is_ok());
        let aws_lc_rs = speed(&mut buffer, |text| theirs.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), text).is_ok());
        speeds.push(Speed { size, aes_gcm, aws_lc_rs });
    }
    Ok(speeds)
}

fn speed(buffer: &mut [u8], mut seal: impl FnMut(&mut [u8]) -> bool) -> f64 {
    let began = Instant::now();
    let mut bytes = 0;
    // The clock is asked every 16 rounds: at 1 KB asking costs as much as sealing.
    while began.elapsed() < SPELL {
        for _ in 0..16 {
            assert!(black_box(seal(buffer)), "the cipher refused");
            bytes += buffer.len();
        }
    }
    bytes as f64 / 1e6 / began.elapsed().as_secs_f64()
}
