//! The publisher's end: batches into the stream, each once, in order, whatever other publishers do.
//!
//! # Invariants
//!
//! - `one line`: a message is stored only if the stream still ends where it was read to end
//!   (`Nats-Expected-Last-Sequence`), and its first serial follows the last one there. Of two
//!   publishers that run by accident one stores a batch, the other one finds it there.
//! - `acknowledged`: [`Outbox::send`] returns once the server has stored everything.
//! - Nothing is sent into a stream that loses what it is given.
//!
//! # Does not
//!
//! Keep records: the caller keeps them until they are acknowledged, and sends them again after an
//! error.

use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, StorageType, Stream,
};
use futures_lite::future;
use tokio::runtime::Runtime;
use tokio::time::Sleep;

use super::LOOK_PAUSE;
use super::connect::{Address, Connection, connect};
use super::error::{NotStored, OutboxError};
use super::fitness::{Fitness, Said};
use crate::feed::ChangeRecord;
use crate::feed::key::{Signer, Trusted};
use crate::feed::message::{
    Batch, EncodeError, Head, Message, MessageError, PAYLOAD_BYTES_MAX, Source, pack,
};

/// How often a batch is tried before the caller hears of it.
const TRIES_MAX: usize = 4;
/// Messages at the end of the stream that may not be batches before the search for the end is given
/// up.
const STRANGERS_MAX: usize = 64;
/// Bytes of a header, apart from the payload; 400 are used.
const HEADER_BYTES_MAX: usize = 4 << 10;
/// Bytes of a message.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "1 MiB and a bit")]
const MESSAGE_BYTES_MAX: i32 = (PAYLOAD_BYTES_MAX + HEADER_BYTES_MAX) as i32;

/// How long to wait for a server, and how much the stream keeps, where the publisher makes it: one
/// that is there already stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Oldest message that is kept. A node that was gone for longer fetches a snapshot.
    pub age: Duration,
    /// Most bytes; the oldest messages go first.
    pub bytes: u64,
    /// Servers that hold a copy, 1 to 5.
    pub replicas: usize,
    /// Until a server has answered.
    pub request: Duration,
    /// Between two looks at the stream's configuration.
    pub look: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // A week of 10 changes a second of 700 bytes.
        let age = Duration::from_secs(7 * 86_400);
        let request = Duration::from_secs(5);
        Self { age, bytes: 4 << 30, replicas: 1, request, look: LOOK_PAUSE }
    }
}

/// Where the stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Sequence number of the last message, 0 for none.
    pub sequence: u64,
    /// What the last batch says of itself; `None` if the stream holds no batch.
    pub head: Option<Head>,
    /// The last record of that batch, if it reads. Nobody vouches for it.
    pub record: Option<ChangeRecord>,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The last serial in the stream.
    pub serial: u64,
    /// Messages that this call has stored; the others were there already.
    pub message_count: u64,
}

/// Records were not all stored.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No server, or none that stores. Send again after a pause.
    #[error("{0}; send again")]
    Unavailable(#[from] OutboxError),
    /// Records are missing in front of the first one. Send from the serial that follows the
    /// stream's.
    #[error(
        "serial {got} does not follow {have}, the last one of the stream; send from {} on",
        have.saturating_add(1)
    )]
    Gap {
        /// Last serial of the stream.
        have: u64,
        /// First serial that would be new.
        got: u64,
    },
    /// The stream has another publisher's serials.
    #[error(
        "the stream ends with serials of source {got}, this publisher is {own}; publish into \
         another stream, or empty this one and publish a new snapshot"
    )]
    OtherSource {
        /// Source of the last batch.
        got: Source,
        /// The source of this publisher.
        own: Source,
    },
    /// The end of the stream holds no batch within reach.
    #[error(
        "the last {STRANGERS_MAX} messages of the stream are no batches; somebody else writes \
         there: remove them"
    )]
    Strangers,
    /// Nobody whom this publisher believes has signed the end of the stream.
    #[error(
        "the stream ends with serials of this source up to {have}, and no key that this publisher \
         believes has signed them: if the key was changed, name the public key of before with \
         --trusted; if the stream was not signed until now, give --adopt once; otherwise somebody \
         else writes there"
    )]
    Unvouched {
        /// Last serial of the newest of these messages.
        have: u64,
    },
    /// The stream does not keep what is put into it.
    #[error(
        "stream {stream} does not keep changes for the nodes: {}; edit it, or let the publisher \
         make another one",
        problems.join("; ")
    )]
    Unfit {
        /// Its name.
        stream: String,
        /// Each setting, with its value and what is needed.
        problems: Vec<String>,
    },
    /// The records cannot be sent, now or later.
    #[error("{0}")]
    Encode(#[from] EncodeError),
}

/// Sends batches into a stream. Its calls block, and are not to be made on a thread that runs
/// asynchronous tasks.
#[derive(Debug)]
pub struct Outbox {
    address: Address,
    source: Source,
    signer: Option<Signer>,
    limits: Limits,
    runtime: Runtime,
    next_server: usize,
    open: Option<Open>,
    /// What was said of the stream.
    said: Said,
}

