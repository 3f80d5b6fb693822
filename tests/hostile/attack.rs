//! Attacks of hostile clients: each is a number of connections, and the action of one of them in
//! each pass over all.
//!
//! # Invariants
//!
//! - An attack takes at most `OPENS_PER_PASS` new connections a pass, and its thread has little
//!   weight: the measurement is of the server, not of a fight for the machine's cores.
//!
//! # Does not
//!
//! Judge the server, except for answers that are due, which it reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::client::{Client, Source};

/// Pause between two passes.
const PASS: Duration = Duration::from_millis(4);
/// Connections that a pass opens at most: 2,000 a second.
const OPENS_PER_PASS: usize = 8;
/// As many when the number of open ones is what matters.
const OPENS_PER_PASS_TO_HOLD: usize = 64;
/// The same for queries of the largest answer: making those is work, and more of them would show
/// the capacity of a core, not the effect of a client that goes away on others.
const OPENS_PER_PASS_OF_LARGE: usize = 1;
/// Passes of which one opens connections that ask for the largest answer: 50 a second.
const PASSES_PER_OPEN_OF_LARGE: u64 = 5;
/// Passes between two bytes of a client that drips: 1 s, as with a deadline of ten times as long.
const DRIP_PASSES: u32 = 25;
/// Weight of an attack's thread: the least but for idle ones.
const NICE: i32 = 15;

/// The query whose answer is as large as an answer may be (`site`).
pub(crate) const LARGE: &[u8] = b"large.demo\r\n";
/// A query that is served.
pub(crate) const SMALL: &[u8] = b"small.demo\r\n";

/// The outcome of a pass for a connection.
pub(crate) enum Next {
    /// It stays.
    Hold(Client),
    /// It is closed, as a client does.
    Close,
    /// It is reset.
    Reset(Client),
    /// An answer was due, and this was wrong with it.
    Wrong(String),
}

/// An attack.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Connections at a time.
    pub(crate) clients: usize,
    /// Where they come from.
    pub(crate) source: Source,
    /// Whether they take as little at a time as a client can.
    pub(crate) slow: bool,
    /// Connections that a pass opens at most.
    pub(crate) opens_max: usize,
    /// Passes of which one opens connections.
    pub(crate) every_passes: u64,
    /// Whether it counts only once all are open.
    pub(crate) holds: bool,
    /// Whether the server keeps all of them for as long as the attack lasts.
    pub(crate) stays: bool,
    /// What one does in a pass.
    pub(crate) act: fn(Client) -> Next,
}

const fn attack(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    let opens_max = OPENS_PER_PASS;
    let source = Source::Any;
    let (slow, every_passes, holds, stays) = (false, 1, false, false);
    Attack { name, clients, source, slow, opens_max, every_passes, holds, stays, act }
}

/// Connections that count once all are open.
const fn held(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    Attack { opens_max: OPENS_PER_PASS_TO_HOLD, holds: true, ..attack(name, clients, act) }
}

/// Slow clients that ask for the largest answer.
const fn large(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    let opens_max = OPENS_PER_PASS_OF_LARGE;
    let every_passes = PASSES_PER_OPEN_OF_LARGE;
    Attack { slow: true, opens_max, every_passes, ..attack(name, clients, act) }
}

/// The attacks on a server with short deadlines.
pub(crate) const ATTACKS: [Attack; 15] = [
    held("silence", 300, silence),
    held("one byte per second", 300, drip),
    held("no line end", 300, no_line_end),
    attack("a line of 64 KiB", 16, long_line),
    attack("NUL and control bytes", 32, control_bytes),
    attack("invalid UTF-8", 32, invalid_utf8),
    attack("half-close after the line", 32, half_close),
    attack("half-close at once", 32, half_close_at_once),
    attack("reset after connect", 32, reset_at_once),
    attack("reset within the line", 32, reset_within_line),
    Attack { slow: false, ..large("reset after the line", 32, reset_after_line) },
    large("reset within the answer", 16, reset_within_answer),
    Attack { holds: true, every_passes: 1, ..large("never reading", 12, never_reading) },
    attack("more lines than one", 32, more_lines),
    Attack { source: Source::OneIpv4Slash24, ..attack("flood from one /24", 64, flood) },
];

