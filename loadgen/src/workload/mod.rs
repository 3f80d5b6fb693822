//! What is asked: requests of the kinds, in the order and by the clients that a profile says, over
//! names from a snapshot, a file, a query log or a counter.
//!
//! ```text
//! Profile ─┐
//! Names ───┴▶ Source (shared) ─▶ Workload (one for each core) ─▶ Request
//! ```
//!
//! # Invariants
//!
//! - Seed, core and number of cores decide every request.
//! - [`Workload::next`] allocates nothing once its request's buffers have grown.
//!
//! # Does not
//!
//! Send, or know when.

mod error;
mod lines;
mod pick;
mod profile;
mod replay;
mod source;

pub use error::{LineError, WorkloadError};
pub use profile::Profile;
pub use replay::replay;
pub use source::{Names, Source};

use pick::Turn;

use crate::random::Random;

/// Kind of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// A registered domain.
    Domain,
    /// A domain with an A-label, asked for by A-labels or U-labels.
    Idn,
    /// A domain that is not registered.
    Miss,
    /// A nameserver by its name.
    Nameserver,
    /// A contact by its identifier.
    Contact,
    /// A registrar by its name.
    Registrar,
    /// A domain name with a wildcard.
    Wildcard,
    /// A line of a query log.
    Recorded,
    /// A line of a file that looks like none of these.
    #[default]
    Other,
}

impl Kind {
    /// Every kind. Those of a profile's shares come first.
    pub const ALL: [Self; 9] = [
        Self::Domain,
        Self::Idn,
        Self::Miss,
        Self::Nameserver,
        Self::Contact,
        Self::Registrar,
        Self::Wildcard,
        Self::Recorded,
        Self::Other,
    ];

    /// Its name in results and profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Idn => "idn",
            Self::Miss => "miss",
            Self::Nameserver => "nameserver",
            Self::Contact => "contact",
            Self::Registrar => "registrar",
            Self::Wildcard => "wildcard",
            Self::Recorded => "recorded",
            Self::Other => "other",
        }
    }
}

/// How a client behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// It sends its line at once.
    #[default]
    Usual,
    /// It sends byte by byte.
    Slow {
        /// Time between two bytes, microseconds.
        gap_us: u32,
    },
    /// It connects and sends nothing.
    Silent,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The line with its CR LF.
    pub bytes: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// What the answer to a hit must be about, as the answer writes it but for the case; may be
    /// empty.
    pub subject: String,
    /// Whether there is such an object, if that is known.
    pub hit: Option<bool>,
    /// How the client behaves.
    pub manner: Manner,
}

impl Request {
    /// Makes it the request for `before` `name` `after`.
    fn set(&mut self, kind: Kind, before: &str, name: &[u8], after: &str) {
        self.kind = kind;
        self.bytes.clear();
        for part in [before.as_bytes(), name, after.as_bytes(), b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
        self.subject.clear();
        self.hit = None;
        self.manner = Manner::Usual;
    }

    /// Says what the answer must be about.
    fn expect(&mut self, subject: &str) {
        self.subject.push_str(subject);
        self.hit = Some(true);
    }
}

/// The endless requests of one core.
#[derive(Debug, Clone)]
pub struct Workload {
    source: Source,
    random: Random,
    turn: Turn,
    scratch: String,
}

impl Workload {
    /// The requests of core `core` of `core_count`. Of a query log each core has every
    /// `core_count`-th query, as its schedule has the times.
    #[must_use]
    pub fn new(source: &Source, seed: u64, core: usize, core_count: usize) -> Self {
        Self {
            source: source.clone(),
            random: Random::of_core(seed.rotate_left(32), core),
            turn: Turn::new(core, core_count),
            scratch: String::new(),
        }
    }

    /// Puts the next request into `into`.
    pub fn next(&mut self, into: &mut Request) {
        self.source.next(&mut self.random, &mut self.turn, &mut self.scratch, into);
    }
}

#[cfg(test)]
mod tests;
