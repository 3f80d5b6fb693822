//! Query logs: their queries at the times at which they came.
//!
//! A line is JSON with `time` (RFC 3339, or milliseconds since the epoch as a number) and `query`;
//! or a row of whoisd's own query log, with `at_ms`, `kind` and `name`; or it is seconds since the
//! epoch with a fraction, a tab, and the query.
//!
//! # Invariants
//!
//! - Times count from the first query and do not descend: queries are put in the order of their
//!   times; those of one time keep the log's order.
//!
//! # Does not
//!
//! Keep anything else of a log.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use snapshot_format::calendar::days_from_civil;
use toml::value::{Date, Datetime, Time};

use super::lines::Lines;
use super::{Kind, LineError, Source, WorkloadError};

/// Longest line of a log, bytes: a JSON line has other fields.
const LOG_LINE_BYTES_MAX: u64 = 1 << 16;
/// Latest time that is understood, nanoseconds since the epoch: the year 2500.
const TIME_NS_MAX: u64 = 16_725_225_600_000_000_000;

#[derive(Deserialize)]
struct JsonLine {
    #[serde(alias = "at_ms")]
    time: JsonTime,
    #[serde(alias = "name")]
    query: String,
    /// Only rows of whoisd's own log have one: their name is escaped, and lacks the keyword.
    kind: Option<String>,
}

impl JsonLine {
    fn query(&self) -> Vec<u8> {
        let Some(kind) = &self.kind else {
            return self.query.trim_end_matches(['\r', '\n']).as_bytes().to_vec();
        };
        let keyword = match kind.as_str() {
            "nameserver" | "nameserver_pattern" | "address" => "nameserver ",
            "registrar" | "registrar_pattern" => "registrar ",
            "contact" => "contact ",
            "roid" => "roid ",
            _ => "",
        };
        [keyword.as_bytes(), &unescaped(&self.query)].concat()
    }
}

/// The bytes that a name of the query log was, as far as it has kept them. Bytes that no query line
/// may have become `?`, which is refused as they were.
fn unescaped(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = if let Some(behind) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            behind
        } else if escape.starts_with('+') {
            ""
        } else {
            bytes.push(b'?');
            let behind = match escape.strip_prefix("u{") {
                Some(hex) => hex.split_once('}').map(|(_, behind)| behind),
                None => escape.get(3..),
            };
            behind.unwrap_or_default()
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonTime {
    Text(String),
    Milliseconds(u64),
    MillisecondsFraction(f64),
}

/// The times of a log, nanoseconds from its first query, and its queries.
///
/// # Errors
///
/// What cannot be read: the line, what was there and what was expected.
pub fn replay(path: impl AsRef<Path>) -> Result<(Arc<[u64]>, Source), WorkloadError> {
    let file = File::open(&path);
    let path = || path.as_ref().to_owned();
    let file = file.map_err(|source| WorkloadError::Read { path: path(), source })?;
    let mut reader = BufReader::new(file);
    let mut read: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        let at = |source| WorkloadError::Line { path: path(), number, source };
        line.clear();
        let mut limited = std::io::Read::take(&mut reader, LOG_LINE_BYTES_MAX);
        let length = limited.read_until(b'\n', &mut line);
        if length.map_err(|error| at(LineError::Read(error)))? == 0 {
            break;
        }
        if !line.trim_ascii().is_empty() {
            read.push(entry(&line).map_err(at)?);
        }
    }
    read.sort_by_key(|&(time_ns, _)| time_ns);
    let first_ns = read.first().map(|&(time_ns, _)| time_ns);
    let first_ns = first_ns.ok_or_else(|| WorkloadError::NoQuery { path: path() })?;
    let mut lines = Lines::default();
    let mut times_ns = Vec::with_capacity(read.len());
    for (time_ns, query) in read {
        let pushed = lines.push(&query, Kind::Recorded);
        pushed.map_err(|source| WorkloadError::Queries { path: path(), source })?;
        // The first is the least: they are in order.
        times_ns.push(time_ns.saturating_sub(first_ns));
    }
    Ok((times_ns.into(), Source::recorded(lines)))
}

/// Time, nanoseconds since the epoch, and query of a line.
fn entry(line: &[u8]) -> Result<(u64, Vec<u8>), LineError> {
    if !line.ends_with(b"\n") && line.len() as u64 >= LOG_LINE_BYTES_MAX {
        return Err(LineError::Length { max: LOG_LINE_BYTES_MAX });
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (time_ns, query) = if line.trim_ascii_start().starts_with(b"{") {
        let parsed: JsonLine = serde_json::from_slice(line)
            .map_err(|source| LineError::Json { source, line: line.to_vec() })?;
        let query = parsed.query();
        (json_time_ns(parsed.time)?, query)
    } else {
        let tab = memchr::memchr(b'\t', line).and_then(|tab| line.split_at_checked(tab));
        let (time, query) = tab.ok_or_else(|| LineError::Form { line: line.to_vec() })?;
        let time_ns = str::from_utf8(time).ok().and_then(seconds_ns);
        let time_ns = time_ns.ok_or_else(|| LineError::Seconds { got: time.to_vec() })?;
        (time_ns, query.strip_prefix(b"\t").unwrap_or(query).to_vec())
    };
    // Refused here, where the line's number is known.
    Lines::default().push(&query, Kind::Recorded)?;
    Ok((time_ns, query))
}

/// `seconds` or `seconds.fraction` in nanoseconds; digits beyond those are dropped.
fn seconds_ns(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let fraction_ns: u64 = digits.parse().ok()?;
    let time_ns =
        whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction_ns)?;
    (time_ns <= TIME_NS_MAX).then_some(time_ns)
}

