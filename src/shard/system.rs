//! What the system has to let shards have: io_uring, locked memory, descriptors.
//!
//! Whichever engine carries its connections, a shard is an executor of glommio's, and these are
//! rings. So no shard can start where io_uring is refused. That is checked first, since glommio
//! panics.
//!
//! glommio registers memory with its rings for file I/O, which shards do not do. It counts as
//! locked, by the large page: 6 MiB a shard where the allocator has such pages, for each ring 2.
//! And where the limit is met at a second ring, glommio takes the first one's back, which Linux 6.1
//! lets a signal interrupt; that again is a panic. So it is made to fail at the first ring:
//! executors are made one after the other, each under a soft limit that leaves less than it would
//! register. glommio goes on without.
//!
//! The rings themselves count as locked before Linux 5.12 and again from 6.14 on, for users without
//! `CAP_IPC_LOCK`. Whether they do is tried out.
//!
//! # Invariants
//!
//! - `none-registered`: a process whose locked memory is limited registers none, unless another one
//!   of its user has used its limit up: then the limit is lifted, and glommio may.
//!
//! # Does not
//!
//! Choose the engine, or start a shard.

use std::fs;
use std::io;
use std::sync::OnceLock;

use rlimit::Resource;

use super::RING_ENTRIES;
use crate::port43::limits::Wanted;
use crate::port43::{EngineKind, Sockets, ring};

/// Descriptors of a shard besides its connections: rings, listeners, stop line.
pub const DESCRIPTORS_PER_SHARD: u64 = 96;

/// Descriptors of the rest of the process.
pub const DESCRIPTORS_OF_PROCESS: u64 = 64;

/// Below this limit of locked memory glommio makes no executor, bytes.
const LOCKED_BYTES_MIN: u64 = 512 * 1024;

/// What each executor asks to register, bytes: more than `LOCKED_BYTES_MIN`, by as much as what
/// its rings take may be below `EXECUTOR_BYTES` for all of them.
pub const REGISTERED_BYTES: usize = 1024 * 1024;

const _: () = assert!(REGISTERED_BYTES as u64 > LOCKED_BYTES_MIN);

/// What an executor's three rings of [`RING_ENTRIES`] take of the limit where the kernel counts
/// rings, bytes: requests, results of twice as many, and their indices.
const EXECUTOR_BYTES: u64 = 3 * (64 + 2 * 16 + 4 + 4) * RING_ENTRIES as u64;

/// Descriptors that the table is made large enough for at most, 8 MiB: the kernel's own default
/// bound (`fs.nr_open`).
const TABLE_MAX: u64 = 1 << 20;

/// Checks that io_uring is to be had, of which both engines are made.
///
/// # Errors
///
/// That it is refused, and by what, for a person.
pub fn check_io_uring() -> Result<(), SystemError> {
    ring::attempt().map_err(|source| SystemError::IoUring { source, switch: Switch::read() })
}

/// Why the system does not let shards have what they need.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// io_uring is refused.
    #[error("{}", refused(source, switch))]
    IoUring {
        /// What the kernel says.
        source: io::Error,
        /// How its own switch is set.
        switch: Switch,
    },
    /// The limit of locked memory cannot be read.
    #[error("the limit of locked memory (RLIMIT_MEMLOCK) cannot be read: {source}")]
    LimitUnread {
        /// Why.
        source: io::Error,
    },
    /// The limit of locked memory is too low, and this process may not raise it.
    #[error("{}", short(*needed_bytes, *hard_bytes, *shard_count))]
    LockedMemory {
        /// What the shards need, bytes.
        needed_bytes: u64,
        /// The hard limit, bytes.
        hard_bytes: u64,
        /// How many shards there are to be.
        shard_count: usize,
    },
}

/// The kernel's own switch.
#[derive(Debug, Default)]
pub struct Switch {
    /// `kernel.io_uring_disabled`, since Linux 6.6.
    pub disabled: Option<String>,
    /// `kernel.io_uring_group`.
    pub group: Option<String>,
}

