//! Lists of processor cores: `0,2-5`, what this machine has, what this process may use.
//!
//! # Does not
//!
//! Pin anything: glommio does, when a shard's executor starts.

use std::{fs, io};

/// Most cores that a list may name; the kernel's own bound for affinity masks is 1,024 here.
pub const CORES_MAX: usize = 1024;

/// Reads a list such as `0,2-5`: numbers and ascending ranges, each core at most once.
///
/// # Errors
///
/// Says which part is not understood, or which core comes twice.
pub fn parse(text: &str) -> Result<Vec<usize>, CoresError> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.parse::<usize>()
                .ok()
                .filter(|core| *core < CORES_MAX)
                .ok_or_else(|| CoresError::Number { part: part.to_owned() })
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(CoresError::Backwards { part: part.to_owned(), first, last });
        }
        for core in first..=last {
            if cores.contains(&core) {
                return Err(CoresError::Twice { core });
            }
            cores.push(core);
        }
    }
    Ok(cores)
}

/// Reads the number of one core.
///
/// # Errors
///
/// As [`parse`], or that it is a list.
pub fn parse_one(text: &str) -> Result<usize, CoresError> {
    match parse(text)?.as_slice() {
        [core] => Ok(*core),
        _ => Err(CoresError::NotOne { text: text.to_owned() }),
    }
}

/// Writes a list the way [`parse`] reads it, in the given order.
#[must_use]
pub fn format(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => parts.push((core, core)),
        }
    }
    let texts: Vec<_> = parts
        .iter()
        .map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        )
        .collect();
    texts.join(",")
}

/// The cores that this process may use, by its affinity.
///
/// # Errors
///
/// If `/proc/self/status` cannot be read.
pub fn allowed() -> Result<Vec<usize>, CoresError> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(|source| CoresError::Read { path, source })?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_file(path, list.unwrap_or_default())
}

/// The cores of this machine that are on.
///
/// # Errors
///
/// If `/sys/devices/system/cpu/online` cannot be read.
pub fn online() -> Result<Vec<usize>, CoresError> {
    let path = "/sys/devices/system/cpu/online";
    let list = fs::read_to_string(path).map_err(|source| CoresError::Read { path, source })?;
    parse_file(path, &list)
}

/// Reads a list that the kernel has in the file at `path`.
fn parse_file(path: &'static str, list: &str) -> Result<Vec<usize>, CoresError> {
    parse(list.trim()).map_err(|source| CoresError::Content { path, source: Box::new(source) })
}

/// Whether all these cores are there.
///
/// # Errors
///
/// Names the first that is not, and those that are.
pub fn check(cores: &[usize], online: &[usize]) -> Result<(), CoresError> {
    match cores.iter().find(|core| !online.contains(core)) {
        None => Ok(()),
        Some(&core) => Err(CoresError::Missing { core, online: online.to_vec() }),
    }
}

/// Why there are no such cores.
#[derive(Debug, thiserror::Error)]
pub enum CoresError {
    /// A part of a list is not understood.
    #[error("{part:?} is not a core from 0 to {}", CORES_MAX - 1)]
    Number {
        /// The part.
        part: String,
    },
    /// A range begins after its end.
    #[error("{part:?} runs backwards; write {last}-{first}")]
    Backwards {
        /// The range.
        part: String,
        /// Where it begins.
        first: usize,
        /// Where it ends.
        last: usize,
    },
    /// A list has a core twice.
    #[error("core {core} is named twice")]
    Twice {
        /// The core.
        core: usize,
    },
    /// A list has other than one core, where one is wanted.
    #[error("{text:?} is not one core")]
    NotOne {
        /// The list.
        text: String,
    },
    /// The machine does not have a core, or it is off.
    #[error("core {core} is not there; this machine has {}", format(online))]
    Missing {
        /// The core.
        core: usize,
        /// Those that are on.
        online: Vec<usize>,
    },
    /// A file of the kernel cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file of the kernel has something else than a list.
    #[error("{path}: {source}")]
    Content {
        /// The file.
        path: &'static str,
        /// What is wrong with its list.
        source: Box<Self>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_written_the_same() {
        assert_eq!(parse("0,2-5").unwrap(), [0, 2, 3, 4, 5]);
        for text in ["0", "0-1", "0,2-5", "7,3", "1023"] {
            assert_eq!(format(&parse(text).unwrap()), text);
        }
    }

    #[test]
    fn a_list_that_is_none_is_refused_with_the_part() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert_eq!(error("0,x"), "\"x\" is not a core from 0 to 1023");
        assert_eq!(error(""), "\"\" is not a core from 0 to 1023");
        assert_eq!(error("1024"), "\"1024\" is not a core from 0 to 1023");
        assert_eq!(error("0-99999999999"), "\"0-99999999999\" is not a core from 0 to 1023");
        assert_eq!(error("5-2"), "\"5-2\" runs backwards; write 2-5");
        assert_eq!(error("0-2,1"), "core 1 is named twice");
    }

    #[test]
    fn a_core_that_is_not_there_is_named_with_those_that_are() {
        assert_eq!(
            check(&[0, 9], &[0, 1]).unwrap_err().to_string(),
            "core 9 is not there; this machine has 0-1"
        );
        check(&allowed().unwrap(), &online().unwrap()).unwrap();
    }
}
