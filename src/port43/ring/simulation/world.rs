//! The simulated kernel of the ring engine, and the clients behind it.
//!
//! As kernels before Linux 6.13 it can be late: a socket closed in the ring's table then ends only
//! when each request for a socket of the table that began before the close has ended.
//!
//! # Invariants
//!
//! - Every request is checked against what the real kernel allows: no socket accepted into a slot
//!   in use, nothing closed while an operation is under way, no buffer lost.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::super::super::limits::{self, INPUT_BYTES, SHORT_INPUT_BYTES};
use super::super::Sockets;
use super::super::kernel::{Completion, Kernel, Op};
use super::header::Header;
use super::{Random, answer_to};

/// Where every client comes from that is no stranger.
const PEER: [u8; 4] = [127, 0, 0, 1];

/// A client: what it will send, how it reads, how it ends.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) unsent: Vec<u8>,
    /// Sent and not yet received by the server.
    pub(super) on_the_way: Vec<u8>,
    pub(super) sent: Vec<u8>,
    pub(super) got: Vec<u8>,
    pub(super) silent: bool,
    pub(super) never_reads: bool,
    pub(super) half_closed: bool,
    pub(super) reset: bool,
    /// How the server ended it: `Some(true)` with a reset.
    pub(super) closed: Option<bool>,
    pub(super) shut_down: bool,
    /// What it sends, and what is to come of it, at a listener of proxies.
    pub(super) header: Option<Header>,
}

impl Client {
    pub(super) fn draw(random: &mut Random) -> Self {
        let line = match random.below(8) {
            0 => b"empty".to_vec(),
            1 => vec![b'l'; 500 + random.size(700)],
            _ => format!("query {}", random.below(1_000)).into_bytes(),
        };
        let end: &[u8] = [&b"\r\n"[..], b"\n", b"", b"\r\nextra input", b"\n\n"][random.size(5)];
        let mut unsent = [&line, end].concat();
        match random.below(40) {
            // It closes without a word.
            0..4 => unsent.clear(),
            4 => unsent.resize(unsent.len() + 2 * limits::DRAIN_BYTES_MAX, b'x'),
            _ => {}
        }
        Self { unsent, silent: random.one_in(6), never_reads: random.one_in(8), ..Self::default() }
    }

    /// Comes to a listener of proxies, as client number `index`.
    pub(super) fn behind_proxy(mut self, random: &mut Random, index: usize) -> Self {
        let header = Header::draw(random, index);
        if !self.unsent.is_empty() {
            self.unsent.splice(..0, header.bytes.iter().copied());
        }
        Self { header: Some(header), ..self }
    }

    /// Whether nothing that it sends may be answered.
    pub(super) fn is_refused(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.is_broken || header.is_stranger)
    }

    fn header_bytes(&self) -> usize {
        self.header.as_ref().map_or(0, |header| header.bytes.len())
    }

    /// Something that the client does by itself.
    pub(super) fn act(&mut self, random: &mut Random) {
        if self.reset || self.closed.is_some() {
            return;
        }
        match random.below(20) {
            0 => self.reset = true,
            1 | 2 if self.unsent.is_empty() => self.half_closed = true,
            _ if !self.silent && !self.unsent.is_empty() && !self.half_closed => {
                let bytes = 1 + random.size(self.unsent.len());
                let bytes: Vec<u8> = self.unsent.drain(..bytes).collect();
                self.on_the_way.extend_from_slice(&bytes);
                self.sent.extend_from_slice(&bytes);
            }
            _ => {}
        }
    }

    /// What a look for unread input says.
    fn unread(&self) -> i32 {
        match (self.reset, self.on_the_way.is_empty(), self.half_closed) {
            (true, ..) => -libc::ECONNRESET,
            (false, false, _) => 1,
            (false, true, true) => 0,
            (false, true, false) => -libc::EAGAIN,
        }
    }

    /// The answer that its first line deserves.
    pub(super) fn expected(&self) -> Vec<u8> {
        let sent = &self.sent[self.header_bytes()..];
        let end = sent.iter().position(|byte| *byte == b'\n').unwrap_or(sent.len());
        let line = &sent[..end.min(INPUT_BYTES)];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let header = self.header.as_ref();
        let ip = header.and_then(|header| header.named).unwrap_or_else(|| IpAddr::from(PEER));
        let local = header.is_some_and(|header| header.named.is_none());
        if line == b"empty" { Vec::new() } else { answer_to(line, ip, local) }
    }
}

