//! Which configuration a command reads: one rule for all commands.
//!
//! # Invariants
//!
//! - `one-rule`: `--config FILE` is read, whatever else is given. Without it, and unless another
//!   option says which directory or socket is meant, [`STANDARD_FILE`] is read if it is there. So
//!   what `--dir` shows does not depend on what is installed on the machine.
//!
//! # Does not
//!
//! Read anything: `config` does.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{self, Flags, STANDARD_FILE, Settings};

/// The file to read; `None`: defaults hold. `is_named` says whether another option says what is
/// meant.
pub(super) fn file(config: Option<&Path>, is_named: bool) -> Option<PathBuf> {
    or_standard(config, is_named, Path::new(STANDARD_FILE))
}

fn or_standard(config: Option<&Path>, is_named: bool, standard: &Path) -> Option<PathBuf> {
    let standard = || (!is_named && standard.exists()).then(|| standard.to_owned());
    config.map(Path::to_owned).or_else(standard)
}

/// The settings of a command with `--dir` and `--config`.
pub(super) fn settings(config: Option<&Path>, dir: Option<&Path>) -> Result<Settings, Failure> {
    let flags = Flags { dir: dir.map(Path::to_owned), ..Flags::default() };
    let file = file(config, dir.is_some());
    Ok(config::load(file.as_deref(), &flags)?.settings)
}

/// Options of commands that work on a snapshot directory.
#[derive(Debug, Args)]
pub(super) struct DirOptions {
    /// Snapshot directory. Default server.dir of the configuration
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "config",
        value_parser = super::kinds::directory()
    )]
    dir: Option<PathBuf>,

    /// Configuration file whose server.dir is meant. Default /etc/whoisd/whoisd.toml, if it is
    /// there
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    config: Option<PathBuf>,
}

impl DirOptions {
    /// The directory.
    pub(super) fn dir(&self) -> Result<PathBuf, Failure> {
        directory(self.config.as_deref(), self.dir.as_deref())
    }
}

/// The directory that is named, or that of the configuration.
pub(super) fn directory(config: Option<&Path>, dir: Option<&Path>) -> Result<PathBuf, Failure> {
    match dir {
        Some(dir) => Ok(dir.to_owned()),
        None => Ok(settings(config, None)?.dir()?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_file_is_read_if_it_is_there_and_nothing_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let standard = folder.path().join("whoisd.toml");
        let other = Path::new("other.toml");
        assert_eq!(or_standard(None, false, &standard), None);
        assert_eq!(or_standard(Some(other), false, &standard), Some(other.to_owned()));
        std::fs::write(&standard, "").unwrap();
        assert_eq!(or_standard(None, false, &standard), Some(standard.clone()));
        assert_eq!(or_standard(None, true, &standard), None, "--dir is meant");
        assert_eq!(or_standard(Some(other), false, &standard), Some(other.to_owned()));
        assert_eq!(or_standard(Some(other), true, &standard), Some(other.to_owned()));
    }
}
