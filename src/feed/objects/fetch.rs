//! Fetches the newest snapshot that will do into a snapshot directory.
//!
//! # Invariants
//!
//! - `whole`: a base that is published has the length, the hash, the checksums and the serial that
//!   its manifest names; its generation is the directory's next.
//! - One that fails that, or is not signed right, is passed over for the next older one that still
//!   holds what is wanted.
//! - One that may not take the place of what there is ends the fetch: older ones do no better.
//!
//! # Does not
//!
//! Know which serial the node has: the caller names the least one, so that nothing goes back.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use snapshot_format::delta::Generation;
use snapshot_format::limits::HEADER_BYTES;
use snapshot_format::{FormatError, Header, Snapshot};

use super::error::{NotPermitted, ObjectError, Spoilt, Unusable, Unused};
use super::{ObjectManifest, Objects, PART_BYTES};
use crate::feed::key::Trusted;
use crate::feed::nats::Wanted;
use crate::store::{Files, GenerationOf, Manifest, NewBase, StoreError, Writer};

/// Says why a snapshot may not take the place of what there is.
pub type Vet<'v, F> = &'v mut dyn FnMut(&GenerationOf<F>) -> Result<(), NotPermitted>;

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
    Passed(Unused),
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
    /// No snapshot can be used, the object store cannot be listed, the directory cannot be written,
    /// `vet` refuses to replace what there is, or `go_on` says no. The current generation stays
    /// current.
    pub fn fetch<F: Files>(
        &self,
        wanted: &Wanted,
        trusted: &Trusted,
        writer: &Writer<F>,
        vet: Vet<'_, F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Arrived, ObjectError> {
        let mut passed_over = Vec::new();
        let names = self.names()?;
        let newer = names.iter().filter(|name| name.serial >= wanted.serial_min);
        for name in newer.take(TRIES_MAX) {
            let tried = self.manifest(*name, trusted).map_err(Failed::Passed).and_then(|object| {
                if !wanted.is_of(object.source.as_ref()) {
                    let got = object.source.map_or_else(String::new, |got| got.to_string());
                    let problem = Unusable::OtherSource { got };
                    return Err(Failed::Passed(Unused { file: name.manifest(), problem }));
                }
                let manifest = self.take(&object, writer, vet, go_on)?;
                Ok((object, manifest))
            });
            match tried {
                Ok((object, manifest)) => return Ok(Arrived { object, manifest, passed_over }),
                Err(Failed::Over(error)) => return Err(error),
                Err(Failed::Passed(unused)) => {
                    tracing::warn!(objects = self.url, "{unused}; the next older one is tried");
                    passed_over.push(unused.to_string());
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
        vet: Vet<'_, F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Manifest, Failed> {
        let file = object.name().snapshot();
        let meta = self.runtime.block_on(self.store.head(&self.at(&file)));
        let meta = meta.map_err(|error| passed(object, error.into()))?;
        if meta.size != object.bytes {
            let (got, expected) = (meta.size, object.bytes);
            return Err(passed(object, Unusable::Length { got, expected }));
        }
        if let Some(spoilt) = self.known_bad(&file, &meta) {
            return Err(passed(object, Unusable::Damaged(spoilt)));
        }
        let taken = self.take_bytes(&self.at(&file), object, writer, vet, go_on);
        if let Err(Failed::Passed(Unused { problem: Unusable::Damaged(spoilt), .. })) = &taken {
            self.note_bad(&file, &meta, spoilt);
        }
        taken
    }

    fn take_bytes<F: Files>(
        &self,
        at: &Path,
        object: &ObjectManifest,
        writer: &Writer<F>,
        vet: Vet<'_, F>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Manifest, Failed> {
        let mut base = writer.begin().map_err(over)?;
        let header = self.receive(at, object, writer, &mut base, go_on)?;
        let unread = |error: FormatError| damaged(object, error.into());
        let mut header = Header::decode_block(&header, object.bytes).map_err(unread)?;
        if (header.sums_hash, header.serial) != (object.sums_hash, object.serial) {
            return Err(damaged(object, Spoilt::Header));
        }
        // The directory counts its generations itself.
        header.generation = base.generation();
        let rewritten = base
            .seek(SeekFrom::Start(0))
            .and_then(|_| base.write_all(&header.encode()))
            .and_then(|()| base.flush());
        rewritten.map_err(|error| over(disk(writer, &base, "write it", error)))?;
        let bytes = writer.files().base(base.aside());
        let bytes = bytes.map_err(|error| over(disk(writer, &base, "read it back", error)))?;
        let made = check::<F>(bytes).map_err(unread)?;
        vet(&made).map_err(|problem| over(ObjectError::NotPermitted { problem }))?;
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
        let size = object.bytes;
        let mut hash = Sha256::new();
        let (mut header, mut got) = (Vec::new(), 0_u64);
        while got < size {
            if !go_on(got, size) {
                return Err(Failed::Over(ObjectError::Interrupted));
            }
            let end = got.saturating_add(PART_BYTES as u64).min(size);
            // Each part is a request of its own, which the store tries again by itself.
            let part = self.runtime.block_on(self.store.get_range(at, got..end));
            let part = part.map_err(|error| passed(object, error.into()))?;
            if part.len() as u64 != end.saturating_sub(got) {
                return Err(passed(object, Unusable::Cut));
            }
            if got == 0 {
                header.extend_from_slice(part.get(..HEADER_BYTES).unwrap_or(&part));
            }
            hash.update(&part);
            base.write_all(&part).map_err(|error| over(disk(writer, base, "write it", error)))?;
            got = end;
        }
        if <[u8; 32]>::from(hash.finalize()) != object.hash {
            return Err(damaged(object, Spoilt::Hash));
        }
        Ok(header)
    }
}

/// Reads the new base back, so that the bytes on the disk are checked.
fn check<F: Files>(bytes: F::Base) -> Result<GenerationOf<F>, FormatError> {
    let made = Snapshot::open(bytes)?;
    made.check_sums()?;
    Generation::of_base(Arc::new(made))
}

fn disk<F: Files>(
    writer: &Writer<F>,
    base: &NewBase<F>,
    what: &'static str,
    source: std::io::Error,
) -> StoreError {
    let path = writer.files().path().join(base.aside());
    StoreError::Io { path, what, source }
}

fn passed(object: &ObjectManifest, problem: Unusable) -> Failed {
    Failed::Passed(Unused { file: object.name().snapshot(), problem })
}

fn damaged(object: &ObjectManifest, spoilt: Spoilt) -> Failed {
    passed(object, Unusable::Damaged(Arc::new(spoilt)))
}

fn over(error: impl Into<ObjectError>) -> Failed {
    Failed::Over(error.into())
}
