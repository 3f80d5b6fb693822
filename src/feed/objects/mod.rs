//! Snapshots in an object store: a directory, or a server that speaks S3. A publisher puts one
//! there, a node that is new or too far behind fetches it.
//!
//! ```text
//! URL/SERIAL-TIME-SUMS.snapshot      a base, as it lies in a snapshot directory
//! URL/SERIAL-TIME-SUMS.manifest      what it is (`manifest`), written last: before it, there is no
//!                                    snapshot
//! ```
//!
//! # Invariants
//!
//! - An object is written once: a name holds the hash of what it names.
//! - A snapshot that is fetched has the length and the hash of its manifest, and its own checksums,
//!   before it is published in the directory; one that fails that leaves the directory as it was.
//! - A snapshot that was damaged is not fetched again until it has changed in the object store.
//! - Memory is bounded by [`PART_BYTES`] a part, whatever the size of a snapshot.
//!
//! # Does not
//!
//! Remove old snapshots: a rule of the object store, or of the operator, does.

mod error;
mod fetch;
mod manifest;
mod publish;

pub use error::{
    ManifestError, ManifestText, NotPermitted, ObjectError, Spoilt, Unusable, Unused, UrlError,
};
pub use fetch::{Arrived, Vet};
pub use manifest::ObjectManifest;
pub use publish::{How, Published};

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use self::manifest::Name;
use super::address::scheme_without_slashes;
use super::key::Trusted;

/// What is sent or received at a time, bytes: a multiple of 2 MiB, so that a base is written in
/// pieces that the page cache holds as huge pages.
pub const PART_BYTES: usize = 8 << 20;
/// Most manifests that are looked at, the newest ones.
const LIST_COUNT_MAX: usize = 10_000;
/// Snapshots that are remembered to be of no use.
const BAD_COUNT_MAX: usize = 64;

/// An object store, or a part of one. Its calls block, and are not to be made on a thread that runs
/// asynchronous tasks.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    url: String,
    runtime: Runtime,
    /// Snapshots that were fetched in vain: they are not fetched again as long as they stay the
    /// same.
    bad: RefCell<VecDeque<Bad>>,
}

/// A snapshot whose bytes are not what they should be.
#[derive(Debug)]
struct Bad {
    file: String,
    /// When it was written, and its tag, as the object store says.
    written: (i64, Option<String>),
    problem: Arc<Spoilt>,
}

