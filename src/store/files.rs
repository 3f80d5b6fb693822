//! The file operations of a snapshot directory, as one interface: the disk carries them out, and in
//! tests a simulated one that fails, tears and loses what was not synced.
//!
//! # Invariants
//!
//! - A name has no folder in it: everything lies in the one directory.
//!
//! # Does not
//!
//! Know what files mean.

use std::fmt::{self, Debug};
use std::io::{self, Seek, Write};
use std::path::Path;

use snapshot_format::delta::Heap;

/// The process that writes a directory already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number, as the lock file says; `None` if that says nothing.
    pub pid: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.as_ref().map_or(Ok(()), |pid| write!(f, " (pid {pid})"))
    }
}

/// The files of one directory. Clones are of the same directory.
pub trait Files: Clone + Debug + Send + Sync + 'static {
    /// A file that is being written.
    type File: Write + Seek + Debug + Send;
    /// The bytes of a base.
    type Base: AsRef<[u8]> + Debug + Send + Sync;
    /// The bytes of a log, which may grow while this is read.
    type Log: Heap + Debug + Send + Sync;
    /// What keeps other writers out until it is dropped.
    type Lock: Debug + Send;

    /// Path of the directory, for messages.
    fn path(&self) -> &Path;

    /// Makes the directory, if it is not there.
    ///
    /// # Errors
    ///
    /// What the file system reports; so below.
    fn make(&self) -> io::Result<()>;

    /// Becomes the one writer; `Err` with the holder if there is another one.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn lock(&self, name: &str) -> io::Result<Result<Self::Lock, Holder>>;

    /// Whether a lock is still that of the file of this name: one that was removed and made again
    /// can be locked by somebody else.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn is_locked_by(&self, _name: &str, _lock: &Self::Lock) -> io::Result<bool> {
        Ok(true)
    }

    /// Bytes that are free; `None` if that is not known.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Names of all files.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn list(&self) -> io::Result<Vec<String>>;

    /// All bytes of a small file.
    ///
    /// # Errors
    ///
    /// See [`Self::make`]; `NotFound` if there is none.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// A new file of `bytes` zeros, in place of one with the same name.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn create(&self, name: &str, bytes: u64) -> io::Result<Self::File>;

    /// An existing file, to be written within its length.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Returns once all that was written is on the disk.
    ///
    /// # Errors
    ///
    /// See [`Self::make`]; the bytes that were written since the last call may or may not be on the
    /// disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Renames a file, in place of one with the new name.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; a process that reads it goes on.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once renames and removals are on the disk.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn sync_directory(&self) -> io::Result<()>;

    /// Opens a base for reading.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn base(&self, name: &str) -> io::Result<Self::Base>;

    /// Opens a log for reading.
    ///
    /// # Errors
    ///
    /// See [`Self::make`]; `NotFound` if there is none.
    fn log(&self, name: &str) -> io::Result<Self::Log>;

    /// Length of a file, bytes.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn bytes(&self, name: &str) -> io::Result<u64>;

    /// Copies bytes of a log out, as many as there are: another process may be writing them.
    ///
    /// # Errors
    ///
    /// See [`Self::make`].
    fn read_log(&self, log: &Self::Log, at: u64, into: &mut [u8]) -> io::Result<usize>;
}
