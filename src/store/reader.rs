//! A reader of a snapshot directory: opens the current generation, and follows what comes.
//!
//! # Invariants
//!
//! - `lock-free`: a reader takes no lock and writes nothing.
//! - It never goes from a generation to an older one, unless the directory was rolled back.
//!
//! # Does not
//!
//! Wait: a follower asks again.

use std::io;
use std::sync::Arc;

use snapshot_format::Snapshot;

use super::error::{ManifestError, StoreError, failed};
use super::files::Files;
use super::log::{Rest, Tail};
use super::manifest::{Chain, Manifest};
use super::{ASIDE_ENDING, GenerationOf, MANIFEST, generation_of, part_of};
use snapshot_format::delta::Generation;

/// How often opening starts over when a writer replaces files at the same moment.
const OPEN_TRIES_MAX: usize = 5;

/// The manifest, or `None` if there is none yet.
///
/// # Errors
///
/// It cannot be read, or is damaged.
pub fn read_manifest<F: Files>(files: &F) -> Result<Option<Manifest>, StoreError> {
    let bytes = match files.read(MANIFEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return without_manifest(files),
        Err(error) => return Err(failed(files, MANIFEST, "read it")(error)),
    };
    let text = String::from_utf8(bytes).map_err(|_| ManifestError::NotText);
    let manifest = text.and_then(|text| Manifest::decode(&text));
    let path = || files.path().join(MANIFEST);
    manifest.map(Some).map_err(|problem| StoreError::Manifest { path: path(), problem })
}

/// Nothing, if a directory without a manifest has no bases and logs either, or those of a first
/// publication that is under way: it has written its manifest aside before it names its base.
fn without_manifest<F: Files>(files: &F) -> Result<Option<Manifest>, StoreError> {
    let names = match files.list() {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(files, "", "list it")(error)),
    };
    let is_own = |name: &&String| generation_of(name).is_some() || part_of(name).is_some();
    let mut own = names.iter().filter(is_own);
    let Some(example) = own.next() else { return Ok(None) };
    let aside = files.read(&format!("{MANIFEST}{ASIDE_ENDING}")).unwrap_or_default();
    let first = Manifest::decode(&String::from_utf8(aside).unwrap_or_default());
    let is_first = first.is_ok_and(|first| first.current.base == *example) && own.next().is_none();
    if is_first {
        return Ok(None);
    }
    // It may have been given its name since it was looked for.
    if files.read(MANIFEST).is_ok() {
        return read_manifest(files);
    }
    let (path, example) = (files.path().to_owned(), example.clone());
    Err(StoreError::NoManifest { path, example })
}

/// A reader and what it has read.
#[derive(Debug)]
pub struct Reader<F: Files> {
    files: F,
    manifest: Manifest,
    generation: Arc<GenerationOf<F>>,
    tail: Option<Tail<F>>,
}

impl<F: Files> Reader<F> {
    /// Opens the current generation. Costs microseconds for the base, and about a microsecond for
    /// each change in the logs.
    ///
    /// # Errors
    ///
    /// No generation, or damage.
    pub fn open(files: F) -> Result<Self, StoreError> {
        let mut tries = 1;
        loop {
            match Self::open_current(files.clone()) {
                // A file vanished between reading the manifest and opening it, or a batch was taken
                // back: a writer is at work.
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < OPEN_TRIES_MAX => {}
                Err(StoreError::TakenBack { .. } | StoreError::MissingPart { .. })
                    if tries < OPEN_TRIES_MAX => {}
                result => return result,
            }
            tries += 1;
        }
    }

    fn open_current(files: F) -> Result<Self, StoreError> {
        let Some(manifest) = read_manifest(&files)? else {
            return Err(StoreError::Empty { path: files.path().to_owned() });
        };
        let (generation, tail) = open_with_tail(&files, &manifest.current)?;
        let tail = tail.filter(|tail| tail.name.last.is_none());
        Ok(Self { files, manifest, generation: Arc::new(generation), tail })
    }

