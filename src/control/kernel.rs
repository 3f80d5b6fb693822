//! Long blocks in a set of the kernel, kept in step by the program `nft`.
//!
//! ```text
//! blocks in force ─▶ long ones, none within another ─▶ difference to what was handed over ─▶ nft
//! ```
//!
//! # Invariants
//!
//! - `aside`: nobody waits for the kernel: blocks are looked at every second on a thread of its
//!   own.
//! - `in step`: after a failure, and at the start, the sets are emptied and filled in one
//!   transaction, so that they hold what is blocked and nothing else.
//! - `two clocks`: after a jump of the wall clock, as after a failure.
//! - `ends by itself`: each element has a timeout; without this server the kernel forgets them.
//! - `bounded`: elements, the time of a run, and how often a failure is logged.
//!
//! # Does not
//!
//! Make tables, sets or rules: a ruleset of the operator does (deploy/nftables.conf).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnet::IpNet;

use super::blocks::{Blocked, Blocks};
use crate::config::Nftables;
use crate::place::aside::{self, Place};
use crate::time::JumpWatch;

/// Most elements of both sets: some 10 MB of the kernel's memory.
pub const ELEMENTS_MAX: usize = 65_536;
/// How often blocks are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// How often the thread checks whether to end, or whether nft has ended.
const STOP_PAUSE: Duration = Duration::from_millis(50);
/// How long before and after its end an element may be there or not, ms.
const LINGER_MS: i64 = 1500;
/// Longest run of nft.
const RUN_TIME: Duration = Duration::from_secs(30);
/// Pause after a failure; it doubles up to the longest.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A lasting failure is logged once in this many tries, about every ten minutes.
const LOG_EVERY: u32 = 10;
/// Bytes of nft's own words that a log line takes.
const WORDS_BYTES_MAX: u64 = 500;

/// Where blocks are handed over to.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Table, sets and program.
    pub nftables: Nftables,
    /// Shortest block that is handed over, seconds.
    pub min_s: u64,
    /// The wall clock, ms since the epoch.
    pub now_ms: fn() -> i64,
    /// A clock that never jumps, ms: the kernel's timeouts go by such a one.
    pub steady_ms: fn() -> i64,
}

/// What is in the kernel, for figures.
#[derive(Debug, Default)]
pub struct InKernel {
    element_count: AtomicU64,
    failing: AtomicBool,
}

impl InKernel {
    /// Name, help and value of each gauge.
    #[must_use]
    pub fn gauges(&self) -> [(&'static str, &'static str, u64); 2] {
        [
            (
                "whoisd_kernel_blocks",
                "Blocks in the kernel's sets.",
                self.element_count.load(Ordering::Relaxed),
            ),
            (
                "whoisd_kernel_failing",
                "Whether the kernel's sets cannot be changed.",
                u64::from(self.failing.load(Ordering::Relaxed)),
            ),
        ]
    }
}

/// What is in the sets, or should be: until when, ms since the epoch.
type Elements = BTreeMap<IpNet, i64>;

impl Kernel {
    /// Keeps the kernel's sets in step with `blocks` on a thread at `place` until `stop` is true.
    /// The elements stay there, each for its time.
    ///
    /// # Errors
    ///
    /// If there can be no further thread.
    pub fn start(
        self,
        blocks: Arc<dyn Blocks>,
        stop: Arc<AtomicBool>,
        place: Place<'_>,
    ) -> io::Result<(Arc<InKernel>, JoinHandle<()>)> {
        let figures = Arc::new(InKernel::default());
        let told = Arc::clone(&figures);
        let thread = aside::spawn("nftables", place, move || self.run(&*blocks, &stop, &told))?;
        Ok((figures, thread))
    }

