//! Which of the snapshot's suffixes a name lies under.
//!
//! # Does not
//!
//! Look records up: a name under a served suffix need not be there.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::name;
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

/// The same for a name as it was typed, with or without wildcards; none if it is no name.
#[must_use]
pub fn suffix_of<'v>(view: &'v View, typed: &str) -> Option<&'v str> {
    // A wildcard stands in front of the suffix, if it leaves one at all.
    let typed = typed.rsplit(['%', '_']).next().unwrap_or(typed).trim_start_matches('.');
    let name = name::canonical(typed)?;
    of_canonical(view, name.as_str())
}
