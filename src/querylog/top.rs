//! The most frequent of very many texts, in bounded memory.
//!
//! # Invariants
//!
//! - `exact`: while there have been no more different texts than [`TEXTS_MAX`], every count is
//!   exact.
//! - `between`: beyond that, a text's true count lies between its count and its count plus
//!   [`Top::cut`]; a text that was asked for more often than `cut` is here.
//!
//! Beyond the bound this is the algorithm of Misra and Gries, which takes the same from every count
//! and drops those that reach zero; here as much as the median at once, so that it is seldom done.
//!
//! # Does not
//!
//! Know what the texts are.

use hashbrown::HashMap;

/// Different texts that are counted at a time: about 20 MB where they are names, 170 MB at worst.
pub const TEXTS_MAX: usize = 131_072;

/// Counts of texts.
#[derive(Debug)]
pub(super) struct Top {
    counts: HashMap<Box<str>, u64, ahash::RandomState>,
    texts_max: usize,
    cut: u64,
}

impl Default for Top {
    fn default() -> Self {
        Self::new(TEXTS_MAX)
    }
}

impl Top {
    fn new(texts_max: usize) -> Self {
        Self { counts: HashMap::default(), texts_max, cut: 0 }
    }

    /// Counts a text.
    pub(super) fn add(&mut self, text: &str) {
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
            return;
        }
        if self.counts.len() >= self.texts_max {
            let mut counts: Vec<_> = self.counts.values().copied().collect();
            let middle = counts.len() / 2;
            let (_, median, _) = counts.select_nth_unstable(middle);
            let less = *median;
            self.cut += less;
            self.counts.retain(|_, count| {
                *count = count.saturating_sub(less);
                *count > 0
            });
        }
        self.counts.insert(text.into(), 1);
    }

    /// How much a count may be too small.
    pub(super) const fn cut(&self) -> u64 {
        self.cut
    }

    /// The `wanted` most frequent texts, the most frequent first, then by text.
    pub(super) fn most(&self, wanted: usize) -> Vec<(String, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(text, count)| (&**text, *count)).collect();
        let order = |a: &(&str, u64), b: &(&str, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if all.len() > wanted {
            all.select_nth_unstable_by(wanted, order);
            all.truncate(wanted);
        }
        all.sort_unstable_by(order);
        all.into_iter().map(|(text, count)| (text.to_owned(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn counts_are_exact_within_the_bound_and_between_its_limits_beyond_it() {
        for (texts_max, is_exact) in [(2_000, true), (50, false)] {
            let mut top = Top::new(texts_max);
            let mut model: BTreeMap<String, u64> = BTreeMap::new();
            let mut seed = 42_u64;
            for _ in 0..50_000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let random = seed >> 33;
                // Half of it of ten names, half of a thousand.
                let name =
                    if random.is_multiple_of(2) { random / 2 % 10 } else { random / 2 % 1_000 };
                let text = format!("n{name}");
                top.add(&text);
                *model.entry(text).or_default() += 1;
            }
            assert_eq!(top.cut() == 0, is_exact);
            let most = top.most(10);
            let mut expected: Vec<_> = model.clone().into_iter().collect();
            expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            if is_exact {
                assert_eq!(most, expected[..10]);
            }
            for (text, count) in &most {
                let really = model[text];
                assert!(*count <= really && really <= count + top.cut(), "{text}: {count}");
            }
            let found: Vec<_> = most.iter().map(|(text, _)| text).collect();
            for (text, count) in &expected[..10] {
                assert!(*count <= top.cut() || found.contains(&text), "{text}: {count}");
            }
            assert!(top.counts.len() <= texts_max);
        }
    }
}
