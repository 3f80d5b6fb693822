//! The well-behaved client: how long it waits for its answers, quiet and beside others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What it asks.
const QUERY: &[u8] = b"small.demo\r\n";
/// How long it waits for an answer before it is called none.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two queries: it is one client, not a load.
const PAUSE: Duration = Duration::from_micros(500);

/// Differences below it say nothing of the server, milliseconds: two ticks of the engine, and the
/// time for which a machine that others share may take a core away.
pub(crate) const NOISE_MS: f64 = 10.0;
/// How often the quiet figure a figure under attack may be.
pub(crate) const RATIO_MAX: f64 = 2.0;

/// Waits of some queries, milliseconds, ascending.
pub(crate) struct Waits(Vec<f64>);

impl Waits {
    /// Asks `count` times, one after the other. An answer that is none or wrong is an error.
    pub(crate) fn measure(to: SocketAddr, count: usize) -> Result<Self, String> {
        let mut waits = Vec::with_capacity(count);
        for _ in 0..count {
            waits.push(ask(to)?.as_secs_f64() * 1e3);
            std::thread::sleep(PAUSE);
        }
        waits.sort_by(f64::total_cmp);
        Ok(Self(waits))
    }

    /// The wait that `share` of 100 do not exceed.
    pub(crate) fn percentile(&self, share: usize) -> f64 {
        self.0[(self.0.len() * share).div_ceil(100).clamp(1, self.0.len()) - 1]
    }
}

fn ask(to: SocketAddr) -> Result<Duration, String> {
    let begun = Instant::now();
    let failed = |what: &str, error: std::io::Error| format!("the good client: {what}: {error}");
    let mut stream =
        TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| failed("connect", error))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| failed("deadline", error))?;
    stream.write_all(QUERY).map_err(|error| failed("send", error))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| failed("read", error))?;
    let whole = answer.starts_with("Domain Name: small.demo\r\n") && answer.ends_with("\r\n");
    if !whole {
        return Err(format!("the good client got {} bytes: {answer:.200}", answer.len()));
    }
    Ok(begun.elapsed())
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Whether a client is served as well beside others as without them.
pub(crate) fn is_as_good(quiet_ms: f64, attacked_ms: f64) -> bool {
    attacked_ms <= (quiet_ms * RATIO_MAX).max(NOISE_MS)
}
