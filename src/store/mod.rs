//! Generations on disk: a directory with one base and the manifest that names it.
//!
//! # Invariants
//!
//! - `one writer`: whoever changes the directory holds the lock on `LOCK`, which the kernel
//!   releases with the process.
//! - `commit point`: renaming the manifest makes a generation current. What it names was complete
//!   and synced before, so a reader sees the old generation or the new one, whatever crashes.
//! - `immutable`: a base is never opened for writing after its rename; it may be unlinked while
//!   readers still have it mapped.
//!
//! # Does not
//!
//! Know queries or policy, or read records.

mod manifest;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use snapshot_format::sort::{Scratch, ScratchFile};
use snapshot_format::{FormatError, Header};

pub use manifest::Manifest;

const MANIFEST: &str = "MANIFEST";
const LOCK: &str = "LOCK";
/// Ending of a base's name.
const BASE_ENDING: &str = ".snapshot";
/// Ending of a file that is being written; one that is found by a new writer is a crash's rest.
const ASIDE_ENDING: &str = ".new";

/// A snapshot directory cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused something.
    #[error("{path}: cannot {what}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no generation in the directory.
    #[error(
        "{path}: no snapshot directory (it has no MANIFEST); make one with `whoisd import \
         DEPOSIT --into {path}` or `whoisd sample --into {path}`"
    )]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// The manifest cannot be read.
    #[error("{path}: {problem}; restore it or import again")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process writes.
    #[error("{path}: another process{holder} is writing this directory; wait for it or stop it")]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// " (pid N)", if the lock file says so.
        holder: String,
    },
    /// A base is not what it should be.
    #[error("{path}: {source}")]
    Format {
        /// The base.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The base is a good snapshot, but not the one that the manifest names.
    #[error(
        "{path}: {what} is {got}, the manifest says {expected}; it is not the file that was \
         published: restore it or import again"
    )]
    Mismatch {
        /// The base.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// In the file.
        got: u64,
        /// In the manifest.
        expected: u64,
    },
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, what, source }
}

/// A snapshot directory.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`; it need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The current generation, or `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// The manifest cannot be read, or is damaged.
    pub fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        let path = self.path.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, "read it")(error)),
        };
        let manifest = Manifest::decode(&text);
        manifest.map(Some).map_err(|problem| StoreError::Manifest { path, problem })
    }

    /// Path of the base that `manifest` names.
    #[must_use]
    pub fn base_path(&self, manifest: &Manifest) -> PathBuf {
        self.path.join(&manifest.base)
    }

    /// Becomes the directory's one writer; makes the directory if it does not exist, and removes
    /// what a writer that crashed left behind.
    ///
    /// # Errors
    ///
    /// Another process is the writer, or the file system refuses.
    pub fn lock(&self) -> Result<Writer, StoreError> {
        fs::create_dir_all(&self.path).map_err(failed(&self.path, "make the directory"))?;
        let path = self.path.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed(&path, "open it"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The pid is for the message only; without it the message says less.
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let holder = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
                return Err(StoreError::Locked { path, holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&path, "lock it")(error)),
        }
        let pid = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(pid.as_bytes()))
            .map_err(failed(&path, "write the pid into it"))?;
        let writer = Writer { directory: self.clone(), _lock: file };
        writer.remove_files(&|name| name.ends_with(ASIDE_ENDING))?;
        Ok(writer)
    }
}

/// The directory's one writer, until it is dropped.
#[derive(Debug)]
pub struct Writer {
    directory: Directory,
    _lock: File,
}

