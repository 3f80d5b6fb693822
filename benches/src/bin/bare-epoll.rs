//! A bare epoll server with a fixed answer: the same work in a plain event loop.
//!
//! `cargo run --release -p whoisd-benches --bin bare-epoll -- --core 0 --listen 127.0.0.1:4301`
//!
//! # Does not
//!
//! Do anything but start `whoisd_benches::bare`.

use std::process::ExitCode;

use clap::Parser;
use whoisd_benches::{bare, server};

/// Answer every connection with one fixed block, by epoll
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: server::ServerOptions,
}

fn main() -> ExitCode {
    server::run(&Options::parse().server, bare::serve_epoll)
}
