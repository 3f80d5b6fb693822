//! The suffixes under which names are served: those that a deposit or a database names, and, for
//! names below none of these, the ones that the names themselves show.
//!
//! # Invariants
//!
//! - `nearest`: no suffix that was inferred lies below another one, so a name that is there is
//!   never an inferred suffix, in whatever order names come.
//! - `bounded`: nothing is inferred beyond [`SUFFIXES_MAX`] suffixes.
//!
//! # Does not
//!
//! Know which names are there: the caller that adds a name reports when it is gone.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;

/// Most suffixes with inferred ones among them: more is not a registry.
pub const SUFFIXES_MAX: usize = 4096;

/// Count of the names below a suffix that came with a base: it does not go with them.
const UNCOUNTED: u64 = u64::MAX;

/// Suffixes under which names are served. A clone shares them until it changes.
#[derive(Debug, Clone, Default)]
pub struct Suffixes {
    /// All of them, sorted.
    sorted: Arc<Vec<Box<str>>>,
    /// Names that a suffix lies below, sorted: each miss asks for one.
    parents: Arc<Vec<Box<str>>>,
    /// Those that were inferred, with how many names each has.
    inferred: Arc<BTreeMap<Box<str>, u64>>,
}

impl Suffixes {
    /// Those of a base, of which `is_declared` tells those that were named from those that were
    /// inferred.
    pub(crate) fn of_base<'s>(
        suffixes: impl Iterator<Item = &'s str>,
        is_declared: impl Fn(&str) -> bool,
    ) -> Self {
        let mut sorted: Vec<Box<str>> = suffixes.map(Box::from).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let inferred = sorted.iter().filter(|suffix| !is_declared(suffix));
        let inferred = inferred.map(|suffix| (suffix.clone(), UNCOUNTED)).collect();
        let parents = Arc::new(parents(&sorted));
        Self { sorted: Arc::new(sorted), parents, inferred: Arc::new(inferred) }
    }

    /// All of them, sorted.
    #[must_use]
    pub fn all(&self) -> &[Box<str>] {
        &self.sorted
    }

    /// Whether a suffix lies below a name.
    #[must_use]
    pub fn lie_below(&self, name: &str) -> bool {
        self.parents.binary_search_by(|there| (**there).cmp(name)).is_ok()
    }

    /// Adds a suffix that a deposit or a database names. Inferred ones below it go.
    pub fn declare(&mut self, suffix: &str) {
        let _counted_by_nobody = self.take_inferred(suffix);
        self.insert(suffix);
    }

    /// Takes in that a name is there: below a suffix, or else its parent becomes one.
    pub fn add(&mut self, name: &str) {
        if let Some(suffix) = self.above(name) {
            if self.inferred.contains_key(suffix) {
                let suffix: Box<str> = suffix.into();
                let counts = Arc::make_mut(&mut self.inferred);
                counts.entry(suffix).and_modify(|count| *count = count.saturating_add(1));
            }
            return;
        }
        let parent = name.split_once('.').map_or("", |(_, parent)| parent);
        if parent.is_empty() {
            return;
        }
        let count = self.take_inferred(parent).saturating_add(1);
        if self.sorted.len() < SUFFIXES_MAX {
            self.insert(parent);
            Arc::make_mut(&mut self.inferred).insert(parent.into(), count);
        }
    }

    /// Takes in that a name is gone. An inferred suffix goes with its last name.
    pub fn remove(&mut self, name: &str) {
        let Some(suffix) = self.above(name) else { return };
        let Some(&count) = self.inferred.get(suffix).filter(|&&count| count != UNCOUNTED) else {
            return;
        };
        let suffix: Box<str> = suffix.into();
        let left = count.saturating_sub(1);
        let counts = Arc::make_mut(&mut self.inferred);
        if left > 0 {
            counts.insert(suffix, left);
            return;
        }
        counts.remove(&suffix);
        if let Ok(at) = self.place(&suffix) {
            Arc::make_mut(&mut self.sorted).remove(at);
            self.parents = Arc::new(parents(&self.sorted));
        }
    }

    /// Whether a name is below a suffix, or is one that was declared.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.above(name).is_some()
    }

    /// The nearest suffix above a name, or the name itself if it was declared as one.
    fn above<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.place(name).is_ok() && !self.inferred.contains_key(name) {
            return Some(name);
        }
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            if self.place(parent).is_ok() {
                return Some(parent);
            }
            rest = parent;
        }
        None
    }

    fn place(&self, suffix: &str) -> Result<usize, usize> {
        self.sorted.binary_search_by(|there| (**there).cmp(suffix))
    }

    fn insert(&mut self, suffix: &str) {
        if let Err(at) = self.place(suffix) {
            Arc::make_mut(&mut self.sorted).insert(at, suffix.into());
            self.parents = Arc::new(parents(&self.sorted));
        }
    }

    /// Takes out the inferred suffixes that are `suffix` or below it; gives how many names they
    /// had.
    fn take_inferred(&mut self, suffix: &str) -> u64 {
        let goes = |there: &str| there == suffix || is_below(there, suffix);
        let counts = self.inferred.iter().filter(|(there, _)| goes(there)).map(|(_, count)| *count);
        let Some(count) = counts.reduce(u64::saturating_add) else { return 0 };
        let inferred = Arc::make_mut(&mut self.inferred);
        Arc::make_mut(&mut self.sorted)
            .retain(|there| !(goes(there) && inferred.contains_key(there)));
        inferred.retain(|there, _| !goes(there));
        self.parents = Arc::new(parents(&self.sorted));
        count
    }
}

