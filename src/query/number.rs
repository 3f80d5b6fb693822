//! Numbers, times, addresses and binary data as text, without the formatting machinery.
//!
//! # Invariants
//!
//! - Each text lives in a small buffer of its own; nothing here allocates.
//!
//! # Does not
//!
//! Read clocks: times are the data's.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::Ipv6Addr;

use crate::hex::UPPER;
use crate::idn::Short;

/// A decimal number, up to 20 digits.
pub(super) struct Decimal {
    bytes: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(super) fn of(mut number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let mut start = bytes.len();
        for place in bytes.iter_mut().rev() {
            *place = digit(number % 10);
            start = start.saturating_sub(1);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { bytes, start }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// A time as RFC 3339 writes it, in UTC: `YYYY-MM-DDThh:mm:ssZ`, with `.fff` if the milliseconds
/// are not zero. None outside the years 0 to 9999, so also for "no time".
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeText(Short<24>);

/// 0000-01-01 and 10000-01-01, milliseconds since 1970-01-01.
const TIME_MS_FIRST: i64 = -62_167_219_200_000;
const TIME_MS_END: i64 = 253_402_300_800_000;
const MS_PER_DAY: u64 = 86_400_000;

impl TimeText {
    /// `None` if there is no text.
    #[expect(clippy::cast_possible_truncation, reason = "the range check bounds both halves")]
    pub(super) fn of(ms: i64) -> Option<Self> {
        if !(TIME_MS_FIRST..TIME_MS_END).contains(&ms) {
            return None;
        }
        // Unsigned, and each half fits 32 bits: every division below is a multiplication.
        let ms = ms.wrapping_sub(TIME_MS_FIRST).cast_unsigned();
        let ms_of_day = (ms % MS_PER_DAY) as u32;
        let (year, month, day) = civil_from_days((ms / MS_PER_DAY) as u32);
        let (seconds, fraction) = (ms_of_day / 1000, ms_of_day % 1000);
        // Pairs into a text that is there already, no byte by itself.
        let mut bytes = *b"0000-00-00T00:00:00Z    ";
        let mut put = |at: usize, pair: [u8; 2]| {
            if let Some(place) = bytes.get_mut(at..).and_then(|place| place.first_chunk_mut()) {
                *place = pair;
            }
        };
        put(0, two_digits(year / 100));
        put(2, two_digits(year % 100));
        put(5, two_digits(month));
        put(8, two_digits(day));
        put(11, two_digits(seconds / 3600));
        put(14, two_digits(seconds / 60 % 60));
        put(17, two_digits(seconds % 60));
        if fraction == 0 {
            return Some(Self(Short::filled(bytes, 20)));
        }
        if let Some(end) = bytes.last_chunk_mut() {
            let [f2, f3] = two_digits(fraction % 100);
            *end = [b'.', digit(u64::from(fraction / 100)), f2, f3, b'Z'];
        }
        Some(Self(Short::filled(bytes, 24)))
    }

    /// The text and what pads it.
    pub(super) const fn padded(&self) -> &[u8; 24] {
        self.0.padded()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Year, month and day of a day number since 0000-01-01, within the years 0 to 9999: Cassio Neri
/// and Lorenz Schneider, "Euclidean affine functions and their application to calendar
/// algorithms", two divisions instead of ten.
#[expect(clippy::arithmetic_side_effects, reason = "the range of days bounds every value")]
#[expect(clippy::cast_possible_truncation, reason = "the low half of the product is meant")]
fn civil_from_days(days: u32) -> (u32, u32, u32) {
    // Days since 0000-03-01, four centuries earlier, so that they are not negative.
    let quarters = 4 * (days + 146_097 - 60) + 3;
    let century = quarters / 146_097;
    let product = 2_939_745 * u64::from((quarters % 146_097) | 3);
    let day_of_year = product as u32 / 2_939_745 / 4;
    let month_and_day = 2_141 * day_of_year + 197_913;
    let (month, day) = (month_and_day >> 16, (month_and_day & 0xffff) / 2_141 + 1);
    // Years begin in March here: January and February belong to the next one.
    let next = day_of_year >= 306;
    let year = 100 * century + (product >> 32) as u32 + u32::from(next) - 400;
    (year, if next { month - 12 } else { month }, day)
}

/// The last decimal digit of a number.
const fn digit(number: u64) -> u8 {
    b'0'.wrapping_add((number % 10) as u8)
}

/// The two decimal digits of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    PAIRS.get(number as usize).copied().unwrap_or([b'0'; 2])
}

/// `00` to `99`: cheaper than a division for each digit.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [digit(number as u64 / 10), digit(number as u64)];
        number += 1;
    }
    pairs
};

/// An IPv4 address.
pub(super) fn v4_text(address: [u8; 4]) -> Short<15> {
    let mut text = Short::new();
    for (index, octet) in address.into_iter().enumerate() {
        if index > 0 {
            text.push(b'.');
        }
        text.push_all(Decimal::of(u64::from(octet)).as_bytes());
    }
    text
}

/// An IPv6 address as RFC 5952 writes it.
pub(super) fn v6_text(address: [u8; 16]) -> Short<45> {
    use std::fmt::Write;
    let mut text = Short::new();
    // The standard library writes RFC 5952, and its address formatting does not allocate. The
    // buffer has room for the longest address.
    let _ = write!(text, "{}", Ipv6Addr::from(address));
    text
}

/// Four characters of base64 (RFC 4648 section 4) for one to three bytes.
pub(super) fn base64(bytes: &[u8]) -> [u8; 4] {
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let (a, b, c) = (byte(0), byte(1), byte(2));
    let sextet = |bits: u8| match bits & 63 {
        bits @ 0..=25 => b'A'.saturating_add(bits),
        bits @ 26..=51 => b'a'.saturating_add(bits.saturating_sub(26)),
        bits @ 52..=61 => b'0'.saturating_add(bits.saturating_sub(52)),
        62 => b'+',
        _ => b'/',
    };
    [
        sextet(a >> 2),
        sextet((a << 4) | (b >> 4)),
        if bytes.len() > 1 { sextet((b << 2) | (c >> 6)) } else { b'=' },
        if bytes.len() > 2 { sextet(c) } else { b'=' },
    ]
}

/// `U+` and the code point in at least four hexadecimal digits.
pub(super) fn code_point(c: char) -> Short<8> {
    let mut text = Short::new();
    text.push_all(b"U+");
    let [_, high, middle, low] = u32::from(c).to_be_bytes();
    if high != 0 {
        let [sixteens, ones] = UPPER.of(high);
        if sixteens != b'0' {
            text.push(sixteens);
        }
        text.push(ones);
    }
    text.push_all(&UPPER.of(middle));
    text.push_all(&UPPER.of(low));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(ms: i64) -> String {
        let text = TimeText::of(ms).map(|text| text.as_bytes().to_vec());
        String::from_utf8(text.unwrap_or_default()).unwrap()
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(time(1_709_251_199_050), "2024-02-29T23:59:59.050Z");
        assert_eq!(time(253_402_300_799_000), "9999-12-31T23:59:59Z");
        assert_eq!(time(-62_167_219_200_000), "0000-01-01T00:00:00Z");
        assert_eq!(time(253_402_300_800_000), "");
        assert_eq!(time(i64::MIN), "");
        assert_eq!(time(i64::MAX), "");
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_the_one_after_the_day_before() {
        let (mut year, mut month, mut day) = (0, 1, 1);
        for days in 0..3_652_425 {
            assert_eq!(civil_from_days(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let month_days = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > month_days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
    }

    #[test]
    fn numbers_have_their_digits() {
        for number in [0, 7, 10, 255, 9999, u64::MAX] {
            assert_eq!(Decimal::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        assert_eq!(v4_text([192, 0, 2, 1]).as_str(), "192.0.2.1");
        assert_eq!(v6_text(Ipv6Addr::LOCALHOST.octets()).as_str(), "::1");
        assert_eq!(v6_text([0xff; 16]).as_str(), Ipv6Addr::from([0xff; 16]).to_string());
    }

    #[test]
    fn binary_data_reads_as_base64_and_characters_as_code_points() {
        assert_eq!(&base64(b"foo"), b"Zm9v");
        assert_eq!(&base64(b"fo"), b"Zm8=");
        assert_eq!(&base64(&[0xff]), b"/w==");
        assert_eq!(code_point('ü').as_str(), "U+00FC");
        assert_eq!(code_point('😀').as_str(), "U+1F600");
        assert_eq!(code_point('\u{10ffff}').as_str(), "U+10FFFF");
    }
}
