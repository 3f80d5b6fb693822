//! One line of the query log, as files and the stream hold it: JSON, and the escaping of names.
//!
//! # Invariants
//!
//! - `one-line`: a row's JSON has no line end, and its name nothing that a terminal would take for
//!   a command or that turns the direction of writing.
//! - `reversible`: an escaped name says every byte of the query that was kept.
//!
//! # Does not
//!
//! Decide what of a client's address is shown: `privacy` does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::day::shortened;
use super::entry::{NAME_BYTES_MAX, SUFFIX_BYTES_MAX, WORD_BYTES_MAX};
use super::error::Damage;

/// Longest address, kind, outcome or name of a tier, bytes; a byte that is not UTF-8 becomes three.
const WORD_TEXT_MAX: usize = 3 * WORD_BYTES_MAX;
/// Longest suffix, as above.
const SUFFIX_TEXT_MAX: usize = 3 * SUFFIX_BYTES_MAX;
/// Longest name, bytes: one byte is escaped as six at most, as `\u{1b}`; then what was left out.
const NAME_TEXT_MAX: usize = 6 * NAME_BYTES_MAX + 16;

/// Version of the row: a reader refuses another one.
pub const ROW_VERSION: u32 = 1;

/// One line of the query log. `COUNTING.md` says what kinds and outcomes there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row<'a> {
    /// [`ROW_VERSION`].
    pub v: u32,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Address and port that were asked.
    #[serde(borrow)]
    pub server: Cow<'a, str>,
    /// The client: an address, a prefix, or a keyed hash, as the settings say.
    #[serde(borrow)]
    pub client: Cow<'a, str>,
    /// The client's network of 24 bits (IPv4) or 48 (IPv6), hidden in the same way.
    #[serde(borrow)]
    pub network: Cow<'a, str>,
    /// The served suffix; empty if the query lies in none.
    #[serde(borrow)]
    pub tld: Cow<'a, str>,
    /// Kind of the query.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// What was asked for, escaped.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What came of it.
    #[serde(borrow)]
    pub outcome: Cow<'a, str>,
    /// The client's tier.
    #[serde(borrow)]
    pub tier: Cow<'a, str>,
    /// Length of the answer, bytes.
    pub bytes: u32,
    /// From the end of the line to the answer, microseconds.
    pub us: u32,
    /// Number of the shard.
    pub shard: u16,
    /// The generation that was answered from.
    pub generation: u64,
    /// Queries that were answered before this one, and that could not be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl<'a> Row<'a> {
    /// Appends the row's JSON and a line end.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let before = out.len();
        if serde_json::to_writer(&mut *out, self).is_err() {
            // No value of a row lacks a form in JSON, and a vector takes every byte.
            out.truncate(before);
            return;
        }
        out.push(b'\n');
    }

    /// Reads a line, without its line end.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read_line(line: &'a [u8]) -> Result<Self, Damage> {
        let row: Self = serde_json::from_slice(line)
            .map_err(|error| Damage::Json { problem: json_problem(&error) })?;
        if row.v != ROW_VERSION {
            return Err(Damage::Version { got: row.v });
        }
        row.check()?;
        Ok(row)
    }

    /// Refuses texts that are longer than any that is written.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let texts = [
            ("server", &self.server, WORD_TEXT_MAX),
            ("client", &self.client, WORD_TEXT_MAX),
            ("network", &self.network, WORD_TEXT_MAX),
            ("tld", &self.tld, SUFFIX_TEXT_MAX),
            ("kind", &self.kind, WORD_TEXT_MAX),
            ("name", &self.name, NAME_TEXT_MAX),
            ("outcome", &self.outcome, WORD_TEXT_MAX),
            ("tier", &self.tier, WORD_TEXT_MAX),
        ];
        match texts.into_iter().find(|(_, text, max)| text.len() > *max) {
            Some((field, text, max)) => Err(Damage::TooLong { field, got: text.len(), max }),
            None => Ok(()),
        }
    }
}

/// What is wrong with a line, without its place: the number of the line is known.
pub(super) fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    shown(&shortened(text.split(" at line ").next().unwrap_or(&text))).into_owned()
}

/// Writes a name so that it can be shown: `\\` for a backslash, `\xHH` for a byte that is not
/// UTF-8, `\u{H}` for a character that is not shown or turns the direction of writing, and `\+N` at
/// the end for N bytes that were left out. Line ends and blanks after the name are not part of it.
pub(super) fn escape(raw: &[u8], left_out: u32, out: &mut String) {
    out.clear();
    let raw = if left_out == 0 { raw.trim_ascii_end() } else { raw };
    for chunk in raw.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                letter if is_hidden(letter) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
                }
                letter => out.push(letter),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    if left_out > 0 {
        let _ = write!(out, "\\+{left_out}");
    }
}