/// A connection, and where the stream ends.
#[derive(Debug)]
struct Open {
    connection: Connection,
    stream: Stream,
    last: Option<Last>,
    /// Runs until its configuration is to be looked at again.
    look: Pin<Box<Sleep>>,
}

/// How one message went.
enum Tried {
    Stored,
    /// The stream ends elsewhere than it was thought to.
    Elsewhere,
    /// The server has seen its id before.
    SeenBefore,
}

impl Outbox {
    /// Connects, makes the stream if it is not there, and reads where it ends.
    ///
    /// # Errors
    ///
    /// No server, or the stream cannot be made or read.
    pub fn open(
        address: Address,
        source: Source,
        signer: Option<Signer>,
        limits: Limits,
    ) -> Result<Self, SendError> {
        address.check().map_err(OutboxError::Address)?;
        let runtime = super::runtime().map_err(OutboxError::Runtime)?;
        let (next_server, open, said) = (0, None, Said::default());
        let mut outbox = Self { address, source, signer, limits, runtime, next_server, open, said };
        outbox.last()?;
        Ok(outbox)
    }

    /// Where the stream ends: a publisher goes on from there.
    ///
    /// # Errors
    ///
    /// See [`Self::open`].
    pub fn last(&mut self) -> Result<Last, SendError> {
        let mut open = self.take_open()?;
        let last = self.runtime.block_on(self.read_last(&open.stream))?;
        open.last = Some(last.clone());
        self.open = Some(open);
        Ok(last)
    }

    /// Stores records with consecutive serials, as few messages as they fit into. Records that the
    /// stream has already are left out. Returns once all are stored.
    ///
    /// # Errors
    ///
    /// Some of them, or none, were stored: send the same again.
    pub fn send(&mut self, records: &[ChangeRecord]) -> Result<Sent, SendError> {
        let mut message_count = 0_u64;
        let (mut not_stored, mut with_id) = (None, true);
        let mut tries = 0_usize;
        while tries < TRIES_MAX {
            let mut open = self.take_open()?;
            let cached = open.last.take().filter(|last| {
                // Records that seem to be missing may have come from another publisher.
                !matches!(self.rest(records, last), Err(SendError::Gap { .. }))
            });
            let last = match cached {
                Some(last) => last,
                None => self.runtime.block_on(self.read_last(&open.stream))?,
            };
            let Some(rest) = self.rest(records, &last)? else {
                let serial = last.head.as_ref().map_or(0, |head| head.last);
                open.last = Some(last);
                self.open = Some(open);
                return Ok(Sent { serial, message_count });
            };
            let rest = rest.get(..pack(rest)).unwrap_or(rest);
            let key = self.signer.as_ref().map(|signer| &signer.key);
            let message = Message::encode(&self.source, rest, key)?;
            let head = message.head.clone();
            let sending = publish(&open, &self.address, message, last.sequence, with_id);
            match self.runtime.block_on(sending) {
                Ok((Tried::Stored, sequence)) => {
                    message_count = message_count.saturating_add(1);
                    let record = rest.last().cloned();
                    open.last = Some(Last { sequence, head: Some(head), record });
                    self.open = Some(open);
                    (tries, with_id) = (0, true);
                    continue;
                }
                Ok((Tried::Elsewhere, _)) => {
                    not_stored = Some(NotStored::Elsewhere);
                    self.open = Some(open);
                }
                // Stored before an answer was lost; or removed since, and to be stored again.
                Ok((Tried::SeenBefore, _)) => {
                    with_id = false;
                    self.open = Some(open);
                }
                // The connection is given up: the next server's turn has come.
                Err(error) => not_stored = Some(error),
            }
            tries = tries.saturating_add(1);
        }
        Err(OutboxError::NotStored { tries: TRIES_MAX, last: not_stored }.into())
    }

