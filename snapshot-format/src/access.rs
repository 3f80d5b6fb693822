//! Bytes into records, and the hint that loads them early: the only file of this crate with
//! `unsafe`.
//!
//! # Invariants
//!
//! - Every access is checked (`bytecheck`): it costs about 20 ns a record, and a damaged file
//!   yields an error, never undefined behaviour.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use rkyv::Portable;
use rkyv::api::low::LowValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;

/// The record whose archive `bytes` is: its root ends where they end.
#[inline]
pub(crate) fn record<T>(bytes: &[u8]) -> Option<&T>
where
    T: Portable + for<'a> CheckBytes<LowValidator<'a, Failure>>,
{
    rkyv::api::low::access::<T, Failure>(bytes).ok()
}

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Starts loading up to `lines_max` cache lines of `bytes`, from the end, where an archive's root
/// is, backwards. A hint: it changes nothing but time.
#[inline]
pub(crate) fn prefetch(bytes: &[u8], lines_max: usize) {
    for line in bytes.rchunks(LINE_BYTES).take(lines_max) {
        prefetch_line(line);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch_line(line: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch reads nothing into the program and never faults; the pointer is that of a
    // live slice all the same. Every x86-64 processor has the instruction.
    #[expect(unsafe_code, reason = "there is no safe prefetch; worth 40 % of an answer")]
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn prefetch_line(_line: &[u8]) {}
