//! What was found in the deposits of a spool: a file for each deposit that has any, one JSON object
//! a line, in the folder `findings` beside it.
//!
//! # Invariants
//!
//! - A file is written aside and renamed: it is whole, but for what is beyond [`FILE_BYTES_MAX`].
//! - The folder holds the newest [`FILES_MAX`] files.
//!
//! # Does not
//!
//! Hold up a deposit: where the folder cannot be written, the log has the number alone.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::feed::spool::{Folder, short};

/// Folder of the files, beside the deposits.
pub use crate::feed::spool::FINDINGS;
/// Ending of a file, after the deposit's name.
pub const FINDINGS_ENDING: &str = ".findings.jsonl";

/// Most bytes of a file: a hundred thousand findings say what is wrong.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Most files that are kept.
const FILES_MAX: usize = 200;

/// The file of one deposit, while it is written.
pub(super) struct Lines {
    folder: Folder,
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    left_bytes: u64,
    is_full: bool,
}

impl Lines {
    /// The file of a deposit of a spool; `None`: it cannot be made.
    pub(super) fn of(deposit: &Path) -> Option<Self> {
        let path = deposit.parent()?.join(FINDINGS);
        let name = format!("{}{FINDINGS_ENDING}", short(deposit.file_name()?.to_str()?));
        let folder = Folder::open(&path).ok()?;
        // One deposit is read at a time: what lies aside is of a run that ended within one.
        for left in folder.files().ok()?.iter().filter(|file| file.name.starts_with('.')) {
            let _ = folder.remove(&left.name);
        }
        let file = BufWriter::new(folder.create(&aside(&name)).ok()?);
        Some(Self { folder, path, name, file, left_bytes: FILE_BYTES_MAX, is_full: false })
    }

    /// Keeps the file if anything was found; its path, unless it could not be written.
    pub(super) fn keep(mut self, found: u64) -> Option<PathBuf> {
        let written = self.file.flush();
        if found == 0 || written.is_err() {
            // A file that stays is removed for the next deposit.
            let _ = self.folder.remove(&aside(&self.name));
            return None;
        }
        self.folder.rename(&aside(&self.name), &self.name).ok()?;
        prune(&self.folder);
        Some(self.path.join(&self.name))
    }
}

fn aside(name: &str) -> String {
    format!(".{name}")
}

impl Write for Lines {
    /// A line that does not fit is left out, and all after it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len() as u64;
        self.is_full = self.is_full || count > self.left_bytes;
        if !self.is_full {
            self.file.write_all(bytes)?;
            self.left_bytes -= count;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Removes the oldest files of a folder. Files that cannot be removed stay.
fn prune(folder: &Folder) {
    let Ok(mut files) = folder.files() else { return };
    files.retain(|file| !file.name.starts_with('.'));
    files.sort_unstable_by_key(|file| file.changed);
    let excess = files.len().saturating_sub(FILES_MAX);
    for file in files.into_iter().take(excess) {
        let _ = folder.remove(&file.name);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_kept_only_if_something_was_found_and_has_a_bound() {
        let spool = tempfile::tempdir().unwrap();
        let deposit = spool.path().join("diff.xml");
        // A run that ends within a deposit leaves its file aside, for the next one to remove.
        std::mem::forget(Lines::of(&spool.path().join("cut.xml")).unwrap());
        let mut lines = Lines::of(&deposit).unwrap();
        lines.write_all(b"{}\n").unwrap();
        assert_eq!(lines.keep(0), None);
        assert_eq!(fs::read_dir(spool.path().join(FINDINGS)).unwrap().count(), 0);
        let mut lines = Lines::of(&deposit).unwrap();
        let line = [b'x'; 1 << 20];
        for _ in 0..40 {
            lines.write_all(&line).unwrap();
        }
        let path = lines.keep(40).unwrap();
        assert_eq!(path, spool.path().join("findings/diff.xml.findings.jsonl"));
        assert_eq!(fs::metadata(&path).unwrap().len(), FILE_BYTES_MAX);
        assert_eq!(fs::read_dir(spool.path().join(FINDINGS)).unwrap().count(), 1);
    }

    #[test]
    fn the_newest_files_are_kept() {
        let spool = tempfile::tempdir().unwrap();
        for number in 0..FILES_MAX + 3 {
            let deposit = spool.path().join(format!("{number:05}.xml"));
            Lines::of(&deposit).unwrap().keep(1).unwrap();
        }
        let left = fs::read_dir(spool.path().join(FINDINGS)).unwrap().count();
        assert_eq!(left, FILES_MAX);
    }
}
