//! What happens on one connection, and when it has lasted long enough: a socket that notes reads
//! and writes, and the rules that cut.
//!
//! # Invariants
//!
//! - `pure`: [`Activity::due`] depends on what was noted and the time that it is given.
//!
//! # Does not
//!
//! Know HTTP: hyper reads heads and bodies. Hold a timer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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
    /// When something was read or written last.
    last: Cell<Instant>,
    /// Whether a byte has come.
    has_read: Cell<bool>,
    /// Since when a write waits for the client.
    stalled: Cell<Option<Instant>>,
    now: fn() -> Instant,
}

impl Activity {
    /// Of a connection that is accepted now.
    pub(crate) fn new(now: fn() -> Instant) -> Rc<Self> {
        let accepted = now();
        Rc::new(Self {
            accepted,
            last: Cell::new(accepted),
            has_read: Cell::new(false),
            stalled: Cell::new(None),
            now,
        })
    }

    /// What is to become of it at `now`.
    pub(crate) fn due(&self, deadlines: &Deadlines, now: Instant) -> Due {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.stalled.get().is_some_and(|then| since(then) >= deadlines.write) {
            return Due::Cut;
        }
        if !self.has_read.get() && since(self.accepted) >= deadlines.first_byte {
            return Due::Cut;
        }
        let idle = since(self.last.get()) >= deadlines.idle;
        if idle || since(self.accepted) >= deadlines.total { Due::Finish } else { Due::Nothing }
    }

    fn read(&self, bytes: usize) {
        if bytes > 0 {
            self.has_read.set(true);
            self.last.set((self.now)());
        }
    }

    fn written<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_ready() {
            self.stalled.set(None);
            self.last.set((self.now)());
        } else if self.stalled.get().is_none() {
            self.stalled.set(Some((self.now)()));
        }
    }
}

/// A socket that notes what happens on it.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    activity: Rc<Activity>,
    /// What was read already, and how far it has been read again.
    before: (Vec<u8>, usize),
}

impl<S> Watched<S> {
    /// Notes for `activity`; `before` was read already, and comes first.
    pub(crate) const fn new(socket: S, activity: Rc<Activity>, before: Vec<u8>) -> Self {
        Self { socket, activity, before: (before, 0) }
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
            self.activity.read(bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        self.activity.read(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.activity.written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.activity.written(&written);
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
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadlines() -> Deadlines {
        let [first_byte, idle, write, total] = [5, 10, 15, 60].map(Duration::from_secs);
        Deadlines { first_byte, idle, write, total }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the start of a time that the test makes up")]
    fn a_connection_is_cut_for_silence_and_for_not_reading_and_finished_for_its_age() {
        let activity = Activity::new(Instant::now);
        let start = activity.accepted;
        let due = |seconds: u32| activity.due(&deadlines(), start + SECOND * seconds);
        assert_eq!(due(4), Due::Nothing);
        assert_eq!(due(5), Due::Cut);
        activity.has_read.set(true);
        activity.last.set(start + SECOND * 5);
        assert_eq!((due(14), due(15)), (Due::Nothing, Due::Finish));
        activity.stalled.set(Some(start + SECOND * 6));
        activity.last.set(start + SECOND * 20);
        assert_eq!((due(20), due(21)), (Due::Nothing, Due::Cut));
        activity.written(&Poll::Ready(Ok(1)));
        activity.last.set(start + SECOND * 59);
        assert_eq!((due(59), due(60)), (Due::Nothing, Due::Finish));
    }
}
