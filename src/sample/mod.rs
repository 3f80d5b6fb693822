//! A registry to work with, made from a seed: any size, realistic shape, nobody's data.
//!
//! Object `i` of a kind is computed from (seed, kind, `i`) alone, so that a deposit and a snapshot
//! of tens of millions of domains are written in one pass each, in bounded memory.
//!
//! # Invariants
//!
//! - `deterministic`: the same [`Settings`] give the same objects, on every machine.
//! - `closed`: every reference (contact, nameserver, registrar, IDN table, original name) names an
//!   object that is there; names and identifiers are unique; no NNDN is a domain.
//! - `valid`: EPP's and RGP's rules on statuses and dates hold at the watermark; the RDE schemas
//!   hold (RFC 9022). An importer has nothing to report.
//! - `showcase`: the objects of [`showcase`] are there, the same for every seed and size.
//!
//! # Does not
//!
//! Read a clock, touch a file, or know how deposits and snapshots are written: [`deposit`] and
//! [`build`] hand its objects to code that does.
//!
//! # Cost
//!
//! Measured on one core of a 2-core machine, other work beside it: 20,000,000 domains with
//! `whoisd sample --domains 20000000 --into DIR` take 115 s of processor time, 622 MiB of memory
//! and 5.9 GB of disk; 1,000,000 take 4 s, as a deposit in XML 3.4 s (1.35 GB).
//!
//! # Shape
//!
//! | what | how |
//! |---|---|
//! | registrars | 24 to 1,000, shares fall as 1 / (rank + 2) |
//! | contacts | 0.4 a domain; four references a domain, to some 2.3 contacts; the registrar's |
//! | nameservers | 0.08 a domain; 2 to 4 a domain, 3 % none, 1 % 8 to 13; hosting companies carry 96 % |
//! | labels | 3 to 45 characters, mean 12 to 13; 2 % internationalised in eight scripts |
//! | statuses | 22 % `ok`; 2.5 % in a grace period, 1.2 % deleted and not yet purged |
//! | rarer parts | DS 6 %, key data 0.1 %, extras 5 %, transfers 5 %, variants 0.2 % |
//! | NNDN | 14 reserved names a suffix, two-letter names from 10,000 domains on, 0.6 % variants |

pub mod build;
mod contacts;
pub mod deposit;
mod domains;
mod hosting;
mod lifecycle;
mod market;
mod mix;
mod names;
mod nndns;
mod people;
mod registrars;
mod reuse;
mod scripts;
pub mod settings;
pub mod showcase;
mod words;

pub use build::{SampleError, build_directory, build_into};
pub use deposit::{write_rde_csv, write_rde_xml};
pub use domains::EXTRA_KEYS;
pub use settings::{Settings, SettingsError};

use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};

use contacts::Contacts;
use hosting::Hosting;
use market::Market;
use mix::index;
use names::{Name, Names};
use showcase::Showcase;

/// A generated registry: some 2 MiB of tables, whatever its size.
#[derive(Debug)]
pub struct Registry {
    settings: Settings,
    names: Names,
    registrars: Market,
    /// By rank.
    registrar_list: Vec<Registrar>,
    idn_tables: Vec<IdnTable>,
    contacts: Contacts,
    hosting: Hosting,
    showcase: Showcase,
}

/// Memory that making objects uses again and again; belongs to no registry.
#[derive(Debug, Default)]
pub struct Workspace {
    name: Name,
}

