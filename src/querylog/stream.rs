//! The log of many nodes in one place: blocks as messages of a JetStream subject.
//!
//! A message is one block: gzip of JSON lines, as in the files. Its headers: `Content-Encoding:
//! gzip`, `Whoisd-Node` (the host's name), `Whoisd-Rows`, `Whoisd-First-Ms`, `Whoisd-Last-Ms`,
//! `Whoisd-Lost` (queries since the message before that are in none), and `Nats-Msg-Id`, by which
//! the server drops a message that it got twice, and whose last number counts on by one for each
//! block.
//!
//! # Invariants
//!
//! - `acknowledged`: a batch is let go once the server has stored it; one after the other, in
//!   order.
//! - `bounded`: at most [`BATCHES_MAX`] batches wait; one more is dropped, its rows are counted,
//!   and the next message says so: by its number and its `Whoisd-Lost`.
//!
//! # Does not
//!
//! Make the stream: which server stores how much of it for how long is its operator's to say.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::PublishError;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use tokio::runtime::{Builder, Runtime};

use super::error::LogError;
use super::figures::{Figures, add};
use crate::feed::nats::{Address, Backoff, ConnectError, Connection, STREAM, connect};
use crate::observe::clock;
use crate::place::aside::{self, Place};

/// Batches that wait for a server: about 25 KB each when there is much to log, so 25 MB and a
/// million queries; a quarter of an hour when there is little.
const BATCHES_MAX: usize = 1_024;
/// How often the queue is looked at while it is empty.
const POLL: Duration = Duration::from_millis(50);
/// Until a server has answered.
const REQUEST: Duration = Duration::from_secs(if cfg!(test) { TEST_REQUEST_S } else { 5 });
/// In tests here, so that no machine is slow enough for a wait of `STOP_WAIT` to last as long.
const TEST_REQUEST_S: u64 = 600;
/// Pauses after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// As above.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the end of the process may wait for what is left.
const STOP_WAIT: Duration = Duration::from_secs(2);
/// Longest subject, bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// Where blocks are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSettings {
    /// Servers of one cluster, or one: `nats://host:port`, `tls://host:port`.
    pub servers: Vec<String>,
    /// Subject that a stream there stores.
    pub subject: String,
    /// File with credentials, as `feed.nats.credentials`.
    pub credentials: Option<PathBuf>,
}

impl StreamSettings {
    fn address(&self) -> Address {
        Address {
            servers: self.servers.clone(),
            stream: STREAM.to_owned(),
            credentials: self.credentials.clone(),
        }
    }

    /// Checks the subject: words of letters, digits, `_` and `-`, with dots between them.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check_subject(&self) -> Result<(), LogError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(known);
        if self.subject.len() <= SUBJECT_BYTES_MAX && self.subject.split('.').all(is_word) {
            return Ok(());
        }
        Err(LogError::Subject { got: super::day::shortened(&self.subject) })
    }
}

/// One block.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) packed: Vec<u8>,
    pub(super) rows: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Queries since the batch before that are in none.
    pub(super) lost: u64,
}

/// Batches on their way to the thread, each with its number, from 1.
struct Queue {
    batches: Sender<(u64, Batch)>,
    number: u64,
    /// Queries of batches that were dropped since the last one that was taken.
    lost: u64,
    figures: Arc<Figures>,
}

impl Queue {
    fn new(batches_max: usize, figures: Arc<Figures>) -> (Self, Receiver<(u64, Batch)>) {
        let (batches, taken) = bounded(batches_max);
        (Self { batches, number: 0, lost: 0, figures }, taken)
    }

    /// Takes a batch, or counts its rows as dropped.
    fn offer(&mut self, mut batch: Batch) {
        self.number += 1;
        batch.lost += std::mem::take(&mut self.lost);
        // Before it can be taken out at the other end.
        add(&self.figures.stream_waiting, 1);
        match self.batches.try_send((self.number, batch)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, batch)) | TrySendError::Disconnected((_, batch))) => {
                self.figures.stream_waiting.fetch_sub(1, Ordering::Relaxed);
                add(&self.figures.stream_dropped, batch.rows);
                self.lost = batch.rows + batch.lost;
            }
        }
    }
}

