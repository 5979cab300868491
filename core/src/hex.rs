//! Bytes as text that is compared and stored.

use std::fmt::Write as _;

/// In small letters.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_is_two_letters() {
        assert_eq!((super::hex([0, 9, 0xab, 0xff]).as_str(), super::hex([]).as_str()), ("0009abff", ""));
    }
}
