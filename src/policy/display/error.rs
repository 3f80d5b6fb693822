//! Why the configuration of answers is refused: which key, what it is, and what it may be.

use super::settings::{EXTRAS_COUNT_MAX, TEXT_BYTES_MAX};
use super::tier::TIER_NAME_BYTES_MAX;

/// A setting that cannot be used: which, what it is, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingError {
    /// Path of the key, `tld[1].suffix`; tables are counted from 1.
    pub key: String,
    /// What is wrong, with the value and the bound.
    pub problem: SettingProblem,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingProblem {
    /// There are too many tables of a kind.
    #[error("{got} tables, at most {max} may be given")]
    Tables {
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
    /// `[defaults]` has a suffix.
    #[error("\"{suffix}\" belongs into a [[tld]] table")]
    SuffixOfDefaults {
        /// The suffix.
        suffix: String,
    },
    /// A suffix is not a domain name.
    #[error("\"{suffix}\" is not a domain name; expected one such as example")]
    Suffix {
        /// The suffix as it was written.
        suffix: String,
    },
    /// Two tables are of one suffix, one registrar or one tier.
    #[error("\"{name}\" has a table already; join the two")]
    Twice {
        /// The suffix, the identifier or the name.
        name: String,
    },
    /// Two tables are of the registrar with one IANA identifier.
    #[error("{iana_id} has a table already; join the two")]
    IanaIdTwice {
        /// The identifier.
        iana_id: u32,
    },
    /// Two tables of one tier are of one suffix.
    #[error("\"{suffix}\" has a table of this tier already; join the two")]
    TwiceInTier {
        /// The suffix as it was written.
        suffix: String,
    },
    /// A `[[tld]]` table has rules for answers to `contact ID`.
    #[error("a contact has no suffix; set it in [defaults]")]
    ContactOfTld,
    /// A word is not a rule for a field.
    #[error(
        "\"{word}\" is not a rule for a field; expected shown, consent, redacted, empty, \
         left-out, text:... or, in a tier, always"
    )]
    Rule {
        /// The word.
        word: String,
    },
    /// A rule of tiers is used outside a tier.
    #[error(
        "\"always\" is for tiers, in [[tier]]; here \"shown\" is the most, which a contact's own \
         wish may hide, save what the preset publishes in any case"
    )]
    Always,
    /// `extras` lists too many keys.
    #[error("{got} keys, at most {EXTRAS_COUNT_MAX} may be given")]
    Extras {
        /// How many it lists.
        got: usize,
    },
    /// A key of `extras` has to stay that of another line.
    #[error(
        "\"{key}\" cannot be shown: it is a key of the standard answer, or one that programs take \
         for such, for a free name or for a limit, or holds other characters than letters, digits, \
         blanks and -_/.()"
    )]
    ExtraKey {
        /// The key.
        key: String,
    },
    /// A `[[registrar]]` table names no registrar.
    #[error("has neither id nor iana_id; one of them says which it is")]
    NoRegistrar,
    /// A registrar's server or URL cannot be reached by what it says.
    #[error("{text:?} cannot be followed; expected {expected}")]
    Followed {
        /// The server or URL as it was written.
        text: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A tier sets the text of a field.
    #[error(
        "\"text:{text}\" cannot be said in a tier, which shows a value or hides it; set the text \
         in [defaults] or [[tld]]"
    )]
    TextOfTier {
        /// The text.
        text: String,
    },
    /// A tier has the name of the public.
    #[error("\"{name}\" is who has no tier; what it sees stands in [defaults] and [[tld]]")]
    PublicTier {
        /// That name.
        name: String,
    },
    /// A name is not that of a tier.
    #[error(
        "\"{name}\" is not a name of a tier; expected 1 to {TIER_NAME_BYTES_MAX} small letters, \
         digits and -, such as law-enforcement"
    )]
    TierName {
        /// The name as it was written.
        name: String,
    },
    /// A text cannot be part of an answer.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Why a text cannot be part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text of one line is empty, too long, or has blanks around it.
    #[error(
        "{text:?} has {} bytes; 1 to {bytes_max} without blanks around are allowed", text.len()
    )]
    Line {
        /// The text.
        text: String,
        /// How long it may be, bytes.
        bytes_max: usize,
    },
    /// The text of one line has a character that would break it.
    #[error("{character:?} is not allowed; the text has one line")]
    LineBreak {
        /// The character.
        character: char,
    },
    /// The text of several lines is too long.
    #[error("{got} bytes, at most {TEXT_BYTES_MAX} are allowed")]
    Long {
        /// How long it is, bytes.
        got: usize,
    },
    /// The text of several lines has none.
    #[error("is blank; leave the key out where there is nothing to say")]
    Blank,
    /// The text of several lines has a character that breaks lines in another way than `\n`.
    #[error("{character:?} is not allowed; lines end in \\n")]
    OtherBreak {
        /// The character.
        character: char,
    },
    /// Programs would misread an answer with the text.
    #[error("holds \"{phrase}\", {why}; say it in other words")]
    Misleading {
        /// What they look for.
        phrase: &'static str,
        /// What they conclude from it.
        why: &'static str,
    },
}
