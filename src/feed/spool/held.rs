//! Places of refused files that nobody has filled yet. A directory without a serial takes any as
//! its first one: without this note, later files would be applied over the hole that a refused
//! first file leaves.
//!
//! # Invariants
//!
//! - `noted first`: a place is on the disk, synced, before its file leaves the spool. A crash in
//!   between leaves both, and the file is refused again.
//! - Serial 1 may always be taken: no record comes before it.
//! - Places count only while the directory has no serial; after that, serials show what is missing.
//! - A note that does not read holds a place of unknown serials: something was noted.
//!
//! # Does not
//!
//! Tell a corrected file from another one by its name: a publisher may give all the same one.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::apply::SpoolError;
use crate::feed::seen;

/// Name of the file in a snapshot directory. An operator removes it to let the feed go on.
pub const HELD: &str = "files.held";
/// First line of the file.
const FIRST_LINE: &str = "whoisd-files-held 1";
/// Longest file that is read, bytes: two names of 255 bytes, each byte written in up to 8.
const FILE_BYTES_MAX: u64 = 8 << 10;
/// Name in the place of one that does not read.
const UNNAMED: &str = "a file whose name was lost";

/// The place of a refused file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Name of the file, without control characters.
    name: String,
    /// Its first serial; 0: no serial of it could be read.
    from: u64,
}

/// The places that are held: the lowest one, and one of a file without a serial that reads. Those
/// of other files come after these, or wait for the operator with them.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Where they are written; `None`: nowhere.
    path: Option<PathBuf>,
    known: Option<Place>,
    unknown: Option<Place>,
}

impl Held {
    /// Of the snapshot directory at `dir`.
    pub(super) fn open(dir: &Path) -> Self {
        let path = dir.join(HELD);
        let held = match read(&path) {
            Ok(text) => decode(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Self::default()),
            Err(_) => None,
        };
        let lost = || Some(Place { name: UNNAMED.to_owned(), from: 0 });
        let held = held.unwrap_or_else(|| Self { unknown: lost(), ..Self::default() });
        Self { path: Some(path), ..held }
    }

    /// Holds the place of a file whose first serial is `from`; 0: that does not read.
    ///
    /// # Errors
    ///
    /// It cannot be noted on the disk: the file has to stay where it is.
    pub(super) fn hold(&mut self, name: &str, from: u64) -> io::Result<()> {
        let place = || Some(Place { name: name.escape_debug().to_string(), from });
        let (mut known, mut unknown) = (self.known.clone(), self.unknown.clone());
        if from == 0 {
            unknown = unknown.or_else(place);
        } else if known.as_ref().is_none_or(|known| from < known.from) {
            known = place();
        }
        if (&known, &unknown) == (&self.known, &self.unknown) {
            return Ok(());
        }
        if let Some(path) = &self.path {
            write(path, &encode(&known, &unknown))?;
        }
        (self.known, self.unknown) = (known, unknown);
        Ok(())
    }

    /// Whether records from serial `first` on may begin the feed.
    pub(super) fn check(&self, first: u64) -> Result<(), SpoolError> {
        // Nothing comes before serial 1.
        if first <= 1 {
            return Ok(());
        }
        let is_before = |place: &&Place| place.from < first;
        match self.known.iter().chain(&self.unknown).find(is_before) {
            Some(place) => Err(SpoolError::Held { first, problem: self.about(place) }),
            None => Ok(()),
        }
    }

    /// How many places are held, and which one comes first: its file, and what is to be done.
    pub(super) fn first(&self) -> Option<(usize, &str, String)> {
        let count = [&self.known, &self.unknown].iter().filter(|place| place.is_some()).count();
        let place = self.known.as_ref().or(self.unknown.as_ref())?;
        Some((count, &place.name, self.about(place)))
    }

    fn about(&self, Place { name, from }: &Place) -> String {
        let note = self.path.as_deref().unwrap_or_else(|| Path::new(HELD)).display();
        let what = match from {
            0 => format!(
                "{name} was refused before this directory took any serial, and no serial of it \
                 can be read: put the corrected file into the spool, then remove {note}"
            ),
            _ => format!(
                "{name} was refused before this directory took any serial: put the corrected file \
                 with the serials from {from} on into the spool"
            ),
        };
        format!(
            "{what}; if its changes are not needed, remove {note}: the feed then begins with the \
             lowest serial in the spool"
        )
    }

