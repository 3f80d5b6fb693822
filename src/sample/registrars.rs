//! The registrars of a sample: a table in memory, by rank of their market share.
//!
//! # Invariants
//!
//! - The first ones are the showcase's, the same for every seed and size.
//! - Identifiers, names and IANA identifiers are unique; the latter are above 90,000, where none
//!   is assigned.
//!
//! # Does not
//!
//! Hold more than a thousand: real registries have a few hundred to two thousand.

use snapshot_format::calendar::DAY_S;
use snapshot_format::object::{Phone, Postal, PostalKind, Registrar, Time};
use snapshot_format::status::RegistrarStatus;

use super::mix::{Draw, Permutation, Stream, index};
use super::people::World;
use super::words::Vocabulary;

/// The showcase's registrars: identifier, name, country code.
pub(crate) const SHOWCASE: [(&str, &str, &str); 3] = [
    ("example-90001", "Example Registrar, Inc.", "US"),
    ("mueller-90002", "Müller & Söhne Domains GmbH", "DE"),
    ("tatoe-90003", "例え Registrar K.K.", "JP"),
];

/// Most registrars.
const COUNT_MAX: u64 = 1000;
/// IANA identifier of the first one.
const IANA_ID_FIRST: u64 = 90_001;

/// How many registrars a registry of `domains` has.
pub(crate) fn count(domains: u64) -> u64 {
    (domains / 200).clamp(24, COUNT_MAX)
}

/// The registrars, by rank.
pub(crate) fn all(seed: u64, domains: u64, now_s: i64, words: &Vocabulary) -> Vec<Registrar> {
    let world = World::new();
    let count = count(domains);
    // Every name is a word and a trade: a permutation of the pairs keeps them apart.
    let pairs = Permutation::new(words.real_count() * TRADES.len() as u64, seed, 0);
    (0..count)
        .map(|rank| {
            let mut draw = Draw::new(seed, Stream::Registrar, rank);
            let mut registrar = Registrar::default();
            let cc = if let Some(&(id, name, cc)) = SHOWCASE.get(index(rank)) {
                draw = Draw::new(0, Stream::Registrar, rank);
                (registrar.id, registrar.name) = (id.to_owned(), name.to_owned());
                Some(cc)
            } else {
                let pair = pairs.at(rank);
                let word = words.any(pair % words.real_count());
                let trade = TRADES[index(pair / words.real_count())];
                registrar.id = format!("{word}-{}", IANA_ID_FIRST + rank);
                registrar.name = trade.replace('*', &capitalised(word));
                None
            };
            registrar.iana_id = u32::try_from(IANA_ID_FIRST + rank).unwrap_or(0);
            complete(&mut registrar, rank, now_s, &mut draw, &world, cc);
            registrar
        })
        .collect()
}

/// Names of registrars; `*` is a word.
const TRADES: [&str; 16] = [
    "* Domains, Inc.",
    "* Names LLC",
    "* Registrar Ltd.",
    "* Internet GmbH",
    "* Hosting, LLC",
    "* Web Services, Inc.",
    "* Domain Co., Ltd.",
    "Registro * S.L.",
    "*.Net S.A.S.",
    "Domaines * SARL",
    "* Domains AB",
    "* \"The Registrar\" Corp.",
    "Λύσεις * Α.Ε.",
    "*·ドメイン株式会社",
    "Serviços * Ltda.",
    "ООО «*»",
];

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn complete(
    registrar: &mut Registrar,
    rank: u64,
    now_s: i64,
    draw: &mut Draw,
    world: &World,
    cc: Option<&str>,
) {
    let country = cc.map_or_else(|| world.country(draw), |cc| world.by_code(cc));
    let (city, state) = *draw.pick(&country.cities);
    let street = *draw.pick(&country.streets);
    let number = draw.below(300) + 1;
    let mut pc = String::new();
    country.write_postal_code(draw, &mut pc);
    for kind in [PostalKind::Int, PostalKind::Loc] {
        if kind == PostalKind::Loc && (city.int == city.loc || rank.is_multiple_of(4)) {
            continue;
        }
        let form = |spelling: super::people::Spelling| {
            (if kind == PostalKind::Int { spelling.int } else { spelling.loc }).to_owned()
        };
        registrar.postal.push(Postal {
            kind,
            street: [format!("{number} {}", form(street)), String::new(), String::new()],
            city: form(city),
            sp: form(state),
            pc: pc.clone(),
            cc: country.cc.to_owned(),
            ..Postal::default()
        });
    }
    registrar.voice = phone(country, draw);
    registrar.fax = phone(country, draw);
    let host = registrar.id.replace(|c: char| !c.is_ascii_alphanumeric(), "");
    registrar.email = format!("support@{host}.example.com");
    registrar.url = format!("https://www.{host}.example.com");
    registrar.whois_name = format!("whois.{host}.example.com");
    registrar.whois_url = format!("https://www.{host}.example.com/whois");
    registrar.status = match rank % 97 {
        50 => RegistrarStatus::ReadOnly,
        70 => RegistrarStatus::Terminated,
        90 => RegistrarStatus::None,
        _ => RegistrarStatus::Ok,
    };
    let age_days = 365 * 21 + draw.below(2000).cast_signed();
    registrar.created = Time::from_s(now_s - age_days * DAY_S);
    if rank % 3 != 2 {
        registrar.updated = Time::from_s(now_s - draw.below(100_000_000).cast_signed());
    }
}

fn phone(country: &super::people::Country, draw: &mut Draw) -> Phone {
    let mut phone = Phone::default();
    country.write_phone(draw, &mut phone.number);
    if draw.chance(200_000) {
        super::mix::write_decimal(draw.below(900) + 100, &mut phone.ext);
    }
    phone
}
