//! How far an import is, for the caller that wants to know; and whether it should stop.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::rc::Rc;

use super::collect::Collector;
use super::model::Stop;
use crate::vet::findings::ObjectKind;

/// What an import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the deposit: `done` and `total` are bytes of its files.
    Reading,
    /// Merging sorted objects into the snapshot: `done` and `total` are objects.
    Writing,
    /// Writing indexes: no measure.
    Finishing,
    /// Checking the new snapshot, which the publisher of it does: `done` and `total` are records.
    Checking,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What it is doing.
    pub phase: Phase,
    /// How much of that is done.
    pub done: u64,
    /// How much there is; 0: unknown.
    pub total: u64,
    /// Domains read (phase `Reading`) or written.
    pub domains: u64,
    /// Findings so far.
    pub findings: u64,
}

/// Hears how far an import is. Called every few thousand objects.
pub trait Progress {
    /// The import came this far.
    fn step(&mut self, step: Step);

    /// Whether the import should stop; it then leaves everything as it was.
    fn stop_asked(&self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn step(&mut self, _: Step) {}
}

/// Objects between two reports: 5 to 20 ms of work.
const OBJECTS_PER_STEP: u32 = 1 << 10;

/// Reports progress and keeps the limits that end an import early.
pub(super) struct Watch<'p> {
    progress: &'p mut dyn Progress,
    /// Bytes of the deposit's files read so far.
    pub(super) read_bytes: Rc<Cell<u64>>,
    total_bytes: u64,
    findings_max: Option<u64>,
    countdown: u32,
}

impl<'p> Watch<'p> {
    pub(super) fn new(
        progress: &'p mut dyn Progress,
        total_bytes: u64,
        findings_max: Option<u64>,
    ) -> Self {
        Self {
            progress,
            read_bytes: Rc::default(),
            total_bytes,
            findings_max,
            countdown: OBJECTS_PER_STEP,
        }
    }

    /// An object was read.
    pub(super) fn read(&mut self, out: &Collector<'_, '_>) -> Result<(), Stop> {
        self.countdown = self.countdown.saturating_sub(1);
        if self.countdown > 0 {
            return Ok(());
        }
        self.say(Step {
            phase: Phase::Reading,
            done: self.read_bytes.get(),
            total: self.total_bytes,
            domains: out.count(ObjectKind::Domain),
            findings: out.findings.count(),
        })
    }

    /// An object was written.
    pub(super) fn written(
        &mut self,
        done: u64,
        total: u64,
        domains: u64,
        findings: impl FnOnce() -> u64,
    ) -> Result<(), Stop> {
        self.countdown = self.countdown.saturating_sub(1);
        if self.countdown > 0 {
            return Ok(());
        }
        let findings = findings();
        self.say(Step { phase: Phase::Writing, done, total, domains, findings })
    }

    /// A phase begins, or ends.
    pub(super) fn say(&mut self, step: Step) -> Result<(), Stop> {
        self.countdown = OBJECTS_PER_STEP;
        self.progress.step(step);
        if self.findings_max.is_some_and(|max| step.findings > max) {
            return Err(Stop::TooMany);
        }
        if self.progress.stop_asked() { Err(Stop::Interrupted) } else { Ok(()) }
    }
}