impl Switch {
    fn read() -> Self {
        let of = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
            Some(text.trim().to_owned())
        };
        Self { disabled: of("io_uring_disabled"), group: of("io_uring_group") }
    }
}

fn refused(error: &io::Error, switch: &Switch) -> String {
    let name = match error.raw_os_error() {
        Some(libc::EPERM) => "EPERM",
        Some(libc::EACCES) => "EACCES",
        Some(libc::ENOSYS) => "ENOSYS",
        Some(libc::ENOMEM) => "ENOMEM",
        _ => "",
    };
    let by = match (name, switch.disabled.as_deref()) {
        ("EPERM", Some("2")) => {
            "kernel.io_uring_disabled = 2 switches it off: `sysctl kernel.io_uring_disabled=0`"
                .to_owned()
        }
        ("EPERM", Some("1")) => {
            let group = match switch.group.as_deref() {
                Some("-1") | None => "which names no group".to_owned(),
                Some(group) => format!("which names {group}"),
            };
            format!(
                "kernel.io_uring_disabled = 1 leaves it to root and to the group of \
                 kernel.io_uring_group, {group}: `sysctl kernel.io_uring_group=` the service's \
                 group, or `sysctl kernel.io_uring_disabled=0`"
            )
        }
        ("EPERM" | "EACCES", _) => {
            "kernel.io_uring_disabled does not forbid it, so a seccomp profile does (of a \
             container, or SystemCallFilter= of a unit), or a security module: allow \
             io_uring_setup, io_uring_enter and io_uring_register"
                .to_owned()
        }
        ("ENOSYS", _) => {
            "either the kernel has none (it came with Linux 5.1), or a seccomp profile \
             or sandbox hides it: allow io_uring_setup, io_uring_enter and io_uring_register"
                .to_owned()
        }
        ("ENOMEM", _) => "this kernel counts rings as locked memory: raise LimitMEMLOCK= in the \
             unit, or `ulimit -l`"
            .to_owned(),
        _ => "both engines need Linux 5.8 or later".to_owned(),
    };
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    format!("io_uring is refused{name}: {error}; neither engine runs without it; {by}")
}

/// The limit of locked memory while shards start.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    /// Whether rings count.
    counts_rings: bool,
    hard: u64,
}

impl Locked {
    /// Checks that the limit is enough for so many shards, of which each engine's ring takes
    /// `ring_bytes` where rings count, and raises it if this process may.
    ///
    /// # Errors
    ///
    /// If it is not; says what is short and how to raise it.
    pub fn check(shard_count: usize, ring_bytes: u64) -> Result<Self, SystemError> {
        let counts_rings = rings_count()?;
        let (soft, hard) = limit()?;
        let rings = if counts_rings { Some(ring_bytes) } else { None };
        let needed = locked_bytes(shard_count, rings);
        if hard < needed {
            Resource::MEMLOCK.set(soft.max(needed), needed).map_err(|_| {
                SystemError::LockedMemory { needed_bytes: needed, hard_bytes: hard, shard_count }
            })?;
        }
        Ok(Self { counts_rings, hard: hard.max(needed) })
    }

    /// To be called before each executor is made; so many have been.
    pub fn before_executor(&self, made_count: usize) {
        let rings = EXECUTOR_BYTES.saturating_mul(made_count.saturating_add(1) as u64);
        let rings = if self.counts_rings { rings } else { 0 };
        self.limit_to(LOCKED_BYTES_MIN.saturating_add(rings));
    }

    /// To be called once all executors are made, or where one could not be.
    pub fn lift(&self) {
        self.limit_to(self.hard);
    }

    fn limit_to(&self, soft: u64) {
        // A soft limit within the hard one is never refused.
        let _ = Resource::MEMLOCK.set(soft.min(self.hard), self.hard);
    }
}

fn limit() -> Result<(u64, u64), SystemError> {
    Resource::MEMLOCK.get().map_err(|source| SystemError::LimitUnread { source })
}

