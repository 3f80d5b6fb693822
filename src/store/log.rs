//! Reads a log: its parts in order, frame by frame, as far as they are whole.
//!
//! # Invariants
//!
//! - A frame is checked in a copy: another process may be writing after it.
//! - A part that another one follows counts only up to the generation that the next one continues:
//!   batches after that were never acknowledged.
//! - A log that stops to read before batches that do, or at one that was written whole, is damaged,
//!   which is an error; else it stops at the rest of a batch that was not finished.
//! - A part that the manifest counts, or that a later part proves, is there in its whole length, or
//!   that is an error.
//!
//! # Does not
//!
//! Write.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::ops::Range;
use std::sync::Arc;

use snapshot_format::FormatError;
use snapshot_format::delta::frame::{FRAME_HEAD_BYTES, LOG_HEAD_BYTES, payload_bytes};
use snapshot_format::delta::{Frame, Heap, LogHead};

use super::error::{StoreError, failed};
use super::files::Files;
use super::manifest::LogName;
use super::{GenerationOf, log_name, part_of};

/// How much is read at once of what follows the last frame.
const REST_PIECE_BYTES: usize = 64 << 10;
/// A reader looks past the rest of a batch once in this many times that it finds it there: the
/// batch may still be being written, and others may follow it.
const LOOK_COUNT: u32 = 64;

/// Where a reader is in a log.
#[derive(Debug)]
pub(super) struct Tail<F: Files> {
    pub(super) name: LogName,
    /// Number of the part.
    pub(super) number: u32,
    pub(super) part: Option<Part<F>>,
    /// Whether the reader has looked past the end of the part.
    is_looked: bool,
    /// How often something stood there since that does not read.
    unread_count: u32,
    /// How often it was the last part.
    last_count: u32,
}

/// A part of a log that is open.
#[derive(Debug)]
pub(super) struct Part<F: Files> {
    pub(super) log: Arc<F::Log>,
    pub(super) head: LogHead,
    /// Where the next frame will start.
    pub(super) at: u64,
}

/// Bytes after the last whole frame: the rest of a batch after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// File.
    pub name: String,
    /// Where they start.
    pub at: u64,
}

impl std::fmt::Display for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, at } = self;
        write!(
            f,
            "{name}: the rest of a batch at byte {at} is set aside: it was not finished, and never \
             acknowledged"
        )
    }
}

/// Bytes that were copied out of a log, at their place.
pub(super) struct Copy<'a> {
    pub(super) at: usize,
    pub(super) bytes: &'a [u8],
}

impl Heap for Copy<'_> {
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        let start = range.start.checked_sub(self.at)?;
        self.bytes.get(start..range.end.checked_sub(self.at)?)
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl<F: Files> Part<F> {
    /// Opens a part that has this name; `None` if there is none.
    pub(super) fn open_as(
        files: &F,
        name: &str,
        epoch: u64,
        number: u32,
    ) -> Result<Option<Self>, StoreError> {
        let log = match files.log(name) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(files, name, "open it")(error)),
        };
        let read = |at: u64, into: &mut [u8]| {
            files.read_log(&log, at, into).map_err(failed(files, name, "read it"))
        };
        let mut bytes = [0; LOG_HEAD_BYTES];
        read(0, &mut bytes)?;
        let head = LogHead::decode(&Copy { at: 0, bytes: &bytes });
        let path = || files.path().join(name);
        let head = head.map_err(|source| StoreError::Format { path: path(), source })?;
        for (what, got, expected) in
            [("the log", head.epoch, epoch), ("the part", head.number.into(), number.into())]
        {
            if got != expected {
                return Err(StoreError::Mismatch { path: path(), what, got, expected });
            }
        }
        let expected = head.file_bytes;
        if expected > 0 && read(expected.saturating_sub(1), &mut [0])? == 0 {
            return Err(StoreError::Short { path: path(), expected });
        }
        Ok(Some(Self { log: Arc::new(log), head, at: LOG_HEAD_BYTES as u64 }))
    }

    /// The frame at `at`, if there is a whole one.
    pub(super) fn frame(&self, files: &F, name: &str) -> Result<Option<Frame>, StoreError> {
        let mut head = [0; FRAME_HEAD_BYTES];
        let at = index(self.at);
        let read = |at: u64, into: &mut [u8]| {
            let read = files.read_log(&self.log, at, into);
            read.map_err(failed(files, name, "read it")).map(|read| read == into.len())
        };
        if !read(self.at, &mut head)? {
            return Ok(None);
        }
        let Some(payload) = payload_bytes(&head) else { return Ok(None) };
        let mut whole = vec![0; FRAME_HEAD_BYTES.saturating_add(payload)];
        if !read(self.at, &mut whole)? {
            return Ok(None);
        }
        Ok(Frame::read(&Copy { at, bytes: &whole }, &self.head, at))
    }
}

