//! Why a list is refused: file, line, entry, key, what is wrong, what would be right.

use std::fmt;

use ipnet::IpNet;

use super::{Action, LIST_BYTES_MAX, OWN_LIMIT_MAX, PREFIX_COUNT_MAX};
use crate::policy::display::settings::TextError;

/// A list that cannot be used. The one before stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{}{problem}", of_entry(*entry), of_key(key))]
pub struct ListError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// Which `[[entry]]` of the file, from 1; 0: none in particular.
    pub entry: u32,
    /// The key of the entry; empty: none in particular.
    pub key: &'static str,
    /// What is wrong.
    pub problem: Box<ListProblem>,
}

fn of_entry(entry: u32) -> String {
    if entry == 0 { String::new() } else { format!("entry {entry}: ") }
}

fn of_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

/// What is wrong with a list, with what was got and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListProblem {
    /// A file is too long.
    #[error("{got} bytes, at most {LIST_BYTES_MAX} are allowed; split the file")]
    Long {
        /// Its length, bytes.
        got: usize,
    },
    /// A file is not TOML, or has a key or a value that it may not have.
    #[error("{message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// An entry has no prefix.
    #[error("is not set; name one or a list, such as \"192.0.2.0/24\"")]
    NoPrefix,
    /// The list of an entry's prefixes is empty.
    #[error("the list is empty; name at least one prefix")]
    NoPrefixes,
    /// A text is not a prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A file has too many prefixes.
    #[error("more than {PREFIX_COUNT_MAX} prefixes are not allowed")]
    PrefixCount,
    /// All files together have too many prefixes.
    #[error("{got} prefixes in all files up to this one, at most {PREFIX_COUNT_MAX} are allowed")]
    PrefixCountOfAll {
        /// Prefixes up to the end of this file.
        got: usize,
    },
    /// An entry does nothing.
    #[error(
        "is not set, nor is tier; set action to \"deny\", \"allow\" or \"limit\", or name a tier"
    )]
    NoAction,
    /// A word is not an action.
    #[error("{word:?} is not an action; known are deny, allow, limit")]
    Action {
        /// The word.
        word: String,
    },
    /// A key of limits has no limit around it.
    #[error("is for action \"limit\" alone; set that, or take this out")]
    NoLimit,
    /// A limit has no rate.
    #[error("is not set; action \"limit\" needs it")]
    NoRate,
    /// A rate or a burst is out of its bounds.
    #[error("{got} is out of bounds, 1 to {OWN_LIMIT_MAX} are allowed")]
    Bound {
        /// The number.
        got: i64,
    },
    /// A word does not say what a limit is for.
    #[error("{word:?} is neither \"address\" nor \"prefix\"")]
    Per {
        /// The word.
        word: String,
    },
    /// A text cannot be part of a refusal.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A time is not a moment.
    #[error(
        "{time} is not a time with date and zone; write one such as 2027-01-01T00:00:00Z, without \
         quotes"
    )]
    Time {
        /// The time as it was written.
        time: String,
    },
    /// The configuration has no such tier.
    #[error("there is no tier {name:?}; the configuration names the tiers")]
    NoTier {
        /// The name.
        name: String,
    },
    /// Two entries give one prefix different actions.
    #[error("{}", conflict(*prefix, new, old, file, *line))]
    Actions {
        /// The prefix.
        prefix: IpNet,
        /// Its action here.
        new: Action,
        /// Its action in the other entry.
        old: Action,
        /// File of the other entry.
        file: String,
        /// Line of the other entry.
        line: u32,
    },
    /// Two entries give one prefix different tiers.
    #[error("{}", conflict(*prefix, new, old, file, *line))]
    Tiers {
        /// The prefix.
        prefix: IpNet,
        /// Its tier here.
        new: String,
        /// Its tier in the other entry.
        old: String,
        /// File of the other entry.
        file: String,
        /// Line of the other entry.
        line: u32,
    },
}

fn conflict<T: fmt::Display>(prefix: IpNet, new: &T, old: &T, file: &str, line: u32) -> String {
    format!("{prefix} is \"{new}\" here and \"{old}\" at {file}:{line}; take one of them out")
}

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is neither a prefix nor an address.
    #[error("{text:?} is not a prefix; write one such as \"192.0.2.0/24\" or \"2001:db8::/32\"")]
    Form {
        /// The text.
        text: String,
    },
    /// Bits of its address are set after the length of its prefix.
    #[error(
        "{text:?} has bits behind the length of its prefix; write \"{}\", or \"{}\" for the one \
         address",
        read.trunc(),
        IpNet::from(read.addr())
    )]
    HostBits {
        /// The text.
        text: String,
        /// Address and length as they were read.
        read: IpNet,
    },
}
