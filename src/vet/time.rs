//! Times of a deposit: RFC 3339, and every form that xs:dateTime allows beside it.
//!
//! # Invariants
//!
//! - Nothing here panics, whatever the bytes.
//! - A time that comes out lies within the years 1 to 9999, which every reader of ours can write.
//!
//! # Does not
//!
//! Report: callers turn an outcome into a finding.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::calendar::day_of_date;
use snapshot_format::object::Time;

/// 0001-01-01T00:00:00Z, ms since the epoch.
const FIRST_MS: i64 = -62_135_596_800_000;
/// 9999-12-31T23:59:59.999Z, ms since the epoch.
const LAST_MS: i64 = 253_402_300_799_999;
/// Days of 400 years: the calendar repeats itself after them.
const ERA_YEARS: i64 = 400;

/// A time as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// As it should be.
    Good(Time),
    /// Without a zone, taken as UTC.
    NoZone(Time),
    /// Beyond the year 9999, taken as its last millisecond.
    Late(Time),
    /// Unusable.
    Bad,
}

/// Reads a time; more than three digits of a fraction are cut.
pub(crate) fn time(text: &str) -> Read {
    let Some((year, late, rest)) = year(text.as_bytes()) else { return Read::Bad };
    let Some((seconds, end_of_day, rest)) = date_and_time(year, rest) else { return Read::Bad };
    let Some((fraction_ms, rest)) = fraction(rest) else { return Read::Bad };
    if end_of_day && fraction_ms != 0 {
        return Read::Bad;
    }
    let (offset_s, zoned) = match rest {
        [] => (0, false),
        [b'Z' | b'z'] => (0, true),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (Some(h), Some(m)) = (two(*h1, *h2), two(*m1, *m2)) else { return Read::Bad };
            if h > 23 || m > 59 {
                return Read::Bad;
            }
            let offset = h.wrapping_mul(3600).wrapping_add(m.wrapping_mul(60));
            (if *sign == b'-' { offset.wrapping_neg() } else { offset }, true)
        }
        _ => return Read::Bad,
    };
    let ms = seconds.saturating_sub(offset_s).saturating_mul(1000).saturating_add(fraction_ms);
    if late || ms > LAST_MS {
        return Read::Late(Time::from_ms(LAST_MS));
    }
    if ms < FIRST_MS {
        return Read::Bad;
    }
    let time = Time::from_ms(ms);
    if zoned { Read::Good(time) } else { Read::NoZone(time) }
}

/// The year, of four digits or more, whether it is beyond 9999, and what follows. A year beyond is
/// one of the same calendar.
fn year(bytes: &[u8]) -> Option<(i64, bool, &[u8])> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(count)?;
    let late = count > 4;
    if count < 4 || late && digits.first() == Some(&b'0') {
        return None;
    }
    let mut year = 0i64;
    for &digit in digits {
        year = year.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')));
        if late {
            year = year.wrapping_rem(ERA_YEARS);
        }
    }
    let year = if late { year.wrapping_add(5 * ERA_YEARS) } else { year };
    (year > 0).then_some((year, late, rest))
}

/// `-MM-DDThh:mm:ss` of a year as seconds since the epoch, whether it is the end of a day
/// (`24:00:00`), and what follows.
fn date_and_time(year: i64, bytes: &[u8]) -> Option<(i64, bool, &[u8])> {
    let [
        b'-',
        o1,
        o2,
        b'-',
        d1,
        d2,
        b'T' | b't' | b' ',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        rest @ ..,
    ] = bytes
    else {
        return None;
    };
    let (month, day) = (two(*o1, *o2)?, two(*d1, *d2)?);
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    let end_of_day = (hour, minute, second) == (24, 0, 0);
    // A leap second is the first second of the next minute.
    if !end_of_day && hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = day_of_date(year, month, day)?;
    let of_day = hour.wrapping_mul(3600).wrapping_add(minute.wrapping_mul(60)).wrapping_add(second);
    Some((days.wrapping_mul(86_400).wrapping_add(of_day), end_of_day, rest))
}

/// `.digits` as milliseconds, and what follows.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', digits @ ..] = bytes else { return Some((0, bytes)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    let mut ms = 0i64;
    for place in 0..3 {
        let digit = digits.get(place).map_or(0, |byte| i64::from(byte.wrapping_sub(b'0')));
        ms = ms.wrapping_mul(10).wrapping_add(digit);
    }
    Some((ms, rest))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    let tens = i64::from(tens.wrapping_sub(b'0'));
    Some(tens.wrapping_mul(10).wrapping_add(i64::from(ones.wrapping_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_real_deposits_are_read_and_the_calendar_is_checked() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Read::Good(Time::from_ms(0)));
        assert_eq!(time("1999-04-03T22:00:00.0Z"), Read::Good(Time::from_s(923_176_800)));
        assert_eq!(time("2000-02-29T00:00:00.123456Z"), Read::Good(Time::from_ms(951_782_400_123)));
        assert_eq!(time("2019-10-17T02:00:00+02:00"), time("2019-10-17T00:00:00Z"));
        assert_eq!(time("2019-10-16T22:30:00-01:30"), time("2019-10-17T00:00:00Z"));
        assert_eq!(time("2019-10-17T00:00:00"), Read::NoZone(Time::from_s(1_571_270_400)));
        assert_eq!(time("2016-12-31T23:59:60Z"), time("2017-01-01T00:00:00Z"));
        assert_eq!(time("0001-01-01T00:00:00Z"), Read::Good(Time::from_s(-62_135_596_800)));
        for bad in [
            "2001-02-29T00:00:00Z",
            "2001-13-01T00:00:00Z",
            "2001-00-01T00:00:00Z",
            "2001-04-31T00:00:00Z",
            "2001-01-01T25:00:00Z",
            "2001-01-01T24:00:01Z",
            "2001-01-01T24:01:00Z",
            "2001-01-01T24:00:00.5Z",
            "2001-01-01T00:00:61Z",
            "2001-01-01",
            "2001-01-01T00:00:00.Z",
            "2001-01-01T00:00:00+2:00",
            "0000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "02026-01-01T00:00:00Z",
            "926-01-01T00:00:00Z",
            "12026-02-29T00:00:00Z",
            "",
            "Z",
        ] {
            assert_eq!(time(bad), Read::Bad, "{bad}");
        }
    }

    #[test]
    fn every_time_of_xml_schema_is_read_and_those_beyond_9999_end_there() {
        assert_eq!(time("2016-12-31T24:00:00Z"), time("2017-01-01T00:00:00Z"));
        assert_eq!(time("2016-12-31T24:00:00.000Z"), time("2017-01-01T00:00:00Z"));
        assert_eq!(time("2016-12-31T00:00:00+14:00"), time("2016-12-30T10:00:00Z"));
        let last = Time::from_ms(LAST_MS);
        assert_eq!(time("9999-12-31T23:59:59.999Z"), Read::Good(last));
        for late in [
            "9999-12-31T24:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "12024-02-29T00:00:00",
            "99999999999999999999999999-12-31T23:59:59Z",
        ] {
            assert_eq!(time(late), Read::Late(last), "{late}");
        }
    }
}
