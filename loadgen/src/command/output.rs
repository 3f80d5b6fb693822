//! Writes to standard output; a reader that has gone away (`| head`) is not an error. Reads
//! results.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::saved::Saved;

/// Writes `text` as it is.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(format!("standard output: {error}")),
    }
}

/// Writes `value` as indented JSON and a line feed.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| format!("JSON: {error}"))?;
    print(&(text + "\n"))
}

/// Reads a result file; the message names it.
pub(super) fn read(path: &Path) -> Result<Saved, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Saved::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
