//! The `whois-loadgen` program: parses the command line and runs one subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    whois_loadgen::command::run()
}
