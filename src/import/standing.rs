//! What a directory has already, as an import sees it: what stays beside the deposits, and whether
//! they may take the place of what goes.
//!
//! # Does not
//!
//! Know where it is kept: whoever imports does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use snapshot_format::Object;
use snapshot_format::delta::{DepositMark, Fate, Gone};

use super::check::is_below;
use super::deposit::Full;

/// The zones that a deposit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    /// TLD of its header, A-label form; empty: none is given.
    pub tld: String,
    /// TLD and registry-class names, A-label form, without those of deposits that come with it.
    pub all: Vec<String>,
}

impl Zones {
    pub(super) fn of(full: &Full) -> Self {
        Self { tld: full.envelope.tld.clone(), all: full.zones.clone() }
    }
}

/// What stays beside the deposits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Time of the data, ms since the epoch: of objects that come twice the newer one is taken.
    pub watermark_ms: i64,
    /// Suffixes that stay.
    pub suffixes: Vec<String>,
    /// Deposits that stay.
    pub deposits: Vec<DepositMark>,
    /// How much went and stayed; filled in by the import.
    pub gone: Gone,
}

/// A registry that deposits come into.
pub trait Standing {
    /// What stays beside deposits of these zones; `None`: nothing does.
    ///
    /// # Errors
    ///
    /// Why the deposits may not come in unbidden, and which option bids it.
    fn beside(&mut self, zones: &[Zones]) -> Result<Option<Kept>, String>;

    /// Hands out each object that stays.
    ///
    /// # Errors
    ///
    /// What is there does not read, or what `visit` reports.
    fn each(
        &mut self,
        zones: &[Zones],
        visit: &mut dyn FnMut(Object) -> io::Result<()>,
    ) -> io::Result<Gone>;
}

/// Which of `zones` a name lies in: the longest that it is below, or is.
#[must_use]
pub fn zone_of<'z>(name: &str, zones: impl IntoIterator<Item = &'z str>) -> Option<&'z str> {
    let inside = |zone: &&str| name == *zone || is_below(name, zone);
    zones.into_iter().filter(inside).max_by_key(|zone| zone.len())
}

/// What becomes of a name where `goes` are replaced and `stays` are not.
#[must_use]
pub fn fate(name: &str, goes: &[String], stays: &[String]) -> Fate {
    let going = zone_of(name, goes.iter().map(String::as_str)).map_or(0, str::len);
    let staying = zone_of(name, stays.iter().map(String::as_str)).map_or(0, str::len);
    match (going, staying) {
        (0, 0) => Fate::Outside,
        _ if going >= staying => Fate::Goes,
        _ => Fate::Stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_with_the_longest_zone_that_it_is_below() {
        let (goes, stays) = (vec!["demo".to_owned()], vec!["co.demo".to_owned(), "test".into()]);
        let of = |name| fate(name, &goes, &stays);
        assert_eq!(of("a.demo"), Fate::Goes);
        assert_eq!(of("demo"), Fate::Goes);
        assert_eq!(of("a.co.demo"), Fate::Stays);
        assert_eq!(of("b.a.test"), Fate::Stays);
        assert_eq!(of("a.xdemo"), Fate::Outside);
        assert_eq!(of("a.xco.demo"), Fate::Goes);
        assert_eq!(fate("a.co.demo", &stays, &goes), Fate::Goes);
    }
}
