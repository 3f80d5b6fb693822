//! Numbers as a screen shows them: short, of a known width.
//!
//! # Does not
//!
//! Colour or place anything.

use super::rates::as_f64;

/// A whole number with a comma between thousands.
pub(in crate::command) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Events per second: one decimal below 10, whole above; at most 7 characters up to 99 millions.
pub(in crate::command) fn rate(per_s: f64) -> String {
    if per_s <= 0.0 {
        "0".to_owned()
    } else if per_s < 0.05 {
        "<0.1".to_owned()
    } else if per_s < 9.95 {
        format!("{per_s:.1}")
    } else if per_s < 999_999.5 {
        count(whole(per_s))
    } else {
        format!("{:.1}M", per_s / 1e6)
    }
}

/// A duration in at most 5 characters.
pub(in crate::command) fn micros(us: Option<u64>) -> String {
    let Some(us) = us else { return "-".to_owned() };
    let scaled = |unit: u64, name: &str| {
        let value = as_f64(us) / as_f64(unit);
        if value < 9.95 { format!("{value:.1}{name}") } else { format!("{value:.0}{name}") }
    };
    match us {
        0..1_000 => format!("{us}us"),
        1_000..999_500 => scaled(1_000, "ms"),
        _ => scaled(1_000_000, "s"),
    }
}

/// Bytes per second.
pub(in crate::command) fn bytes(per_s: f64) -> String {
    let units = ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"];
    let mut value = per_s.max(0.0);
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = units[unit];
    if value < 9.95 && unit > 0 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

/// A span of time in its two largest units.
pub(in crate::command) fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match seconds {
        0..60 => format!("{rest} s"),
        60..3_600 => format!("{minutes} min {rest} s"),
        3_600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A share in percent.
pub(in crate::command) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 99.95 || percent <= 0.0 {
        format!("{percent:.0}%")
    } else if percent < 0.05 {
        "<0.1%".to_owned()
    } else {
        format!("{percent:.1}%")
    }
}

/// A text of the server in one line that a terminal takes no orders from.
pub(in crate::command) fn clean(text: &str) -> String {
    text.replace(crate::bounds::breaks_lines, " ")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000,000")]
fn whole(value: f64) -> u64 {
    value.round().clamp(0.0, 1e6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        let rates = [0.0, 0.01, 0.3, 9.96, 61_230.4, 999_999.9, 12_300_000.0].map(rate);
        assert_eq!(rates, ["0", "<0.1", "0.3", "10", "61,230", "1.0M", "12.3M"]);
        let spans = [7, 61, 3_660, 90_000 * 3].map(span);
        assert_eq!(spans, ["7 s", "1 min 1 s", "1 h 1 min", "3 d 3 h"]);
        let times =
            [0, 999, 1_234, 12_345, 999_499, 999_500, 67_108_864].map(|us| micros(Some(us)));
        assert_eq!(times, ["0us", "999us", "1.2ms", "12ms", "999ms", "1.0s", "67s"]);
        assert_eq!(micros(None), "-");
        assert_eq!(
            [0.0, 1023.0, 1024.0, 5e7].map(bytes),
            ["0 B/s", "1023 B/s", "1.0 KiB/s", "48 MiB/s"]
        );
        let shares = [0.0, 0.0001, 0.123, 0.9994, 0.9996, 1.0].map(percent);
        assert_eq!(shares, ["0%", "<0.1%", "12.3%", "99.9%", "100%", "100%"]);
    }

    #[test]
    fn what_a_server_says_gives_a_terminal_no_orders() {
        assert_eq!(clean("a\x1b[2J\nb"), "a [2J b");
    }
}
