//! Whether two texts share twelve characters in a row. Every id of every page is looked through, so a look costs a few operations a character.

use zeroize::Zeroize;

/// Characters in a row that make a text a part of a secret.
pub const RUN: usize = 12;
const OF_A_RUN: u128 = (1 << (8 * RUN)) - 1;
const WORDS: usize = 1 << 10;

/// Runs of ASCII texts; wiped when dropped.
#[derive(Default)]
pub struct Runs {
    /// In order.
    known: Vec<u128>,
    /// One bit for what a run may end with; almost always this alone says no.
    ends: Vec<u64>,
}

impl Runs {
    pub fn is_any(&self) -> bool {
        !self.known.is_empty()
    }

    pub fn add(&mut self, text: &str) {
        self.ends.resize(WORDS, 0);
        for (word, bit) in runs(text).map(end) {
            if let Some(word) = self.ends.get_mut(word) {
                *word |= bit;
            }
        }
        // Room for all before the first, so that no part of a secret stays behind where the list was before.
        let mut known = Vec::with_capacity(self.known.len() + text.len());
        known.extend_from_slice(&self.known);
        known.extend(runs(text));
        known.sort_unstable();
        known.dedup();
        self.known.zeroize();
        self.known = known;
    }

    /// `text` holds one of them.
    pub fn meets(&self, text: &str) -> bool {
        runs(text).any(|run| {
            let (word, bit) = end(run);
            self.ends.get(word).is_some_and(|word| word & bit != 0) && self.known.binary_search(&run).is_ok()
        })
    }
}

fn runs(text: &str) -> impl Iterator<Item = u128> + '_ {
    let mut run = 0_u128;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        run = (run << 8 | u128::from(byte)) & OF_A_RUN;
        (at + 1 >= RUN).then_some(run)
    })
}

/// A word and a bit of it, by the last three characters.
fn end(run: u128) -> (usize, u64) {
    let mixed = ((run & 0xFF_FFFF) as u32).wrapping_mul(0x9E37_79B1) >> 16;
    ((mixed >> 6) as usize, 1 << (mixed & 63))
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.known.zeroize();
        self.ends.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_in_a_row_are_shared_and_eleven_are_not() {
        let mut runs = Runs::default();
        runs.add("short");
        assert!(!runs.is_any() && !runs.meets("short"));
        runs.add("abcdefghijklmnop");
        assert!(runs.meets("abcdefghijkl") && runs.meets("xxefghijklmnopxx"));
        assert!(!runs.meets("abcdefghijk-bcdefghijklx") && !runs.meets("") && !runs.meets("ponmlkjihgfedcba"));
    }
}
