//! Where each shard sits, where a profile would put it, and what would be better.
//!
//! # Does not
//!
//! Say which shard a connection comes to: the kernel spreads connections over the shards by a hash
//! of their addresses, whatever queue their packets came through.

use serde::Serialize;

use super::check::{Finding, State};
use super::machine::Machine;
use super::network::{Interface, Interrupt};
use super::profile::Profile;
use super::source::{Fact, Unknown, sorted};
use crate::config::Settings;
use crate::place::cores;

/// Where the shards of a profile sit on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Cores with a shard.
    pub shards: Vec<usize>,
    /// Cores left to interrupts, imports and the system.
    pub left: Vec<usize>,
}

impl Placement {
    /// Of each node, `shards.leave_per_node` physical cores are left, the lowest first; of the
    /// others, `shards.threads_per_core` threads get a shard.
    ///
    /// # Errors
    ///
    /// If nodes or siblings are not known, or nothing would be left for shards.
    pub fn wanted(machine: &Machine, profile: &Profile) -> Fact<Self> {
        let number = |key| usize::try_from(profile.number(key).unwrap_or(0)).unwrap_or(usize::MAX);
        let leave = number("shards.leave_per_node");
        let threads = number("shards.threads_per_core");
        let mut placement = Self { shards: Vec::new(), left: Vec::new() };
        for node in machine.nodes.as_ref().map_err(Clone::clone)? {
            for (index, physical) in physical_cores(machine, &node.cores)?.iter().enumerate() {
                if index < leave {
                    placement.left.extend(physical);
                } else {
                    placement.shards.extend(physical.iter().take(threads));
                }
            }
        }
        if placement.shards.is_empty() {
            return Err(Unknown("the profile would leave no core for shards".to_owned()));
        }
        Ok(Self { shards: sorted(placement.shards), left: sorted(placement.left) })
    }
}

/// The physical cores among `cores`, each as its threads, in order.
pub(super) fn physical_cores(machine: &Machine, cores: &[usize]) -> Fact<Vec<Vec<usize>>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for core in cores {
        if found.iter().any(|threads| threads.contains(core)) {
            continue;
        }
        let mut threads = machine.siblings(*core)?;
        threads.retain(|thread| cores.contains(thread));
        if !threads.contains(core) {
            threads.push(*core);
        }
        found.push(sorted(threads));
    }
    Ok(found)
}

/// The cores with a shard: those configured, else those of the running server, else all allowed.
///
/// # Errors
///
/// If neither names them and those allowed are not known.
pub fn in_use(machine: &Machine, settings: &Settings) -> Fact<Vec<usize>> {
    match &settings.cores {
        Some(cores) => Ok(cores.clone()),
        None if !machine.running.is_empty() => Ok(machine.running.clone()),
        None => machine.allowed.clone(),
    }
}

/// Says which of them it is, and whether the running server agrees.
#[must_use]
pub fn origin(machine: &Machine, settings: &Settings) -> String {
    let running = &machine.running;
    match &settings.cores {
        Some(cores) if !running.is_empty() && sorted(cores.clone()) != sorted(running.clone()) => {
            format!(
                "as configured; the running server has them on {}: restart it to follow",
                cores::format(running)
            )
        }
        Some(_) => "as configured".to_owned(),
        None if !running.is_empty() => "those of the running server".to_owned(),
        None => "by default: every core that this process may use; no server runs".to_owned(),
    }
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Number of the shard.
    pub shard: usize,
    /// Its core.
    pub core: usize,
    /// The core's memory node, or `unknown`.
    pub node: String,
    /// Other threads of its physical core, or `unknown`.
    pub siblings: String,
    /// `yes` if the scheduler leaves the core alone.
    pub isolated: String,
    /// Network queues whose interrupts come to its core; `unknown` among them if there may be more.
    pub queues: Vec<String>,
}

/// The table of shards.
///
/// # Errors
///
/// If the cores are not known.
pub fn table(machine: &Machine, settings: &Settings) -> Fact<Vec<Row>> {
    let unknown = || "unknown".to_owned();
    let queues = |core: usize| {
        let of = interrupts(machine).filter(|(_, interrupt)| goes_to(interrupt, core));
        let text =
            |(_, one): (&Interface, &Interrupt)| format!("{} (irq {})", one.name, one.number);
        let mut queues: Vec<_> = of.map(text).collect();
        if !interrupts_known(machine) {
            queues.push(unknown());
        }
        queues
    };
    let row = |(shard, core): (usize, usize)| Row {
        shard,
        core,
        node: machine.node_of(core).map_or_else(|_| unknown(), |node| node.to_string()),
        siblings: machine.siblings(core).map_or_else(
            |_| unknown(),
            |threads| {
                let others: Vec<_> = threads.into_iter().filter(|other| *other != core).collect();
                none_or_list(&others)
            },
        ),
        isolated: machine.isolated.as_ref().map_or_else(
            |_| unknown(),
            |isolated| if isolated.contains(&core) { "yes" } else { "no" }.to_owned(),
        ),
        queues: queues(core),
    };
    Ok(in_use(machine, settings)?.into_iter().enumerate().map(row).collect())
}

