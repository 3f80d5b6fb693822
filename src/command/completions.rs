//! `whoisd completions`: completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Failure, output};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd completions bash > /etc/bash_completion.d/whoisd\n  \
    whoisd completions zsh > \"${fpath[1]}/_whoisd\"\n  \
    whoisd completions fish > ~/.config/fish/completions/whoisd.fish")]
pub(super) struct Options {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "whoisd", &mut script);
    output::print(&script)
}
