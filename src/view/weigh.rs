//! What a whole base would take the place of: all of a registry, and each of its TLDs.
//!
//! # Does not
//!
//! Decide whether it may: `store::Permits` does.

use snapshot_format::Kind;
use snapshot_format::error::Corrupt;

use super::Data;
use crate::store::{AHEAD_MAX_MS, Holds, Permits, Refusal, Weighed};

/// A new base may not take the place of what there is.
#[derive(Debug, thiserror::Error)]
pub enum WeighError {
    /// It would lose something that nothing permits to lose.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The new base does not read.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Whether `new` may take the place of `old`, as a whole and in each TLD that `old` has. Costs a
/// look at each name of both where there are several TLDs: tens of nanoseconds each. `damage`: why
/// the current state does not read; `old` is what does of it, if anything.
///
/// # Errors
///
/// All reasons why not, and which options permit them.
pub fn weigh(
    damage: Option<&str>,
    old: Option<&Data>,
    new: &Data,
    permits: &Permits,
    now_ms: i64,
) -> Result<(), WeighError> {
    let Some(old) = old else { return Ok(permits.check_all(damage, &[])?) };
    let latest_ms = now_ms.saturating_add(AHEAD_MAX_MS);
    let holds = |data: &Data, latest_ms: i64| {
        Holds::of(data.state(), data.count(Kind::Domain).into(), latest_ms)
    };
    let all = Weighed { tld: "", own: None, old: holds(old, latest_ms), new: holds(new, i64::MAX) };
    let tlds = tlds(old);
    if tlds.len() < 2 {
        return Ok(permits.check_all(damage, &[all])?);
    }
    let before = match counts(old, &tlds) {
        Ok(before) => before,
        // A registry that does not read cannot be counted.
        Err(error) => {
            let error = error.to_string();
            return Ok(permits.check_all(Some(damage.unwrap_or(&error)), &[all])?);
        }
    };
    let after = counts(new, &tlds)?;
    let of_tlds = tlds.iter().zip(before).zip(after).map(|((tld, before), after)| Weighed {
        tld,
        own: None,
        old: Holds { domains: before, ..all.old },
        new: Holds { domains: after, ..all.new },
    });
    let weighed: Vec<_> = of_tlds.collect();
    Ok(permits.check_all(damage, &weighed)?)
}

/// TLDs of deposits, or else suffixes that lie below no other one.
fn tlds(data: &Data) -> Vec<String> {
    let marks = &data.state().deposits;
    let of_marks = marks.iter().map(|mark| mark.tld.to_string()).filter(|tld| !tld.is_empty());
    let of_marks: Vec<_> = of_marks.collect();
    let suffixes = data.suffixes();
    let is_top = |suffix: &str| {
        let others = suffixes.iter().map(|other| &**other).filter(|other| *other != suffix);
        zone_of(suffix, others.chain(of_marks.iter().map(String::as_str))).is_none()
    };
    let tops = suffixes.iter().filter(|suffix| is_top(suffix)).map(|suffix| suffix.to_string());
    let mut all: Vec<String> = tops.collect();
    all.extend(of_marks.iter().cloned());
    all
}

/// Domains of each TLD.
fn counts(data: &Data, tlds: &[String]) -> Result<Vec<u64>, Corrupt> {
    let mut counts = vec![0u64; tlds.len()];
    for domain in data.domains("")? {
        let Some(domain) = domain? else { continue };
        let zone = zone_of(&domain.name, tlds.iter().map(String::as_str));
        let of = zone.and_then(|zone| tlds.iter().position(|tld| tld == zone));
        if let Some(count) = of.and_then(|of| counts.get_mut(of)) {
            *count = count.saturating_add(1);
        }
    }
    Ok(counts)
}

/// Which of `zones` a name lies in: the longest that it is below, or is.
fn zone_of<'z>(name: &str, zones: impl IntoIterator<Item = &'z str>) -> Option<&'z str> {
    let is_in = |zone: &&str| {
        name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    zones.into_iter().filter(is_in).max_by_key(|zone| zone.len())
}
