//! The sink of a fleet: batches into a NATS JetStream stream.
//!
//! # Invariants
//!
//! - A stream has one source's serials: another database is refused, not mixed in.
//!
//! # Does not
//!
//! Know the wire: `feed::nats` does.

use crate::feed::ChangeRecord;
use crate::feed::key::Signer;
use crate::feed::message::{Source, SourceError};
use crate::feed::nats::{Address, Limits, Outbox, SendError};

use super::sink::{Last, Sink, SinkError, Told};

/// Sends batches into a stream.
#[derive(Debug)]
pub struct StreamSink {
    address: Address,
    signer: Option<Signer>,
    outbox: Option<(Source, Outbox)>,
}

impl StreamSink {
    /// Sends into the stream at `address`, signed by `signer` if there is one. Connects when it is
    /// asked first.
    #[must_use]
    pub const fn new(address: Address, signer: Option<Signer>) -> Self {
        Self { address, signer, outbox: None }
    }
}

/// Why nothing can be sent into a stream, before it is tried.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error("the database calls its serials {got:?}: {source}")]
    Source { got: String, source: SourceError },
    #[error("the stream was not asked where it ends")]
    NotAsked,
}

fn failed(error: SendError) -> SinkError {
    match error {
        // After a gap the stream is asked where it ends, and sending begins there.
        SendError::Unavailable { .. } | SendError::Gap { .. } => SinkError::Transient(error.into()),
        SendError::OtherSource { .. }
        | SendError::Strangers
        | SendError::Unvouched { .. }
        | SendError::Unfit { .. }
        | SendError::Encode(_) => SinkError::Lasting(error.into()),
    }
}

impl Sink for StreamSink {
    fn last(&mut self, source: &str) -> Result<Option<Last>, SinkError> {
        let unnamed = |error| StreamError::Source { got: source.to_owned(), source: error };
        let own: Source =
            source.parse().map_err(|error| SinkError::Lasting(unnamed(error).into()))?;
        let (_, outbox) = match self.outbox.take().filter(|(known, _)| *known == own) {
            Some(outbox) => self.outbox.insert(outbox),
            None => {
                let (address, signer) = (self.address.clone(), self.signer.clone());
                let outbox = Outbox::open(address, own.clone(), signer, Limits::default());
                self.outbox.insert((own.clone(), outbox.map_err(failed)?))
            }
        };
        let last = outbox.last().map_err(failed)?;
        let Some(head) = last.head else { return Ok(None) };
        if head.source != own {
            return Err(failed(SendError::OtherSource { got: head.source, own }));
        }
        Ok(Some(Last { serial: head.last, told: last.record.as_ref().map(Told::of) }))
    }

    fn send(&mut self, records: &[ChangeRecord]) -> Result<(), SinkError> {
        let Some((_, outbox)) = &mut self.outbox else {
            return Err(SinkError::Transient(StreamError::NotAsked.into()));
        };
        outbox.send(records).map(drop).map_err(failed)
    }
}
