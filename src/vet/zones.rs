//! Which zone a name lies in, and what becomes of it when zones are replaced.
//!
//! # Does not
//!
//! Know deposits.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::delta::Fate;

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

/// Whether `name` lies below `zone`.
pub(crate) fn is_below(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
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
