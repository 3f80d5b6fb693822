//! The nameservers of a sample: hosting companies' and domains' own.
//!
//! # Invariants
//!
//! - A nameserver below a served suffix lies below a domain of the registry and has an address;
//!   one outside has none (RFC 5732 section 1.1). Those that nobody uses may have lost their
//!   domain.
//! - Each nameserver that says `linked` is some domain's: hosting companies' by the domain that
//!   [`Hosting::sole_customer`] names, domains' own by these.
//! - Addresses come from ranges that nobody routes: documentation (RFC 5737, RFC 3849) for hosting
//!   companies, benchmarking (RFC 2544) for the many own ones.
//!
//! # Does not
//!
//! Make host names unique by looking: companies have numbers, domains have names.

use snapshot_format::calendar::DAY_S;
use snapshot_format::object::{Nameserver, Time};
use snapshot_format::status::HostStatuses as S;

use super::market::{Market, SLOTS};
use super::mix::{Draw, Stream, index, write_decimal, write_radix};
use super::names::{Name, Names};
use super::reuse::set;

/// One in this many domains has nameservers of its own.
pub(crate) const OWNER_STEP: u64 = 25;
/// Such a domain's number of nameservers.
pub(crate) const OWN_COUNT: u64 = 2;
/// Companies that have 8 to 13 nameservers: the biggest ones.
const LARGE_COUNT: u64 = 16;

/// Domains outside the registry that RFC 2606 reserves, for companies' nameservers.
const OUTSIDE: [&str; 4] = ["example.com", "example.net", "example.org", "example.invalid"];

/// The hosting companies.
#[derive(Debug)]
pub(crate) struct Hosting {
    seed: u64,
    now_s: i64,
    market: Market,
    /// Domain that the company's nameservers lie below, and whether the registry serves it.
    companies: Vec<(String, bool)>,
    /// First nameserver of each company, and the end.
    starts: Vec<u64>,
    loose: u64,
    owners: u64,
}

/// The owner of a nameserver.
enum Place {
    Company { company: u64, number: u64 },
    Loose(u64),
    Own { owner: u64, number: u64 },
}

impl Hosting {
    /// Hosting for `domains` generated domains, all of which `names` knows.
    pub(crate) fn new(seed: u64, now_s: i64, domains: u64, names: &Names) -> Self {
        let owners = domains.div_ceil(OWNER_STEP);
        let count = (domains / 500).clamp(2, 4000);
        let outside: Vec<&str> = OUTSIDE.into_iter().filter(|o| !served(o, names)).collect();
        let mut starts = vec![0];
        let mut companies = Vec::new();
        let mut name = Name::default();
        for company in 0..count {
            let mut draw = Draw::new(seed, Stream::Provider, company);
            let hosts = if company < LARGE_COUNT && company + 1 < count {
                8 + draw.below(6)
            } else {
                2 + draw.skewed(5)
            };
            starts.push(starts[index(company)] + hosts);
            let home = company * OWNER_STEP + 1;
            companies.push(if outside.is_empty() || company % 4 == 1 && home < domains {
                names.write(home, &mut name);
                (name.a.clone(), true)
            } else {
                let word = names.vocabulary().any(draw.below(names.vocabulary().real_count()));
                (format!("{word}dns{company}.{}", draw.pick(&outside)), false)
            });
        }
        let loose = (owners / 32).max(8);
        Self { seed, now_s, market: Market::new(count), companies, starts, loose, owners }
    }

    /// How many nameservers there are.
    pub(crate) fn count(&self) -> u64 {
        self.company_hosts() + self.loose + self.owners * OWN_COUNT
    }

    fn company_hosts(&self) -> u64 {
        self.starts[self.companies.len()]
    }

    /// The company all of whose nameservers the `g`-th domain has, if it is there for that.
    pub(crate) fn sole_customer(&self, g: u64) -> Option<u64> {
        let company = g / OWNER_STEP;
        (g % OWNER_STEP == 2 && company < self.market.members()).then_some(company)
    }

