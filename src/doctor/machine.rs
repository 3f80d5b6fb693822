//! What a machine is and how it is set: cores, nodes, memory, kernel settings, limits, processes.
//!
//! # Does not
//!
//! Judge: `check` and `shards` do.

use super::network::{self, Interface};
use super::source::{Fact, Source, Unknown, not};

/// A memory node and its cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: usize,
    /// Its cores.
    pub cores: Vec<usize>,
}

/// Limits of a process.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Whose: of the running server, or of this command.
    pub of: String,
    /// Number of the process, if it is the server.
    pub server: Option<usize>,
    /// Open descriptors, as far as the process may raise them.
    pub open_files: Fact<u64>,
    /// Memory locked, KiB.
    pub locked_kib: Fact<u64>,
}

/// Everything that is looked at, each fact known or not.
#[derive(Clone, Debug)]
pub struct Machine {
    source: Source,
    /// Kernel release, `6.12.48-amd64`.
    pub release: Fact<String>,
    /// Cores that are on.
    pub online: Fact<Vec<usize>>,
    /// Cores that the scheduler leaves alone.
    pub isolated: Fact<Vec<usize>>,
    /// Cores that this process may use.
    pub allowed: Fact<Vec<usize>>,
    /// Memory nodes that have cores.
    pub nodes: Fact<Vec<Node>>,
    /// Memory, MiB.
    pub memory_mib: Fact<u64>,
    /// Frequency governors, each once.
    pub governors: Fact<Vec<String>>,
    /// The word in force of transparent huge pages.
    pub huge_pages: Fact<String>,
    /// Limits of the server, if one runs, else of this process.
    pub limits: Limits,
    /// Cores of the running server's shards, in order of the shards; none if no server runs.
    pub running: Vec<usize>,
    /// Whether irqbalance runs.
    pub irqbalance: Fact<bool>,
    /// Network cards; interfaces that are down or have no device are left out.
    pub interfaces: Fact<Vec<Interface>>,
}

impl Machine {
    /// Whether nothing of a machine could be read: it is a copy of something else.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let Self { release, online, nodes, memory_mib, .. } = self;
        release.is_err() && online.is_err() && nodes.is_err() && memory_mib.is_err()
    }

    /// Reads all of it.
    #[must_use]
    pub fn read(source: &Source) -> Self {
        let processes = Processes::read(source);
        let cpu = "sys/devices/system/cpu";
        Self {
            release: source.word("proc/sys/kernel/osrelease"),
            online: some(source.list(&format!("{cpu}/online")), "/sys/devices/system/cpu/online"),
            isolated: source.list(&format!("{cpu}/isolated")),
            allowed: allowed(source),
            nodes: nodes(source),
            memory_mib: field(source, "proc/meminfo", "MemTotal:").map(|kib| kib / 1024),
            governors: governors(source),
            huge_pages: huge_pages(source),
            limits: limits(source, &processes),
            running: running(source, &processes),
            irqbalance: processes.map(|processes| processes.irqbalance),
            interfaces: network::read(source),
            source: source.clone(),
        }
    }

    /// A kernel setting that is one number, `net.core.somaxconn`.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not a number.
    pub fn sysctl(&self, name: &str) -> Fact<u64> {
        self.source.number(&sysctl_path(name))
    }

    /// `net.ipv4.ip_local_port_range`: first and last.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not a range.
    pub fn port_range(&self) -> Fact<(u64, u64)> {
        let path = sysctl_path("net.ipv4.ip_local_port_range");
        let text = self.source.text(&path)?;
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(first)), Some(Ok(last)), None) if first <= last => Ok((first, last)),
            _ => Err(not(&path, &text, "a range of ports")),
        }
    }

    /// The threads that share the physical core of `core`, itself among them.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn siblings(&self, core: usize) -> Fact<Vec<usize>> {
        let path = format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        self.source.list(&path)
    }

    /// The node of `core`.
    ///
    /// # Errors
    ///
    /// If the nodes are not known, or none has it.
    pub fn node_of(&self, core: usize) -> Fact<usize> {
        let nodes = self.nodes.as_ref().map_err(Clone::clone)?;
        let node = nodes.iter().find(|node| node.cores.contains(&core));
        node.map(|node| node.id)
            .ok_or_else(|| Unknown(format!("no node of /sys/devices/system/node has core {core}")))
    }
}

fn sysctl_path(name: &str) -> String {
    format!("proc/sys/{}", name.replace('.', "/"))
}

/// A list that is empty only if something is wrong.
fn some(list: Fact<Vec<usize>>, path: &str) -> Fact<Vec<usize>> {
    match list {
        Ok(list) if list.is_empty() => Err(Unknown(format!("{path}: empty"))),
        other => other,
    }
}

fn allowed(source: &Source) -> Fact<Vec<usize>> {
    affinity(source, "proc/self/status")
}

/// The cores that a task may use.
fn affinity(source: &Source, path: &str) -> Fact<Vec<usize>> {
    let text = source.text(path)?;
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let list = list.ok_or_else(|| Unknown(format!("/{path}: no Cpus_allowed_list")))?.trim();
    crate::place::cores::parse(list).map_err(|_| not(path, list, "a list of cores"))
}

