//! What the servers of the comparison share: command line, block, "ready" line, smoke test.
//!
//! # Invariants
//!
//! - `ready-line`: a server prints `ready ADDRESS` to standard output when it accepts, and no more.
//! - `bounded`: a smoke test ends, whatever the server does: its queries have a deadline.
//!
//! # Does not
//!
//! Handle signals: the default action of SIGTERM is what a server without state needs.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::bare;
use crate::probe::{self, Protocol};

/// Bytes of a fixed answer: the mean of a thick answer over a sampled registry
/// (measured, benches/lookup.rs).
pub const BLOCK_BYTES: usize = 2_787;

/// Connections of a smoke test.
const SMOKE_QUERIES: usize = 20;

/// Command line of a server of the comparison.
#[derive(Debug, Clone, Args)]
pub struct ServerOptions {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Core to run on, and no other; any without it
    #[arg(long, value_name = "CORE")]
    pub core: Option<usize>,
    /// Bytes of the answer to every query
    #[arg(long, value_name = "BYTES", default_value_t = BLOCK_BYTES)]
    pub bytes: usize,
    /// End after this time; without it at SIGTERM
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Start, answer a few queries of our own, compare the bytes, end
    #[arg(long)]
    pub smoke: bool,
}

/// Serves as `options` say with `serve`, which returns only with an error.
///
/// # Panics
///
/// If the kernel gives the process no thread.
pub fn run(
    options: &ServerOptions,
    serve: impl FnOnce(&TcpListener, &[u8]) -> io::Result<Infallible>,
) -> ExitCode {
    let block = block(options.bytes);
    let served = listen(options).and_then(|listener| {
        if options.smoke {
            let (address, expected) = (listener.local_addr()?, block.clone());
            thread::spawn(move || std::process::exit(smoke(address, &expected)));
        }
        serve(&listener, &block)
    });
    match served {
        Ok(never) => match never {},
        Err(error) => fail(&error.to_string()),
    }
}

/// Pins, listens, reports that, and arranges for the end.
///
/// # Errors
///
/// If the kernel refuses the core or the address.
pub fn listen(options: &ServerOptions) -> io::Result<TcpListener> {
    if let Some(core) = options.core {
        bare::pin(core)?;
    }
    let listener = TcpListener::bind(options.listen)?;
    bare::deepen_backlog(&listener)?;
    ready(listener.local_addr()?);
    if let Some(seconds) = options.seconds {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(seconds));
            std::process::exit(0);
        });
    }
    Ok(listener)
}

/// A text of `bytes` bytes in lines that read like an answer.
#[must_use]
pub fn block(bytes: usize) -> Vec<u8> {
    let lines = b"Registrant Street: 1 Fixed Block Road, the same for everybody\r\n";
    lines.iter().copied().cycle().take(bytes).collect()
}

/// Core 1, or core 0 if it is the only one: good enough for a smoke test.
#[must_use]
pub fn second_core() -> usize {
    usize::from(thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
}

/// Prints why a server ends.
#[expect(clippy::print_stderr, reason = "a program's last words")]
pub fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

/// Asks a few times; the exit status of a smoke test.
#[expect(clippy::print_stderr, reason = "a smoke test's result")]
fn smoke(address: SocketAddr, expected: &[u8]) -> i32 {
    for _ in 0..SMOKE_QUERIES {
        match probe::ask(Protocol::Whois, address, "domain.example") {
            Ok(answer) if answer == expected => {}
            Ok(answer) => {
                eprintln!("got {} bytes, expected {}", answer.len(), expected.len());
                return 1;
            }
            Err(error) => {
                eprintln!("no answer: {error}");
                return 1;
            }
        }
    }
    0
}

/// Prints the `ready-line`.
#[expect(clippy::print_stdout, reason = "who starts this server waits for the line")]
pub fn ready(address: SocketAddr) {
    println!("ready {address}");
}
