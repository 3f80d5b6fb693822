//! The program `whoisd-web`.

use std::process::ExitCode;

/// What the control plane allocates with, as in `whoisd`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    whoisd_web::run()
}