fn none_or_list(list: &[usize]) -> String {
    if list.is_empty() { "none".to_owned() } else { cores::format(list) }
}

/// Every interrupt of a queue that is known, with its card.
fn interrupts(machine: &Machine) -> impl Iterator<Item = (&Interface, &Interrupt)> {
    let cards = machine.interfaces.iter().flatten();
    cards.flat_map(|card| card.interrupts.iter().flatten().map(move |interrupt| (card, interrupt)))
}

/// Whether it is known of every card where its interrupts go.
fn interrupts_known(machine: &Machine) -> bool {
    let Ok(cards) = &machine.interfaces else { return false };
    let known = |list: &Vec<Interrupt>| list.iter().all(|interrupt| interrupt.cores.is_ok());
    cards.iter().all(|card| card.interrupts.as_ref().is_ok_and(known))
}

fn goes_to(interrupt: &Interrupt, core: usize) -> bool {
    interrupt.cores.as_ref().is_ok_and(|cores| cores.contains(&core))
}

/// What would be better, most valuable first.
///
/// # Errors
///
/// If the cores are not known.
pub fn advice(machine: &Machine, profile: &Profile, settings: &Settings) -> Fact<Vec<Finding>> {
    let shards = in_use(machine, settings)?;
    let look = Look { machine, profile, settings, shards: &shards };
    let mut found: Vec<_> = [
        look.not_there(),
        look.isolated_unused(),
        look.siblings_shared(),
        look.takes_interrupts(),
        look.first_core(),
        look.other_node(),
        look.few_queues(),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.rank));
    Ok(found)
}

struct Look<'a> {
    machine: &'a Machine,
    profile: &'a Profile,
    settings: &'a Settings,
    shards: &'a [usize],
}

