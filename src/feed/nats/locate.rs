//! Finds the place in a stream where the records of a node go on, by their serials.
//!
//! # Invariants
//!
//! - Costs one request a halving: 30 for a thousand million messages.
//! - The result is a place to start from, not a promise: records are looked at when they come.
//! - Where keys are trusted, only what one of them signed says where a place is. A walk past
//!   strangers is bounded; beyond the bound the place is not known, and the position that a durable
//!   consumer has acknowledged counts.
//!
//! # Does not
//!
//! Read records.

use std::cell::Cell;

use async_nats::jetstream::stream::{LastRawMessageErrorKind, State, Stream};

use super::error::Lost;
use crate::feed::key::Trusted;
use crate::feed::message::{Head, MessageError};

/// Messages in a row that may be no batches before the search gives up on them.
const STRANGERS_MAX: u64 = 16;
/// Messages that may have changed places: this many before the one that is found are read again,
/// and as many are looked at before the stream counts as beginning too late.
const MARGIN_COUNT: u64 = 8;

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between these sequence numbers of the stream: the first one is early enough whatever changed
    /// places, the second one is where the wanted serial lies.
    Between(u64, u64),
    /// The stream begins after it: this is its first serial.
    Behind(u64),
}

/// Reads heads of messages from a stream.
struct Heads<'a> {
    stream: &'a Stream,
    subject: &'a str,
    trusted: &'a Trusted,
    /// Whether a walk past strangers came to its bound.
    is_lost: Cell<bool>,
}

impl Heads<'_> {
    /// The first batch at or after a sequence number, and its own number.
    async fn at(&self, sequence: u64) -> Result<Option<(u64, Head)>, Lost> {
        let mut sequence = sequence;
        for _ in 0..STRANGERS_MAX {
            let got = self.stream.get_first_raw_message_by_subject(self.subject, sequence).await;
            let message = match got {
                Ok(message) => message,
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    return Ok(None);
                }
                Err(error) => return Err(Lost::Unread(error.into())),
            };
            let field = |name: &'static str| message.headers.get(name).map(|text| text.as_str());
            match Head::trusted(field, &message.payload, self.trusted) {
                Ok(head) => return Ok(Some((message.sequence, head))),
                // It lies where it lies, whether it can be taken in or not.
                Err(MessageError::Version { head, .. } | MessageError::TooLong { head, .. }) => {
                    return Ok(Some((message.sequence, *head)));
                }
                Err(_foreign) => {}
            }
            sequence = message.sequence.saturating_add(1);
        }
        self.is_lost.set(true);
        Ok(None)
    }
}

/// Where the stream goes on after the serial `have`.
///
/// # Errors
///
/// The server does not answer.
pub(super) async fn locate(
    stream: &Stream,
    subject: &str,
    state: &State,
    have: u64,
    trusted: &Trusted,
) -> Result<Place, Lost> {
    let heads = Heads { stream, subject, trusted, is_lost: Cell::new(false) };
    let wanted = have.saturating_add(1);
    let first = state.first_sequence.max(1);
    if state.messages == 0 {
        let next = state.last_sequence.saturating_add(1);
        return Ok(Place::Between(next, next));
    }
    // The first batches: whether the wanted serial is not before all of them.
    let (mut least, mut at) = (None, first);
    for _ in 0..MARGIN_COUNT {
        let Some((sequence, head)) = heads.at(at).await? else { break };
        if head.first <= wanted {
            least = None;
            break;
        }
        least = Some(least.unwrap_or(u64::MAX).min(head.first));
        at = sequence.saturating_add(1);
    }
    if let Some(least) = least.filter(|_| !heads.is_lost.get()) {
        return Ok(Place::Behind(least));
    }
    // The last batch that does not begin after the wanted serial lies in `low..high`.
    let (mut low, mut high) = (first, state.last_sequence.saturating_add(1));
    let mut passed = false;
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        match heads.at(middle).await? {
            Some((sequence, head)) if head.first <= wanted => {
                low = sequence.max(middle);
                passed = head.last < wanted;
            }
            _ => high = middle,
        }
    }
    let from = low.saturating_sub(MARGIN_COUNT).max(first);
    if heads.is_lost.get() {
        return Ok(Place::Between(from, state.last_sequence.saturating_add(1)));
    }
    Ok(Place::Between(from, low.saturating_add(u64::from(passed))))
}
