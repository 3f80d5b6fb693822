//! A listener whose connections are few and short: a client that holds some open does not hold up
//! others.
//!
//! # Invariants
//!
//! - `few`: the number of open ones has a bound; a further one cuts the oldest.
//! - `short`: each is cut when its time is over, silent or not.
//!
//! # Does not
//!
//! Know the protocol of a connection.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// Connections that are open at once: many times what monitors and balancers need, and little
/// against the descriptors that the process keeps for all but its shards.
const OPEN_MAX: usize = 32;

/// How long one may be open: longer than any scrape takes.
const OPEN_TIME: Duration = Duration::from_secs(10);

/// Pause after an accept that failed, most likely for want of a descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts a few connections, each for a short time.
pub(super) struct Bounded {
    listener: TcpListener,
    open_max: usize,
    open_time: Duration,
    /// One for each that is open, the oldest first; dropped, it cuts its connection.
    open: VecDeque<oneshot::Sender<()>>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open_max: OPEN_MAX, open_time: OPEN_TIME, open: VecDeque::new() }
    }
}

impl Listener for Bounded {
    type Io = Short;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Short, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    self.open.retain(|one| !one.is_closed());
                    if self.open.len() >= self.open_max {
                        self.open.pop_front();
                        // Its task closes it before this one accepts a further one.
                        tokio::task::yield_now().await;
                    }
                    let (held, cut) = oneshot::channel();
                    self.open.push_back(held);
                    return (Short { stream, cut, end: Box::pin(sleep(self.open_time)) }, from);
                }
                Err(error) => {
                    tracing::debug!(%error, "accept of a connection for figures failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once it is cut, or its time is over.
pub(super) struct Short {
    stream: TcpStream,
    cut: oneshot::Receiver<()>,
    end: Pin<Box<Sleep>>,
}

impl Short {
    fn fails(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        let is_over = Pin::new(&mut self.cut).poll(context).is_ready()
            || self.end.as_mut().poll(context).is_ready();
        is_over.then(|| io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Short {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.fails(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Short {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.fails(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net;
    use std::thread;

    use axum::Router;
    use axum::routing::get;

    use super::*;

    /// Where `/` says "here"; the listener allows `open_max` connections for `open_time` each.
    fn answering(open_max: usize, open_time: Duration) -> SocketAddr {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Ends with the test program.
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = Bounded {
                    open_max,
                    open_time,
                    ..Bounded::new(TcpListener::from_std(listener).unwrap())
                };
                axum::serve(listener, Router::new().route("/", get("here"))).await
            })
        });
        address
    }

    fn connected(address: SocketAddr) -> net::TcpStream {
        let client = net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        client
    }

    fn answer(mut client: net::TcpStream) -> String {
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    }

    /// Whether the other side has closed it; waits for that.
    fn is_cut(client: &mut net::TcpStream) -> bool {
        match client.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn silent_connections_make_room_for_whoever_comes_the_oldest_first() {
        let address = answering(8, Duration::from_secs(3_600));
        let mut silent: Vec<_> = (0..100).map(|_| connected(address)).collect();
        let asking = connected(address);
        for client in &mut silent[..93] {
            assert!(is_cut(client));
        }
        assert!(answer(asking).ends_with("\r\n\r\nhere"));
        // The youngest are still there.
        assert!(answer(silent.pop().unwrap()).ends_with("\r\n\r\nhere"));
    }

    #[test]
    fn a_connection_ends_when_its_time_is_over_also_with_half_a_request() {
        let address = answering(8, Duration::from_millis(100));
        let mut silent = connected(address);
        assert!(is_cut(&mut silent));
        let mut half = connected(address);
        half.write_all(b"GET / HT").unwrap();
        assert!(is_cut(&mut half));
    }
}
