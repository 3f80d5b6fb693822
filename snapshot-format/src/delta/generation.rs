//! A published state: a base, logs over it, and what finds the changed records.
//!
//! # Invariants
//!
//! - `immutable`: a generation never changes; [`Generation::with_frame`] makes another one.
//!
//! # Does not
//!
//! Know where base and logs come from.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::sync::Arc;

use super::Heap;
use super::entry::{ENTRY_HEAD_BYTES, Entry, Op, Parts};
use super::frame::Frame;
use super::mark::DepositMark;
use super::overlay::{Overlay, Place};
use crate::error::FormatError;
use crate::layout::Kind;
use crate::limits::RECORD_UNIT_BYTES;
use crate::reader::Snapshot;
use crate::suffixes::{Suffixes, is_below};

/// Which state a generation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its number.
    pub generation: u64,
    /// Last serial that is contained; 0 without a feed.
    pub serial: u64,
    /// Commit time of the newest change, ms since the epoch.
    pub committed_ms: i64,
    /// Newest sign of life of the feed, ms since the epoch; `i64::MIN` for none.
    pub heartbeat_ms: i64,
    /// Identifier of the last deposit that is contained; empty for none.
    pub deposit: Arc<str>,
    /// The last deposit of each TLD, the newest at the end; none of deposits that came before
    /// format version 2.
    pub deposits: Arc<[DepositMark]>,
}

impl State {
    /// Takes the mark of a deposit whose changes are contained.
    fn take_mark(&mut self, text: &str) {
        let mark = DepositMark::read(text);
        self.deposit = (&*mark.id).into();
        if !mark.tld.is_empty() {
            let others = self.deposits.iter().filter(|other| other.tld != mark.tld).cloned();
            self.deposits = others.chain([mark.clone()]).collect();
        }
    }
}

/// A base with changes.
#[derive(Debug)]
pub struct Generation<D, S> {
    pub(crate) base: Arc<Snapshot<D>>,
    pub(crate) logs: Vec<Arc<S>>,
    /// Where the last frame of each log ends that is contained.
    pub(crate) ends: Vec<usize>,
    pub(crate) overlay: Overlay,
    state: State,
    log_bytes: u64,
}

impl<D, S> Clone for Generation<D, S> {
    fn clone(&self) -> Self {
        Self {
            base: Arc::clone(&self.base),
            logs: self.logs.clone(),
            ends: self.ends.clone(),
            overlay: self.overlay.clone(),
            state: self.state.clone(),
            log_bytes: self.log_bytes,
        }
    }
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// A base without changes.
    ///
    /// # Errors
    ///
    /// The base's record about itself is damaged.
    pub fn of_base(base: Arc<Snapshot<D>>) -> Result<Self, FormatError> {
        let header = base.header();
        let meta = base.meta()?;
        let mut state = State {
            generation: header.generation,
            serial: header.serial,
            committed_ms: header.watermark_ms,
            heartbeat_ms: i64::MIN,
            deposit: "".into(),
            deposits: Arc::default(),
        };
        meta.deposits.iter().for_each(|text| state.take_mark(text));
        // A base says of which TLDs its deposits were; suffixes of others came with their names.
        let is_declared = |suffix: &str| {
            let mut tlds = state.deposits.iter().map(|mark| &*mark.tld);
            state.deposits.is_empty() || tlds.any(|tld| suffix == tld || is_below(suffix, tld))
        };
        let suffixes = meta.suffixes.iter().map(|suffix| suffix.as_str());
        let overlay = Overlay::over(&base, Suffixes::of_base(suffixes, is_declared));
        Ok(Self { base, logs: Vec::new(), ends: Vec::new(), overlay, state, log_bytes: 0 })
    }

    /// The generation that a frame of `log` makes of this one. Costs about a microsecond a change.
    ///
    /// # Errors
    ///
    /// The frame was made over another generation, or its payload is damaged.
    pub fn with_frame(&self, log: &Arc<S>, frame: &Frame) -> Result<Self, FormatError> {
        let mut next = self.clone();
        next.take_frame(log, frame)?;
        Ok(next)
    }

