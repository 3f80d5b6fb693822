//! External merge sort of 16-byte values.
//!
//! # Does not
//!
//! Keep equal values apart or together: the order is that of the numbers alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, SeekFrom, Write};
use std::rc::Rc;

use super::{Scratch, ScratchFile, run_buffer_bytes};

/// Bytes of a value.
const VALUE_BYTES: usize = size_of::<u128>();
/// Fewest values that are sorted at once.
const CHUNK_COUNT_MIN: usize = 4096;

/// Takes values in any order; keeps within the memory it is given, and spills beyond.
pub struct HashSorter {
    scratch: Rc<dyn Scratch>,
    values: Vec<u128>,
    chunk_count_max: usize,
    spill: Option<(Box<dyn ScratchFile>, Vec<usize>)>,
    count: u64,
}

impl HashSorter {
    /// A sorter that keeps within about `memory_bytes` (at least 64 KiB).
    #[must_use]
    pub fn new(scratch: Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        let chunk_count_max = (memory_bytes / VALUE_BYTES).max(CHUNK_COUNT_MIN);
        Self { scratch, values: Vec::new(), chunk_count_max, spill: None, count: 0 }
    }

    /// Number of values so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// Whatever the scratch file reports.
    pub fn push(&mut self, value: u128) -> io::Result<()> {
        if self.values.len() >= self.chunk_count_max {
            self.spill_chunk()?;
        }
        if self.values.capacity() == 0 {
            self.values.reserve_exact(self.chunk_count_max);
        }
        self.values.push(value);
        self.count += 1;
        Ok(())
    }

    fn spill_chunk(&mut self) -> io::Result<()> {
        self.values.sort_unstable();
        if self.spill.is_none() {
            self.spill = Some((self.scratch.create()?, Vec::new()));
        }
        let Some((file, chunks)) = &mut self.spill else { return Ok(()) };
        let mut out = io::BufWriter::with_capacity(1 << 20, file);
        for value in &self.values {
            out.write_all(&value.to_le_bytes())?;
        }
        out.flush()?;
        chunks.push(self.values.len());
        self.values.clear();
        Ok(())
    }

    /// Sorts, and hands the values out in ascending order.
    ///
    /// # Errors
    ///
    /// Whatever the scratch file reports.
    pub fn finish(mut self) -> io::Result<SortedHashes> {
        if self.spill.is_some() && !self.values.is_empty() {
            self.spill_chunk()?;
        }
        let memory_bytes = self.chunk_count_max.saturating_mul(VALUE_BYTES);
        let Some((mut file, chunks)) = self.spill.take() else {
            self.values.sort_unstable();
            return Ok(SortedHashes { source: Source::Memory(self.values.into_iter()) });
        };
        drop(self);
        let buffer_count = run_buffer_bytes(memory_bytes, chunks.len()) / VALUE_BYTES;
        let mut runs = Vec::with_capacity(chunks.len());
        let mut heap = BinaryHeap::with_capacity(chunks.len());
        let mut at = 0;
        for (number, left) in chunks.into_iter().enumerate() {
            let mut run = Run { at, left, buffer: Vec::new(), next: 0 };
            at += (left * VALUE_BYTES) as u64;
            if let Some(value) = run.take(&mut *file, buffer_count)? {
                heap.push(Reverse((value, number)));
            }
            runs.push(run);
        }
        Ok(SortedHashes { source: Source::Merge { file, runs, heap, buffer_count } })
    }
}

/// A run that is being read.
struct Run {
    at: u64,
    left: usize,
    buffer: Vec<u8>,
    next: usize,
}

impl Run {
    fn take(
        &mut self,
        file: &mut dyn ScratchFile,
        buffer_count: usize,
    ) -> io::Result<Option<u128>> {
        if self.next == self.buffer.len() {
            let count = self.left.min(buffer_count);
            if count == 0 {
                return Ok(None);
            }
            self.buffer.resize(count * VALUE_BYTES, 0);
            file.seek(SeekFrom::Start(self.at))?;
            file.read_exact(&mut self.buffer)?;
            self.at += (count * VALUE_BYTES) as u64;
            self.left -= count;
            self.next = 0;
        }
        let mut bytes = [0; VALUE_BYTES];
        bytes.copy_from_slice(&self.buffer[self.next..self.next + VALUE_BYTES]);
        self.next += VALUE_BYTES;
        Ok(Some(u128::from_le_bytes(bytes)))
    }
}

/// Values in ascending order.
pub struct SortedHashes {
    source: Source,
}

enum Source {
    Memory(std::vec::IntoIter<u128>),
    Merge {
        file: Box<dyn ScratchFile>,
        runs: Vec<Run>,
        heap: BinaryHeap<Reverse<(u128, usize)>>,
        buffer_count: usize,
    },
}

impl SortedHashes {
    /// All values at once, if none were spilled; otherwise itself.
    ///
    /// # Errors
    ///
    /// Itself, where values lie in a scratch file.
    pub(crate) fn into_memory(self) -> Result<Vec<u128>, Self> {
        match self.source {
            Source::Memory(values) => Ok(values.collect()),
            source @ Source::Merge { .. } => Err(Self { source }),
        }
    }

    /// The next value, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Whatever the scratch file reports.
    #[expect(clippy::should_implement_trait, reason = "can fail")]
    pub fn next(&mut self) -> io::Result<Option<u128>> {
        match &mut self.source {
            Source::Memory(values) => Ok(values.next()),
            Source::Merge { file, runs, heap, buffer_count } => {
                let Some(Reverse((value, number))) = heap.pop() else { return Ok(None) };
                if let Some(next) = runs[number].take(&mut **file, *buffer_count)? {
                    heap.push(Reverse((next, number)));
                }
                Ok(Some(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sort::MemoryScratch;

    #[test]
    fn values_come_out_ascending_whether_spilled_or_not() {
        for memory_bytes in [1 << 16, 64 << 20] {
            let mut sorter = HashSorter::new(Rc::new(MemoryScratch), memory_bytes);
            let mut state = 1u128;
            for _ in 0..20_000 {
                state = state.wrapping_mul(0xda94_2042_e4dd_58b5_u128).wrapping_add(99);
                sorter.push(state).unwrap();
            }
            let mut sorted = sorter.finish().unwrap();
            let mut out = Vec::new();
            while let Some(value) = sorted.next().unwrap() {
                out.push(value);
            }
            assert_eq!(out.len(), 20_000);
            assert!(out.is_sorted());
        }
    }
}
