//! Positions in lists, as hosts keep them between two calls: a position opens for the list that gave it and for no other, cannot be made up, and tells
//! nothing, not even how far two of them are apart.
//!
//! The tag is a keyed hash of list and position and hides the position as well (a synthetic initialisation vector, as in RFC 5297): the same position
//! of the same list is always the same text, without a count of nonces that would cost a write per page.

use super::Vault;
use crate::error::{Error, Result};
use crate::seal::KeyBytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

const TAG: usize = 16;

pub struct Cursors {
    tags: KeyBytes,
    pads: KeyBytes,
}

impl Cursors {
    pub fn new(key: &KeyBytes, store_id: &[u8]) -> Result<Self> {
        Ok(Self { tags: key.derive(store_id, &[b"cursor", b"tag"])?, pads: key.derive(store_id, &[b"cursor", b"pad"])? })
    }

    fn write(&self, list: &[&[u8]], position: &[i64]) -> Result<String> {
        let mut bytes: Vec<u8> = position.iter().flat_map(|number| number.to_be_bytes()).collect();
        let tag = self.tag(list, &bytes)?;
        self.mask(&tag, &mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode([tag.as_slice(), &bytes].concat()))
    }

    fn read<const N: usize>(&self, list: &[&[u8]], cursor: &str) -> Result<Option<[i64; N]>> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(cursor) else { return Ok(None) };
        let Some((tag, masked)) = bytes.split_first_chunk::<TAG>().filter(|(_, masked)| masked.len() == 8 * N) else { return Ok(None) };
        let mut plain = masked.to_vec();
        self.mask(tag, &mut plain)?;
        if !bool::from(self.tag(list, &plain)?.ct_eq(tag)) {
            return Ok(None);
        }
        let mut position = [0; N];
        for (number, bytes) in position.iter_mut().zip(plain.as_chunks::<8>().0) {
            *number = i64::from_be_bytes(*bytes);
        }
        Ok(Some(position))
    }

    fn tag(&self, list: &[&[u8]], position: &[u8]) -> Result<[u8; TAG]> {
        let hash = self.tags.mac(&[list, &[position]].concat())?;
        Ok(*hash.first_chunk().unwrap_or(&[0; TAG]))
    }

    fn mask(&self, tag: &[u8; TAG], bytes: &mut [u8]) -> Result<()> {
        let pad = self.pads.mac(&[tag])?;
        bytes.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
        Ok(())
    }
}

impl Vault {
    /// At most four numbers; `list` says which list it is, part by part.
    pub fn cursor(&self, list: &[&[u8]], position: &[i64]) -> Result<String> {
        self.0.cursors.write(list, position)
    }

    /// InvalidInput unless this list gave it.
    pub fn position<const N: usize>(&self, list: &[&[u8]], cursor: &str) -> Result<[i64; N]> {
        let foreign = || Error::invalid("cursor is not one that this query gave. Pass the one of the answer before with the same owner, account and filters, or none.");
        self.0.cursors.read(list, cursor)?.ok_or_else(foreign)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cursors(seed: u8) -> Cursors {
        Cursors::new(&KeyBytes::from_slice(&[seed; 32]).unwrap(), b"store").unwrap()
    }

    #[test]
    fn a_position_opens_for_its_own_list_alone() {
        let (list, other): (&[&[u8]], &[&[u8]]) = (&[b"messages", b"ann"], &[b"messages", b"bob"]);
        let text = cursors(1).write(list, &[i64::MIN, 17]).unwrap();
        assert_eq!(cursors(1).read(list, &text).unwrap(), Some([i64::MIN, 17]));
        assert_eq!(text, cursors(1).write(list, &[i64::MIN, 17]).unwrap());
        for found in [
            cursors(1).read::<2>(other, &text).unwrap(),
            // Parts carry their lengths: the same bytes cut elsewhere are another list.
            cursors(1).read(&[b"messagesann"], &text).unwrap(),
            cursors(2).read(list, &text).unwrap(),
            cursors(1).read(list, "17").unwrap(),
            cursors(1).read(list, "").unwrap(),
            cursors(1).read(list, "ü").unwrap(),
            cursors(1).read(list, &text.repeat(1_000)).unwrap(),
        ] {
            assert_eq!(found, None);
        }
        assert_eq!(cursors(1).read::<1>(list, &text).unwrap(), None);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_ne!(cursors(1).read(list, &String::from_utf8(changed).unwrap()).unwrap(), Some([i64::MIN, 17]));
        }
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let list: &[&[u8]] = &[b"changes", b"ann"];
        let bytes = |n: i64| URL_SAFE_NO_PAD.decode(cursors(1).write(list, &[n]).unwrap()).unwrap();
        let (one, two) = (bytes(1), bytes(2));
        assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < 8);
        assert!(!one.windows(8).any(|window| window == 1_i64.to_be_bytes()));
    }
}
