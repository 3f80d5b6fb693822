//! One connection's life: find the place, receive, put in order, hand over, acknowledge.
//!
//! # Invariants
//!
//! - `acknowledged`: see the folder's. A message that is left out for good (a stranger's, a wrong
//!   signature) is terminated, so that it does not come again.
//! - Nothing is waited for without a bound: a look at the connection and the stream comes at least
//!   once a `poll`.
//!
//! # Does not
//!
//! Try again: `run` does.

use std::pin::{Pin, pin};

use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{AckKind, Message};
use futures_lite::{StreamExt, future};
use tokio::time::Sleep;

use super::connect::{Connection, connect};
use super::error::{Broken, Lost};
use super::fitness::{Fitness, Said};
use super::history::{History, Rewritten};
use super::intake::{HELD_COUNT_MAX, Intake};
use super::locate::{Place, locate};
use super::{Kind, Settings, Status, Wanted, write_position};
use crate::feed::message::{Batch, MessageError};
use crate::feed::{Apply, ApplyError, ChangeRecord};
use crate::observe::printable::counted;

/// Messages of one request: at most 32 MiB.
const FETCH_COUNT: usize = 32;
/// Records that are handed over at once while there is a backlog: one sync of the disk for many
/// small messages.
const TOGETHER_RECORDS_MAX: usize = 1 << 12;
/// Messages that may be under way or held back.
const PENDING_COUNT_MAX: i64 = 512;
const _: () = assert!(2 * HELD_COUNT_MAX == 512);
/// Polls between two looks at the stream itself.
const LOOK_POLLS: u32 = 5;

/// Why a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// What may be better in a moment.
    Lost(Lost),
    /// What the stream cannot heal.
    Stuck(Wanted),
}

/// One connection's life.
pub(super) struct Session<'a> {
    settings: &'a Settings,
    apply: &'a mut dyn Apply,
    history: &'a mut History,
    status: &'a Status,
    intake: Intake<Message>,
    /// What came and cannot be taken in, with the last serial of it.
    stuck: Option<(u64, Wanted)>,
    /// Runs while a message is missing.
    gap: Option<Pin<Box<Sleep>>>,
    /// Set once the session has lasted for a while: an error that ends it then is something new.
    steady: &'a mut bool,
}

