//! What a domain's answer has beside its own record: its nameservers in order, its variants, its
//! name in Unicode.
//!
//! # Invariants
//!
//! - `sorted`: nameservers are sorted by name: deposits give them in any order, and two answers
//!   about one domain should differ only where its data does.
//!
//! # Does not
//!
//! Write anything.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::delta::Variant;
use snapshot_format::object::NndnState;
use snapshot_format::record::{ArchivedDomain, ArchivedNameserver};

use crate::idn;
use crate::view::Data;

/// Nameservers that are sorted on a small piece of stack: more than most domains have.
const NAMESERVERS_USUAL: usize = 8;
/// Nameservers that are shown at most: the bound of the format.
const NAMESERVERS_MAX: usize = snapshot_format::limits::LIST_COUNT_MAX;

/// Hands a domain's nameservers to `each`, in the order of their names. Whether there are any.
#[inline]
pub(super) fn nameservers<'v>(
    data: &'v Data,
    record: &ArchivedDomain,
    each: impl FnMut(&'v ArchivedNameserver),
) -> Result<bool, Corrupt> {
    match record.nameservers.len() {
        0 => Ok(false),
        1..=NAMESERVERS_USUAL => sorted::<NAMESERVERS_USUAL>(data, record, each),
        _ => sorted::<NAMESERVERS_MAX>(data, record, each),
    }
}

fn sorted<'v, const N: usize>(
    data: &'v Data,
    record: &ArchivedDomain,
    each: impl FnMut(&'v ArchivedNameserver),
) -> Result<bool, Corrupt> {
    let mut sorted: [Option<&ArchivedNameserver>; N] = [None; N];
    for (place, ordinal) in sorted.iter_mut().zip(record.nameservers.iter()) {
        *place = data.record(ordinal.to_native())?;
    }
    let count = record.nameservers.len().min(N);
    let sorted = sorted.get_mut(..count).unwrap_or_default();
    sorted.sort_unstable_by_key(|nameserver| nameserver.map(|n| n.name.as_str()));
    sorted.iter().flatten().copied().for_each(each);
    Ok(sorted.iter().any(Option::is_some))
}

/// The active variants of a name: those that are domains, and those that mirror it.
pub(super) fn active_variants<'v>(
    data: &'v Data,
    primary: &'v str,
) -> Result<impl Iterator<Item = Result<&'v str, Corrupt>>, Corrupt> {
    let is_active = |variant: &Variant<'_>| match variant {
        Variant::Domain(_) => true,
        Variant::Nndn(nndn) => nndn.state == NndnState::Mirrored as u8,
    };
    Ok(data.variants(primary)?.filter_map(move |variant| match variant {
        Ok(variant) => is_active(&variant).then(|| Ok(variant.name())),
        Err(corrupt) => Some(Err(corrupt)),
    }))
}

/// The Unicode form of a name whose record has none. An import stores a form that it has proven, so
/// few records get here; a form that cannot be proven is not shown.
pub(super) fn decoded_name(name: &str, u_name: &str) -> Option<idn::UName> {
    if u_name.is_empty() { idn::unicode(name) } else { None }
}

/// The Unicode form to show: that of the record, or else the decoded one.
pub(super) fn u_name_of<'a>(u_name: &'a str, decoded: Option<&'a idn::UName>) -> &'a str {
    decoded.map_or(u_name, |decoded| decoded.as_str())
}
