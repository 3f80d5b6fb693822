//! Bytes of a file as UTF-8: UTF-16 is recognised and rewritten as it is read (RFC 8909 section 7,
//! RFC 9022 section 10).
//!
//! # Invariants
//!
//! - Memory is two small buffers, whatever the file.
//! - UTF-8 passes as it is; its reader validates it.
//!
//! # Does not
//!
//! Know XML or CSV: their first bytes, or what a deposit declares, decide.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::io::{self, Read};

/// Bytes of UTF-16 that are rewritten at once.
const WIDE_BYTES: usize = 16 << 10;
/// Bytes that tell an encoding.
const HEAD_BYTES: usize = 4;

/// What is known of an encoding before the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// Nothing: a byte order mark or the first characters of an XML file tell UTF-16.
    Nothing,
    /// UTF-16: a byte order mark, or the place of the first zero byte, tells the order of bytes.
    Utf16,
    /// UTF-16, the more significant byte first.
    Utf16Be,
    /// UTF-16, the less significant byte first.
    Utf16Le,
}

impl Declared {
    /// What a declared name of an encoding says; `None`: it is not read.
    pub(super) fn of(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let eight = ["", "UTF-8", "UTF8", "UTF_8", "US-ASCII", "ASCII", "ISO-646-US"];
        let wide = ["UTF-16", "UTF16", "UTF_16", "ISO-10646-UCS-2", "UCS-2"];
        Some(match () {
            () if eight.iter().any(|known| is(known)) => Self::Nothing,
            () if wide.iter().any(|known| is(known)) => Self::Utf16,
            () if is("UTF-16BE") => Self::Utf16Be,
            () if is("UTF-16LE") => Self::Utf16Le,
            () => return None,
        })
    }
}

/// Bytes that are of no encoding which is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotText(&'static str);

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotText {}

impl NotText {
    /// What is wrong, if that is why reading failed.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).copied()
    }

    fn error(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }
}

const BAD_UTF16: NotText = NotText("bytes that are not UTF-16");
const UTF32: NotText = NotText("UTF-32");

/// Whether bytes at the beginning of a file are UTF-16 of XML, or of anything with a byte order
/// mark; and whether the text begins with `<`.
pub(super) fn is_wide(head: &[u8]) -> (bool, bool) {
    let Ok(Sniffed { wide: Some(wide), mark_bytes }) = sniff(head, Declared::Nothing) else {
        return (false, false);
    };
    let mut text = String::new();
    let units = head.get(mark_bytes..).unwrap_or_default();
    // The head may end within a character.
    let _ = Utf16 { big: wide, ..Utf16::default() }.decode(units, &mut text);
    (true, text.trim_start().starts_with('<'))
}

/// What the first bytes tell.
struct Sniffed {
    /// UTF-16, and whether its more significant byte comes first.
    wide: Option<bool>,
    /// Length of the byte order mark of UTF-16.
    mark_bytes: usize,
}

fn sniff(head: &[u8], declared: Declared) -> Result<Sniffed, NotText> {
    let wide = |big, mark_bytes| Ok(Sniffed { wide: Some(big), mark_bytes });
    match (head, declared) {
        ([0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..], _)
        | ([b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..], _) => Err(UTF32),
        ([0xff, 0xfe, ..], _) => wide(false, 2),
        ([0xfe, 0xff, ..], _) => wide(true, 2),
        ([b'<', 0, ..], _) | (_, Declared::Utf16Le) => wide(false, 0),
        ([0, b'<', ..], _) | (_, Declared::Utf16Be) => wide(true, 0),
        // RFC 2781 section 4.3: the more significant byte first, unless the text says otherwise.
        ([first, second, ..], Declared::Utf16) if *first != 0 && *second == 0 => wide(false, 0),
        ([0, _, ..], Declared::Utf16) => wide(true, 0),
        // UTF-8 under a wrong name, as programs write it that rewrite a file and not what it says.
        _ => Ok(Sniffed { wide: None, mark_bytes: 0 }),
    }
}

/// UTF-16 under way.
#[derive(Default)]
struct Utf16 {
    big: bool,
    /// The first byte of a unit.
    half: Option<u8>,
    /// The first unit of a pair.
    high: Option<u16>,
}

