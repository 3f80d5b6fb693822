//! A tuning profile: a TOML file of tables and keys, each value checked against its bounds.
//!
//! # Invariants
//!
//! - A profile holds known keys only, each value within the bounds of its setting.
//!
//! # Does not
//!
//! Ask for every key: what a profile leaves out is not checked.

use std::fmt;
use std::io;
use std::path::Path;

use toml::{Table, Value as Toml};

use super::machine::Machine;
use super::settings::{self, Form, Setting};
use crate::observe::printable::counted;

/// Longest profile, in bytes: the largest here has 3 KB.
pub const PROFILE_BYTES_MAX: u64 = 64 * 1024;

/// The profiles of `tuning/`, name and text, smallest machine first.
pub const EMBEDDED: [(&str, &str); 3] = [
    ("small-2-core", include_str!("../../tuning/small-2-core.toml")),
    ("bl460c-2x4-64g", include_str!("../../tuning/bl460c-2x4-64g.toml")),
    ("dual-socket-64-core", include_str!("../../tuning/dual-socket-64-core.toml")),
];

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
#[error("profile {name}: {problem}")]
pub struct ProfileError {
    /// Its name or file.
    pub name: String,
    /// Key, value and bound.
    pub problem: ProfileProblem,
}

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileProblem {
    /// It is neither one of ours nor a file.
    #[error("{source}; known are {}, or a file", EMBEDDED.map(|(name, _)| name).join(", "))]
    NotFound {
        /// What the system says of the file.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is too long.
    #[error("{bytes} bytes are too many, at most {PROFILE_BYTES_MAX} are allowed")]
    Long {
        /// Its length, bytes.
        bytes: u64,
    },
    /// It is not TOML.
    #[error("line {line}: {}", source.message())]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        source: toml::de::Error,
    },
    /// No table has this name.
    #[error("{table}: unknown key")]
    UnknownTable {
        /// The name.
        table: String,
    },
    /// No setting has this key.
    #[error("{key}: unknown key; tuning/README.md lists those that there are")]
    UnknownKey {
        /// The key with its table.
        key: String,
    },
    /// A value is not one of the words that the setting takes.
    #[error("{key}: {got} is none of {}", words.join(", "))]
    Word {
        /// The key with its table.
        key: String,
        /// The value.
        got: Toml,
        /// The words.
        words: &'static [&'static str],
    },
    /// A value is not the release of a kernel.
    #[error("{key}: {got} is not a release such as \"6.1\"")]
    Release {
        /// The key with its table.
        key: String,
        /// The value.
        got: Toml,
    },
    /// A value is not a number.
    #[error("{key}: {got} is not a whole number")]
    Number {
        /// The key with its table.
        key: String,
        /// The value.
        got: Toml,
    },
    /// A number is below its bound.
    #[error("{key}: {got} is too small, at least {min} is required")]
    Small {
        /// The key with its table.
        key: String,
        /// The number.
        got: i64,
        /// The bound.
        min: u64,
    },
    /// A number is above its bound.
    #[error("{key}: {got} is too large, at most {max} is allowed")]
    Large {
        /// The key with its table.
        key: String,
        /// The number.
        got: i64,
        /// The bound.
        max: u64,
    },
}

/// What a profile wants of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A number.
    Number(u64),
    /// A word, or a kernel release.
    Word(String),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// A checked profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name, or the file that it was read from.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    wanted: Vec<(&'static Setting, Wanted)>,
}

