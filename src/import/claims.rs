//! Which zones of its header a deposit speaks for: a TLD that has a deposit of its own is that
//! deposit's, whatever the counts of another one name (`rcdn`).
//!
//! # Does not
//!
//! Know which TLDs have deposits of their own: the caller does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::deposit::Full;
use super::model::envelope::Envelope;
use super::run;
use crate::vet::findings::{Findings, ObjectKind, Place};
use crate::vet::rule::Rule;
use crate::vet::zone_of;

/// Which of `others`, the TLDs of other deposits, a zone belongs to that a deposit of `tld` names;
/// `None`: it is that deposit's own.
#[must_use]
pub fn owner<'o>(
    zone: &str,
    tld: &str,
    others: impl IntoIterator<Item = &'o str>,
) -> Option<&'o str> {
    let own = zone_of(zone, [tld]).map_or(0, str::len);
    zone_of(zone, others).filter(|other| other.len() > own)
}

/// All zones of a header: its TLD, and the registry-class names of its counts.
pub(super) fn zones(envelope: &Envelope) -> Vec<String> {
    run::context(envelope, &run::rcdns(envelope)).zones
}

/// The zones of a header without those that belong to one of `others`.
pub(super) fn own_zones(envelope: &Envelope, others: &[String]) -> Vec<String> {
    let mut zones = zones(envelope);
    zones.retain(|zone| owner_of(zone, envelope, others).is_none());
    zones
}

/// Reports the zones of a header that belong to one of `others`.
pub(super) fn report(envelope: &Envelope, others: &[String], findings: &mut Findings<'_>) {
    for zone in zones(envelope) {
        let Some(other) = owner_of(&zone, envelope, others) else { continue };
        let count = envelope.counts.iter().find(|count| count.rcdn == zone);
        let place = count.map_or_else(Place::default, |count| count.place);
        let (rule, kind) = (Rule::RcdnOfOther, ObjectKind::Deposit);
        let got = if *other == *zone { zone } else { format!("{zone}, of the TLD {other}") };
        findings.add(rule, place, kind, "", "rcdn", &got);
    }
}

/// Takes from each of several deposits what belongs to another one of them.
pub(super) fn settle(deposits: &mut [Full], findings: &mut Findings<'_>) {
    let tlds: Vec<String> = deposits.iter().map(|full| full.envelope.tld.clone()).collect();
    for full in deposits {
        let others = tlds.iter().filter(|tld| **tld != full.envelope.tld && !tld.is_empty());
        let others: Vec<String> = others.cloned().collect();
        report(&full.envelope, &others, findings);
        full.zones = own_zones(&full.envelope, &others);
    }
}

fn owner_of<'o>(zone: &str, envelope: &Envelope, others: &'o [String]) -> Option<&'o str> {
    owner(zone, &envelope.tld, others.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_of_the_nearest_tld_that_has_a_deposit() {
        let others = ["shop", "co.demo", "test"];
        let of = |zone| owner(zone, "demo", others);
        assert_eq!(of("demo"), None);
        assert_eq!(of("net.demo"), None);
        assert_eq!(of("xco.demo"), None);
        assert_eq!(of("new"), None, "no deposit is of it");
        assert_eq!(of("shop"), Some("shop"));
        assert_eq!(of("co.demo"), Some("co.demo"));
        assert_eq!(of("a.co.demo"), Some("co.demo"));
        assert_eq!(of("co.test"), Some("test"));
        assert_eq!(owner("co.demo", "co.demo", ["demo"]), None);
        assert_eq!(owner("a.co.demo", "co.demo", ["demo"]), None);
        assert_eq!(owner("demo", "co.demo", ["demo"]), Some("demo"));
        assert_eq!(owner("demo", "co.demo", ["shop"]), None);
        assert_eq!(owner("shop", "", ["shop"]), Some("shop"), "a header without a TLD");
    }
}
