//! External merge sort of (key, payload) records.
//!
//! # Invariants
//!
//! - `stable`: records with equal keys come out in the order in which they went in.
//! - `bounded`: the arena and its index together never pass the memory that [`Sorter::new`] was
//!   given, apart from one record.
//!
//! # Does not
//!
//! Remove duplicates, or look into payloads.

use std::cmp::Ordering;
use std::io::{self, SeekFrom, Write};
use std::rc::Rc;

use super::{Scratch, ScratchFile, run_buffer_bytes};
use crate::limits::KEY_BYTES_MAX;

/// Length fields in front of a stored record: key `u16`, payload `u32`.
const FRAME_BYTES: usize = 6;
/// Largest payload, bytes: far above any object that an importer accepts.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Smallest useful memory, bytes.
const MEMORY_BYTES_MIN: usize = 1 << 20;
/// Arena offsets are `u32`.
const ARENA_BYTES_MAX: usize = u32::MAX as usize;

/// Place of a record in the arena, with the head of its key so that most comparisons stay here.
#[derive(Clone, Copy)]
struct Entry {
    head: [u64; 2],
    offset: u32,
}

/// Takes records in any order.
pub struct Sorter {
    scratch: Rc<dyn Scratch>,
    memory_bytes: usize,
    arena: Vec<u8>,
    arena_bytes_max: usize,
    entries: Vec<Entry>,
    entry_count_max: usize,
    spill: Option<Spill>,
}

/// One file that holds all runs, one after another.
struct Spill {
    file: Box<dyn ScratchFile>,
    runs: Vec<(u64, u64)>,
    end: u64,
}

impl Sorter {
    /// A sorter that keeps within `memory_bytes` (at least 1 MiB), and spills into files of
    /// `scratch` beyond that.
    #[must_use]
    pub fn new(scratch: Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        let memory_bytes = memory_bytes.max(MEMORY_BYTES_MIN);
        let index_bytes = memory_bytes / 5;
        Self {
            scratch,
            memory_bytes,
            arena: Vec::new(),
            arena_bytes_max: (memory_bytes - index_bytes).min(ARENA_BYTES_MAX),
            entries: Vec::new(),
            entry_count_max: index_bytes / size_of::<Entry>(),
            spill: None,
        }
    }

    /// Adds a record. Amortised cost: two copies of the record, and its share of sorting.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the key is longer than [`KEY_BYTES_MAX`] or the payload longer than
    /// 16 MiB; whatever the scratch file reports.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> io::Result<()> {
        if key.len() > KEY_BYTES_MAX || payload.len() > PAYLOAD_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "record too long to sort: key {} bytes of at most {KEY_BYTES_MAX}, payload {} \
                     bytes of at most {PAYLOAD_BYTES_MAX}",
                    key.len(),
                    payload.len()
                ),
            ));
        }
        if self.arena.capacity() == 0 {
            // Reserved whole, so that growing never holds two copies; pages that stay untouched
            // cost no memory.
            self.arena.reserve_exact(self.arena_bytes_max);
            self.entries.reserve_exact(self.entry_count_max);
        }
        let need = FRAME_BYTES + key.len() + payload.len();
        if !self.entries.is_empty()
            && (self.arena.len() + need > self.arena_bytes_max
                || self.entries.len() >= self.entry_count_max)
        {
            self.spill_run()?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by ARENA_BYTES_MAX")]
        let offset = self.arena.len() as u32;
        self.entries.push(Entry { head: key_head(key), offset });
        #[expect(clippy::cast_possible_truncation, reason = "both lengths are checked above")]
        {
            self.arena.extend_from_slice(&(key.len() as u16).to_le_bytes());
            self.arena.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        }
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(payload);
        Ok(())
    }

    /// Sorts, and hands the records out in order.
    ///
    /// # Errors
    ///
    /// Whatever the scratch file reports.
    pub fn finish(mut self) -> io::Result<Sorted> {
        let Some(_) = self.spill else {
            self.sort_entries();
            let (arena, entries) = (self.arena, self.entries);
            return Ok(Sorted { source: Source::Memory { arena, entries, next: 0 } });
        };
        if !self.entries.is_empty() {
            self.spill_run()?;
        }
        let memory_bytes = self.memory_bytes;
        let spill = self.spill.take();
        drop(self); // the arena's memory, before the merge takes its buffers
        let Some(spill) = spill else { return Ok(Sorted::empty()) };
        Ok(Sorted { source: Source::Merge(Merge::new(spill, memory_bytes)?) })
    }

    fn sort_entries(&mut self) {
        let arena = &self.arena;
        self.entries.sort_unstable_by(|a, b| {
            a.head
                .cmp(&b.head)
                .then_with(|| frame(arena, a.offset).0.cmp(frame(arena, b.offset).0))
                .then(a.offset.cmp(&b.offset))
        });
    }

    fn spill_run(&mut self) -> io::Result<()> {
        self.sort_entries();
        if self.spill.is_none() {
            let file = self.scratch.create()?;
            self.spill = Some(Spill { file, runs: Vec::new(), end: 0 });
        }
        let Some(spill) = &mut self.spill else { return Ok(()) };
        let start = spill.end;
        let mut out = io::BufWriter::with_capacity(1 << 20, &mut spill.file);
        for entry in &self.entries {
            let (key, payload) = frame(&self.arena, entry.offset);
            let from = entry.offset as usize;
            let bytes = &self.arena[from..from + FRAME_BYTES + key.len() + payload.len()];
            out.write_all(bytes)?;
            spill.end += bytes.len() as u64;
        }
        out.flush()?;
        drop(out);
        spill.runs.push((start, spill.end));
        self.arena.clear();
        self.entries.clear();
        Ok(())
    }
}

