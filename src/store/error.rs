//! Why a snapshot directory cannot be read or changed, and what to do.

use std::io;
use std::path::PathBuf;

use snapshot_format::FormatError;

use super::files::{Files, Holder};

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
    /// There is no room for the log that changes go into.
    #[error(
        "{path}: there is no room for {bytes} bytes of log, which changes need: {source}; make \
         room in the directory"
    )]
    Room {
        /// The log's file.
        path: PathBuf,
        /// Bytes that it has at least.
        bytes: u64,
        /// What the file system says.
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
    #[error("{path}: {problem}; restore it, or import again with --allow damaged")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: ManifestError,
    },
    /// There are bases or logs, and no manifest that says which of them count.
    #[error(
        "{path}: has {example} and no MANIFEST, which says what of its files counts; restore it, \
         or import again with --allow damaged"
    )]
    NoManifest {
        /// The directory.
        path: PathBuf,
        /// One of the files.
        example: String,
    },
    /// What is there does not read, and something else would take its place.
    #[error(
        "{source}; nothing may take its place unless that is said: with --allow damaged, or with \
         --replace for a sample"
    )]
    Standing {
        /// Why it does not read.
        source: Box<Self>,
    },
    /// The lock that this process holds is no longer that of the directory.
    #[error(
        "{path}: was removed or replaced while this process held it: another process may be \
         writing the directory, so this one writes no more; stop both, then start one again"
    )]
    LockLost {
        /// The lock file.
        path: PathBuf,
    },
    /// Another process writes.
    #[error(
        "{path}: another process{holder} is writing this directory; wait for it or stop it, or \
         hand changes to it with `whoisd apply`"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process, if the lock file names it.
        holder: Holder,
    },
    /// A base or a log is not what it should be.
    #[error("{path}: {source}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The file is good, but not the one that the manifest names.
    #[error(
        "{path}: {what} is {got}, the manifest says {expected}; it is not the file that was \
         published: restore it, or import again with --allow damaged"
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// In the file.
        got: u64,
        /// In the manifest.
        expected: u64,
    },
    /// A log has a place that does not read, and good batches after it.
    #[error(
        "{path}: damaged at byte {at}: the batch there does not read, and the one at byte {behind} \
         does, so generations after {got} were acknowledged and are lost; restore the file, go \
         back with `whoisd rollback`, or import again with --allow damaged"
    )]
    Damaged {
        /// The log's file.
        path: PathBuf,
        /// Where the batch starts that does not read.
        at: u64,
        /// Where the first good one after it starts.
        behind: u64,
        /// The last generation before it.
        got: u64,
    },
    /// The last batch of a log does not read, though all of it was written.
    #[error(
        "{path}: damaged at byte {at}: the last batch there was written whole and does not read, \
         so what came after generation {got} is lost, which may have been acknowledged; restore \
         the file, go back with `whoisd rollback`, or import again with --allow damaged"
    )]
    DamagedLast {
        /// The log's file.
        path: PathBuf,
        /// Where the batch starts.
        at: u64,
        /// The last generation before it.
        got: u64,
    },
    /// A part of a log is missing.
    #[error(
        "{path}: this part of the log is missing, and the log has had {parts}: generations after \
         {got} were acknowledged and are lost; restore the file, go back with `whoisd rollback`, \
         or import again with --allow damaged"
    )]
    MissingPart {
        /// The part's file.
        path: PathBuf,
        /// Parts that there were, at least.
        parts: u32,
        /// The last generation before it.
        got: u64,
    },
    /// A part of a log is shorter than it was made.
    #[error(
        "{path}: the file was made with {expected} bytes and has fewer: it was cut, and batches \
         that were acknowledged may be lost; restore it, go back with `whoisd rollback`, or import \
         again with --allow damaged"
    )]
    Short {
        /// The part's file.
        path: PathBuf,
        /// Its length when it was made, bytes.
        expected: u64,
    },
    /// A log ends before the generation that it should reach.
    #[error(
        "{path}: the log ends at byte {at} with generation {got}, and should reach {expected}: \
         what follows is damaged or missing; restore the file, go back with `whoisd rollback`, or \
         import again with --allow damaged"
    )]
    Cut {
        /// The log's file.
        path: PathBuf,
        /// Where it ends.
        at: u64,
        /// Its last generation.
        got: u64,
        /// The one that the manifest, or the next file, says it reaches.
        expected: u64,
    },
    /// The writer took back what was never acknowledged: read again from the manifest on.
    #[error("{path}: generation {got} was taken back; read again")]
    TakenBack {
        /// The log.
        path: PathBuf,
        /// What was read.
        got: u64,
    },
    /// A generation that is not kept was asked for.
    #[error(
        "{path}: generation {wanted} is not kept; there {}", kept_text(.kept)
    )]
    NotKept {
        /// The directory.
        path: PathBuf,
        /// What was asked for.
        wanted: u64,
        /// First and last generation of each state that is kept.
        kept: Vec<(u64, u64)>,
    },
    /// A batch is longer than a frame may be.
    #[error(
        "{path}: a batch of {got} bytes of changes, at most {max} fit; deliver it in several, or \
         import a FULL deposit"
    )]
    Batch {
        /// The directory.
        path: PathBuf,
        /// Bytes of the batch.
        got: usize,
        /// Bytes that fit.
        max: usize,
    },
}