impl Writer {
    /// Starts a new base beside the current one. Dropped unpublished, it removes itself.
    ///
    /// # Errors
    ///
    /// The manifest is damaged, or the file system refuses.
    pub fn begin(&self) -> Result<NewBase<'_>, StoreError> {
        let current = self.directory.manifest()?.map_or(0, |manifest| manifest.generation);
        let generation = current.saturating_add(1);
        let name = format!("base-{generation:010}{BASE_ENDING}");
        let path = self.directory.path.join(format!("{name}{ASIDE_ENDING}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).map_err(failed(&path, "make it"))?;
        Ok(NewBase { writer: self, generation, name, path, file: Some(file) })
    }

    /// Scratch files on the same disk as the directory.
    #[must_use]
    pub fn scratch(&self) -> DiskScratch {
        DiskScratch { path: self.directory.path.clone() }
    }

    fn remove_files(&self, which: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
        let path = &self.directory.path;
        for entry in fs::read_dir(path).map_err(failed(path, "list it"))? {
            let entry = entry.map_err(failed(path, "list it"))?;
            let name = entry.file_name();
            if name.to_str().is_some_and(which) {
                let path = entry.path();
                fs::remove_file(&path).map_err(failed(&path, "remove it"))?;
            }
        }
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        let path = &self.directory.path;
        let synced = File::open(path).and_then(|directory| directory.sync_all());
        synced.map_err(failed(path, "sync the directory"))
    }
}

/// A base that is being written.
#[derive(Debug)]
pub struct NewBase<'a> {
    writer: &'a Writer,
    generation: u64,
    name: String,
    path: PathBuf,
    file: Option<File>,
}

impl NewBase<'_> {
    /// Number of the generation that it will be.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the file lies until it is published.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write the snapshot into.
    ///
    /// # Errors
    ///
    /// The file system refuses another handle.
    pub fn file(&self) -> Result<File, StoreError> {
        let file = self.file.as_ref().map(File::try_clone);
        let file = file.unwrap_or_else(|| Err(io::Error::other("it was published")));
        file.map_err(failed(&self.path, "open it"))
    }

    /// Makes it the current generation: syncs it, renames it, and commits by renaming the
    /// manifest; then removes the bases before it. After an error the old generation is current.
    ///
    /// # Errors
    ///
    /// The file is no snapshot, or the file system refuses.
    pub fn publish(mut self) -> Result<Manifest, StoreError> {
        let Some(mut file) = self.file.take() else {
            return Err(failed(&self.path, "publish it twice")(io::ErrorKind::Other.into()));
        };
        let header = read_header(&mut file, &self.path)?;
        file.sync_all().map_err(failed(&self.path, "sync it"))?;
        let directory = &self.writer.directory;
        let base = directory.path.join(&self.name);
        // The base is on disk before the manifest names it: a crash in between leaves a base that
        // nobody reads, and the next writer overwrites or removes it.
        fs::rename(&self.path, &base).map_err(failed(&self.path, "rename it"))?;
        self.writer.sync_directory()?;
        let manifest = Manifest {
            generation: self.generation,
            base: self.name.clone(),
            base_bytes: header.file_bytes,
            base_sums_hash: header.sums_hash,
        };
        let path = directory.path.join(MANIFEST);
        let aside = directory.path.join(format!("{MANIFEST}{ASIDE_ENDING}"));
        File::create(&aside)
            .and_then(|mut file| {
                file.write_all(manifest.encode().as_bytes())?;
                file.sync_all()
            })
            .map_err(failed(&aside, "write it"))?;
        fs::rename(&aside, &path).map_err(failed(&path, "replace it"))?;
        self.writer.sync_directory()?;
        self.writer.remove_files(&|name| name.ends_with(BASE_ENDING) && name != self.name)?;
        Ok(manifest)
    }
}

impl Drop for NewBase<'_> {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Whoever gave up says why; a rest that stays is removed by the next writer.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read_header(file: &mut File, path: &Path) -> Result<Header, StoreError> {
    let length = file.metadata().map_err(failed(path, "read its length"))?.len();
    let mut block = vec![0; snapshot_format::limits::HEADER_BYTES];
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_exact(&mut block))
        .map_err(failed(path, "read its header"))?;
    let header = Header::decode_block(&block, length);
    header.map_err(|source| StoreError::Format { path: path.to_owned(), source })
}

/// Scratch files without a name, in a directory; they vanish with the process.
#[derive(Debug, Clone)]
pub struct DiskScratch {
    path: PathBuf,
}

impl DiskScratch {
    /// Scratch files in `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Scratch for DiskScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(tempfile::tempfile_in(&self.path)?))
    }
}