impl<F: Files> Tail<F> {
    /// In front of a log.
    pub(super) const fn new(name: LogName) -> Self {
        Self { name, number: 1, part: None, is_looked: false, unread_count: 0, last_count: 0 }
    }

    /// In an open part.
    pub(super) const fn within(name: LogName, number: u32, part: Option<Part<F>>) -> Self {
        Self { name, number, part, is_looked: false, unread_count: 0, last_count: 0 }
    }

    /// Reads on as far as there are whole frames, up to the log's last generation. Returns how many
    /// frames there were.
    ///
    /// # Errors
    ///
    /// A part is missing or damaged, or the log was written over another generation; then
    /// `generation` is not a generation any more.
    pub(super) fn read_on(
        &mut self,
        files: &F,
        generation: &mut GenerationOf<F>,
    ) -> Result<usize, StoreError> {
        let mut count = 0_usize;
        loop {
            if self.part.is_none() && !self.open_part(files, generation)? {
                return Ok(count);
            }
            // Looked for before the frames are read: one that comes later takes back what it must.
            let following = self.number.saturating_add(1);
            let next = Part::<F>::open(files, self.name.epoch, following);
            let end = next.as_ref().ok().and_then(|next| next.as_ref());
            let end = end.map(|next| next.head.begins_over);
            count = count.saturating_add(self.read_part(files, generation, end)?);
            let state = generation.state().generation;
            // A log that ends here does not need what follows.
            if let Err(error) = next
                && self.name.last != Some(state)
            {
                return Err(error);
            }
            let Some(end) = end else {
                self.check_parts(files, state)?;
                self.check_end(files, generation, count > 0)?;
                return Ok(count);
            };
            if state != end {
                // The log counts no further. (Where the next part continues this very generation,
                // it may hold reservations, which are of it.)
                if self.name.last == Some(state) {
                    return Ok(count);
                }
                if state > end {
                    let path = files.path().join(log_name(self.name.epoch, self.number));
                    return Err(StoreError::TakenBack { path, got: state });
                }
                self.check_behind(files, state)?;
                return Err(self.cut(files, state, end));
            }
            self.number = following;
            (self.part, self.is_looked, self.last_count) = (None, false, 0);
        }
    }

    /// Looks whether the log has had more parts than this one, where it goes on: by the manifest,
    /// and now and then by the names of files.
    fn check_parts(&mut self, files: &F, got: u64) -> Result<(), StoreError> {
        if self.name.last == Some(got) {
            return Ok(());
        }
        let turn = self.last_count.checked_rem(LOOK_COUNT);
        self.last_count = self.last_count.wrapping_add(1);
        let mut parts = self.name.parts;
        if turn == Some(0) {
            let names = files.list().map_err(failed(files, "", "list it"))?;
            let own = names.iter().filter_map(|name| part_of(name));
            let numbers = own.filter(|(epoch, _)| *epoch == self.name.epoch);
            parts = numbers.map(|(_, number)| number).fold(parts, u32::max);
        }
        let following = self.number.saturating_add(1);
        // One that was made meanwhile is read the next time.
        if parts < following || Part::open(files, self.name.epoch, following)?.is_some() {
            return Ok(());
        }
        let path = files.path().join(log_name(self.name.epoch, following));
        Err(StoreError::MissingPart { path, parts, got })
    }

