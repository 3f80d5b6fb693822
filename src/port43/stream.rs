//! The stream engine: carries out connections on glommio's own TCP streams.
//!
//! It runs on every kernel that glommio runs on. It takes about 1.6 times the processor time
//! of the ring (docs/decisions.md); it is the one that always works.
//!
//! # Invariants
//!
//! - `open-count`: `open` counts the connection tasks, and falls when a task ends however it ends.
//! - `accept-goes-on`: an accept error is counted and waited out; it never ends the accept task.
//!
//! # Does not
//!
//! Decide anything about a connection: `Connection` does. Set `IPV6_V6ONLY` or the backlog, since
//! glommio's listener offers neither: `[::]` takes IPv4 too unless `net.ipv6.bindv6only` says
//! otherwise, and beside `0.0.0.0` on the same port the kernel prefers the IPv4 listener.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use glommio::net::{TcpListener, TcpStream};
use glommio::timer::Timer;

use super::gate::{Gate, Notices, client_of};
use super::limits::{
    ACCEPT_BACKOFF_MS, ACCEPT_HANDOVER_MS, DRAIN_LOOK_MS, DRAIN_READ_BYTES, INPUT_BYTES, Settings,
};
use super::measure::{Moment, Stopwatch, count_ending, count_source};
use super::pool::{Lease, Pool};
use super::proxy::Source;
use super::{Action, Answering, Asked, Connection, Deadlines, Ending, Event, Phase};
use crate::observe::{ShardFigures, clock, counters};

/// The engine of one shard.
pub struct Engine<A: Answering> {
    shared: Rc<Shared<A>>,
}

struct Shared<A: Answering> {
    answering: RefCell<A>,
    pool: Rc<Pool<A::Buffer>>,
    settings: Settings,
    figures: Arc<ShardFigures>,
    open: Cell<u64>,
    notices: RefCell<Notices>,
}

impl<A: Answering + 'static> Engine<A> {
    /// An engine that answers through `answering` and counts in `figures`.
    #[must_use]
    pub fn new(answering: A, settings: Settings, figures: Arc<ShardFigures>) -> Self {
        let shared = Shared {
            answering: RefCell::new(answering),
            pool: Pool::new(settings.answer_buffers_max),
            settings,
            figures,
            open: Cell::new(0),
            notices: RefCell::default(),
        };
        Self { shared: Rc::new(shared) }
    }

    /// Serves the listeners until `stop` is ready, then drains: what the kernel has accepted by
    /// then is served, and connections have `drain_ms` to end. Returns how many it cut off.
    ///
    /// Must run inside a glommio executor.
    pub async fn serve(
        self,
        listeners: Vec<(TcpListener, Gate)>,
        stop: impl Future<Output = ()>,
        drain_ms: u64,
    ) -> u64 {
        let own = |(listener, gate)| (Rc::new(listener), Rc::new(gate));
        let listeners: Vec<(Rc<TcpListener>, Rc<Gate>)> = listeners.into_iter().map(own).collect();
        let tasks: Vec<_> = listeners
            .iter()
            .map(|(listener, gate)| {
                let (listener, gate) = (Rc::clone(listener), Rc::clone(gate));
                let shared = Rc::clone(&self.shared);
                glommio::spawn_local(async move { accept(&listener, &gate, &shared).await })
            })
            .collect();
        stop.await;
        // An accept that the kernel has completed meanwhile holds a connection, which would be lost
        // with a cancelled task: a turn of the executor hands all of them over first.
        Timer::new(Duration::from_millis(ACCEPT_HANDOVER_MS)).await;
        for task in tasks {
            task.cancel().await;
        }
        for (listener, gate) in &listeners {
            // Closing a listener resets what waits in its queue, so the queue is emptied first.
            while let Some(Ok(accepted)) = future::poll_once(listener.shared_accept()).await {
                Shared::admit(&self.shared, accepted.bind_to_executor(), gate);
            }
        }
        // The ring names descriptors by number: the accepts queued for a listener must reach the
        // kernel, and be called back there, before its number may stand for something else.
        Timer::new(Duration::from_millis(ACCEPT_HANDOVER_MS)).await;
        drop(listeners);
        let until_ms = Moment::now().ms.saturating_add(drain_ms);
        while self.shared.open.get() > 0 && Moment::now().ms < until_ms {
            Timer::new(Duration::from_millis(DRAIN_LOOK_MS)).await;
        }
        self.shared.open.get()
    }
}