#[derive(Default)]
#[expect(
    clippy::box_collection,
    reason = "the engine hands answers over in boxes, whatever they are"
)]
pub(super) struct Socket {
    pub(super) client: Option<usize>,
    /// The listener of the accept that is under way.
    pub(super) accepting: Option<usize>,
    receiving: Option<usize>,
    sending: Option<usize>,
    look_count: usize,
    draining: bool,
    answer: Option<Box<Vec<u8>>>,
    input: Vec<u8>,
    header_taken: bool,
    long: bool,
    /// Its descriptor, where sockets are such.
    descriptor: Option<i32>,
    /// When the operations under way began, by the count of all.
    begun: Vec<(Op, u64)>,
}

/// A close that has not ended the stream: it waits for the requests that began before it.
#[derive(Debug)]
struct Closing {
    client: usize,
    closed: u64,
}

/// The kernel, and the world behind it.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) clients: Vec<Client>,
    /// Clients that wait to be accepted, for each listener.
    pub(super) queues: Vec<Vec<usize>>,
    pub(super) sockets: Vec<Socket>,
    pub(super) cancelled: Vec<(Op, u32)>,
    pub(super) long_left: usize,
    pub(super) trace: Vec<String>,
    pub(super) now_us: u64,
    /// How the driver's sockets are held.
    pub(super) held: Sockets,
    /// Whether sockets of the table end late.
    pub(super) is_late: bool,
    /// Closes that did not end at once.
    pub(super) late_count: u64,
    /// The most sockets that were closed and had not ended.
    pub(super) piled_up_max: usize,
    /// Descriptors in use, and how many there may be.
    pub(super) descriptors: BTreeSet<i32>,
    pub(super) descriptors_max: usize,
    closing: Vec<Closing>,
    /// Requests and closes so far.
    made_count: u64,
}

impl World {
    /// A kernel with so many slots, and nobody there yet.
    pub(super) fn new(seed: u64, slots: u32, listeners: usize, held: Sockets) -> Self {
        Self {
            random: Random(seed),
            clients: Vec::new(),
            queues: vec![Vec::new(); listeners],
            sockets: (0..slots).map(|_| Socket::default()).collect(),
            cancelled: Vec::new(),
            long_left: 2,
            trace: Vec::new(),
            now_us: 0,
            held,
            is_late: false,
            late_count: 0,
            piled_up_max: 0,
            descriptors: BTreeSet::new(),
            descriptors_max: usize::MAX,
            closing: Vec::new(),
            made_count: 0,
        }
    }

    /// Connects a new client straight to a slot.
    pub(super) fn connect(&mut self, slot: usize, client: Client) {
        self.clients.push(client);
        self.sockets[slot].client = Some(self.clients.len() - 1);
    }

    /// Notes that a request for a slot's socket begins.
    fn begin(&mut self, op: Op, slot: u32) {
        self.made_count += 1;
        self.sockets[slot as usize].begun.push((op, self.made_count));
    }

    /// Whether the stream of a client that was closed has ended.
    pub(super) fn has_ended(&self, client: usize) -> bool {
        let is_closing = self.closing.iter().any(|closing| closing.client == client);
        self.clients[client].closed.is_some() && !is_closing
    }

    /// Notes which requests have ended, and ends what was closed and has waited for them.
    fn end(&mut self, done: &[Completion]) {
        for completion in done {
            let begun = &mut self.sockets[completion.slot as usize].begun;
            if let Some(at) = begun.iter().position(|(op, _)| *op == completion.op) {
                begun.remove(at);
            }
        }
        let under_way = self.sockets.iter().flat_map(|socket| &socket.begun);
        let first = under_way.map(|(_, begun)| *begun).min().unwrap_or(u64::MAX);
        // What is no socket of the table ends at once on every kernel.
        let is_late = self.is_late && self.held == Sockets::Direct;
        self.closing.retain(|closing| is_late && closing.closed > first);
        self.piled_up_max = self.piled_up_max.max(self.closing.len());
    }

    fn note(&mut self, text: String) {
        self.trace.push(text);
    }

    /// Completes some of what can complete, in any order, each at most once a turn.
    pub(super) fn turn(&mut self) -> Vec<Completion> {
        let mut done = Vec::new();
        for (op, slot) in std::mem::take(&mut self.cancelled) {
            self.cancel_now(op, slot, &mut done);
        }
        let count = self.sockets.len();
        let first = self.random.size(count);
        for index in 0..count {
            let slot = (first + index) % count;
            if self.random.one_in(3) {
                continue;
            }
            self.progress(slot, &mut done);
        }
        for completion in &done {
            self.note(format!("{completion:?}"));
        }
        self.end(&done);
        done
    }

