//! The kernel's figures for a server: memory, descriptors, connections.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long the last of an attack may take to go before it counts as left over: many times the
/// longest deadline.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    /// Resident memory, KiB.
    pub(crate) memory_kib: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Connections that are not at their end.
    pub(crate) connections: usize,
    /// Processor time so far, clock ticks.
    pub(crate) processor_ticks: u64,
}

impl Held {
    /// What the process holds now, which listens on `ports`.
    pub(crate) fn of(process: u32, ports: &[u16]) -> Self {
        let status = proc(process, "status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().strip_suffix(" kB"));
        let descriptors = format!("/proc/{process}/fd");
        let stat = proc(process, "stat");
        // After the name, which ends in the last parenthesis: fields 14 and 15 of the line.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Self {
            memory_kib: memory.unwrap().trim().parse().unwrap(),
            descriptors: fs::read_dir(descriptors).unwrap().count(),
            connections: ports.iter().map(|port| connections(process, *port)).sum(),
            processor_ticks: ticks(11) + ticks(12),
        }
    }
}

fn proc(process: u32, file: &str) -> String {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("the server is gone: {error}"))
}

/// Sockets on a port of the server that a process holds or that wait to be accepted; not those that
/// the kernel alone still knows (TIME-WAIT, orphans).
fn connections(process: u32, port: u16) -> usize {
    const LISTEN: &str = "0A";
    const TIME_WAIT: &str = "06";
    let port = format!(":{port:04X}");
    let mut count = 0;
    for file in ["net/tcp", "net/tcp6"] {
        let text = proc(process, file);
        for line in text.lines().skip(1) {
            // Most lines are of other sockets, and there may be thousands.
            if !line.get(..24).is_some_and(|start| start.contains(&port)) && file == "net/tcp" {
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [local, state, inode] = [fields[1], fields[3], fields[9]];
            let held = inode != "0" && ![LISTEN, TIME_WAIT].contains(&state);
            count += usize::from(local.ends_with(&port) && held);
        }
    }
    count
}

/// Waits until no connection is left and descriptors are what they were; how long that took.
pub(crate) fn settle(before: Held, held: impl Fn() -> Held) -> Result<Duration, String> {
    let begun = Instant::now();
    loop {
        let now = held();
        if now.connections == 0 && now.descriptors <= before.descriptors {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > SETTLE_TIMEOUT {
            return Err(format!("left behind: {now:?}, before {before:?}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
