//! Room on a disk, a part of it that large files leave free, so that changes find it, and scratch
//! files that do.
//!
//! # Does not
//!
//! Reserve anything: other processes may take it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use snapshot_format::sort::{Scratch, ScratchFile};

/// Such a share of a disk stays free, or [`FREE_BYTES`] if that is less.
const DISK_SHARE: u64 = 8;
/// More need not stay free, bytes: what parts of a log of the usual length want; see `live`.
const FREE_BYTES: u64 = 512 << 20;
/// The disk is asked each time that this many bytes were written.
const LOOK_BYTES: u64 = 16 << 20;

/// A disk, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Its size.
    pub all: u64,
    /// What this process may still write.
    pub free: u64,
}

impl Room {
    /// Of the disk that has a folder; `None`: it does not say.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let system = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
        Some(Self { all: bytes(system.f_blocks), free: bytes(system.f_bavail) })
            .filter(|room| room.all > 0)
    }

    /// An eighth of the disk.
    #[must_use]
    pub const fn share(self) -> u64 {
        self.all / DISK_SHARE
    }

    /// What is to stay free: an eighth of the disk, at most 512 MiB.
    #[must_use]
    pub fn reserve(self) -> u64 {
        FREE_BYTES.min(self.share())
    }

    /// Whether less is free than is to stay free.
    #[must_use]
    pub fn is_little(self) -> bool {
        self.free < self.reserve()
    }
}

/// What a large file may still take of the disk of a folder.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    room: fn(&Path) -> Option<Room>,
    /// Bytes until the disk is asked again.
    left_bytes: u64,
}

impl Spare {
    pub(super) fn of(path: &Path, room: fn(&Path) -> Option<Room>) -> Self {
        Self { path: path.to_owned(), room, left_bytes: 0 }
    }

    /// Bytes are about to be written.
    ///
    /// # Errors
    ///
    /// They would take of what is to stay free.
    pub(super) fn take(&mut self, bytes: usize) -> io::Result<()> {
        let bytes = bytes as u64;
        if let Some(left_bytes) = self.left_bytes.checked_sub(bytes) {
            self.left_bytes = left_bytes;
            return Ok(());
        }
        let Some(room) = (self.room)(&self.path) else { return Ok(()) };
        let (free, reserve) = (room.free, room.reserve());
        let spare = free.saturating_sub(reserve);
        if bytes > spare {
            let path = self.path.display();
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "the disk of {path} has {} MiB left, and {} MiB of it are kept free for \
                     changes: make room",
                    free >> 20,
                    reserve >> 20
                ),
            ));
        }
        self.left_bytes = (spare - bytes).min(LOOK_BYTES);
        Ok(())
    }
}

/// Scratch files in a directory, without a name: they vanish with the process.
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
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static FREE: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn large_files_leave_an_eighth_of_a_small_disk_and_half_a_gibibyte_of_a_large_one() {
        for (all, reserve) in [(800 << 20, 100 << 20), (1 << 40, 512 << 20)] {
            let room = |free| Room { all, free };
            assert_eq!(room(0).reserve(), reserve);
            assert!(!room(reserve).is_little() && room(reserve - 1).is_little());
        }
    }

    #[test]
    fn a_file_stops_where_the_reserve_begins_and_goes_on_once_there_is_room() {
        let room = |_: &Path| Some(Room { all: 800 << 20, free: FREE.get() });
        let mut spare = Spare { path: PathBuf::from("/srv"), room, left_bytes: 0 };
        FREE.set(160 << 20);
        let mut written = 0_u64;
        let refused = loop {
            match spare.take(1 << 20) {
                Ok(()) => written += 1 << 20,
                Err(error) => break error,
            }
            FREE.set((160 << 20) - written);
        };
        assert_eq!(written, 60 << 20);
        assert_eq!(
            refused.to_string(),
            "the disk of /srv has 100 MiB left, and 100 MiB of it are kept free for changes: make \
             room"
        );
        FREE.set(102 << 20);
        spare.take(2 << 20).unwrap();
    }

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