    /// As [`Self::with_frame`], in place: for opening a log of many frames. After an error this is
    /// not a generation any more.
    ///
    /// # Errors
    ///
    /// As [`Self::with_frame`].
    pub fn take_frame(&mut self, log: &Arc<S>, frame: &Frame) -> Result<(), FormatError> {
        let at = frame.payload_at as u64;
        let wrong = |what| FormatError::Log { at, what };
        if frame.head.parent != self.state.generation {
            return Err(wrong("holds a batch that was made over another generation"));
        }
        if !self.logs.last().is_some_and(|last| Arc::ptr_eq(last, log)) {
            self.logs.push(Arc::clone(log));
            self.ends.push(frame.payload_at);
        }
        let number = u32::try_from(self.logs.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let payload = log.bytes(frame.payload_at..frame.end());
        let mut rest = payload.ok_or_else(|| wrong("ends within a batch"))?;
        for _ in 0..frame.head.entry_count {
            let consumed = frame.payload_bytes.saturating_sub(rest.len());
            let start = frame.payload_at.saturating_add(consumed);
            let read = Entry::read(rest);
            let (entry, bytes) = read.ok_or_else(|| wrong("holds a batch that does not read"))?;
            rest = rest.get(bytes..).unwrap_or_default();
            let at = u32::try_from(start / RECORD_UNIT_BYTES);
            let at = at.map_err(|_| wrong("is longer than a log may be"))?;
            let is_record = entry.op == Op::Record;
            self.take_entry(&entry, Place { log: number, at, is_record, is_named: false })?;
        }
        if let Some(end) = self.ends.last_mut() {
            *end = frame.end();
        }
        let head = &frame.head;
        self.state.generation = head.generation;
        self.state.serial = head.serial;
        self.state.committed_ms = head.committed_ms;
        self.state.heartbeat_ms = head.heartbeat_ms;
        self.log_bytes = self.log_bytes.saturating_add(frame.payload_bytes as u64);
        Ok(())
    }

    fn take_entry(&mut self, entry: &Entry<'_>, place: Place) -> Result<(), FormatError> {
        if entry.op == Op::Deposit {
            self.state.take_mark(entry.key);
            return Ok(());
        }
        let logs = &self.logs;
        let has_key = |place, key: &str| entry_at(logs, place).is_some_and(|at| at.key == key);
        self.overlay.take(&self.base, entry, place, &has_key)
    }

    /// Suffixes under which names are served, sorted; none: every name is.
    #[must_use]
    pub fn suffixes(&self) -> &[Box<str>] {
        self.overlay.suffixes.all()
    }

    /// Whether a suffix lies below a name.
    #[must_use]
    pub fn suffixes_lie_below(&self, name: &str) -> bool {
        self.overlay.suffixes.lie_below(name)
    }

    /// Which state it is.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The base.
    #[must_use]
    pub const fn base(&self) -> &Arc<Snapshot<D>> {
        &self.base
    }

    /// Records of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u32 {
        let stable = self.overlay.stable(kind).map(|kind| kind.live);
        stable.or_else(|| self.overlay.sorted(kind).map(|kind| kind.live)).unwrap_or(0)
    }

    /// Ordinals of a kind that keeps them: below this number.
    #[must_use]
    pub fn ordinals_end(&self, kind: Kind) -> u32 {
        self.overlay.stable(kind).map_or(0, |stable| stable.next)
    }

    /// Changes of a kind that keeps its ordinals since the base: another number over the same base
    /// means other records.
    #[must_use]
    pub fn changes(&self, kind: Kind) -> u64 {
        self.overlay.stable(kind).map_or(0, |stable| stable.taken)
    }

    /// Keys that differ from the base, and bytes of the log that say how.
    #[must_use]
    pub fn changed(&self) -> (usize, u64) {
        (self.overlay.changed(), self.log_bytes)
    }

    /// The slot of the record at `place`: its archive with the padding in front.
    #[inline]
    pub(crate) fn slot_at(&self, place: Place) -> Option<&[u8]> {
        let log = self.logs.get(place.log as usize)?;
        let at = (place.at as usize).checked_mul(RECORD_UNIT_BYTES)?;
        let key_at = at.checked_add(ENTRY_HEAD_BYTES)?;
        let parts = Parts::read(log.bytes(at..key_at)?.first_chunk()?)?;
        let slot = parts.slot();
        log.bytes(at.checked_add(slot.start)?..at.checked_add(slot.end)?)
    }

    /// The entry at `place`.
    pub(crate) fn entry_at(&self, place: Place) -> Option<Entry<'_>> {
        entry_at(&self.logs, place)
    }
}

fn entry_at<S: Heap>(logs: &[Arc<S>], place: Place) -> Option<Entry<'_>> {
    let log = logs.get(place.log as usize)?;
    let at = (place.at as usize).checked_mul(RECORD_UNIT_BYTES)?;
    let head = log.bytes(at..at.checked_add(ENTRY_HEAD_BYTES)?)?;
    let parts = Parts::read(head.first_chunk()?)?;
    Entry::read(log.bytes(at..at.checked_add(parts.bytes())?)?).map(|(entry, _)| entry)
}
