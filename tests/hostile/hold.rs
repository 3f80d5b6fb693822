//! Holding a server against an attack: quiet and attacked in turn, with the good client's waits,
//! and nothing left over afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use super::attack::{Attack, Running};
use super::gauge::{Waits, median};
use super::held::{Held, settle};

/// How long an attack may take to be in place: 10,000 connections take some seconds.
const IN_PLACE_TIMEOUT: Duration = Duration::from_secs(120);

/// How an attack is held against the server.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Rounds: one quiet, one attacked each.
    pub(crate) rounds: usize,
    /// Queries of the good client in each half of a round.
    pub(crate) queries: usize,
    /// Idle connections.
    pub(crate) idle: usize,
}

/// That of the suite, or of the long run.
pub(crate) fn size() -> Size {
    match std::env::var("WHOISD_HOSTILE").as_deref() {
        Ok("long") => Size { rounds: 5, queries: 1_000, idle: 10_000 },
        _ => Size { rounds: 3, queries: 60, idle: 2_000 },
    }
}

/// A server that is attacked.
pub(crate) struct Subject<'a> {
    /// What the figures are headed with.
    pub(crate) label: &'a str,
    /// Where it is attacked.
    pub(crate) to: SocketAddr,
    /// What it holds now.
    pub(crate) held: &'a dyn Fn() -> Held,
    /// One question of the good client; see [`Waits::measure`].
    pub(crate) ask: &'a dyn Fn() -> Result<Option<Duration>, String>,
    /// Resident memory that it may take for an attack, KiB.
    pub(crate) memory_kib: u64,
    /// The same, for each connection.
    pub(crate) memory_kib_per_connection: u64,
}

impl Subject<'_> {
    /// Holds it against an attack.
    pub(crate) fn hold(&self, attack: Attack, size: Size) {
        let label = self.label;
        let name = attack.name;
        let failed = |what: String| panic!("{label}, {name}: {what}");
        // Warm: what is made once is there.
        Waits::measure(20, self.ask).unwrap_or_else(failed);
        settle((self.held)(), self.held).unwrap_or_else(|what| panic!("{what}"));
        let before = (self.held)();
        let mut figures = [(); 4].map(|()| Vec::new());
        let (mut most, mut opened) = (before, 0);
        for _ in 0..size.rounds {
            let quiet = Waits::measure(size.queries, self.ask).unwrap_or_else(failed);
            let running = Running::start(attack, self.to, IN_PLACE_TIMEOUT);
            let running = running.unwrap_or_else(|what| panic!("{label}, {name}: {what}"));
            let attacked = Waits::measure(size.queries, self.ask);
            let now = (self.held)();
            most.memory_kib = most.memory_kib.max(now.memory_kib);
            most.connections = most.connections.max(now.connections);
            let (count, wrong) = running.stop();
            opened += count;
            let attacked = attacked.unwrap_or_else(failed);
            assert!(wrong.is_empty(), "{label}, {name}: {} answers, {}", wrong.len(), wrong[0]);
            let waits = [&quiet, &attacked].map(|waits| [50, 99].map(|p| waits.percentile(p)));
            for (figures, wait) in figures.iter_mut().zip(waits.as_flattened()) {
                figures.push(*wait);
            }
        }
        let settled =
            settle(before, self.held).unwrap_or_else(|what| panic!("{label}, {name}: {what}"));
        let [quiet_50, quiet_99, attacked_50, attacked_99] = figures.map(|mut of| median(&mut of));
        let memory_kib = most.memory_kib.saturating_sub(before.memory_kib);
        println!(
            "{label:<8} {name:<27} {opened:>7} opened, {:>5} at once | quiet {quiet_50:6.2} \
             {quiet_99:6.2} ms | attacked {attacked_50:6.2} {attacked_99:6.2} ms | \
             +{memory_kib} KiB | gone after {} ms",
            most.connections,
            settled.as_millis()
        );
        let bound = self.memory_kib + self.memory_kib_per_connection * most.connections as u64;
        assert!(memory_kib <= bound, "{label}, {name}: {memory_kib} KiB more, at most {bound}");
        assert!(opened >= size.rounds as u64, "{label}, {name}: the attack did not happen");
        let stays = !attack.stays || most.connections >= attack.clients;
        let (clients, open) = (attack.clients, most.connections);
        assert!(stays, "{label}, {name}: of {clients} only {open} were open");
    }
}
