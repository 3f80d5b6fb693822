//! An ordered set that shares what two versions have in common, and is read without allocating.
//!
//! Sorted chunks behind shared pointers: a clone copies one pointer, a change one chunk and the
//! list of chunks.
//!
//! # Invariants
//!
//! - Chunks are neither empty nor longer than [`CHUNK_COUNT_MAX`], and ascend.
//!
//! # Does not
//!
//! Remove: an element is a hint, and a look at the place that it points to shows what is gone.

use std::sync::Arc;

/// Elements of a chunk.
const CHUNK_COUNT_MAX: usize = 256;

/// Elements in order.
#[derive(Debug, Clone)]
pub(crate) struct CowSet<T> {
    chunks: Arc<Vec<Arc<Vec<T>>>>,
}

impl<T: Ord + Clone> CowSet<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Arc::new(Vec::new()) }
    }

    /// Adds `element`, if it is not there yet.
    pub(crate) fn insert(&mut self, element: T) {
        let behind = self.chunks.partition_point(|chunk| chunk.first() <= Some(&element));
        let chunks = Arc::make_mut(&mut self.chunks);
        let at = behind.saturating_sub(1);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![element]));
            return;
        };
        let Err(place) = chunk.binary_search(&element) else { return };
        let chunk = Arc::make_mut(chunk);
        chunk.insert(place, element);
        if chunk.len() > CHUNK_COUNT_MAX {
            let upper = chunk.split_off(CHUNK_COUNT_MAX / 2);
            chunks.insert(at.saturating_add(1), Arc::new(upper));
        }
    }

    /// The elements from the first on for which `is_before` is false; it is true for those in
    /// front of it.
    pub(crate) fn from(&self, is_before: impl Fn(&T) -> bool) -> impl Iterator<Item = &T> {
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(&is_before));
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        let skipped = chunks.first().map_or(0, |chunk| chunk.partition_point(&is_before));
        chunks.iter().flat_map(|chunk| chunk.iter()).skip(skipped)
    }

    /// All elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::key::hash;

    #[test]
    fn it_holds_what_an_ordinary_set_holds_and_a_clone_stays() {
        let (mut set, mut model) = (CowSet::new(), BTreeSet::new());
        let mut versions = Vec::new();
        for i in 0..5000_u64 {
            let element = hash(7, &i.to_le_bytes()) % 3000;
            set.insert(element);
            model.insert(element);
            if i % 500 == 0 {
                versions.push((set.clone(), model.clone()));
            }
        }
        versions.push((set, model));
        for (set, model) in &versions {
            assert!(set.iter().eq(model.iter()));
            for start in (0..3100).step_by(97) {
                assert!(set.from(|&element| element < start).eq(model.range(start..)));
            }
        }
    }
}
