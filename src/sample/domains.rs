//! The domains of a sample: name, delegation, contacts, life cycle, and the rarer parts.
//!
//! # Invariants
//!
//! - `inactive` if and only if there is no nameserver; no DS data without a delegation.
//! - Contacts and registrar are of one market slot: a registrar's domains have its contacts.
//!
//! # Does not
//!
//! Make the showcase: see [`super::showcase`].

use snapshot_format::object::{
    Actor, ContactLink, ContactRole, DnsKey, Domain, Ds, HostLink, SecDns, Time, Transfer,
};

use super::Registry;
use super::hosting::{Hosting, OWN_COUNT, write_own};
use super::lifecycle::{Lifecycle, State, add_years};
use super::market::SLOTS;
use super::mix::{Draw, Stream, index, write_decimal, write_radix};
use super::names::Name;
use super::reuse::{Refill, set};

/// Keys of the key-value extras, in the order in which domains have them.
pub const EXTRA_KEYS: [&str; 5] =
    ["Eligibility Type", "Launch Phase", "Membership ID", "Premium Tier", "Registrant Language"];

impl Registry {
    /// The market slot of the `g`-th generated domain: its first contact's, or by chance.
    pub(super) fn slot_of_domain(&self, g: u64) -> u64 {
        self.contacts.of_domain(g).map_or_else(
            || Draw::new(self.settings.seed(), Stream::Domain, g).below(SLOTS),
            |contact| self.contacts.slot(contact),
        )
    }

    /// Makes the `g`-th generated domain.
    pub(super) fn make_domain(&self, g: u64, name: &mut Name, out: &mut Domain) {
        self.names.write(g, name);
        set(&mut out.name, &name.a);
        set(&mut out.u_name, &name.u);
        set(&mut out.idn_table, name.table);
        set(&mut out.original_name, &name.original);
        out.roid.clear();
        out.roid.push('D');
        write_radix(g, 36, 5, &mut out.roid);
        out.roid.push_str("-DEMO");
        let delegated = self.delegate(g, &name.a, &mut out.nameservers);
        let slot = self.slot_of_domain(g);
        self.link_contacts(g, slot, &mut out.contacts);
        let seed = self.settings.seed();
        let mut draw = Draw::new(seed, Stream::Lifecycle, g);
        let life =
            State::draw(&mut draw).lifecycle(self.settings.watermark_s(), delegated, &mut draw);
        self.write_life(&life, slot, &mut draw, out);
        self.write_rare(g, delegated, out);
    }

    /// Fills in the nameservers; `false` if there are none.
    fn delegate(&self, g: u64, domain: &str, out: &mut Vec<HostLink>) -> bool {
        let mut draw = Draw::new(self.settings.seed(), Stream::Delegation, g);
        let mut links = Refill::new(out);
        if Hosting::is_owner(g) {
            for number in 0..OWN_COUNT {
                write_own(number, domain, links.name());
            }
            if draw.chance(100_000) {
                let (company, first, _) = self.hosting.choose(&mut draw);
                self.hosting.write_company_host(company, first, links.name());
            }
        } else if let Some(company) = self.hosting.sole_customer(g) {
            for number in 0..self.hosting.hosts_of(company) {
                self.hosting.write_company_host(company, number, links.name());
            }
        } else if !draw.chance(31_000) {
            let (company, first, count) = self.hosting.choose(&mut draw);
            for number in first..first + count {
                self.hosting.write_company_host(company, number, links.name());
            }
        }
        let delegated = links.used() > 0;
        links.finish();
        delegated
    }

    /// Fills in the contacts: registrant and, mostly, one of each other role.
    fn link_contacts(&self, g: u64, slot: u64, out: &mut Vec<ContactLink>) {
        let mut draw = Draw::new(self.settings.seed(), Stream::Contact, !g);
        let stretch = self.registrars.stretch(slot, self.contacts.linked());
        // A registry too small for each registrar to have contacts shares them all.
        let stretch = if stretch.is_empty() { 0..self.contacts.linked() } else { stretch };
        let length = stretch.end - stretch.start;
        let mut colleague = || stretch.start + draw.skewed(length);
        let holder = self.contacts.of_domain(g).unwrap_or_else(&mut colleague);
        let (second, third) = (colleague(), colleague());
        let habits = draw.below(100);
        let admin = if habits < 60 { holder } else { second };
        let tech = if habits < 25 { holder } else { third };
        let mut links = Refill::new(out);
        for (role, contact) in [
            (ContactRole::Registrant, holder),
            (ContactRole::Admin, admin),
            (ContactRole::Tech, tech),
        ] {
            self.contacts.write_id(contact, links.id(role));
        }
        if habits % 20 != 7 {
            self.contacts.write_id(admin, links.id(ContactRole::Billing));
        }
        if habits == 42 && tech != second {
            self.contacts.write_id(second, links.id(ContactRole::Tech));
        }
        links.finish();
    }

