//! Sets up the log of this process: lines for people or JSON for machines, on standard error.
//!
//! # Invariants
//!
//! - `ours`: libraries' lines are left out, but for errors, up to level `info`: what they report is
//!   reported by us, in our words, with what to do. From `debug` on they are there.
//! - `severity`: where standard error is the journal, each line begins with its priority (`<3>`),
//!   which the journal takes off and files it under.
//!
//! # Does not
//!
//! Log by itself, or know what is worth a line.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::{Level as Severity, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt as lines, registry, reload};

use crate::bounds::{UnknownWord, of_word};

/// The level of the log of this process, once it has begun.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Where our own lines come from: the crates of the workspace.
const OURS: [&str; 3] = ["whoisd", "snapshot_format", "whois_loadgen"];

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Time, level, message and fields in one line.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(LevelFilter);

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How a line looks.
    pub format: Format,
    /// Least severe lines written.
    pub level: Level,
}

impl Default for Level {
    fn default() -> Self {
        Self(LevelFilter::INFO)
    }
}

impl Format {
    const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::Text, Self::Json], Self::word)
    }
}

impl FromStr for Level {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let levels = [
            ("off", LevelFilter::OFF),
            ("error", LevelFilter::ERROR),
            ("warn", LevelFilter::WARN),
            ("info", LevelFilter::INFO),
            ("debug", LevelFilter::DEBUG),
            ("trace", LevelFilter::TRACE),
        ];
        of_word(text, levels, |(word, _)| word).map(|(_, level)| Self(level))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// This process logs already.
#[derive(Debug, thiserror::Error)]
#[error("log: {0}")]
pub struct LogError(#[from] TryInitError);

/// Starts logging to standard error.
///
/// # Errors
///
/// If this process logs already.
pub fn start(settings: Settings) -> Result<(), LogError> {
    let (filter, handle) = reload::Layer::new(targets(settings.level));
    let writer = Stderr { prefixed: is_journal() };
    let layer = lines::layer().with_target(false).with_writer(writer);
    let layer = match settings.format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    registry().with(filter).with(layer).try_init()?;
    // Only the first start comes here.
    let _ = LEVEL.set(handle);
    Ok(())
}

/// Changes the least severe lines that are written from now on; nothing without a log.
pub fn set_level(level: Level) {
    if let Some(handle) = LEVEL.get() {
        // It fails once the log has ended only, with the process.
        let _ = handle.reload(targets(level));
    }
}

/// Which lines are written at a level.
fn targets(level: Level) -> Targets {
    let others =
        if level.0 >= LevelFilter::DEBUG { level.0 } else { level.0.min(LevelFilter::ERROR) };
    Targets::new().with_default(others).with_targets(OURS.map(|ours| (ours, level.0)))
}

/// Whether standard error is the system's journal: `JOURNAL_STREAM` names its device and inode
/// then.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    // The link leads to what standard error is, whatever that is.
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| named == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// The beginning of a message to standard error that is not a line of the log: the priority of an
/// error for the journal, nothing elsewhere.
#[must_use]
pub fn error_prefix() -> &'static str {
    if is_journal() { priority(Severity::ERROR) } else { "" }
}

/// The priority of syslog that a severity has, as the journal reads it.
const fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::ERROR => "<3>",
        Severity::WARN => "<4>",
        Severity::INFO => "<6>",
        _ => "<7>",
    }
}

/// Standard error, with priorities where it is the journal.
#[derive(Clone, Copy, Debug)]
struct Stderr {
    prefixed: bool,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Prefixed;

    fn make_writer(&'a self) -> Prefixed {
        Prefixed { prefix: if self.prefixed { priority(Severity::INFO) } else { "" } }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Prefixed {
        Prefixed { prefix: if self.prefixed { priority(*of.level()) } else { "" } }
    }
}

/// Writes each line at once, after its prefix.
#[derive(Clone, Copy, Debug)]
struct Prefixed {
    prefix: &'static str,
}

impl Write for Prefixed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.prefix.is_empty() {
            return io::stderr().lock().write(bytes);
        }
        io::stderr().lock().write_all(&prefixed(self.prefix, bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

fn prefixed(prefix: &str, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + prefix.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written_the_same() {
        for name in ["text", "json"] {
            assert_eq!(name.parse::<Format>().unwrap().to_string(), name);
        }
        for name in ["off", "error", "warn", "info", "debug", "trace"] {
            assert_eq!(name.parse::<Level>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let error = "verbose".parse::<Level>().unwrap_err().to_string();
        assert_eq!(error, "\"verbose\" is none of off, error, warn, info, debug, trace");
        assert!("xml".parse::<Format>().unwrap_err().to_string().contains("text, json"));
    }

    #[test]
    fn each_line_for_the_journal_begins_with_its_priority() {
        assert_eq!(prefixed("<4>", b"one\ntwo\n"), b"<4>one\n<4>two\n");
        assert_eq!(prefixed("<4>", b""), b"");
        let severities = [Severity::ERROR, Severity::WARN, Severity::INFO, Severity::DEBUG];
        assert_eq!(severities.map(priority), ["<3>", "<4>", "<6>", "<7>"]);
    }

    #[test]
    fn libraries_are_heard_from_level_debug_on_before_that_only_their_errors() {
        let written = |level: &str, target: &str, severity: &Severity| {
            targets(level.parse().unwrap()).would_enable(target, severity)
        };
        for library in ["async_nats", "async_nats::connector", "glommio::executor", "log", "whois"]
        {
            assert!(!written("info", library, &Severity::INFO), "{library}");
            assert!(!written("info", library, &Severity::WARN), "{library}");
            assert!(written("info", library, &Severity::ERROR), "{library}");
            assert!(written("debug", library, &Severity::WARN), "{library}");
            assert!(!written("off", library, &Severity::ERROR), "{library}");
        }
        for ours in ["whoisd::command::serve", "snapshot_format::sums", "whoisd"] {
            assert!(written("info", ours, &Severity::INFO), "{ours}");
            assert!(!written("info", ours, &Severity::DEBUG), "{ours}");
            assert!(!written("warn", ours, &Severity::INFO), "{ours}");
        }
    }
}