impl Look<'_> {
    fn finding(&self, key: &str, rank: u8, wanted: &str, got: String) -> Finding {
        Finding {
            key: key.to_owned(),
            rank,
            state: State::Todo,
            wanted: wanted.to_owned(),
            got,
            why: String::new(),
            measured: "not measured here: a judgement, see Documentation/networking/scaling.rst"
                .to_owned(),
            action: None,
            undo: None,
        }
    }

    /// `server.cores` as the profile wants it, if that is something else.
    fn placed(&self, mut finding: Finding) -> Finding {
        let Ok(wanted) = Placement::wanted(self.machine, self.profile) else { return finding };
        if wanted.shards != sorted(self.shards.to_vec()) {
            let (action, undo) = set_cores(self.settings, &wanted.shards);
            (finding.action, finding.undo) = (Some(action), Some(undo));
        }
        finding
    }

    fn not_there(&self) -> Option<Finding> {
        let online = self.machine.online.as_ref().ok()?;
        let missing: Vec<_> =
            self.shards.iter().copied().filter(|core| !online.contains(core)).collect();
        (!missing.is_empty()).then(|| {
            let got = format!("cores {} are not there", cores::format(&missing));
            let wanted = format!("cores of {}", cores::format(online));
            let mut finding = self.placed(self.finding("shards.online", 100, &wanted, got));
            finding.why = "the server does not start".to_owned();
            "`whoisd serve` checks it".clone_into(&mut finding.measured);
            finding
        })
    }

    fn isolated_unused(&self) -> Option<Finding> {
        let isolated = self.machine.isolated.as_ref().ok()?;
        let unused: Vec<_> =
            isolated.iter().copied().filter(|core| !self.shards.contains(core)).collect();
        (!unused.is_empty()).then(|| {
            let got = format!("isolated cores {} have no shard", cores::format(&unused));
            let mut finding = self.finding("shards.isolated", 80, "shards on them", got);
            finding.why = "the scheduler puts nothing on isolated cores by itself: they idle, or \
                were isolated for another program"
                .to_owned();
            "not measured here; from Documentation/admin-guide/kernel-parameters.txt, isolcpus"
                .clone_into(&mut finding.measured);
            let (action, undo) = set_cores(self.settings, isolated);
            (finding.action, finding.undo) = (Some(action), Some(undo));
            finding
        })
    }

    fn siblings_shared(&self) -> Option<Finding> {
        let most = usize::try_from(self.profile.number("shards.threads_per_core")?).ok()?;
        let physical = physical_cores(self.machine, self.shards).ok()?;
        let shared: Vec<_> = physical.iter().filter(|threads| threads.len() > most).collect();
        let first = shared.first()?;
        let got = format!(
            "{} of {} physical cores have several shards (cores {})",
            shared.len(),
            physical.len(),
            cores::format(first)
        );
        let wanted = format!("at most {most} on a physical core");
        let mut finding = self.placed(self.finding("shards.siblings", 68, &wanted, got));
        finding.why =
            "threads of one physical core share its caches and execution units".to_owned();
        Some(finding)
    }

    fn takes_interrupts(&self) -> Option<Finding> {
        let taking: Vec<_> = self
            .shards
            .iter()
            .copied()
            .filter(|core| interrupts(self.machine).any(|(_, one)| goes_to(one, *core)))
            .collect();
        (!taking.is_empty()).then(|| {
            let got = format!("shards on cores {} take interrupts too", cores::format(&taking));
            let placement = Placement::wanted(self.machine, self.profile);
            let left = placement.map(|placement| placement.left).unwrap_or_default();
            let wanted = if left.is_empty() {
                "a core that takes none, where there are enough".to_owned()
            } else {
                format!("interrupts on cores {}", cores::format(&left))
            };
            let rank = if left.is_empty() { 20 } else { 64 };
            let mut finding = self.placed(self.finding("shards.interrupts", rank, &wanted, got));
            finding.why = "packets of every shard are worked on there; these shards answer later \
                than the others"
                .to_owned();
            if !left.is_empty() && finding.action.is_none() {
                let action = "`whoisd doctor` prints the command under interrupts.cores";
                finding.action = Some(action.to_owned());
            }
            finding
        })
    }

    fn first_core(&self) -> Option<Finding> {
        let leave = self.profile.number("shards.leave_per_node")?;
        (leave > 0 && self.shards.contains(&0)).then(|| {
            let got = "a shard sits on core 0".to_owned();
            let mut finding = self.finding("shards.housekeeping", 50, "core 0 left free", got);
            finding.why = "core 0 does the system's housekeeping: timers, deferred work, and \
                interrupts that nobody placed"
                .to_owned();
            "not measured here; from Documentation/admin-guide/kernel-parameters.txt, nohz_full"
                .clone_into(&mut finding.measured);
            self.placed(finding)
        })
    }

    /// Shards on nodes that no card is attached to.
    fn other_node(&self) -> Option<Finding> {
        let card_of = |card: &Interface| card.node.clone().ok().flatten();
        let cards: Vec<_> = self.machine.interfaces.iter().flatten().filter_map(card_of).collect();
        let far =
            |core: &usize| self.machine.node_of(*core).is_ok_and(|node| !cards.contains(&node));
        let far: Vec<_> = self.shards.iter().copied().filter(far).collect();
        (!cards.is_empty() && !far.is_empty()).then(|| {
            let nodes = cores::format(&sorted(cards));
            let got = format!(
                "shards on cores {} sit on another node than the network card",
                cores::format(&far)
            );
            let wanted = format!("shards on node {nodes}, or a card on each node");
            let mut finding = self.finding("shards.node", 30, &wanted, got);
            finding.why = "their packets cross between the sockets. They are still worth having: \
                half of the cores are there"
                .to_owned();
            let action = "if the cores of the card's node are not busy, list them alone in \
                server.cores; else put a second card into a slot of the other node";
            finding.action = Some(action.to_owned());
            finding.undo = Some("as it was".to_owned());
            finding
        })
    }

    fn few_queues(&self) -> Option<Finding> {
        let cards = self.machine.interfaces.as_ref().ok()?;
        let card = cards.iter().find(|card| card.receive_count == Ok(1))?;
        let spread = card.rps.as_ref().ok()?.iter().any(|mask| !mask.cores.is_empty());
        (self.shards.len() > 1 && !spread).then(|| {
            let got = format!("{} receives with one queue, on one core", card.name);
            let mut finding = self.finding("shards.queues", 40, "one queue for each core", got);
            finding.why = "one core works on the packets of all shards".to_owned();
            let mask = super::network::Mask { queue: 0, cores: self.shards.to_vec() }.text();
            let path = format!("/sys/class/net/{}/queues/rx-0/rps_cpus", card.name);
            finding.action = Some(format!(
                "ethtool -l {} shows whether there can be more; if not: echo {mask} > {path}",
                card.name
            ));
            finding.undo = Some(format!("echo 0 > {path}"));
            finding
        })
    }
}

/// How to put shards on other cores, and back.
pub(super) fn set_cores(settings: &Settings, wanted: &[usize]) -> (String, String) {
    let list = cores::format(wanted);
    let action =
        format!("in [server] of whoisd.toml: cores = \"{list}\"; then `systemctl restart whoisd`");
    let undo = settings.cores.as_ref().map_or_else(
        || "take cores out of [server] again; restart".to_owned(),
        |former| format!("cores = \"{}\"; restart", cores::format(former)),
    );
    (action, undo)
}
