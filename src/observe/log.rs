//! Sets up the log of this process: lines for people or JSON for machines, on standard error.
//!
//! # Does not
//!
//! Log by itself, or know what is worth a line.

use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

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
    let builder = tracing_subscriber::fmt()
        .with_max_level(settings.level.0)
        .with_target(false)
        .with_writer(std::io::stderr);
    let started = match settings.format {
        Format::Text => builder.with_ansi(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("log: {error}"))
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
