//! Network cards: queues, the interrupts of these, where they go, and the masks of RPS and XPS.
//!
//! # Does not
//!
//! Know names of drivers: an interrupt of a card that is not named for control, configuration or
//! an event is taken for one of a queue.

use super::source::{Fact, Source, Unknown};

/// Words in names of interrupts that carry no packets.
const NO_QUEUE: &[&str] =
    &["config", "control", "event", "async", "misc", "cmd", "mgmnt", "link", "lsc", "fw"];

/// The interrupt of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number.
    pub number: usize,
    /// Its name in `/proc/interrupts`, `eth0-TxRx-0`.
    pub name: String,
    /// Cores that it may go to (`smp_affinity_list`).
    pub wanted: Fact<Vec<usize>>,
    /// Cores that it goes to (`effective_affinity_list`), the former if the kernel does not tell.
    pub cores: Fact<Vec<usize>>,
}

/// One network card.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The memory node that it is attached to; `None` if it has none of its own.
    pub node: Fact<Option<usize>>,
    /// How many queues it receives with.
    pub receive_count: Fact<usize>,
    /// How many queues it sends with.
    pub send_count: Fact<usize>,
    /// Interrupts of its queues.
    pub interrupts: Fact<Vec<Interrupt>>,
    /// Cores that each receive queue is spread over in software; empty is none.
    pub rps: Fact<Vec<Mask>>,
    /// Cores that each sending queue is bound to; empty is none.
    pub xps: Fact<Vec<Mask>>,
}

/// Cores of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Number of the queue.
    pub queue: usize,
    /// Its cores.
    pub cores: Vec<usize>,
}

impl Mask {
    /// As the kernel writes it: words of 32 bits in hexadecimal, the highest first.
    #[must_use]
    pub fn text(&self) -> String {
        const BITS: usize = 32;
        let words = self.cores.iter().max().map_or(0, |core| core / BITS);
        let word = |index: usize| {
            let of = self.cores.iter().filter(|core| **core / BITS == index);
            of.fold(0_u32, |word, core| word | 1 << (core % BITS))
        };
        let texts: Vec<_> = (0..=words).rev().map(|index| format!("{:08x}", word(index))).collect();
        texts.join(",")
    }
}

/// The network cards of a machine, but those that are down.
pub(super) fn read(source: &Source) -> Fact<Vec<Interface>> {
    let names = source.names("sys/class/net")?;
    // A card without a cable has no interrupts to place; where the state is unknown, it is kept.
    let in_use = |name: &String| {
        let folder = format!("sys/class/net/{name}");
        let down = source.word(&format!("{folder}/operstate")).is_ok_and(|state| state == "down");
        !down && source.names(&format!("{folder}/device")).is_ok()
    };
    Ok(names.into_iter().filter(in_use).map(|name| interface(source, name)).collect())
}

fn interface(source: &Source, name: String) -> Interface {
    let folder = format!("sys/class/net/{name}");
    let queues = |prefix: &str| source.numbered(&format!("{folder}/queues"), prefix);
    let masks = |prefix: &str, file: &str| {
        let mut masks = Vec::new();
        for queue in queues(prefix)? {
            let cores = source.mask(&format!("{folder}/queues/{prefix}{queue}/{file}"))?;
            masks.push(Mask { queue, cores });
        }
        Ok(masks)
    };
    Interface {
        node: node(source, &folder),
        receive_count: queues("rx-").map(|queues| queues.len()),
        send_count: queues("tx-").map(|queues| queues.len()),
        interrupts: interrupts(source, &folder),
        rps: masks("rx-", "rps_cpus"),
        xps: masks("tx-", "xps_cpus"),
        name,
    }
}

/// Cards of virtual machines have a bus of their own between them and PCI.
fn node(source: &Source, folder: &str) -> Fact<Option<usize>> {
    let path = format!("{folder}/device/numa_node");
    let text = source.text(&path).or_else(|unknown| {
        source.text(&format!("{folder}/device/../numa_node")).map_err(|_| unknown)
    })?;
    if text == "-1" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| super::source::not(&path, &text, "a node"))
}

fn interrupts(source: &Source, folder: &str) -> Fact<Vec<Interrupt>> {
    let path = format!("{folder}/device/msi_irqs");
    let numbers = source.numbered(&path, "").or_else(|unknown| {
        source.numbered(&format!("{folder}/device/../msi_irqs"), "").map_err(|_| unknown)
    })?;
    let table = source.text("proc/interrupts")?;
    let mut found = Vec::new();
    for number in numbers {
        let prefix = format!("{number}:");
        let line = table.lines().find_map(|line| line.trim_start().strip_prefix(&prefix));
        // An interrupt that nobody asked for is not in the table.
        let Some(name) = line.and_then(|line| line.split_ascii_whitespace().last()) else {
            continue;
        };
        if NO_QUEUE.iter().any(|word| name.contains(word)) {
            continue;
        }
        let list = |file: &str| source.list(&format!("proc/irq/{number}/{file}"));
        let wanted = list("smp_affinity_list");
        let cores = list("effective_affinity_list").ok().filter(|cores| !cores.is_empty());
        let cores = cores.map_or_else(|| wanted.clone(), Ok);
        found.push(Interrupt { number, name: name.to_owned(), wanted, cores });
    }
    if found.is_empty() {
        return Err(Unknown(format!("/{path}: no interrupt of a queue")));
    }
    Ok(found)
}