/// Whether the kernel counts the rings of this process as locked memory: tried once, with a ring
/// under a limit of nothing.
fn rings_count() -> Result<bool, SystemError> {
    static COUNT: OnceLock<bool> = OnceLock::new();
    let (soft, hard) = limit()?;
    Ok(*COUNT.get_or_init(|| {
        let limited = Resource::MEMLOCK.set(0, hard);
        let tried = ring::attempt();
        let lifted = Resource::MEMLOCK.set(soft, hard);
        let no_memory = |error: io::Error| error.raw_os_error() == Some(libc::ENOMEM);
        limited.is_ok() && lifted.is_ok() && tried.is_err_and(no_memory)
    }))
}

/// What so many shards need of the limit of locked memory, bytes: with what each engine's ring
/// takes, if rings count.
fn locked_bytes(shard_count: usize, ring_bytes: Option<u64>) -> u64 {
    let each = ring_bytes.map_or(0, |ring_bytes| EXECUTOR_BYTES.saturating_add(ring_bytes));
    each.saturating_mul(shard_count as u64).max(LOCKED_BYTES_MIN)
}

/// The same by a kernel's release, where it cannot be tried.
#[must_use]
pub fn locked_bytes_by_release(shard_count: usize, ring_bytes: u64, release: &str) -> u64 {
    let mut numbers = release.trim().split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next(), numbers.next());
    let counts_rings = version < (Some(5), Some(12)) || version >= (Some(6), Some(14));
    locked_bytes(shard_count, counts_rings.then_some(ring_bytes))
}

/// What the ring of each shard takes where rings count, bytes.
#[must_use]
pub fn ring_bytes(engine: Wanted, connections_max: u64, listener_count: usize) -> u64 {
    match engine {
        Wanted::Streams => 0,
        Wanted::Auto | Wanted::Ring => ring::locked_bytes(connections_max, listener_count),
    }
}

fn short(needed: u64, hard: u64, shard_count: usize) -> String {
    let kib = needed.div_ceil(1024);
    let shards = if shard_count == 1 { "shard needs" } else { "shards need" };
    format!(
        "locked memory is short: the limit is {} KiB, {shard_count} {shards} {kib} KiB; set \
         LimitMEMLOCK={kib}K or more in the unit, or run `ulimit -l {kib}` before the server, or \
         let it have fewer shards (server.cores)",
        hard / 1024
    )
}

/// How many slots each shard's ring may have: the limit of descriptors bounds a ring's table, and
/// all connections together where they are descriptors.
#[must_use]
pub fn slots_max(engine: EngineKind, shard_count: usize) -> u32 {
    let limit = Resource::NOFILE.get().map_or(u64::MAX, |(soft, _)| soft);
    let slots = match engine {
        EngineKind::Ring(Sockets::Direct) | EngineKind::Streams => limit,
        EngineKind::Ring(Sockets::Ordinary) => {
            let own = DESCRIPTORS_PER_SHARD.saturating_mul(shard_count as u64);
            let left = limit.saturating_sub(own.saturating_add(DESCRIPTORS_OF_PROCESS));
            left.checked_div(shard_count as u64).unwrap_or(left)
        }
    };
    u32::try_from(slots).unwrap_or(u32::MAX)
}

