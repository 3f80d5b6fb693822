//! What a process uses, from `/proc`.
//!
//! # Invariants
//!
//! - A value that cannot be read is 0: the process is gone, or the system is another.
//!
//! # Does not
//!
//! Monitor: it looks when it is asked.

use std::fs;

/// Kernel ticks per second, as `/proc` counts (`USER_HZ`, 100 on every architecture of Linux).
const TICKS_PER_S: f64 = 100.0;

/// A look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Look {
    /// Processor time of all its threads by the scheduler's account, seconds.
    pub cpu_s: f64,
    /// Share of that in user mode, by ticks.
    pub user_share: f64,
    /// Memory beside the page cache: resident pages that are not of files; bytes.
    pub anonymous_bytes: u64,
    /// Open descriptors.
    pub descriptor_count: u64,
}

/// Looks at a process; `self` is this one.
#[must_use]
pub fn look(pid: &str) -> Look {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let (user, system) =
        ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default());
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let schedstat_ns: f64 = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_ascii_whitespace().next()?.parse::<f64>().ok())
        .sum();
    let ticks_s = (user + system) / TICKS_PER_S;
    Look {
        // Ticks also hold threads that have ended, but only to 10 ms.
        cpu_s: if schedstat_ns > 0.0 { schedstat_ns / 1e9 } else { ticks_s },
        user_share: if user + system > 0.0 { user / (user + system) } else { 0.0 },
        anonymous_bytes: kib(&status, "RssAnon:") * 1_024,
        descriptor_count: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count) as u64,
    }
}

fn kib(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// `utime` and `stime`; the program's name before them may contain anything, and ends in the last
/// `)`.
fn ticks(stat: &str) -> (f64, f64) {
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let mut fields = behind.split_ascii_whitespace().skip(11);
    let mut next = || fields.next().and_then(|text| text.parse().ok()).unwrap_or_default();
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_memory_and_descriptors() {
        let used = look("self");
        assert!(used.cpu_s > 0.0 && used.anonymous_bytes > 0 && used.descriptor_count > 2);
        assert_eq!(look("0"), Look::default());
    }

    #[test]
    fn a_programs_name_may_hold_anything() {
        let stat = "12 (a) b (c)) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 1 0 1";
        assert_eq!(ticks(stat), (250.0, 50.0));
        assert_eq!(ticks("garbage"), (0.0, 0.0));
    }
}