    fn run(&self, blocks: &dyn Blocks, stop: &AtomicBool, figures: &InKernel) {
        // Nothing is known of the sets before the first run.
        let mut there: Option<Elements> = None;
        let mut clock = JumpWatch::default();
        let mut failures = 0_u32;
        let mut pause = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            if !pause.is_zero() {
                std::thread::sleep(STOP_PAUSE);
                pause = pause.saturating_sub(STOP_PAUSE);
                continue;
            }
            pause = LOOK_PAUSE;
            // An error is not an empty list: the sets stay as they are.
            let Ok(blocks) = blocks.list() else { continue };
            let now_ms = (self.now_ms)();
            let jump_ms = clock.look(now_ms, (self.steady_ms)());
            if is_jump(jump_ms) {
                there = None;
            }
            let mut wanted = self.wanted(&blocks, now_ms);
            if let Some(there) = &there {
                linger(there, &mut wanted, now_ms);
            }
            let script = self.script(there.as_ref(), &wanted, now_ms);
            if script.is_empty() {
                there = Some(wanted);
                continue;
            }
            let count = wanted.len() as u64;
            match self.nft(&script, stop) {
                Ok(()) => {
                    if failures > 0 || there.is_none() {
                        tracing::info!(blocks = count, "the kernel's sets are in step");
                    }
                    failures = 0;
                    there = Some(wanted);
                    figures.element_count.store(count, Ordering::Relaxed);
                }
                Err(error) => {
                    if failures.is_multiple_of(LOG_EVERY) {
                        let error = error.to_string();
                        tracing::error!(
                            error,
                            "blocks cannot be handed to the kernel; they hold in this server"
                        );
                    }
                    let doubled = RETRY_PAUSE.saturating_mul(1_u32 << failures.min(5));
                    pause = doubled.min(RETRY_PAUSE_MAX);
                    failures = failures.saturating_add(1);
                    there = None;
                }
            }
            figures.failing.store(failures > 0, Ordering::Relaxed);
        }
    }

    /// The blocks that the sets should hold. A prefix within another is left out: intervals of a
    /// set may not overlap. It comes back when the other ends.
    fn wanted(&self, blocks: &[Blocked], now_ms: i64) -> Elements {
        let min_ms = i64::try_from(self.min_s).unwrap_or(i64::MAX).saturating_mul(1000);
        let mut long: Vec<_> = blocks
            .iter()
            .filter(|block| block.until_ms.saturating_sub(block.since_ms) >= min_ms)
            .filter(|block| block.until_ms > now_ms)
            .map(|block| (block.prefix, block.until_ms))
            .collect();
        // Blocks that do not fit hold in the server alone.
        long.sort_by_key(|(prefix, until_ms)| (std::cmp::Reverse(*until_ms), *prefix));
        long.truncate(ELEMENTS_MAX);
        // A prefix comes before those within it.
        long.sort_by_key(|(prefix, _)| (prefix.network(), prefix.prefix_len()));
        let mut wanted = Elements::new();
        let mut around: Option<IpNet> = None;
        for (prefix, until_ms) in long {
            if around.is_some_and(|around| around.contains(&prefix)) {
                continue;
            }
            around = Some(prefix);
            wanted.insert(prefix, until_ms);
        }
        wanted
    }

    /// The changes for nft, as its input; empty for none.
    fn script(&self, there: Option<&Elements>, wanted: &Elements, now_ms: i64) -> String {
        let mut script = String::new();
        let none = Elements::new();
        let there = there.unwrap_or_else(|| {
            let Nftables { table, set4, set6, .. } = &self.nftables;
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(script, "flush set {table} {set4}\nflush set {table} {set6}");
            &none
        });
        // An element that is about to time out may be gone already: to delete it would fail.
        let soon_ms = now_ms.saturating_add(LINGER_MS);
        let gone: Vec<_> = there
            .iter()
            .filter(|(prefix, until)| **until > soon_ms && wanted.get(*prefix) != Some(*until))
            .map(|(prefix, _)| (*prefix, None))
            .collect();
        let new: Vec<_> = wanted
            .iter()
            .filter(|(prefix, until)| there.get(*prefix) != Some(*until))
            .map(|(prefix, until)| (*prefix, Some(seconds(*until, now_ms))))
            .collect();
        self.elements(&mut script, "delete", &gone);
        self.elements(&mut script, "add", &new);
        script
    }

    /// One command for each family.
    fn elements(&self, script: &mut String, verb: &str, elements: &[(IpNet, Option<i64>)]) {
        let Nftables { table, set4, set6, .. } = &self.nftables;
        for (set, is_v4) in [(set4, true), (set6, false)] {
            let mut of_family =
                elements.iter().filter(|(prefix, _)| prefix.addr().is_ipv4() == is_v4).peekable();
            if of_family.peek().is_none() {
                continue;
            }
            let _ = write!(script, "{verb} element {table} {set} {{ ");
            let mut gap = "";
            for (prefix, timeout_s) in of_family {
                let _ = write!(script, "{gap}{prefix}");
                if let Some(timeout_s) = timeout_s {
                    let _ = write!(script, " timeout {timeout_s}s");
                }
                gap = ", ";
            }
            script.push_str(" }\n");
        }
    }

    /// Runs nft. Files instead of pipes: neither side can wait for the other.
    fn nft(&self, script: &str, stop: &AtomicBool) -> Result<(), NftError> {
        let program = || self.nftables.program.clone();
        let failed = |source| NftError::Io { program: program(), source };
        let mut input = tempfile::tempfile().map_err(failed)?;
        input.write_all(script.as_bytes()).and_then(|()| input.rewind()).map_err(failed)?;
        let mut words = tempfile::tempfile().map_err(failed)?;
        let mut child = Command::new(&self.nftables.program)
            .args(["-f", "-"])
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::from(words.try_clone().map_err(failed)?))
            .spawn()
            .map_err(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            match child.try_wait().map_err(failed)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let words = said(&mut words);
                    return Err(NftError::Failed { program: program(), status, words });
                }
                None => {}
            }
            if waited >= RUN_TIME || (stop.load(Ordering::Relaxed) && waited >= LOOK_PAUSE) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(NftError::Stuck { program: program() });
            }
            std::thread::sleep(STOP_PAUSE);
            waited = waited.saturating_add(STOP_PAUSE);
        }
    }
}

