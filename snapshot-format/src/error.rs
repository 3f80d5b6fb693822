//! What can be wrong with a snapshot, and what to do about it.

use crate::layout::{FORMAT_VERSION, FORMAT_VERSION_MIN, Kind};

/// A snapshot cannot be opened, or did not pass its check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not those of a snapshot.
    #[error(
        "not a snapshot: it starts with {got:02x?}, expected the bytes of \"WHOIS\\x1a\\n\\x01\"; \
         give a file made by `whoisd import` or `whoisd sample`"
    )]
    NotASnapshot {
        /// First bytes of the file.
        got: Vec<u8>,
    },
    /// Written by a newer build.
    #[error("{}", version_text(*got))]
    Version {
        /// Version in the file.
        got: u32,
    },
    /// The header's checksum does not match.
    #[error("the header is damaged (its checksum differs); restore the file or import again")]
    HeaderChecksum,
    /// The types on disk are not those of this build.
    #[error(
        "schema hash {got:016x}, this build reads {expected:016x}; use the build that wrote it, \
         or import again"
    )]
    Schema {
        /// Hash in the file.
        got: u64,
        /// Hash of this build.
        expected: u64,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "the file has {got} bytes, expected {expected}: it is cut short or has something behind \
         its end; restore it or import again"
    )]
    Length {
        /// Length by the header.
        expected: u64,
        /// Length of the file.
        got: u64,
    },
    /// A section contradicts its neighbours or its own numbers.
    #[error("section {name} {what}; restore the file or import again")]
    Section {
        /// Name of the section.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A log of changes is not what it should be.
    #[error("the log of changes, at byte {at}, {what}; run `whoisd verify`, or import again")]
    Log {
        /// Where in the log, bytes.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A block's checksum does not match.
    #[error(
        "bytes {from} to {to} are damaged (their checksum differs); restore the file or import \
         again"
    )]
    Block {
        /// First byte of the block.
        from: u64,
        /// First byte after it.
        to: u64,
    },
    /// A record is not what its type says.
    #[error("{0}; restore the file or import again")]
    Record(#[from] Corrupt),
    /// A record is well-formed, and breaks a rule of ours.
    #[error("{} {ordinal}: {what}; restore the file or import again", kind.word())]
    Invariant {
        /// Kind of the record.
        kind: Kind,
        /// Its ordinal.
        ordinal: u32,
        /// The rule that it breaks.
        what: &'static str,
    },
}

fn version_text(got: u32) -> String {
    let advice = if got > FORMAT_VERSION {
        "it was written by a newer whoisd: upgrade this one, or import again with it"
    } else {
        "import again with this build"
    };
    format!(
        "format version {got}, this build reads {FORMAT_VERSION_MIN} to {FORMAT_VERSION}; {advice}"
    )
}

/// A record cannot be read: its bytes are not what its type says, or its ordinal is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} {ordinal} is damaged: its bytes do not form such a record", kind.word())]
pub struct Corrupt {
    /// Kind of the record.
    pub kind: Kind,
    /// Its ordinal.
    pub ordinal: u32,
}

impl From<Corrupt> for std::io::Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, corrupt)
    }
}

impl From<Corrupt> for BuildError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Io(corrupt.into())
    }
}

/// A snapshot cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Output or scratch file.
    #[error("cannot write the snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// The base that is to be folded is damaged.
    #[error("the base is damaged: {0}")]
    Base(#[from] FormatError),
    /// Two records with one key.
    #[error("{} {key:?} occurs twice; a key names one object", kind.word())]
    Duplicate {
        /// Kind of the records.
        kind: Kind,
        /// Their key.
        key: String,
    },
    /// Input out of order: a bug of the caller.
    #[error("{} {key:?} comes out of order: kinds and keys have to ascend", kind.word())]
    Order {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// A record, or a key, beyond the bounds of the format.
    #[error("{} {key:?}: {what} has {got}, at most {max} fit", kind.word())]
    TooLarge {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
        /// What is too large, with its unit.
        what: &'static str,
        /// How much of it there is.
        got: usize,
        /// How much fits.
        max: usize,
    },
    /// Too many records or bytes for the format's 32-bit numbers.
    #[error("{what}: more than {max}; split the registry over several snapshots")]
    Full {
        /// What there is too much of.
        what: &'static str,
        /// How much fits.
        max: u64,
    },
    /// The hash put too many keys in one place.
    #[error(
        "{count} keys of {section} fall into one place of the index: build again with another seed"
    )]
    Crowded {
        /// The index.
        section: String,
        /// How many keys.
        count: usize,
    },
    /// rkyv refused to write a record.
    #[error("{} {key:?} cannot be archived: {message}", kind.word())]
    Archive {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
        /// rkyv's words.
        message: String,
    },
}
