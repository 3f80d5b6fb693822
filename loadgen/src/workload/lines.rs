//! Query lines from a file, with the kind that each seems to be.
//!
//! # Invariants
//!
//! - Lines lie one after another in one piece of memory, without their ends.
//! - A line that looks like none of the kinds is asked for among the domains, but counts as
//!   `other`.
//!
//! # Does not
//!
//! Say whether a line is a hit.

use std::fs;
use std::path::Path;

use super::{Kind, LineError, WorkloadError};

/// Longest query line, bytes.
pub(super) const LINE_BYTES_MAX: usize = 1024;
/// Most lines of one file.
const LINES_MAX: usize = u32::MAX as usize;

/// Lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends, and its kind.
    ends: Vec<(usize, Kind)>,
    /// Numbers of the lines of each kind of a profile, in the order of [`Kind::ALL`].
    of_kind: [Vec<u32>; 7],
}

impl Lines {
    /// Reads a file with one line per query; empty lines are skipped.
    pub(super) fn read(path: &Path) -> Result<Self, WorkloadError> {
        let bytes = fs::read(path);
        let path = || path.to_owned();
        let bytes = bytes.map_err(|source| WorkloadError::Read { path: path(), source })?;
        let mut lines = Self::default();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let kind = guess(line);
            let at = |source| WorkloadError::Line { path: path(), number, source };
            lines.push(line, kind).map_err(at)?;
        }
        if lines.ends.is_empty() {
            return Err(WorkloadError::NoLine { path: path() });
        }
        Ok(lines)
    }

    /// Adds a line.
    pub(super) fn push(&mut self, line: &[u8], kind: Kind) -> Result<(), LineError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(LineError::QueryLength { got: line.len(), max: LINE_BYTES_MAX });
        }
        if let Some(&byte) = line.iter().find(|&&byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(LineError::QueryByte(byte));
        }
        let number = u32::try_from(self.ends.len()).ok().filter(|_| self.len() < LINES_MAX as u64);
        let number = number.ok_or(LineError::QueryCount { max: LINES_MAX })?;
        self.bytes.extend_from_slice(line);
        self.ends.push((self.bytes.len(), kind));
        let shared = if kind == Kind::Other { Kind::Domain } else { kind };
        let place = Kind::ALL.iter().position(|&other| other == shared);
        if let Some(of_kind) = place.and_then(|place| self.of_kind.get_mut(place)) {
            of_kind.push(number);
        }
        Ok(())
    }

    /// Number of lines.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.ends.len()).unwrap_or(u64::MAX)
    }

    fn of_kind(&self, kind: Kind) -> &[u32] {
        let place = Kind::ALL.iter().position(|&other| other == kind);
        place.and_then(|place| self.of_kind.get(place)).map_or(&[], Vec::as_slice)
    }

    /// Number of lines that are asked for as this kind.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        u64::try_from(self.of_kind(kind).len()).unwrap_or(u64::MAX)
    }

    fn number(&self, kind: Kind, index: u64) -> u64 {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.of_kind(kind).get(index).map_or(u64::MAX, |&number| number.into())
    }

    /// What that line seems to be: the kind, or `other`.
    pub(super) fn kind(&self, kind: Kind, index: u64) -> Kind {
        let number = usize::try_from(self.number(kind, index)).unwrap_or(usize::MAX);
        self.ends.get(number).map_or(kind, |&(_, kind)| kind)
    }

    /// A line of a kind, and the name in it; the latter is empty if it is not clear.
    pub(super) fn get(&self, kind: Kind, index: u64) -> (&[u8], &str) {
        let line = self.at(self.number(kind, index));
        (line, subject(line, self.kind(kind, index)))
    }

    /// The line of this number.
    pub(super) fn at(&self, number: u64) -> &[u8] {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.map_or(0, |&(end, _)| end);
        let end = self.ends.get(number).map_or(start, |&(end, _)| end);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

fn keyword(line: &str) -> Option<(Kind, &str)> {
    let (word, rest) = line.split_once([' ', '\t'])?;
    let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    let kind = match () {
        () if is(&["domain", "dom", "do"]) => Kind::Domain,
        () if is(&["nameserver", "host", "ns"]) => Kind::Nameserver,
        () if is(&["contact", "co"]) => Kind::Contact,
        () if is(&["registrar", "re"]) => Kind::Registrar,
        () => return None,
    };
    Some((kind, rest.trim()))
}

/// What a line seems to be.
fn guess(line: &[u8]) -> Kind {
    let Ok(line) = str::from_utf8(line) else { return Kind::Other };
    let (kind, name) = keyword(line).unwrap_or((Kind::Domain, line));
    if kind != Kind::Domain {
        return kind;
    }
    if name.contains([' ', '\t']) || !name.contains('.') || name.starts_with(['-', '=', '$']) {
        Kind::Other
    } else if name.contains(['%', '_']) {
        Kind::Wildcard
    } else if !name.is_ascii() || name.get(..4).is_some_and(|ace| ace.eq_ignore_ascii_case("xn--"))
    {
        Kind::Idn
    } else {
        Kind::Domain
    }
}

fn subject(line: &[u8], kind: Kind) -> &str {
    let Ok(line) = str::from_utf8(line) else { return "" };
    let name = keyword(line).map_or(line, |(_, name)| name);
    let is_clear = match kind {
        Kind::Domain | Kind::Nameserver | Kind::Registrar => true,
        Kind::Idn => name.is_ascii(),
        _ => false,
    };
    if is_clear { name } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_line_is_guessed_from_its_words() {
        for (line, kind, name) in [
            ("x.demo", Kind::Domain, "x.demo"),
            ("domain x.demo", Kind::Domain, "x.demo"),
            ("NS ns.x.demo", Kind::Nameserver, "ns.x.demo"),
            ("registrar A, Inc.", Kind::Registrar, "A, Inc."),
            ("contact C-1", Kind::Contact, ""),
            ("examp%.demo", Kind::Wildcard, ""),
            ("xn--4ca.demo", Kind::Idn, "xn--4ca.demo"),
            ("ä.demo", Kind::Idn, ""),
            ("help", Kind::Other, ""),
            ("-T dn x.demo", Kind::Other, ""),
        ] {
            assert_eq!(guess(line.as_bytes()), kind, "{line}");
            assert_eq!(subject(line.as_bytes(), kind), name, "{line}");
        }
        assert_eq!(guess(b"\xff.demo"), Kind::Other);
    }

    #[test]
    fn lines_are_found_by_number_and_by_kind() {
        let mut lines = Lines::default();
        for line in ["a.demo", "ns ns.a.demo", "help", "b.demo"] {
            lines.push(line.as_bytes(), guess(line.as_bytes())).unwrap();
        }
        assert_eq!((lines.len(), lines.count(Kind::Domain)), (4, 3));
        assert_eq!(lines.at(2), b"help");
        assert_eq!(lines.at(9), b"");
        assert_eq!(lines.get(Kind::Domain, 2), (&b"b.demo"[..], "b.demo"));
        assert_eq!(lines.kind(Kind::Domain, 1), Kind::Other);
    }

    #[test]
    fn a_line_that_is_not_a_query_is_refused() {
        let mut lines = Lines::default();
        let mut refused = |line: &[u8]| lines.push(line, Kind::Other).unwrap_err().to_string();
        assert_eq!(refused(&[b'x'; 1025]), "got 1025 bytes; expected a query of 1024 at most");
        assert_eq!(refused(b"a\rb"), "got the byte 13; expected a query of one line");
    }
}
