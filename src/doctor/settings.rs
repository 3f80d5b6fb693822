//! Every setting that a profile may name: its bounds, what it is worth, why, and how that is known.
//!
//! # Invariants
//!
//! - Every key of every profile is in [`SETTINGS`]; `check` looks at each of them.
//! - `measured` gives a figure and its command, or says "not measured here" and the source.
//!
//! # Does not
//!
//! Know the values that a machine should have: those are the profile's.

/// How the value of a profile is compared with the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number; the machine may have more.
    AtLeast,
    /// A number; the machine may have less.
    AtMost,
    /// A number; nothing else will do.
    Exactly,
    /// A kernel release such as `6.1`; the machine may have a later one.
    Release,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in a profile, with the table: `sysctl.net.core.somaxconn`.
    pub key: &'static str,
    /// What is counted; empty for words.
    pub unit: &'static str,
    /// How it is compared.
    pub form: Form,
    /// Least and most that a profile may ask for.
    pub bounds: (u64, u64),
    /// How much it matters: from 80 on queries are lost without it, from 40 on it costs speed.
    pub rank: u8,
    /// The value of a machine that nobody has tuned.
    pub default: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// How that is known.
    pub measured: &'static str,
}

impl Setting {
    /// Its name in the kernel, if it is one of `/proc/sys`.
    #[must_use]
    pub fn sysctl(&self) -> Option<&'static str> {
        self.key.strip_prefix("sysctl.")
    }
}