/// More clients that do not read than the server has buffers for answers: from another source than
/// the good client, from many others, and from the same.
pub(crate) const OUT_OF_BUFFERS: [Attack; 3] = [
    Attack { source: Source::OneIpv4, ..out_of_buffers("never reading, all buffers") },
    Attack { source: Source::OneIpv4Slash24, ..out_of_buffers("the same, from a /24") },
    out_of_buffers("the same, from one address"),
];

const fn out_of_buffers(name: &'static str) -> Attack {
    Attack { holds: true, every_passes: 1, ..large(name, 40, never_reading) }
}

/// Clients that keep their side open after their answer, for 400 ms: more than the server takes
/// connections, and within 100 ms fewer.
pub(crate) const ANSWERED: Attack =
    Attack { holds: true, ..attack("answered, holds open", 700, answered) };

/// Connections from one IPv6 /64, if there is one.
pub(crate) const FLOOD_IPV6: Attack =
    Attack { source: Source::OneIpv6Slash64, ..attack("flood from one /64", 64, flood) };

/// Idle connections, many; on a server that keeps them.
pub(crate) const fn idle(clients: usize) -> Attack {
    Attack { source: Source::OneIpv4Slash24, stays: true, ..held("idle", clients, silence) }
}

fn silence(mut client: Client) -> Next {
    if client.is_closed() { Next::Close } else { Next::Hold(client) }
}

fn drip(mut client: Client) -> Next {
    let bytes = vec![b'a'; client.passes as usize / DRIP_PASSES as usize + 1];
    client.send(&bytes);
    silence(client)
}

fn no_line_end(mut client: Client) -> Next {
    client.send(&[b'a'; 900]);
    silence(client)
}

/// Sends a line in full, then reads to the end of the answer.
fn converse(mut client: Client, query: &[u8], due: fn(&[u8]) -> bool) -> Next {
    if client.send(query) || !client.read(4096) {
        return Next::Hold(client);
    }
    if due(&client.answer) || client.was_late && client.answer.is_empty() {
        return Next::Close;
    }
    let start = &client.answer[..client.answer.len().min(80)];
    Next::Wrong(format!("{} bytes, {}", client.answer.len(), start.escape_ascii()))
}

fn is_refusal(answer: &[u8]) -> bool {
    answer.starts_with(b"%ERROR:") && answer.ends_with(b"\r\n")
}

fn is_record(answer: &[u8]) -> bool {
    answer.starts_with(b"Domain Name: small.demo\r\n") && answer.ends_with(b"\r\n")
}

fn long_line(client: Client) -> Next {
    // The server may close before it has taken the line; then there may be no answer.
    let query = [&[b'a'; 64 << 10][..], b"\r\n"].concat();
    converse(client, &query, |answer| answer.is_empty() || answer.starts_with(b"%ERROR:"))
}

fn control_bytes(client: Client) -> Next {
    converse(client, b"sma\0ll\x1b[2J\x07\x7f.demo\r\n", is_refusal)
}

fn invalid_utf8(client: Client) -> Next {
    converse(client, b"sm\xc3(ll\xff\xfe\xf5\x80.demo\r\n", is_refusal)
}

/// The byte after the line makes the server wait for the client's end; its own has come by then.
fn answered(mut client: Client) -> Next {
    client.send(b"small.demo\r\nx");
    client.read(4096);
    if client.passes > 100 { Next::Close } else { Next::Hold(client) }
}

fn half_close(mut client: Client) -> Next {
    if client.passes == 0 {
        client.send(b"small.demo");
        client.half_close();
    }
    converse(client, b"small.demo", is_record)
}