    /// The records that the stream does not have; `None` if it has all.
    fn rest<'r>(
        &self,
        records: &'r [ChangeRecord],
        last: &Last,
    ) -> Result<Option<&'r [ChangeRecord]>, SendError> {
        let Some(head) = &last.head else {
            return if records.is_empty() { Ok(None) } else { Ok(Some(records)) };
        };
        if head.source != self.source {
            let (got, own) = (head.source.clone(), self.source.clone());
            return Err(SendError::OtherSource { got, own });
        }
        let at = records.iter().position(|record| record.serial > head.last);
        let Some(rest) = at.and_then(|at| records.get(at..)) else { return Ok(None) };
        match rest.first() {
            Some(first) if Some(first.serial) != head.last.checked_add(1) => {
                Err(SendError::Gap { have: head.last, got: first.serial })
            }
            _ => Ok(Some(rest)),
        }
    }

    /// Where a stream ends: with a key, after the last message that a believed key signed.
    async fn read_last(&self, stream: &Stream) -> Result<Last, SendError> {
        let failed = |error| SendError::from(OutboxError::Unread(error));
        let state = stream.get_info().await.map_err(|error| failed(error.into()))?.state;
        let (sequence, subject) = (state.last_sequence, self.address.subject());
        let nobody = Trusted::default();
        let believed = self.signer.as_ref().map_or(&nobody, |signer| &signer.believed);
        let mut unvouched = None;
        let first = state.first_sequence.max(1);
        let mut at = sequence;
        for _ in 0..STRANGERS_MAX {
            if state.messages == 0 || at < first {
                return match unvouched {
                    Some(have) => Err(SendError::Unvouched { have }),
                    None => Ok(Last { sequence, head: None, record: None }),
                };
            }
            match stream.get_raw_message(at).await {
                Ok(message) if message.subject.as_str() == subject => {
                    let field =
                        |name: &'static str| message.headers.get(name).map(|got| got.as_str());
                    match Head::trusted(field, &message.payload, believed) {
                        Ok(head) => {
                            let batch = Batch::decode(field, &message.payload, believed);
                            let record = batch.ok().and_then(|mut batch| batch.records.pop());
                            return Ok(Last { sequence, head: Some(head), record });
                        }
                        Err(MessageError::Signature { head, .. }) if head.source == self.source => {
                            unvouched.get_or_insert(head.last);
                        }
                        Err(_) => {}
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
                Err(error) => return Err(failed(error.into())),
            }
            at = at.saturating_sub(1);
        }
        Err(unvouched.map_or(SendError::Strangers, |have| SendError::Unvouched { have }))
    }

    /// The connection, a new one if there is none.
    /// The stream is looked at once in a while: somebody may have edited it.
    fn take_open(&mut self) -> Result<Open, SendError> {
        if let Some(mut open) = self.open.take() {
            let look = self.limits.look;
            let is_due = self.runtime.block_on(async {
                let is_due = future::poll_once(open.look.as_mut()).await.is_some();
                if is_due {
                    open.look.set(tokio::time::sleep(look));
                }
                is_due
            });
            if is_due {
                let info = self.runtime.block_on(open.stream.get_info());
                let config = info.map_err(|error| OutboxError::NoStream(error.into()))?.config;
                self.check(&config)?;
            }
            return Ok(open);
        }
        let (address, limits, next) = (&self.address, self.limits, &mut self.next_server);
        let opened = self.runtime.block_on(async {
            let connection = connect(address, next, limits.request).await?;
            let made = connection.jetstream.get_or_create_stream(config(address, limits)).await;
            let stream = made.map_err(|error| {
                let (server, stream) = (connection.server.clone(), address.stream.clone());
                let (bytes, source) = (limits.bytes, error.into());
                OutboxError::NotMade { server, stream, bytes, source }
            })?;
            Ok::<_, OutboxError>(Open {
                connection,
                stream,
                last: None,
                look: Box::pin(tokio::time::sleep(limits.look)),
            })
        });
        let open = opened?;
        let found = open.stream.cached_info().config.clone();
        self.check(&found)?;
        Ok(open)
    }

    /// Whether a stream keeps what is put into it.
    fn check(&mut self, found: &Config) -> Result<(), SendError> {
        let address = &self.address;
        let Fitness { refused, doubtful } =
            Fitness::for_publisher(found, &address.subject(), MESSAGE_BYTES_MAX);
        for problem in self.said.news(doubtful) {
            tracing::warn!(stream = address.stream, problem, "the stream may not keep changes");
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(SendError::Unfit { stream: address.stream.clone(), problems: refused })
    }
}

fn config(address: &Address, limits: Limits) -> Config {
    Config {
        name: address.stream.clone(),
        subjects: vec![address.subject()],
        description: Some("whoisd change records".to_owned()),
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_age: limits.age,
        max_bytes: i64::try_from(limits.bytes).unwrap_or(i64::MAX),
        max_message_size: MESSAGE_BYTES_MAX,
        num_replicas: limits.replicas,
        ..Config::default()
    }
}

async fn publish(
    open: &Open,
    address: &Address,
    message: Message,
    expected: u64,
    with_id: bool,
) -> Result<(Tried, u64), NotStored> {
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in message.fields {
        if with_id || name != "Nats-Msg-Id" {
            headers.insert(name, value);
        }
    }
    let outbound = PublishMessage::build()
        .headers(headers)
        .payload(message.payload.into())
        .expected_last_sequence(expected)
        .outbound_message(address.subject());
    let (payload, headers) = (outbound.payload, outbound.headers.unwrap_or_default());
    let jetstream = &open.connection.jetstream;
    let sending = jetstream.publish_with_headers(address.subject(), headers, payload).await;
    let stored: Result<PublishAck, PublishError> = match sending {
        Ok(acknowledged) => acknowledged.await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(ack) if ack.duplicate => Ok((Tried::SeenBefore, ack.sequence)),
        Ok(ack) => Ok((Tried::Stored, ack.sequence)),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
            Ok((Tried::Elsewhere, 0))
        }
        Err(error) => {
            let server = open.connection.server.clone();
            Err(NotStored::Refused { server, source: error.into() })
        }
    }
}
