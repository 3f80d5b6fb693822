//! HTTP/2 (RFC 9113) by `h2`, which reads and writes memory here and is polled after each event.
//!
//! # Does not
//!
//! Have more than one stream open.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::{HeaderValue, Request, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Answer, Fault, keep};

/// What clients of RDAP accept; other servers take the last.
pub(super) const ACCEPT: &str = "application/rdap+json, application/json, */*";

/// Bytes of both directions.
#[derive(Debug, Default)]
struct Wire {
    received: Vec<u8>,
    taken_bytes: usize,
    to_send: Vec<u8>,
}

/// What `h2` takes for a socket.
#[derive(Debug, Clone, Default)]
struct Pipe(Rc<RefCell<Wire>>);

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        let bytes = wire.received.get(wire.taken_bytes..).unwrap_or_default();
        if bytes.is_empty() {
            wire.received.clear();
            wire.taken_bytes = 0;
            return Poll::Pending;
        }
        let part = bytes.get(..into.remaining()).unwrap_or(bytes);
        into.put_slice(part);
        let count = part.len();
        wire.taken_bytes = wire.taken_bytes.saturating_add(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().to_send.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug)]
enum Asked {
    Nothing,
    Head(ResponseFuture),
    Body(RecvStream),
    Over,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Talk {
    pipe: Pipe,
    connection: Connection<Pipe, Bytes>,
    requests: SendRequest<Bytes>,
    asked: Asked,
    status: u16,
    body: Vec<u8>,
    is_open: bool,
}

impl Talk {
    pub(super) fn begin() -> Result<Self, Fault> {
        let pipe = Pipe::default();
        let mut context = Context::from_waker(Waker::noop());
        let beginning = pin!(Builder::new().enable_push(false).handshake(pipe.clone()));
        // It writes its preface, for which there is always room, and waits for nothing.
        let Poll::Ready(Ok((requests, connection))) = beginning.poll(&mut context) else {
            return Err("broken");
        };
        let (status, body) = (0, Vec::new());
        Ok(Self { pipe, connection, requests, asked: Asked::Nothing, status, body, is_open: true })
    }

    pub(super) fn ask(&mut self, path: &str, host: &str, tls: bool) -> Result<(), Fault> {
        self.body.clear();
        let scheme = if tls { "https" } else { "http" };
        let request = Request::get(format!("{scheme}://{host}{path}"))
            .version(http::Version::HTTP_2)
            .header(header::USER_AGENT, HeaderValue::from_static("whois-loadgen"))
            .header(header::ACCEPT, HeaderValue::from_static(ACCEPT))
            .body(())
            .map_err(|_| "malformed")?;
        let mut context = Context::from_waker(Waker::noop());
        match self.requests.poll_ready(&mut context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Err("reset"),
            Poll::Pending => return Err("broken"),
        }
        let (response, _) = self.requests.send_request(request, true).map_err(|_| "reset")?;
        self.asked = Asked::Head(response);
        Ok(())
    }

    pub(super) fn take(&self, bytes: &[u8]) {
        self.pipe.0.borrow_mut().received.extend_from_slice(bytes);
    }

    pub(super) fn output(&self, into: &mut Vec<u8>) {
        into.append(&mut self.pipe.0.borrow_mut().to_send);
    }

    /// Lets `h2` work until it waits.
    pub(super) fn turn(&mut self) -> Result<(), Fault> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(&mut context) {
                self.is_open = false;
                if ended.is_err() && !self.is_answered() {
                    return Err("malformed");
                }
            }
            if !self.went_on(&mut context)? {
                return Ok(());
            }
        }
    }

    /// Whether the answer came further.
    fn went_on(&mut self, context: &mut Context<'_>) -> Result<bool, Fault> {
        match &mut self.asked {
            Asked::Nothing | Asked::Over => Ok(false),
            Asked::Head(response) => match Pin::new(response).poll(context) {
                Poll::Pending => Ok(false),
                Poll::Ready(Err(_)) => Err("reset"),
                Poll::Ready(Ok(response)) => {
                    self.status = response.status().as_u16();
                    self.asked = Asked::Body(response.into_body());
                    Ok(true)
                }
            },
            Asked::Body(body) => match body.poll_data(context) {
                Poll::Pending => Ok(false),
                Poll::Ready(Some(Err(_))) => Err("reset"),
                Poll::Ready(Some(Ok(bytes))) => {
                    keep(&mut self.body, &bytes);
                    // It fails only for a stream that has ended.
                    let _ = body.flow_control().release_capacity(bytes.len());
                    Ok(true)
                }
                Poll::Ready(None) => {
                    self.asked = Asked::Over;
                    Ok(true)
                }
            },
        }
    }

    pub(super) const fn is_answered(&self) -> bool {
        matches!(self.asked, Asked::Over)
    }

    pub(super) const fn has_begun(&self) -> bool {
        matches!(self.asked, Asked::Body(_) | Asked::Over)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn answer(&self) -> Option<Answer<'_>> {
        self.is_answered().then_some(Answer { status: self.status, body: &self.body })
    }
}
