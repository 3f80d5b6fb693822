//! Compares a machine with a profile, setting by setting.
//!
//! # Invariants
//!
//! - Every key of the profile gives one finding, most valuable first.
//!
//! # Does not
//!
//! Carry out what it recommends.

use serde::Serialize;

use super::machine::Machine;
use super::network::{Interface, Interrupt};
use super::profile::{Profile, Wanted, release};
use super::settings::{Form, Setting};
use super::shards::{Placement, in_use, physical_cores, set_cores};
use super::source::{Fact, Unknown};
use crate::config::Settings;
use crate::observe::printable::counted;
use crate::place::cores;
use crate::shard::RING_ENTRIES;
use crate::shard::system::{self, DESCRIPTORS_OF_PROCESS, DESCRIPTORS_PER_SHARD};

/// How a setting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As wanted.
    Good,
    /// Not as wanted.
    Todo,
    /// Cannot be read; `got` says why.
    Unknown,
}

/// One setting, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its key in the profile.
    pub key: String,
    /// What it is worth, 1 to 100.
    pub rank: u8,
    /// How it stands.
    pub state: State,
    /// What the profile wants.
    pub wanted: String,
    /// What the machine has, or why that is not known.
    pub got: String,
    /// What goes wrong otherwise.
    pub why: String,
    /// How that is known.
    pub measured: String,
    /// What to type or to write.
    #[serde(rename = "do")]
    pub action: Option<String>,
    /// How to take it back.
    pub undo: Option<String>,
}

/// What was found for one setting.
struct Reading {
    got: String,
    good: bool,
    /// Replaces the profile's value in the text.
    wanted: Option<String>,
    /// What to do and how to undo it.
    change: Option<(String, String)>,
}

impl Reading {
    fn new(got: impl ToString, good: bool, change: (String, String)) -> Self {
        Self { got: got.to_string(), good, wanted: None, change: Some(change) }
    }
}

/// Compares everything that `profile` names, most valuable first.
#[must_use]
pub fn check(machine: &Machine, profile: &Profile, settings: &Settings) -> Vec<Finding> {
    let compare = Compare { machine, profile, settings };
    profile.wanted().map(|(setting, wanted)| compare.finding(setting, wanted)).collect()
}

struct Compare<'a> {
    machine: &'a Machine,
    profile: &'a Profile,
    settings: &'a Settings,
}

