//! What happens on one connection, and when it has lasted long enough: a socket that notes reads
//! and writes, and the rules that cut.
//!
//! # Invariants
//!
//! - `pure`: [`Activity::due`] and [`Activity::waits_since`] depend on what was noted and the time
//!   that they are given.
//! - `unsent`: an answer counts for its core from when it is made until the kernel has it, or
//!   nobody wants it (`body`).
//!
//! # Does not
//!
//! Know HTTP: hyper reads heads and bodies. Hold a timer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::coop::poll_proceed;
use whoisd::observe::ShardFigures;

use crate::end::Eviction;

/// Bytes that count as one more read. A turn has 128: 32 KiB, of which a client that means well
/// sends a few hundred bytes.
const BYTES_OF_READ: usize = 256;

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// From the accept to the first byte.
    pub(crate) first_byte: Duration,
    /// Without a request, between two of them.
    pub(crate) idle: Duration,
    /// From a write that finds no room until it has found some.
    pub(crate) write: Duration,
    /// From the accept on, whatever happens.
    pub(crate) total: Duration,
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// It ends once the requests under way have their answers.
    Finish,
    /// It ends at once: the client does not send, or does not read.
    Cut,
}

/// What has happened on a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    accepted: Instant,
    /// From when on the first byte is waited for.
    expected: Cell<Instant>,
    /// Whether a byte has come.
    has_read: Cell<bool>,
    /// Whether bytes have come since the last request: of the next one, if not of a body.
    has_begun: Cell<bool>,
    /// Whether a request has come.
    has_asked: Cell<bool>,
    /// Whether requests come as HTTP/2, whose frames need not be of a request.
    is_multiplexed: Cell<bool>,
    /// Since when a write waits for the client.
    stalled: Cell<Option<Instant>>,
    /// Requests whose answers are being made.
    under_way: Cell<u32>,
    /// When the last of them was made; the accept before that.
    answered: Cell<Instant>,
    /// Bytes of answers that are made and not handed to the kernel.
    unsent: Cell<usize>,
    /// When there were none, or some of them were handed over.
    sent: Cell<Instant>,
    /// Those of all connections of the core.
    of_core: Rc<Cell<usize>>,
    evicted: Cell<bool>,
    told: Notify,
    now: fn() -> Instant,
}

impl Activity {
    /// Of a connection that is accepted now, on a core with so many unsent bytes.
    pub(crate) fn new(now: fn() -> Instant, of_core: &Rc<Cell<usize>>) -> Rc<Self> {
        let accepted = now();
        Rc::new(Self {
            accepted,
            expected: Cell::new(accepted),
            has_read: Cell::new(false),
            has_begun: Cell::new(false),
            has_asked: Cell::new(false),
            is_multiplexed: Cell::new(false),
            stalled: Cell::new(None),
            under_way: Cell::new(0),
            answered: Cell::new(accepted),
            unsent: Cell::new(0),
            sent: Cell::new(accepted),
            of_core: Rc::clone(of_core),
            evicted: Cell::new(false),
            told: Notify::new(),
            now,
        })
    }

    /// The header of a proxy has come: the client's first byte is waited for from now on.
    pub(crate) fn expect(&self) {
        self.expected.set((self.now)());
    }

    /// What is to become of it at `now`.
    pub(crate) fn due(&self, deadlines: &Deadlines, now: Instant) -> Due {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.stalled.get().is_some_and(|then| since(then) >= deadlines.write) {
            return Due::Cut;
        }
        if !self.has_read.get() && since(self.expected.get()) >= deadlines.first_byte {
            return Due::Cut;
        }
        // Frames that are no requests, such as PING, are no sign of a client that asks or reads.
        if self.unsent.get() > 0 && since(self.sent.get()) >= deadlines.write {
            return Due::Cut;
        }
        let last = self.answered.get().max(self.sent.get());
        let idle = self.awaits_request() && since(last) >= deadlines.idle;
        if idle || since(self.accepted) >= deadlines.total { Due::Finish } else { Due::Nothing }
    }

    /// A request has come, and its answer is being made until what is returned is dropped.
    pub(crate) fn ask(self: &Rc<Self>) -> Asking {
        self.has_asked.set(true);
        self.has_begun.set(false);
        self.under_way.set(self.under_way.get().saturating_add(1));
        Asking(Rc::clone(self))
    }

