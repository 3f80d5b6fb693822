//! What one core runs: a runtime of its own, its listeners, its connections.
//!
//! # Invariants
//!
//! - `nothing shared`: connections, answers and their buffer belong to one core; view, rules and
//!   guard are shared, and not written.
//! - `bounded`: a core has at most so many connections; for one more, those close that have waited
//!   longest for their clients (`room`), or it is closed at once.
//! - `drains`: after the stop the core accepts nothing, and ends once its connections have, or the
//!   time for that is over.
//!
//! # Does not
//!
//! Know what is answered.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use whoisd::observe::{ShardFigures, clock};
use whoisd::port43::proxy::Rule;

use crate::activity::{Activity, Watched};
use crate::behind;
use crate::connection::{Connections, Ends};
use crate::end::End;
use crate::room::Room;

/// How long accepting pauses after the kernel has refused it, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a core is started with.
pub(crate) struct Worker {
    pub(crate) listeners: Vec<TcpListener>,
    /// How many of the listeners, the last ones, speak TLS.
    pub(crate) encrypted: usize,
    pub(crate) acceptor: Option<TlsAcceptor>,
    /// Listeners behind proxies.
    pub(crate) proxies: Arc<[Rule]>,
    /// How long connections may take after the stop.
    pub(crate) shutdown: Duration,
    pub(crate) figures: Arc<ShardFigures>,
    /// Becomes true when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Binds an address so that each core has a listener of its own there.
pub(crate) fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

impl Worker {
    /// Serves on this thread until the server stops and the connections have ended.
    pub(crate) fn run(self, connections: Connections) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve(connections))
    }

    async fn serve(self, connections: Connections) -> io::Result<()> {
        let room = Rc::clone(connections.room());
        let mut accepting = Vec::new();
        let plain = self.listeners.len().saturating_sub(self.encrypted);
        for (place, listener) in self.listeners.into_iter().enumerate() {
            let address = listener.local_addr()?;
            let rule = self.proxies.iter().position(|rule| rule.listen == address);
            let accept = Accept {
                listener: tokio::net::TcpListener::from_std(listener)?,
                rule: rule.map(|place| (Arc::clone(&self.proxies), place)),
                acceptor: self.acceptor.clone().filter(|_| place >= plain),
                figures: Arc::clone(&self.figures),
                stop: self.stop.clone(),
            };
            accepting.push(spawn_local(accept.run(connections.clone())));
        }
        for accept in accepting {
            // It has said on standard error if it panicked.
            let _ = accept.await;
        }
        let drained = async {
            while room.open_count() > 0 {
                sleep(ACCEPT_PAUSE).await;
            }
        };
        if timeout(self.shutdown, drained).await.is_err() {
            tracing::warn!(cut_off_count = room.open_count(), "connections were cut at the stop");
        }
        tell(&room, &self.figures);
        Ok(())
    }
}

/// One listener of a core.
struct Accept {
    listener: tokio::net::TcpListener,
    /// The rule of the listener among all, if it is behind proxies.
    rule: Option<(Arc<[Rule]>, usize)>,
    /// If the listener speaks TLS.
    acceptor: Option<TlsAcceptor>,
    figures: Arc<ShardFigures>,
    stop: watch::Receiver<bool>,
}