    /// Opens the part in turn; false if it is not there yet.
    fn open_part(&mut self, files: &F, generation: &GenerationOf<F>) -> Result<bool, StoreError> {
        let name = log_name(self.name.epoch, self.number);
        let part = Part::open(files, self.name.epoch, self.number)?;
        let Some(part) = part else {
            if self.number == 1 {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(failed(files, &name, "open it")(missing));
            }
            return Ok(false);
        };
        let (got, expected) = (part.head.begins_over, generation.state().generation);
        if got != expected {
            let path = files.path().join(name);
            let what = "the generation that it continues";
            return Err(StoreError::Mismatch { path, what, got, expected });
        }
        self.part = Some(part);
        Ok(true)
    }

    fn read_part(
        &mut self,
        files: &F,
        generation: &mut GenerationOf<F>,
        end: Option<u64>,
    ) -> Result<usize, StoreError> {
        let Some(part) = &mut self.part else { return Ok(0) };
        let name = log_name(self.name.epoch, self.number);
        let last = self.name.last.into_iter().chain(end).min();
        let mut count = 0_usize;
        while let Some(frame) = part.frame(files, &name)? {
            if last.is_some_and(|last| frame.head.generation > last) {
                break;
            }
            let taken = generation.take_frame(&part.log, &frame);
            taken.map_err(|source| damaged(files, &name, source))?;
            part.at = frame.end() as u64;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Looks whether the log ends where it stops to read, if that is not where it is said to end:
    /// through the whole part when it is read first, later on only where something was written.
    fn check_end(
        &mut self,
        files: &F,
        generation: &GenerationOf<F>,
        is_new: bool,
    ) -> Result<(), StoreError> {
        let state = generation.state().generation;
        let Some(part) = &self.part else { return Ok(()) };
        if self.name.last == Some(state) {
            return Ok(());
        }
        if self.is_looked {
            if is_new {
                self.unread_count = 0;
            }
            if !part.is_begun(files, &log_name(self.name.epoch, self.number))? {
                return Ok(());
            }
            let turn = self.unread_count.checked_rem(LOOK_COUNT);
            self.unread_count = self.unread_count.wrapping_add(1);
            if turn != Some(0) {
                return Ok(());
            }
        }
        self.is_looked = true;
        self.check_behind(files, state)
    }

    /// Looks for frames that read after the place where the part stops reading, and whether the one
    /// there was written whole.
    fn check_behind(&self, files: &F, state: u64) -> Result<(), StoreError> {
        let Some(part) = &self.part else { return Ok(()) };
        let name = log_name(self.name.epoch, self.number);
        let behind = part.behind(files, &name, state)?;
        if behind.is_none() && !part.is_written(files, &name)? {
            return Ok(());
        }
        // A batch that was being written a moment ago reads by now, and others may follow it.
        if part.frame(files, &name)?.is_some() {
            return Ok(());
        }
        let (path, at, got) = (files.path().join(name), part.at, state);
        Err(match behind {
            Some(behind) => StoreError::Damaged { path, at, behind, got },
            None => StoreError::DamagedLast { path, at, got },
        })
    }

    /// The error of a log that does not reach `expected`.
    pub(super) fn cut(&self, files: &F, got: u64, expected: u64) -> StoreError {
        let path = files.path().join(log_name(self.name.epoch, self.number));
        let at = self.part.as_ref().map_or(0, |part| part.at);
        StoreError::Cut { path, at, got, expected }
    }

    /// What follows the last frame, if it is not zeros.
    pub(super) fn rest(&self, files: &F) -> Result<Option<Rest>, StoreError> {
        let Some(part) = &self.part else { return Ok(None) };
        let name = log_name(self.name.epoch, self.number);
        let mut piece = vec![0; REST_PIECE_BYTES];
        let mut at = part.at;
        loop {
            let read = files.read_log(&part.log, at, &mut piece);
            let read = read.map_err(failed(files, &name, "read it"))?;
            let bytes = piece.get(..read).unwrap_or_default();
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(Some(Rest { name, at: part.at }));
            }
            if read < piece.len() {
                return Ok(None);
            }
            at = at.saturating_add(read as u64);
        }
    }
}

fn damaged<F: Files>(files: &F, name: &str, source: FormatError) -> StoreError {
    StoreError::Format { path: files.path().join(name), source }
}