impl Compare<'_> {
    fn finding(&self, setting: &Setting, wanted: &Wanted) -> Finding {
        let mut finding = Finding {
            key: setting.key.to_owned(),
            rank: setting.rank,
            state: State::Good,
            wanted: wanted_text(setting, wanted),
            got: String::new(),
            why: setting.why.to_owned(),
            measured: setting.measured.to_owned(),
            action: None,
            undo: None,
        };
        let seen = match wanted {
            Wanted::Number(wanted) => self.number(setting, *wanted),
            Wanted::Word(wanted) => self.word(setting.key, wanted),
        };
        match seen {
            Ok(seen) => {
                finding.got = seen.got;
                finding.wanted = seen.wanted.unwrap_or(finding.wanted);
                if !seen.good {
                    finding.state = State::Todo;
                    (finding.action, finding.undo) = seen.change.unzip();
                    finding.undo = finding.undo.filter(|undo| !undo.is_empty());
                }
            }
            Err(Unknown(why)) => (finding.state, finding.got) = (State::Unknown, why),
        }
        finding
    }

    fn number(&self, setting: &Setting, wanted: u64) -> Fact<Reading> {
        if setting.key == "sysctl.net.ipv4.ip_local_port_range" {
            return self.ports(wanted);
        }
        if let Some(name) = setting.sysctl() {
            let got = self.machine.sysctl(name)?;
            let set = |value: u64| format!("sysctl -w {name}={value}");
            return Ok(compared(setting, got, wanted, (set(wanted), set(got))));
        }
        let port43 = &self.settings.port43;
        match setting.key {
            "limits.open_files" => self.open_files(setting, wanted),
            "limits.locked_kib" => self.locked(setting, wanted),
            "machine.cores_min" | "machine.cores_max" => {
                let got = self.machine.online.as_ref().map_err(Clone::clone)?.len() as u64;
                Ok(compared(setting, got, wanted, self.other_profile()))
            }
            "machine.nodes_max" => {
                let got = self.machine.nodes.as_ref().map_err(Clone::clone)?.len() as u64;
                Ok(compared(setting, got, wanted, self.other_profile()))
            }
            "machine.memory_mib_min" => {
                let got = self.machine.memory_mib.clone()?;
                let action = "give the machine more memory, or see that twice the snapshot fits";
                Ok(compared(setting, got, wanted, (action.to_owned(), String::new())))
            }
            "whoisd.connections_per_shard_max" => {
                let change = in_file("connections_per_shard_max", wanted, port43.connections_max);
                Ok(compared(setting, port43.connections_max, wanted, change))
            }
            "whoisd.answer_buffers_per_shard_max" => {
                let got = port43.answer_buffers_max;
                let change = in_file("answer_buffers_per_shard_max", wanted, got);
                Ok(compared(setting, got, wanted, change))
            }
            "whoisd.ring_entries" => {
                let action = "change RING_ENTRIES in src/shard/fleet/mod.rs and build again";
                let change = (action.to_owned(), format!("{RING_ENTRIES} again"));
                Ok(compared(setting, RING_ENTRIES as u64, wanted, change))
            }
            "shards.leave_per_node" => self.left(wanted),
            "shards.threads_per_core" => self.threads(wanted),
            other => Err(Unknown(format!("no check for {other}"))),
        }
    }

    fn word(&self, key: &str, wanted: &str) -> Fact<Reading> {
        match key {
            "kernel.release_min" => self.release(wanted),
            "pages.transparent_hugepage" => {
                let got = self.machine.huge_pages.clone()?;
                let set = |word: &str| {
                    format!("echo {word} > /sys/kernel/mm/transparent_hugepage/enabled")
                };
                Ok(Reading::new(&got, got == wanted, (set(wanted), set(&got))))
            }
            "cpu.governor" => self.governor(wanted),
            "interrupts.irqbalance" => {
                let runs = self.machine.irqbalance.clone()?;
                let got = if runs { "running" } else { "stopped" };
                let change = (
                    "systemctl disable --now irqbalance".to_owned(),
                    "systemctl enable --now irqbalance".to_owned(),
                );
                Ok(Reading::new(got, wanted == "any" || !runs, change))
            }
            "interrupts.cores" => self.interrupts(wanted),
            "interrupts.rps" => self.rps(wanted),
            other => Err(Unknown(format!("no check for {other}"))),
        }
    }

    fn ports(&self, wanted: u64) -> Fact<Reading> {
        const PORTS: u64 = 65_536;
        const FIRST: u64 = 32_768;
        let (first, last) = self.machine.port_range()?;
        let count = last.saturating_sub(first).saturating_add(1);
        let from = FIRST.min(PORTS.saturating_sub(wanted));
        let to = from.saturating_add(wanted).saturating_sub(1);
        let set = |first: u64, last: u64| {
            format!("sysctl -w net.ipv4.ip_local_port_range=\"{first} {last}\"")
        };
        let got = format!("{count} ports ({first} to {last})");
        Ok(Reading::new(got, count >= wanted, (set(from, to), set(first, last))))
    }

    /// The profile's number, or what the configuration needs if that is more.
    fn open_files(&self, setting: &Setting, wanted: u64) -> Fact<Reading> {
        let shards = in_use(self.machine, self.settings).map_or(0, |shards| shards.len()) as u64;
        let each = self.settings.port43.connections_max.saturating_add(DESCRIPTORS_PER_SHARD);
        let needed = each.saturating_mul(shards).saturating_add(DESCRIPTORS_OF_PROCESS);
        let got = self.machine.limits.open_files.clone()?;
        let most = wanted.max(needed);
        let mut seen = self.limit(setting, got, most, &format!("LimitNOFILE={most}"))?;
        if needed > wanted {
            let text = format!("at least {needed} descriptors ({shards} shards of {each}, and 64)");
            seen.wanted = Some(text);
        } else if shards > 0 {
            let text = format!(
                "at least {wanted} descriptors (the profile's, for more shards or connections; \
                 {shards} of {each}, and 64, need {needed})"
            );
            seen.wanted = Some(text);
        }
        Ok(seen)
    }

    /// What these shards need on this kernel; the profile's number where one of them is not known.
    fn locked(&self, setting: &Setting, wanted: u64) -> Fact<Reading> {
        let got = self.machine.limits.locked_kib.clone()?;
        let known =
            in_use(self.machine, self.settings).ok().zip(self.machine.release.as_ref().ok());
        let Some((shards, release)) = known else {
            return self.limit(setting, got, wanted, &format!("LimitMEMLOCK={wanted}K"));
        };
        let (port43, listeners) = (&self.settings.port43, self.settings.listen.len());
        let ring = system::ring_bytes(port43.engine, port43.connections_max, listeners);
        let needed = system::locked_bytes_by_release(shards.len(), ring, release).div_ceil(1024);
        let mut seen = self.limit(setting, got, needed, &format!("LimitMEMLOCK={needed}K"))?;
        let text =
            format!("at least {needed} KiB ({}, {release})", counted(shards.len() as u64, "shard"));
        seen.wanted = Some(text);
        Ok(seen)
    }

    /// A limit says something about the server only if one runs.
    fn limit(&self, setting: &Setting, got: u64, wanted: u64, line: &str) -> Fact<Reading> {
        let limits = &self.machine.limits;
        let restart = "then `systemctl daemon-reload && systemctl restart whoisd`";
        let file = "/etc/systemd/system/whoisd.service.d/limits.conf";
        let change = (
            format!("in [Service] of {file}: {line}; {restart}"),
            format!("take the line out again; {restart}"),
        );
        let mut seen = compared(setting, got, wanted, change);
        seen.got = format!("{} ({})", seen.got, limits.of);
        if !seen.good && limits.server.is_none() {
            let had = if got == u64::MAX { "no limit".to_owned() } else { got.to_string() };
            return Err(Unknown(format!(
                "no server runs; started from this shell it would have {had}, under \
                 deploy/whoisd.service what that file says"
            )));
        }
        Ok(seen)
    }

    fn other_profile(&self) -> (String, String) {
        let action = Profile::choose(self.machine).map_or_else(
            |_| "whoisd doctor, without --profile".to_owned(),
            |(chosen, _)| format!("whoisd doctor --profile {}", chosen.name),
        );
        (action, String::new())
    }

    fn release(&self, wanted: &str) -> Fact<Reading> {
        let got = self.machine.release.clone()?;
        let Some(number) = release(&got) else {
            return Err(Unknown(format!("/proc/sys/kernel/osrelease: {got:?} is not a release")));
        };
        let good = release(wanted).is_some_and(|least| number >= least);
        let change = ("install a newer kernel".to_owned(), "boot the former one".to_owned());
        Ok(Reading::new(got, good, change))
    }

    fn governor(&self, wanted: &str) -> Fact<Reading> {
        let got = self.machine.governors.clone()?;
        let set = |word: &str| {
            format!(
                "for f in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; \
                 do echo {word} > $f; done"
            )
        };
        let undo = match got.as_slice() {
            [one] => set(one),
            several => format!("each policy as it was: one of {}", several.join(", ")),
        };
        let good = got.iter().all(|governor| governor == wanted);
        Ok(Reading::new(got.join(", "), good, (set(wanted), undo)))
    }

    fn left(&self, wanted: u64) -> Fact<Reading> {
        let shards = in_use(self.machine, self.settings)?;
        let placement = Placement::wanted(self.machine, self.profile)?;
        let (mut good, mut got) = (true, Vec::new());
        for node in self.machine.nodes.as_ref().map_err(Clone::clone)? {
            let physical = physical_cores(self.machine, &node.cores)?;
            let free =
                physical.iter().filter(|threads| !threads.iter().any(|one| shards.contains(one)));
            let count = free.count();
            good &= count as u64 == wanted;
            got.push(format!("{count} on node {}", node.id));
        }
        let mut seen =
            Reading::new(got.join(", "), good, set_cores(self.settings, &placement.shards));
        let what = counted(wanted, "physical core");
        let list = cores::format(&placement.shards);
        seen.wanted = Some(format!("{what} free on each node: shards on {list}"));
        Ok(seen)
    }

    fn threads(&self, wanted: u64) -> Fact<Reading> {
        let shards = in_use(self.machine, self.settings)?;
        let placement = Placement::wanted(self.machine, self.profile)?;
        let physical = physical_cores(self.machine, &shards)?;
        let most = physical.iter().map(Vec::len).max().unwrap_or(0);
        let got = format!("up to {}", counted(most as u64, "shard"));
        let change = set_cores(self.settings, &placement.shards);
        let mut seen = Reading::new(got, most as u64 <= wanted, change);
        seen.wanted = Some(format!("at most {wanted} on a physical core"));
        Ok(seen)
    }

    fn interrupts(&self, wanted: &str) -> Fact<Reading> {
        let cards = self.machine.interfaces.as_ref().map_err(Clone::clone)?;
        if wanted == "any" {
            return Ok(Reading::new("not looked at", true, Default::default()));
        }
        let left = Placement::wanted(self.machine, self.profile)?.left;
        if left.is_empty() {
            return Err(Unknown("the profile leaves no core for interrupts".to_owned()));
        }
        let (mut astray, mut actions, mut undos) = (Vec::new(), Vec::new(), Vec::new());
        for card in cards {
            let near = self.near(card, &left);
            let mut moved = Vec::new();
            for interrupt in card.interrupts.as_ref().map_err(Clone::clone)? {
                let now = interrupt.cores.as_ref().map_err(Clone::clone)?;
                if !now.iter().all(|core| near.contains(core)) {
                    astray.extend(now.iter().filter(|core| !near.contains(core)));
                    moved.push(interrupt);
                }
            }
            if !moved.is_empty() {
                actions.push(affinity(&moved, &near));
                undos.extend(as_before(&moved));
            }
        }
        let astray = super::source::sorted(astray);
        let good = actions.is_empty();
        let got = if good { "as wanted".to_owned() } else { cores::format(&astray) };
        let mut seen =
            Reading::new(format!("on cores {got}"), good, (actions.join("; "), undos.join("; ")));
        if good {
            "on no other cores".clone_into(&mut seen.got);
        }
        seen.wanted = Some(format!("interrupts of cards on cores {}", cores::format(&left)));
        Ok(seen)
    }

    /// The cores of `left` on the card's node; all of them if it has none there.
    fn near(&self, card: &Interface, left: &[usize]) -> Vec<usize> {
        let Ok(Some(node)) = card.node else { return left.to_vec() };
        let on_node = |core: &usize| self.machine.node_of(*core) == Ok(node);
        let near: Vec<_> = left.iter().copied().filter(on_node).collect();
        if near.is_empty() { left.to_vec() } else { near }
    }

    fn rps(&self, wanted: &str) -> Fact<Reading> {
        let cards = self.machine.interfaces.as_ref().map_err(Clone::clone)?;
        let (mut spread, mut actions, mut undos) = (Vec::new(), Vec::new(), Vec::new());
        for card in cards {
            let masks = card.rps.as_ref().map_err(Clone::clone)?;
            let path =
                |queue: &str| format!("/sys/class/net/{}/queues/{queue}/rps_cpus", card.name);
            let on: Vec<_> = masks.iter().filter(|mask| !mask.cores.is_empty()).collect();
            if !on.is_empty() {
                spread.push(card.name.as_str());
                actions.push(format!("for f in {}; do echo 0 > $f; done", path("rx-*")));
                let undo = |mask: &&super::network::Mask| {
                    format!("echo {} > {}", mask.text(), path(&format!("rx-{}", mask.queue)))
                };
                undos.extend(on.iter().map(undo));
            }
        }
        let good = wanted == "any" || spread.is_empty();
        let got =
            if spread.is_empty() { "off".to_owned() } else { format!("on: {}", spread.join(", ")) };
        Ok(Reading::new(got, good, (actions.join("; "), undos.join("; "))))
    }
}

