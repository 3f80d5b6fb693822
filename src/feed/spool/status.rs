//! How the spool is doing, for readiness, metrics and commands.
//!
//! # Invariants
//!
//! - Reading takes no lock, and never waits for the spool.
//! - How long something waits is measured by a clock that nobody sets, from the last file that
//!   went.
//!
//! # Does not
//!
//! Log: the spool does. Read clocks: it is given one.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// How the spool is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What waits; `None`: nothing does.
    pub waiting: Option<Waiting>,
    /// Files applied since the start.
    pub applied_count: u64,
    /// Files refused since the start.
    pub rejected_count: u64,
}

/// Files that wait, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How many, refused ones whose place is held included; 0: a folder of the spool is not one.
    pub count: u64,
    /// Since when no file went, by the process's own clock, ms.
    pub since_ms: i64,
    /// The file that holds up the others; empty while one is being applied.
    pub file: String,
    /// What it waits for.
    pub problem: String,
    /// Whether changes wait. Otherwise all are applied, and files cannot be moved away.
    pub is_behind: bool,
}

impl Waiting {
    /// How long no file went, seconds, at a moment of that clock.
    #[must_use]
    pub fn age_s(&self, now_ms: i64) -> u64 {
        let age_ms = now_ms.saturating_sub(self.since_ms);
        u64::try_from(age_ms / 1000).unwrap_or(0)
    }
}

/// A spool's [`Report`], shared between threads.
#[derive(Debug)]
pub struct Status {
    report: ArcSwap<Report>,
    steady_ms: fn() -> i64,
}

impl Status {
    /// Of a spool that was not looked at yet; `steady_ms` reads a clock that nobody sets.
    #[must_use]
    pub fn new(steady_ms: fn() -> i64) -> Self {
        Self { report: ArcSwap::from_pointee(Report::default()), steady_ms }
    }

    /// How the spool is doing now.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.report.load_full()
    }

    /// Changes the report; the thread of the spool is the only one that does.
    fn update(&self, change: impl FnOnce(&mut Report)) {
        let mut report = Report::clone(&self.report.load());
        change(&mut report);
        self.report.store(Arc::new(report));
    }

    /// Files were found, and are about to be applied.
    pub(super) fn found(&self, count: usize) {
        let count = count as u64;
        if count == 0 {
            return;
        }
        self.update(|report| match &mut report.waiting {
            Some(waiting) => waiting.count = count,
            None => {
                let since_ms = (self.steady_ms)();
                let (file, problem) = (String::new(), String::new());
                report.waiting = Some(Waiting { count, since_ms, file, problem, is_behind: true });
            }
        });
    }

    /// A file was applied.
    pub(super) fn applied(&self) {
        self.update(|report| {
            report.applied_count = report.applied_count.saturating_add(1);
            went(report, (self.steady_ms)());
        });
    }

    /// A file was refused.
    pub(super) fn rejected(&self) {
        self.update(|report| {
            report.rejected_count = report.rejected_count.saturating_add(1);
            went(report, (self.steady_ms)());
        });
    }

    /// Files wait, since `since_ms` if it is given, else since a file went or the first one came.
    pub(super) fn waits(&self, count: usize, file: &str, problem: &str, since_ms: Option<i64>) {
        self.update(|report| {
            let before = report.waiting.as_ref().filter(|waiting| waiting.is_behind);
            let since = since_ms.or_else(|| before.map(|waiting| waiting.since_ms));
            report.waiting = Some(Waiting {
                count: count as u64,
                since_ms: since.unwrap_or_else(self.steady_ms),
                file: file.to_owned(),
                problem: problem.to_owned(),
                is_behind: true,
            });
        });
    }

    /// Files were applied or refused, and cannot be moved away since `since_ms`; or a folder where
    /// they go is not one.
    pub(super) fn cannot_move(&self, count: usize, file: &str, problem: &str, since_ms: i64) {
        let (file, problem) = (file.to_owned(), problem.to_owned());
        let count = count as u64;
        let waiting = Waiting { count, since_ms, file, problem, is_behind: false };
        self.update(|report| report.waiting = Some(waiting));
    }

    /// The time of the process's own clock, ms.
    pub(super) fn now_ms(&self) -> i64 {
        (self.steady_ms)()
    }

    /// Nothing waits.
    pub(super) fn nothing_waits(&self) {
        if self.report.load().waiting.is_some() {
            self.update(|report| report.waiting = None);
        }
    }
}

/// One less waits, and the wait begins again.
fn went(report: &mut Report, now_ms: i64) {
    if let Some(waiting) = &mut report.waiting {
        waiting.count = waiting.count.saturating_sub(1);
        waiting.since_ms = now_ms;
        (waiting.file, waiting.problem) = (String::new(), String::new());
    }
}