    /// Looks whether an operator has let the feed go on. Returns whether that has just happened.
    pub(super) fn look(&mut self) -> bool {
        let is_gone = self.path.as_ref().is_some_and(|path| {
            let there = path.symlink_metadata();
            there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        });
        let is_released = is_gone && self.first().is_some();
        if is_released {
            (self.known, self.unknown) = (None, None);
        }
        is_released
    }

    /// The directory has a serial: missing changes show by the next one.
    pub(super) fn clear(&mut self) {
        if self.first().is_none() {
            return;
        }
        (self.known, self.unknown) = (None, None);
        if let Some(path) = &self.path {
            // One that stays is removed by the next run, before it counts.
            let _ = fs::remove_file(path);
        }
    }
}

/// Forgets the places of refused files: data that replace a directory's have all of them.
///
/// # Errors
///
/// The note cannot be removed.
pub fn release(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(HELD)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Puts a file in the place of the one before, and syncs it with its name.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn encode(known: &Option<Place>, unknown: &Option<Place>) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for Place { name, from } in known.iter().chain(unknown) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{from} {name}");
    }
    text.push_str(&seen::end_of(&text));
    text
}

fn decode(text: &str) -> Option<Held> {
    let mut lines = seen::body_of(text)?.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let mut held = Held::default();
    for line in lines {
        let (from, name) = line.split_once(' ')?;
        let place = Place { name: name.to_owned(), from: from.parse().ok()? };
        let slot = if place.from == 0 { &mut held.unknown } else { &mut held.known };
        *slot = Some(place);
    }
    Some(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_over_runs_until_its_serials_come_or_an_operator_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut held = Held::open(dir.path());
        assert!(held.first().is_none() && held.check(900).is_ok());
        held.hold("later.jsonl", 30).unwrap();
        held.hold("1.jsonl", 10).unwrap();
        held.hold("behind.jsonl", 20).unwrap();
        for mut held in [held, Held::open(dir.path())] {
            let refused = held.check(11).unwrap_err().to_string();
            assert!(refused.contains("1.jsonl was refused"), "{refused}");
            assert!(refused.contains("the serials from 10 on"), "{refused}");
            for first in [1, 9, 10] {
                assert!(held.check(first).is_ok(), "{first}");
            }
            assert!(!held.look());
        }
        let mut held = Held::open(dir.path());
        fs::remove_file(dir.path().join(HELD)).unwrap();
        assert!(held.look() && held.check(11).is_ok() && !held.look());
    }

    #[test]
    fn a_file_without_a_serial_that_reads_holds_all_but_serial_1() {
        let dir = tempfile::tempdir().unwrap();
        let mut held = Held::open(dir.path());
        held.hold("two\nlines", 0).unwrap();
        held.hold("7.jsonl", 7).unwrap();
        let mut held = Held::open(dir.path());
        assert!(held.check(7).is_err() && held.check(1).is_ok());
        let (count, name, _) = held.first().unwrap();
        assert_eq!((count, name), (2, "7.jsonl"));
        let problem = held.check(2).unwrap_err().to_string();
        assert!(problem.contains("two\\nlines was refused"), "{problem}");
        held.clear();
        assert!(!dir.path().join(HELD).exists());
    }

    #[test]
    fn a_note_that_is_cut_or_damaged_holds_all_but_serial_1() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(HELD);
        Held::open(dir.path()).hold("1.jsonl", 10).unwrap();
        let text = fs::read(&path).unwrap();
        for at in 0..text.len() {
            fs::write(&path, &text[..at]).unwrap();
            let held = Held::open(dir.path());
            assert!(held.check(10).is_err() && held.check(1).is_ok(), "cut at {at}");
        }
        release(dir.path()).unwrap();
        release(dir.path()).unwrap();
        assert!(Held::open(dir.path()).check(11).is_ok());
    }

    #[test]
    fn a_place_that_cannot_be_noted_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut held = Held::open(&dir.path().join("nowhere"));
        assert!(held.hold("1.jsonl", 1).is_err());
        assert!(held.first().is_none());
    }
}
