//! The subcommands, one file each: its options, its help, its exit status.
//!
//! Exit statuses: 0 done; 1 failed (I/O, network, a full disk); 2 wrong usage; 3 the input was
//! refused (deposit, configuration, snapshot); 4 nothing found (`lookup`, `query`).

mod import;
mod sample;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Registration-data directory server: WHOIS from a registry's escrow deposit.
#[derive(Debug, Parser)]
#[command(name = "whoisd", version, about, long_about = None, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Options),
    Sample(sample::Options),
}

/// Why a command ended without doing its work; the message goes to standard error.
#[derive(Debug)]
pub struct Failure {
    /// Exit status: 1 failed, 3 input refused, 4 nothing found.
    pub status: u8,
    /// What happened, and what to do; empty if everything was said already.
    pub message: String,
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Import(options) => import::run(&options),
        Command::Sample(options) => sample::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                // If standard error is gone, the exit status still tells.
                let _ = writeln!(std::io::stderr(), "whoisd: {}", failure.message);
            }
            ExitCode::from(failure.status)
        }
    }
}