/// The first 16 bytes of a key, so that comparing heads agrees with comparing keys.
fn key_head(key: &[u8]) -> [u64; 2] {
    let mut head = [0u8; 16];
    let n = key.len().min(16);
    head[..n].copy_from_slice(&key[..n]);
    let head = u128::from_be_bytes(head);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    [(head >> 64) as u64, head as u64]
}

/// Lengths of key and payload from a record's frame.
fn frame_lengths(frame: &[u8]) -> (usize, usize) {
    let key = u16::from_le_bytes([frame[0], frame[1]]);
    let payload = u32::from_le_bytes([frame[2], frame[3], frame[4], frame[5]]);
    (key as usize, payload as usize)
}

fn frame(arena: &[u8], offset: u32) -> (&[u8], &[u8]) {
    let at = offset as usize;
    let (key_len, payload_len) = frame_lengths(&arena[at..at + FRAME_BYTES]);
    let key_at = at + FRAME_BYTES;
    let payload_at = key_at + key_len;
    (&arena[key_at..payload_at], &arena[payload_at..payload_at + payload_len])
}

/// Records in ascending order of their keys.
pub struct Sorted {
    source: Source,
}

enum Source {
    Memory { arena: Vec<u8>, entries: Vec<Entry>, next: usize },
    Merge(Merge),
}

impl Sorted {
    fn empty() -> Self {
        Self { source: Source::Memory { arena: Vec::new(), entries: Vec::new(), next: 0 } }
    }

    /// The next (key, payload), or `None` at the end.
    ///
    /// # Errors
    ///
    /// Whatever the scratch file reports.
    #[expect(clippy::should_implement_trait, reason = "lends from its own buffers")]
    pub fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        match &mut self.source {
            Source::Memory { arena, entries, next } => {
                let Some(entry) = entries.get(*next) else { return Ok(None) };
                *next += 1;
                Ok(Some(frame(arena, entry.offset)))
            }
            Source::Merge(merge) => merge.next(),
        }
    }
}

/// A run that is being read.
struct Run {
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    /// Start of the current record in `buffer`; it is whole unless the run is used up.
    current: usize,
    head: [u64; 2],
    key_len: usize,
    payload_len: usize,
    done: bool,
}

impl Run {
    fn key(&self) -> &[u8] {
        let from = self.current + FRAME_BYTES;
        &self.buffer[from..from + self.key_len]
    }

    fn payload(&self) -> &[u8] {
        let from = self.current + FRAME_BYTES + self.key_len;
        &self.buffer[from..from + self.payload_len]
    }

    fn advance(&mut self, file: &mut dyn ScratchFile, buffer_bytes: usize) -> io::Result<()> {
        self.current += FRAME_BYTES + self.key_len + self.payload_len;
        self.load(file, buffer_bytes)
    }

