//! Puts a base into an object store.
//!
//! # Invariants
//!
//! - The manifest comes last: a crash before it leaves an object that nobody fetches.
//!
//! # Does not
//!
//! Make the base: whoever calls has one, mapped or in memory.

use object_store::{ObjectStoreExt, WriteMultipart};
use snapshot_format::Snapshot;
use twox_hash::XxHash3_128;

use super::{ObjectError, ObjectManifest, Objects, PART_BYTES};
use crate::feed::key::{SecretKey, Trusted};
use crate::feed::message::Source;

/// Parts that are under way at a time.
const PARTS_UNDER_WAY_MAX: usize = 4;

/// How a snapshot is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// Whose serials it has, if it has any.
    pub source: Option<&'a Source>,
    /// What signs its manifest.
    pub key: Option<&'a SecretKey>,
    /// Whether one that is there already is written again: it may be damaged there.
    pub replace: bool,
}

/// A snapshot that is in the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What it is.
    pub manifest: ObjectManifest,
    /// Whether it was there already, and has stayed.
    pub was_there: bool,
}

impl Objects {
    /// Puts a base into the object store, and its manifest beside it, written anew unless it names
    /// another source: nodes that have followed the one would be told that they follow the other.
    /// Asks `go_on` before each part of [`PART_BYTES`], with bytes sent and bytes in all. Reads the
    /// base three times: its checksums are compared, and its hash is made, first.
    ///
    /// # Errors
    ///
    /// The base is damaged, the object store refuses, or `go_on` says no.
    pub fn publish<D: AsRef<[u8]>>(
        &self,
        base: &Snapshot<D>,
        how: How<'_>,
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Published, ObjectError> {
        base.check_sums().map_err(ObjectError::Damaged)?;
        let (header, bytes) = (base.header(), base.data().as_ref());
        let mut manifest = ObjectManifest {
            source: how.source.cloned(),
            generation: header.generation,
            serial: header.serial,
            time_ms: header.watermark_ms,
            bytes: bytes.len() as u64,
            hash: XxHash3_128::oneshot(bytes),
            sums_hash: header.sums_hash,
        };
        let name = manifest.name();
        let there = self.manifest(name, &Trusted::default()).ok().and_then(|there| there.source);
        if let (Some(got), Some(own)) = (&there, &manifest.source)
            && got != own
        {
            let (got, own) = (got.clone(), own.clone());
            let (url, file) = (self.url.clone(), name.manifest());
            return Err(ObjectError::OtherSource { url, file, got, own });
        }
        // Who does not say whose serials they are does not unsay it.
        manifest.source = manifest.source.take().or(there);
        let object = self.at(&name.snapshot());
        let was_there = match self.runtime.block_on(self.store.head(&object)) {
            Ok(meta) => meta.size == manifest.bytes && !how.replace,
            Err(object_store::Error::NotFound { .. }) => false,
            Err(error) => return Err(self.failed("look for the snapshot", &error)),
        };
        if !was_there {
            self.put(&object, bytes, go_on)?;
        }
        let text = manifest.encode(how.key);
        let at = self.at(&name.manifest());
        let written = self.runtime.block_on(self.store.put(&at, text.into_bytes().into()));
        written.map_err(|error| self.failed("write the manifest", &error))?;
        Ok(Published { manifest, was_there })
    }

    fn put(
        &self,
        object: &object_store::path::Path,
        bytes: &[u8],
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<(), ObjectError> {
        let failed = |error: object_store::Error| self.failed("write the snapshot", &error);
        self.runtime.block_on(async {
            let upload = self.store.put_multipart(object).await.map_err(failed)?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            let mut sent = 0_u64;
            for part in bytes.chunks(PART_BYTES) {
                if !go_on(sent, bytes.len() as u64) {
                    upload.abort().await.map_err(failed)?;
                    return Err(ObjectError::Interrupted);
                }
                upload.wait_for_capacity(PARTS_UNDER_WAY_MAX).await.map_err(failed)?;
                upload.write(part);
                sent = sent.saturating_add(part.len() as u64);
            }
            upload.finish().await.map(drop).map_err(failed)
        })
    }
}
