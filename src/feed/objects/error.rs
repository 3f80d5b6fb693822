//! Why an object store cannot be used, and why a snapshot in it will not do.
//!
//! # Does not
//!
//! Decide what follows: `fetch` passes over what will not do.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use snapshot_format::FormatError;

use crate::feed::SERIAL_MAX;
use crate::feed::key::SignatureError;
use crate::feed::message::{Source, SourceError};
use crate::store::StoreError;

/// What a [`Vet`](super::Vet) says: an error of the caller's, which names the option that permits
/// it.
pub type NotPermitted = Box<dyn std::error::Error + Send + Sync>;

/// Something with an object store did not work.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The address is not one.
    #[error("{url:?}: {problem}; expected a directory, file:///DIRECTORY{}", S3_ADVICE)]
    Address {
        /// The address.
        url: String,
        /// What is wrong.
        problem: UrlError,
    },
    /// The object store refuses, or cannot be reached.
    #[error("{url}: cannot {what}: {}", words(.source))]
    Store {
        /// The object store.
        url: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: object_store::Error,
    },
    /// The snapshot that is to be published is damaged.
    #[error("{0}; it is not published")]
    Damaged(FormatError),
    /// No snapshot in the object store will do.
    #[error("{url}: {}", none_text(*.serial_min, .of.as_ref(), .tried))]
    None {
        /// The object store.
        url: String,
        /// The least serial that was asked for.
        serial_min: u64,
        /// The source that was asked for.
        of: Option<Source>,
        /// Each snapshot that was tried, and why it will not do, the newest first.
        tried: Vec<String>,
    },
    /// The very snapshot is there already, with the serials of another source.
    #[error(
        "{url}: {file} says that the snapshot has the serials of {got}, and this would say {own}; \
         publish it with --source {got}, or into another object store"
    )]
    OtherSource {
        /// The object store.
        url: String,
        /// The manifest that is there.
        file: String,
        /// The source that it names.
        got: Source,
        /// What would be written.
        own: Source,
    },
    /// The snapshot may not take the place of what the directory has.
    #[error("the snapshot was refused: {problem}")]
    NotPermitted {
        /// Why not, and which option permits it.
        problem: NotPermitted,
    },
    /// The very snapshot is there already, signed, and this would say something else unsigned.
    #[error(
        "{url}: {file} is signed with key {key}, and would say something else without a signature; \
         sign it with --key"
    )]
    Signed {
        /// The object store.
        url: String,
        /// The manifest that is there.
        file: String,
        /// Id of the key that signed it.
        key: String,
    },
    /// The snapshot directory cannot be written.
    #[error(transparent)]
    Directory(#[from] StoreError),
    /// The caller wanted no more.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

#[cfg(feature = "s3")]
const S3_ADVICE: &str = " or s3://BUCKET/PATH";
#[cfg(not(feature = "s3"))]
const S3_ADVICE: &str = "; this build has no S3 (cargo feature s3)";

fn none_text(serial_min: u64, source: Option<&Source>, tried: &[String]) -> String {
    let of = source.map_or_else(String::new, |source| format!(" of source {source}"));
    let wanted = format!("no snapshot{of} that holds serial {serial_min}");
    if tried.is_empty() {
        format!("{wanted}; put one there with `whoisd publish-snapshot`")
    } else {
        format!("{wanted} can be used: {}", tried.join("; "))
    }
}

/// What an object store says, without the name of the part of it that says so.
fn words(error: &object_store::Error) -> String {
    match error {
        object_store::Error::Generic { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

/// The address of an object store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// There is none.
    #[error("no address")]
    Empty,
    /// It could be a URL or a directory.
    #[error(
        "there is no // behind the scheme, and a directory whose name has a colon is written ./NAME"
    )]
    NoSlashes,
    /// It has another scheme.
    #[error("no object store that is known")]
    Unknown,
    /// A part of the path is a file.
    #[error("{} is not a directory", path.display())]
    NotDirectory {
        /// That part.
        path: PathBuf,
    },
    /// The path cannot be the name of an object.
    #[error(transparent)]
    Path(#[from] object_store::path::Error),
    /// The path cannot be looked at, or there can be no runtime.
    #[error(transparent)]
    Io(io::Error),
    /// S3's own settings cannot be used.
    #[cfg(feature = "s3")]
    #[error(transparent)]
    S3(object_store::Error),
    /// This build has no S3.
    #[cfg(not(feature = "s3"))]
    #[error("S3 is not built in")]
    NoS3,
}

/// A snapshot in an object store that is not used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct Unused {
    /// Its manifest's name, or its own.
    pub file: String,
    /// Why it is not.
    pub problem: Unusable,
}

/// Why a snapshot in an object store will not do.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The object store does not give it.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// Its manifest is longer than any of ours.
    #[error("has {got} bytes: it is not a manifest of ours")]
    LongManifest {
        /// Bytes that it has.
        got: u64,
    },
    /// Its manifest is not text.
    #[error("is not text: it is damaged")]
    NotText,
    /// Its manifest cannot be relied on.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It has another source's serials.
    #[error("is of source {got:?}")]
    OtherSource {
        /// That source; empty if it names none.
        got: String,
    },
    /// It has another length than its manifest says.
    #[error("has {got} bytes, its manifest says {expected}")]
    Length {
        /// Bytes that it has.
        got: u64,
        /// Bytes that its manifest names.
        expected: u64,
    },
    /// A part of it came short.
    #[error("was cut while it was read")]
    Cut,
    /// It is damaged, and stays so until it is written again.
    #[error("{0}: it is damaged; publish it again with `whoisd publish-snapshot --replace`")]
    Damaged(Arc<Spoilt>),
}