/// What the stream is, as of the start of the session.
struct Followed {
    stream: Stream,
    consumer: PullConsumer,
    said: Said,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        apply: &'a mut dyn Apply,
        history: &'a mut History,
        status: &'a Status,
        steady: &'a mut bool,
    ) -> Self {
        let intake = Intake::new(apply.batch_bytes_max());
        Self { settings, apply, history, status, intake, stuck: None, gap: None, steady }
    }

    /// Lives until something ends it.
    pub(super) async fn run(mut self, next_server: &mut usize) -> Ended {
        let request = self.settings.timing.request;
        let connection = match connect(&self.settings.address, next_server, request).await {
            Ok(connection) => connection,
            Err(error) => return Ended::Lost(error.into()),
        };
        // It is the first choice again, as long as it holds.
        *next_server = next_server.saturating_sub(1);
        self.status.update(|report| {
            report.server = Some(connection.server.clone());
            report.connect_count = report.connect_count.saturating_add(1);
        });
        tracing::debug!(feed = "nats", server = connection.server, "the server answers");
        let ended = match self.enter(&connection).await {
            Ok(followed) => match self.follow(&connection, followed).await {
                Ok(never) => match never {},
                Err(ended) => ended,
            },
            Err(ended) => ended,
        };
        if matches!(ended, Ended::Lost(_)) {
            *next_server = next_server.saturating_add(1);
        }
        ended
    }

    /// Finds the stream, the place in it, and the durable consumer.
    async fn enter(&self, connection: &Connection) -> Result<Followed, Ended> {
        let address = &self.settings.address;
        let name = &address.stream;
        let stream = connection.jetstream.get_stream(name).await.map_err(|error| {
            let (server, stream) = (connection.server.clone(), name.clone());
            Ended::Lost(Lost::NoStream { server, stream, source: error.into() })
        })?;
        let have = self.apply.serial();
        let state = stream.cached_info().state.clone();
        let subject = address.subject();
        let mut said = Said::default();
        self.warn(&stream.cached_info().config, &mut said);
        let trusted = &self.settings.trusted;
        let (from, upto) = match locate(&stream, &subject, &state, have, trusted)
            .await
            .map_err(Ended::Lost)?
        {
            Place::Between(from, upto) => (from, upto),
            Place::Behind(first) => {
                return Err(Ended::Stuck(Wanted {
                    serial_min: first.saturating_sub(1),
                    source: None,
                    unnamed: true,
                    why: format!(
                        "the stream begins with serial {first}, this node has {have}: it is new or \
                         too far behind, and needs a newer snapshot"
                    ),
                }));
            }
        };
        let consumer = self.durable(&stream, from, upto).await.map_err(Ended::Lost)?;
        Ok(Followed { stream, consumer, said })
    }

    /// Warns of what makes a stream lose changes. It is followed all the same: without it the node
    /// has nothing.
    fn warn(&self, config: &Config, said: &mut Said) {
        let address = &self.settings.address;
        let Fitness { mut refused, doubtful } = Fitness::for_node(config, &address.subject());
        refused.extend(doubtful);
        for problem in said.news(refused) {
            tracing::warn!(
                feed = "nats",
                stream = address.stream,
                problem,
                "the stream does not keep changes as a feed needs it"
            );
        }
    }

    /// The durable consumer, set to begin at a place of the stream.
    async fn durable(&self, stream: &Stream, from: u64, upto: u64) -> Result<PullConsumer, Lost> {
        let name = self.settings.durable.as_str();
        let failed = |what, source| Lost::Consumer { what, name: name.to_owned(), source };
        match stream.get_consumer::<pull::Config>(name).await {
            Ok(consumer) => {
                let info = consumer.cached_info();
                let floor = info.ack_floor.stream_sequence.saturating_add(1);
                // What was delivered and not acknowledged would come late, out of order.
                if info.num_ack_pending == 0 && (from..=upto).contains(&floor) {
                    return Ok(consumer);
                }
                let deleted = stream.delete_consumer(name).await;
                deleted.map_err(|error| failed("replace", error.into()))?;
            }
            Err(error) => tracing::debug!(feed = "nats", %error, "no durable consumer yet"),
        }
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.settings.timing.acknowledge,
            max_ack_pending: PENDING_COUNT_MAX,
            filter_subject: self.settings.address.subject(),
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.map_err(|error| failed("make", error.into()))
    }

    /// Receives until something ends it.
    async fn follow(
        &mut self,
        connection: &Connection,
        followed: Followed,
    ) -> Result<std::convert::Infallible, Ended> {
        let lost =
            |problem| Ended::Lost(Lost::Broken { server: connection.server.clone(), problem });
        let Followed { stream, consumer, mut said } = followed;
        // A server that answers and has no stream, or none that goes on here, is tried again.
        if self.status.reached() {
            tracing::info!(feed = "nats", server = connection.server, "connected");
        }
        let mut quiet = 0_u32;
        let mut again = pin!(tokio::time::sleep(self.settings.timing.look));
        loop {
            let poll = self.settings.timing.poll;
            let request = consumer.batch().max_messages(FETCH_COUNT).expires(poll).messages();
            let mut messages =
                request.await.map_err(|error| lost(Broken::Request(error.into())))?;
            let mut came = false;
            // The server ends a request after `poll`; if it is gone, this does.
            let mut deadline = pin!(tokio::time::sleep(poll.saturating_mul(2)));
            loop {
                let ended = async {
                    deadline.as_mut().await;
                    None
                };
                match future::or(messages.next(), ended).await {
                    None => break,
                    Some(Err(error)) => {
                        let is_gone = error.to_string().contains("Consumer Deleted");
                        let ended = if is_gone { Broken::Deleted } else { Broken::Ended };
                        return Err(lost(ended(error)));
                    }
                    Some(Ok(message)) => self.receive(message).await,
                }
                came = true;
                while let Some(Some(Ok(message))) = future::poll_once(messages.next()).await {
                    self.receive(message).await;
                }
                self.take_in().await?;
            }
            self.take_in().await?;
            self.wait_for_gap().await?;
            if connection.client.connection_state() != State::Connected {
                return Err(lost(Broken::Connection));
            }
            quiet = if came { 0 } else { quiet.saturating_add(1) };
            // While changes come, the configuration alone may have become another one.
            let is_due = future::poll_once(again.as_mut()).await.is_some();
            if quiet >= LOOK_POLLS || is_due {
                quiet = 0;
                self.look(&stream, &mut said).await.map_err(lost)?;
                again.set(tokio::time::sleep(self.settings.timing.look));
                *self.steady = true;
            }
        }
    }

    /// Whether stream and consumer are still there, and as they have to be: a stream that was made
    /// again delivers nothing to a consumer of the old one.
    async fn look(&self, stream: &Stream, said: &mut Said) -> Result<(), Broken> {
        let now = stream.get_info().await.map_err(|error| Broken::StreamGone(error.into()))?;
        if now.created != stream.cached_info().created {
            return Err(Broken::Remade);
        }
        self.warn(&now.config, said);
        let consumer = stream.consumer_info(&self.settings.durable).await;
        let info = consumer.map_err(|error| Broken::ConsumerGone(error.into()))?;
        self.status.update(|report| {
            report.backlog_count = info.num_pending;
        });
        Ok(())
    }

    /// Takes a message, or leaves it out.
    async fn receive(&mut self, message: Message) {
        let now_ms = (self.settings.now_ms)();
        let pending = message.info().map_or(0, |info| info.pending);
        self.status.update(|report| report.backlog_count = pending);
        let headers = message.headers.as_ref();
        let field = |name: &'static str| {
            headers.and_then(|headers| headers.get(name)).map(|text| text.as_str())
        };
        let read = Batch::decode(field, &message.payload, &self.settings.trusted);
        // A stranger's message is not a sign that the feed lives.
        if !read.as_ref().is_err_and(MessageError::is_foreign) {
            self.status.update(|report| report.received_ms = now_ms);
        }
        match read {
            Ok(batch) => self.intake.offer(batch, message),
            Err(problem) => self.refuse(problem, &message).await,
        }
    }

    /// Leaves a message out: for good if it is a stranger's, or holds only what is there.
    async fn refuse(&mut self, problem: MessageError, message: &Message) {
        let have = self.apply.serial();
        let last = problem.head().map_or(u64::MAX, |head| head.last);
        let text = format!("a message is refused: {problem}");
        if problem.is_foreign() || last <= have {
            self.status.trouble((self.settings.now_ms)(), &text, Kind::Data);
            self.status.update(|report| {
                report.refused_count = report.refused_count.saturating_add(1);
            });
            // If that is lost, the message comes again, and is left out again.
            let _ = message.ack_with(AckKind::Term).await;
            return;
        }
        let serial_min = if last == u64::MAX { have.saturating_add(1) } else { last };
        let why = format!("{text}; a snapshot that holds serial {serial_min} is needed to go on");
        let wanted = Wanted { serial_min, source: None, unnamed: true, why };
        if self.stuck.as_ref().is_none_or(|(first, _)| *first > last) {
            self.stuck = Some((last, wanted));
        }
    }

    /// Hands over what is in order, and acknowledges it.
    async fn take_in(&mut self) -> Result<(), Ended> {
        loop {
            let mut rewritten = None;
            let mut together = Vec::new();
            let mut upto = self.apply.serial();
            let (mut count, mut bytes) = (0_usize, 0_usize);
            let bytes_max = self.apply.batch_bytes_max();
            while count < TOGETHER_RECORDS_MAX && bytes < bytes_max {
                let Some((batch, message)) = self.intake.next(upto) else { break };
                if let Err(problem) = self.history.check(&batch) {
                    rewritten = Some(wanted_after(&problem, &batch));
                    break;
                }
                self.history.note(&batch, upto);
                upto = upto.max(batch.head.last);
                count = count.saturating_add(batch.records.len());
                bytes = bytes.saturating_add(batch.memory_bytes());
                together.push((batch, message));
            }
            if together.is_empty() && rewritten.is_none() {
                break;
            }
            self.hand_over(together).await?;
            if let Some(wanted) = rewritten {
                return Err(Ended::Stuck(wanted));
            }
        }
        match self.stuck.take() {
            Some((last, wanted)) if last > self.apply.serial() => Err(Ended::Stuck(wanted)),
            _ => Ok(()),
        }
    }

    /// Hands over batches in order: all at once, or one by one if they are refused together.
    async fn hand_over(&mut self, together: Vec<(Batch, Message)>) -> Result<(), Ended> {
        if together.is_empty() {
            return Ok(());
        }
        let have = self.apply.serial();
        let mut records: Vec<ChangeRecord> = Vec::new();
        let mut last = have;
        for record in together.iter().flat_map(|(batch, _)| &batch.records) {
            if record.serial > last {
                last = record.serial;
                records.push(record.clone());
            }
        }
        match self.apply.apply(&records) {
            Ok(_) => {}
            Err(ApplyError::Refused { .. } | ApplyError::Disorder { .. }) if together.len() > 1 => {
                return self.hand_over_singly(together).await;
            }
            Err(error) => return Err(self.not_taken(error, last)),
        }
        self.taken_in(&records, &together);
        for (_, message) in &together {
            acknowledge(message).await;
        }
        Ok(())
    }

    async fn hand_over_singly(&mut self, together: Vec<(Batch, Message)>) -> Result<(), Ended> {
        for (batch, message) in together {
            let have = self.apply.serial();
            if let Err(error) = self.apply.apply(&batch.records) {
                return Err(self.not_taken(error, batch.head.last));
            }
            let mut records = batch.records.clone();
            records.retain(|record| record.serial > have);
            self.taken_in(&records, &[(batch, message.clone())]);
            acknowledge(&message).await;
        }
        Ok(())
    }

    /// Notes what is on the disk now.
    fn taken_in(&self, records: &[ChangeRecord], together: &[(Batch, Message)]) {
        write_position(self.settings, self.history, self.status);
        let (serial, count) = (self.apply.serial(), records.len() as u64);
        let new = records.first().map_or(u64::MAX, |record| record.serial);
        let old = together.iter().filter(|(batch, _)| batch.head.last < new).count() as u64;
        let source = self.history.source().map(ToString::to_string);
        let now_ms = (self.settings.now_ms)();
        self.status.update(|report| {
            report.serial = serial;
            report.source = source;
            report.record_count = report.record_count.saturating_add(count);
            report.duplicate_count = report.duplicate_count.saturating_add(old);
            if let Some(newest) = records.iter().map(|record| record.committed_ms).max() {
                // Nobody can rely on a time in the future.
                report.committed_ms = report.committed_ms.max(newest).min(now_ms);
                report.error = None;
            }
        });
    }

    /// What follows when records were not taken in.
    fn not_taken(&mut self, error: ApplyError, last: u64) -> Ended {
        self.history.cut(self.apply.serial());
        let serial_min = match &error {
            ApplyError::Store { .. } => return Ended::Lost(Lost::Disk(error)),
            ApplyError::Gap { got, .. } => got.saturating_sub(1),
            // The last three are of deposits.
            ApplyError::Disorder { .. }
            | ApplyError::Refused { .. }
            | ApplyError::Deposit { .. }
            | ApplyError::OutOfTurn { .. }
            | ApplyError::Already { .. } => last,
        };
        let why = format!("a batch cannot be taken in: {error}");
        Ended::Stuck(Wanted { serial_min, source: None, unnamed: true, why })
    }

    /// Waits a while for what is missing in front of what is held back.
    async fn wait_for_gap(&mut self) -> Result<(), Ended> {
        let Some(got) = self.intake.gap() else {
            self.gap = None;
            return Ok(());
        };
        let time = self.settings.timing.gap;
        let timer = self.gap.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        let late = future::poll_once(timer.as_mut()).await.is_some();
        if !late && !self.intake.is_full() {
            return Ok(());
        }
        let have = self.apply.serial();
        let missing = got.saturating_sub(have).saturating_sub(1);
        Err(Ended::Stuck(Wanted {
            serial_min: got.saturating_sub(1),
            source: None,
            unnamed: true,
            why: format!(
                "serial {got} came after {have}: {} missing in the stream; publish them, or a \
                 newer snapshot",
                counted(missing, "change")
            ),
        }))
    }
}

fn wanted_after(problem: &Rewritten, batch: &Batch) -> Wanted {
    let why = problem.to_string();
    match problem {
        Rewritten::Source { got, .. } => {
            let serial_min = batch.head.first.saturating_sub(1);
            Wanted { serial_min, source: Some(got.clone()), unnamed: false, why }
        }
        Rewritten::Record { serial } => {
            Wanted { serial_min: *serial, source: None, unnamed: true, why }
        }
    }
}

async fn acknowledge(message: &Message) {
    // If that is lost, the message comes again, and is found to be there already.
    if let Err(error) = message.ack().await {
        tracing::debug!(feed = "nats", %error, "not acknowledged");
    }
}
