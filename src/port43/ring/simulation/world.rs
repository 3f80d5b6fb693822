//! The simulated kernel of the ring engine, and its clients.
//!
//! # Invariants
//!
//! - Every request is checked against what the real kernel allows: no socket accepted into a slot
//!   in use, nothing closed while an operation is under way, no buffer lost.

use std::net::{IpAddr, SocketAddr};

use super::super::super::limits::{self, INPUT_BYTES, SHORT_INPUT_BYTES};
use super::super::Sockets;
use super::super::kernel::{Completion, Kernel, Op};
use super::header::Header;
use super::table::Table;
use super::{Random, answer_to};

/// The address of every client that is not a stranger.
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
    /// As many bytes of an answer the kernel takes for a client that never reads.
    pub(super) taken_bytes_max: usize,
    /// Where it comes from; nobody: from where all do.
    pub(super) from: Option<[u8; 4]>,
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
        let ends =
            [&b"\r\n"[..], b"\n", b"", b"\r\nextra input", b"\n\n", b"\r", b"\r\0", b"\rextra"];
        let end: &[u8] = ends[random.size(ends.len())];
        let mut unsent = [&line, end].concat();
        match random.below(40) {
            // It closes without a word.
            0..4 => unsent.clear(),
            4 => unsent.resize(unsent.len() + 2 * limits::DRAIN_BYTES_MAX, b'x'),
            _ => {}
        }
        Self {
            unsent,
            silent: random.one_in(6),
            never_reads: random.one_in(8),
            taken_bytes_max: random.size(100),
            ..Self::default()
        }
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

    /// The client that the server takes it for.
    pub(super) fn source(&self) -> IpAddr {
        let named = self.header.as_ref().and_then(|header| header.named);
        named.unwrap_or_else(|| IpAddr::from(self.from.unwrap_or(PEER)))
    }

    /// The answer that its first line deserves.
    pub(super) fn expected(&self) -> Vec<u8> {
        let sent = &self.sent[self.header_bytes()..];
        let end = sent.iter().position(|byte| ends_line(*byte)).unwrap_or(sent.len());
        let line = &sent[..end.min(INPUT_BYTES)];
        let header = self.header.as_ref();
        let local = header.is_some_and(|header| header.named.is_none());
        if line == b"empty" { Vec::new() } else { answer_to(line, self.source(), local) }
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
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
}

/// The kernel, and the clients at its other end.
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
    /// Whether everything completes at once and nothing fails.
    pub(super) is_prompt: bool,
    /// How it holds sockets.
    pub(super) table: Table,
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
            is_prompt: false,
            table: Table::new(held),
        }
    }

    /// Connects a new client straight to a slot.
    pub(super) fn connect(&mut self, slot: usize, client: Client) {
        self.clients.push(client);
        self.sockets[slot].client = Some(self.clients.len() - 1);
    }

    /// Whether the stream of a client that was closed has ended.
    pub(super) fn has_ended(&self, client: usize) -> bool {
        self.clients[client].closed.is_some() && !self.table.is_closing(client)
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
            if !self.is_prompt && self.random.one_in(3) {
                continue;
            }
            self.progress(slot, &mut done);
        }
        for completion in &done {
            self.note(format!("{completion:?}"));
        }
        self.table.completed(&done);
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
        ends || received.result > 0
            && (input.iter().any(|byte| ends_line(*byte)) || input.len() >= INPUT_BYTES)
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
        let one_in = |random: &mut Random, n: u64| !self.is_prompt && random.one_in(n);
        let socket = &mut self.sockets[index];
        let mut complete = |op, result| done.push(Completion { op, slot, result });
        if let Some(listener) = socket.accepting {
            if one_in(random, 50) {
                socket.accepting = None;
                complete(Op::Accept, -libc::EMFILE);
            } else if !self.queues[listener].is_empty() {
                socket.accepting = None;
                let result = self.table.accept(slot);
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
            } else if one_in(random, 40) {
                socket.receiving = None;
                complete(Op::Receive, -libc::EINTR);
            } else if !client.on_the_way.is_empty() || client.half_closed {
                let bytes = client.on_the_way.len().min(room);
                let is_cut = bytes > 1 && !self.is_prompt;
                let bytes = if is_cut { 1 + random.size(bytes) } else { bytes };
                socket.input.truncate(from);
                socket.input.extend(client.on_the_way.drain(..bytes));
                socket.receiving = None;
                complete(Op::Receive, i32::try_from(bytes).unwrap());
            }
        } else if let Some(from) = socket.sending {
            if client.reset {
                socket.sending = None;
                complete(Op::Send, -libc::EPIPE);
            } else if !client.never_reads || client.got.len() < client.taken_bytes_max {
                let left = socket.answer.as_ref().unwrap().len() - from;
                let short = one_in(random, 4) && left > 1;
                let bytes = if short { 1 + random.size(left) } else { left };
                let fits = client.taken_bytes_max.saturating_sub(client.got.len());
                let bytes = if client.never_reads { bytes.min(fits) } else { bytes };
                let answer = socket.answer.as_ref().unwrap();
                client.got.extend_from_slice(&answer[from..from + bytes]);
                socket.sending = None;
                complete(Op::Send, i32::try_from(bytes).unwrap());
            }
            // The look does not wait for a send that does.
            if socket.look_count > 0 && (self.is_prompt || random.one_in(2)) {
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
        let from = self.clients[index].from.unwrap_or(PEER);
        let ip = if is_stranger { [192, 0, 2, 9] } else { from };
        Some(SocketAddr::from((ip, u16::try_from(index).unwrap())))
    }

    fn receive(&mut self, slot: u32, from: usize) {
        self.note(format!("receive {slot} {from}"));
        let socket = &mut self.sockets[slot as usize];
        assert!(socket.client.is_some() && socket.receiving.is_none(), "no socket, or receiving");
        assert_eq!(socket.input.len(), from, "bytes are lost");
        socket.receiving = Some(from);
        self.table.begin(Op::Receive, slot);
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
        self.table.begin(Op::Send, slot);
        self.look(slot);
    }

    fn look(&mut self, slot: u32) {
        self.sockets[slot as usize].look_count += 1;
        self.table.begin(Op::Look, slot);
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
        self.table.begin(Op::Drain, slot);
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
        self.table.close(slot, client);
        let client = &mut self.clients[client];
        // The kernel answers a close with unread input by a reset of its own.
        client.closed = Some(reset || !client.on_the_way.is_empty());
    }
}
