//! Changes over a base: a log of batches that is at the same time the heap of the changed records,
//! and what finds them.
//!
//! [`encode()`] turns changes into the payload of a frame ([`frame`], [`entry`]); the code that
//! stores it gives the stored bytes back as a [`Heap`]; [`Generation::with_frame`] makes the next
//! generation of them, which shares everything with the one before but what changed.
//! [`fold`](mod@fold) writes a generation as a new base. FORMAT.md describes the bytes.
//!
//! # Invariants
//!
//! - `stable ordinals`: an ordinal of a registrar, IDN table, contact or nameserver belongs to one
//!   key for ever, through removals and folds; a reference to a key that is not there yet reserves
//!   its ordinal. So the order of changes within a batch does not matter, and records that refer to
//!   a changed one need no change themselves.
//! - `hints`: an index entry says where a key may be; the current record decides. Entries of the
//!   base's indexes are not repeated, and wrong ones are not removed: a reader compares.
//! - `one path`: a generation that follows the log and one that is opened fresh go through the same
//!   function for each frame.
//!
//! # Does not
//!
//! Touch files, or read clocks.

mod cow;
pub mod encode;
pub mod entry;
pub mod fold;
pub mod frame;
mod generation;
mod hosts;
mod lookup;
mod mark;
mod naming;
mod objects;
mod others;
mod overlay;
mod set;
mod since;
mod walk;

pub use encode::{Encoded, encode, encode_with};
pub use fold::fold;
pub use frame::{Frame, FrameHead, LogHead};
pub use generation::{Generation, State};
pub use lookup::{Owner, Variant};
pub use mark::DepositMark;
pub use naming::Naming;
pub use objects::Chosen;
pub use others::{Fate, Gone, Shared, others, shared};
pub use since::Position;
pub use walk::{FoundHost, Walked};

pub(crate) use overlay::addresses_of;

use std::ops::Range;

/// Bytes of a log that a generation reads records from.
///
/// Only places at which a frame was indexed are read: bytes after the last frame may change.
pub trait Heap {
    /// The bytes at `range`, or `None` beyond what was written.
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]>;
}

impl Heap for Vec<u8> {
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        self.get(range)
    }
}
