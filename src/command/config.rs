//! `whoisd config`: checks a configuration file, shows what is in force.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::settings::SettingsOptions;
use super::{Failure, output};
use crate::config::{self, Flags};

/// Where a package puts the configuration, and deploy/whoisd.service expects it.
pub(super) const STANDARD_FILE: &str = "/etc/whoisd/whoisd.toml";

/// Check or show the configuration
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read a configuration file as the server would, and say what is wrong with it
    ///
    /// Does not look at the machine: whether a core, an address or the directory is there shows
    /// when the server starts.
    #[command(
        after_help = "Examples:\n  whoisd config check\n  whoisd config check whoisd.toml\n\n\
        Exit status: 0 good; 1 cannot be read; 3 refused, the message names file, line, key, \
        value and bound."
    )]
    Check {
        /// The file
        #[arg(
            value_name = "FILE",
            default_value = STANDARD_FILE,
            value_parser = super::kinds::file()
        )]
        file: PathBuf,
    },
    /// Print the settings in force, as TOML, with where each comes from
    #[command(after_help = "Examples:\n  whoisd config show\n  \
        whoisd config show --config /etc/whoisd/whoisd.toml --cores 0,2-5\n\n\
        Exit status: 0 good; 1 cannot be read; 3 refused.")]
    Show(Box<SettingsOptions>),
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check { file } => check(file),
        Command::Show(options) => output::print(options.load()?.show().as_bytes()),
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    config::load(Some(file), &Flags::default())?;
    output::print(format!("{}: good\n", file.display()).as_bytes())
}
