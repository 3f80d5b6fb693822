//! Rivals as processes: started on one core, watched by `/proc`, stopped by number.
//!
//! # Invariants
//!
//! - `ours-alone`: only processes that were started here are signalled, each by its number.
//! - `none-left`: a process ends with the one that started it (`setpriv --pdeathsig`), and when its
//!   [`Process`] is dropped, by force after `STOP_TIMEOUT`.
//!
//! # Does not
//!
//! Count the time of a thread or child that ended between two readings: these servers keep theirs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::bare;

/// How long a process may take to end after its signal.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two looks at a process that ends.
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// Depth of a tree of processes: a server, its master, its workers.
const DEPTH_MAX: usize = 8;

/// Ticks of a second in `/proc/PID/stat` on every Linux (proc(5), `USER_HZ`).
const TICKS_PER_S: u64 = 100;

/// Processor time of a tree of processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cpu {
    /// On a processor, in user mode and in the kernel, nanoseconds.
    pub total_ns: u64,
    /// Ticks in user mode: of coarse resolution, good for a share.
    pub user_ticks: u64,
    /// Ticks in the kernel.
    pub system_ticks: u64,
}

impl Cpu {
    /// What was used since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            total_ns: self.total_ns + other.total_ns,
            user_ticks: self.user_ticks + other.user_ticks,
            system_ticks: self.system_ticks + other.system_ticks,
        }
    }
}

/// Memory of this process that is not pages of files, bytes; 0 where the kernel does not say.
#[must_use]
pub fn own_anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// A running server with all its processes.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stop_signal: i32,
    log: PathBuf,
}

impl Process {
    /// Starts `program` on `core` alone, as another user if one is named; its output goes to `log`.
    ///
    /// # Errors
    ///
    /// The kernel's, or `setpriv` or `taskset` (Debian: util-linux) is missing.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        core: usize,
        user: Option<&str>,
        log: &Path,
    ) -> io::Result<Self> {
        let output = File::create(log)?;
        let mut command = as_user(user);
        command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list", &core.to_string()]);
        command.arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| {
            io::Error::other(format!("{error}: setpriv and taskset come with util-linux"))
        })?;
        Ok(Self { child, stop_signal: libc::SIGTERM, log: log.to_owned() })
    }

    /// Stops it by another signal than SIGTERM.
    #[must_use]
    pub const fn stopped_by(mut self, signal: i32) -> Self {
        self.stop_signal = signal;
        self
    }

    /// The end of its output, when it has ended.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        Some(format!("ended with {status}: {}", last.join(" / ")))
    }

    /// Processor time of the process, its threads and its descendants.
    #[must_use]
    pub fn cpu(&self) -> Cpu {
        let processes = self.tree();
        processes.iter().map(|process| cpu_of(*process)).fold(Cpu::default(), Cpu::and)
    }

    /// Memory of all its processes that is not pages of files, bytes.
    #[must_use]
    pub fn anonymous_bytes(&self) -> u64 {
        let of = |process: &u32| {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
            let rollup = rollup.unwrap_or_default();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            kib.unwrap_or(0) * 1_024
        };
        self.tree().iter().map(of).sum()
    }

    /// The process and its descendants, as they are now.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        let parents = parents();
        let mut tree = vec![self.child.id()];
        for _ in 0..DEPTH_MAX {
            let is_new =
                |(child, parent): &&(u32, u32)| tree.contains(parent) && !tree.contains(child);
            let found: Vec<u32> = parents.iter().filter(is_new).map(|(child, _)| *child).collect();
            if found.is_empty() {
                break;
            }
            tree.extend(found);
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has ended and was not waited for still has its number.
        let _ = bare::signal(self.child.id(), self.stop_signal);
        let looks = STOP_TIMEOUT.as_millis() / STOP_PAUSE.as_millis();
        for _ in 0..looks {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(STOP_PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `setpriv` without its program, which the caller adds; as `user` if one is named.
#[must_use]
pub fn as_user(user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command
}

/// A loopback address with a port that is free now.
///
/// # Errors
///
/// The kernel's.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Where a program is: on the path, or where Debian puts servers.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Processor time of the kernel's thread that takes over a core's network work under pressure.
#[must_use]
pub fn softirq_thread_ns(core: usize) -> u64 {
    let name = format!("ksoftirqd/{core}");
    let is_it = |(process, _): &&(u32, u32)| {
        fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|comm| comm.trim() == name)
    };
    parents().iter().find(is_it).map_or(0, |(process, _)| cpu_of(*process).total_ns)
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    entries
        .filter_map(number)
        .filter_map(|process| Some((process, field(&stat(process)?, 4)?)))
        .filter_map(|(process, parent)| Some((process, u32::try_from(parent).ok()?)))
        .collect()
}

/// `/proc/PID/stat` after the name, which may contain blanks.
fn stat(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

/// A field by its number in proc(5).
fn field(stat: &str, number: usize) -> Option<u64> {
    stat.split(' ').nth(number.checked_sub(3)?)?.trim().parse().ok()
}

/// Of one process with its threads: nanoseconds from the scheduler's own account, ticks where the
/// kernel keeps none.
fn cpu_of(process: u32) -> Cpu {
    let stat = stat(process).unwrap_or_default();
    let user_ticks = field(&stat, 14).unwrap_or(0);
    let system_ticks = field(&stat, 15).unwrap_or(0);
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| {
        let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<u64>().ok()
    };
    let total_ns: u64 = tasks.filter_map(of_task).sum();
    let by_ticks_ns = (user_ticks + system_ticks) * (1_000_000_000 / TICKS_PER_S);
    let total_ns = if total_ns == 0 { by_ticks_ns } else { total_ns };
    Cpu { total_ns, user_ticks, system_ticks }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test burns time")]
    fn the_time_of_a_child_of_a_child_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "sh -c 'while :; do :; done'; true";
        let busy = Process::start(Path::new("sh"), &["-c", script], 0, None, &log).unwrap();
        let start = Instant::now();
        let mut cpu = Cpu::default();
        while cpu.total_ns < 50_000_000 && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
            cpu = busy.cpu();
        }
        assert!(cpu.total_ns >= 50_000_000, "{cpu:?}");
        let tree = busy.tree();
        assert_eq!(tree.len(), 2, "{tree:?}");
        assert!(busy.anonymous_bytes() > 0);
        // The shell ends by its signal; its child is not its own and is ended here.
        let child = tree[1];
        drop(busy);
        bare::signal(child, libc::SIGKILL).unwrap();
    }

    #[test]
    fn the_last_output_of_a_process_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "echo no such port; exit 3";
        let mut brief = Process::start(Path::new("sh"), &["-c", script], 0, None, &log).unwrap();
        let said = (0..500).find_map(|_| {
            thread::sleep(Duration::from_millis(10));
            brief.ended()
        });
        assert!(said.unwrap().ends_with("exit status: 3: no such port"));
    }
}
