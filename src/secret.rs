//! Files of credentials: read again for each connection, since they may have been replaced.
//!
//! # Invariants
//!
//! - `unquoted`: no message quotes such a file.
//! - `bounded`: at most [`FILE_BYTES_MAX`] bytes are read.
//!
//! # Does not
//!
//! Know what they are for: NATS's own form is read by `feed::nats`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file of credentials that is read, bytes; NATS's own have about 1,000.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Reads a file of credentials.
///
/// # Errors
///
/// If it cannot be read as text.
pub(crate) fn read(path: &Path) -> Result<String, Unreadable> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| Unreadable { path: path.to_owned(), source })?;
    Ok(text)
}

/// A file of credentials cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("credentials {}: {source}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// User and password of one line `user:password`.
pub(crate) fn pair(text: &str) -> Option<(&str, &str)> {
    let line = text.trim_end_matches(['\r', '\n']);
    line.split_once(':').filter(|_| !line.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_one_line_with_a_colon() {
        assert_eq!(pair("node:a:b\n"), Some(("node", "a:b")));
        assert_eq!(pair(":only a password\r\n"), Some(("", "only a password")));
        for bad in ["", "secret", "a:b\nc:d\n", "a:\0"] {
            assert_eq!(pair(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let problem = read(Path::new("nowhere/credentials")).unwrap_err().to_string();
        assert!(problem.starts_with("credentials nowhere/credentials: "), "{problem}");
    }
}