    /// Since when it waits for its client: to ask, or to read. `None`: an answer is being made, or
    /// it is closed already.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        if self.evicted.get() {
            return None;
        }
        match self.stalled.get() {
            None if self.under_way.get() > 0 => None,
            None => Some(self.answered.get().max(self.sent.get())),
            stalled => stalled,
        }
    }

    /// Bytes of its answers that are made and not handed to the kernel.
    pub(crate) const fn unsent(&self) -> usize {
        self.unsent.get()
    }

    /// Has it closed, for others.
    pub(crate) fn evict(&self) {
        self.evicted.set(true);
        self.told.notify_one();
    }

    /// Whether it has been told so.
    pub(crate) const fn is_evicted(&self) -> bool {
        self.evicted.get()
    }

    /// Ends when it is to be closed; which kind of connection it was.
    pub(crate) async fn evicted(&self) -> Eviction {
        self.told.notified().await;
        if !self.has_read.get() {
            Eviction::Silent
        } else if self.keeps_answers() {
            Eviction::Writing
        } else if self.has_begun() || !self.has_asked.get() {
            Eviction::Line
        } else {
            Eviction::Draining
        }
    }

    /// Whether a byte has come.
    pub(crate) const fn has_read(&self) -> bool {
        self.has_read.get()
    }

    /// Whether a request has come.
    pub(crate) const fn has_asked(&self) -> bool {
        self.has_asked.get()
    }

    /// Its requests come as HTTP/2.
    pub(crate) fn multiplex(&self) {
        self.is_multiplexed.set(true);
    }

    /// Whether the client has begun a request that it has not ended. Over HTTP/2 nobody here can
    /// tell a head from a PING: after its first request, a connection counts as one that is kept.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun.get() && !(self.is_multiplexed.get() && self.has_asked.get())
    }

    /// Whether no answer is being made, and none waits for the client.
    pub(crate) const fn awaits_request(&self) -> bool {
        self.under_way.get() == 0 && self.unsent.get() == 0
    }

    /// Whether an answer waits for the client.
    pub(crate) const fn keeps_answers(&self) -> bool {
        self.stalled.get().is_some() || self.unsent.get() > 0
    }

    /// An answer of so many bytes is made.
    pub(crate) fn hold(&self, bytes: usize) {
        if self.unsent.get() == 0 {
            self.advance();
        }
        self.unsent.set(self.unsent.get().saturating_add(bytes));
        self.of_core.set(self.of_core.get().saturating_add(bytes));
    }

    /// Some of one was sent.
    pub(crate) fn advance(&self) {
        self.sent.set((self.now)());
    }

    /// It is sent, or not wanted any more.
    pub(crate) fn let_go(&self, bytes: usize) {
        self.advance();
        self.unsent.set(self.unsent.get().saturating_sub(bytes));
        self.of_core.set(self.of_core.get().saturating_sub(bytes));
    }

    fn read(&self, bytes: usize) {
        if bytes > 0 {
            self.has_read.set(true);
            self.has_begun.set(true);
        }
    }

    fn written<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_ready() {
            self.stalled.set(None);
        } else if self.stalled.get().is_none() {
            self.stalled.set(Some((self.now)()));
        }
    }
}

/// A request whose answer is being made.
#[derive(Debug)]
pub(crate) struct Asking(Rc<Activity>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get().saturating_sub(1));
        self.0.answered.set((self.0.now)());
    }
}

/// A socket that notes what happens on it.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    activity: Rc<Activity>,
    /// Counts bytes: those of TLS, if it is spoken.
    figures: Arc<ShardFigures>,
    /// What was read already, and how far it has been read again.
    before: (Vec<u8>, usize),
}

impl<S> Watched<S> {
    /// Notes for `activity`, and counts for `figures`; `before` was read already, and comes first.
    pub(crate) fn new(
        socket: S,
        (activity, figures): (Rc<Activity>, Arc<ShardFigures>),
        before: Vec<u8>,
    ) -> Self {
        Self { socket, activity, figures, before: (before, 0) }
    }

    fn read(&self, bytes: usize) {
        self.activity.read(bytes);
        self.figures.counters.received_bytes.add(bytes as u64);
    }

