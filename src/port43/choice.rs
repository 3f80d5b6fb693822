//! Which engine carries the connections, and why.
//!
//! # Does not
//!
//! Start one.

use super::error::EngineError;
use super::limits::Wanted;
use super::ring::{self, Sockets};

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The shard's own ring, which holds its sockets so.
    Ring(Sockets),
    /// glommio's streams.
    Streams,
}

impl EngineKind {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring(Sockets::Direct) => "io_uring ring",
            Self::Ring(Sockets::Ordinary) => "io_uring ring with ordinary descriptors",
            Self::Streams => "glommio streams",
        }
    }
}

/// An engine and why it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The engine.
    pub engine: EngineKind,
    /// Why, for people.
    pub reason: String,
}

/// Takes the engine that is wanted, as far as this kernel has it.
///
/// # Errors
///
/// If the ring alone is wanted and the kernel cannot carry it; says what is missing.
pub fn choose(wanted: Wanted) -> Result<Choice, EngineError> {
    decide(wanted, ring::probe())
}

fn decide(wanted: Wanted, probed: Result<Sockets, EngineError>) -> Result<Choice, EngineError> {
    let (engine, reason) = match (wanted, probed) {
        (Wanted::Streams, _) => (EngineKind::Streams, "server.engine asks for it".to_owned()),
        (Wanted::Ring, Ok(sockets)) => {
            (EngineKind::Ring(sockets), format!("server.engine asks for it{}", why(sockets)))
        }
        (Wanted::Auto, Ok(sockets)) => {
            let reason = format!("the kernel has all that the ring needs{}", why(sockets));
            (EngineKind::Ring(sockets), reason)
        }
        (Wanted::Auto, Err(missing)) => (EngineKind::Streams, missing.to_string()),
        (Wanted::Ring, Err(missing)) => {
            return Err(EngineError::Wanted { missing: Box::new(missing) });
        }
    };
    Ok(Choice { engine, reason })
}

/// What the trial of the kernel has shown, after the reason for the ring.
const fn why(sockets: Sockets) -> &'static str {
    match sockets {
        Sockets::Direct => "",
        Sockets::Ordinary => {
            "; connections are ordinary descriptors, since this kernel ends sockets of a ring's \
             table late (Linux before 6.13 does)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_taken_where_the_kernel_has_it_and_the_reason_said_where_not() {
        let missing = || Err(EngineError::Operation { name: "accept" });
        for sockets in [Sockets::Direct, Sockets::Ordinary] {
            for wanted in [Wanted::Auto, Wanted::Ring] {
                let choice = decide(wanted, Ok(sockets)).unwrap();
                assert_eq!(choice.engine, EngineKind::Ring(sockets));
                let is_late = choice.reason.contains("late");
                assert_eq!(is_late, sockets == Sockets::Ordinary, "{}", choice.reason);
            }
            assert_eq!(decide(Wanted::Streams, Ok(sockets)).unwrap().engine, EngineKind::Streams);
        }
        let fallback = decide(Wanted::Auto, missing()).unwrap();
        let reason = "the kernel's rings have no accept".to_owned();
        assert_eq!(fallback, Choice { engine: EngineKind::Streams, reason });
        let refusal = decide(Wanted::Ring, missing()).unwrap_err().to_string();
        assert!(refusal.contains("rings have no accept; set \"auto\""), "{refusal}");
    }
}
