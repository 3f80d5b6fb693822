//! Scratch files without a name, in a directory; they vanish with the process.
//!
//! # Invariants
//!
//! - What is to stay free of the disk they leave free.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use snapshot_format::sort::{Scratch, ScratchFile};

use super::room::{Room, Spare};

/// Scratch files in a directory.
#[derive(Debug, Clone)]
pub struct DiskScratch {
    path: PathBuf,
    room: fn(&Path) -> Option<Room>,
}

impl DiskScratch {
    /// Scratch files in `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), room: Room::of }
    }
}

impl Scratch for DiskScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        let file = tempfile::tempfile_in(&self.path)?;
        Ok(Box::new(Sparing { file, spare: Spare::of(&self.path, self.room) }))
    }
}

/// A file that leaves room.
struct Sparing {
    file: File,
    spare: Spare,
}

impl Write for Sparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spare.take(bytes.len())?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for Sparing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.file.read(out)
    }
}

impl Seek for Sparing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_file_stops_where_the_reserve_of_the_disk_begins() {
        let folder = tempfile::tempdir().unwrap();
        let room = |_: &Path| Some(Room { all: 800 << 20, free: (100 << 20) + 4096 });
        let scratch = DiskScratch { room, ..DiskScratch::new(folder.path()) };
        let mut file = scratch.create().unwrap();
        file.write_all(&[0; 4096]).unwrap();
        let refused = scratch.create().unwrap().write_all(&[0; 4097]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull, "{refused}");
    }
}