    /// The newest generation that was read.
    #[must_use]
    pub const fn generation(&self) -> &Arc<GenerationOf<F>> {
        &self.generation
    }

    /// The manifest that it was read by.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads on. Returns whether there is another generation. Costs a few system calls when there
    /// is none.
    ///
    /// # Errors
    ///
    /// See [`Self::open`]; the generation that was read before stays.
    pub fn follow(&mut self) -> Result<bool, StoreError> {
        let Some(manifest) = read_manifest(&self.files)? else {
            return Err(StoreError::Empty { path: self.files.path().to_owned() });
        };
        let is_same = manifest.current.is_same(&self.manifest.current);
        if is_same && let Some(tail) = &mut self.tail {
            // Its log may have got another part.
            if let Some(log) = manifest.current.logs.last() {
                tail.name.parts = log.parts;
            }
            self.manifest = manifest;
            let mut next = (*self.generation).clone();
            match tail.read_on(&self.files, &mut next) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    self.generation = Arc::new(next);
                    return Ok(true);
                }
                // Files of a state that is gone by now are being removed.
                Err(StoreError::TakenBack { .. } | StoreError::MissingPart { .. }) => {}
                Err(error) => return Err(error),
            }
        } else if is_same {
            return Ok(false);
        }
        let before = self.generation.state().generation;
        *self = Self::open(self.files.clone())?;
        Ok(self.generation.state().generation != before)
    }

    /// Bytes after the last whole frame, if a crash left any.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn rest(&self) -> Result<Option<Rest>, StoreError> {
        self.tail.as_ref().map_or(Ok(None), |tail| tail.rest(&self.files))
    }

    /// Hands over to a writer: the generation, and where the open log ends.
    pub(super) fn into_parts(self) -> (Manifest, Arc<GenerationOf<F>>, Option<Tail<F>>) {
        (self.manifest, self.generation, self.tail)
    }
}

/// Opens the last generation of a chain.
///
/// # Errors
///
/// A file is missing, damaged, or not the one that the chain names.
pub fn open_chain<F: Files>(files: &F, chain: &Chain) -> Result<GenerationOf<F>, StoreError> {
    open_with_tail(files, chain).map(|(generation, _)| generation)
}

fn open_with_tail<F: Files>(
    files: &F,
    chain: &Chain,
) -> Result<(GenerationOf<F>, Option<Tail<F>>), StoreError> {
    let base = open_base(files, chain)?;
    read_logs(files, chain, base)
}

/// Opens the base of a chain, without its logs.
pub(super) fn open_base<F: Files>(files: &F, chain: &Chain) -> Result<GenerationOf<F>, StoreError> {
    let path = || files.path().join(&chain.base);
    let bytes = files.base(&chain.base).map_err(failed(files, &chain.base, "open it"))?;
    let base =
        Snapshot::open(bytes).map_err(|source| StoreError::Format { path: path(), source })?;
    let header = base.header();
    for (what, got, expected) in [
        ("the generation", header.generation, chain.base_generation),
        ("the checksum", header.sums_hash, chain.base_sums_hash),
    ] {
        if got != expected {
            return Err(StoreError::Mismatch { path: path(), what, got, expected });
        }
    }
    Generation::of_base(Arc::new(base))
        .map_err(|source| StoreError::Format { path: path(), source })
}

/// Reads the logs of a chain over its base; also where the last of them ends, if there is one.
pub(super) fn read_logs<F: Files>(
    files: &F,
    chain: &Chain,
    mut generation: GenerationOf<F>,
) -> Result<(GenerationOf<F>, Option<Tail<F>>), StoreError> {
    let mut last = None;
    for name in &chain.logs {
        let mut tail = Tail::new(*name);
        tail.read_on(files, &mut generation)?;
        let got = generation.state().generation;
        if let Some(expected) = name.last.filter(|last| *last != got) {
            return Err(tail.cut(files, got, expected));
        }
        last = Some(tail);
    }
    Ok((generation, last))
}
