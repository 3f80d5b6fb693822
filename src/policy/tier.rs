//! Tiers: who is shown more, or less, than the public.
//!
//! # Invariants
//!
//! - [`Tier::PUBLIC`] is the tier of whoever has no other one. It is there without configuration.
//! - `of-its-rules`: a tier belongs to the [`super::Rules`] that gave it. Under other rules it is
//!   another one, or the public if there are not so many.
//!
//! # Does not
//!
//! Know who is in a tier (`lists`), or what one sees (`mask`).

/// A tier of one set of rules: a number that costs nothing to hand around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier(u8);

impl Tier {
    /// What everybody sees.
    pub const PUBLIC: Self = Self(0);

    /// Its place among the tiers of its rules; the public is 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// The tier at a place.
    pub(super) const fn at(index: u8) -> Self {
        Self(index)
    }
}

/// Name of [`Tier::PUBLIC`].
pub const PUBLIC_TIER: &str = "public";