/// Makes the process's table of descriptors as large at once as so many connections of each shard
/// make it: each time that it grows, threads that open one wait for the kernel.
pub fn grow_descriptors(connections_max: u64, shard_count: usize) {
    let each = connections_max.saturating_add(DESCRIPTORS_PER_SHARD);
    let all = each.saturating_mul(shard_count as u64);
    let count = all.saturating_add(DESCRIPTORS_OF_PROCESS);
    let limit = Resource::NOFILE.get().map_or(0, |(soft, _)| soft);
    let last = count.min(limit).min(TABLE_MAX).saturating_sub(1);
    let Ok(last) = i32::try_from(last) else { return };
    // The largest number is taken for a moment. Where that is refused the table grows by itself.
    let _ = rustix::io::fcntl_dupfd_cloexec(io::stderr(), last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    #[test]
    fn a_refused_io_uring_is_explained_by_what_may_refuse_it() {
        let switch = |disabled: &str, group: &str| Switch {
            disabled: Some(disabled.to_owned()),
            group: Some(group.to_owned()),
        };
        for (code, switch, words) in [
            (libc::EPERM, switch("2", "-1"), &["(EPERM)", "io_uring_disabled = 2"][..]),
            (libc::EPERM, switch("1", "-1"), &["io_uring_disabled = 1", "names no group"]),
            (libc::EPERM, switch("1", "990"), &["which names 990"]),
            (libc::EPERM, switch("0", "-1"), &["(EPERM)", "seccomp", "SystemCallFilter="]),
            (libc::EPERM, Switch::default(), &["seccomp"]),
            (libc::ENOSYS, switch("0", "-1"), &["(ENOSYS)", "seccomp", "Linux 5.1"]),
            (libc::ENOMEM, Switch::default(), &["LimitMEMLOCK="]),
            (libc::EINVAL, Switch::default(), &["Linux 5.8"]),
        ] {
            let text = refused(&error(code), &switch);
            for word in words.iter().chain(&["io_uring is refused", "neither engine"]) {
                assert!(text.contains(word), "{word} is not in: {text}");
            }
            assert!(!text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn the_need_of_locked_memory_grows_with_shards_only_where_the_kernel_counts_rings() {
        let ring = ring_bytes(Wanted::Auto, 8_192, 2);
        for (release, counts) in [
            ("5.10.0-34-amd64\n", true),
            ("5.12.0", false),
            ("6.1.0-57-amd64\n", false),
            ("6.13.1", false),
            ("6.14.0", true),
            ("7.3.4", true),
        ] {
            let need = |shards| locked_bytes_by_release(shards, ring, release);
            assert_eq!(need(16) > LOCKED_BYTES_MIN, counts, "{release}");
            assert!(need(1) >= LOCKED_BYTES_MIN, "{release}");
            // The default limit of a user is enough for 16 cores.
            assert!(need(16) <= 8 << 20, "{release}: {}", need(16));
        }
        assert_eq!(ring_bytes(Wanted::Streams, 8_192, 2), 0);
        let text = short(LOCKED_BYTES_MIN, 65_536, 2);
        for word in ["64 KiB", "2 shards need 512 KiB", "LimitMEMLOCK=512K", "ulimit -l 512"] {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
    }

    /// Whatever the kernel counts, an executor's registration does not fit below the limit, and its
    /// rings do, up to many shards.
    #[test]
    fn the_limit_before_each_executor_is_below_what_it_would_register() {
        // Pages of 4 KiB, or the powers of two of old kernels.
        for rings_bytes in [3 * 52 * 1024, 3 * 64 * 1024] {
            for made in 0..14_u64 {
                let soft = LOCKED_BYTES_MIN + EXECUTOR_BYTES * (made + 1);
                let taken = rings_bytes * (made + 1);
                assert!(taken <= soft, "{made}");
                assert!(soft - taken < REGISTERED_BYTES as u64, "{made}");
            }
        }
    }

    #[test]
    fn shards_share_the_limit_of_descriptors_where_connections_are_such() {
        let limit = Resource::NOFILE.get().unwrap().0;
        let of = |sockets, shards| u64::from(slots_max(EngineKind::Ring(sockets), shards));
        assert_eq!(of(Sockets::Direct, 1), limit.min(u64::from(u32::MAX)));
        assert_eq!(of(Sockets::Direct, 8), of(Sockets::Direct, 1));
        let shared = of(Sockets::Ordinary, 8);
        assert!(8 * (shared + DESCRIPTORS_PER_SHARD) + DESCRIPTORS_OF_PROCESS <= limit);
        assert!(shared > 0 && shared < of(Sockets::Ordinary, 1));
    }

    #[test]
    fn the_table_of_descriptors_grows_and_leaves_no_descriptor_behind() {
        let open = || fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
        let numbers = || open().filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        let table = || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        grow_descriptors(1_000, 1);
        assert!(table() > 1_000, "{}", table());
        assert!(numbers().all(|number| number < 1_000));
    }
}
