//! Which listener wants headers, of which version, from which peers.
//!
//! # Does not
//!
//! Read configuration: `config` makes rules and names what is wrong with one.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::bounds::{UnknownWord, of_word};

/// Networks that one listener may trust: balancers of a site, not their clients. They are looked
/// through for each connection.
pub const FROM_COUNT_MAX: usize = 64;

/// The headers that a listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Lines of version 1.
    V1,
    /// Blocks of version 2.
    V2,
    /// Both: the first byte tells them apart.
    Either,
}

impl Expected {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Either => "either",
        }
    }
}

impl FromStr for Expected {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::V1, Self::V2, Self::Either], Self::word)
    }
}

/// One listener behind proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The listener: one of the addresses listened on.
    pub listen: SocketAddr,
    /// Whose headers are believed; everybody else is closed at once.
    pub from: Vec<IpNet>,
    /// Which headers.
    pub header: Expected,
}

impl Rule {
    /// Whether the header of a peer is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.from.iter().any(|network| network.contains(&peer))
    }
}
