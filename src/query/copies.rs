//! Copies of labels and values: short texts, in pieces of fixed size, looked at on the way.
//!
//! # Does not
//!
//! Know lines, or what is to be done with a value that may not be copied.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

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
    let (Some(&first), Some(&last)) = (from.first(), from.last()) else { return false };
    let mut unusual = 0_u64;
    match (from.last_chunk::<8>(), to.last_chunk_mut::<8>()) {
        (Some(from_last), Some(to_last)) => {
            // The last eight bytes first: they may overlap the whole words before them.
            *to_last = *from_last;
            unusual |= unusual_bytes(*from_last);
            let (words, _) = from.as_chunks::<8>();
            let (places, _) = to.as_chunks_mut::<8>();
            for (place, word) in places.iter_mut().zip(words) {
                *place = *word;
                unusual |= unusual_bytes(*word);
            }
        }
        _ => {
            for (place, &byte) in to.iter_mut().zip(from) {
                *place = byte;
                unusual |= u64::from(!(0x20..0x7f).contains(&byte)) << 63;
            }
        }
    }
    unusual & HIGH_BITS == 0 && first != b' ' && last != b' '
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

/// Has a high bit for a byte above 0x7e or below 0x20. The subtraction may borrow between bytes,
/// which sets bits only beside a byte that is unusual itself.
#[inline(always)]
const fn unusual_bytes(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const BLANKS: u64 = 0x2020_2020_2020_2020;
    let word = u64::from_le_bytes(bytes);
    word | word.wrapping_sub(BLANKS) | word.wrapping_add(ONES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_look_at_eight_bytes_sees_what_the_slow_one_sees() {
        for byte in 0..=255_u8 {
            for place in 0..17 {
                let mut value = [b'a'; 17];
                value[place] = byte;
                let outer_blank = byte == b' ' && (place == 0 || place == 16);
                let plain = (0x20..0x7f).contains(&byte) && !outer_blank;
                let mut copied = [0; 17];
                assert_eq!(copy_plain(&mut copied, &value), plain, "{byte} at {place}");
                let mut wide = [byte; VALUE_BYTES];
                wide[..17].copy_from_slice(&value);
                assert_eq!(is_plain(&wide, 17), plain, "{byte} at {place}");
                assert_eq!(copied, value);
            }
        }
    }
}
