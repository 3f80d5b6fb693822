//! A disk that fails: operations refuse, writes tear, unsynced writes are lost or not, renames
//! come back from a crash or do not, in any order, and the disk fills up. All from a seed.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use snapshot_format::delta::Heap;
use whoisd::store::{Files, Holder};

use crate::delta_model::Random;

/// Bytes that a device writes as one.
pub(crate) const SECTOR_BYTES: usize = 512;
/// Writes into one file between two crashes.
const WRITES_MAX: usize = 1024;

/// A simulated disk.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

struct State {
    random: Random,
    /// One operation of so many fails; 0: none.
    fails_one_of: u64,
    /// Operations until the machine dies.
    dies_after: Option<u64>,
    /// Bytes that fit.
    room_bytes: usize,
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the directory was synced.
    pending: Vec<NameChange>,
    pub(crate) operations: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("names", &self.names).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
enum NameChange {
    Put(String, usize),
    /// The name of a file changes; which file it names stays true whatever else is lost.
    Rename(String, String, usize),
    Remove(String),
}

/// A file's bytes.
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Writes since the last sync.
    pending: Vec<(usize, Vec<u8>)>,
    written: Arc<Written>,
}

/// The written bytes, in blocks that stay: slices are lent out of them.
#[derive(Debug)]
pub(crate) struct Written {
    blocks: Box<[OnceLock<Block>]>,
}

/// Where bytes start in their file, and the bytes.
type Block = (usize, Vec<u8>);

impl Written {
    fn new() -> Arc<Self> {
        Arc::new(Self { blocks: (0..WRITES_MAX).map(|_| OnceLock::new()).collect() })
    }

    fn push(&self, at: usize, bytes: &[u8]) {
        let filled = self.blocks.iter().take_while(|block| block.get().is_some()).count();
        // A write that continues the one before is placed beside it: short writes make one block.
        let before = filled.checked_sub(1).and_then(|last| self.blocks[last].get());
        let block = match before {
            Some((start, block)) if start + block.len() == at => {
                (*start, [block.as_slice(), bytes].concat())
            }
            _ => (at, bytes.to_vec()),
        };
        self.blocks[filled].set(block).unwrap();
    }
}

/// A log that is read.
#[derive(Debug)]
pub(crate) struct SimLog {
    disk: SimDisk,
    file: usize,
    written: Arc<Written>,
}

impl Heap for SimLog {
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        let state = self.disk.state();
        let bytes = state.files[self.file].current.get(range.clone())?;
        if let Some(found) = self.written.find(&range).filter(|found| *found == bytes) {
            return Some(found);
        }
        // A write that failed may have left out zeros alone, which were there before it: then the
        // frame is whole all the same, and no block has all of it as it is now.
        self.written.push(range.start, bytes);
        drop(state);
        self.written.find(&range)
    }
}

impl Written {
    fn find(&self, range: &Range<usize>) -> Option<&[u8]> {
        self.blocks.iter().rev().filter_map(OnceLock::get).find_map(|(start, block)| {
            block.get(range.start.checked_sub(*start)?..range.end.checked_sub(*start)?)
        })
    }
}

/// A base that is read.
#[derive(Debug)]
pub(crate) struct SimBase(Vec<u8>);

impl AsRef<[u8]> for SimBase {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A file that is written.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    file: usize,
    at: usize,
}

fn failure() -> io::Error {
    io::Error::other("simulated failure")
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random(seed),
            fails_one_of: 0,
            dies_after: None,
            room_bytes: usize::MAX,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            operations: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn fail_one_of(&self, count: u64) {
        self.state().fails_one_of = count;
    }

    pub(crate) fn die_after(&self, operations: Option<u64>) {
        self.state().dies_after = operations;
    }

    /// How much room there is beyond what is used.
    pub(crate) fn leave_room(&self, bytes: Option<usize>) {
        let mut state = self.state();
        let used = state.used();
        state.room_bytes = bytes.map_or(usize::MAX, |bytes| used + bytes);
    }

    /// Names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// The content of a file.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].current.clone()
    }

    /// Another program has cut a file.
    pub(crate) fn cut(&self, name: &str, length: usize) {
        self.write(name, &self.content(name)[..length]);
    }

    /// Another program has written a file.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.names[name];
        let content = &mut state.files[file];
        content.current = bytes.to_vec();
        content.durable = bytes.to_vec();
    }

    /// The device has lost a bit of a file.
    pub(crate) fn turn_bit(&self, name: &str, at: usize, bit: u8) {
        let byte = self.content(name)[at] ^ (1 << bit);
        self.put(name, at, &[byte]);
    }

    /// The device has written none of these bytes of a file. Returns them.
    pub(crate) fn clear(&self, name: &str, range: Range<usize>) -> Vec<u8> {
        let was = self.content(name)[range.clone()].to_vec();
        self.put(name, range.start, &vec![0; was.len()]);
        was
    }

    /// The device has other bytes of a file from now on.
    pub(crate) fn put(&self, name: &str, at: usize, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.names[name];
        let content = &mut state.files[file];
        content.current[at..at + bytes.len()].copy_from_slice(bytes);
        content.durable.clone_from(&content.current);
        content.written = Written::new();
        content.written.push(0, &content.durable);
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The machine stops and starts again.
    pub(crate) fn crash(&self) {
        let mut state = self.state();
        let mut names = state.durable_names.clone();
        for change in std::mem::take(&mut state.pending) {
            if state.random.below(2) == 0 {
                continue;
            }
            match change {
                NameChange::Put(name, file) => drop(names.insert(name, file)),
                NameChange::Remove(name) => drop(names.remove(&name)),
                NameChange::Rename(from, to, file) => {
                    names.remove(&from);
                    names.insert(to, file);
                }
            }
        }
        state.durable_names.clone_from(&names);
        state.names = names;
        for file in 0..state.files.len() {
            state.lose(file);
        }
        state.dies_after = None;
    }
}

