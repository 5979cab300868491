//! Everything that looks random: the same seed gives the same sequence.

use std::collections::HashMap;

pub struct Ids {
    state: u64,
    last: HashMap<&'static str, (String, bool)>,
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Ids {
    pub fn new(seed: u64) -> Ids {
        Ids { state: seed ^ 0x5851_f42d_4c95_7f2d, last: HashMap::new() }
    }

    /// splitmix64
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn text(&mut self, length: usize) -> String {
        let mut out = Vec::with_capacity(length + 9);
        while out.len() < length {
            let mut bits = self.next();
            for _ in 0..10 {
                out.push(LETTERS[(bits & 63) as usize]);
                bits >>= 6;
            }
        }
        out.truncate(length);
        String::from_utf8(out).unwrap_or_default()
    }

    pub fn guid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48) & 0x3fff,
            b & 0xffff_ffff_ffff
        )
    }

    /// An id as Outlook's: every second one differs from its predecessor by the case of one letter alone.
    pub fn item(&mut self, prefix: &'static str) -> String {
        if let Some((before, false)) = self.last.get(prefix) {
            let mut twin = before.clone().into_bytes();
            let place = twin.iter().enumerate().skip(prefix.len()).find(|(_, b)| b.is_ascii_alphabetic()).map(|(i, _)| i);
            if let Some(b) = place.and_then(|i| twin.get_mut(i)) {
                *b ^= 0x20;
                let twin = String::from_utf8(twin).unwrap_or_default();
                self.last.insert(prefix, (twin.clone(), true));
                return twin;
            }
        }
        let id = format!("{prefix}{}AAA=", self.text(56));
        self.last.insert(prefix, (id.clone(), false));
        id
    }
}