    fn write_life(&self, life: &Lifecycle, slot: u64, draw: &mut Draw, out: &mut Domain) {
        let registrar = self.registrar_id(slot);
        let former = self.registrar_id(draw.below(SLOTS));
        let time = |time: Option<i64>| time.map_or(Time::NONE, Time::from_s);
        out.statuses.bits = life.statuses;
        out.created = Time::from_s(life.created_s);
        out.updated = time(life.updated_s);
        out.expires = Time::from_s(life.expires_s);
        out.transferred = time(life.transferred_s);
        let creator = if life.transferred_s.is_some() { former } else { registrar };
        set(&mut out.registrar, registrar);
        set(&mut out.creator.registrar, creator);
        set(&mut out.updater.registrar, if out.updated.is_some() { registrar } else { "" });
        out.creator.client.clear();
        out.updater.client.clear();
        if draw.chance(10_000) {
            out.creator.client.push_str("client-");
            write_decimal(draw.below(30), &mut out.creator.client);
        }
        if draw.chance(5_000) && out.updated.is_some() {
            out.updater.client.push_str("epp-batch");
        }
        out.transfer = life.request.map(|request| {
            // A transfer that went through was requested by the registrar that has the domain now.
            let through = life.transferred_s.is_some();
            let (asks, acts) = if through { (registrar, former) } else { (former, registrar) };
            let actor = |id: &str| Actor { registrar: id.to_owned(), client: String::new() };
            let expires = if matches!(request.status, "pending") || through {
                Time::from_s(add_years(life.expires_s, i64::from(request.status == "pending")))
            } else {
                Time::NONE
            };
            Transfer {
                status: request.status.to_owned(),
                requester: actor(asks),
                requested: Time::from_s(request.requested_s),
                actor: actor(acts),
                acted: Time::from_s(request.acted_s),
                expires,
            }
        });
    }

    fn write_rare(&self, g: u64, delegated: bool, out: &mut Domain) {
        let mut draw = Draw::new(self.settings.seed(), Stream::Rare, g);
        let signed = draw.below(1_000_000);
        out.sec_dns = match signed {
            _ if !delegated => None,
            0..60_000 => Some(signers(&mut draw)),
            60_000..61_000 => Some(keys(&mut draw)),
            _ => None,
        };
        out.extras.clear();
        if draw.chance(50_000) {
            let first = draw.below(EXTRA_KEYS.len() as u64);
            extra(first, &mut draw, &mut out.extras);
            if first + 1 < EXTRA_KEYS.len() as u64 && draw.chance(300_000) {
                extra(first + 1, &mut draw, &mut out.extras);
            }
        }
    }
}

/// Delegation signer data: algorithms and digests as they are met most.
pub(super) fn signers(draw: &mut Draw) -> SecDns {
    let mut sec_dns = SecDns::default();
    if draw.chance(100_000) {
        sec_dns.max_sig_life_s = 604_800;
    }
    let count = 1 + draw.below(10) / 8;
    for _ in 0..count {
        let (digest_type, length) = if draw.chance(150_000) { (4, 48) } else { (2, 32) };
        sec_dns.ds.push(Ds {
            key_tag: u16::try_from(draw.below(65_536)).unwrap_or(0),
            algorithm: *draw.pick(&[13, 13, 13, 8, 8, 15]),
            digest_type,
            digest: bytes(length, draw),
        });
    }
    sec_dns
}

/// Key data, as registries that make the DS records themselves have it.
pub(super) fn keys(draw: &mut Draw) -> SecDns {
    let key = DnsKey { flags: 257, protocol: 3, algorithm: 13, public_key: bytes(64, draw) };
    SecDns { max_sig_life_s: 0, ds: Vec::new(), keys: vec![key] }
}

fn bytes(length: usize, draw: &mut Draw) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        bytes.extend_from_slice(&draw.bits().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn extra(key: u64, draw: &mut Draw, out: &mut Vec<(String, String)>) {
    let value = match key {
        0 => (*draw.pick(&["Trademark", "Registered Business", "Individual, resident"])).to_owned(),
        1 => (*draw.pick(&["sunrise", "landrush", "general availability"])).to_owned(),
        2 => format!("M-{:06}", draw.below(1_000_000)),
        3 => draw.below(9).to_string(),
        _ => (*draw.pick(&["de", "en", "fr", "zh-Hans", "español"])).to_owned(),
    };
    out.push((EXTRA_KEYS[index(key)].to_owned(), value));
}
