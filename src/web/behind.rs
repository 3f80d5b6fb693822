//! The header of the PROXY protocol at the start of a connection: who is behind the proxy.
//!
//! # Invariants
//!
//! - `whole or nothing`: a connection whose header does not come, or is not one, is closed without
//!   an answer.
//!
//! # Does not
//!
//! Parse: `whoisd::port43::proxy` does, as for port 43.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use whoisd::observe::counters::Counters;
use whoisd::port43::proxy::{Rule, Source, Step, V2_BYTES_MAX, parse_as};

/// What a proxy has said.
#[derive(Debug)]
pub(crate) struct Header {
    /// Who asks, and the address that was asked; `None`: the proxy itself asks.
    pub(crate) named: Option<(IpAddr, SocketAddr)>,
    /// What has come after the header.
    pub(crate) rest: Vec<u8>,
}

/// Reads the header of a peer that is believed; `None` if the connection is to be closed.
pub(crate) async fn header(
    socket: &mut TcpStream,
    rule: &Rule,
    within: Duration,
    counters: &Counters,
) -> Option<Header> {
    match timeout(within, read(socket, rule)).await {
        Err(_) => {
            counters.expired_proxy.add(1);
            None
        }
        Ok(None) => {
            counters.ended_unproxied.add(1);
            None
        }
        Ok(Some(header)) => {
            let counter =
                if header.named.is_some() { &counters.proxied } else { &counters.proxied_own };
            counter.add(1);
            Some(header)
        }
    }
}

async fn read(socket: &mut TcpStream, rule: &Rule) -> Option<Header> {
    // Longer than a header of either version.
    let mut bytes = vec![0; V2_BYTES_MAX.saturating_mul(2)];
    let mut filled = 0_usize;
    loop {
        let room = bytes.get_mut(filled..).filter(|room| !room.is_empty())?;
        let count = socket.read(room).await.ok().filter(|count| *count > 0)?;
        filled = filled.saturating_add(count);
        match parse_as(bytes.get(..filled)?, rule.header) {
            Step::More => {}
            Step::Refused(_) => return None,
            Step::Header { bytes: length, source } => {
                let rest = bytes.get(length..filled)?.to_vec();
                let named = match source {
                    Source::Own => None,
                    Source::Client { client, server } => Some((client.ip(), server)),
                };
                return Some(Header { named, rest });
            }
        }
    }
}