/// The setting of a key.
#[must_use]
pub fn of(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Number of cores that a profile may name at most.
const CORES: u64 = crate::place::cores::CORES_MAX as u64;

macro_rules! setting {
    ($key:literal, $unit:literal, $form:expr, $bounds:expr, $rank:literal, $default:literal,
     $why:expr, $measured:expr) => {
        Setting {
            key: $key,
            unit: $unit,
            form: $form,
            bounds: $bounds,
            rank: $rank,
            default: $default,
            why: $why,
            measured: $measured,
        }
    };
}

/// All of them, most valuable first.
pub const SETTINGS: &[Setting] = &[
    setting!(
        "sysctl.kernel.io_uring_disabled",
        "",
        Form::Exactly,
        (0, 2),
        100,
        "0; not there before Linux 6.6",
        "every shard drives an io_uring; at 2 the server cannot start, at 1 only with a privilege",
        "not measured here; from Documentation/admin-guide/sysctl/kernel.rst"
    ),
    setting!(
        "limits.locked_kib",
        "KiB",
        Form::AtLeast,
        (512, 1 << 40),
        98,
        "8192",
        "from Linux 6.14 on, and before 5.12, each shard's rings count, 484 KiB with the default \
         of connections; elsewhere 512 KiB are enough for all. With less the server does not start",
        "measured on 2 virtual cores, Linux 6.18, as a user, 2 shards: with `prlimit \
         --memlock=991232` (968 KiB) `whoisd serve` serves, with one byte less it ends with 3"
    ),
    setting!(
        "machine.cores_min",
        "cores",
        Form::AtLeast,
        (1, CORES),
        96,
        "",
        "the profile is for a larger machine: choose another with --profile",
        "not measured here; a property of the profile"
    ),
    setting!(
        "machine.cores_max",
        "cores",
        Form::AtMost,
        (1, CORES),
        96,
        "",
        "the profile is for a smaller machine: choose another with --profile",
        "not measured here; a property of the profile"
    ),
    setting!(
        "machine.nodes_max",
        "nodes",
        Form::AtMost,
        (1, CORES),
        94,
        "",
        "the profile does not expect so many memory nodes: choose another with --profile",
        "not measured here; a property of the profile"
    ),
    setting!(
        "kernel.release_min",
        "",
        Form::Release,
        (0, 0),
        92,
        "",
        "older kernels lack parts of io_uring that the shards use, or give files no large pages",
        "measured on 6.18 alone; the oldest release is what Debian 12 has"
    ),
    setting!(
        "limits.open_files",
        "descriptors",
        Form::AtLeast,
        (1024, 1 << 30),
        90,
        "524288 hard (systemd), 1024 soft",
        "every connection is a descriptor: connections_per_shard_max + 96 for each shard, + 64; \
         without one, clients wait until others have left",
        "measured on 2 virtual cores, Linux 6.18: while 300 clients are silent, a query is \
         answered after 4.5 s with 200 descriptors, the deadline of the silent ones, and at once \
         with 1,024 (`tuning/measure descriptors`)"
    ),
    setting!(
        "sysctl.net.core.somaxconn",
        "connections",
        Form::AtLeast,
        (128, 1 << 31),
        88,
        "4096 (128 before Linux 5.4)",
        "cuts the queue of connections that wait for accept; the server asks for 1024 a shard and \
         address. Where it is full, clients wait for their second SYN: 1 s",
        "measured on 2 virtual cores, Linux 6.18: burst of 1,000 at a listener that rests for \
         0.2 s. With 128, 871 of them were answered after 0.9 s or more, ListenOverflows 2,318 \
         to 2,760; with 1024 and 4096 none, slowest 0.27 s (`tuning/measure backlog`)"
    ),
    setting!(
        "sysctl.net.ipv4.tcp_syncookies",
        "",
        Form::Exactly,
        (0, 2),
        84,
        "1",
        "answers a flood of SYN packets without keeping state once the queue is full; at 0 new \
         clients are dropped while it lasts",
        "not measured here; from Documentation/networking/ip-sysctl.rst"
    ),
    setting!(
        "sysctl.net.ipv4.tcp_max_syn_backlog",
        "connections",
        Form::AtLeast,
        (128, 1 << 31),
        80,
        "by memory, at least 128",
        "half-open connections remembered for each listener; one more is dropped, or gets a cookie",
        "not measured here; from Documentation/networking/ip-sysctl.rst"
    ),
    setting!(
        "machine.memory_mib_min",
        "MiB",
        Form::AtLeast,
        (256, 1 << 40),
        78,
        "",
        "a snapshot should lie in memory as a whole: 240 to 300 bytes a domain, twice while an \
         import replaces it",
        "measured: 5.89 GB for 20,000,000 domains (benches/MEASUREMENTS.md)"
    ),
    setting!(
        "whoisd.connections_per_shard_max",
        "connections",
        Form::AtLeast,
        (1, 1_000_000),
        74,
        "8192",
        "one connection more than this is closed at once; slow clients hold theirs for seconds",
        "not measured here; from deploy/whoisd.toml: at the deadline of 5 s, 8,192 silent clients \
         come as 1,638 a second"
    ),
    setting!(
        "shards.leave_per_node",
        "physical cores",
        Form::Exactly,
        (0, CORES),
        70,
        "0",
        "interrupts of the card, imports and the system need cores too; a shard that shares its \
         core with them is slower than its siblings, and clients of that shard notice",
        "not measured here, there was no card: a judgement. Documentation/networking/scaling.rst \
         has the most efficient setup with as few queues as do not fill their cores; one core in \
         four is an estimate: if they are full before the shards (`mpstat -P ALL 1`, %soft), \
         leave more"
    ),
    setting!(
        "shards.threads_per_core",
        "threads",
        Form::Exactly,
        (1, 8),
        68,
        "all",
        "two shards on the threads of one physical core share its caches and its execution units",
        "not measured here, one thread a core: a judgement. Documentation/networking/scaling.rst \
         says that further threads of a core brought nothing for interrupts"
    ),
    setting!(
        "interrupts.cores",
        "",
        Form::Word(&["left", "any"]),
        (0, 0),
        64,
        "any",
        "interrupts of the card on the cores left free, on the card's own node, do not take time \
         from shards",
        "not measured here, there was no card: a judgement; how, is from \
         Documentation/core-api/irq/irq-affinity.rst"
    ),
    setting!(
        "interrupts.irqbalance",
        "",
        Form::Word(&["stopped", "any"]),
        (0, 0),
        62,
        "running on many distributions",
        "irqbalance moves interrupts onto the shards' cores again, some 10 s after they were set",
        "not measured here; from irqbalance(1), option --interval"
    ),
    setting!(
        "cpu.governor",
        "",
        Form::Word(&["performance", "schedutil", "powersave", "ondemand", "conservative"]),
        (0, 0),
        60,
        "schedutil or powersave",
        "queries come in bursts of microseconds; a core that clocks down between them answers the \
         first ones slowly",
        "not measured here, this virtual machine sets no frequency; from \
         Documentation/admin-guide/pm/cpufreq.rst"
    ),
    setting!(
        "sysctl.net.ipv4.tcp_max_tw_buckets",
        "sockets",
        Form::AtLeast,
        (1024, 1 << 30),
        56,
        "by memory, half of the TCP hash",
        "the server closes first, so each query leaves a TIME-WAIT socket for 60 s: rate x 60 are \
         needed. Beyond it the kernel forgets connections early; a client whose last ACK was lost \
         then gets a reset",
        "measured on 2 virtual cores, Linux 6.18: a TIME-WAIT socket takes 256 bytes \
         (tw_sock_TCP in /proc/slabinfo); with the table full, 3,000 of 3,000 connections were \
         answered and TCPTimeWaitOverflow rose by 3,000 (`tuning/measure time-wait`)"
    ),
    setting!(
        "pages.transparent_hugepage",
        "",
        Form::Word(&["always", "madvise", "never"]),
        (0, 0),
        52,
        "always or madvise",
        "the snapshot gets large pages from how its file is written, not from this; \"always\" \
         only adds memory and pauses for other processes",
        "measured with madvise: 2 MiB pages take finding a domain from 731 to 500 ns and a whole \
         answer from 1,683 to 1,230 ns, prototype, 20,000,000 domains, Linux 6.18, ext4; always \
         and never were not measured"
    ),
    setting!(
        "sysctl.vm.swappiness",
        "",
        Form::AtMost,
        (0, 200),
        50,
        "60",
        "the snapshot is page cache. Above the default the server's own buffers are swapped out \
         for it; far below, the kernel drops the snapshot sooner than idle processes",
        "not measured here; from Documentation/admin-guide/sysctl/vm.rst"
    ),
    setting!(
        "sysctl.kernel.numa_balancing",
        "",
        Form::Exactly,
        (0, 3),
        48,
        "1 with several nodes, else 0",
        "shards are pinned: the faults by which the kernel learns where memory is used bring \
         nothing",
        "not measured here, one node; from Documentation/admin-guide/sysctl/kernel.rst"
    ),
    setting!(
        "sysctl.vm.zone_reclaim_mode",
        "",
        Form::Exactly,
        (0, 7),
        46,
        "0",
        "above 0 a full node drops its page cache, the snapshot, while others have memory free",
        "not measured here, one node; from Documentation/admin-guide/sysctl/vm.rst"
    ),
    setting!(
        "sysctl.net.core.netdev_max_backlog",
        "packets",
        Form::AtLeast,
        (1, 1 << 24),
        44,
        "1000",
        "packets that wait on a core when RPS or a virtual interface hands them over; one more is \
         dropped (second column of /proc/net/softnet_stat)",
        "not measured here; from Documentation/admin-guide/sysctl/net.rst"
    ),
    setting!(
        "interrupts.rps",
        "",
        Form::Word(&["off", "any"]),
        (0, 0),
        42,
        "off",
        "with a queue for each core left free, handing packets to another core in software costs \
         an interrupt between cores and gains nothing",
        "not measured here; from Documentation/networking/scaling.rst"
    ),
    setting!(
        "whoisd.answer_buffers_per_shard_max",
        "buffers",
        Form::AtLeast,
        (1, 65_536),
        36,
        "512",
        "answers that slow readers have not taken yet; a query waits when all are in use",
        "not measured here; from deploy/whoisd.toml"
    ),
    setting!(
        "sysctl.fs.file-max",
        "descriptors",
        Form::AtLeast,
        (8192, i64::MAX as u64),
        34,
        "by memory, or no limit under systemd",
        "descriptors of all processes together: must exceed limits.open_files",
        "not measured here; from Documentation/admin-guide/sysctl/fs.rst"
    ),
    setting!(
        "sysctl.vm.max_map_count",
        "mappings",
        Form::AtLeast,
        (1024, 1 << 31),
        30,
        "65530",
        "mappings of one process; a snapshot is one, each shard's rings and stack some more",
        "not measured here; from Documentation/admin-guide/sysctl/vm.rst"
    ),
    setting!(
        "sysctl.net.ipv4.tcp_tw_reuse",
        "",
        Form::Exactly,
        (0, 2),
        24,
        "2",
        "concerns outgoing connections alone, never the server's: leave the default",
        "measured on 2 virtual cores, Linux 6.18: 5,000 connections from 500 ports to one \
         address, none failed with 2 or 0 (`tuning/measure ports`)"
    ),
    setting!(
        "sysctl.net.ipv4.ip_local_port_range",
        "ports",
        Form::AtLeast,
        (1024, 64_512),
        22,
        "28232 (32768 to 60999)",
        "for clients on this machine (load generator, checks), never for the server",
        "measured on 2 virtual cores, Linux 6.18: 5,000 connections from 500 ports to one \
         address, none failed, since the server's TIME-WAIT is recycled (`tuning/measure ports`)"
    ),
    setting!(
        "whoisd.ring_entries",
        "entries",
        Form::AtLeast,
        (1, 32_768),
        10,
        "512",
        "entries of a shard's rings: operations submitted between two turns. Fixed when whoisd is \
         built",
        "not measured here"
    ),
];