/// The thread that sends.
pub(super) struct Stream {
    queue: Queue,
    stop: Arc<AtomicBool>,
    /// Closed once the thread has ended.
    ended: Receiver<()>,
    thread: JoinHandle<()>,
    figures: Arc<Figures>,
}

impl Stream {
    /// Starts the thread at `place`.
    pub(super) fn start(
        settings: &StreamSettings,
        figures: Arc<Figures>,
        now_ms: i64,
        place: Place<'_>,
    ) -> io::Result<Self> {
        let (queue, batches) = Queue::new(BATCHES_MAX, Arc::clone(&figures));
        let stop = Arc::new(AtomicBool::new(false));
        let name = rustix::system::uname();
        let node = name.nodename().to_string_lossy().replace(|c: char| !c.is_ascii_graphic(), "-");
        let mut sender = Sending {
            runtime: Builder::new_current_thread().enable_all().build()?,
            address: settings.address(),
            subject: settings.subject.clone(),
            // Another process of this host, or the one before, has another time of start.
            id: format!("{node}-{now_ms}-{}", std::process::id()),
            node,
            next_server: 0,
            connection: None,
            backoff: Backoff::new(PAUSE_MIN, PAUSE_MAX),
            stop: Arc::clone(&stop),
            stopping: None,
            figures: Arc::clone(&figures),
        };
        let (ending, ended) = bounded(0);
        let work = move || {
            sender.run(&batches);
            drop(ending);
        };
        let thread = aside::spawn("querylog-nats", place, work)?;
        Ok(Self { queue, stop, ended, thread, figures })
    }

    /// Hands a batch over, or counts its rows as dropped.
    pub(super) fn offer(&mut self, batch: Batch) {
        self.queue.offer(batch);
    }

    /// Sends what waits, for [`STOP_WAIT`]; returns after twice that at most.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.queue);
        // A connection that is being made is given up by none but its own deadline.
        if self.ended.recv_timeout(2 * STOP_WAIT) == Err(RecvTimeoutError::Timeout) {
            let batches = self.figures.stream_waiting.load(Ordering::Relaxed);
            tracing::warn!(batches, "query log: no server takes what is left before the end");
            return;
        }
        // It has said on standard error if it panicked.
        let _ = self.thread.join();
    }
}

/// A block was not stored.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// No server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refuses it.
    #[error("{server}: {source}; does a stream there store the subject {subject}?")]
    Refused { server: String, subject: String, source: PublishError },
    /// The server does not answer.
    #[error("{server}: no answer")]
    Silent { server: String },
}

struct Sending {
    runtime: Runtime,
    address: Address,
    subject: String,
    node: String,
    id: String,
    next_server: usize,
    connection: Option<Connection>,
    backoff: Backoff,
    stop: Arc<AtomicBool>,
    /// When it was noticed that the process ends.
    stopping: Option<Instant>,
    figures: Arc<Figures>,
}