/// What is wrong with the bytes of a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Spoilt {
    /// They are not a snapshot, or fail its checksums.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// They begin as another snapshot.
    #[error("its header is not the one that its manifest names")]
    Header,
    /// Their hash is another one.
    #[error("its bytes are not those of its manifest")]
    Hash,
}

/// Why a manifest is not relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It does not read.
    #[error("{problem}; publish the snapshot again")]
    Damaged {
        /// What is wrong.
        #[from]
        problem: ManifestText,
    },
    /// It is not signed as it should be.
    #[error("the snapshot {0}")]
    Signature(#[from] SignatureError),
    /// It has another one's name.
    #[error("it is of serial {got}, its name says {name}: an old snapshot was given another name")]
    Renamed {
        /// Serial in the manifest.
        got: u64,
        /// Serial in its name.
        name: u64,
    },
}

/// What is wrong with the text of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestText {
    /// It is of the form before, which is not taken.
    #[error("is of form 1, whose hash anybody can find other bytes for")]
    Form1,
    /// It is of no form that is known.
    #[error("starts with {got:?}, expected {expected:?}")]
    FirstLine {
        /// Its first line.
        got: String,
        /// The first line of the form that is read.
        expected: &'static str,
    },
    /// A line is missing, or another one is in its place.
    #[error("has the line {line:?}, expected \"{name} ...\"")]
    Field {
        /// The line; empty at the end of the text.
        line: String,
        /// Its first word.
        name: &'static str,
    },
    /// Its source has another form.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A value is not a number.
    #[error("{name} is {got:?}, expected a number")]
    Number {
        /// The value's name.
        name: &'static str,
        /// The value.
        got: String,
    },
    /// The time of its data is not a number.
    #[error("time is not a number")]
    Time,
    /// The hash of the snapshot has another form.
    #[error("sha256 is not 64 hexadecimal digits")]
    Hash,
    /// The hash of the checksums has another form.
    #[error("sums is not a hexadecimal number")]
    Sums,
    /// The serial is beyond all serials.
    #[error("serial is {got}, which no record has: at most {SERIAL_MAX}")]
    Serial {
        /// The serial.
        got: u64,
    },
    /// A line follows the last one.
    #[error("has the line {line:?}")]
    Longer {
        /// The line.
        line: String,
    },
    /// The last line is not the checksum of the others.
    #[error("its last line is not its checksum: it is damaged")]
    Checksum,
}
