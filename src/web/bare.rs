//! Whole answers in place of the bare ones that hyper gives by itself.
//!
//! hyper answers a head that it cannot read with a status line, `content-length: 0`, a date, and
//! nothing else; it has no hook for that. So what it writes passes through here: a write that ends
//! with exactly such a head is replaced by a whole answer. Looking first at the heads ourselves
//! would be a second parser, which could disagree with the first.
//!
//! # Invariants
//!
//! - `bare alone`: nothing else matches. Our answers have a content type or the status 204, their
//!   bodies end with `}`, and HTTP/2 has frames around everything.
//! - `cheap`: of any other write, the last four bytes are compared; of what is read, the bytes
//!   before the first line end of a connection.
//! - `late`: a head that does not end in time has its answer from hyper, too. hyper would only
//!   close; so it is given bytes that no head has, and its answer to them is replaced.
//! - `last`: after a whole answer nothing else is written, and the connection ends.
//! - `arrives`: input that is unread when a socket closes makes the kernel send a reset, which can
//!   take the answer from the client. So input is read and dropped before the end, up to a bound.
//!
//! # Does not
//!
//! Say what is wrong with a request: an answerer does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use http::response::Parts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::Wrong;

/// Longest bare head, bytes: its lines have at most 43, 19, 19 and 37.
const BARE_BYTES_MAX: usize = 160;
/// Input that is dropped after an answer, bytes: a client that sends more may lose the answer.
const DROPPED_BYTES_MAX: usize = 256 * 1024;
/// What a head ends with that does not come to its end in time: no head has a NUL, and hyper looks
/// at one once there is an empty line.
const NONSENSE: &[u8] = b"\0\r\n\r\n";
/// What connections of HTTP/2 begin with, and requests of HTTP/1.1 do not (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI ";
/// Room for input that is dropped, bytes.
const DROP_BYTES: usize = 4096;

/// An answer that hyper gives by itself.
#[derive(Debug, PartialEq, Eq)]
struct Bare<'a> {
    /// Where it begins in what is written.
    at: usize,
    version: &'a str,
    status: u16,
    date: &'a str,
}

impl<'a> Bare<'a> {
    /// The bare answer at the end of what is written, if there is one.
    fn at_end_of(written: &'a [u8]) -> Option<Self> {
        if !written.ends_with(b"\r\n\r\n") {
            return None;
        }
        let tail_at = written.len().saturating_sub(BARE_BYTES_MAX);
        let tail = written.get(tail_at..)?;
        let at = tail_at.checked_add(tail.windows(7).rposition(|part| part == b"HTTP/1.")?)?;
        let text = std::str::from_utf8(written.get(at..)?).ok()?;
        let (version, rest) = text.split_once(' ')?;
        let (status_line, rest) = rest.split_once("\r\n")?;
        let (status, reason) = status_line.split_once(' ')?;
        let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
        if status.canonical_reason() != Some(reason) {
            return None;
        }
        let rest = rest.strip_prefix("connection: close\r\n").unwrap_or(rest);
        let date = rest.strip_prefix("content-length: 0\r\ndate: ")?.strip_suffix("\r\n\r\n")?;
        let is_one = !date.contains('\r') && ["HTTP/1.0", "HTTP/1.1"].contains(&version);
        is_one.then_some(Self { at, version, status: status.as_u16(), date })
    }

    /// What is wrong with the head that it answers; `line`: whether its first line has ended.
    const fn wrong(&self, line: bool) -> Option<Wrong> {
        match self.status {
            400 => Some(Wrong::Malformed),
            // To hyper, all of a head is one buffer.
            431 if line => Some(Wrong::HeadTooLarge),
            414 | 431 => Some(Wrong::TargetTooLong),
            _ => None,
        }
    }

    /// A whole answer in its place.
    fn filled(&self, (head, body): &(Parts, bytes::Bytes)) -> Vec<u8> {
        let reason = head.status.canonical_reason().unwrap_or_default();
        let mut text = format!("{} {} {reason}\r\n", self.version, head.status.as_str());
        for (name, value) in &head.headers {
            let value = value.to_str().unwrap_or_default();
            text.extend([name.as_str(), ": ", value, "\r\n"]);
        }
        let (length, date) = (body.len(), self.date);
        text += &format!("content-length: {length}\r\nconnection: close\r\ndate: {date}\r\n\r\n");
        [text.as_bytes(), body].concat()
    }
}

/// What the two ends of hyper tell each other.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// A head was refused, and has its answer.
    pub(crate) is_refused: Cell<bool>,
    /// The head that has begun is out of time.
    pub(crate) is_late: Cell<bool>,
    /// The client speaks HTTP/2.
    pub(crate) is_multiplexed: Cell<bool>,
}

/// A socket whose bare answers become whole ones.
pub(crate) struct Whole<S, R> {
    socket: S,
    /// Refuses a head: the answer and its body.
    refuse: R,
    /// Whether a line end has been read: the first request's line is not too long.
    line: bool,
    /// How much of the preface has come; `None`: something else has.
    preface: Option<usize>,
    /// How much was given of what ends a late head.
    nonsense: usize,
    /// The answer in place of a bare one, and how much of it is written.
    answer: Option<(Vec<u8>, usize)>,
    wire: Rc<Wire>,
    /// Whether the client has been told that nothing follows.
    ended: bool,
    /// Input that may still be dropped, bytes.
    left: usize,
}

impl<S, R> Whole<S, R> {
    /// Refuses with `refuse`, and then says so on `wire`.
    pub(crate) const fn new(socket: S, refuse: R, wire: Rc<Wire>) -> Self {
        let (line, preface, nonsense) = (false, Some(0), 0);
        let (answer, ended, left) = (None, false, DROPPED_BYTES_MAX);
        Self { socket, refuse, line, preface, nonsense, answer, wire, ended, left }
    }