impl Sending {
    fn run(&mut self, batches: &Receiver<(u64, Batch)>) {
        loop {
            let (number, batch) = match batches.try_recv() {
                Ok(batch) => batch,
                // The connection has its say while this sleeps.
                Err(TryRecvError::Empty) => {
                    self.sleep(POLL);
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
            };
            let sent = self.send_until_stopped(number, &batch);
            self.figures.stream_waiting.fetch_sub(1, Ordering::Relaxed);
            let figure =
                if sent { &self.figures.stream_sent } else { &self.figures.stream_dropped };
            add(figure, batch.rows);
            if !sent || self.is_out_of_time() {
                self.give_up(batches);
                return;
            }
        }
    }

    /// Whether the process ends, and has waited long enough.
    fn is_out_of_time(&mut self) -> bool {
        if !self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let now = clock::monotonic();
        let begun = *self.stopping.get_or_insert(now);
        now.saturating_duration_since(begun) >= STOP_WAIT
    }

    fn give_up(&self, batches: &Receiver<(u64, Batch)>) {
        let rows: u64 = batches.iter().map(|(_, batch)| batch.rows).sum();
        add(&self.figures.stream_dropped, rows);
        self.figures.stream_waiting.store(0, Ordering::Relaxed);
        if rows > 0 {
            tracing::warn!(rows, "query log: the stream did not take everything before the end");
        }
    }

    fn sleep(&self, pause: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(pause).await });
    }

    /// Sends a batch, again and again; `false` if the process ends before anybody has stored it.
    fn send_until_stopped(&mut self, number: u64, batch: &Batch) -> bool {
        loop {
            let Err(problem) = self.send(number, batch) else {
                self.backoff.reset();
                return true;
            };
            self.connection = None;
            self.figures.stream_connected.store(false, Ordering::Relaxed);
            let mut pause = self.backoff.pause();
            let pause_ms = clock::whole_ms(pause);
            tracing::warn!(%problem, pause_ms, "query log: cannot send; it is tried again");
            while !pause.is_zero() {
                if self.is_out_of_time() {
                    return false;
                }
                self.sleep(pause.min(POLL));
                pause = pause.saturating_sub(POLL);
            }
        }
    }

    fn send(&mut self, number: u64, batch: &Batch) -> Result<(), SendError> {
        if self.connection.is_none() {
            let time = self.request_time();
            let connecting = connect(&self.address, &mut self.next_server, time);
            self.connection = Some(self.runtime.block_on(connecting)?);
            self.figures.stream_connected.store(true, Ordering::Relaxed);
        }
        let Some(connection) = &self.connection else { return Ok(()) };
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{}-{number}", self.id));
        headers.insert("Content-Encoding", "gzip");
        headers.insert("Whoisd-Node", self.node.as_str());
        headers.insert("Whoisd-Rows", batch.rows.to_string());
        headers.insert("Whoisd-Lost", batch.lost.to_string());
        headers.insert("Whoisd-First-Ms", batch.first_ms.to_string());
        headers.insert("Whoisd-Last-Ms", batch.last_ms.to_string());
        let (subject, payload) = (self.subject.clone(), batch.packed.clone().into());
        let publish = async {
            let sent = connection.jetstream.publish_with_headers(subject, headers, payload).await?;
            sent.await
        };
        let limited = async { tokio::time::timeout(self.request_time(), publish).await };
        match self.runtime.block_on(limited) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(SendError::Refused {
                server: connection.server.clone(),
                subject: self.subject.clone(),
                source: error,
            }),
            Err(_) => Err(SendError::Silent { server: connection.server.clone() }),
        }
    }

    fn request_time(&self) -> Duration {
        if self.stop.load(Ordering::Relaxed) { STOP_WAIT } else { REQUEST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_beyond_the_bound_are_dropped_counted_and_said_in_the_next_one() {
        let figures = Arc::new(Figures::default());
        let (mut queue, taken) = Queue::new(2, Arc::clone(&figures));
        let batch = |rows, lost| Batch { packed: Vec::new(), rows, first_ms: 0, last_ms: 0, lost };
        for number in 1..=5 {
            queue.offer(batch(number * 10, 1));
        }
        let figure = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
        assert_eq!((figure(&figures.stream_waiting), figure(&figures.stream_dropped)), (2, 120));
        let took = |taken: &Receiver<(u64, Batch)>| {
            let (number, batch) = taken.try_recv().unwrap();
            (number, batch.rows, batch.lost)
        };
        assert_eq!((took(&taken), took(&taken)), ((1, 10, 1), (2, 20, 1)));
        queue.offer(batch(60, 2));
        // Three batches of 120 queries, what they had lost, and its own.
        assert_eq!(took(&taken), (6, 60, 120 + 3 + 2));
        queue.offer(batch(70, 0));
        assert_eq!(took(&taken), (7, 70, 0));
    }

    #[test]
    fn the_end_waits_a_bounded_time_for_a_server_that_does_not_answer() {
        // It takes connections, and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = StreamSettings {
            servers: vec![format!("nats://{}", silent.local_addr().unwrap())],
            subject: "whoisd.queries".to_owned(),
            credentials: None,
        };
        let weight = aside::Weight::Full;
        let place = Place { core: None, shard_cores: &[], weight };
        let figures = Arc::new(Figures::default());
        let mut stream = Stream::start(&settings, Arc::clone(&figures), 0, place).unwrap();
        stream.offer(Batch { packed: vec![1], rows: 3, first_ms: 0, last_ms: 0, lost: 0 });
        // It is being tried by now, with a request's time.
        std::thread::sleep(Duration::from_millis(100));
        let begun = clock::monotonic();
        stream.stop();
        let took = clock::monotonic().saturating_duration_since(begun);
        // It has not waited for the request's time.
        assert!(took < REQUEST / 2, "{took:?}");
    }
}
