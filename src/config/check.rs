//! When a server compares the checksums of what it serves.
//!
//! # Does not
//!
//! Compare anything: a view does.

/// When checksums are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// While answers are given already.
    #[default]
    Behind,
    /// Before the first answer.
    First,
}

impl Check {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::First => "first",
        }
    }
}

impl std::str::FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "behind" => Ok(Self::Behind),
            "first" => Ok(Self::First),
            _ => Err(format!("`{text}` is not a time to check; known are behind, first")),
        }
    }
}