/// Why nft has not done its work.
#[derive(Debug, thiserror::Error)]
enum NftError {
    /// The system refuses something that a run needs.
    #[error("{}: {source}", program.display())]
    Io { program: PathBuf, source: io::Error },
    /// It has ended with an error.
    #[error("{}: {status}: {words}", program.display())]
    Failed { program: PathBuf, status: ExitStatus, words: String },
    /// It was stopped after its time.
    #[error("{}: does not end", program.display())]
    Stuck { program: PathBuf },
}

/// Whether the wall clock has moved by more than what is timing out may linger.
const fn is_jump(jump_ms: i64) -> bool {
    jump_ms.unsigned_abs() > LINGER_MS.unsigned_abs()
}

/// Leaves alone what is timing out: whether the kernel has it still is not known, and an element
/// that is there takes no other timeout. A new block of the same prefix comes a moment later.
fn linger(there: &Elements, wanted: &mut Elements, now_ms: i64) {
    for (prefix, until_ms) in there {
        if until_ms.abs_diff(now_ms) <= LINGER_MS.unsigned_abs() {
            wanted.insert(*prefix, *until_ms);
        }
    }
}

/// What nft has written to standard error, in one line.
fn said(words: &mut File) -> String {
    let mut bytes = Vec::new();
    // Without its words the status has to do.
    let _ = words.rewind().and_then(|()| words.take(WORDS_BYTES_MAX).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn seconds(until_ms: i64, now_ms: i64) -> i64 {
    until_ms.saturating_sub(now_ms).saturating_add(999).div_euclid(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn kernel() -> Kernel {
        let nftables = Nftables {
            table: "inet whoisd".to_owned(),
            set4: "blocked4".to_owned(),
            set6: "blocked6".to_owned(),
            program: "/nowhere/nft".into(),
        };
        Kernel { nftables, min_s: 3600, now_ms: || NOW_MS, steady_ms: || 0 }
    }

    fn block(prefix: &str, from_s: i64, to_s: i64) -> Blocked {
        Blocked {
            prefix: prefix.parse().unwrap(),
            since_ms: NOW_MS + from_s * 1000,
            until_ms: NOW_MS + to_s * 1000,
            reason: String::new(),
            by: String::new(),
            repetition: 0,
        }
    }

    fn wanted(blocks: &[Blocked]) -> Elements {
        kernel().wanted(blocks, NOW_MS)
    }

    #[test]
    fn long_blocks_go_to_the_kernel_none_within_another() {
        let found = wanted(&[
            block("192.0.2.0/24", -10, 3590),
            block("192.0.2.7/32", 0, 9000),
            block("10.0.0.1/32", 0, 3599),
            block("10.0.0.2/32", -9000, 0),
            block("10.0.0.0/8", -3000, 700),
            block("2001:db8::/48", 0, 7200),
            block("2001:db8::1/128", 0, 7200),
        ]);
        let found: Vec<_> = found.keys().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/48"]);
    }

    #[test]
    fn a_script_says_the_difference_and_nothing_if_there_is_none() {
        let kernel = kernel();
        let one = wanted(&[block("192.0.2.0/24", 0, 3600), block("2001:db8::/48", 0, 7200)]);
        let first = "flush set inet whoisd blocked4\nflush set inet whoisd blocked6\n\
                     add element inet whoisd blocked4 { 192.0.2.0/24 timeout 3600s }\n\
                     add element inet whoisd blocked6 { 2001:db8::/48 timeout 7200s }\n";
        assert_eq!(kernel.script(None, &one, NOW_MS), first);
        assert_eq!(kernel.script(Some(&one), &one, NOW_MS), "");
        let two = wanted(&[block("192.0.2.0/24", 0, 3700), block("192.0.3.0/24", 0, 3600)]);
        let expected = "delete element inet whoisd blocked4 { 192.0.2.0/24 }\n\
                        delete element inet whoisd blocked6 { 2001:db8::/48 }\n\
                        add element inet whoisd blocked4 { 192.0.2.0/24 timeout 3700s, \
                        192.0.3.0/24 timeout 3600s }\n";
        assert_eq!(kernel.script(Some(&one), &two, NOW_MS), expected);
        // Elements that have timed out are not deleted.
        let later_ms = NOW_MS + 3_600_000;
        assert_eq!(kernel.script(Some(&one), &Elements::new(), later_ms).lines().count(), 1);
    }

    #[test]
    fn a_prefix_that_is_blocked_again_as_its_block_ends_comes_when_the_kernel_has_forgotten_it() {
        let kernel = kernel();
        let there = wanted(&[block("192.0.2.0/24", 0, 3600)]);
        let again = [block("192.0.2.0/24", 3600, 9000)];
        for (late_ms, lines) in [(-1400, 0), (0, 0), (1400, 0), (1600, 1)] {
            let now_ms = NOW_MS + 3_600_000 + late_ms;
            let mut wanted = kernel.wanted(&again, now_ms);
            linger(&there, &mut wanted, now_ms);
            let script = kernel.script(Some(&there), &wanted, now_ms);
            assert_eq!(script.lines().count(), lines, "{late_ms}: {script}");
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_has_the_sets_filled_anew() {
        assert!(!is_jump(0) && !is_jump(20) && !is_jump(-20));
        assert!(is_jump(86_400_000) && is_jump(-NOW_MS));
    }

    #[test]
    fn more_than_fit_leave_the_shortest_out() {
        let count = u32::try_from(ELEMENTS_MAX).unwrap() + 5;
        let many: Vec<_> = (0..count)
            .map(|number| {
                let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
                block(&format!("{address}/32"), 0, 4000 + i64::from(number))
            })
            .collect();
        let found = wanted(&many);
        assert_eq!(found.len(), ELEMENTS_MAX);
        assert!(!found.contains_key(&many[0].prefix) && found.contains_key(&many[9].prefix));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = kernel().nft("", &AtomicBool::new(false)).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/nft: No such file"), "{error}");
    }
}
