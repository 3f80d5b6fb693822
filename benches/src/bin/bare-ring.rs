//! A bare io_uring server with a fixed answer: the limit, which is the kernel's share of a query.
//!
//! `cargo run --release -p whoisd-benches --bin bare-ring -- --core 0 --listen 127.0.0.1:4300`
//!
//! # Does not
//!
//! Do anything but start `whoisd_benches::bare`.

use std::process::ExitCode;

use clap::Parser;
use whoisd_benches::{bare, server};

/// Answer every connection with one fixed block, over a ring
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: server::ServerOptions,
    /// Send the end of the connection in one segment with the last data
    #[arg(long)]
    one_segment: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    server::run(&options.server, |listener, block| {
        bare::serve_ring(listener, block, options.one_segment)
    })
}