/// Names that one of `suffixes` lies below, sorted.
fn parents(suffixes: &[Box<str>]) -> Vec<Box<str>> {
    let mut parents = Vec::new();
    for suffix in suffixes {
        let mut rest = &**suffix;
        while let Some((_, parent)) = rest.split_once('.') {
            parents.push(parent);
            rest = parent;
        }
    }
    parents.sort_unstable();
    parents.dedup();
    parents.into_iter().map(Box::from).collect()
}

/// Whether a name lies below `above`.
pub(crate) fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(suffixes: &Suffixes) -> Vec<&str> {
        suffixes.all().iter().map(|suffix| &**suffix).collect()
    }

    fn declared(zones: &[&str]) -> Suffixes {
        let mut suffixes = Suffixes::default();
        zones.iter().for_each(|zone| suffixes.declare(zone));
        suffixes
    }

    #[test]
    fn a_parent_is_a_suffix_only_where_no_zone_has_the_name() {
        let mut suffixes = declared(&["demo", "co.demo"]);
        for name in ["a.demo", "mail.free.demo", "x.co.demo", "a.b.c.demo", "co.demo", "demo"] {
            suffixes.add(name);
        }
        assert_eq!(all(&suffixes), ["co.demo", "demo"]);
        suffixes.add("shop.newtld");
        suffixes.add("a.b.other");
        assert_eq!(all(&suffixes), ["b.other", "co.demo", "demo", "newtld"]);
    }

    #[test]
    fn names_above_a_suffix_are_known_as_long_as_it_is_there() {
        let mut suffixes = declared(&["x.co.trip", "trip"]);
        let above = |suffixes: &Suffixes| {
            let names = ["co.trip", "trip", "x.co.trip", "b.other", "other", "o.trip"];
            names.map(|name| suffixes.lie_below(name))
        };
        assert_eq!(above(&suffixes), [true, true, false, false, false, false]);
        suffixes.add("a.b.other");
        assert_eq!(above(&suffixes), [true, true, false, false, true, false]);
        suffixes.remove("a.b.other");
        assert_eq!(above(&suffixes), [true, true, false, false, false, false]);
        let of_base = Suffixes::of_base(["x.co.trip"].into_iter(), |_| true);
        assert_eq!(above(&of_base), [true, true, false, false, false, false]);
    }

    #[test]
    fn a_name_that_is_there_is_no_inferred_suffix_in_any_order() {
        let names = ["john.smith.demo", "smith.demo", "a.b.c.demo", "x.smith.demo", "c.demo"];
        for first in 0..names.len() {
            let mut suffixes = Suffixes::default();
            for place in 0..names.len() {
                suffixes.add(names[(first + place) % names.len()]);
            }
            assert_eq!(all(&suffixes), ["demo"]);
        }
        // One that a base brought yields as well, unless a deposit named it.
        for (is_declared, expected) in [(true, "b.demo"), (false, "demo")] {
            let mut suffixes = Suffixes::of_base(["b.demo"].into_iter(), |_| is_declared);
            suffixes.add("b.demo");
            suffixes.remove("b.demo");
            assert_eq!(all(&suffixes), [expected]);
        }
    }

    #[test]
    fn an_inferred_suffix_goes_with_its_last_name_and_a_declared_one_stays() {
        let mut suffixes = declared(&["demo"]);
        let before = suffixes.clone();
        for name in ["a.demo", "x.b.new", "y.b.new", "b.new"] {
            suffixes.add(name);
        }
        assert_eq!(all(&suffixes), ["demo", "new"]);
        for (name, expected) in
            [("x.b.new", 2), ("a.demo", 2), ("b.new", 2), ("y.b.new", 1), ("b.new", 1)]
        {
            suffixes.remove(name);
            assert_eq!(suffixes.all().len(), expected, "{name}");
        }
        assert_eq!((all(&suffixes), all(&before)), (vec!["demo"], vec!["demo"]));
        // Of a base nobody knows how many names it has.
        let mut suffixes = Suffixes::of_base(["new"].into_iter(), |_| false);
        suffixes.add("x.new");
        suffixes.remove("x.new");
        assert_eq!(all(&suffixes), ["new"]);
    }

    #[test]
    fn inferring_ends_at_its_bound_and_the_zone_of_all_of_them_still_comes() {
        let mut suffixes = Suffixes::default();
        for number in 0..=SUFFIXES_MAX {
            suffixes.add(&format!("x.n{number}.demo"));
        }
        assert_eq!(suffixes.all().len(), SUFFIXES_MAX);
        suffixes.add("n0.demo");
        assert_eq!(all(&suffixes), ["demo"]);
    }
}
