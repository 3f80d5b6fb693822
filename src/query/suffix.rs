//! Which of the snapshot's suffixes a name lies under.
//!
//! # Does not
//!
//! Look records up: a name under a served suffix need not be there.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::name;
use super::wildcard::is_wildcard;
use crate::idn::narrow;
use crate::view::View;

/// The suffix of the snapshot that a canonical name lies under, or is.
pub(super) fn of_canonical<'v>(view: &'v View, name: &str) -> Option<&'v str> {
    let suffixes = view.suffixes();
    let mut rest = name;
    loop {
        if let Ok(index) = suffixes.binary_search_by(|suffix| (**suffix).cmp(rest)) {
            return suffixes.get(index).map(|suffix| &**suffix);
        }
        rest = rest.split_once('.')?.1;
    }
}

/// Whether a canonical name is a suffix of the snapshot.
pub(super) fn is_one(view: &View, name: &str) -> bool {
    view.suffixes().binary_search_by(|suffix| (**suffix).cmp(name)).is_ok()
}

/// Whether the names that a pattern matches lie under no suffix of the snapshot: by whole labels
/// after its last wildcard. No if there are no such labels, or if the snapshot names no suffix.
pub(super) fn is_of_none(view: &View, typed: &str) -> bool {
    let after = typed.rsplit(is_wildcard).next().unwrap_or_default();
    let whole =
        after.split_once(|c| narrow(c) == '.').and_then(|(_, whole)| name::canonical(whole));
    whole.is_some_and(|whole| {
        let whole = whole.as_str();
        let served = of_canonical(view, whole).is_some() || view.suffixes_lie_below(whole);
        !served && !view.suffixes().is_empty()
    })
}

/// The suffix of a name as it was typed, with or without wildcards; none if it is not a name.
#[must_use]
pub fn suffix_of<'v>(view: &'v View, typed: &str) -> Option<&'v str> {
    // A wildcard precedes the suffix, if it leaves one at all.
    let typed = typed.rsplit(is_wildcard).next().unwrap_or(typed);
    let typed = typed.trim_start_matches(|c| narrow(c) == '.');
    let name = name::canonical(typed)?;
    of_canonical(view, name.as_str())
}