    /// Whether the `g`-th domain has nameservers of its own.
    pub(crate) const fn is_owner(g: u64) -> bool {
        g.is_multiple_of(OWNER_STEP)
    }

    /// A company by its share, and which of its nameservers a customer gets: first and count.
    pub(crate) fn choose(&self, draw: &mut Draw) -> (u64, u64, u64) {
        let large = LARGE_COUNT.min(self.market.members().saturating_sub(1));
        if large > 0 && draw.chance(10_000) {
            let company = draw.below(large);
            return (company, 0, self.hosts_of(company));
        }
        let company = self.market.rank(draw.below(SLOTS));
        let wanted = match draw.below(100) {
            0..=57 => 2,
            58..=71 => 3,
            _ => 4,
        };
        let hosts = self.hosts_of(company);
        // Companies give their customers one of a few sets.
        (company, draw.skewed(hosts), wanted.min(hosts))
    }

    /// How many nameservers a company has.
    pub(crate) fn hosts_of(&self, company: u64) -> u64 {
        let company = index(company);
        self.starts[company + 1] - self.starts[company]
    }

    /// Appends the name of a company's nameserver; numbers beyond its last start again.
    pub(crate) fn write_company_host(&self, company: u64, number: u64, out: &mut String) {
        out.push_str("ns");
        write_decimal(number % self.hosts_of(company) + 1, out);
        out.push('.');
        out.push_str(&self.companies[index(company)].0);
    }

    fn place(&self, h: u64) -> Place {
        if h < self.company_hosts() {
            let company = self.starts.partition_point(|&start| start <= h) - 1;
            return Place::Company { company: company as u64, number: h - self.starts[company] };
        }
        let rest = h - self.company_hosts();
        rest.checked_sub(self.loose).map_or(Place::Loose(rest), |own| Place::Own {
            owner: own / OWN_COUNT,
            number: own % OWN_COUNT,
        })
    }

    /// The generated domain whose registrar sponsors the `h`-th nameserver, if it has one.
    pub(crate) fn owner(&self, h: u64) -> Option<u64> {
        match self.place(h) {
            Place::Own { owner, .. } => Some(owner * OWNER_STEP),
            Place::Company { company, .. } if self.companies[index(company)].1 => {
                Some(company * OWNER_STEP + 1)
            }
            Place::Company { .. } | Place::Loose(_) => None,
        }
    }

    /// Writes the name of the `h`-th nameserver.
    pub(crate) fn write_name(&self, h: u64, names: &Names, name: &mut Name, out: &mut String) {
        out.clear();
        match self.place(h) {
            Place::Company { company, number } => self.write_company_host(company, number, out),
            Place::Loose(number) => {
                out.push_str("old");
                write_decimal(number, out);
                out.push_str(".dns.");
                let suffix = OUTSIDE.into_iter().find(|o| !served(o, names)).unwrap_or("invalid");
                out.push_str(suffix);
            }
            Place::Own { owner, number } => {
                names.write(owner * OWNER_STEP, name);
                write_own(number, &name.a, out);
            }
        }
    }