impl Utf16 {
    /// Appends the characters of `bytes`; what is cut in two waits.
    fn decode(&mut self, bytes: &[u8], out: &mut String) -> Result<(), NotText> {
        for &byte in bytes {
            let Some(first) = self.half.take() else {
                self.half = Some(byte);
                continue;
            };
            let pair = [first, byte];
            let unit = if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
            match (self.high.take(), unit) {
                (None, 0xd800..=0xdbff) => self.high = Some(unit),
                (high, unit) => {
                    let mut characters = char::decode_utf16(high.into_iter().chain([unit]));
                    let character = characters.next().and_then(Result::ok).ok_or(BAD_UTF16)?;
                    out.push(character);
                }
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.half.is_none() && self.high.is_none()
    }
}

enum State {
    Fresh(Declared),
    /// As it is.
    Plain,
    Wide(Utf16),
}

/// Reads a file as UTF-8.
pub(super) struct Utf8<R> {
    inner: R,
    state: State,
    /// Bytes that were read and not given yet, from `given` on.
    pending: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf8<R> {
    pub(super) const fn new(inner: R, declared: Declared) -> Self {
        Self { inner, state: State::Fresh(declared), pending: Vec::new(), given: 0 }
    }

    /// Looks at the first bytes.
    fn begin(&mut self, declared: Declared) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        self.inner.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let Sniffed { wide, mark_bytes } = sniff(&head, declared).map_err(NotText::error)?;
        self.state = match wide {
            None => {
                self.pending = head;
                State::Plain
            }
            Some(big) => {
                let mut decoder = Utf16 { big, ..Utf16::default() };
                let mut text = String::new();
                let units = head.get(mark_bytes..).unwrap_or_default();
                decoder.decode(units, &mut text).map_err(NotText::error)?;
                self.pending = text.into_bytes();
                State::Wide(decoder)
            }
        };
        Ok(())
    }

    fn give(&mut self, out: &mut [u8]) -> usize {
        let left = self.pending.get(self.given..).unwrap_or_default();
        let count = left.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given = self.given.saturating_add(count);
        count
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let State::Fresh(declared) = self.state {
            self.begin(declared)?;
        }
        if out.is_empty() {
            return Ok(0);
        }
        if self.given < self.pending.len() {
            return Ok(self.give(out));
        }
        let State::Wide(decoder) = &mut self.state else { return self.inner.read(out) };
        let mut raw = [0; WIDE_BYTES];
        let mut text = String::from_utf8(std::mem::take(&mut self.pending)).unwrap_or_default();
        text.clear();
        while text.is_empty() {
            let count = self.inner.read(&mut raw)?;
            if count == 0 {
                return if decoder.is_whole() { Ok(0) } else { Err(BAD_UTF16.error()) };
            }
            let bytes = raw.get(..count).unwrap_or_default();
            decoder.decode(bytes, &mut text).map_err(NotText::error)?;
        }
        (self.pending, self.given) = (text.into_bytes(), 0);
        Ok(self.give(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn wide(text: &str, big: bool) -> Vec<u8> {
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn read(bytes: &[u8], declared: Declared) -> io::Result<String> {
        let mut text = String::new();
        Utf8::new(bytes, declared).read_to_string(&mut text)?;
        let mut slow = String::new();
        Utf8::new(Slow(bytes), declared).read_to_string(&mut slow)?;
        assert_eq!(slow, text);
        Ok(text)
    }

    #[test]
    fn utf_16_is_read_in_both_orders_with_and_without_a_mark() {
        let text = format!("<a>é–𝄞{}</a>", "𝄞x".repeat(2 * WIDE_BYTES));
        for big in [false, true] {
            assert_eq!(read(&wide(&text, big), Declared::Nothing).unwrap(), text);
            let marked = wide(&format!("\u{feff}{text}"), big);
            assert_eq!(read(&marked, Declared::Nothing).unwrap(), text);
            assert_eq!(is_wide(&marked[..64]), (true, true));
            let csv = wide("a.test,1", big);
            assert_eq!(read(&csv, Declared::Utf16).unwrap(), "a.test,1");
            assert_eq!(is_wide(&csv), (false, false));
            assert_eq!(is_wide(&wide("\u{feff}a.test", big)), (true, false));
            let exact = if big { Declared::Utf16Be } else { Declared::Utf16Le };
            assert_eq!(read(&wide("é,1", big), exact).unwrap(), "é,1");
        }
    }

    #[test]
    fn utf_8_passes_as_it_is_whatever_is_declared() {
        for declared in [Declared::Nothing, Declared::Utf16] {
            for text in ["", "<", "<a/>", "\u{feff}<a/>", "é"] {
                assert_eq!(read(text.as_bytes(), declared).unwrap(), text, "{text:?}");
            }
        }
        let mut bytes = Vec::new();
        Utf8::new(&b"\xe9\xe9\xe9\xe9\xe9"[..], Declared::Nothing).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [0xe9; 5]);
    }

    #[test]
    fn what_is_no_utf_16_is_told() {
        let cut = wide("<a>", false);
        for bad in [
            &cut[..5],
            // A second half of a pair alone, a first half before a letter, and at the end.
            &[b'<', 0, 0, 0xdc],
            &[b'<', 0, 0, 0xd8, b'a', 0],
            &[b'<', 0, 0, 0xd8],
            &[0xff, 0xfe, 0, 0],
            &[0, 0, 0, b'<'],
        ] {
            let error = read(bad, Declared::Nothing).unwrap_err();
            assert!(NotText::of(&error).is_some(), "{bad:?}");
        }
    }
}