async fn accept<A: Answering + 'static>(
    listener: &TcpListener,
    gate: &Rc<Gate>,
    shared: &Rc<Shared<A>>,
) {
    loop {
        match listener.shared_accept().await {
            // From here on the descriptor has an owner that closes it.
            Ok(accepted) => Shared::admit(shared, accepted.bind_to_executor(), gate),
            Err(error) => {
                counters::add(&shared.figures.counters.accept_errors, 1);
                tracing::debug!(%error, "accept failed");
                Timer::new(Duration::from_millis(ACCEPT_BACKOFF_MS)).await;
            }
        }
        glommio::yield_if_needed().await;
    }
}

impl<A: Answering> Shared<A> {
    fn set_open(&self, count: u64) {
        self.open.set(count);
        self.figures.engine.connections_open.set(count);
    }

    fn admit(shared: &Rc<Self>, stream: TcpStream, gate: &Rc<Gate>)
    where
        A: 'static,
    {
        counters::add(&shared.figures.counters.accepted, 1);
        let Ok(peer) = stream.peer_addr() else {
            counters::add(&shared.figures.counters.ended_broken, 1);
            return;
        };
        let opened = Moment::now();
        let deadlines = Deadlines::from(&shared.settings);
        let Some(connection) = gate.admit(peer, deadlines, opened) else {
            counters::add(&shared.figures.counters.ended_untrusted, 1);
            shared.notices.borrow_mut().untrusted(gate, peer, opened);
            return;
        };
        if shared.open.get() >= shared.settings.connections_max {
            counters::add(&shared.figures.counters.over_bound, 1);
            return;
        }
        let open = Open::count(Rc::clone(shared));
        let carrier = Carrier {
            stream,
            peer,
            gate: Rc::clone(gate),
            source: None,
            watch: Stopwatch::start(opened),
            shared: Rc::clone(shared),
            input: [0; INPUT_BYTES],
            input_bytes: 0,
            lease: None,
            shut_down: false,
        };
        glommio::spawn_local(async move {
            let ending = carrier.carry(connection).await;
            count_ending(&open.shared.figures.counters, ending);
        })
        .detach();
    }
}

/// Counts one open connection for as long as it lives.
#[must_use = "dropping it says that the connection has ended"]
struct Open<A: Answering> {
    shared: Rc<Shared<A>>,
}

impl<A: Answering> Open<A> {
    fn count(shared: Rc<Shared<A>>) -> Self {
        shared.set_open(shared.open.get().saturating_add(1));
        Self { shared }
    }
}

impl<A: Answering> Drop for Open<A> {
    fn drop(&mut self) {
        self.shared.set_open(self.shared.open.get().saturating_sub(1));
    }
}

/// One connection's socket and bytes; does what its `Connection` says.
struct Carrier<A: Answering> {
    stream: TcpStream,
    peer: SocketAddr,
    gate: Rc<Gate>,
    /// What the proxy's header says, once it is there.
    source: Option<Source>,
    watch: Stopwatch,
    shared: Rc<Shared<A>>,
    input: [u8; INPUT_BYTES],
    input_bytes: usize,
    lease: Option<Lease<A::Buffer>>,
    shut_down: bool,
}

/// What an action came to. `Event` borrows the input; this does not.
enum Done {
    Received(usize),
    Stopped,
    Answered(usize),
    Failed,
    Sent(usize),
    Looked(bool),
    Drained(usize),
    Broken,
    Expired,
    Evicted,
}

