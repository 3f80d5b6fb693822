//! What one tier sees of the records of one suffix: a mask over blocks and fields.
//!
//! # Invariants
//!
//! - `no-text`: a mask says whether a value is shown and what kind of thing stands for it, never
//!   how that reads on a line. So every rendering can use it.
//! - `one-decision`: nothing else decides whether a value of a contact is shown, but the contact's
//!   own wish, which [`Sees::shows`] takes.
//!
//! # Does not
//!
//! Know lines, or which tier it belongs to.

use super::rules::ExtrasRule;
#[cfg(test)]
use crate::field::contact::ShownField;
use crate::field::contact::{FIELD_COUNT, ROLE_COUNT};

/// The contact of no role among the blocks.
pub(crate) const CONTACT_BLOCK: usize = ROLE_COUNT - 1;

/// How a tier sees one field of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sees {
    /// The value, unless the contact asked to hide it; then as redacted.
    Shown,
    /// The value if the contact asked to show it; else as redacted.
    Consent,
    /// The value, whatever the contact asked for.
    Always,
    /// What the suffix has for a redacted value.
    Redacted,
    /// A field without a value.
    Empty,
    /// Nothing at all.
    LeftOut,
    /// The text that the suffix has for this field.
    Text,
}

/// What a contact has asked for about one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    None,
    Show,
    Hide,
}

impl Sees {
    const ALL: [Self; 7] = [
        Self::Shown,
        Self::Consent,
        Self::Always,
        Self::Redacted,
        Self::Empty,
        Self::LeftOut,
        Self::Text,
    ];

    /// Whether the value is shown.
    #[inline]
    pub(crate) const fn shows(self, wish: Wish) -> bool {
        match self {
            Self::Shown => !matches!(wish, Wish::Hide),
            Self::Consent => matches!(wish, Wish::Show),
            Self::Always => true,
            Self::Redacted | Self::Empty | Self::LeftOut | Self::Text => false,
        }
    }
}

/// Bits of one field in a [`BlockMask`].
const FIELD_BITS: u32 = 3;
const FIELD_MASK: u64 = (1 << FIELD_BITS) - 1;
/// Where the fields begin that a contact without wishes does not show, a bit each.
const USUAL_SHIFT: u32 = 40;
const USUAL_MASK: u64 = (1 << FIELD_COUNT) - 1;
/// Whether a field is left out.
const LEFT_OUT_BIT: u64 = 1 << 62;
/// Whether the block is there.
const BLOCK_BIT: u64 = 1 << 63;

const _: () = {
    assert!(Sees::ALL.len() <= 1 << FIELD_BITS && FIELD_COUNT <= 16);
    assert!(FIELD_COUNT * (FIELD_BITS as usize) <= USUAL_SHIFT as usize);
    assert!(USUAL_SHIFT as usize + FIELD_COUNT < 62);
};

/// A block and its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockMask(u64);

impl BlockMask {
    pub(super) fn new(shown: bool, fields: [Sees; FIELD_COUNT]) -> Self {
        let bits = if shown { BLOCK_BIT } else { 0 };
        // The first field has the lowest bits.
        let all = fields.iter().rev().fold(0, |bits, sees| bits << FIELD_BITS | *sees as u64);
        let is_hidden = |sees: &Sees| u64::from(!sees.shows(Wish::None));
        let usual = fields.iter().rev().fold(0, |bits, sees| bits << 1 | is_hidden(sees));
        let left_out = if fields.contains(&Sees::LeftOut) { LEFT_OUT_BIT } else { 0 };
        Self(bits | left_out | usual << USUAL_SHIFT | all)
    }

    /// What a contact without wishes hides, a bit for each field from the lowest on; `None` if
    /// something of it is left out rather than hidden.
    #[inline]
    pub(crate) const fn usual_hidden(self) -> Option<u16> {
        if self.0 & LEFT_OUT_BIT != 0 {
            return None;
        }
        Some((self.0 >> USUAL_SHIFT & USUAL_MASK) as u16)
    }

    /// Whether the block is there at all.
    #[inline]
    pub(crate) const fn is_shown(self) -> bool {
        self.0 & BLOCK_BIT != 0
    }

    /// How a field is seen.
    #[cfg(test)]
    pub(crate) fn sees(self, field: ShownField) -> Sees {
        self.fields().nth(field as usize).unwrap_or(Sees::Redacted)
    }

    /// How each field is seen, in their order.
    #[inline]
    pub(crate) fn fields(self) -> impl Iterator<Item = Sees> {
        let mut bits = self.0;
        (0..FIELD_COUNT).map(move |_| {
            let field = bits & FIELD_MASK;
            bits >>= FIELD_BITS;
            Sees::ALL[usize::try_from(field).unwrap_or(0).min(Sees::ALL.len() - 1)]
        })
    }
}

/// What one tier sees of the records of one suffix.
#[derive(Debug)]
pub(crate) struct Mask {
    pub(crate) blocks: [BlockMask; ROLE_COUNT],
    /// Whether a field without a value keeps its key. One style in the whole answer: the grammar
    /// of ICANN's testing tool asks for that.
    pub(crate) print_empty: bool,
    pub(crate) nameserver_addresses: bool,
    pub(crate) extras: ExtrasRule,
}

// As ARCHITECTURE.md and the bound of tiers say.
const _: () = assert!(size_of::<Mask>() == 72);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_gives_back_what_it_was_made_of() {
        for turn in 0..Sees::ALL.len() {
            let fields = std::array::from_fn(|index| Sees::ALL[(index + turn) % Sees::ALL.len()]);
            for shown in [false, true] {
                let mask = BlockMask::new(shown, fields);
                assert_eq!(mask.is_shown(), shown);
                assert!(mask.fields().eq(fields));
                assert_eq!(mask.sees(ShownField::Email), fields[ShownField::Email as usize]);
                let hidden = |index: usize| u16::from(!fields[index].shows(Wish::None)) << index;
                let all = (0..FIELD_COUNT).fold(0, |bits, index| bits | hidden(index));
                let is_whole = !fields.contains(&Sees::LeftOut);
                assert_eq!(mask.usual_hidden(), is_whole.then_some(all));
            }
        }
    }

    #[test]
    fn a_wish_to_hide_is_heard_by_all_but_always() {
        for sees in Sees::ALL {
            assert_eq!(sees.shows(Wish::Hide), sees == Sees::Always);
            let shown = matches!(sees, Sees::Shown | Sees::Consent | Sees::Always);
            assert_eq!(sees.shows(Wish::Show), shown);
            assert_eq!(sees.shows(Wish::None), shown && sees != Sees::Consent);
        }
    }
}