/// A text from a file, which anybody may have written, without what [`escape`] would have escaped.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hidden) {
        Cow::Owned(text.replace(is_hidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, line and paragraph separators, marks of direction, and what has no width.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}')
        || matches!(letter, '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row that tests change.
    pub(in crate::querylog) fn row() -> Row<'static> {
        Row {
            v: ROW_VERSION,
            at_ms: 1_795_656_123_456,
            server: "192.0.2.1:43".into(),
            client: "198.51.100.7".into(),
            network: "198.51.100.0/24".into(),
            tld: "example".into(),
            kind: "domain".into(),
            name: "a.example".into(),
            outcome: "found".into(),
            tier: "public".into(),
            bytes: 1834,
            us: 87,
            shard: 0,
            generation: 42,
            lost: 0,
        }
    }

    fn escaped(raw: &[u8], left_out: u32) -> String {
        let mut out = String::from("before");
        escape(raw, left_out, &mut out);
        out
    }

    #[test]
    fn a_line_reads_so_and_reads_back() {
        let mut line = Vec::new();
        row().write_line(&mut line);
        let golden = "{\"v\":1,\"at_ms\":1795656123456,\"server\":\"192.0.2.1:43\",\
            \"client\":\"198.51.100.7\",\"network\":\"198.51.100.0/24\",\"tld\":\"example\",\
            \"kind\":\"domain\",\"name\":\"a.example\",\"outcome\":\"found\",\"tier\":\"public\",\
            \"bytes\":1834,\"us\":87,\"shard\":0,\"generation\":42}\n";
        assert_eq!(String::from_utf8(line.clone()).unwrap(), golden);
        assert_eq!(Row::read_line(line.trim_ascii_end()).unwrap(), row());
        let odd = Row { lost: 3, name: "\\u{1b}[2J \"ü\"\\x80".into(), ..row() };
        line.clear();
        odd.write_line(&mut line);
        assert!(String::from_utf8(line.clone()).unwrap().ends_with(",\"lost\":3}\n"));
        assert_eq!(Row::read_line(line.trim_ascii_end()).unwrap(), odd);
    }

    #[test]
    fn what_is_no_row_is_refused_with_the_reason() {
        let mut line = Vec::new();
        row().write_line(&mut line);
        let line = String::from_utf8(line).unwrap();
        let problem = |text: String| Row::read_line(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            problem(line.replace("\"v\":1", "\"v\":2")),
            "a row of version 2, this build reads 1"
        );
        assert!(problem(line.replace("\"us\"", "\"ms\"")).starts_with("unknown field `ms`"));
        assert!(problem(line.replace(",\"us\":87", "")).starts_with("missing field `us`"));
        assert!(problem(line.replace("1834", "-1")).contains("-1"));
        let long = line.replace("a.example", &"a".repeat(5_000));
        assert_eq!(problem(long), "`name` has 5000 bytes, 1546 at most");
        assert!(problem(line[..40].to_owned()).starts_with("EOF"));
        assert!(!problem("\n".repeat(3)).is_empty());
    }

    #[test]
    fn a_name_is_shown_without_what_could_play_with_a_terminal() {
        assert_eq!(escaped(b"a.example\r\n", 0), "a.example");
        assert_eq!(escaped("münchen.example".as_bytes(), 0), "münchen.example");
        assert_eq!(escaped(b"\x1b[2Ja\\b\x00\x80\xff", 0), "\\u{1b}[2Ja\\\\b\\u{0}\\x80\\xff");
        assert_eq!(escaped("a\u{202e}b\u{2028}".as_bytes(), 0), "a\\u{202e}b\\u{2028}");
        assert_eq!(escaped(b"abc ", 769), "abc \\+769");
        for byte in [0x1b, 0x80, b'a', b'\\'] {
            let longest = escaped(&[byte; NAME_BYTES_MAX], u32::MAX);
            assert!(longest.len() <= NAME_TEXT_MAX, "{byte}: {}", longest.len());
        }
        assert_eq!((shown("a\u{1b}[2Jü"), shown("ü")), ("a\u{fffd}[2Jü".into(), "ü".into()));
        // A character that was cut through.
        assert_eq!(escaped(&"ü".as_bytes()[..1], 1), "\\xc3\\+1");
    }
}
