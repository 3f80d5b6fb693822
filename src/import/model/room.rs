//! How much an envelope may hold: its menu, counts, policies, CSV definitions with their fields and
//! files.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::import::xml::XmlError;
use crate::vet::rule::Rule;

/// Most entries of a list.
const ENTRIES_MAX: usize = 4096;
/// What all entries take together at most, bytes; those of a deposit of the CSV model take a tenth.
const BYTES_MAX: usize = 1 << 20;

/// What is left of it.
pub(super) struct Room {
    left_bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { left_bytes: BYTES_MAX }
    }
}

impl Room {
    /// Keeps an entry whose texts have `text_bytes`, as far as there is room for it.
    pub(super) fn keep<T>(
        &mut self,
        list: &mut Vec<T>,
        item: T,
        text_bytes: usize,
    ) -> Result<(), XmlError> {
        let refused = |got: String| Err(XmlError::Broken(Rule::XmlBounds, got));
        if list.len() >= ENTRIES_MAX {
            return refused(format!("a list of more than {ENTRIES_MAX} entries"));
        }
        let bytes = text_bytes.saturating_add(size_of::<T>());
        let Some(left_bytes) = self.left_bytes.checked_sub(bytes) else {
            let got = "menu, counts, policies and definitions of more than 1 MiB".to_owned();
            return refused(got);
        };
        self.left_bytes = left_bytes;
        list.push(item);
        Ok(())
    }
}