    /// Whether a receive that has completed ends a line, or fills the room for one.
    pub(super) fn line_is_whole(&self, received: Completion) -> bool {
        let socket = &self.sockets[received.slot as usize];
        let client = &self.clients[socket.client.unwrap()];
        let header_bytes = if socket.header_taken { 0 } else { client.header_bytes() };
        let Some(input) = socket.input.get(header_bytes..) else { return false };
        if client.is_refused() {
            return false;
        }
        let ends = received.result == 0 && !input.is_empty();
        ends || received.result > 0 && (input.contains(&b'\n') || input.len() >= INPUT_BYTES)
    }

    fn cancel_now(&mut self, op: Op, slot: u32, done: &mut Vec<Completion>) {
        let socket = &mut self.sockets[slot as usize];
        let was = match op {
            Op::Accept => socket.accepting.take().is_some(),
            Op::Receive => socket.receiving.take().is_some(),
            Op::Send => socket.sending.take().is_some(),
            Op::Drain => std::mem::take(&mut socket.draining),
            _ => false,
        };
        if was {
            done.push(Completion { op, slot, result: -libc::ECANCELED });
        }
    }

    fn progress(&mut self, index: usize, done: &mut Vec<Completion>) {
        let slot = u32::try_from(index).unwrap();
        let random = &mut self.random;
        let socket = &mut self.sockets[index];
        let mut complete = |op, result| done.push(Completion { op, slot, result });
        if let Some(listener) = socket.accepting {
            if random.one_in(50) {
                socket.accepting = None;
                complete(Op::Accept, -libc::EMFILE);
            } else if !self.queues[listener].is_empty() {
                socket.accepting = None;
                let descriptor = (3..).find(|number| !self.descriptors.contains(number)).unwrap();
                let result = match self.held {
                    Sockets::Direct => 0,
                    Sockets::Ordinary if self.descriptors.len() < self.descriptors_max => {
                        self.descriptors.insert(descriptor);
                        socket.descriptor = Some(descriptor);
                        descriptor
                    }
                    Sockets::Ordinary => -libc::EMFILE,
                };
                if result >= 0 {
                    socket.client = Some(self.queues[listener].remove(0));
                }
                complete(Op::Accept, result);
            }
            return;
        }
        let Some(client) = socket.client.map(|client| &mut self.clients[client]) else { return };
        if let Some(from) = socket.receiving {
            let room = if socket.long { INPUT_BYTES } else { SHORT_INPUT_BYTES } - from;
            if client.reset {
                socket.receiving = None;
                complete(Op::Receive, -libc::ECONNRESET);
            } else if random.one_in(40) {
                socket.receiving = None;
                complete(Op::Receive, -libc::EINTR);
            } else if !client.on_the_way.is_empty() || client.half_closed {
                let bytes = client.on_the_way.len().min(room);
                let bytes = if bytes > 1 { 1 + random.size(bytes) } else { bytes };
                socket.input.truncate(from);
                socket.input.extend(client.on_the_way.drain(..bytes));
                socket.receiving = None;
                complete(Op::Receive, i32::try_from(bytes).unwrap());
            }
        } else if let Some(from) = socket.sending {
            if client.reset {
                socket.sending = None;
                complete(Op::Send, -libc::EPIPE);
            } else if !client.never_reads {
                let left = socket.answer.as_ref().unwrap().len() - from;
                let short = random.one_in(4) && left > 1;
                let bytes = if short { 1 + random.size(left) } else { left };
                let answer = socket.answer.as_ref().unwrap();
                client.got.extend_from_slice(&answer[from..from + bytes]);
                socket.sending = None;
                complete(Op::Send, i32::try_from(bytes).unwrap());
            }
            // The look does not wait for a send that does.
            if socket.look_count > 0 && random.one_in(2) {
                socket.look_count -= 1;
                complete(Op::Look, client.unread());
            }
        } else if socket.look_count > 0 {
            socket.look_count -= 1;
            complete(Op::Look, client.unread());
        } else if socket.draining {
            let bytes = client.on_the_way.len();
            if client.reset || bytes > 0 || client.half_closed {
                client.on_the_way.clear();
                socket.draining = false;
                let bytes = i32::try_from(bytes).unwrap();
                complete(Op::Drain, if client.reset { -libc::ECONNRESET } else { bytes });
            }
        }
    }
}

impl Kernel<Vec<u8>> for World {
    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn accept(&mut self, slot: u32, listener: usize) {
        self.note(format!("accept {slot}"));
        let socket = &mut self.sockets[slot as usize];
        assert!(socket.client.is_none() && socket.accepting.is_none(), "the slot is in use");
        *socket = Socket { accepting: Some(listener), ..Socket::default() };
    }

    fn cancel_accept(&mut self, slot: u32) {
        self.cancel(Op::Accept, slot);
    }

