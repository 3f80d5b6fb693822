//! Lists of processor cores: `0,2-5`, what this machine has, what this process may use.
//!
//! # Does not
//!
//! Pin anything: glommio does, when a shard's executor starts.

use std::fs;

/// Most cores that a list may name; the kernel's own bound for affinity masks is 1,024 here.
pub const CORES_MAX: usize = 1024;

/// Reads a list such as `0,2-5`: numbers and ascending ranges, each core at most once.
///
/// # Errors
///
/// Says which part is not understood, or which core comes twice.
pub fn parse(text: &str) -> Result<Vec<usize>, String> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.parse::<usize>()
                .ok()
                .filter(|core| *core < CORES_MAX)
                .ok_or_else(|| format!("{part:?} is not a core from 0 to {}", CORES_MAX - 1))
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("{part:?} runs backwards; write {last}-{first}"));
        }
        for core in first..=last {
            if cores.contains(&core) {
                return Err(format!("core {core} is named twice"));
            }
            cores.push(core);
        }
    }
    Ok(cores)
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
pub fn allowed() -> Result<Vec<usize>, String> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse(list.unwrap_or_default().trim()).map_err(|error| format!("{path}: {error}"))
}

/// The cores of this machine that are on.
///
/// # Errors
///
/// If `/sys/devices/system/cpu/online` cannot be read.
pub fn online() -> Result<Vec<usize>, String> {
    let path = "/sys/devices/system/cpu/online";
    let list = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    parse(list.trim()).map_err(|error| format!("{path}: {error}"))
}

/// Whether all these cores are there.
///
/// # Errors
///
/// Names the first that is not, and those that are.
pub fn check(cores: &[usize], online: &[usize]) -> Result<(), String> {
    match cores.iter().find(|core| !online.contains(core)) {
        None => Ok(()),
        Some(core) => Err(format!("core {core} is not there; this machine has {}", format(online))),
    }
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
        assert_eq!(parse("0,x").unwrap_err(), "\"x\" is not a core from 0 to 1023");
        assert_eq!(parse("").unwrap_err(), "\"\" is not a core from 0 to 1023");
        assert_eq!(parse("1024").unwrap_err(), "\"1024\" is not a core from 0 to 1023");
        assert_eq!(
            parse("0-99999999999").unwrap_err(),
            "\"0-99999999999\" is not a core from 0 to 1023"
        );
        assert_eq!(parse("5-2").unwrap_err(), "\"5-2\" runs backwards; write 2-5");
        assert_eq!(parse("0-2,1").unwrap_err(), "core 1 is named twice");
    }

    #[test]
    fn a_core_that_is_not_there_is_named_with_those_that_are() {
        assert_eq!(
            check(&[0, 9], &[0, 1]).unwrap_err(),
            "core 9 is not there; this machine has 0-1"
        );
        check(&allowed().unwrap(), &online().unwrap()).unwrap();
    }
}