    /// Makes the record at `current` whole, reading on if it is not.
    fn load(&mut self, file: &mut dyn ScratchFile, buffer_bytes: usize) -> io::Result<()> {
        if self.current == self.buffer.len() && self.at == self.end {
            self.done = true;
            return Ok(());
        }
        self.fill(FRAME_BYTES, file, buffer_bytes)?;
        let (key_len, payload_len) = frame_lengths(&self.buffer[self.current..]);
        self.fill(FRAME_BYTES + key_len + payload_len, file, buffer_bytes)?;
        self.key_len = key_len;
        self.payload_len = payload_len;
        self.head = key_head(self.key());
        Ok(())
    }

    /// Reads until `need` bytes from `current` on are in the buffer.
    fn fill(
        &mut self,
        need: usize,
        file: &mut dyn ScratchFile,
        buffer_bytes: usize,
    ) -> io::Result<()> {
        let have = self.buffer.len() - self.current;
        if have >= need {
            return Ok(());
        }
        self.buffer.drain(..self.current);
        self.current = 0;
        let want = need.max(buffer_bytes) - have;
        let left = self.end - self.at;
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(want);
        file.seek(SeekFrom::Start(self.at))?;
        self.buffer.resize(have + want, 0);
        file.read_exact(&mut self.buffer[have..])?;
        self.at += want as u64;
        if self.buffer.len() < need {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a scratch file ends within a record: was it changed while it was in use?",
            ));
        }
        Ok(())
    }
}

/// Merge of all runs: a binary heap of run numbers, smallest current record on top.
struct Merge {
    file: Box<dyn ScratchFile>,
    runs: Vec<Run>,
    heap: Vec<usize>,
    buffer_bytes: usize,
    started: bool,
}

impl Merge {
    fn new(spill: Spill, memory_bytes: usize) -> io::Result<Self> {
        let Spill { mut file, runs, .. } = spill;
        let buffer_bytes = run_buffer_bytes(memory_bytes, runs.len());
        let mut open = Vec::with_capacity(runs.len());
        for (at, end) in runs {
            let (buffer, current, head) = (Vec::new(), 0, [0; 2]);
            let mut run =
                Run { at, end, buffer, current, head, key_len: 0, payload_len: 0, done: false };
            run.load(&mut *file, buffer_bytes)?;
            open.push(run);
        }
        let heap = (0..open.len()).collect();
        let mut merge = Self { file, runs: open, heap, buffer_bytes, started: false };
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift_down(at);
        }
        Ok(merge)
    }

    fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        if self.started {
            let Some(&top) = self.heap.first() else { return Ok(None) };
            self.runs[top].advance(&mut *self.file, self.buffer_bytes)?;
            if self.runs[top].done {
                self.heap.swap_remove(0);
            }
            self.sift_down(0);
        }
        self.started = true;
        let Some(&top) = self.heap.first() else { return Ok(None) };
        let run = &self.runs[top];
        Ok(Some((run.key(), run.payload())))
    }

    fn less(&self, a: usize, b: usize) -> bool {
        let (run_a, run_b) = (&self.runs[a], &self.runs[b]);
        let order =
            run_a.head.cmp(&run_b.head).then_with(|| run_a.key().cmp(run_b.key())).then(a.cmp(&b));
        order == Ordering::Less
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.less(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sort::MemoryScratch;

    fn sorted(count: usize, memory_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut sorter = Sorter::new(Rc::new(MemoryScratch), memory_bytes);
        let mut state = 7u64;
        for i in 0..count {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = format!("key-{}", (state >> 33) % (count as u64));
            sorter.push(key.as_bytes(), &vec![b'x'; i % 700]).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut out = Vec::new();
        while let Some((key, payload)) = sorted.next().unwrap() {
            out.push((key.to_vec(), payload.to_vec()));
        }
        out
    }

    #[test]
    fn spilled_and_unspilled_records_come_out_alike_and_stable() {
        let in_memory = sorted(20_000, 64 << 20);
        let spilled = sorted(20_000, 1 << 20);
        assert_eq!(in_memory.len(), 20_000);
        assert!(in_memory.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert!(in_memory == spilled);
    }

    #[test]
    fn nothing_in_is_nothing_out() {
        assert!(sorted(0, 1 << 20).is_empty());
    }

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        let mut sorter = Sorter::new(Rc::new(MemoryScratch), 1 << 20);
        let error = sorter.push(&[0; KEY_BYTES_MAX + 1], b"").unwrap_err();
        assert!(error.to_string().contains("key 1025 bytes of at most 1024"));
    }
}