/// The text of a manifest cannot be used. The message follows the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The file is not text.
    #[error("is not text: it is damaged")]
    NotText,
    /// The first line is of no version that is read.
    #[error("starts with {got:?}, expected {expected:?}")]
    FirstLine {
        /// The line.
        got: String,
        /// The line of the version that is written.
        expected: &'static str,
    },
    /// The last line is not the checksum of the lines before it.
    #[error("ends in {got:?}, expected {expected:?}: it is damaged")]
    Checksum {
        /// The line.
        got: String,
        /// The checksum's line.
        expected: String,
    },
    /// A line is missing, or another one is in its place.
    #[error("has the line {line:?}, expected \"{name} ...\"")]
    Field {
        /// The line; empty at the end of the text.
        line: String,
        /// Its first word.
        name: &'static str,
    },
    /// A line names neither a base nor a log.
    #[error("has the line {line:?}, expected \"base ...\" or \"log ...\"")]
    Line {
        /// The line.
        line: String,
    },
    /// A value is not a number.
    #[error("{what} is {got:?}, expected a number")]
    Number {
        /// The value's name.
        what: &'static str,
        /// The value.
        got: String,
    },
    /// A value is not a hexadecimal number.
    #[error("{what} is {got:?}, expected a hexadecimal number")]
    Hexadecimal {
        /// The value's name.
        what: &'static str,
        /// The value.
        got: String,
    },
    /// A base's name would lead out of the directory.
    #[error("names the base {got:?}, expected a plain file name")]
    BaseName {
        /// The name.
        got: String,
    },
    /// A log has no part.
    #[error("{line:?} is a log without a part")]
    NoPart {
        /// The log's line.
        line: String,
    },
    /// There is no base.
    #[error("names no base")]
    NoBase,
    /// There are more bases and logs than a directory can have.
    #[error("names more than {max} bases and logs")]
    TooLong {
        /// Lines that are read at most.
        max: usize,
    },
}

fn kept_text(kept: &[(u64, u64)]) -> String {
    let ranges: Vec<_> = kept
        .iter()
        .map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first} to {last}") }
            },
        )
        .collect();
    match ranges.as_slice() {
        [] => "is none".to_owned(),
        [one] => format!("is {one}"),
        _ => format!("are {}", ranges.join(", ")),
    }
}

impl StoreError {
    /// Whether it says that what is on the disk is not what was put there, so that another try
    /// gives the same.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            // A sector that the disk does not read; other refusals may pass.
            Self::Io { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
                    || source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            }
            Self::Manifest { .. }
            | Self::NoManifest { .. }
            | Self::Format { .. }
            | Self::Mismatch { .. }
            | Self::Damaged { .. }
            | Self::DamagedLast { .. }
            | Self::MissingPart { .. }
            | Self::Short { .. }
            | Self::Cut { .. } => true,
            _ => false,
        }
    }

    /// The last generation that a damaged log has, where the damage says so.
    pub(super) const fn last_good(&self) -> Option<u64> {
        match self {
            Self::Damaged { got, .. }
            | Self::DamagedLast { got, .. }
            | Self::MissingPart { got, .. }
            | Self::Cut { got, .. } => Some(*got),
            _ => None,
        }
    }
}

/// Turns an error of the file system into ours.
pub(super) fn failed<F: Files>(
    files: &F,
    name: &str,
    what: &'static str,
) -> impl FnOnce(io::Error) -> StoreError {
    let path = if name.is_empty() { files.path().to_owned() } else { files.path().join(name) };
    move |source| StoreError::Io { path, what, source }
}
