//! Octets as hexadecimal digits, and back.
//!
//! # Invariants
//!
//! - `Digits::of` neither allocates nor reads memory, so the way of a query may use it; a loop over
//!   it becomes vector instructions, which a table of digits would prevent.
//!
//! # Does not
//!
//! Know what the octets are.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Digits in upper case, as XML, CSV and answers have them.
pub(crate) const UPPER: Digits = Digits { ten: b'A' };
/// Digits in lower case.
pub(crate) const LOWER: Digits = Digits { ten: b'a' };

/// The sixteen digits, in one case.
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    /// The digit of ten.
    ten: u8,
}

impl Digits {
    /// The two digits of an octet.
    #[inline]
    pub(crate) const fn of(self, octet: u8) -> [u8; 2] {
        [self.digit(octet >> 4), self.digit(octet & 15)]
    }

    const fn digit(self, nibble: u8) -> u8 {
        match nibble {
            0..=9 => b'0'.saturating_add(nibble),
            _ => self.ten.saturating_sub(10).saturating_add(nibble),
        }
    }

    /// Appends the digits of octets.
    pub(crate) fn write(self, octets: &[u8], out: &mut String) {
        out.extend(octets.iter().flat_map(|octet| self.of(*octet)).map(char::from));
    }

    /// The digits of octets.
    pub(crate) fn encode(self, octets: &[u8]) -> String {
        let mut text = String::with_capacity(octets.len().saturating_mul(2));
        self.write(octets, &mut text);
        text
    }
}

/// Reads digits of either case, in pairs; `None` without a pair, and with anything else.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)?.wrapping_shl(4) | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_has_the_digits_that_the_standard_library_writes() {
        for octet in 0..=u8::MAX {
            assert_eq!(&UPPER.of(octet), format!("{octet:02X}").as_bytes());
            assert_eq!(&LOWER.of(octet), format!("{octet:02x}").as_bytes());
        }
    }

    #[test]
    fn digits_read_back_in_either_case() {
        let octets: Vec<u8> = (0..=u8::MAX).collect();
        for digits in [UPPER, LOWER] {
            assert_eq!(decode(&digits.encode(&octets)), Some(octets.clone()));
        }
        assert_eq!(decode("00fF"), Some(vec![0, 255]));
    }

    #[test]
    fn what_is_not_pairs_of_digits_is_refused() {
        for text in ["", "0", "0g", " 0", "+1", "0x00", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