impl State {
    fn used(&self) -> usize {
        self.names.values().map(|&file| self.files[file].current.len()).sum()
    }

    /// Counts an operation: does it happen?
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        if let Some(left) = &mut self.dies_after {
            if *left == 0 {
                return Err(failure());
            }
            *left -= 1;
        }
        if self.fails_one_of > 0 && self.random.below(self.fails_one_of) == 0 {
            return Err(failure());
        }
        Ok(())
    }

    /// The part of the writes since the last sync that reached the device: any part of any of them.
    fn reach(&mut self, file: usize) {
        let content = &mut self.files[file];
        for (at, bytes) in std::mem::take(&mut content.pending) {
            let mut from = 0;
            while from < bytes.len() {
                let end = (from + SECTOR_BYTES - (at + from) % SECTOR_BYTES).min(bytes.len());
                if self.random.below(3) > 0 {
                    if content.durable.len() < at + end {
                        content.durable.resize(at + end, 0);
                    }
                    content.durable[at + from..at + end].copy_from_slice(&bytes[from..end]);
                }
                from = end;
            }
        }
    }

    fn lose(&mut self, file: usize) {
        self.reach(file);
        let content = &mut self.files[file];
        content.current.clone_from(&content.durable);
        content.written = Written::new();
        content.written.push(0, &content.durable);
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(missing)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let outcome = state.step();
        // A failed write may have written a part, of whole sectors; a good one may be short.
        let short = outcome.is_err() || state.random.below(8) == 0;
        let mut length = bytes.len();
        if short && length > 0 {
            let part = state.random.below(length as u64);
            length = usize::try_from(part).unwrap();
            length = length.saturating_sub((self.at + length) % SECTOR_BYTES);
            if length == 0 && outcome.is_ok() {
                length = bytes.len();
            }
        }
        let grown = (self.at + length).saturating_sub(state.files[self.file].current.len());
        if state.used() + grown > state.room_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let at = self.at;
        let content = &mut state.files[self.file];
        if content.current.len() < at + length {
            content.current.resize(at + length, 0);
        }
        content.current[at..at + length].copy_from_slice(&bytes[..length]);
        if length > 0 {
            content.pending.push((at, bytes[..length].to_vec()));
            content.written.push(at, &bytes[..length]);
        }
        outcome?;
        drop(state);
        self.at += length;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SimFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => usize::try_from(at).unwrap(),
            SeekFrom::Current(by) => {
                self.at.checked_add_signed(isize::try_from(by).unwrap()).unwrap()
            }
            SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(self.at as u64)
    }
}

impl Files for SimDisk {
    type File = SimFile;
    type Base = SimBase;
    type Log = SimLog;
    type Lock = ();

    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn make(&self) -> io::Result<()> {
        self.state().step()
    }

    fn lock(&self, _: &str) -> io::Result<Result<(), Holder>> {
        self.state().step().map(Ok)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.step()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(name)?;
        Ok(state.files[file].current.clone())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<SimFile> {
        let mut state = self.state();
        state.step()?;
        let bytes = usize::try_from(bytes).unwrap();
        if state.used() + bytes > state.room_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = state.files.len();
        let current = vec![0; bytes];
        let pending = vec![(0, current.clone())];
        let durable = Vec::new();
        state.files.push(Content { current, durable, pending, written: Written::new() });
        state.names.insert(name.to_owned(), file);
        state.pending.push(NameChange::Put(name.to_owned(), file));
        drop(state);
        Ok(SimFile { disk: self.clone(), file, at: 0 })
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(name)?;
        drop(state);
        Ok(SimFile { disk: self.clone(), file, at: 0 })
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        let mut state = self.state();
        if let Err(error) = state.step() {
            // The kernel forgets what it could not write, and reports that once.
            state.reach(file.file);
            return Err(error);
        }
        // The next sync does not write what a failed one forgot.
        let content = &mut state.files[file.file];
        for (at, bytes) in std::mem::take(&mut content.pending) {
            if content.durable.len() < at + bytes.len() {
                content.durable.resize(at + bytes.len(), 0);
            }
            content.durable[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        state.pending.push(NameChange::Rename(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.file(name)?;
        state.names.remove(name);
        state.pending.push(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.durable_names = state.names.clone();
        state.pending.clear();
        Ok(())
    }

    fn base(&self, name: &str) -> io::Result<SimBase> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(name)?;
        Ok(SimBase(state.files[file].current.clone()))
    }

    fn log(&self, name: &str) -> io::Result<SimLog> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(name)?;
        let written = Arc::clone(&state.files[file].written);
        drop(state);
        Ok(SimLog { disk: self.clone(), file, written })
    }

    fn bytes(&self, name: &str) -> io::Result<u64> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(name)?;
        Ok(state.files[file].current.len() as u64)
    }

    fn read_log(&self, log: &SimLog, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.step()?;
        let content = &state.files[log.file].current;
        let at = usize::try_from(at).unwrap().min(content.len());
        let bytes = into.len().min(content.len() - at);
        into[..bytes].copy_from_slice(&content[at..at + bytes]);
        Ok(bytes)
    }
}
