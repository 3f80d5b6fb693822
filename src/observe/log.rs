//! Sets up the log of this process: lines for people or JSON for machines, on standard error.
//!
//! # Does not
//!
//! Log by itself, or know what is worth a line.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as lines, registry, reload};

/// The level of the log of this process, once it has begun.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

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

/// Formats by name, as configuration and command line say them.
pub const FORMATS: [&str; 2] = ["text", "json"];

/// Levels by name, as configuration and command line say them, most severe first.
pub const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Default for Level {
    fn default() -> Self {
        Self(LevelFilter::INFO)
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is none of {}", FORMATS.join(", "))),
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !LEVELS.contains(&text) {
            return Err(format!("{text:?} is none of {}", LEVELS.join(", ")));
        }
        LevelFilter::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Starts logging to standard error.
///
/// # Errors
///
/// If this process logs already.
pub fn start(settings: Settings) -> Result<(), String> {
    let (filter, handle) = reload::Layer::new(settings.level.0);
    let layer = lines::layer().with_target(false).with_writer(std::io::stderr);
    let layer = match settings.format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    registry().with(filter).with(layer).try_init().map_err(|error| format!("log: {error}"))?;
    // Only the first start comes here.
    let _ = LEVEL.set(handle);
    Ok(())
}

/// Changes the least severe lines that are written from now on; nothing without a log.
pub fn set_level(level: Level) {
    if let Some(handle) = LEVEL.get() {
        // It fails once the log has ended only, with the process.
        let _ = handle.reload(level.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written_the_same() {
        for name in FORMATS {
            assert_eq!(name.parse::<Format>().unwrap().to_string(), name);
        }
        for name in LEVELS {
            assert_eq!(name.parse::<Level>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let error = "verbose".parse::<Level>().unwrap_err();
        assert_eq!(error, "\"verbose\" is none of off, error, warn, info, debug, trace");
        assert!("xml".parse::<Format>().unwrap_err().contains("text, json"));
    }
}
