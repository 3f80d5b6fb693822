//! The laws of configuration files: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - What loads is shown as a file that loads to the same settings, and shows the same again.
//! - What does not load says so in one line that begins with file and line.
//!
//! # Does not
//!
//! Stand in a release: built for tests and for the fuzzer alone.

use std::path::Path;

use super::file::Source;
use super::load::merge;
use super::{ConfigError, Effective, Flags};

/// Name under which texts are read.
const NAME: &str = "whoisd.toml";

/// Holds the laws against a file. Bytes that are not text never get here: they cannot be read.
pub fn file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let loaded = match load(text) {
        Ok(loaded) => loaded,
        Err(error) => return error.each().iter().for_each(says_where),
    };
    let shown = loaded.show();
    let again = match load(&shown) {
        Ok(again) => again,
        Err(error) => panic!("what is shown does not load: {error}\n{shown}"),
    };
    assert_eq!(again.settings, loaded.settings, "{shown}");
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(values(&again.show()), values(&shown));
}

fn load(text: &str) -> Result<Effective, ConfigError> {
    merge(&Source::parse(Path::new(NAME), text.to_owned())?, &Flags::default())
}

fn says_where(error: &ConfigError) {
    let text = error.to_string();
    let rest = text.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(':'));
    let line = rest.and_then(|rest| rest.split(':').next()).and_then(|line| line.parse().ok());
    assert!(line.is_some_and(|line: usize| line > 0), "{text:?} does not begin with its place");
    assert!(!text.contains(char::is_control), "{text:?} is not one line");
}
