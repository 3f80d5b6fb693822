//! The `whoisd` program: parses the command line and runs one subcommand.

use std::process::ExitCode;

// The control plane allocates much and often; the data plane does not allocate per query.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    whoisd::command::run()
}
