//! What a node remembers of the serials that it has taken in, so that a history that was rewritten
//! shows before anything is built upon it.
//!
//! # Invariants
//!
//! - A record is compared with what came under its serial before, as far as that is remembered:
//!   the newest [`HASH_COUNT_MAX`] since the start, and the last one before it.
//! - Records that are not on the disk after all are forgotten ([`History::cut`]).
//!
//! # Does not
//!
//! Decide what follows from a difference.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::feed::message::{Batch, Source};
use crate::feed::seen::{self, Seen};

/// Records that are remembered: 1 MiB of memory, more than a duplicate is ever behind.
const HASH_COUNT_MAX: usize = 1 << 16;
/// First line of the file.
const FIRST_LINE: &str = "whoisd-feed-position 2";
/// First line of the version before, whose end has no checksum.
const FIRST_LINE_1: &str = "whoisd-feed-position 1";
/// Longest file that is read, bytes.
const FILE_BYTES_MAX: usize = 1024;

/// The serials that came before those that come.
#[derive(Debug, Default)]
pub(super) struct History {
    source: Option<Source>,
    seen: Seen<HASH_COUNT_MAX>,
}

/// The stream is not the one that the node has followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rewritten {
    /// The serials are somebody else's.
    #[error(
        "the stream has serials of source {got}, this node has followed {had}: its own serials \
         mean nothing there; a snapshot of {got} is needed to follow it"
    )]
    Source {
        /// Source of the batch.
        got: Source,
        /// Source before.
        had: Source,
    },
    /// A serial came again with another content.
    #[error(
        "serial {serial} came again with another content: the history was rewritten; a newer \
         snapshot is needed to follow it"
    )]
    Record {
        /// The serial.
        serial: u64,
    },
}

impl History {
    /// The source that the node follows; `None` before the first batch.
    pub(super) const fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Compares a batch with what came before.
    pub(super) fn check(&self, batch: &Batch) -> Result<(), Rewritten> {
        let (got, had) = (&batch.head.source, &self.source);
        if let Some(had) = had.as_ref().filter(|had| *had != got) {
            return Err(Rewritten::Source { got: got.clone(), had: had.clone() });
        }
        match self.seen.rewritten(&batch.records) {
            Some(serial) => Err(Rewritten::Record { serial }),
            None => Ok(()),
        }
    }

    /// Remembers the records of a batch that are new after `have`. Earlier ones are ignored: they
    /// may lie before a snapshot, whose history nobody has seen.
    pub(super) fn note(&mut self, batch: &Batch, have: u64) {
        if self.source.is_none() {
            self.source = Some(batch.head.source.clone());
        }
        self.seen.note(&batch.records, have);
    }

    /// Begins again from a snapshot of `source`, whose serials were never seen.
    pub(super) fn restart(&mut self, source: Option<Source>) {
        *self = Self { source: source.or_else(|| self.source.take()), seen: Seen::default() };
    }

    /// Forgets what follows `serial`: the node does not have it any more.
    pub(super) fn cut(&mut self, serial: u64) {
        self.seen.cut(serial);
    }

    /// Reads what a run before has written. Without a file, or with one that does not read, nothing
    /// is known: less is noticed, nothing is lost.
    pub(super) fn read(path: &Path) -> Self {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the feed's position does not read");
                return Self::default();
            }
        };
        Self::decode(&text).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "the feed's position is damaged; it is ignored");
            Self::default()
        })
    }

    /// Writes what the next run has to know.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        seen::replace(path, &self.encode())
    }

    fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        // Writing to a string does not fail.
        if let Some(source) = &self.source {
            let _ = writeln!(text, "source {source}");
        }
        self.seen.write_lines(&mut text, "last ", 1);
        text.push_str(&seen::end_of(&text));
        text
    }

    fn decode(text: &str) -> Option<Self> {
        let text = text.get(..text.len().min(FILE_BYTES_MAX))?;
        let (first, _) = text.split_once('\n')?;
        let body = match first {
            FIRST_LINE => seen::body_of(text)?,
            FIRST_LINE_1 => text.strip_suffix("end\n")?,
            _ => return None,
        };
        let mut history = Self::default();
        for line in body.lines().skip(1) {
            match line.split_once(' ')? {
                ("source", source) => history.source = Some(source.parse().ok()?),
                ("last", known) => history.seen.read_line(known)?,
                _ => return None,
            }
        }
        Some(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::message::Head;
    use crate::feed::{Body, ChangeRecord};

    fn batch(source: &str, serials: std::ops::RangeInclusive<u64>, content: i64) -> Batch {
        let record = |serial| ChangeRecord {
            serial,
            committed_ms: content,
            transaction: String::new(),
            body: Body::Heartbeat,
        };
        let (first, last) = (*serials.start(), *serials.end());
        let head = Head { source: source.parse().unwrap(), first, last };
        Batch { head, records: serials.map(record).collect() }
    }

    #[test]
    fn the_same_again_is_good_and_another_content_or_source_is_not() {
        let mut history = History::default();
        assert_eq!(history.check(&batch("a", 1..=3, 0)), Ok(()));
        history.note(&batch("a", 1..=3, 0), 0);
        history.note(&batch("a", 2..=5, 0), 3);
        assert_eq!(history.check(&batch("a", 1..=6, 0)), Ok(()));
        assert_eq!(history.check(&batch("a", 4..=6, 1)), Err(Rewritten::Record { serial: 4 }));
        assert_eq!(history.check(&batch("a", 6..=6, 1)), Ok(()));
        let other = history.check(&batch("b", 6..=6, 0));
        assert!(matches!(other, Err(Rewritten::Source { .. })), "{other:?}");
        history.cut(3);
        assert_eq!(history.check(&batch("a", 4..=6, 1)), Ok(()));
        history.restart(Some("b".parse().unwrap()));
        history.note(&batch("b", 1..=6, 1), 6);
        assert_eq!(history.check(&batch("b", 1..=6, 2)), Ok(()));
    }

    #[test]
    fn the_next_run_knows_the_source_and_the_last_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("position");
        assert_eq!(History::read(&path).source(), None);
        let mut history = History::default();
        history.note(&batch("a", 1..=3, 0), 0);
        history.write(&path).unwrap();
        let next = History::read(&path);
        assert_eq!(next.source(), history.source());
        assert_eq!(next.check(&batch("a", 3..=3, 1)), Err(Rewritten::Record { serial: 3 }));
        assert_eq!(next.check(&batch("a", 2..=4, 0)), Ok(()));
        let text = history.encode();
        for at in 0..text.len() - 1 {
            assert!(History::decode(&text[..at]).is_none(), "cut at {at}");
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert!(History::decode(&changed).is_none(), "a bit of byte {at}");
        }
        let (body, _) = text.rsplit_once("end ").unwrap();
        assert!(History::decode(&format!("{body}end\n")).is_none());
        let body = body.replace(FIRST_LINE, FIRST_LINE_1);
        let of_before = History::decode(&format!("{body}end\n")).unwrap();
        assert_eq!(of_before.seen.last(), Some(3));
        assert!(of_before.check(&batch("a", 3..=3, 1)).is_err());
    }
}
