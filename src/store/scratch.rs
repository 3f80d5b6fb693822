//! Scratch files without a name, in a directory; they vanish with the process.

use std::io;
use std::path::{Path, PathBuf};

use snapshot_format::sort::{Scratch, ScratchFile};

/// Scratch files in a directory.
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
