//! A typical WHOIS server: one task per connection, one indexed PostgreSQL query per answer.
//!
//! It starts a private PostgreSQL, fills it, serves, and takes it away at SIGTERM.
//!
//! `cargo run --release -p whoisd-benches --bin tasks-postgres -- --core 0 --domains 100000`
//!
//! # Does not
//!
//! Do anything but start `whoisd_benches::typical` and `postgres`.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use whoisd_benches::probe::{self, Protocol};
use whoisd_benches::server::{self, ServerOptions};
use whoisd_benches::{postgres, typical};

/// Names of a smoke test.
const DOMAINS_SMOKE: usize = 500;

/// Answer WHOIS queries from a PostgreSQL of our own, one task per connection
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: ServerOptions,
    /// Names d0.example, d1.example and so on in the table
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    domains: usize,
    /// Names from a file instead, one a line
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Connections to the database
    #[arg(long, value_name = "N", default_value_t = 4)]
    connections: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.server.smoke && postgres::programs().is_none() {
        let package = postgres::PACKAGE;
        return skip(&format!("left out, PostgreSQL is not installed: apt-get install {package}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

async fn run(options: &Options) -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let database = postgres::Private::start(options.server.core.unwrap_or(0))?;
    let names = names(options)?;
    let folder = database.socket_folder();
    typical::load(folder, &names).await?;
    let pool = Arc::new(typical::Pool::new(folder, options.connections).await?);
    let listener = server::listen(&options.server)?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(typical::serve(listener, pool));
    if options.server.smoke {
        let last = names.last().cloned().unwrap_or_default();
        let asked = tokio::task::spawn_blocking(move || {
            let ask = |name: &str| probe::ask(Protocol::Whois, address, name);
            Ok::<_, io::Error>((ask(&last)?, last, ask("no.such.name")?))
        });
        let (found, name, missed) = asked.await.map_err(io::Error::other)??;
        let starts = found.starts_with(format!("Domain Name: {name}\r\n").as_bytes());
        if !starts || missed != typical::NOT_FOUND.as_bytes() {
            return Err(io::Error::other(String::from_utf8_lossy(&found).into_owned()));
        }
        return Ok(());
    }
    // Whichever comes first; the database goes with the end of this function.
    let mut serving = serving;
    poll_fn(|context| {
        let signals = [&mut terminated, &mut interrupted];
        if signals.into_iter().any(|signal| signal.poll_recv(context).is_ready()) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut serving).poll(context).map(|served| served?)
    })
    .await
}

fn names(options: &Options) -> io::Result<Vec<String>> {
    let Some(file) = &options.names else {
        let count = if options.server.smoke { DOMAINS_SMOKE } else { options.domains };
        return Ok((0..count).map(|number| format!("d{number}.example")).collect());
    };
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[expect(clippy::print_stderr, reason = "a smoke test that has nothing to test says why")]
fn skip(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::SUCCESS
}
