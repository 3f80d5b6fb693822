//! What a server tells of itself: health and figures over HTTP, and the port of health checks.
//!
//! # Invariants
//!
//! - `checked-first`: both addresses are bound before the first shard starts.
//! - `serves-first`: until every shard serves, `/ready` fails and health checks are refused.
//! - `refuses-first`: health checks are refused before port 43 closes. Figures are answered until
//!   the shards have ended, or nobody would see how long they take.
//!
//! # Does not
//!
//! Answer: `status` does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::{Domain, Protocol, Socket, Type};

use super::Failure;
use super::patience::{self, patiently};
use crate::config::Settings;
use crate::place::aside::Place;
use crate::status::{self, Sources};

/// Health checks that may wait to be accepted.
const HEALTH_BACKLOG: i32 = 128;

/// Addresses that nobody else can take any more.
pub struct Claimed {
    status: Option<TcpListener>,
    /// Bound, and not listening yet: a client that connects is refused.
    health: Option<Socket>,
    /// The key of the first.
    key: &'static str,
}

impl Claimed {
    /// Those that the settings name.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        let is_held = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let key = settings.program.keys().status_listen;
        let status = settings.status_listen.map(|address| {
            let bind = || TcpListener::bind(address);
            let bind = || bind().map_err(|error| named(key, address, &error));
            patiently(patience::ADDRESS, is_held, bind).map_err(Failure::failed)
        });
        let health = settings.health_listen.map(|address| {
            let bind = || bind(address);
            let bind = || bind().map_err(|error| named("status.health_listen", address, &error));
            patiently(patience::ADDRESS, is_held, bind).map_err(Failure::failed)
        });
        Ok(Self { status: status.transpose()?, health: health.transpose()?, key })
    }

    /// Whether an address can be bound, which is given back at once.
    pub fn may_bind(address: SocketAddr) -> io::Result<()> {
        bind(address).map(drop)
    }

    /// Tells health and figures from now on.
    pub fn tell(self, sources: Sources, place: Place<'_>) -> Result<Telling, Failure> {
        let ending = Arc::new(AtomicBool::new(false));
        let (serving, draining) = (Arc::clone(&sources.serving), Arc::clone(&sources.draining));
        let status = self.status.map(|listener| {
            let at = listener.local_addr()?;
            tracing::info!(listen = %at, "health and figures");
            status::start(listener, sources, Arc::clone(&ending), place)
        });
        let status = status.transpose();
        let status = status.map_err(|error| Failure::failed(format!("{}: {error}", self.key)))?;
        Ok(Telling { ending, serving, draining, claimed: self.health, status, health: None })
    }
}

/// An error that names the setting and the address; the caller adds what it was waiting for.
fn named(key: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{key}: {address}: {error}"))
}

/// As the standard library binds, without listening.
fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The threads that tell; dropped, they end.
pub struct Telling {
    ending: Arc<AtomicBool>,
    serving: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    claimed: Option<Socket>,
    status: Option<JoinHandle<()>>,
    health: Option<JoinHandle<()>>,
}

impl Telling {
    /// Every shard serves: the server is ready, and health checks are accepted.
    pub fn serve(&mut self, place: Place<'_>) -> Result<(), Failure> {
        let health = self.claimed.take().map(|socket| {
            socket.listen(HEALTH_BACKLOG)?;
            let listener = TcpListener::from(socket);
            tracing::info!(listen = %listener.local_addr()?, "health checks");
            status::health::start(listener, Arc::clone(&self.draining), place)
        });
        let failed = |error| Failure::failed(format!("status.health_listen: {error}"));
        self.health = health.transpose().map_err(failed)?;
        self.serving.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The server is not ready any more. Health checks are refused once this returns.
    pub fn drain(&mut self) {
        self.draining.store(true, Ordering::Relaxed);
        self.claimed = None;
        if let Some(thread) = self.health.take() {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.drain();
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.status.take() {
            // As above.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::place::aside::Weight;

    #[test]
    fn health_checks_are_accepted_only_while_every_shard_serves() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let (serving, draining) = (Arc::default(), Arc::default());
        let mut telling = Telling {
            ending: Arc::default(),
            serving: Arc::clone(&serving),
            draining: Arc::clone(&draining),
            claimed: Some(socket),
            status: None,
            health: None,
        };
        assert!(TcpStream::connect(address).is_err());
        // Nobody else gets it meanwhile.
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(other.bind(&address.into()).is_err());
        telling.serve(Place { core: None, shard_cores: &[], weight: Weight::Full }).unwrap();
        assert!(serving.load(Ordering::Relaxed) && TcpStream::connect(address).is_ok());
        telling.drain();
        assert!(draining.load(Ordering::Relaxed) && TcpStream::connect(address).is_err());
    }
}
