//! Keys to ordinals while a snapshot is built: how references find what they refer to.
//!
//! A sorted list of 96 bits of a seeded hash over 32 bits of ordinal, with a directory of the
//! hashes' first bits: 16 bytes a key and one byte of directory. Beyond the memory bound the list
//! lies in a scratch file.
//!
//! # Invariants
//!
//! - Two keys are taken for one only if 96 bits of a hash with a random seed agree: with 100
//!   million keys that happens in one build of 10^13.

use std::io::{self, SeekFrom};
use std::rc::Rc;

use crate::key::hash_wide;
use crate::sort::{HashSorter, Scratch, ScratchFile, SortedHashes};

const ORDINAL_BITS: u32 = 32;
const VALUE_BYTES: usize = size_of::<u128>();
/// Keys per slot of the directory, on average.
const KEYS_PER_SLOT: u64 = 4;

/// What a key refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nothing.
    None,
    /// One record.
    One(u32),
    /// Several records have this key.
    Several,
    /// A nameserver of which nothing but the name is known.
    Named(u32),
}

/// Collects keys, then answers.
pub(crate) struct Links {
    seed: u64,
    memory_bytes: usize,
    scratch: Rc<dyn Scratch>,
    sorter: Option<HashSorter>,
    directory: Vec<u32>,
    directory_shift: u32,
    values: Values,
}

enum Values {
    Memory(Vec<u128>),
    File(Box<dyn ScratchFile>, Vec<u8>),
}

impl Links {
    pub(crate) fn new(seed: u64, scratch: Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        let sorter = Some(HashSorter::new(Rc::clone(&scratch), memory_bytes));
        Self {
            seed,
            memory_bytes,
            scratch,
            sorter,
            directory: Vec::new(),
            directory_shift: 0,
            values: Values::Memory(Vec::new()),
        }
    }

    /// Adds a key. Not after the first [`Self::find`].
    pub(crate) fn insert(&mut self, key: &[u8], ordinal: u32) -> io::Result<()> {
        let Some(sorter) = &mut self.sorter else {
            return Err(io::Error::other("a key came after the first search for one"));
        };
        let hash = hash_wide(self.seed, key) >> ORDINAL_BITS << ORDINAL_BITS;
        sorter.push(hash | u128::from(ordinal))
    }

    /// What `key` refers to. About 150 ns in memory.
    pub(crate) fn find(&mut self, key: &[u8]) -> io::Result<Link> {
        if let Some(sorter) = self.sorter.take() {
            self.freeze(sorter)?;
        }
        let wanted = hash_wide(self.seed, key) >> ORDINAL_BITS;
        let slot = self.slot(wanted << ORDINAL_BITS);
        let from = self.directory.get(slot).map_or(0, |&at| at as usize);
        let to = self.directory.get(slot + 1).map_or(0, |&at| at as usize);
        let mut found = Link::None;
        match &mut self.values {
            Values::Memory(values) => {
                for &value in values.get(from..to).unwrap_or_default() {
                    note(value, wanted, &mut found);
                }
            }
            Values::File(file, buffer) => {
                file.seek(SeekFrom::Start((from * VALUE_BYTES) as u64))?;
                buffer.resize((to - from) * VALUE_BYTES, 0);
                file.read_exact(buffer)?;
                for bytes in buffer.as_chunks::<VALUE_BYTES>().0 {
                    note(u128::from_le_bytes(*bytes), wanted, &mut found);
                }
            }
        }
        Ok(found)
    }

    fn slot(&self, value: u128) -> usize {
        usize::try_from(value >> self.directory_shift).unwrap_or(usize::MAX)
    }

    fn freeze(&mut self, sorter: HashSorter) -> io::Result<()> {
        let count = sorter.count();
        let slots = (count / KEYS_PER_SLOT).max(1).next_power_of_two();
        // At least one bit, since a shift by 128 is not one.
        let bits = slots.trailing_zeros().max(1);
        self.directory_shift = u128::BITS - bits;
        self.directory = vec![0; (1usize << bits) + 1];
        let sorted = sorter.finish()?;
        match sorted.into_memory() {
            Ok(values) => {
                for &value in &values {
                    self.count_value(value);
                }
                self.values = Values::Memory(values);
            }
            Err(sorted) => self.freeze_long(sorted, count)?,
        }
        let mut sum = 0;
        for start in &mut self.directory {
            let here = *start;
            *start = sum;
            sum += here;
        }
        Ok(())
    }

    /// Counts a value in its slot; prefix sums turn the counts into starts.
    fn count_value(&mut self, value: u128) {
        let slot = self.slot(value);
        if let Some(count) = self.directory.get_mut(slot) {
            *count += 1;
        }
    }

    fn freeze_long(&mut self, mut sorted: SortedHashes, count: u64) -> io::Result<()> {
        let fits = count <= (self.memory_bytes / VALUE_BYTES) as u64;
        let mut values = Vec::new();
        let mut file = self.scratch.create()?;
        let mut out = io::BufWriter::with_capacity(1 << 20, &mut file);
        while let Some(value) = sorted.next()? {
            self.count_value(value);
            if fits {
                values.push(value);
            } else {
                io::Write::write_all(&mut out, &value.to_le_bytes())?;
            }
        }
        io::Write::flush(&mut out)?;
        drop(out);
        self.values = if fits { Values::Memory(values) } else { Values::File(file, Vec::new()) };
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the ordinal is the low 32 bits")]
fn note(value: u128, wanted: u128, found: &mut Link) {
    if value >> ORDINAL_BITS == wanted {
        *found = match *found {
            Link::None => Link::One(value as u32),
            _ => Link::Several,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sort::MemoryScratch;

    #[test]
    fn keys_are_found_in_memory_and_in_a_file() {
        for memory_bytes in [1 << 16, 1 << 24] {
            let mut links = Links::new(3, Rc::new(MemoryScratch), memory_bytes);
            for i in 0..20_000u32 {
                links.insert(format!("key{i}").as_bytes(), i).unwrap();
            }
            links.insert(b"key7", 99_999).unwrap();
            for i in (0..20_000).step_by(7) {
                let expected = if i == 7 { Link::Several } else { Link::One(i) };
                assert_eq!(links.find(format!("key{i}").as_bytes()).unwrap(), expected);
            }
            assert_eq!(links.find(b"key20000").unwrap(), Link::None);
        }
    }

    #[test]
    fn without_keys_nothing_is_found() {
        let mut links = Links::new(3, Rc::new(MemoryScratch), 1 << 16);
        assert_eq!(links.find(b"x").unwrap(), Link::None);
    }
}
