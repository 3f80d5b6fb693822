//! `whoisd config`: checks a configuration file, shows what is in force.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::settings::SettingsOptions;
use super::{Failure, config_check, output};
use crate::config::{self, Flags, STANDARD_FILE};
use crate::serving::checking::Found;

/// Check or show the configuration
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read a configuration file as the server would, and say all that is wrong with it
    ///
    /// Looks at the machine as well: the snapshot directory, lists, cores, addresses, keys, the
    /// places of sockets and logs; whatever would end a start of the server as the same user is
    /// told, all of it at once. Changes nothing, and a server may be running meanwhile: an address
    /// that is in use, or a port that this user may not open, is a warning.
    #[command(
        after_help = "Examples:\n  whoisd config check\n  whoisd config check whoisd.toml\n  \
        whoisd config check --file-only whoisd.toml\n\n\
        Exit status: 0 good, perhaps with warnings; 1 the file cannot be read; 3 refused, the \
        message names file, line, key, value and bound, or what the machine lacks, a line each."
    )]
    Check {
        /// The file
        #[arg(
            value_name = "FILE",
            default_value = STANDARD_FILE,
            value_parser = super::kinds::file()
        )]
        file: PathBuf,

        /// Look at the file alone, not at this machine: for a file that is meant for another one
        #[arg(long)]
        file_only: bool,

        /// The directory that the server is started with (`whoisd serve --dir DIR`), where the file
        /// does not set server.dir
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the settings in force, as TOML, with where each comes from
    #[command(after_help = "Examples:\n  whoisd config show\n  \
        whoisd config show --config /etc/whoisd/whoisd.toml --cores 0,2-5\n\n\
        Exit status: 0 good; 1 cannot be read; 3 refused.")]
    Show(Box<SettingsOptions>),
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check { file, file_only, dir } => check(file, *file_only, dir.as_deref()),
        Command::Show(options) => output::print(options.load()?.show().as_bytes()),
    }
}

fn check(file: &Path, file_only: bool, dir: Option<&Path>) -> Result<(), Failure> {
    let flags = Flags { dir: dir.map(Path::to_owned), ..Flags::default() };
    let (effective, errors) = config::look(Some(file), &flags)?;
    let found = if file_only {
        Found::of_file(&effective.settings)
    } else {
        config_check::of_machine(&effective.settings, &errors)
    };
    output::print(found.warned(file).as_bytes())?;
    found.outcome(file, &effective, &errors)?;
    output::print(format!("{}: good\n", file.display()).as_bytes())
}
