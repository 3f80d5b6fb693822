//! Attacks of hostile clients: each is a number of connections, and the action of one of them in
//! each pass over all. What they say is in `whois`, and in the suite of whoisd-web.
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
/// Passes between two bytes of a client that drips: 1 s, as with a deadline of ten times as long.
pub(crate) const DRIP_PASSES: u32 = 25;
/// Weight of an attack's thread: the least but for idle ones.
const NICE: i32 = 15;

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
    /// It counts only once so many were opened, whether the server kept them or not.
    pub(crate) opened_min: u64,
    /// Whether the server keeps all of them for as long as the attack lasts.
    pub(crate) stays: bool,
    /// What one does in a pass.
    pub(crate) act: fn(Client) -> Next,
}

pub(crate) const fn attack(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    let opens_max = OPENS_PER_PASS;
    let source = Source::Any;
    let (slow, every_passes, holds, opened_min, stays) = (false, 1, false, 0, false);
    Attack { name, clients, source, slow, opens_max, every_passes, holds, opened_min, stays, act }
}

/// Connections that count once all are open.
pub(crate) const fn held(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    Attack { opens_max: OPENS_PER_PASS_TO_HOLD, holds: true, ..attack(name, clients, act) }
}

/// Says nothing, or no more.
pub(crate) fn silence(mut client: Client) -> Next {
    if client.is_closed() { Next::Close } else { Next::Hold(client) }
}

/// Sends a query in full, then reads to the end of the connection.
pub(crate) fn converse(mut client: Client, text: &[u8], due: fn(&[u8]) -> bool) -> Next {
    if client.send(text) || !client.read(4096) {
        return Next::Hold(client);
    }
    if due(&client.answer) || client.was_late && client.answer.is_empty() {
        return Next::Close;
    }
    let start = &client.answer[..client.answer.len().min(80)];
    Next::Wrong(format!("{} bytes, {}", client.answer.len(), start.escape_ascii()))
}

/// Goes away with a reset.
pub(crate) fn reset_at_once(client: Client) -> Next {
    Next::Reset(client)
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
        let enough = opened.load(Ordering::Relaxed) >= attack.opened_min;
        if enough && (all_open || !attack.holds) {
            in_place.store(true, Ordering::Relaxed);
        }
        thread::sleep(PASS);
    }
    wrong
}