fn half_close_at_once(client: Client) -> Next {
    client.half_close();
    converse(client, b"", |answer| answer.is_empty() || answer.starts_with(b"%ERROR:"))
}

fn more_lines(client: Client) -> Next {
    converse(client, b"small.demo\r\nsmall.demo\r\nsmall.demo\r\n", is_record)
}

fn reset_at_once(client: Client) -> Next {
    Next::Reset(client)
}

fn reset_within_line(mut client: Client) -> Next {
    client.send(b"smal");
    if client.passes == 0 { Next::Hold(client) } else { Next::Reset(client) }
}

fn reset_after_line(mut client: Client) -> Next {
    client.send(LARGE);
    Next::Reset(client)
}

fn reset_within_answer(mut client: Client) -> Next {
    client.send(LARGE);
    if client.read(512) {
        return Next::Close;
    }
    if client.answer.is_empty() { Next::Hold(client) } else { Next::Reset(client) }
}

/// Whether the server has closed shows once it has reset: what it has sent is not read.
fn never_reading(mut client: Client) -> Next {
    client.send(LARGE);
    // Longer than a short run takes.
    if client.passes > 300 { Next::Close } else { Next::Hold(client) }
}

fn flood(mut client: Client) -> Next {
    client.send(SMALL);
    Next::Close
}

/// An attack under way.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicU64>,
    in_place: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Running {
    /// Starts it, and waits until it is in place; an error if that takes longer than `patience`.
    pub(crate) fn start(
        attack: Attack,
        to: SocketAddr,
        patience: Duration,
    ) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let opened = Arc::new(AtomicU64::new(0));
        let in_place = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&stop), Arc::clone(&opened), Arc::clone(&in_place));
        let thread = thread::spawn(move || {
            // Of this thread alone: so it is with Linux.
            let _ = rustix::process::nice(NICE);
            run(attack, to, &shared)
        });
        let running = Self { stop, opened, in_place, thread: Some(thread) };
        let pause = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        while !running.in_place.load(Ordering::Relaxed) {
            if waited >= patience {
                let (opened, wrong) = running.stop();
                return Err(format!("not in place after {waited:?}: {opened} opened, {wrong:?}"));
            }
            thread::sleep(pause);
            waited += pause;
        }
        Ok(running)
    }

    /// Ends it; how many connections it opened, and what was wrong with answers.
    pub(crate) fn stop(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.thread.take().unwrap().join().unwrap();
        (self.opened.load(Ordering::Relaxed), wrong)
    }
}

fn run(
    attack: Attack,
    to: SocketAddr,
    (stop, opened, in_place): &(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicBool>),
) -> Vec<String> {
    let mut clients: Vec<Option<Client>> = (0..attack.clients).map(|_| None).collect();
    let mut wrong = Vec::new();
    let mut pass = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut opens = if pass % attack.every_passes == 0 { 0 } else { attack.opens_max };
        pass += 1;
        for slot in &mut clients {
            if slot.is_none() && opens < attack.opens_max {
                let number = opened.fetch_add(1, Ordering::Relaxed);
                opens += 1;
                match Client::open(to, attack.source, number, attack.slow) {
                    Ok(client) => *slot = Some(client),
                    Err(error) => wrong.push(format!("cannot connect: {error}")),
                }
            }
            let Some(client) = slot.take() else { continue };
            match (attack.act)(client) {
                Next::Hold(mut client) => {
                    client.passes += 1;
                    *slot = Some(client);
                }
                Next::Close => {}
                Next::Reset(client) => client.reset(),
                Next::Wrong(what) => wrong.push(what),
            }
        }
        let all_open = clients.iter().all(Option::is_some);
        if all_open || !attack.holds {
            in_place.store(true, Ordering::Relaxed);
        }
        thread::sleep(PASS);
    }
    wrong
}