impl Objects {
    /// Opens an object store: a directory, `file:///DIRECTORY`, or, in a build with the feature
    /// `s3`, `s3://BUCKET/PATH`, whose key, region and endpoint are the environment's (`AWS_...`).
    ///
    /// # Errors
    ///
    /// It is no such address.
    pub fn open(url: &str) -> Result<Self, ObjectError> {
        let wrong = |problem| ObjectError::Address { url: url.to_owned(), problem };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| wrong(UrlError::Io(error)))?;
        let (store, prefix) = match url.split_once("://") {
            None if url.is_empty() => Err(UrlError::Empty),
            None if scheme_without_slashes(url).is_some() && !FilePath::new(url).exists() => {
                Err(UrlError::NoSlashes)
            }
            None => directory(FilePath::new(url)),
            Some(("file", path)) if path.starts_with('/') => directory(FilePath::new(path)),
            Some(("s3", _)) => s3(url),
            Some(_) => Err(UrlError::Unknown),
        }
        .map_err(wrong)?;
        Ok(Self { store, prefix, url: url.to_owned(), runtime, bad: RefCell::default() })
    }

    /// The manifests' names, the newest first.
    fn names(&self) -> Result<Vec<Name>, ObjectError> {
        let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&self.prefix)));
        let listed = match listed {
            Ok(listed) => listed.objects,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.failed("list it", error)),
        };
        let names = listed.iter().filter_map(|object| object.location.filename());
        let mut names: Vec<Name> = names.filter_map(Name::decode).collect();
        names.sort_unstable_by(|one, other| other.cmp(one));
        names.truncate(LIST_COUNT_MAX);
        Ok(names)
    }

    /// What the object store offers, the newest first: each manifest, or why it cannot be used.
    /// Costs a request each.
    ///
    /// # Errors
    ///
    /// The object store cannot be listed.
    pub fn list(
        &self,
        trusted: &Trusted,
    ) -> Result<Vec<Result<ObjectManifest, Unused>>, ObjectError> {
        Ok(self.names()?.into_iter().map(|name| self.manifest(name, trusted)).collect())
    }

    /// Reads a manifest.
    fn manifest(&self, name: Name, trusted: &Trusted) -> Result<ObjectManifest, Unused> {
        let file = name.manifest();
        let read = self
            .manifest_text(&file)
            .and_then(|text| Ok(ObjectManifest::decode(&text, name, trusted)?));
        read.map_err(|problem| Unused { file, problem })
    }

    /// The text of a manifest, whatever it says.
    fn manifest_text(&self, file: &str) -> Result<String, Unusable> {
        let bytes = self.runtime.block_on(async {
            let got = self.store.get(&self.at(file)).await?;
            if got.meta.size > manifest::MANIFEST_BYTES_MAX {
                return Err(Unusable::LongManifest { got: got.meta.size });
            }
            Ok(got.bytes().await?)
        })?;
        String::from_utf8(bytes.into()).map_err(|_| Unusable::NotText)
    }

    /// Why a snapshot is known to be of no use.
    fn known_bad(&self, file: &str, meta: &ObjectMeta) -> Option<Arc<Spoilt>> {
        let (bad, written) = (self.bad.borrow(), written(meta));
        let found = bad.iter().find(|bad| bad.file == file && bad.written == written)?;
        Some(Arc::clone(&found.problem))
    }

    fn note_bad(&self, file: &str, meta: &ObjectMeta, problem: &Arc<Spoilt>) {
        let (mut bad, written) = (self.bad.borrow_mut(), written(meta));
        bad.truncate(BAD_COUNT_MAX.saturating_sub(1));
        let (file, problem) = (file.to_owned(), Arc::clone(problem));
        bad.push_front(Bad { file, written, problem });
    }

    fn at(&self, file: &str) -> Path {
        self.prefix.clone().join(file)
    }

    fn failed(&self, what: &'static str, source: object_store::Error) -> ObjectError {
        ObjectError::Store { url: self.url.clone(), what, source }
    }
}

fn written(meta: &ObjectMeta) -> (i64, Option<String>) {
    (meta.last_modified.timestamp_micros(), meta.e_tag.clone())
}

type Opened = (Arc<dyn ObjectStore>, Path);

/// A directory, which need not exist yet.
fn directory(path: &FilePath) -> Result<Opened, UrlError> {
    let absolute = resolved(path).map_err(UrlError::Io)?;
    let there = absolute.ancestors().find_map(|part| Some((part, std::fs::metadata(part).ok()?)));
    if let Some((part, _)) = there.filter(|(_, meta)| !meta.is_dir()) {
        return Err(UrlError::NotDirectory { path: part.to_owned() });
    }
    let prefix = Path::from_absolute_path(&absolute)?;
    // A snapshot that others rely on has to survive a crash.
    Ok((Arc::new(LocalFileSystem::new().with_fsync(true)), prefix))
}

/// The path without links and without `..`, which no object's name has; of what is not there yet,
/// as it reads.
fn resolved(path: &FilePath) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let there = absolute.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let Some((part, mut real)) = there else { return Ok(absolute) };
    for component in absolute.strip_prefix(part).into_iter().flat_map(FilePath::components) {
        match component {
            Component::ParentDir => drop(real.pop()),
            other => real.push(other),
        }
    }
    Ok(real)
}

#[cfg(feature = "s3")]
fn s3(url: &str) -> Result<Opened, UrlError> {
    use object_store::aws::AmazonS3Builder;

    let rest = url.strip_prefix("s3://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Path::parse(prefix)?;
    // TLS needs one provider for the whole process; an error says that there is one already.
    let _ = async_nats::rustls::crypto::ring::default_provider().install_default();
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
    Ok((Arc::new(store.map_err(UrlError::S3)?), prefix))
}

#[cfg(not(feature = "s3"))]
fn s3(_: &str) -> Result<Opened, UrlError> {
    Err(UrlError::NoS3)
}
