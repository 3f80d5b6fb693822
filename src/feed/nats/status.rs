//! How the feed is doing, for metrics and logs: written by the thread that follows the stream, read
//! by any thread.
//!
//! # Invariants
//!
//! - Reading takes no lock, and never waits for the feed.
//! - An error is logged once, however often it comes again.
//!
//! # Does not
//!
//! Read clocks: times are those that the thread was given, so that a reader can tell their age.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// How a feed is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The server that it is connected to, `host:port`; `None` while it is not.
    pub server: Option<String>,
    /// Whose serials it follows, once that is known.
    pub source: Option<String>,
    /// The last serial that is on the disk.
    pub serial: u64,
    /// Commit time of the newest record that came, ms since the epoch; `i64::MIN` before the first.
    pub committed_ms: i64,
    /// When the last message came, ms since the epoch; `i64::MIN` before the first.
    pub received_ms: i64,
    /// Messages in the stream that have not been delivered yet, as of the last one.
    pub backlog_count: u64,
    /// Records taken in since the start.
    pub record_count: u64,
    /// Messages that held nothing new since the start.
    pub duplicate_count: u64,
    /// Messages that were left out since the start: no batch, or not signed as they should be.
    pub refused_count: u64,
    /// Connections made since the start.
    pub connect_count: u64,
    /// Snapshots fetched since the start.
    pub refetch_count: u64,
    /// What is wrong; `None` once records come in again.
    pub error: Option<Trouble>,
}

/// What is wrong with a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When it came first, ms since the epoch.
    pub since_ms: i64,
    /// What it is, and what to do.
    pub text: String,
    /// What it concerns.
    pub kind: Kind,
}

/// What a trouble concerns, and so what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Servers, connections, the disk: it ends when the stream is reached.
    Reach,
    /// What the stream holds: it ends when records come in again.
    Data,
}

/// A feed's [`Report`], shared between threads.
#[derive(Debug)]
pub struct Status(ArcSwap<Report>);

impl Default for Status {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Report {
            server: None,
            source: None,
            serial: 0,
            committed_ms: i64::MIN,
            received_ms: i64::MIN,
            backlog_count: 0,
            record_count: 0,
            duplicate_count: 0,
            refused_count: 0,
            connect_count: 0,
            refetch_count: 0,
            error: None,
        }))
    }
}

impl Status {
    /// How the feed is doing now.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.0.load_full()
    }

    /// Changes the report; the thread of the feed is the only one that does.
    pub(super) fn update(&self, change: impl FnOnce(&mut Report)) {
        let mut report = Report::clone(&self.0.load());
        change(&mut report);
        self.0.store(Arc::new(report));
    }

    /// The stream was reached; whether that is news, since nothing else goes on to be wrong.
    pub(super) fn reached(&self) -> bool {
        let mut is_news = false;
        self.update(|report| {
            report.error.take_if(|trouble| trouble.kind == Kind::Reach);
            is_news = report.error.is_none();
        });
        is_news
    }

    /// Says what is wrong, in the log too if it is something else than before.
    pub(super) fn trouble(&self, now_ms: i64, text: &str, kind: Kind) {
        if self.0.load().error.as_ref().is_some_and(|trouble| trouble.text == text) {
            return;
        }
        tracing::warn!(feed = "nats", "{text}");
        self.update(|report| {
            report.error = Some(Trouble { since_ms: now_ms, text: text.to_owned(), kind });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_goes_on_keeps_its_beginning() {
        let status = Status::default();
        for (now_ms, text) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
            status.trouble(now_ms, text, Kind::Data);
        }
        let trouble = Trouble { since_ms: 3, text: "b".to_owned(), kind: Kind::Data };
        assert!(!status.reached(), "it is reached at each attempt, and goes on to be wrong");
        assert_eq!(status.report().error, Some(trouble));
        status.trouble(5, "c", Kind::Reach);
        assert!(status.reached());
        assert_eq!(status.report().error, None);
    }
}
