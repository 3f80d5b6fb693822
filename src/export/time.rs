//! Times as deposits write them: RFC 3339 in UTC, and back.
//!
//! # Invariants
//!
//! - What [`write_time`] writes, [`parse_time`] reads as the same time.
//!
//! # Does not
//!
//! Read every form of RFC 3339: a deposit's reader does; this is for command lines.

use std::fmt::Write;

use snapshot_format::calendar::{DAY_S, civil_from_days, day_of_date};

/// Appends `YYYY-MM-DD`.
pub fn write_date(time_ms: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(time_ms.div_euclid(1000 * DAY_S));
    number(year, 4, out);
    out.push('-');
    number(month, 2, out);
    out.push('-');
    number(day, 2, out);
}

/// Appends `YYYY-MM-DDThh:mm:ssZ`, with milliseconds where there are any.
pub fn write_time(time_ms: i64, out: &mut String) {
    write_date(time_ms, out);
    let of_day_ms = time_ms.rem_euclid(1000 * DAY_S);
    let (of_day_s, ms) = (of_day_ms / 1000, of_day_ms % 1000);
    for (mark, part) in [('T', of_day_s / 3600), (':', of_day_s / 60 % 60), (':', of_day_s % 60)] {
        out.push(mark);
        number(part, 2, out);
    }
    if ms > 0 {
        out.push('.');
        number(ms, 3, out);
    }
    out.push('Z');
}

/// Reads `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`, in seconds since 1970.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => rest.split_once(['T', 't'])?,
        None => (text, "00:00:00"),
    };
    let [year, month, day] = three(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = three(time, ':', [2, 2, 2])?;
    let day_number = day_of_date(year, month, day)?;
    (hour < 24 && minute < 60 && second < 60)
        .then_some(day_number * DAY_S + hour * 3600 + minute * 60 + second)
}

/// Three numbers of fixed widths.
fn three(text: &str, mark: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(mark);
    let mut numbers = [0; 3];
    for (slot, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        *slot = digits.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn number(value: i64, width: usize, out: &mut String) {
    if width == 2 && (0..100).contains(&value) {
        let digits = [value / 10, value % 10];
        out.extend(digits.map(|digit| char::from(b'0' + u8::try_from(digit).unwrap_or(0))));
        return;
    }
    // Writing to a string does not fail.
    let _ = write!(out, "{value:0width$}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for time_s in [0, 951_782_399, 951_782_400, 1_767_225_600, 4_102_444_799] {
            let mut text = String::new();
            write_time(time_s * 1000, &mut text);
            assert_eq!(parse_time(&text), Some(time_s), "{text}");
        }
        let mut text = String::new();
        write_time(1_767_225_600_042, &mut text);
        assert_eq!(text, "2026-01-01T00:00:00.042Z");
        assert_eq!(parse_time("2026-01-01"), Some(1_767_225_600));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-01-01T00:00:00",
            "26-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00Z",
            "+026-01-01",
            "2026-01-01-01",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
