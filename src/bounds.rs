//! What every folder may use: the bounds and words of a setting, and the characters that break a
//! line.
//!
//! # Invariants
//!
//! - The default of a setting lies within its bounds, checked when it is compiled.
//!
//! # Does not
//!
//! Know any setting.

/// A bounded setting: its default and what it may be set to.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The value without configuration.
    pub default: u64,
    /// Smallest value accepted.
    pub min: u64,
    /// Largest value accepted.
    pub max: u64,
}

impl Bound {
    pub(crate) const fn new(default: u64, min: u64, max: u64) -> Self {
        assert!(min <= default && default <= max, "the default lies outside of its bounds");
        Self { default, min, max }
    }
}

/// A text that is none of the words of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {}", words.join(", "))]
pub struct UnknownWord {
    /// The text.
    pub text: String,
    /// The words.
    pub words: Vec<&'static str>,
}

/// The one of `values`, which are all, whose word is `text`.
pub(crate) fn of_word<T: Copy, const COUNT: usize>(
    text: &str,
    values: [T; COUNT],
    word: fn(T) -> &'static str,
) -> Result<T, UnknownWord> {
    let value = values.into_iter().find(|value| word(*value) == text);
    let unknown = || UnknownWord { text: text.to_owned(), words: values.map(word).to_vec() };
    value.ok_or_else(unknown)
}

/// Whether a character could make one line look like two, or turn its text around: controls,
/// the Unicode line and paragraph separators, and the controls of writing direction.
#[must_use]
pub const fn breaks_lines(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
    )
}
