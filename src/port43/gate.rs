//! A listener as an engine sees it: its address, and whether it is behind proxies.
//!
//! # Invariants
//!
//! - `bounded-log`: what strangers do at a proxy's listener is counted each time, and written about
//!   once in a while.
//!
//! # Does not
//!
//! Hold the socket.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Asked;
use super::connection::{Connection, Deadlines};
use super::limits::PROXY_LOG_EVERY_MS;
use super::measure::Moment;
use super::proxy::{Refusal, Rule, Source, canonical};
use crate::time::Seldom;

/// A listener's address, and its rule if it is behind proxies.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What is listened on.
    pub address: SocketAddr,
    /// Which peers may write headers, if they are wanted.
    pub proxy: Option<Arc<Rule>>,
}

impl Gate {
    /// The gate of a listener, with the rule that names it.
    #[must_use]
    pub fn new(address: SocketAddr, rules: &[Arc<Rule>]) -> Self {
        let proxy = rules.iter().find(|rule| rule.listen == address).map(Arc::clone);
        Self { address, proxy }
    }

    /// A connection from `peer`, or `None` if it is to be closed at once.
    pub(super) fn admit(
        &self,
        peer: SocketAddr,
        deadlines: Deadlines,
        now: Moment,
    ) -> Option<Connection> {
        Some(match &self.proxy {
            None => Connection::open(deadlines, now.ms),
            Some(rule) if rule.trusts(peer.ip()) => {
                Connection::open_behind_proxy(deadlines, rule.header, now.ms)
            }
            Some(_) => return None,
        })
    }

    /// What is asked on a connection from `peer`, for which `source` speaks if there was a header.
    pub(super) fn asked<'a>(
        &self,
        line: &'a [u8],
        peer: SocketAddr,
        source: Option<Source>,
        complete_us: u64,
    ) -> Asked<'a> {
        let server = match source {
            Some(Source::Client { server, .. }) => server,
            Some(Source::Own) | None => self.address,
        };
        let client = client_of(peer, source);
        let proxied = matches!(source, Some(Source::Client { .. }));
        let local = source == Some(Source::Own);
        Asked { line, is_unfinished: false, client, server, complete_us, proxied, local }
    }
}

/// The client of a connection from `peer`, for which `source` speaks if there was a header.
pub(super) fn client_of(peer: SocketAddr, source: Option<Source>) -> SocketAddr {
    match source {
        Some(Source::Client { client, .. }) => client,
        Some(Source::Own) | None => canonical(peer),
    }
}

/// Writes about what is refused at the listeners of proxies, at a bounded rate.
#[derive(Debug)]
pub(super) struct Notices(Seldom);

impl Default for Notices {
    fn default() -> Self {
        Self(Seldom::new(PROXY_LOG_EVERY_MS))
    }
}

impl Notices {
    /// A peer that is not listed.
    pub(super) fn untrusted(&mut self, gate: &Gate, peer: SocketAddr, now: Moment) {
        if let Some(unwritten_count) = self.due(now) {
            let peer = peer.ip().to_canonical();
            tracing::warn!(
                %peer, listen = %gate.address, unwritten_count,
                "closed: this listener is for proxies, and the peer is not one; \
                 if it should be, add it to `from` of the listener's [[proxy]]"
            );
        }
    }

    /// A header that is not taken.
    pub(super) fn refused(
        &mut self,
        gate: &Gate,
        peer: Option<SocketAddr>,
        refusal: Refusal,
        now: Moment,
    ) {
        if let Some(unwritten_count) = self.due(now) {
            let peer = peer.map(tracing::field::display);
            tracing::warn!(peer, listen = %gate.address, unwritten_count, "closed: {refusal}");
        }
    }

    /// Whether a line may be written now; with the number of refusals since the last one.
    fn due(&mut self, now: Moment) -> Option<u64> {
        self.0.due(i64::try_from(now.ms).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_is_one_at_a_listener_of_ipv6_too() {
        let gate = Gate { address: "[::]:43".parse().unwrap(), proxy: None };
        let peer = "[::ffff:192.0.2.7]:4711".parse().unwrap();
        let asked = gate.asked(b"", peer, None, 0);
        assert_eq!(asked.client.to_string(), "192.0.2.7:4711");
        assert!(!asked.local && asked.server == gate.address);
    }
}