impl<A: Answering> Carrier<A> {
    async fn carry(mut self, mut connection: Connection) -> Ending {
        let mut action = Action::Receive;
        loop {
            let deadline_ms = connection.deadline_ms();
            let done = match action {
                Action::Receive => self.receive(deadline_ms).await,
                Action::Proxied { header_bytes, source } => {
                    match self.proxied(header_bytes, source) {
                        0 => self.receive(deadline_ms).await,
                        rest_bytes => Done::Received(rest_bytes),
                    }
                }
                Action::Answer { line, ended } => self.answer(line, ended, deadline_ms).await,
                // The read that was under way has ended with its future.
                Action::Stop => Done::Stopped,
                Action::Send { from_bytes } => self.send(from_bytes, deadline_ms).await,
                Action::Look => self.look(),
                Action::Drain => self.drain(deadline_ms).await,
                Action::Rest => {
                    let rest_ms = deadline_ms.saturating_sub(Moment::now().ms);
                    Timer::new(Duration::from_millis(rest_ms.saturating_add(1))).await;
                    Done::Expired
                }
                Action::Close { ending, reset } => {
                    if reset {
                        // Best effort: if the option cannot be set, this is an ordinary close.
                        let socket = socket2::SockRef::from(&self.stream);
                        let _ = socket.set_linger(Some(Duration::ZERO));
                    }
                    if let Ending::Unproxied(refusal) = ending {
                        let mut notices = self.shared.notices.borrow_mut();
                        notices.refused(&self.gate, Some(self.peer), refusal, Moment::now());
                    }
                    return ending;
                }
            };
            let event = match done {
                Done::Received(fresh_bytes) => {
                    let input = self.input.get(..self.input_bytes).unwrap_or_default();
                    Event::Received { input, fresh_bytes }
                }
                Done::Stopped => {
                    Event::Stopped { input: self.input.get(..self.input_bytes).unwrap_or_default() }
                }
                Done::Answered(bytes) => Event::Answered { bytes },
                Done::Failed => Event::Failed,
                Done::Sent(bytes) => Event::Sent { bytes },
                Done::Looked(unread) => Event::Looked { unread },
                Done::Drained(bytes) => Event::Drained { bytes },
                Done::Broken => Event::Broken,
                Done::Expired => Event::Tick,
                Done::Evicted => Event::Evict,
            };
            let (before, now) = (connection.phase(), Moment::now());
            action = connection.step(event, now.ms);
            let phases = &self.shared.figures.phases;
            self.watch.stepped(phases, before, connection.phase(), now);
            if connection.phase() > Phase::Writing {
                self.lease = None;
            }
        }
    }

    /// Takes the proxy's header off the input; how much is left.
    fn proxied(&mut self, header_bytes: usize, source: Source) -> usize {
        count_source(&self.shared.figures.counters, source);
        self.source = Some(source);
        let header_bytes = header_bytes.min(self.input_bytes);
        self.input.copy_within(header_bytes..self.input_bytes, 0);
        self.input_bytes = self.input_bytes.saturating_sub(header_bytes);
        self.input_bytes
    }

    async fn receive(&mut self, deadline_ms: u64) -> Done {
        let free = self.input.get_mut(self.input_bytes..).unwrap_or_default();
        match within(deadline_ms, self.stream.read(free)).await {
            Some(Ok(bytes)) => {
                counters::add(&self.shared.figures.counters.received_bytes, bytes as u64);
                self.input_bytes = self.input_bytes.saturating_add(bytes).min(INPUT_BYTES);
                Done::Received(bytes)
            }
            Some(Err(_)) => Done::Broken,
            None => Done::Expired,
        }
    }

