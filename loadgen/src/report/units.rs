//! Figures as people read them: thousands apart, times in the unit that fits, three digits.
//!
//! # Invariants
//!
//! - Units are ASCII (`us`); the HTML report puts its own sign in their place.
//!
//! # Does not
//!
//! Know what a figure means.

/// `1234567` as `1,234,567`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whole and thousands apart from 1,000 on; below, with as many digits after the point as count:
/// `6,000`, `231.5`, `2.31`, `0.00012`.
#[must_use]
pub fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value < 0.0 {
        return format!("-{}", decimal(-value));
    }
    let digits_after = match value {
        v if v >= 999.95 => 0,
        v if v >= 99.995 => 1,
        v if v >= 0.1 => 2,
        0.0 => 0,
        v => significant_after(v, 2),
    };
    let text = format!("{value:.digits_after$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// Digits after the point so that `digits` count, for a value below 1; at most 12.
fn significant_after(value: f64, digits: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 12 after the clamp"
    )]
    let zeros = (-value.log10().floor() - 1.0).clamp(0.0, 12.0) as usize;
    (zeros + digits).min(12)
}

/// A time in ns, us, ms or s with three digits: `812 ns`, `1.25 ms`, `12.3 s`.
#[must_use]
pub fn time(value_ns: u64) -> String {
    time_of(value_ns as f64)
}

/// As [`time`], from a fraction of a nanosecond on.
#[must_use]
pub fn time_of(value_ns: f64) -> String {
    let (scale, unit) = match value_ns {
        v if v >= 999.5e6 => (1e9, "s"),
        v if v >= 999.5e3 => (1e6, "ms"),
        v if v >= 999.5 => (1e3, "us"),
        _ => (1.0, "ns"),
    };
    format!("{} {unit}", three(value_ns / scale))
}

/// Bytes in B, kB, MB, GB or TB (powers of 1,000) with three digits.
#[must_use]
pub fn bytes(value: u64) -> String {
    let value = value as f64;
    let (scale, unit) = match value {
        v if v >= 999.5e9 => (1e12, "TB"),
        v if v >= 999.5e6 => (1e9, "GB"),
        v if v >= 999.5e3 => (1e6, "MB"),
        v if v >= 999.5 => (1e3, "kB"),
        _ => (1.0, "B"),
    };
    format!("{} {unit}", three(value / scale))
}

/// A share as percent: `0 %`, `0.012 %`, `12.5 %`; a share just below 1 never reads as all:
/// `99.997 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let rest = (1.0 - share) * 100.0;
    if rest > 0.0 && rest < 0.1 {
        let digits_after = significant_after(rest, 1);
        return format!("{:.digits_after$} %", share * 100.0);
    }
    format!("{} %", decimal(share * 100.0))
}

/// A percentile's name: `p50`, `p99.9`.
#[must_use]
pub fn percentile(percentile: f64) -> String {
    format!("p{percentile}")
}

/// On one line, and without the control characters by which a file could play with a terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn three(value: f64) -> String {
    let digits_after = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits_after$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text.parse().map_or(text, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        let decimals = [
            (6_000.0, "6,000"),
            (231.481, "231.5"),
            (2.3148, "2.31"),
            (0.0, "0"),
            (0.000_123_4, "0.00012"),
            (-12.0, "-12"),
            (999.99, "1,000"),
            (f64::NAN, "-"),
        ];
        for (value, text) in decimals {
            assert_eq!(decimal(value), text);
        }
        assert_eq!(percent(0.000_367), "0.037 %");
        assert_eq!(percent(0.999_97), "99.997 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn times_and_sizes_take_the_unit_that_fits() {
        let times = [
            (0, "0 ns"),
            (812, "812 ns"),
            (999, "999 ns"),
            (1_250_000, "1.25 ms"),
            (999_600, "1 ms"),
            (12_345_678_901, "12.3 s"),
            (3_600_000_000_000, "3,600 s"),
        ];
        for (value, text) in times {
            assert_eq!(time(value), text);
        }
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(16_384_000_000), "16.4 GB");
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb"), "a [2J b");
    }
}
