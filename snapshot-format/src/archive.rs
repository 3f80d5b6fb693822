//! Records into their archives.
//!
//! # Invariants
//!
//! - An archive has at most [`RECORD_BYTES_MAX`] bytes; its root ends where it ends.
//!
//! # Does not
//!
//! Know where archives go.

use rkyv::api::low::LowSerializer;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::{Arena, ArenaHandle};
use rkyv::util::AlignedVec;

use crate::error::BuildError;
use crate::layout::Kind;
use crate::limits::{KEY_BYTES_MAX, RECORD_BYTES_MAX};

/// Archives one record after another into the same memory.
pub(crate) struct Archiver {
    arena: Arena,
    buffer: AlignedVec,
}

impl Archiver {
    pub(crate) fn new() -> Self {
        Self { arena: Arena::new(), buffer: AlignedVec::new() }
    }

    /// The archive of a record; `kind` and `key` say whose it is if it cannot be made.
    pub(crate) fn archive<T>(
        &mut self,
        kind: Kind,
        key: &str,
        record: &T,
    ) -> Result<&[u8], BuildError>
    where
        T: for<'a> rkyv::Serialize<LowSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
    {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let handle = self.arena.acquire();
        let archived = rkyv::api::low::to_bytes_in_with_alloc(record, buffer, handle);
        self.buffer = archived.map_err(|error: BoxedError| BuildError::Archive {
            kind,
            key: key.into(),
            message: error.to_string(),
        })?;
        let got = self.buffer.len();
        if got > RECORD_BYTES_MAX {
            let (what, max) = ("the record, in bytes,", RECORD_BYTES_MAX);
            return Err(BuildError::TooLarge { kind, key: key.into(), what, got, max });
        }
        Ok(&self.buffer)
    }
}

/// Whether a key has a length that indexes and logs can hold.
pub(crate) fn check_key(kind: Kind, key: &str) -> Result<(), BuildError> {
    if !key.is_empty() && key.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    let (what, got) = ("the key, in bytes (none is empty),", key.len());
    let key = key.chars().take(80).collect();
    Err(BuildError::TooLarge { kind, key, what, got, max: KEY_BYTES_MAX })
}