    /// Makes the `h`-th nameserver; `registrar` is the identifier of its registrar.
    pub(crate) fn make(
        &self,
        h: u64,
        registrar: &str,
        names: &Names,
        name: &mut Name,
        out: &mut Nameserver,
    ) {
        self.write_name(h, names, name, &mut out.name);
        let mut draw = Draw::new(self.seed, Stream::Nameserver, h);
        out.roid.clear();
        out.roid.push('H');
        write_radix(h, 36, 5, &mut out.roid);
        out.roid.push_str("-DEMO");
        out.v4.clear();
        out.v6.clear();
        let place = self.place(h);
        match place {
            Place::Company { company, .. } if self.companies[index(company)].1 => {
                let pool = draw.below(3 * 64);
                let (net, host) = (pool % 3, pool / 3);
                out.v4.push(documentation_v4(net, host + 1));
                if draw.chance(700_000) {
                    out.v6.push(documentation_v6(net, host + 1));
                }
            }
            Place::Own { .. } => self.own_addresses(&mut draw, out),
            // Only where the sample serves all that lies outside otherwise.
            Place::Loose(_) if served(&out.name, names) => self.own_addresses(&mut draw, out),
            Place::Company { .. } | Place::Loose(_) => {}
        }
        out.statuses = S { bits: statuses(&place, &mut draw) };
        set(&mut out.registrar, registrar);
        set(&mut out.creator.registrar, registrar);
        let age_s = 60 * DAY_S + draw.below(500_000_000).cast_signed();
        out.created = Time::from_s(self.now_s - age_s);
        (out.updated, out.transferred) = (Time::NONE, Time::NONE);
        out.updater.registrar.clear();
        out.creator.client.clear();
        if draw.chance(30_000) {
            out.creator.client.push_str("dns-team");
        }
        if draw.chance(300_000) {
            out.updated = Time::from_s(self.now_s - draw.below(5_000_000).cast_signed());
            set(&mut out.updater.registrar, registrar);
        }
        if draw.chance(20_000) {
            out.transferred = Time::from_s(self.now_s - draw.below(5_000_000).cast_signed());
        }
    }

    /// A dozen domains share a machine: the pool is a sixth of the nameservers.
    fn own_addresses(&self, draw: &mut Draw, out: &mut Nameserver) {
        let pool = (self.owners * OWN_COUNT / 6).clamp(16, 1 << 17);
        let machine = draw.below(pool);
        let (high, low) = (machine >> 8, machine & 0xff);
        let byte = |x: u64| u8::try_from(x & 0xff).unwrap_or(0);
        // Glue of one family or the other, mostly IPv4, often both.
        let families = draw.below(100);
        if families < 95 {
            out.v4.push([198, 18 + byte(high >> 8), byte(high), byte(low)]);
        }
        if families >= 60 {
            out.v6.push(documentation_v6(0x1000 + high, low + 1));
        }
        if families == 94 {
            out.v4.push(documentation_v4(2, 200 + draw.below(50)));
        }
    }
}

/// Appends the name of a domain's own nameserver.
pub(crate) fn write_own(number: u64, domain: &str, out: &mut String) {
    out.push_str("ns");
    write_decimal(number + 1, out);
    out.push('.');
    out.push_str(domain);
}

/// Host `host` (1 to 254) of one of the three documentation networks of RFC 5737.
fn documentation_v4(net: u64, host: u64) -> [u8; 4] {
    const NETS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
    let [a, b, c] = NETS[index(net % 3)];
    [a, b, c, u8::try_from(host).unwrap_or(1)]
}

/// Host of a network within 2001:db8::/32 (RFC 3849).
fn documentation_v6(net: u64, host: u64) -> [u8; 16] {
    let mut address = [0u8; 16];
    address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    address[4..8].copy_from_slice(&u32::try_from(net).unwrap_or(0).to_be_bytes());
    address[14..].copy_from_slice(&u16::try_from(host).unwrap_or(0).to_be_bytes());
    address
}

/// Whether `name` lies at or below a served suffix.
fn served(name: &str, names: &Names) -> bool {
    names.suffixes().iter().any(|suffix| {
        name.strip_suffix(suffix.a.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn statuses(place: &Place, draw: &mut Draw) -> u32 {
    if let Place::Loose(number) = place {
        return match number % 8 {
            0 => S::PENDING_DELETE,
            1 => S::PENDING_CREATE,
            _ => S::OK,
        };
    }
    S::LINKED
        | match draw.below(500) {
            0..=19 => S::CLIENT_DELETE_PROHIBITED | S::CLIENT_UPDATE_PROHIBITED,
            20..=29 => S::CLIENT_UPDATE_PROHIBITED,
            30..=34 => S::SERVER_DELETE_PROHIBITED,
            35..=37 => S::SERVER_DELETE_PROHIBITED | S::SERVER_UPDATE_PROHIBITED,
            38 => S::PENDING_UPDATE,
            39 => S::PENDING_TRANSFER,
            _ => S::OK,
        }
}
