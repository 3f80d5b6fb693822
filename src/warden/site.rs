//! The nodes of a site tell each other what they have served, through a channel of Redis or Valkey.
//!
//! ```text
//! whoisd-usage 1 NODE          a message: a line with the node's number, then one for each source
//! 192.0.2.7 12                 that was served, with the sum of its prices
//! ```
//!
//! # Invariants
//!
//! - `beside`: two threads of their own talk to the server; the warden, which hands messages over,
//!   never waits.
//! - `alone if need be`: without the server each node limits by itself, and tries again after at
//!   most [`BACKOFF_MAX`].
//! - `heard or made again`: a node that has nothing to tell sends the first line alone each
//!   [`BEAT_MS`], and hears itself; a node that sends and hears nothing for [`SILENCE`] connects
//!   again.
//! - `bounded`: a message has at most [`SOURCES_MAX`] sources and [`MESSAGE_BYTES_MAX`] bytes; what
//!   another node claims is charged up to twice a burst (`policy::limit`).
//!
//! # Does not
//!
//! Trust more than it has to: a process that may write into the channel can have sources refused,
//! but not blocked, and cannot let any through.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ahash::RandomState;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use hashbrown::HashMap;
use redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo};

use super::Site;
use crate::observe::clock;
use crate::place::aside::{self, Place};
use crate::policy::guard::Guard;
use crate::secret;

/// Sources of one message.
const SOURCES_MAX: usize = 16_384;

/// Longest message that is read, bytes: an address of 39 characters and a price for each source.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Messages that wait to be sent.
const WAITING_MAX: usize = 8;

/// Longest pause between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(200);

/// How long the server may take to connect or answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often the threads check whether to end.
const LOOK: Duration = Duration::from_millis(200);

/// Longest time without a message of ours, milliseconds.
const BEAT_MS: i64 = 2_000;

/// How long nothing is heard, not even ourselves, before the connection counts as broken.
const SILENCE: Duration = Duration::from_secs(8);

/// How long the end waits for both threads: the system's resolver has no bound of its own.
const END_TIME: Duration = Duration::from_secs(3);
const END_LOOK: Duration = Duration::from_millis(50);

/// How sharing fares.
#[derive(Debug, Default)]
pub struct SiteFigures {
    /// Whether messages of others arrive.
    pub listening: AtomicBool,
    /// Whether the last message of ours was taken.
    pub telling: AtomicBool,
    /// Messages sent.
    pub sent: AtomicU64,
    /// Messages that could not be sent.
    pub lost: AtomicU64,
    /// Messages of other nodes that were read.
    pub received: AtomicU64,
    /// Messages that could not be read.
    pub refused: AtomicU64,
}

impl SiteFigures {
    /// Whether both directions work.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.listening.load(Ordering::Relaxed) && self.telling.load(Ordering::Relaxed)
    }
}

/// What was served since the last message.
#[derive(Debug, Default)]
struct Usage(HashMap<IpAddr, u32, RandomState>);

impl Usage {
    fn add(&mut self, address: IpAddr, price: u32) {
        if self.0.len() < SOURCES_MAX || self.0.contains_key(&address) {
            let sum = self.0.entry(address).or_default();
            *sum = sum.saturating_add(price);
        }
    }

    /// The message, after which it is empty.
    fn message(&mut self, node: u64) -> String {
        let mut text = format!("whoisd-usage 1 {node:016x}\n");
        for (address, price) in self.0.drain() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{address} {price}");
        }
        text
    }
}

/// Bytes of a message's first line that an error shows.
const HEAD_BYTES_SHOWN: usize = 40;

/// Why a message of another node is left out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum MessageError {
    /// It is longer than any that a node sends.
    #[error("{got} bytes, at most {MESSAGE_BYTES_MAX} are read")]
    Long { got: usize },
    /// It is not text.
    #[error("it is not UTF-8")]
    NoText,
    /// Its first line does not name a node.
    #[error("it begins with {begin:?}")]
    Head { begin: String },
    /// A line does not say what an address has used.
    #[error("no address and price: {line:?}")]
    Line { line: String },
}

/// Reads a message, and whether it is of another node; what `each` was given before an error
/// counts.
fn read(message: &[u8], own: u64, mut each: impl FnMut(IpAddr, u32)) -> Result<bool, MessageError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(MessageError::Long { got: message.len() });
    }
    let text = std::str::from_utf8(message).map_err(|_not_utf8| MessageError::NoText)?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let node = head.strip_prefix("whoisd-usage 1 ").and_then(|id| u64::from_str_radix(id, 16).ok());
    let node = node.ok_or_else(|| MessageError::Head {
        begin: head.get(..HEAD_BYTES_SHOWN).unwrap_or(head).to_owned(),
    })?;
    if node == own {
        return Ok(false);
    }
    for line in lines.take(SOURCES_MAX) {
        let parts = line
            .split_once(' ')
            .and_then(|(address, price)| Some((address.parse().ok()?, price.parse().ok()?)));
        let (address, price) = parts.ok_or_else(|| MessageError::Line { line: line.to_owned() })?;
        each(address, price);
    }
    Ok(true)
}

