//! Fetches the newest snapshot that will do into a snapshot directory.
//!
//! # Invariants
//!
//! - `whole`: what is published has the length, the hash and the checksums that its manifest names,
//!   and the serial; its generation is the directory's next.
//! - One that fails that, or is not signed right, is passed over for the next older one that still
//!   holds what is wanted.
//!
//! # Does not
//!
//! Know which serial the node has: whoever asks says the least one, so that nothing goes back.

use std::io::{Seek, SeekFrom, Write};

use object_store::ObjectStoreExt;
use object_store::path::Path;
use snapshot_format::limits::HEADER_BYTES;
use snapshot_format::{FormatError, Header, Snapshot};
use twox_hash::xxhash3_128;

use super::{ObjectError, ObjectManifest, Objects, PART_BYTES};
use crate::feed::key::Trusted;
use crate::feed::nats::Wanted;
use crate::store::{Files, Manifest, NewBase, StoreError, Writer};

/// Snapshots that are tried.
const TRIES_MAX: usize = 8;

/// A snapshot that was fetched: it is the current generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// What the object store said of it.
    pub object: ObjectManifest,
    /// The directory's manifest.
    pub manifest: Manifest,
    /// Newer ones that could not be used, and why.
    pub passed_over: Vec<String>,
}

/// Why one snapshot was not taken.
enum Failed {
    /// Another one may do.
    Passed(String),
    /// No other one would do better.
    Over(ObjectError),
}

impl Objects {
    /// Fetches the newest snapshot with at least the wanted serial, and makes it the current
    /// generation of the directory. Asks `go_on` before each part of [`PART_BYTES`], with bytes
    /// received and bytes in all.
    ///
    /// # Errors
    ///
    /// There is none that can be used, the object store cannot be listed, the directory cannot be
    /// written, or `go_on` says no. What was current is current.
    pub fn fetch<F: Files>(
        &self,
        wanted: &Wanted,
        trusted: &Trusted,
        writer: &Writer<F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Arrived, ObjectError> {
        let mut passed_over = Vec::new();
        let names = self.names()?;
        let newer = names.iter().filter(|name| name.serial >= wanted.serial_min);
        for name in newer.take(TRIES_MAX) {
            let tried = self.manifest(*name, trusted).map_err(Failed::Passed).and_then(|object| {
                let is_other = wanted.source.is_some() && object.source != wanted.source;
                if is_other {
                    let source = object.source.map_or_else(String::new, |got| got.to_string());
                    let problem = format!("{}: is of source {source:?}", name.manifest());
                    return Err(Failed::Passed(problem));
                }
                let manifest = self.take(&object, writer, go_on)?;
                Ok((object, manifest))
            });
            match tried {
                Ok((object, manifest)) => return Ok(Arrived { object, manifest, passed_over }),
                Err(Failed::Over(error)) => return Err(error),
                Err(Failed::Passed(problem)) => {
                    tracing::warn!(objects = self.url, "{problem}; the next older one is tried");
                    passed_over.push(problem);
                }
            }
        }
        if passed_over.is_empty()
            && let Some(newest) = names.first()
        {
            passed_over.push(format!("the newest one holds serial {}", newest.serial));
        }
        Err(ObjectError::None {
            url: self.url.clone(),
            serial_min: wanted.serial_min,
            of: wanted.source.clone(),
            tried: passed_over,
        })
    }

    /// Fetches one snapshot and publishes it.
    fn take<F: Files>(
        &self,
        object: &ObjectManifest,
        writer: &Writer<F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Manifest, Failed> {
        let file = object.name().snapshot();
        let mut base = writer.begin().map_err(over)?;
        let header = self.receive(&self.at(&file), object, writer, &mut base, go_on)?;
        let passed = |problem: &dyn std::fmt::Display| {
            Failed::Passed(format!("{file}: {problem}; it was published damaged"))
        };
        let bytes = object.bytes;
        let mut header = Header::decode_block(&header, bytes).map_err(|error| passed(&error))?;
        if (header.sums_hash, header.serial) != (object.sums_hash, object.serial) {
            return Err(passed(&"its header is not the one that its manifest names"));
        }
        // The directory counts its generations itself.
        header.generation = base.generation();
        let rewritten = base
            .seek(SeekFrom::Start(0))
            .and_then(|_| base.write_all(&header.encode()))
            .and_then(|()| base.flush());
        rewritten.map_err(|error| over(disk(writer, &base, error)))?;
        check(writer, &base).map_err(|error| passed(&error))?;
        writer.publish(base).map_err(over)
    }

    /// Receives a snapshot into a new base, part by part; returns its header block.
    fn receive<F: Files>(
        &self,
        at: &Path,
        object: &ObjectManifest,
        writer: &Writer<F>,
        base: &mut NewBase<F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Vec<u8>, Failed> {
        let file = object.name().snapshot();
        let passed = |problem: &dyn std::fmt::Display| Failed::Passed(format!("{file}: {problem}"));
        let size = self.runtime.block_on(self.store.head(at)).map_err(|error| passed(&error))?.size;
        if size != object.bytes {
            let expected = object.bytes;
            return Err(passed(&format!("has {size} bytes, its manifest says {expected}")));
        }
        let mut hash = xxhash3_128::Hasher::new();
        let (mut header, mut got) = (Vec::new(), 0_u64);
        while got < size {
            if !go_on(got, size) {
                return Err(Failed::Over(ObjectError::Interrupted));
            }
            let end = got.saturating_add(PART_BYTES as u64).min(size);
            // Each part is a request of its own, which the store tries again by itself.
            let part = self.runtime.block_on(self.store.get_range(at, got..end));
            let part = part.map_err(|error| passed(&error))?;
            if part.len() as u64 != end.saturating_sub(got) {
                return Err(passed(&"was cut while it was read"));
            }
            if got == 0 {
                header.extend_from_slice(part.get(..HEADER_BYTES).unwrap_or(&part));
            }
            hash.write(&part);
            base.write_all(&part).map_err(|error| over(disk(writer, base, error)))?;
            got = end;
        }
        if hash.finish_128() != object.hash {
            return Err(passed(&"its bytes are not those that its manifest names: it is damaged"));
        }
        Ok(header)
    }
}

/// Reads the new base back: what the disk holds is what is checked.
fn check<F: Files>(writer: &Writer<F>, base: &NewBase<F>) -> Result<(), FormatError> {
    let Ok(bytes) = writer.files().base(base.aside()) else { return Ok(()) };
    Snapshot::open(bytes)?.check_sums()
}

fn disk<F: Files>(writer: &Writer<F>, base: &NewBase<F>, source: std::io::Error) -> StoreError {
    let path = writer.files().path().join(base.aside());
    StoreError::Io { path, what: "write it", source }
}

fn over(error: StoreError) -> Failed {
    Failed::Over(ObjectError::Directory(error))
}
