//! Days of UTC, by which files are cut and queries are counted, and times in names of files.
//!
//! # Does not
//!
//! Read a clock.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use snapshot_format::calendar::{DAY_S, civil_from_days, day_of_date};

use super::error::NotADay;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = DAY_S * 1_000;
/// Last day that is read or written: 9999-12-31.
const DAY_MAX: i64 = 2_932_896;

/// A day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day of a time in milliseconds since the Unix epoch, from 1970-01-01 to 9999-12-31.
    #[must_use]
    pub fn of_ms(at_ms: i64) -> Self {
        Self(at_ms.div_euclid(DAY_MS).clamp(0, DAY_MAX))
    }

    /// Its first millisecond.
    pub(super) const fn first_ms(self) -> i64 {
        self.0.saturating_mul(DAY_MS)
    }

    /// Its last millisecond.
    pub(super) const fn last_ms(self) -> i64 {
        self.0.saturating_add(1).saturating_mul(DAY_MS).saturating_sub(1)
    }

    /// Its month, `YYYY-MM`.
    #[must_use]
    pub fn month(self) -> String {
        let (year, month, _) = civil_from_days(self.0);
        format!("{year:04}-{month:02}")
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let wrong = || NotADay { got: shortened(text) };
        let mut parts = text.splitn(3, '-');
        let mut part = |width: usize| -> Option<i64> {
            let part = parts.next()?;
            let is_number = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        let civil = part(4).zip(part(2)).zip(part(2));
        let ((year, month), date) = civil.ok_or_else(wrong)?;
        day_of(year, month, date).map(Self).ok_or_else(wrong)
    }
}

/// The number of a day that the calendar has.
fn day_of(year: i64, month: i64, date: i64) -> Option<i64> {
    day_of_date(year, month, date).filter(|_| year >= 1970)
}

/// The beginning of a text, for messages.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// `YYYYMMDDTHHMMSSZ` of a time in seconds since the Unix epoch.
pub(super) fn compact(at_s: i64) -> String {
    let at_s = at_s.clamp(0, DAY_MAX.saturating_mul(DAY_S).saturating_add(DAY_S.saturating_sub(1)));
    let (year, month, day) = civil_from_days(at_s.div_euclid(DAY_S));
    let of_day = at_s.rem_euclid(DAY_S);
    let (hour, minute) = (of_day.div_euclid(3_600), of_day.div_euclid(60).rem_euclid(60));
    let second = of_day.rem_euclid(60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The time that [`compact`] wrote; `None` if the text is not one.
pub(super) fn of_compact(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    let day = day_of(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let in_form = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
    let in_range = hour < 24 && minute < 60 && second < 60;
    let of_day = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?;
    let of_day = of_day.checked_add(second)?;
    let at_s = day.checked_mul(DAY_S)?.checked_add(of_day)?;
    (in_form && in_range).then_some(at_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_as_it_is_written_and_nothing_else_reads() {
        let day = Day::of_ms(1_795_656_123_456);
        assert_eq!((day.to_string(), day.month()), ("2026-11-26".into(), "2026-11".into()));
        assert_eq!("2026-11-26".parse(), Ok(day));
        assert_eq!("2024-02-29".parse::<Day>().unwrap().to_string(), "2024-02-29");
        for bad in ["", "2026-1-26", "2026-02-30", "1969-12-31", "+026-01-01", "2026-11-26 "] {
            let error = bad.parse::<Day>().unwrap_err().to_string();
            assert!(error.ends_with("is not a day, expected YYYY-MM-DD"), "{error}");
        }
        assert_eq!(Day::of_ms(i64::MIN).to_string(), "1970-01-01");
        assert_eq!(Day::of_ms(i64::MAX).to_string(), "9999-12-31");
    }

    #[test]
    fn a_time_in_a_name_reads_as_it_is_written() {
        for at_s in [0, 1_795_656_123, 86_399, 253_402_300_799] {
            assert_eq!(of_compact(&compact(at_s)), Some(at_s));
        }
        assert_eq!(compact(1_795_656_123), "20261126T012203Z");
        assert_eq!(compact(i64::MAX), "99991231T235959Z");
        for bad in ["20261126T240000Z", "20261126 012203Z", "20261126T012203", "2026112é012203Z"] {
            assert_eq!(of_compact(bad), None, "{bad}");
        }
    }
}
