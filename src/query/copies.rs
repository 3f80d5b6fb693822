//! Copies of labels and values: short texts, in pieces of fixed size, looked at on the way.
//!
//! # Does not
//!
//! Know lines, or what is to be done with a value that may not be copied.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::bounds::breaks_lines;

/// Bytes of a value that are copied without a loop.
pub(super) const VALUE_BYTES: usize = 32;

/// Copies a short text: most labels and values are too short to be worth a call.
#[inline(always)]
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<16>(), from.last_chunk::<16>())
        && from.len() <= 32
        && to.len() == from.len()
    {
        // Two pieces that overlap.
        if let Some(to) = to.first_chunk_mut::<16>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<16>() {
            *to = *last;
        }
    } else if let (Some(first), Some(last)) = (from.first_chunk::<8>(), from.last_chunk::<8>())
        && from.len() < 16
        && to.len() == from.len()
    {
        if let Some(to) = to.first_chunk_mut::<8>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<8>() {
            *to = *last;
        }
    } else {
        to.copy_from_slice(from);
    }
}

/// Copies a value and says whether it may stay as it is: printable ASCII that neither starts nor
/// ends in a blank, and is not empty.
#[inline(always)]
pub(super) fn copy_plain(to: &mut [u8], from: &[u8]) -> bool {
    copy_without(to, from, unusual_bytes)
}

/// As [`copy_plain`], for a string of JSON (RFC 8259 section 7): without characters that are
/// escaped.
#[inline(always)]
pub(super) fn copy_plain_json(to: &mut [u8], from: &[u8]) -> bool {
    copy_without(to, from, unusual_json_bytes)
}

/// Copies a value and says whether none of its bytes is `unusual`, and neither end a blank. Lengths
/// that most values have take two pieces of fixed size, which overlap. In words: what compilers
/// make of sixteen bytes at once is longer.
#[inline(always)]
fn copy_without(to: &mut [u8], from: &[u8], unusual: impl Fn([u8; 8]) -> u64 + Copy) -> bool {
    let (Some(&first), Some(&last)) = (from.first(), from.last()) else { return false };
    let found = match from.len() {
        8..16 => copy_ends::<8>(to, from, unusual),
        16..=32 => copy_ends::<16>(to, from, unusual),
        _ => copy_words(to, from, unusual),
    };
    found & HIGH_BITS == 0 && first != b' ' && last != b' '
}

/// Copies the first and the last `N` bytes and says what is unusual among them.
#[inline(always)]
fn copy_ends<const N: usize>(
    to: &mut [u8],
    from: &[u8],
    unusual: impl Fn([u8; 8]) -> u64 + Copy,
) -> u64 {
    let mut found = 0;
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
        found |= from.as_chunks().0.iter().fold(0, |all, word| all | unusual(*word));
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        *to = *from;
        found |= from.as_chunks().0.iter().fold(0, |all, word| all | unusual(*word));
    }
    found
}

/// Copies any value and says what is unusual among its bytes.
#[inline(never)]
fn copy_words(to: &mut [u8], from: &[u8], unusual: impl Fn([u8; 8]) -> u64 + Copy) -> u64 {
    let mut found = 0_u64;
    let (words, rest) = from.as_chunks::<8>();
    let (places, places_rest) = to.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = *word;
        found |= unusual(*word);
    }
    // What is left of a word, after letters.
    let mut word = [b'a'; 8];
    for ((place, seen), &byte) in places_rest.iter_mut().zip(&mut word).zip(rest) {
        (*place, *seen) = (byte, byte);
    }
    found | unusual(word)
}

/// As [`copy_plain`] says it, for the first `length` bytes.
#[inline(always)]
pub(super) fn is_plain(value: &[u8; VALUE_BYTES], length: usize) -> bool {
    let (Some(masks), Some(last)) = (MASKS.get(length), value.get(length.wrapping_sub(1))) else {
        return false;
    };
    let mut unusual = 0;
    for (word, mask) in value.as_chunks().0.iter().zip(masks) {
        unusual |= unusual_bytes(*word) & mask;
    }
    unusual == 0 && value.first() != Some(&b' ') && *last != b' '
}