    /// Notes what was read.
    fn note(&mut self, bytes: &[u8]) {
        self.line = self.line || bytes.contains(&b'\n');
        for byte in bytes {
            let Some(count) = self.preface else { return };
            let Some(wanted) = PREFACE.get(count) else { return };
            self.preface = (byte == wanted).then(|| count.saturating_add(1));
            let is_whole = self.preface == Some(PREFACE.len());
            self.wire.is_multiplexed.set(is_whole);
        }
    }

    /// What hyper is to read next of a head that is out of time.
    fn rest_of_late(&self) -> Option<&'static [u8]> {
        let is_late = self.wire.is_late.get() && !self.wire.is_multiplexed.get();
        NONSENSE.get(self.nonsense..).filter(|rest| is_late && !rest.is_empty())
    }
}

impl<S, R> Whole<S, R>
where
    S: AsyncWrite + Unpin,
    R: FnMut(Wrong) -> (Parts, bytes::Bytes) + Unpin,
{
    /// Bytes before the bare answer at the end of `written`; the whole one is made if there are
    /// none. `None`: there is no bare answer.
    fn before_bare(&mut self, written: &[u8]) -> Option<usize> {
        if self.answer.is_some() {
            return Some(0);
        }
        let bare = Bare::at_end_of(written)?;
        let wrong = bare.wrong(self.line)?;
        let wrong = if self.wire.is_late.get() { Wrong::Late } else { wrong };
        if bare.at == 0 {
            self.answer = Some((bare.filled(&(self.refuse)(wrong)), 0));
            self.wire.is_refused.set(true);
        }
        Some(bare.at)
    }

    /// Writes the whole answer to its end. hyper hears nothing before that, as if nothing of its
    /// bare one had been taken, and offers it again.
    fn write_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((text, written)) = &mut self.answer else { return Poll::Ready(Ok(())) };
        while let Some(rest) = text.get(*written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.socket).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            *written = written.saturating_add(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin, R: Unpin> Whole<S, R> {
    /// Reads and drops what the client still sends, until it ends or has sent too much.
    fn drop_input(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; DROP_BYTES];
        while self.left > 0 {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.left = self.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin, R: Unpin> AsyncRead for Whole<S, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(rest) = self.rest_of_late() {
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..count).unwrap_or_default());
            self.nonsense = self.nonsense.saturating_add(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if !self.line || self.preface.is_some_and(|count| count < PREFACE.len()) {
            self.note(buffer.filled().get(before..).unwrap_or_default());
        }
        read
    }
}

impl<S, R> AsyncWrite for Whole<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: FnMut(Wrong) -> (Parts, bytes::Bytes) + Unpin,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.before_bare(bytes) {
            None => Pin::new(&mut self.socket).poll_write(context, bytes),
            Some(0) => self.write_answer(context).map_ok(|()| bytes.len()),
            // The rest of an answer before it.
            Some(at) => {
                let before = bytes.get(..at).unwrap_or_default();
                Pin::new(&mut self.socket).poll_write(context, before)
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let last = parts.iter().rposition(|part| !part.is_empty()).unwrap_or(0);
        let before = parts.get(..last).unwrap_or_default();
        let bytes: &[u8] = parts.get(last).map_or(&[], |part| part);
        if before.iter().all(|part| part.is_empty()) {
            return self.poll_write(context, bytes);
        }
        // A bare answer waits until it is alone.
        let parts = if Bare::at_end_of(bytes).is_some() { before } else { parts };
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            self.ended = true;
        }
        if self.answer.is_some() {
            ready!(self.drop_input(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "content-length: 0\r\ndate: Tue, 01 Dec 2026 00:00:00 GMT\r\n\r\n";

    fn wrong(written: &str) -> Option<(usize, Wrong)> {
        let bare = Bare::at_end_of(written.as_bytes())?;
        bare.wrong(true).map(|wrong| (bare.at, wrong))
    }

    #[test]
    fn a_bare_head_is_known_alone_and_after_an_answer() {
        let bare = format!("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n{REST}");
        assert_eq!(wrong(&bare), Some((0, Wrong::Malformed)));
        assert_eq!(wrong(&format!("{{}}{bare}")), Some((2, Wrong::Malformed)));
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n";
        assert_eq!(wrong(&format!("{head}{REST}")), Some((0, Wrong::HeadTooLarge)));
        assert!(head.len() + REST.len() <= BARE_BYTES_MAX);
        let long = format!("{head}{REST}");
        let bare = Bare::at_end_of(long.as_bytes()).unwrap();
        assert_eq!(bare.wrong(false), Some(Wrong::TargetTooLong));
        assert_eq!(wrong(&format!("HTTP/1.0 414 URI Too Long\r\n{REST}")).unwrap().0, 0);
    }

    #[test]
    fn no_other_answer_is_taken_for_a_bare_head() {
        for head in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 204 No Content\r\n",
            "HTTP/1.1 500 Internal Server Error\r\n",
            "HTTP/1.1 400 Bad\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/rdap+json\r\n",
            "HTTP/1.2 400 Bad Request\r\n",
            "400 Bad Request\r\n",
        ] {
            assert_eq!(wrong(&format!("{head}{REST}")), None, "{head}");
        }
        assert_eq!(wrong(&format!("HTTP/1.1 400 Bad Request\r\n{REST}{{}}")), None);
        assert_eq!(wrong("HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\ndate: x\r\n\r\n"), None);
        assert_eq!((wrong(""), wrong("\r\n\r\n")), (None, None));
    }
}