fn affinity(interrupts: &[&Interrupt], cores: &[usize]) -> String {
    let numbers: Vec<_> = interrupts.iter().map(|one| one.number.to_string()).collect();
    let list = cores::format(cores);
    if let [number] = numbers.as_slice() {
        return format!("echo {list} > /proc/irq/{number}/smp_affinity_list");
    }
    format!("for i in {}; do echo {list} > /proc/irq/$i/smp_affinity_list; done", numbers.join(" "))
}

/// One command for each list of cores that interrupts had.
fn as_before(interrupts: &[&Interrupt]) -> Vec<String> {
    let mut lists: Vec<&Vec<usize>> = Vec::new();
    for list in interrupts.iter().filter_map(|one| one.wanted.as_ref().ok()) {
        if !lists.contains(&list) {
            lists.push(list);
        }
    }
    let of = |list: &&Vec<usize>| {
        let had: Vec<_> =
            interrupts.iter().copied().filter(|one| one.wanted.as_ref() == Ok(*list)).collect();
        affinity(&had, list)
    };
    lists.iter().map(of).collect()
}

fn in_file(key: &str, wanted: u64, got: u64) -> (String, String) {
    let line = |value: u64| {
        format!("in [port43] of whoisd.toml: {key} = {value}; then `systemctl restart whoisd`")
    };
    (line(wanted), line(got))
}

fn compared(setting: &Setting, got: u64, wanted: u64, change: (String, String)) -> Reading {
    let good = match setting.form {
        Form::AtLeast => got >= wanted,
        Form::AtMost => got <= wanted,
        _ => got == wanted,
    };
    let text = if got == u64::MAX { "no limit".to_owned() } else { with_unit(got, setting.unit) };
    Reading::new(text, good, change)
}

fn with_unit(value: u64, unit: &str) -> String {
    if unit.is_empty() { value.to_string() } else { format!("{value} {unit}") }
}

fn wanted_text(setting: &Setting, wanted: &Wanted) -> String {
    match (setting.form, wanted) {
        (Form::AtLeast, Wanted::Number(number)) => {
            format!("at least {}", with_unit(*number, setting.unit))
        }
        (Form::AtMost, Wanted::Number(number)) => {
            format!("at most {}", with_unit(*number, setting.unit))
        }
        (_, Wanted::Number(number)) => with_unit(*number, setting.unit),
        (Form::Release, Wanted::Word(word)) => format!("{word} or later"),
        (_, Wanted::Word(word)) => word.clone(),
    }
}