fn json_time_ns(time: JsonTime) -> Result<u64, LineError> {
    let (time_ns, refused) = match time {
        JsonTime::Text(got) => (rfc3339_ns(&got), LineError::Time { got }),
        JsonTime::Milliseconds(got) => {
            (got.checked_mul(1_000_000), LineError::Milliseconds { got })
        }
        JsonTime::MillisecondsFraction(got) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates; less than 0 is refused"
            )]
            let time_ns = (got >= 0.0).then_some((got * 1e6) as u64);
            (time_ns, LineError::MillisecondsFraction { got })
        }
    };
    time_ns.filter(|&time_ns| time_ns <= TIME_NS_MAX).ok_or(refused)
}

/// Nanoseconds since the epoch of a time with its offset.
fn rfc3339_ns(text: &str) -> Option<u64> {
    let parsed: Datetime = text.parse().ok()?;
    let (date, time, offset) = (parsed.date?, parsed.time?, parsed.offset?);
    let offset_minutes = match offset {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => minutes,
    };
    let fraction_ns = u64::from(time.nanosecond.unwrap_or(0));
    let whole_s = u64::try_from(seconds_since_epoch(date, time, offset_minutes)).ok()?;
    whole_s.checked_mul(1_000_000_000)?.checked_add(fraction_ns)
}

/// Seconds since the epoch.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "every field has 8 or 16 bits: no step comes near the bounds of 64"
)]
fn seconds_since_epoch(date: Date, time: Time, offset_minutes: i16) -> i64 {
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let (hour, minute) = (i64::from(time.hour), i64::from(time.minute));
    let second = i64::from(time.second.unwrap_or(0));
    let days = days_from_civil(year, month, day);
    days * 86_400 + hour * 3_600 + (minute - i64::from(offset_minutes)) * 60 + second
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Request, Workload};

    fn replayed(text: &str) -> Result<(Arc<[u64]>, Source), WorkloadError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, text).unwrap();
        replay(&path)
    }

    #[test]
    fn every_way_of_writing_a_time_is_understood() {
        let wanted = Some(1_767_323_045_250_000_000);
        assert_eq!(rfc3339_ns("2026-01-02T03:04:05.25Z"), wanted);
        assert_eq!(rfc3339_ns("2026-01-02T05:04:05.250+02:00"), wanted);
        assert_eq!(seconds_ns("1767323045.25"), wanted);
        assert_eq!(json_time_ns(JsonTime::Milliseconds(1_767_323_045_250)).ok(), wanted);
        assert_eq!(rfc3339_ns("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_ns("2000-02-29T00:00:00Z"), Some(951_782_400_000_000_000));
        assert_eq!(rfc3339_ns("2026-01-02"), None);
        assert_eq!(seconds_ns("-1.5"), None);
    }

    #[test]
    fn a_log_becomes_times_from_its_first_query_and_requests_in_their_order() {
        let (times_ns, source) = replayed(
            "{\"time\":\"2026-01-02T03:04:06Z\",\"query\":\"b.demo\",\"client\":\"192.0.2.1\"}\n\n\
             1767323045.25\ta.demo\r\n\
             {\"time\":1767323047000,\"query\":\"ns ns.a.demo\\r\\n\"}\n",
        )
        .unwrap();
        assert_eq!(*times_ns, [0, 750_000_000, 1_750_000_000]);
        let mut request = Request::default();
        for (core, wanted) in [(0, ["a.demo\r\n", "ns ns.a.demo\r\n"]), (1, ["b.demo\r\n", ""])] {
            let mut workload = Workload::new(&source, 1, core, 2);
            for line in wanted.iter().filter(|line| !line.is_empty()) {
                workload.next(&mut request);
                assert_eq!(request.bytes, line.as_bytes());
                assert_eq!(request.kind, Kind::Recorded);
            }
        }
    }

    #[test]
    fn rows_of_the_servers_own_log_are_asked_again_as_they_were() {
        let row = |at_ms: u64, kind: &str, name: &str| {
            serde_json::json!({"v": 1, "at_ms": at_ms, "kind": kind, "name": name, "bytes": 7})
                .to_string()
        };
        let rows = [
            row(1, "domain", "a.demo"),
            row(2, "nameserver", "ns1.a.demo"),
            row(3, "registrar", "Example \\\\ Registrar"),
            row(4, "unreadable", "a\\u{0}b\\x80c\\+47"),
        ];
        let (times_ns, source) = replayed(&rows.join("\n")).unwrap();
        assert_eq!(*times_ns, [0, 1_000_000, 2_000_000, 3_000_000]);
        let mut workload = Workload::new(&source, 1, 0, 1);
        let mut request = Request::default();
        for line in ["a.demo", "nameserver ns1.a.demo", "registrar Example \\ Registrar", "a?b?c"] {
            workload.next(&mut request);
            assert_eq!(request.bytes, format!("{line}\r\n").as_bytes());
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for (text, part) in [
            ("1\ta.demo\nx\n", "line 2: got \"x\"; expected JSON"),
            ("yesterday\ta.demo\n", "line 1: got the time \"yesterday\"; expected seconds"),
            ("{\"time\":\"noon\",\"query\":\"a\"}\n", "got the time \"noon\"; expected RFC 3339"),
            ("{\"time\":-5,\"query\":\"a\"}\n", "got the time -5"),
            ("{\"query\":\"a\"}\n", "missing field `time`"),
            ("1\ta\0b\n", "line 1: got the byte 0"),
            ("\n", "no query"),
        ] {
            let message = replayed(text).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