impl Accept {
    async fn run(mut self, connections: Connections) {
        let Ok(server) = self.listener.local_addr() else { return };
        loop {
            let accepted = tokio::select! {
                biased;
                // An end of the sender is a stop as well.
                _ = self.stop.wait_for(|stop| *stop) => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((socket, peer)) = accepted else {
                self.figures.counters.accept_errors.add(1);
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            self.figures.counters.accepted.add(1);
            let room = connections.room();
            if room.is_full() && !room.make(clock::monotonic()) {
                self.figures.counters.over_bound.add(1);
                continue;
            }
            // Without it, an answer's last bytes wait for the client's acknowledgement.
            let _ = socket.set_nodelay(true);
            let server = socket.local_addr().unwrap_or(server);
            let acceptor = self.acceptor.clone();
            let came = Came { socket, peer: peer.ip(), server, acceptor };
            let rule = self.rule.clone();
            if let Some(rule) = rule.as_ref().and_then(|(rules, place)| rules.get(*place))
                && !rule.trusts(came.peer)
            {
                self.figures.counters.ended_untrusted.add(1);
                continue;
            }
            let activity = room.activity(clock::monotonic);
            let open = room.enter(Rc::clone(&activity));
            tell(room, &self.figures);
            let mut stop = self.stop.clone();
            let stop = async move {
                let _ = stop.wait_for(|stop| *stop).await;
            };
            let (connections, figures) = (connections.clone(), Arc::clone(&self.figures));
            spawn_local(async move {
                let rule = rule.as_ref().and_then(|(rules, place)| rules.get(*place));
                let room = Rc::clone(connections.room());
                if let Some(end) = came.serve(rule, connections, activity, &figures, stop).await {
                    end.count(&figures.counters);
                }
                drop(open);
                tell(&room, &figures);
            });
        }
    }
}

/// A connection that was accepted.
struct Came {
    socket: TcpStream,
    peer: IpAddr,
    server: SocketAddr,
    /// If the listener speaks TLS.
    acceptor: Option<TlsAcceptor>,
}

impl Came {
    /// Serves it, after the header of a proxy if the listener has a `rule`, and after the handshake
    /// if it speaks TLS. How it ended; `None` if that is counted already.
    async fn serve(
        mut self,
        rule: Option<&Rule>,
        connections: Connections,
        activity: Rc<Activity>,
        figures: &Arc<ShardFigures>,
        stop: impl Future<Output = ()>,
    ) -> Option<End> {
        let (peer, server) = (self.peer, self.server);
        let within = connections.first_byte();
        let encrypted = self.acceptor.is_some();
        let (proxied, local, misdirected) = (false, false, false);
        let mut ends = Ends { peer, server, proxied, local, encrypted, misdirected };
        let mut before = Vec::new();
        if let Some(rule) = rule {
            let header = behind::header(&mut self.socket, rule, within, &figures.counters);
            let header = tokio::select! {
                header = header => header?,
                eviction = activity.evicted() => return Some(End::Evicted(eviction)),
            };
            let proxied = header.named.is_some();
            let (peer, server) = header.named.unwrap_or((peer, server));
            ends = Ends { peer, server, proxied, local: !proxied, encrypted, misdirected };
            before = header.rest;
            activity.expect();
        }
        let noted = (Rc::clone(&activity), Arc::clone(figures));
        let Some(acceptor) = self.acceptor else {
            let socket = Watched::new(self.socket, noted, before);
            return Some(connections.serve((socket, activity), ends, stop).await);
        };
        let shake = async {
            let is_plain = speaks_plainly(&self.socket, &before).await;
            let socket = Watched::new(self.socket, noted, before);
            // The library would write an alert of TLS first, and keep what it has read.
            if is_plain { Ok(Err(socket)) } else { acceptor.accept(socket).await.map(Ok) }
        };
        let shaken = tokio::select! {
            shaken = timeout(within, shake) => shaken,
            eviction = activity.evicted() => return Some(End::Evicted(eviction)),
        };
        Some(match shaken {
            Ok(Ok(Ok(socket))) => connections.serve((socket, activity), ends, stop).await,
            Ok(Ok(Err(socket))) => {
                let ends = Ends { encrypted: false, misdirected: true, ..ends };
                connections.serve((socket, activity), ends, stop).await
            }
            Ok(Err(_)) => End::Handshake,
            Err(_) => End::HandshakeLate,
        })
    }
}

/// Whether a client does not speak TLS, as its first byte says: a record of TLS begins with 22 (RFC
/// 8446 section 5.1), a request of HTTP with a letter.
async fn speaks_plainly(socket: &TcpStream, before: &[u8]) -> bool {
    if let Some(first) = before.first() {
        return first.is_ascii_alphabetic();
    }
    let mut first = [0];
    let peeked = socket.peek(&mut first).await;
    peeked.is_ok() && first.iter().all(u8::is_ascii_alphabetic)
}

/// Says how many connections are open.
fn tell(room: &Room, figures: &ShardFigures) {
    figures.engine.connections_open.set(room.open_count() as u64);
}
