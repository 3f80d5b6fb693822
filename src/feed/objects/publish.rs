//! Puts a base into an object store.
//!
//! # Invariants
//!
//! - The manifest comes last: a crash before it leaves an object that nobody fetches.
//! - A manifest that is there and says the same of the snapshot stays, unless a key signs it or a
//!   source is named that it lacks: nothing takes a signature away.
//! - A manifest names the hash of the bytes that lie beside it. The same data have other bytes
//!   where a directory counts its generations otherwise: the bytes that are there stay, with their
//!   hash.
//!
//! # Does not
//!
//! Make the base: the caller has one, mapped or in memory.

use object_store::{ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use snapshot_format::Snapshot;

use super::manifest::Name;
use super::{ObjectError, ObjectManifest, Objects, PART_BYTES};
use crate::feed::key::{SecretKey, Trusted};
use crate::feed::message::Source;

/// Parts that are under way at a time.
const PARTS_UNDER_WAY_MAX: usize = 4;

/// How a snapshot is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// The source of its serials, if it has any.
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
    /// Id of the key that its manifest is signed with, if it is signed.
    pub key: Option<String>,
    /// What has changed in a manifest that was there already, each in words.
    pub changes: Vec<String>,
}

/// A manifest that is there already.
struct There {
    manifest: ObjectManifest,
    /// Id of the key that it names.
    key: Option<String>,
}

impl Objects {
    /// Puts a base into the object store, and its manifest beside it. A manifest that is there gets
    /// a signature or a source that it lacks, and keeps those that it has; one with another source
    /// is an error: it would tell nodes that follow the one that they follow the other.
    ///
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
            hash: Sha256::digest(bytes).into(),
            sums_hash: header.sums_hash,
        };
        let name = manifest.name();
        let there = self.there(name);
        let object = self.at(&name.snapshot());
        let was_there = match self.runtime.block_on(self.store.head(&object)) {
            Ok(meta) => meta.size == manifest.bytes && !how.replace && there.is_some(),
            Err(object_store::Error::NotFound { .. }) => false,
            Err(error) => return Err(self.failed("look for the snapshot", error)),
        };
        if let Some(there) = there.as_ref().filter(|_| was_there) {
            manifest.generation = there.manifest.generation;
            manifest.hash = there.manifest.hash;
        }
        self.settle(&mut manifest, there.as_ref(), how.key.is_some())?;
        if !was_there {
            self.put(&object, bytes, go_on)?;
        }
        let own_key = how.key.map(|key| key.public().id().to_owned());
        let (changes, key) = match &there {
            None => (Vec::new(), own_key),
            Some(there) => (
                changes(there, &manifest, own_key.as_deref()),
                own_key.or_else(|| there.key.clone()),
            ),
        };
        let same = there.is_some_and(|there| there.manifest == manifest);
        // A key signs again: a signature that is there may be wrong.
        if same && how.key.is_none() && changes.is_empty() {
            return Ok(Published { manifest, was_there, key, changes });
        }
        let text = manifest.encode(how.key);
        let at = self.at(&name.manifest());
        let written = self.runtime.block_on(self.store.put(&at, text.into_bytes().into()));
        written.map_err(|error| self.failed("write the manifest", error))?;
        Ok(Published { manifest, was_there, key, changes })
    }

    /// The manifest that lies under a name, if one does that reads.
    fn there(&self, name: Name) -> Option<There> {
        let manifest = self.manifest(name, &Trusted::default()).ok()?;
        let key = self.manifest_text(&name.manifest()).ok().and_then(|text| key_of(&text));
        Some(There { manifest, key })
    }

    /// Lets a manifest say what the one says that is there already, where it says nothing itself.
    fn settle(
        &self,
        manifest: &mut ObjectManifest,
        there: Option<&There>,
        is_signing: bool,
    ) -> Result<(), ObjectError> {
        let Some(there) = there else { return Ok(()) };
        let (url, file) = (self.url.clone(), manifest.name().manifest());
        if let (Some(got), Some(own)) = (&there.manifest.source, &manifest.source)
            && got != own
        {
            let (got, own) = (got.clone(), own.clone());
            return Err(ObjectError::OtherSource { url, file, got, own });
        }
        // A call that names no source does not remove one.
        manifest.source = manifest.source.take().or_else(|| there.manifest.source.clone());
        match &there.key {
            Some(key) if !is_signing && *manifest != there.manifest => {
                Err(ObjectError::Signed { url, file, key: key.clone() })
            }
            _ => Ok(()),
        }
    }

    fn put(
        &self,
        object: &object_store::path::Path,
        bytes: &[u8],
        go_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<(), ObjectError> {
        let failed = |error: object_store::Error| self.failed("write the snapshot", error);
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

/// Id of the key that a manifest names as its signer's.
fn key_of(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("key ")).map(str::to_owned)
}

/// How a manifest differs from the one that is there.
fn changes(there: &There, manifest: &ObjectManifest, key: Option<&str>) -> Vec<String> {
    let mut changes = Vec::new();
    match (&there.key, key) {
        (Some(had), Some(key)) if had != key => {
            changes.push(format!("the signature of key {had} was replaced by one of key {key}"));
        }
        (None, Some(key)) => changes.push(format!("it was not signed, and is now, with key {key}")),
        _ => {}
    }
    if let (None, Some(source)) = (&there.manifest.source, &manifest.source) {
        changes.push(format!("it had no source, and has {source} now"));
    }
    changes
}
