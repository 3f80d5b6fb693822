//! Decodes one A-label (RFC 3492) into a buffer on the stack.
//!
//! # Invariants
//!
//! - Bounded: a label has at most 63 bytes, its decoded form at most 59 characters; inserting one
//!   costs at most that many moves.
//!
//! # Does not
//!
//! Map or validate: the module above does, before anybody sees what came of it.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

const LABEL_CHARS_MAX: usize = 63;

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// A decoded label.
pub(super) struct Label {
    chars: [char; LABEL_CHARS_MAX],
    count: usize,
}

impl Label {
    pub(super) fn chars(&self) -> &[char] {
        self.chars.get(..self.count).unwrap_or_default()
    }

    fn insert(&mut self, index: usize, c: char) -> Option<()> {
        let moved = self.chars.get_mut(index..=self.count)?;
        moved.rotate_right(1);
        *moved.first_mut()? = c;
        self.count = self.count.checked_add(1)?;
        Some(())
    }

    /// RFC 3492 section 6.2; `None` where the input is not punycode.
    pub(super) fn decode(encoded: &str) -> Option<Self> {
        let mut label = Self { chars: ['\0'; LABEL_CHARS_MAX], count: 0 };
        let (basic, extended) = encoded.rsplit_once('-').unwrap_or(("", encoded));
        for c in basic.chars() {
            if !c.is_ascii() {
                return None;
            }
            label.insert(label.count, c)?;
        }
        let (mut n, mut i, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
        let mut digits = extended.bytes().peekable();
        while digits.peek().is_some() {
            let old_i = i;
            let (mut weight, mut k) = (1_u32, BASE);
            loop {
                let digit = digit(digits.next()?)?;
                i = i.checked_add(digit.checked_mul(weight)?)?;
                let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if digit < t {
                    break;
                }
                weight = weight.checked_mul(BASE.checked_sub(t)?)?;
                k = k.checked_add(BASE)?;
            }
            let points = u32::try_from(label.count).ok()?.checked_add(1)?;
            bias = adapt(i.checked_sub(old_i)?, points, old_i == 0)?;
            n = n.checked_add(i.checked_div(points)?)?;
            i = i.checked_rem(points)?;
            label.insert(usize::try_from(i).ok()?, char::from_u32(n)?)?;
            i = i.checked_add(1)?;
        }
        Some(label)
    }
}

/// RFC 3492 section 6.1.
fn adapt(delta: u32, points: u32, first: bool) -> Option<u32> {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta = delta.checked_add(delta.checked_div(points)?)?;
    let mut k = 0_u32;
    while delta > const { (BASE - T_MIN) * T_MAX / 2 } {
        delta /= const { BASE - T_MIN };
        k = k.checked_add(BASE)?;
    }
    let numerator = delta.checked_mul(const { BASE - T_MIN + 1 })?;
    k.checked_add(numerator.checked_div(delta.checked_add(SKEW)?)?)
}

fn digit(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte.saturating_sub(b'a'))),
        b'A'..=b'Z' => Some(u32::from(byte.saturating_sub(b'A'))),
        b'0'..=b'9' => Some(u32::from(byte.saturating_sub(b'0')).saturating_add(26)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let mut label = String::new();
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let letters = b"abcdefghijklmnopqrstuvwxyz0123456789-";
                label.push(char::from(letters[usize::try_from(state >> 33).unwrap() % 37]));
            }
            let _ = Label::decode(&label);
        }
    }
}
