//! Reads small files of `/proc` and `/sys`, of this machine or of a copy of another's.
//!
//! # Invariants
//!
//! - At most [`FILE_BYTES_MAX`] of a file and [`NAMES_MAX`] names of a folder are read; more is an
//!   unknown fact, not a part of the truth.
//!
//! # Does not
//!
//! Open anything for writing.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use crate::place::cores::CORES_MAX;

/// Most of one file. `/proc/interrupts` is the largest: 1 MB for 128 cores and 600 interrupts.
pub const FILE_BYTES_MAX: u64 = 8 << 20;

/// Most names of one folder: `/proc` has one for each process, 4,194,304 at the very most, and a
/// machine with more than this is not a WHOIS server.
pub const NAMES_MAX: usize = 131_072;

/// Why a fact is not known: the file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(pub String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a file says, or why that is not known.
pub type Fact<T> = Result<T, Unknown>;

/// Where `proc` and `sys` lie: `/`, or a copy of another machine's.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
}

impl Source {
    /// Reads below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The text of a file, without blanks around it; `path` is relative to the root.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is too long, or is not text.
    pub fn text(&self, path: &str) -> Fact<String> {
        let unknown = |problem: &dyn fmt::Display| Unknown(format!("/{path}: {problem}"));
        let full = self.root.join(path);
        // A pipe or a device would block: only plain files are read.
        let is_file = fs::metadata(&full).map_err(|error| unknown(&plain(&error)))?.is_file();
        if !is_file {
            return Err(unknown(&"not a file"));
        }
        let mut bytes = Vec::new();
        File::open(&full)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|error| unknown(&plain(&error)))?;
        if bytes.len() as u64 >= FILE_BYTES_MAX {
            return Err(unknown(&format!("more than {FILE_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| unknown(&"not text"))?;
        Ok(text.trim().to_owned())
    }

    /// A file that holds one number.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn number(&self, path: &str) -> Fact<u64> {
        let text = self.text(path)?;
        text.parse().map_err(|_| not(path, &text, "a number"))
    }

    /// A file that holds one word of letters, digits and a few signs.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn word(&self, path: &str) -> Fact<String> {
        let text = self.text(path)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-+~:".contains(c);
        if text.is_empty() || text.len() > 255 || !text.chars().all(fits) {
            return Err(not(path, &text, "one word"));
        }
        Ok(text)
    }

    /// A file that holds a list such as `0,2-5`; an empty one is an empty list.
    ///
    /// # Errors
    ///
    /// If it does not, or names a core from [`CORES_MAX`] on.
    pub fn list(&self, path: &str) -> Fact<Vec<usize>> {
        let text = self.text(path)?;
        let wrong = || not(path, &text, "a list of cores");
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse().ok().filter(|core: &usize| *core < CORES_MAX);
            let first = number(first).ok_or_else(wrong)?;
            let last = number(last).ok_or_else(wrong)?;
            list.extend(first..=last);
            if list.len() > CORES_MAX {
                return Err(wrong());
            }
        }
        Ok(sorted(list))
    }

    /// A file that holds a mask such as `00000000,000000ff`: the cores whose bit is set.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn mask(&self, path: &str) -> Fact<Vec<usize>> {
        const BITS: usize = 4;
        let text = self.text(path)?;
        let digits = text.chars().rev().filter(|c| *c != ',');
        let mut cores = Vec::new();
        for (index, digit) in digits.enumerate() {
            let value = digit.to_digit(16).ok_or_else(|| not(path, &text, "a mask of cores"))?;
            let first = index.saturating_mul(BITS);
            if value != 0 && first >= CORES_MAX {
                return Err(not(path, &text, "a mask of cores"));
            }
            let set = |bit: &usize| value & (1 << bit) != 0;
            cores.extend((0..BITS).filter(set).map(|bit| first.saturating_add(bit)));
        }
        if text.is_empty() { Err(not(path, &text, "a mask of cores")) } else { Ok(cores) }
    }

    /// The names in a folder, in order.
    ///
    /// # Errors
    ///
    /// If it cannot be read or has more than [`NAMES_MAX`].
    pub fn names(&self, path: &str) -> Fact<Vec<String>> {
        let unknown = |problem: &dyn fmt::Display| Unknown(format!("/{path}: {problem}"));
        let entries =
            fs::read_dir(self.root.join(path)).map_err(|error| unknown(&plain(&error)))?;
        let mut names = Vec::new();
        for entry in entries.take(NAMES_MAX.saturating_add(1)) {
            let name = entry.map_err(|error| unknown(&plain(&error)))?.file_name();
            // A name that is not text is not one of ours.
            names.extend(name.into_string());
        }
        if names.len() > NAMES_MAX {
            return Err(unknown(&format!("more than {NAMES_MAX} names")));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The numbers after `prefix` among the names in a folder, in order.
    ///
    /// # Errors
    ///
    /// As [`Source::names`].
    pub fn numbered(&self, path: &str, prefix: &str) -> Fact<Vec<usize>> {
        let names = self.names(path)?;
        let number = |name: &String| name.strip_prefix(prefix)?.parse().ok();
        Ok(sorted(names.iter().filter_map(number).collect()))
    }
}

/// In order, each once.
pub(super) fn sorted(mut list: Vec<usize>) -> Vec<usize> {
    list.sort_unstable();
    list.dedup();
    list
}

/// The kernel's message, without its number.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The fact that a text is not what it should be; only its start is shown.
pub(super) fn not(path: &str, text: &str, expected: &str) -> Unknown {
    const SHOWN_CHARS_MAX: usize = 40;
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    Unknown(format!("/{path}: {start:?} is not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &[u8]) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), text).unwrap();
        let source = Source::new(dir.path());
        (dir, source)
    }

    #[test]
    fn lists_and_masks_are_read_as_the_kernel_writes_them() {
        let (_dir, source) = with(b"0-1,4,6-7\n");
        assert_eq!(source.list("f").unwrap(), [0, 1, 4, 6, 7]);
        let (_dir, source) = with(b"00000001,80000003\n");
        assert_eq!(source.mask("f").unwrap(), [0, 1, 31, 32]);
        let (_dir, source) = with(b"\n");
        assert_eq!(source.list("f").unwrap(), [0_usize; 0]);
    }

    #[test]
    fn garbage_is_unknown_with_its_file() {
        let garbage: [&[u8]; 9] = [
            b"",
            b"-",
            b"0-",
            b"5-2-1",
            b"99999999999999999999",
            b"\xff\xfe",
            b"0-4294967295",
            b"ffffffff,zz",
            b"1024",
        ];
        for text in garbage {
            let (_dir, source) = with(text);
            for problem in [
                source.list("f").err(),
                source.mask("f").err(),
                source.number("f").err(),
                source.word("f").err(),
            ] {
                assert!(problem.is_none_or(|unknown| unknown.0.starts_with("/f: ")), "{text:?}");
            }
        }
        let (dir, source) = with(b"x");
        assert_eq!(source.number("f").unwrap_err().0, "/f: \"x\" is not a number");
        assert_eq!(source.number("g").unwrap_err().0, "/g: not there");
        fs::create_dir(dir.path().join("d")).unwrap();
        assert_eq!(source.number("d").unwrap_err().0, "/d: not a file");
        assert!(source.names("f").is_err());
    }
}
