//! Names that are not domain names (NNDN, RFC 9022 section 5.6): reserved names and variants.
//!
//! # Invariants
//!
//! - No reserved name is a row of words, so none is a generated domain; the variants take the
//!   numbers that no variant domain has.
//!
//! # Does not
//!
//! Reserve a suffix that is served itself.

use snapshot_format::calendar::DAY_S;
use snapshot_format::object::{Nndn, NndnState, Time};

use super::Registry;
use super::mix::{Draw, Stream, index, write_radix};
use super::names::Name;
use super::reuse::set;

/// Reserved below every suffix, withheld (as Specification 5 of the registry agreement has them).
pub(crate) const RESERVED: [&str; 14] = [
    "nic",
    "www",
    "whois",
    "rdds",
    "rdap",
    "icann",
    "iana",
    "ietf",
    "iab",
    "irtf",
    "rfc-editor",
    "gtld-servers",
    "root-servers",
    "rssac",
];

/// Registries of this size reserve all two-letter labels below their first suffix.
const TWO_LETTER_FROM: u64 = 10_000;
/// Number of two-letter labels.
const TWO_LETTER_COUNT: u64 = 26 * 26;

impl Registry {
    /// Number of generated NNDNs: reserved names, two-letter names, variants.
    pub(super) fn nndn_parts(&self) -> [u64; 3] {
        let reserved = (RESERVED.len() * self.settings.tlds().len()) as u64;
        let large = self.settings.domains() >= TWO_LETTER_FROM;
        let variants = self.names.loose_variant_count();
        [reserved, if large { TWO_LETTER_COUNT } else { 0 }, variants]
    }

    /// Makes the `n`-th generated NNDN; `false` if the number is left out, since the name is a
    /// suffix that is served.
    pub(super) fn make_nndn(&self, n: u64, name: &mut Name, out: &mut Nndn) -> bool {
        let [reserved, two_letter, _] = self.nndn_parts();
        let mut draw = Draw::new(self.settings.seed(), Stream::Nndn, n);
        let age_s = DAY_S * 365 + draw.below(300_000_000).cast_signed();
        out.created = Time::from_s(self.settings.watermark_s() - age_s);
        out.mirroring_ns = true;
        out.state = NndnState::Withheld;
        if n < reserved + two_letter {
            let suffixes = self.names.suffixes();
            *name = Name::default();
            let suffix = if n < reserved {
                name.a.push_str(RESERVED[index(n) % RESERVED.len()]);
                &suffixes[index(n) / RESERVED.len()]
            } else {
                let label = n - reserved;
                write_radix(label / 26 + 10, 36, 1, &mut name.a);
                write_radix(label % 26 + 10, 36, 1, &mut name.a);
                &suffixes[0]
            };
            self.names.write_suffix(suffix, name);
            if suffixes.iter().any(|suffix| suffix.a == name.a) {
                return false;
            }
        } else {
            self.names.write_loose_variant(n - reserved - two_letter, name);
            let state = draw.below(10);
            out.state = match state {
                0..=5 => NndnState::Blocked,
                6..=7 => NndnState::Withheld,
                _ => NndnState::Mirrored,
            };
            out.mirroring_ns = state != 9;
        }
        set(&mut out.name, &name.a);
        set(&mut out.u_name, &name.u);
        set(&mut out.idn_table, name.table);
        set(&mut out.original_name, &name.original);
        true
    }
}