impl Profile {
    /// One of `tuning/` by its name, or a file.
    ///
    /// # Errors
    ///
    /// If there is none, or it holds what it may not.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        let refused = |problem| ProfileError { name: name.to_owned(), problem };
        if let Some((name, text)) = EMBEDDED.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, text);
        }
        let path = Path::new(name);
        let found = std::fs::metadata(path);
        let bytes = found.map_err(|source| refused(ProfileProblem::NotFound { source }))?.len();
        if bytes > PROFILE_BYTES_MAX {
            return Err(refused(ProfileProblem::Long { bytes }));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.into()))?;
        Self::parse(name, &text)
    }

    /// Reads the text of a profile.
    ///
    /// # Errors
    ///
    /// The first key that is unknown, or the first value out of its bounds.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let refused = |problem| ProfileError { name: name.to_owned(), problem };
        let file: Table = text.parse().map_err(|source: toml::de::Error| {
            let offset = source.span().map_or(0, |span| span.start);
            let breaks = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
            refused(ProfileProblem::Syntax { line: breaks.saturating_add(1), source })
        })?;
        let mut profile = Self { name: name.to_owned(), about: String::new(), wanted: Vec::new() };
        for (table, value) in &file {
            match value {
                Toml::String(about) if table == "about" => profile.about.clone_from(about),
                Toml::Table(keys) => {
                    for (key, value) in keys {
                        profile.take(&format!("{table}.{key}"), value).map_err(refused)?;
                    }
                }
                _ => return Err(refused(ProfileProblem::UnknownTable { table: table.clone() })),
            }
        }
        profile.wanted.sort_by_key(|(setting, _)| std::cmp::Reverse(setting.rank));
        Ok(profile)
    }

    fn take(&mut self, key: &str, value: &Toml) -> Result<(), ProfileProblem> {
        let key = key.to_owned();
        let Some(setting) = settings::of(&key) else {
            return Err(ProfileProblem::UnknownKey { key });
        };
        let (min, max) = setting.bounds;
        let wanted = match (setting.form, value) {
            (Form::Word(words), Toml::String(word)) if words.contains(&word.as_str()) => {
                Wanted::Word(word.clone())
            }
            (Form::Word(words), other) => {
                return Err(ProfileProblem::Word { key, got: other.clone(), words });
            }
            (Form::Release, Toml::String(word)) if release(word).is_some() => {
                Wanted::Word(word.clone())
            }
            (Form::Release, other) => {
                return Err(ProfileProblem::Release { key, got: other.clone() });
            }
            (_, &Toml::Integer(got)) => match u64::try_from(got) {
                Ok(number) if number > max => {
                    return Err(ProfileProblem::Large { key, got, max });
                }
                Ok(number) if number >= min => Wanted::Number(number),
                _ => return Err(ProfileProblem::Small { key, got, min }),
            },
            (_, other) => return Err(ProfileProblem::Number { key, got: other.clone() }),
        };
        self.wanted.push((setting, wanted));
        Ok(())
    }

    /// What it wants, most valuable first.
    pub fn wanted(&self) -> impl Iterator<Item = (&'static Setting, &Wanted)> {
        self.wanted.iter().map(|(setting, wanted)| (*setting, wanted))
    }

    /// The number that it wants of a setting.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.wanted.iter().find(|(setting, _)| setting.key == key).and_then(|(_, wanted)| {
            match wanted {
                Wanted::Number(number) => Some(*number),
                Wanted::Word(_) => None,
            }
        })
    }

    /// The profile of `tuning/` whose cores fit the machine's, and why it was chosen.
    ///
    /// # Errors
    ///
    /// If the one chosen is refused, which a test rules out.
    pub fn choose(machine: &Machine) -> Result<(Self, String), ProfileError> {
        let [(smallest, _), ..] = EMBEDDED;
        let Ok(online) = &machine.online else {
            let why = "the number of cores is unknown: the smallest".to_owned();
            return Ok((Self::load(smallest)?, why));
        };
        let count = online.len() as u64;
        let nodes = machine.nodes.as_ref().map_or_else(
            |_| "an unknown number of nodes".to_owned(),
            |nodes| counted(nodes.len() as u64, "node"),
        );
        let why = format!("{} and {nodes}", counted(online.len() as u64, "core"));
        let mut chosen = Self::load(smallest)?;
        for (name, text) in EMBEDDED {
            let profile = Self::parse(name, text)?;
            if profile.number("machine.cores_min").is_none_or(|least| count >= least) {
                chosen = profile;
            }
        }
        Ok((chosen, why))
    }
}

/// The first two numbers of a kernel release.
pub(super) fn release(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.');
    let first = parts.next()?.parse().ok()?;
    let second = parts.next()?;
    let digits = second.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((first, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_refused_with_key_value_and_bound() {
        for (text, problem) in [
            (
                "[sysctl]\n\"net.core.somaxconn\" = 5",
                "sysctl.net.core.somaxconn: 5 is too small, at least 128 is required",
            ),
            (
                "[sysctl]\n\"net.core.somaxconn\" = -5",
                "sysctl.net.core.somaxconn: -5 is too small, at least 128 is required",
            ),
            (
                "[sysctl]\n\"vm.swappiness\" = 999",
                "sysctl.vm.swappiness: 999 is too large, at most 200 is allowed",
            ),
            (
                "[sysctl]\n\"vm.swappiness\" = \"x\"",
                "sysctl.vm.swappiness: \"x\" is not a whole number",
            ),
            (
                "[cpu]\ngovernor = \"fast\"",
                "cpu.governor: \"fast\" is none of performance, schedutil, powersave, ondemand, \
                 conservative",
            ),
            (
                "[kernel]\nrelease_min = \"new\"",
                "kernel.release_min: \"new\" is not a release such as \"6.1\"",
            ),
            (
                "[cpu]\nspeed = 1",
                "cpu.speed: unknown key; tuning/README.md lists those that there are",
            ),
            ("speed = 1", "speed: unknown key"),
        ] {
            assert_eq!(Profile::parse("x", text).unwrap_err().problem.to_string(), problem);
        }
        let error = Profile::parse("x", "a = 1\nb = \n").unwrap_err();
        assert!(error.to_string().starts_with("profile x: line 2: "), "{error}");
        let error = Profile::load("no-such-profile").unwrap_err().to_string();
        assert!(error.contains("known are small-2-core, "), "{error}");
    }

    #[test]
    fn the_profiles_of_this_folder_are_good_and_name_every_setting() {
        for (name, text) in EMBEDDED {
            let profile = Profile::parse(name, text).unwrap();
            let missing: Vec<_> = settings::SETTINGS
                .iter()
                .filter(|setting| profile.wanted().all(|(wanted, _)| wanted.key != setting.key))
                .map(|setting| setting.key)
                .collect();
            assert!(missing.is_empty(), "{name} leaves out {missing:?}");
            assert!(!profile.about.is_empty());
        }
    }

    #[test]
    fn a_release_is_its_first_two_numbers() {
        assert_eq!(release("6.18.44-fc-v595"), Some((6, 18)));
        assert_eq!(release("6.1-rc3"), Some((6, 1)));
        assert_eq!(release("6"), None);
        assert_eq!(release("x.y"), None);
    }
}
