//! The contacts of a sample.
//!
//! # Invariants
//!
//! - Identifiers ascend with the index, so that contacts need no sorting.
//! - Every contact below [`Contacts::linked`] is the registrant of some domain; the others belong
//!   to no domain and do not say `linked`.
//! - `ok` stands alone but for `linked` (RFC 5733 section 2.2).
//!
//! # Does not
//!
//! Contain anybody's data: see [`super::people`].

use snapshot_format::calendar::DAY_S;
use snapshot_format::object::{Contact, Disclose, Phone, Postal, PostalKind, Time, Transfer};
use snapshot_format::status::ContactStatuses as S;

use super::market::Market;
use super::mix::{Draw, Permutation, Stream, index, write_decimal, write_radix};
use super::people::{Country, Spelling, World};
use super::reuse::set;

/// Numbers of the six digits of an identifier.
const ID_SPACE: u64 = 36u64.pow(6);

/// The generated contacts.
#[derive(Debug)]
pub(crate) struct Contacts {
    seed: u64,
    now_s: i64,
    linked: u64,
    count: u64,
    stride: u64,
    order: Permutation,
    world: World,
}

impl Contacts {
    /// Contacts for `domains` generated domains: two for every five, and a few without any.
    pub(crate) fn new(seed: u64, now_s: i64, domains: u64) -> Self {
        let linked = domains / 5 * 2 + (domains % 5).min(2);
        let count = linked + linked / 64 + 4;
        let stride = (ID_SPACE / count).clamp(1, 64);
        let order = Permutation::new(linked, seed, u64::MAX);
        Self { seed, now_s, linked, count, stride, order, world: World::new() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many of them, from the first on, belong to a domain.
    pub(crate) fn linked(&self) -> u64 {
        self.linked
    }

    /// The contact whose domain is the `g`-th, if `g` is one of the two in five that have one of
    /// their own.
    pub(crate) fn of_domain(&self, g: u64) -> Option<u64> {
        (g % 5 < 2).then(|| self.order.at(g / 5 * 2 + g % 5))
    }

    /// The market slot of the `c`-th contact's registrar.
    pub(crate) fn slot(&self, c: u64) -> u64 {
        Market::slot_of(c.min(self.linked - 1), self.linked)
    }

    /// Appends the identifier of the `c`-th contact.
    pub(crate) fn write_id(&self, c: u64, out: &mut String) {
        out.push('C');
        let within = Draw::new(self.seed, Stream::Contact, c).below(self.stride);
        write_radix(c * self.stride + within, 36, 6, out);
        out.push_str("-DEMO");
    }

    /// Makes the `c`-th contact; `registrars` are the identifiers of its own registrar and of
    /// another one.
    pub(crate) fn make(&self, c: u64, registrars: [&str; 2], out: &mut Contact) {
        let mut draw = Draw::new(self.seed, Stream::Contact, c);
        out.id.clear();
        self.write_id(c, &mut out.id);
        let _ = draw.bits();
        out.roid.clear();
        out.roid.push('K');
        write_radix(c, 36, 5, &mut out.roid);
        out.roid.push_str("-DEMO");
        self.write_person(&mut draw, out);
        set(&mut out.registrar, registrars[0]);
        set(&mut out.creator.registrar, registrars[0]);
        out.creator.client.clear();
        if draw.chance(30_000) {
            out.creator.client.push_str("client-");
            write_decimal(draw.below(20), &mut out.creator.client);
        }
        self.write_history(c, registrars, &mut draw, out);
        out.disclose = draw.chance(60_000).then(|| disclose(&mut draw));
    }

    fn write_history(&self, c: u64, registrars: [&str; 2], draw: &mut Draw, out: &mut Contact) {
        let age_s = DAY_S * 30 + draw.below(4_000_000_000 / 8).cast_signed();
        let created_s = self.now_s - age_s;
        out.created = Time::from_s(created_s);
        (out.updated, out.transferred, out.transfer) = (Time::NONE, Time::NONE, None);
        out.updater.registrar.clear();
        out.updater.client.clear();
        if draw.chance(400_000) {
            out.updated = Time::from_s(self.now_s - draw.below(age_s.unsigned_abs()).cast_signed());
            set(&mut out.updater.registrar, registrars[0]);
        }
        let bits = if c < self.linked { linked_statuses(draw) } else { loose_statuses(draw) };
        out.statuses = S { bits };
        let requested_s = self.now_s - DAY_S - draw.below(86_400 * 3).cast_signed();
        if bits & S::PENDING_TRANSFER != 0 {
            out.transfer = Some(transfer("pending", requested_s, 5 * DAY_S, registrars));
        } else if draw.chance(4000) {
            set(&mut out.creator.registrar, registrars[1]);
            out.transferred = Time::from_s(requested_s + DAY_S);
            out.updated = out.transferred;
            set(&mut out.updater.registrar, registrars[0]);
            out.transfer = Some(transfer(
                "clientApproved",
                requested_s,
                DAY_S,
                [registrars[1], registrars[0]],
            ));
        }
    }

    fn write_person(&self, draw: &mut Draw, out: &mut Contact) {
        let country = self.world.country(draw);
        let person = Person::draw(country, draw);
        // Where the local form differs, a quarter give both, a few that alone.
        let form = draw.below(100);
        let kinds: &[PostalKind] = match form {
            _ if !person.differs() => &[PostalKind::Int],
            0..=5 => &[PostalKind::Loc],
            6..=29 => &[PostalKind::Int, PostalKind::Loc],
            _ => &[PostalKind::Int],
        };
        out.postal.resize_with(kinds.len(), Postal::default);
        for (postal, &kind) in out.postal.iter_mut().zip(kinds) {
            person.write(country, kind, postal);
        }
        person.write_email(&mut out.email);
        write_phone(country, draw, &mut out.voice);
        out.fax.number.clear();
        out.fax.ext.clear();
        if draw.chance(150_000) {
            write_phone(country, draw, &mut out.fax);
        }
    }
}

/// What the parts of an address are drawn as, before they are written in one form or two.
struct Person {
    given: Spelling,
    family: Spelling,
    street: Spelling,
    city: Spelling,
    state: Spelling,
    org: Option<&'static str>,
    number: u64,
    floor: u64,
    mail: u64,
    postal_code: Draw,
}

/// Legal forms after a family name.
const ORGS: [&str; 8] =
    [" Ltd", ", Inc.", " GmbH", " & Sons", " Trading Co., Ltd.", " Media", " Group", " e.V."];

impl Person {
    fn draw(country: &Country, draw: &mut Draw) -> Self {
        let (city, state) = *draw.pick(&country.cities);
        Self {
            given: *draw.pick(&country.given),
            family: *draw.pick(&country.family),
            street: *draw.pick(&country.streets),
            city,
            state,
            org: draw.chance(350_000).then(|| *draw.pick(&ORGS)),
            number: draw.skewed(400) + 1,
            floor: draw.below(100),
            mail: draw.bits(),
            postal_code: draw.clone(),
        }
    }

    fn differs(&self) -> bool {
        [self.given, self.family, self.street, self.city].iter().any(|s| s.int != s.loc)
    }

    fn write(&self, country: &Country, kind: PostalKind, out: &mut Postal) {
        let form = |s: Spelling| if kind == PostalKind::Int { s.int } else { s.loc };
        out.kind = kind;
        out.name.clear();
        if kind == PostalKind::Loc && country.family_first {
            out.name.push_str(form(self.family));
            out.name.push_str(form(self.given));
        } else {
            out.name.push_str(form(self.given));
            out.name.push(' ');
            out.name.push_str(form(self.family));
        }
        out.org.clear();
        if let Some(org) = self.org {
            out.org.push_str(form(self.family));
            out.org.push_str(org);
        }
        for line in &mut out.street {
            line.clear();
        }
        write_decimal(self.number, &mut out.street[0]);
        out.street[0].push(' ');
        out.street[0].push_str(form(self.street));
        if self.floor < 12 {
            out.street[1].push_str("Floor ");
            write_decimal(self.floor + 1, &mut out.street[1]);
        }
        if self.floor == 0 {
            out.street[2].push_str("c/o Example Office");
        }
        set(&mut out.city, form(self.city));
        set(&mut out.sp, form(self.state));
        out.pc.clear();
        country.write_postal_code(&mut self.postal_code.clone(), &mut out.pc);
        set(&mut out.cc, country.cc);
    }

    /// An address under a domain that RFC 2606 reserves.
    fn write_email(&self, out: &mut String) {
        const HOSTS: [&str; 4] =
            ["@example.com", "@example.net", "@example.org", "@mail.example.com"];
        out.clear();
        let letters = |word: &'static str| {
            word.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase())
        };
        out.extend(letters(self.given.int));
        out.push('.');
        out.extend(letters(self.family.int));
        if self.mail & 3 != 0 {
            write_decimal(self.mail >> 2 & 0x3ff, out);
        }
        out.push_str(HOSTS[index(self.mail >> 12 & 3)]);
    }
}

