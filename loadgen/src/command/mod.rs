//! The subcommands, one file each: its options, its help, its exit status.
//!
//! Exit statuses: 0 done; 1 failed; 2 wrong usage; 3 a run that cannot be used, or an objective
//! that was missed; `compare` has its own.

mod aside;
mod compare;
mod completions;
mod http;
mod load;
mod output;
mod outputs;
mod plan;
mod report;
mod run;
mod soak;
mod sweep;
mod target;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workload::WorkloadError;
use crate::{LoadgenError, SnapshotError};

/// The version with the commit that it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("WHOISD_COMMIT"), ")");

/// Open-loop load generator and capacity planner for WHOIS servers
#[derive(Debug, Parser)]
#[command(name = "whois-loadgen", version = VERSION, about, long_about = None)]
#[command(max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Options>),
    Sweep(Box<sweep::Options>),
    Soak(Box<soak::Options>),
    Plan(plan::Options),
    Compare(compare::Options),
    Report(report::Options),
    Completions(completions::Options),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Sweep(options) => sweep::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Compare(options) => compare::run(&options).map_err(Failure::from),
        Command::Report(options) => report::run(&options),
        Command::Completions(options) => {
            completions::run(&options).map(|()| ExitCode::SUCCESS).map_err(Failure::from)
        }
    };
    done.unwrap_or_else(|failure| {
        let (message, status) = match failure {
            Failure::Failed(message) => (message, 1),
            Failure::Usage(message) => (message, 2),
        };
        let _ = writeln!(std::io::stderr(), "whois-loadgen: {message}");
        ExitCode::from(status)
    })
}

/// Why a command ended early, in words.
#[derive(Debug)]
enum Failure {
    /// It could not be done.
    Failed(String),
    /// It was asked for in a way that cannot be.
    Usage(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<LoadgenError> for Failure {
    fn from(error: LoadgenError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<WorkloadError> for Failure {
    fn from(error: WorkloadError) -> Self {
        Self::Failed(error.to_string())
    }
}