/// The warden's side.
pub(super) struct Sharing {
    usage: Usage,
    node: u64,
    messages: Sender<String>,
    interval_ms: i64,
    next_ms: i64,
    beat_ms: i64,
    figures: Arc<SiteFigures>,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Sharing {
    /// Starts both threads; `node` is drawn at random.
    pub(super) fn start(
        site: &Site,
        url: &str,
        node: u64,
        guard: Arc<Guard>,
        place: Place<'_>,
    ) -> io::Result<Self> {
        let server = url
            .into_connection_info()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (messages, waiting) = bounded(WAITING_MAX);
        let figures = Arc::new(SiteFigures::default());
        let ending = Arc::new(AtomicBool::new(false));
        let tell = Link::new(&server, site, &figures, &ending);
        let listen = Link::new(&server, site, &figures, &ending);
        let threads = vec![
            aside::spawn("site-tell", place, move || tell.tell(&waiting))?,
            aside::spawn("site-hear", place, move || listen.hear(node, &guard))?,
        ];
        let interval_ms = i64::try_from(site.interval_ms).unwrap_or(i64::MAX);
        let usage = Usage::default();
        let (next_ms, beat_ms) = (i64::MIN, i64::MIN);
        Ok(Self { usage, node, messages, interval_ms, next_ms, beat_ms, figures, ending, threads })
    }

    pub(super) fn figures(&self) -> &Arc<SiteFigures> {
        &self.figures
    }

    pub(super) fn add(&mut self, address: IpAddr, price: u32) {
        self.usage.add(address, price);
    }

    /// Hands a message over once it is time, by a clock that never jumps.
    pub(super) fn turn(&mut self, now_ms: i64) {
        let is_idle = self.usage.0.is_empty() && now_ms < self.beat_ms;
        if now_ms < self.next_ms || is_idle {
            return;
        }
        self.next_ms = now_ms.saturating_add(self.interval_ms);
        self.beat_ms = now_ms.saturating_add(BEAT_MS);
        let message = self.usage.message(self.node);
        if let Err(TrySendError::Full(_)) = self.messages.try_send(message) {
            self.figures.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let mut left = END_TIME;
        while !left.is_zero() && !self.threads.iter().all(JoinHandle::is_finished) {
            let pause = left.min(END_LOOK);
            thread::sleep(pause);
            left = left.saturating_sub(pause);
        }
        for thread in self.threads.drain(..).filter(JoinHandle::is_finished) {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}

/// One connection to the server, made again when it breaks.
struct Link {
    server: ConnectionInfo,
    credentials: Option<PathBuf>,
    channel: String,
    figures: Arc<SiteFigures>,
    ending: Arc<AtomicBool>,
    backoff: Duration,
}

impl Link {
    fn new(
        server: &ConnectionInfo,
        site: &Site,
        figures: &Arc<SiteFigures>,
        ending: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            server: server.clone(),
            credentials: site.credentials.clone(),
            channel: site.channel.clone(),
            figures: Arc::clone(figures),
            ending: Arc::clone(ending),
            backoff: BACKOFF_MIN,
        }
    }

    fn ends(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// The server with the credentials that the file holds now.
    fn authenticated(&self) -> redis::RedisResult<ConnectionInfo> {
        let server = self.server.clone();
        let Some(path) = &self.credentials else { return Ok(server) };
        let wrong = |problem: String| {
            redis::RedisError::from((ErrorKind::InvalidClientConfig, "site.credentials", problem))
        };
        let text = secret::read(path).map_err(|error| wrong(error.to_string()))?;
        let Some((user, password)) = secret::pair(&text) else {
            return Err(wrong(format!("{}: not one line \"user:password\"", path.display())));
        };
        let mut settings = server.redis_settings().clone().set_password(password);
        if !user.is_empty() {
            settings = settings.set_username(user);
        }
        Ok(server.set_redis_settings(settings))
    }

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        let client = redis::Client::open(self.authenticated()?)?;
        let connection = client.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.set_write_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }

    /// Says that the server is gone, and waits: each time twice as long.
    fn wait(&mut self, what: &str, error: &redis::RedisError) {
        if self.backoff == BACKOFF_MIN {
            tracing::warn!(%error, "{what}: the node limits alone until the site's server is back");
        }
        let mut left = self.backoff;
        while !left.is_zero() && !self.ends() {
            let pause = left.min(LOOK);
            thread::sleep(pause);
            left = left.saturating_sub(pause);
        }
        self.backoff = self.backoff.saturating_mul(2).min(BACKOFF_MAX);
    }

    fn tell(mut self, waiting: &Receiver<String>) {
        let mut connection: Option<redis::Connection> = None;
        while !self.ends() {
            let message = match waiting.recv_timeout(LOOK) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let told = self.publish(&mut connection, &message);
            self.figures.telling.store(told.is_ok(), Ordering::Relaxed);
            match told {
                Ok(()) => {
                    self.figures.sent.fetch_add(1, Ordering::Relaxed);
                    self.backoff = BACKOFF_MIN;
                }
                Err(error) => {
                    connection = None;
                    self.figures.lost.fetch_add(1, Ordering::Relaxed);
                    self.wait("usage cannot be told", &error);
                }
            }
        }
    }

    fn publish(
        &self,
        connection: &mut Option<redis::Connection>,
        message: &str,
    ) -> redis::RedisResult<()> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.connect()?),
        };
        redis::cmd("PUBLISH").arg(&self.channel).arg(message).query::<i64>(connection).map(drop)
    }

