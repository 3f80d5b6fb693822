//! The listeners of all cores.
//!
//! # Does not
//!
//! Accept anything: the cores do.

use std::net::{SocketAddr, TcpListener};

use whoisd::config::{Settings, web};
use whoisd::serving::Failure;
use whoisd::serving::patience::{self, patiently};
use whoisd::shard::listen::{self, Claim, ListenError};

use crate::worker;

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: i32 = 4_096;

/// The listeners of all cores.
pub(crate) struct Listening {
    /// With the ports that they have got.
    pub(crate) addresses: Vec<SocketAddr>,
    /// How many of them, the last ones, speak TLS.
    pub(crate) encrypted: usize,
    pub(crate) of_cores: Vec<Vec<TcpListener>>,
    /// Held until every core has bound.
    _claims: Vec<Claim>,
}

impl Listening {
    pub(crate) fn new(settings: &Settings, core_count: usize) -> Result<Self, Failure> {
        let is_held = |error: &ListenError| matches!(error, ListenError::InUse { .. });
        let claim = |address: &SocketAddr| {
            let claimed = patiently(patience::ADDRESS, is_held, || listen::claim(*address));
            claimed.map_err(Failure::failed)
        };
        let claims = settings.listen.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<_> = claims.iter().map(|claim| claim.address).collect();
        let bind = |address: &SocketAddr| {
            let bound = worker::listen(*address, BACKLOG);
            bound.map_err(|error| Failure::failed(ListenError::new(*address, error)))
        };
        let of_core = |_| addresses.iter().map(bind).collect::<Result<Vec<_>, _>>();
        let of_cores = (0..core_count).map(of_core).collect::<Result<Vec<_>, _>>()?;
        let encrypted = settings.web.tls_listen.len();
        Ok(Self { addresses, encrypted, of_cores, _claims: claims })
    }

    /// The addresses without TLS, and those with it.
    fn split(&self) -> (&[SocketAddr], &[SocketAddr]) {
        self.addresses.split_at(self.addresses.len().saturating_sub(self.encrypted))
    }

    /// The same, for people.
    pub(crate) fn told(&self) -> (String, String) {
        let told = |addresses: &[SocketAddr]| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let (plain, encrypted) = self.split();
        (told(plain), told(encrypted))
    }

    /// The base URL where the configuration has none.
    pub(crate) fn base(&self, path: &str) -> String {
        let (plain, encrypted) = self.split();
        let first = encrypted.first().map(|at| ("https", at));
        let first = first.or_else(|| plain.first().map(|at| ("http", at)));
        first.map_or_else(String::new, |(scheme, at)| web::base_of(scheme, *at, path))
    }
}