    async fn answer(&mut self, line: Range<usize>, ended: bool, deadline_ms: u64) -> Done {
        let shared = Rc::clone(&self.shared);
        let make = || shared.answering.borrow().buffer();
        let mut lease = match shared.pool.try_lease(make) {
            Some(lease) => lease,
            None => {
                counters::add(&shared.figures.counters.waited_for_buffer, 1);
                let client = client_of(self.peer, self.source);
                match within(deadline_ms, shared.pool.wait(client)).await {
                    Some(lease) => lease,
                    None => return Done::Expired,
                }
            }
        };
        let line = self.input.get(line).unwrap_or_default();
        let asked = self.gate.asked(line, self.peer, self.source, self.watch.since_us());
        let asked = Asked { is_unfinished: !ended, ..asked };
        let Some(out) = lease.buffer_mut() else { return Done::Failed };
        // A panic here is a bug; it must not take the other connections of the shard with it. The
        // state that it leaves is safe to use: `answer` replaces whatever the buffer holds.
        let answered =
            catch_unwind(AssertUnwindSafe(|| shared.answering.borrow_mut().answer(asked, out)));
        match answered {
            Ok(class) => {
                shared.figures.counters.count_answer(class);
                self.watch.answered(clock::micros());
                let bytes = lease.bytes().len();
                self.lease = Some(lease);
                Done::Answered(bytes)
            }
            Err(_) => {
                tracing::error!(query = %line.escape_ascii(), "answering panicked");
                Done::Failed
            }
        }
    }

    async fn send(&mut self, from_bytes: usize, deadline_ms: u64) -> Done {
        let Some(lease) = &self.lease else { return Done::Failed };
        let client = client_of(self.peer, self.source);
        let rest = lease.bytes().get(from_bytes..).unwrap_or_default();
        let mut write = pin!(self.stream.write(rest));
        let written = match future::poll_once(write.as_mut()).await {
            Some(written) => Some(written),
            None => {
                let evicted = async {
                    lease.cut(client).await;
                    None
                };
                let written = async { Some(within(deadline_ms, write).await) };
                match future::or(written, evicted).await {
                    Some(written) => written,
                    None => return Done::Evicted,
                }
            }
        };
        match written {
            Some(Ok(bytes)) => {
                counters::add(&self.shared.figures.counters.sent_bytes, bytes as u64);
                Done::Sent(bytes)
            }
            Some(Err(_)) => Done::Broken,
            None => Done::Expired,
        }
    }

    /// A close with unread input, or after the peer's reset, is not an orderly one.
    fn look(&self) -> Done {
        let socket = socket2::SockRef::from(&self.stream);
        let mut byte = [MaybeUninit::uninit()];
        match socket.recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT) {
            Ok(bytes) => Done::Looked(bytes > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Done::Looked(false),
            Err(_) => Done::Broken,
        }
    }

    async fn drain(&mut self, deadline_ms: u64) -> Done {
        if !self.shut_down {
            self.shut_down = true;
            if self.stream.shutdown(Shutdown::Write).await.is_err() {
                return Done::Broken;
            }
        }
        let mut dropped = [0; DRAIN_READ_BYTES];
        match within(deadline_ms, self.stream.read(&mut dropped)).await {
            Some(Ok(bytes)) => {
                counters::add(&self.shared.figures.counters.received_bytes, bytes as u64);
                Done::Drained(bytes)
            }
            Some(Err(_)) => Done::Broken,
            None => Done::Expired,
        }
    }
}

/// The future's output, or `None` once the deadline has passed. A timer is made only if the future
/// has to wait.
async fn within<T>(deadline_ms: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if let Some(output) = future::poll_once(future.as_mut()).await {
        return Some(output);
    }
    let wait_ms = deadline_ms.saturating_sub(Moment::now().ms);
    // The deadline is looked at in whole milliseconds: one more, and it has passed for certain.
    let timer = Timer::new(Duration::from_millis(wait_ms.saturating_add(1)));
    let expired = async {
        timer.await;
        // A shard that was kept from its core sees its timers first: what has come in time is there
        // a turn of the executor later.
        Timer::new(Duration::from_millis(1)).await;
        None
    };
    future::or(async { Some(future.await) }, expired).await
}
