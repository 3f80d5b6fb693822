//! Which engine carries the connections, and why.
//!
//! # Does not
//!
//! Start one.

use super::limits::Wanted;
use super::ring;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The shard's own ring.
    Ring,
    /// glommio's streams.
    Streams,
}

impl EngineKind {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "io_uring ring",
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
pub fn choose(wanted: Wanted) -> Result<Choice, String> {
    decide(wanted, ring::probe())
}

fn decide(wanted: Wanted, probed: Result<(), String>) -> Result<Choice, String> {
    let (engine, reason) = match (wanted, probed) {
        (Wanted::Streams, _) => (EngineKind::Streams, "server.engine asks for it".to_owned()),
        (Wanted::Ring, Ok(())) => (EngineKind::Ring, "server.engine asks for it".to_owned()),
        (Wanted::Auto, Ok(())) => {
            (EngineKind::Ring, "the kernel has all that the ring needs".to_owned())
        }
        (Wanted::Auto, Err(missing)) => (EngineKind::Streams, missing),
        (Wanted::Ring, Err(missing)) => {
            return Err(format!(
                "server.engine: the ring cannot be had: {missing}; set \"auto\" or \"streams\""
            ));
        }
    };
    Ok(Choice { engine, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_taken_where_the_kernel_has_it_and_the_reason_said_where_not() {
        let missing = || Err("no rings".to_owned());
        assert_eq!(decide(Wanted::Auto, Ok(())).unwrap().engine, EngineKind::Ring);
        assert_eq!(decide(Wanted::Ring, Ok(())).unwrap().engine, EngineKind::Ring);
        assert_eq!(decide(Wanted::Streams, Ok(())).unwrap().engine, EngineKind::Streams);
        let fallback = decide(Wanted::Auto, missing()).unwrap();
        let expected = Choice { engine: EngineKind::Streams, reason: "no rings".to_owned() };
        assert_eq!(fallback, expected);
        let refusal = decide(Wanted::Ring, missing()).unwrap_err();
        assert!(refusal.contains("no rings; set \"auto\""), "{refusal}");
    }
}
