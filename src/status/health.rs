//! Accepts connections and closes them, while the server may be asked: for balancers that only look
//! whether a port is open.
//!
//! # Invariants
//!
//! - `refuses-first`: from the stop signal on connections are refused, before port 43 closes.
//!
//! # Does not
//!
//! Read or write a byte, or look at the age of the data: `/ready` does.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::place::aside::{self, Place};

/// How often the thread checks whether to end: short against the interval of any balancer's checks.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Accepts and closes on a thread at `place` until `end` is true.
///
/// # Errors
///
/// If there can be no further thread.
pub fn start(
    listener: TcpListener,
    end: Arc<AtomicBool>,
    place: Place<'_>,
) -> io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    aside::spawn("health", place, move || {
        let closed = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            while !end.load(Ordering::Relaxed) {
                let accepted = tokio::time::timeout(LOOK_PAUSE, listener.accept()).await;
                if let Ok(Err(error)) = accepted {
                    // No descriptor, most likely: an accept that fails at once must not spin.
                    tracing::debug!(%error, "accept of a health check failed");
                    tokio::time::sleep(LOOK_PAUSE).await;
                }
            }
            Ok::<_, io::Error>(())
        });
        if let Err(error) = closed {
            tracing::error!(%error, "health checks are not accepted any more");
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::TcpStream;

    use super::*;
    use crate::place::aside::Weight;

    #[test]
    fn connections_are_accepted_and_closed_and_refused_from_the_stop_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let draining = Arc::new(AtomicBool::new(false));
        let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
        let thread = start(listener, Arc::clone(&draining), place).unwrap();
        for _ in 0..10 {
            let mut check = TcpStream::connect(address).unwrap();
            assert_eq!(check.read(&mut [0]).unwrap(), 0);
        }
        draining.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
