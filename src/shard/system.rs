//! What the system has to let shards have: io_uring, locked memory, descriptors.
//!
//! Whichever engine carries its connections, a shard is an executor of glommio's, and these are
//! rings. So where io_uring is refused there is no shard, and that is found before one starts:
//! glommio panics.
//!
//! glommio registers memory with its rings for file I/O, which shards do not do. It counts as
//! locked, by the large page: 6 MiB a shard where the allocator has such pages, for each ring 2. And
//! where the limit is met at a second ring, glommio takes the first one's back, which Linux 6.1
//! lets a signal interrupt; that again is a panic. So it is made to fail at the first ring always:
//! the memory is larger than the limit. glommio goes on without it then, and nothing is locked,
//! whatever the number of shards.
//!
//! # Invariants
//!
//! - `none-locked`: unless the process may lock what it likes, its soft limit of locked memory is
//!   below what each executor would register.
//!
//! # Does not
//!
//! Choose the engine, or start a shard.

use std::fs;
use std::io;

use rlimit::Resource;

use crate::port43::{EngineKind, Sockets, ring};

/// Descriptors of a shard besides its connections: rings, listeners, stop line.
pub const DESCRIPTORS_PER_SHARD: u64 = 96;

/// Descriptors of the rest of the process.
pub const DESCRIPTORS_OF_PROCESS: u64 = 64;

/// Below this limit of locked memory glommio makes no executor, bytes.
const LOCKED_BYTES_MIN: u64 = 512 * 1024;

/// What an executor's three rings take of that limit where the kernel counts rings at all (before
/// Linux 5.12), bytes: 64 KiB for each of 512 entries, and half as much again.
const RINGS_BYTES: u64 = 288 * 1024;

/// By how much the memory to be registered exceeds the limit, bytes.
const EXCESS_BYTES: u64 = 128 * 1024;

/// Descriptors that the table is made large enough for at most, 8 MiB: the kernel's own default
/// bound (`fs.nr_open`).
const TABLE_MAX: u64 = 1 << 20;

/// Checks that io_uring is to be had, of which both engines are made.
///
/// # Errors
///
/// That it is refused, and by what, for a person.
pub fn check_io_uring() -> Result<(), String> {
    ring::attempt().map_err(|error| refused(&error, &Switch::read()))
}

/// The kernel's own switch.
#[derive(Debug, Default)]
struct Switch {
    /// `kernel.io_uring_disabled`, since Linux 6.6.
    disabled: Option<String>,
    /// `kernel.io_uring_group`.
    group: Option<String>,
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
        ("ENOSYS", _) => "a kernel without io_uring (it came with Linux 5.1), or a seccomp profile \
             or sandbox that hides it: allow io_uring_setup, io_uring_enter and io_uring_register"
            .to_owned(),
        ("ENOMEM", _) => "this kernel counts rings as locked memory (Linux before 5.12 does): \
             raise LimitMEMLOCK= in the unit, or `ulimit -l`"
            .to_owned(),
        _ => "both engines need Linux 5.8 or later".to_owned(),
    };
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    format!("io_uring is refused{name}: {error}; neither engine runs without it; {by}")
}

/// Sets the soft limit of locked memory to what so many shards need, and returns the memory that
/// each executor is to ask to register, in bytes: more than that, so that none is. The limit stays
/// as it is set, since nothing else of this process locks memory.
///
/// # Errors
///
/// If the hard limit is lower and cannot be raised; says what is short and how to raise it.
pub fn settle_locked_memory(shard_count: usize) -> Result<usize, String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let needed = locked_needed(shard_count, &release);
    let (soft, hard) = Resource::MEMLOCK.get().map_err(|error| {
        format!("the limit of locked memory (RLIMIT_MEMLOCK) cannot be read: {error}")
    })?;
    if soft != needed {
        Resource::MEMLOCK
            .set(needed, hard.max(needed))
            .map_err(|_| short(needed, hard, shard_count))?;
    }
    usize::try_from(needed.saturating_add(EXCESS_BYTES)).map_err(|error| error.to_string())
}

/// What so many shards need of the limit on a kernel of this release, bytes.
#[must_use]
pub fn locked_needed(shard_count: usize, release: &str) -> u64 {
    let mut numbers = release.trim().split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next(), numbers.next());
    // What cannot be read is not taken for an old kernel.
    let counts_rings = version.0.is_some() && version < (Some(5), Some(12));
    let rings = if counts_rings { RINGS_BYTES.saturating_mul(shard_count as u64) } else { 0 };
    LOCKED_BYTES_MIN.saturating_add(rings)
}

fn short(needed: u64, hard: u64, shard_count: usize) -> String {
    let kib = needed.div_ceil(1024);
    let shards = if shard_count == 1 { "shard needs" } else { "shards need" };
    format!(
        "locked memory is short: the limit is {} KiB, {shard_count} {shards} {kib} KiB; set \
         LimitMEMLOCK={kib}K in the unit (or more, systemd's default is 8M), or run \
         `ulimit -l {kib}` before the server",
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
        let need = |shards| {
            ["6.1.0-57-amd64\n", "6.18.44", "5.12.0", "nonsense"].map(|release| {
                let need = locked_needed(shards, release);
                assert_eq!(need, LOCKED_BYTES_MIN, "{release}");
            });
            locked_needed(shards, "5.10.0-34-amd64")
        };
        assert!(need(1) < need(2) && need(64) < 64 << 20);
        let text = short(LOCKED_BYTES_MIN, 65_536, 2);
        for word in ["64 KiB", "2 shards need 512 KiB", "LimitMEMLOCK=512K", "ulimit -l 512"] {
            assert!(text.contains(word), "{word} is not in: {text}");
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