    fn hear(mut self, node: u64, guard: &Guard) {
        while !self.ends() {
            let heard = self.hear_once(node, guard);
            self.figures.listening.store(false, Ordering::Relaxed);
            if let Err(error) = heard {
                self.wait("usage of other nodes cannot be heard", &error);
            }
        }
    }

    /// Hears until the connection breaks.
    fn hear_once(&mut self, node: u64, guard: &Guard) -> redis::RedisResult<()> {
        let mut connection = self.connect()?;
        let mut channel = connection.as_pubsub();
        channel.subscribe(&self.channel)?;
        channel.set_read_timeout(Some(LOOK))?;
        self.figures.listening.store(true, Ordering::Relaxed);
        self.backoff = BACKOFF_MIN;
        tracing::info!(channel = %self.channel, "the nodes of the site share their usage");
        let mut heard = clock::monotonic();
        while !self.ends() {
            let message = match channel.get_message() {
                Ok(message) => message,
                Err(error) if error.is_timeout() => {
                    let silence = clock::monotonic().saturating_duration_since(heard);
                    // A server that takes nothing has nothing to send back.
                    if !self.figures.telling.load(Ordering::Relaxed) {
                        heard = clock::monotonic();
                    } else if silence >= SILENCE {
                        let what = "nothing comes back of what is told";
                        return Err((ErrorKind::Io, what).into());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            heard = clock::monotonic();
            let now_us = clock::micros();
            let read = read(message.get_payload_bytes(), node, |address, price| {
                guard.add(address, price, now_us);
            });
            match read {
                Ok(is_of_another) => {
                    self.figures.received.fetch_add(u64::from(is_of_another), Ordering::Relaxed);
                }
                Err(error) => {
                    let problem = error.to_string();
                    self.figures.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(problem, "a message of the site is left out");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_brings_what_was_added_to_others_and_not_to_oneself() {
        let mut usage = Usage::default();
        usage.add([192, 0, 2, 1].into(), 3);
        usage.add([192, 0, 2, 1].into(), 4);
        usage.add("2001:db8::1".parse().unwrap(), 1);
        let message = usage.message(7);
        let mut heard = Vec::new();
        let each = |address: IpAddr, price| heard.push((address.to_string(), price));
        assert_eq!(read(message.as_bytes(), 8, each), Ok(true));
        heard.sort();
        let expected = [("192.0.2.1".to_owned(), 7), ("2001:db8::1".to_owned(), 1)];
        assert_eq!(heard, expected);
        assert_eq!(read(message.as_bytes(), 7, |_, _| panic!("it is our own")), Ok(false));
        let beat = usage.message(7);
        assert_eq!(beat, "whoisd-usage 1 0000000000000007\n", "nothing is left to tell");
        assert_eq!(read(beat.as_bytes(), 8, |_, _| panic!("there is nothing")), Ok(true));
    }

    #[test]
    fn a_message_has_a_bound_and_a_bad_one_is_refused() {
        let mut usage = Usage::default();
        for host in 0..100_000_u32 {
            usage.add(IpAddr::V4(host.into()), 1);
        }
        let message = usage.message(1);
        assert_eq!(message.lines().count(), SOURCES_MAX + 1);
        assert!(message.len() <= MESSAGE_BYTES_MAX);
        let refusal = |text: &[u8]| read(text, 1, |_, _| {}).unwrap_err().to_string();
        assert!(refusal(b"hello").contains("begins with"));
        assert!(refusal(b"").contains("begins with"));
        assert!(refusal(b"\xff").contains("UTF-8"));
        assert!(refusal(b"whoisd-usage 1 zz\n").contains("begins with"));
        assert!(refusal(b"whoisd-usage 1 2\n192.0.2.1\n").contains("no address and price"));
        assert!(refusal(b"whoisd-usage 1 2\n192.0.2.1 -1\n").contains("no address and price"));
        assert!(refusal(&vec![b'x'; MESSAGE_BYTES_MAX + 1]).contains("bytes"));
    }
}
