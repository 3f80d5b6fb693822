//! A base that is being written, beside what is served.
//!
//! # Invariants
//!
//! - It leaves free what is to stay free of the disk.
//! - Dropped before it is published, it removes itself; after a crash the next writer does.
//!
//! # Does not
//!
//! Know what is written into it.

use std::io::{self, Seek, SeekFrom, Write};

use snapshot_format::Header;

use super::error::{StoreError, failed};
use super::files::Files;
use super::manifest::Chain;
use super::room::{Room, Spare};
use super::{ASIDE_ENDING, base_name};

/// A base that is being written.
#[derive(Debug)]
pub struct NewBase<F: Files> {
    files: F,
    generation: u64,
    name: String,
    aside: String,
    file: Option<F::File>,
    spare: Spare,
}

impl<F: Files> NewBase<F> {
    /// Starts a base that will be `generation`.
    pub(super) fn begin(files: &F, generation: u64) -> Result<Self, StoreError> {
        let name = base_name(generation);
        let aside = format!("{name}{ASIDE_ENDING}");
        let file = files.create(&aside, 0).map_err(failed(files, &aside, "make it"))?;
        let spare = Spare::of(files.path(), Room::of);
        Ok(Self { files: files.clone(), generation, name, aside, file: Some(file), spare })
    }

    /// Number of the generation that it will be.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the file lies until it is published, within the directory.
    #[must_use]
    pub fn aside(&self) -> &str {
        &self.aside
    }

    /// Syncs the file and gives it its name: it is complete from now on, and in no manifest yet.
    pub(super) fn settle(self) -> Result<Chain, StoreError> {
        let chain = self.seal()?;
        self.name()?;
        Ok(chain)
    }

    /// Syncs the file: it is complete from now on.
    pub(super) fn seal(&self) -> Result<Chain, StoreError> {
        let files = self.files.clone();
        let aside = self.aside.clone();
        let path = || files.path().join(&aside);
        let bytes = files.base(&aside).map_err(failed(&files, &aside, "open it"))?;
        let header = Header::decode(bytes.as_ref())
            .map_err(|source| StoreError::Format { path: path(), source })?;
        if header.generation != self.generation {
            let (got, expected) = (header.generation, self.generation);
            return Err(StoreError::Mismatch {
                path: path(),
                what: "the generation",
                got,
                expected,
            });
        }
        let file = self.file.as_ref().map_or(Ok(()), |file| files.sync(file));
        file.map_err(failed(&files, &aside, "sync it"))?;
        Ok(Chain {
            base: self.name.clone(),
            base_generation: header.generation,
            base_bytes: header.file_bytes,
            base_sums_hash: header.sums_hash,
            logs: Vec::new(),
        })
    }

    /// Gives the file its name.
    pub(super) fn name(mut self) -> Result<(), StoreError> {
        let files = self.files.clone();
        files.rename(&self.aside, &self.name).map_err(failed(&files, &self.aside, "rename it"))?;
        self.file = None;
        files.sync_directory().map_err(failed(&files, "", "sync the directory"))
    }
}

impl<F: Files> Write for NewBase<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spare.take(bytes.len())?;
        self.file.as_mut().map_or_else(gone, |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or_else(gone, Write::flush)
    }
}

impl<F: Files> Seek for NewBase<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.as_mut().map_or_else(gone, |file| file.seek(to))
    }
}

fn gone<T>() -> io::Result<T> {
    Err(io::Error::other("it was published"))
}

impl<F: Files> Drop for NewBase<F> {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // The caller that gave up reports why; the next writer removes a part that stays.
            let _ = self.files.remove(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::view::Disk;

    #[test]
    fn a_new_base_stops_where_the_reserve_of_the_disk_begins_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let room = |_: &Path| Some(Room { all: 800 << 20, free: (100 << 20) + 4096 });
        let mut base = NewBase::begin(&Disk::new(folder.path()), 1).unwrap();
        base.spare = Spare::of(folder.path(), room);
        base.write_all(&[0; 4096]).unwrap();
        // As after a look at the disk: nothing more may be taken.
        base.spare = Spare::of(folder.path(), room);
        let refused = base.write_all(&[0; 4097]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull, "{refused}");
        drop(base);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