impl Registry {
    /// The registry of `settings`: some 10 ms.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let (seed, now_s) = (settings.seed(), settings.watermark_s());
        let suffixes = settings.suffixes();
        let showcase = Showcase::new(&suffixes[0], now_s);
        let generated = settings.domains() - showcase.domains.len() as u64;
        let names = Names::new(seed, generated, suffixes);
        let registrar_list = registrars::all(seed, settings.domains(), now_s, names.vocabulary());
        let tables = scripts::SCRIPTS.iter().map(|script| script.table);
        let idn_tables = tables.chain([scripts::ASCII_TABLE]).map(idn_table).collect();
        Self {
            settings: settings.clone(),
            registrars: Market::new(registrar_list.len() as u64),
            registrar_list,
            idn_tables,
            contacts: Contacts::new(seed, now_s, generated),
            hosting: Hosting::new(seed, now_s, generated, &names),
            showcase,
            names,
        }
    }

    /// What it was made from.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The registrars, by rank: the biggest first.
    #[must_use]
    pub fn registrars(&self) -> &[Registrar] {
        &self.registrar_list
    }

    /// The IDN tables.
    #[must_use]
    pub fn idn_tables(&self) -> &[IdnTable] {
        &self.idn_tables
    }

    /// Number of domains.
    #[must_use]
    pub const fn domain_count(&self) -> u64 {
        self.settings.domains()
    }

    /// Number of contacts.
    #[must_use]
    pub fn contact_count(&self) -> u64 {
        self.contacts.count() + self.showcase.contacts.len() as u64
    }

    /// Number of nameservers.
    #[must_use]
    pub fn nameserver_count(&self) -> u64 {
        self.hosting.count() + self.showcase.nameservers.len() as u64
    }

    /// Number of places for NNDNs; [`Self::nndn`] may leave some empty.
    #[must_use]
    pub fn nndn_places(&self) -> u64 {
        self.nndn_parts().iter().sum::<u64>() + self.showcase.nndns.len() as u64
    }

    /// Number of NNDNs: goes over all places, some 0.2 us each.
    #[must_use]
    pub fn nndn_count(&self) -> u64 {
        let (mut workspace, mut nndn) = (Workspace::default(), Nndn::default());
        let there = |&i: &u64| self.nndn(i, &mut workspace, &mut nndn);
        (0..self.nndn_places()).filter(there).count() as u64
    }

    /// Domains at and below each suffix, in the order of the settings: those below `co.demo` count
    /// for `demo` as well.
    #[must_use]
    pub fn suffix_domains(&self) -> Vec<u64> {
        let suffixes = self.names.suffixes();
        let mut own = vec![0u64; suffixes.len()];
        own[0] += self.showcase.domains.len() as u64;
        for g in 0..self.settings.domains() - self.showcase.domains.len() as u64 {
            own[self.names.suffix_index(g)] += 1;
        }
        let below = |inner: &str, outer: &str| {
            inner.strip_suffix(outer).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let total = |outer: &names::Suffix| {
            let counted = suffixes.iter().zip(&own).filter(|(s, _)| below(&s.a, &outer.a));
            counted.map(|(_, count)| count).sum()
        };
        suffixes.iter().map(total).collect()
    }

    /// Makes the `i`-th domain, below [`Self::domain_count`]: the showcase first.
    pub fn domain(&self, i: u64, workspace: &mut Workspace, out: &mut Domain) {
        match self.showcase.domains.get(index(i)) {
            Some(domain) => out.clone_from(domain),
            None => {
                let g = i - self.showcase.domains.len() as u64;
                self.make_domain(g, &mut workspace.name, out);
            }
        }
    }

    /// Writes the name of the `i`-th domain: a fraction of the cost of making it.
    pub fn domain_name(&self, i: u64, workspace: &mut Workspace, out: &mut String) {
        match self.showcase.domains.get(index(i)) {
            Some(domain) => reuse::set(out, &domain.name),
            None => {
                self.names.write(i - self.showcase.domains.len() as u64, &mut workspace.name);
                reuse::set(out, &workspace.name.a);
            }
        }
    }

    /// Makes the `i`-th contact, below [`Self::contact_count`]: in ascending order of identifiers,
    /// the showcase last.
    pub fn contact(&self, i: u64, out: &mut Contact) {
        if let Some(place) = i.checked_sub(self.contacts.count()) {
            if let Some(contact) = self.showcase.contacts.get(index(place)) {
                out.clone_from(contact);
            }
            return;
        }
        let slot = self.contacts.slot(i);
        let other = self.registrar_id((slot * 7 + i) % market::SLOTS);
        self.contacts.make(i, [self.registrar_id(slot), other], out);
    }

    /// Makes the `i`-th nameserver, below [`Self::nameserver_count`]: the showcase first.
    pub fn nameserver(&self, i: u64, workspace: &mut Workspace, out: &mut Nameserver) {
        match self.showcase.nameservers.get(index(i)) {
            Some(nameserver) => out.clone_from(nameserver),
            None => {
                let h = i - self.showcase.nameservers.len() as u64;
                let slot = self
                    .hosting
                    .owner(h)
                    .map_or(h % market::SLOTS, |domain| self.slot_of_domain(domain));
                let registrar = self.registrar_id(slot);
                self.hosting.make(h, registrar, &self.names, &mut workspace.name, out);
            }
        }
    }

    /// Writes the name of the `i`-th nameserver.
    pub fn nameserver_name(&self, i: u64, workspace: &mut Workspace, out: &mut String) {
        match self.showcase.nameservers.get(index(i)) {
            Some(nameserver) => reuse::set(out, &nameserver.name),
            None => {
                let h = i - self.showcase.nameservers.len() as u64;
                self.hosting.write_name(h, &self.names, &mut workspace.name, out);
            }
        }
    }

    /// Makes the NNDN of the `i`-th place, below [`Self::nndn_places`]: the showcase first;
    /// `false` if the place is empty.
    pub fn nndn(&self, i: u64, workspace: &mut Workspace, out: &mut Nndn) -> bool {
        match self.showcase.nndns.get(index(i)) {
            Some(nndn) => {
                out.clone_from(nndn);
                true
            }
            None => {
                let n = i - self.showcase.nndns.len() as u64;
                self.make_nndn(n, &mut workspace.name, out)
            }
        }
    }

    /// The identifier of the registrar that has a market slot.
    fn registrar_id(&self, slot: u64) -> &str {
        &self.registrar_list[index(self.registrars.rank(slot))].id
    }
}

fn idn_table(id: &str) -> IdnTable {
    IdnTable {
        id: id.to_owned(),
        url: format!("https://www.example.com/idn-tables/demo_{id}_1.0.html"),
        policy_url: "https://www.example.com/idn-tables/policy.html".to_owned(),
    }
}