/// Whether all bytes are printable ASCII.
#[inline]
pub(super) fn is_clean_ascii(text: &[u8]) -> bool {
    // No early end: the compiler then takes sixteen at a time.
    let unusual = |byte: &u8| u8::from(byte.wrapping_sub(b' ') > b'~'.wrapping_sub(b' '));
    text.iter().fold(0, |all, byte| all | unusual(byte)) == 0
}

/// Whether a text may hold a character that breaks lines, or turns them around. No is certain, and
/// comes soon for letters of most scripts.
pub(super) fn may_break_lines(text: &[u8]) -> bool {
    // The first bytes of those characters in UTF-8: U+0080 to U+009F, U+061C, U+200E to U+2069,
    // U+FEFF to U+FFFB.
    let unusual =
        |byte: u8| (byte < b' ') | (byte == 0x7f) | matches!(byte, 0xc2 | 0xd8 | 0xe2 | 0xef);
    let may = text.iter().fold(false, |all, &byte| all | unusual(byte));
    may && std::str::from_utf8(text).map_or(true, |text| text.contains(breaks_lines))
}

/// By length: the high bits of the bytes that count, so that the bytes after them do not.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const MASKS: [[u64; VALUE_BYTES / 8]; VALUE_BYTES + 1] = {
    let mut masks = [[0; VALUE_BYTES / 8]; VALUE_BYTES + 1];
    let mut length = 0;
    while length <= VALUE_BYTES {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0x80 << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
};

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Has a high bit for a byte above 0x7e or below 0x20. The subtraction may borrow between bytes,
/// which sets bits only beside a byte that is unusual itself.
#[inline(always)]
const fn unusual_bytes(bytes: [u8; 8]) -> u64 {
    const BLANKS: u64 = 0x2020_2020_2020_2020;
    let word = u64::from_le_bytes(bytes);
    word | word.wrapping_sub(BLANKS) | word.wrapping_add(ONES)
}

/// As [`unusual_bytes`], and for a quotation mark or a backslash: taking one from a byte that is
/// none else borrows.
#[inline(always)]
const fn unusual_json_bytes(bytes: [u8; 8]) -> u64 {
    const QUOTATION_MARKS: u64 = ONES.wrapping_mul(b'"' as u64);
    const BACKSLASHES: u64 = ONES.wrapping_mul(b'\\' as u64);
    let word = u64::from_le_bytes(bytes);
    unusual_bytes(bytes)
        | (word ^ QUOTATION_MARKS).wrapping_sub(ONES)
        | (word ^ BACKSLASHES).wrapping_sub(ONES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_may_break_lines_is_found_by_its_first_bytes() {
        for c in '\0'..=char::MAX {
            let text = format!("text{c}behind");
            assert_eq!(may_break_lines(text.as_bytes()), breaks_lines(c), "{c:?}");
            let is_printable = matches!(c, ' '..='~');
            assert_eq!(is_clean_ascii(text.as_bytes()), is_printable, "{c:?}");
        }
    }

    #[test]
    fn the_quick_look_sees_what_a_slow_one_sees() {
        for byte in 0..=255_u8 {
            for (len, place) in (1..40).flat_map(|len| (0..len).map(move |place| (len, place))) {
                let mut value = vec![b'a'; len];
                value[place] = byte;
                let outer_blank = byte == b' ' && (place == 0 || place + 1 == len);
                let plain = (0x20..0x7f).contains(&byte) && !outer_blank;
                let mut copied = vec![0; len];
                assert_eq!(copy_plain(&mut copied, &value), plain, "{byte} at {place} of {len}");
                assert_eq!(copied, value);
                let plain_json = plain && byte != b'"' && byte != b'\\';
                assert_eq!(copy_plain_json(&mut copied, &value), plain_json, "{byte} of {len}");
                if len <= VALUE_BYTES {
                    let mut wide = [byte; VALUE_BYTES];
                    wide[..len].copy_from_slice(&value);
                    assert_eq!(is_plain(&wide, len), plain, "{byte} at {place} of {len}");
                }
            }
        }
    }
}
