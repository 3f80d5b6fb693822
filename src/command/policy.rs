//! `whoisd policy`: what applies to whom, and why.

use clap::Subcommand;

use super::{Failure, policy_simulate};

/// See what the policy does to a query
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Simulate(policy_simulate::Options),
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Simulate(options) => policy_simulate::run(options),
    }
}