    fn written(&self, written: &Poll<io::Result<usize>>) {
        self.activity.written(written);
        if let Poll::Ready(Ok(bytes)) = written {
            self.figures.counters.sent_bytes.add(*bytes as u64);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (text, at) = &mut self.before;
        if let Some(rest) = text.get(*at..).filter(|rest| !rest.is_empty()) {
            let bytes = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..bytes).unwrap_or_default());
            *at = at.saturating_add(bytes);
            self.read(bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        self.read(bytes);
        spend(context, bytes);
        read
    }
}

/// Takes from the task's turn what so many bytes may cost. The runtime counts reads; but 64 KiB of
/// one read can be 7,000 frames of HTTP/2, and others would wait for all of them.
fn spend(context: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / BYTES_OF_READ {
        match poll_proceed(context) {
            Poll::Ready(one) => one.made_progress(),
            // The turn is over: the next read will say so.
            Poll::Pending => return,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use whoisd::observe::clock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadlines() -> Deadlines {
        let [first_byte, idle, write, total] = [5, 10, 15, 60].map(Duration::from_secs);
        Deadlines { first_byte, idle, write, total }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the start of a time that the test makes up")]
    fn a_connection_is_cut_for_silence_and_for_not_reading_and_finished_for_its_age() {
        let activity = Activity::new(Instant::now, &Rc::default());
        let start = activity.accepted;
        let due = |seconds: u32| activity.due(&deadlines(), start + SECOND * seconds);
        assert_eq!(due(4), Due::Nothing);
        assert_eq!(due(5), Due::Cut);
        activity.has_read.set(true);
        assert_eq!((due(9), due(10)), (Due::Nothing, Due::Finish));
        activity.stalled.set(Some(start + SECOND * 6));
        assert_eq!((due(9), due(21)), (Due::Nothing, Due::Cut));
        activity.written(&Poll::Ready(Ok(1)));
        activity.answered.set(start + SECOND * 55);
        assert_eq!((due(59), due(60)), (Due::Nothing, Due::Finish));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the start of a time that the test makes up")]
    fn what_is_no_request_and_takes_no_answer_keeps_no_connection() {
        let activity = Activity::new(Instant::now, &Rc::default());
        let start = activity.accepted;
        let due = |seconds: u32| activity.due(&deadlines(), start + SECOND * seconds);
        activity.read(9);
        activity.written(&Poll::Ready(Ok(9)));
        assert_eq!((due(9), due(10)), (Due::Nothing, Due::Finish));
        // An answer is being made: nothing is the client's fault.
        let asking = activity.ask();
        assert_eq!(due(20), Due::Nothing);
        activity.hold(100);
        drop(asking);
        activity.sent.set(start + SECOND * 20);
        activity.written(&Poll::Ready(Ok(9)));
        assert_eq!((due(34), due(35)), (Due::Nothing, Due::Cut));
        activity.let_go(100);
        activity.sent.set(start + SECOND * 34);
        assert_eq!((due(43), due(44)), (Due::Nothing, Due::Finish));
    }

    #[tokio::test]
    async fn frames_after_a_request_of_http_2_begin_no_head() {
        let activity = Activity::new(clock::monotonic, &Rc::default());
        activity.read(24);
        assert!(activity.has_begun());
        activity.multiplex();
        assert!(activity.has_begun(), "no request has come yet");
        drop(activity.ask());
        activity.read(9);
        assert!(!activity.has_begun());
        activity.evict();
        assert_eq!(activity.evicted().await, Eviction::Draining);
        let one = Activity::new(clock::monotonic, &Rc::default());
        drop(one.ask());
        one.read(9);
        assert!(one.has_begun());
        one.evict();
        assert_eq!(one.evicted().await, Eviction::Line);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the start of a time that the test makes up")]
    fn a_connection_waits_for_its_client_unless_an_answer_is_being_made() {
        let activity = Activity::new(Instant::now, &Rc::default());
        assert_eq!(activity.waits_since(), Some(activity.accepted));
        let (one, other) = (activity.ask(), activity.ask());
        assert_eq!(activity.waits_since(), None);
        drop(one);
        assert_eq!(activity.waits_since(), None);
        let stalled = activity.accepted + SECOND;
        activity.stalled.set(Some(stalled));
        assert_eq!(activity.waits_since(), Some(stalled));
        activity.stalled.set(None);
        drop(other);
        assert_eq!(activity.waits_since(), Some(activity.answered.get()));
        // A client that takes its answer bit by bit is not waited for.
        let sent = activity.answered.get() + SECOND;
        activity.sent.set(sent);
        assert_eq!(activity.waits_since(), Some(sent));
        activity.evict();
        assert_eq!(activity.waits_since(), None);
    }
}