fn nodes(source: &Source) -> Fact<Vec<Node>> {
    let folder = "sys/devices/system/node";
    let mut nodes = Vec::new();
    for id in source.numbered(folder, "node")? {
        let cores = source.list(&format!("{folder}/node{id}/cpulist"))?;
        if !cores.is_empty() {
            nodes.push(Node { id, cores });
        }
    }
    if nodes.is_empty() {
        return Err(Unknown(format!("/{folder}: no node with a core")));
    }
    Ok(nodes)
}

/// The first number after `name` in a file of lines `name number unit`.
fn field(source: &Source, path: &str, name: &str) -> Fact<u64> {
    let text = source.text(path)?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let rest = rest.ok_or_else(|| Unknown(format!("/{path}: no {name}")))?;
    let number = rest.split_ascii_whitespace().next().unwrap_or_default();
    number.parse().map_err(|_| not(path, rest.trim(), "a number"))
}

fn governors(source: &Source) -> Fact<Vec<String>> {
    let folder = "sys/devices/system/cpu/cpufreq";
    let mut governors = Vec::new();
    for policy in source.numbered(folder, "policy")? {
        let governor = source.word(&format!("{folder}/policy{policy}/scaling_governor"))?;
        if !governors.contains(&governor) {
            governors.push(governor);
        }
    }
    if governors.is_empty() {
        let why =
            "no policy: the kernel does not set the frequency here (usual in virtual machines)";
        return Err(Unknown(format!("/{folder}: {why}")));
    }
    Ok(governors)
}

/// `always [madvise] never`: the word in brackets.
fn huge_pages(source: &Source) -> Fact<String> {
    let path = "sys/kernel/mm/transparent_hugepage/enabled";
    let text = source.text(path)?;
    let chosen = text.split_ascii_whitespace().find_map(|word| {
        let word = word.strip_prefix('[')?.strip_suffix(']')?;
        ["always", "madvise", "never"].contains(&word).then(|| word.to_owned())
    });
    chosen.ok_or_else(|| not(path, &text, "a choice such as \"always [madvise] never\""))
}

/// What is known of other processes.
#[derive(Clone, Copy, Debug)]
struct Processes {
    irqbalance: bool,
    server: Option<usize>,
}

impl Processes {
    fn read(source: &Source) -> Fact<Self> {
        let mut found = Self { irqbalance: false, server: None };
        for process in source.numbered("proc", "")? {
            // A process may end while it is looked at.
            let Ok(name) = source.text(&format!("proc/{process}/comm")) else { continue };
            found.irqbalance |= name == "irqbalance";
            if name == "whoisd" && found.server.is_none() && serves(source, process) {
                found.server = Some(process);
            }
        }
        Ok(found)
    }
}

fn serves(source: &Source, process: usize) -> bool {
    let line = source.text(&format!("proc/{process}/cmdline")).unwrap_or_default();
    line.split('\0').nth(1) == Some("serve")
}

/// Threads named `shard-1` and so on, each pinned to one core; what is not so is left out.
fn running(source: &Source, processes: &Fact<Processes>) -> Vec<usize> {
    let server = processes.as_ref().ok().and_then(|processes| processes.server);
    let Some(server) = server else { return Vec::new() };
    let mut shards = Vec::new();
    for task in source.numbered(&format!("proc/{server}/task"), "").unwrap_or_default() {
        let folder = format!("proc/{server}/task/{task}");
        let name = source.text(&format!("{folder}/comm")).unwrap_or_default();
        let shard = name.strip_prefix("shard-").and_then(|number| number.parse::<usize>().ok());
        let cores = affinity(source, &format!("{folder}/status")).unwrap_or_default();
        if let (Some(shard), [core]) = (shard, cores.as_slice()) {
            shards.push((shard, *core));
        }
    }
    // A shard has a second thread for calls that block, with its name and its core.
    shards.sort_unstable();
    shards.dedup();
    shards.into_iter().map(|(_, core)| core).collect()
}

fn limits(source: &Source, processes: &Fact<Processes>) -> Limits {
    let server = processes.as_ref().ok().and_then(|processes| processes.server);
    let (of, path) = match server {
        Some(process) => {
            (format!("running server, process {process}"), format!("proc/{process}/limits"))
        }
        None => ("this shell; no server runs".to_owned(), "proc/self/limits".to_owned()),
    };
    let locked = limit(source, &path, "Max locked memory");
    Limits {
        of,
        server,
        open_files: limit(source, &path, "Max open files"),
        locked_kib: locked.map(|bytes| bytes / 1024),
    }
}

/// The hard limit, within which the server sets the soft one by itself: the second number.
fn limit(source: &Source, path: &str, name: &str) -> Fact<u64> {
    let text = source.text(path)?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let rest = rest.ok_or_else(|| Unknown(format!("/{path}: no line {name:?}")))?;
    match rest.split_ascii_whitespace().nth(1) {
        Some("unlimited") => Ok(u64::MAX),
        Some(number) => number.parse().map_err(|_| not(path, number, "a limit")),
        None => Err(not(path, rest, "a limit")),
    }
}