fn write_phone(country: &Country, draw: &mut Draw, out: &mut Phone) {
    out.number.clear();
    out.ext.clear();
    country.write_phone(draw, &mut out.number);
    if draw.chance(20_000) {
        write_decimal(draw.below(9000) + 100, &mut out.ext);
    }
}

fn linked_statuses(draw: &mut Draw) -> u32 {
    S::LINKED
        | match draw.below(2000) {
            0..=99 => S::CLIENT_DELETE_PROHIBITED,
            100..=179 => S::CLIENT_TRANSFER_PROHIBITED | S::CLIENT_UPDATE_PROHIBITED,
            180..=199 => {
                S::CLIENT_DELETE_PROHIBITED
                    | S::CLIENT_TRANSFER_PROHIBITED
                    | S::CLIENT_UPDATE_PROHIBITED
            }
            200..=209 => S::SERVER_DELETE_PROHIBITED,
            210..=219 => {
                S::SERVER_DELETE_PROHIBITED
                    | S::SERVER_TRANSFER_PROHIBITED
                    | S::SERVER_UPDATE_PROHIBITED
            }
            220..=224 => S::PENDING_TRANSFER,
            225..=229 => S::PENDING_UPDATE,
            _ => S::OK,
        }
}

fn loose_statuses(draw: &mut Draw) -> u32 {
    match draw.below(5) {
        0 => S::PENDING_DELETE,
        1 => S::PENDING_CREATE,
        _ => S::OK,
    }
}

fn transfer(status: &str, requested_s: i64, delay_s: i64, [from, to]: [&str; 2]) -> Transfer {
    let mut transfer = Transfer { status: status.to_owned(), ..Transfer::default() };
    to.clone_into(&mut transfer.requester.registrar);
    from.clone_into(&mut transfer.actor.registrar);
    transfer.requested = Time::from_s(requested_s);
    transfer.acted = Time::from_s(requested_s + delay_s);
    transfer
}

fn disclose(draw: &mut Draw) -> Disclose {
    const WISHES: [u16; 4] = [
        Disclose::VOICE | Disclose::EMAIL,
        Disclose::NAME_INT | Disclose::ADDR_INT,
        Disclose::ORG_INT | Disclose::ORG_LOC,
        Disclose::NAME_INT
            | Disclose::NAME_LOC
            | Disclose::ADDR_INT
            | Disclose::ADDR_LOC
            | Disclose::VOICE
            | Disclose::FAX
            | Disclose::EMAIL,
    ];
    Disclose { allow: draw.chance(300_000), fields: *draw.pick(&WISHES) }
}