    fn peer(&self, slot: u32) -> Option<SocketAddr> {
        let index = self.sockets[slot as usize].client?;
        let header = self.clients[index].header.as_ref();
        let is_stranger = header.is_some_and(|header| header.is_stranger);
        let ip = if is_stranger { [192, 0, 2, 9] } else { PEER };
        Some(SocketAddr::from((ip, u16::try_from(index).unwrap())))
    }

    fn receive(&mut self, slot: u32, from: usize) {
        self.note(format!("receive {slot} {from}"));
        let socket = &mut self.sockets[slot as usize];
        assert!(socket.client.is_some() && socket.receiving.is_none(), "no socket, or receiving");
        assert_eq!(socket.input.len(), from, "bytes are lost");
        socket.receiving = Some(from);
        self.begin(Op::Receive, slot);
    }

    fn room(&self, slot: u32) -> usize {
        if self.sockets[slot as usize].long { INPUT_BYTES } else { SHORT_INPUT_BYTES }
    }

    fn lengthen(&mut self, slot: u32) -> bool {
        let socket = &mut self.sockets[slot as usize];
        let left = self.long_left > 0 && !socket.long;
        if left {
            self.long_left -= 1;
            socket.long = true;
        }
        left
    }

    fn input(&self, slot: u32, bytes: usize) -> &[u8] {
        let socket = &self.sockets[slot as usize];
        assert!(socket.receiving.is_none(), "the kernel may be writing");
        &socket.input[..bytes]
    }

    fn take_input(&mut self, slot: u32, taken: usize, bytes: usize) {
        let socket = &mut self.sockets[slot as usize];
        assert!(socket.receiving.is_none(), "the kernel may be writing");
        assert_eq!(socket.input.len(), bytes, "bytes are lost");
        socket.input.drain(..taken);
        socket.header_taken = true;
        if socket.input.len() <= SHORT_INPUT_BYTES {
            self.long_left += usize::from(std::mem::take(&mut socket.long));
        }
    }

    fn forget_input(&mut self, slot: u32) {
        let socket = &mut self.sockets[slot as usize];
        self.long_left += usize::from(std::mem::take(&mut socket.long));
    }

    fn send(&mut self, slot: u32, answer: Box<Vec<u8>>, from: usize) {
        self.note(format!("send {slot} {from}"));
        let socket = &mut self.sockets[slot as usize];
        assert!(socket.client.is_some() && socket.sending.is_none(), "no socket, or sending");
        assert!(socket.answer.is_none(), "an answer is lost");
        socket.answer = Some(answer);
        socket.sending = Some(from);
        self.begin(Op::Send, slot);
        self.look(slot);
    }

    fn look(&mut self, slot: u32) {
        self.sockets[slot as usize].look_count += 1;
        self.begin(Op::Look, slot);
    }

    fn take_answer(&mut self, slot: u32) -> Option<Box<Vec<u8>>> {
        let socket = &mut self.sockets[slot as usize];
        if socket.sending.is_some() { None } else { socket.answer.take() }
    }

    fn drain(&mut self, slot: u32, shutdown: bool) {
        self.note(format!("drain {slot} {shutdown}"));
        let socket = &mut self.sockets[slot as usize];
        let client = &mut self.clients[socket.client.unwrap()];
        assert!(!socket.draining && client.shut_down != shutdown, "shut down once");
        client.shut_down = true;
        socket.draining = true;
        self.begin(Op::Drain, slot);
    }

    fn cancel(&mut self, op: Op, slot: u32) {
        self.note(format!("cancel {op:?} {slot}"));
        self.cancelled.push((op, slot));
    }

    fn close(&mut self, slot: u32, reset: bool) {
        self.note(format!("close {slot} {reset}"));
        let socket = &mut self.sockets[slot as usize];
        let client = socket.client.take().expect("closed twice, or never accepted");
        assert!(socket.receiving.is_none() && socket.sending.is_none(), "under way");
        assert!(socket.look_count == 0 && !socket.draining && !socket.long, "under way, or lent");
        assert!(socket.answer.is_none(), "an answer buffer is lost");
        let descriptor = socket.descriptor.take();
        assert_eq!(descriptor.is_some(), self.held == Sockets::Ordinary, "what is closed?");
        if let Some(descriptor) = descriptor {
            assert!(self.descriptors.remove(&descriptor), "a descriptor is closed twice");
        }
        self.made_count += 1;
        self.closing.push(Closing { client, closed: self.made_count });
        let client = &mut self.clients[client];
        // The kernel answers a close with unread input by a reset of its own.
        client.closed = Some(reset || !client.on_the_way.is_empty());
        self.end(&[]);
        let is_late = self.closing.last().is_some_and(|last| last.closed == self.made_count);
        self.late_count += u64::from(is_late);
    }
}
