//! `whois-loadgen completions`: completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, output};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whois-loadgen completions bash > /etc/bash_completion.d/whois-loadgen\n  \
    whois-loadgen completions fish > ~/.config/fish/completions/whois-loadgen.fish")]
pub(super) struct Options {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "whois-loadgen", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
