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
    output::print(&script(options.shell))
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "whois-loadgen", &mut script);
    // clap_complete 4.6.11 sets one word for the program and looks for another one in bash, where
    // its name has a hyphen: nothing completes after a subcommand (clap's issue 6421).
    String::from_utf8_lossy(&script).replace("whois__subcmd__loadgen", "whois__loadgen")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn bash_completes_the_options_of_a_subcommand() {
        let mut bash = Command::new("bash");
        let mut bash = bash.arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let asked = "COMP_WORDS=(whois-loadgen run --rat); COMP_CWORD=2\n\
                     _whois__loadgen whois-loadgen --rat run\necho \"${COMPREPLY[@]}\"\n";
        let mut input = bash.stdin.take().unwrap();
        input.write_all(format!("{}\n{asked}", script(Shell::Bash)).as_bytes()).unwrap();
        drop(input);
        let output = bash.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "--rate --rate-to\n");
    }
}
