//! Whether a panic while answering costs one connection in the profile that this is built with.
//!
//! `cargo run --profile dist -p whoisd-benches --bin one-panic [-- --smoke]`
//!
//! Cargo builds tests with unwinding whatever their profile says, so a test cannot show it: this is
//! a program, built like the one that is installed. Real shards, of both engines, are asked for an
//! answer that panics, and then for one that does not.
//!
//! Ends with 1 if the shard did not go on; a build that aborts ends with a signal.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::bounded;
use whoisd::observe::ShardFigures;
use whoisd::observe::counters::AnswerClass;
use whoisd::place::cores;
use whoisd::port43::{Answering, Asked, EngineKind, Settings, Sockets};
use whoisd::shard::{Fleet, Plan, ShardReport, listen};
use whoisd_benches::print;

/// How long a client waits: for a shard that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
struct Panics;

impl Answering for Panics {
    type Buffer = Vec<u8>;

    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    #[expect(clippy::panic, reason = "what this program is for")]
    fn answer(&mut self, asked: Asked<'_>, out: &mut Vec<u8>) -> AnswerClass {
        out.clear();
        if asked.line == b"panic" {
            panic!("asked for");
        }
        out.extend_from_slice(b"answered\r\n");
        AnswerClass::Found
    }
}

fn ask(address: SocketAddr, line: &[u8]) -> io::Result<Vec<u8>> {
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(line)?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What went wrong with an engine, if something did.
fn tried(engine: EngineKind) -> Result<(), String> {
    let address = "127.0.0.1:0".parse().map_err(|error| format!("{error}"))?;
    let claim = listen::claim(address).map_err(|error| error.to_string())?;
    let address = claim.address;
    let plan = Plan {
        listen: vec![address],
        proxies: Vec::new(),
        port43: Settings::default(),
        engine,
        shutdown_ms: 1_000,
    };
    let (sender, reports) = bounded(16);
    let core =
        cores::allowed().map_err(|error| error.to_string())?.first().copied().ok_or("no core")?;
    let make = |_: &Arc<ShardFigures>| Panics;
    let fleet = Fleet::start(&[core], &plan, &make, &sender, |report| report)
        .map_err(|error| error.to_string())?;
    if !matches!(reports.recv(), Ok(ShardReport::Ready)) {
        return Err("the shard did not start".to_owned());
    }
    let panicked = ask(address, b"panic\r\n").map_err(|error| format!("the panic: {error}"))?;
    let next = ask(address, b"a\r\n").map_err(|error| format!("the query after it: {error}"))?;
    let (totals, _) = fleet.stop().map_err(|error| error.to_string())?;
    if (panicked.as_slice(), next.as_slice(), totals.panicked) == (b"", b"answered\r\n", 1) {
        return Ok(());
    }
    Err(format!("{} bytes, then {} bytes, {} counted", panicked.len(), next.len(), totals.panicked))
}

fn main() -> ExitCode {
    let mut good = true;
    for engine in [EngineKind::Ring(Sockets::Direct), EngineKind::Streams] {
        let outcome = tried(engine);
        good &= outcome.is_ok();
        let text = match outcome {
            Ok(()) => "a panic cost one connection, and was counted".to_owned(),
            Err(problem) => format!("FAILED: {problem}"),
        };
        print(engine.name(), &text);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
