//! The manifest: the small text file that says which base and logs are the current state, and which
//! older states are kept.
//!
//! # Invariants
//!
//! - The last line is the CRC32C of everything before it; a manifest without it was never written
//!   by us, or is damaged.
//! - Numbers of generations and logs are never used twice: the manifest holds the greatest ones.
//!
//! # Does not
//!
//! Touch files: bytes in, bytes out.

use std::fmt::Write;

use super::error::ManifestError;

/// First line: name and version of the manifest's own format.
const FIRST_LINE: &str = "whoisd-manifest 2";
/// First line of the version before: one base, no logs.
const FIRST_LINE_1: &str = "whoisd-manifest 1";
/// States and logs that a manifest may name: more is damage.
const LINES_MAX: usize = 4096;

/// What a snapshot directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Greatest number of a generation when this was written; logs may hold greater ones.
    pub greatest: u64,
    /// Greatest number of a log.
    pub epochs: u64,
    /// What is served.
    pub current: Chain,
    /// Older states that can be gone back to, the newest first.
    pub kept: Vec<Chain>,
}

/// A base and the logs over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// File name of the base, within the directory.
    pub base: String,
    /// Number of the base's generation.
    pub base_generation: u64,
    /// Length of the base, bytes.
    pub base_bytes: u64,
    /// The base's header's hash over all block checksums: ties the manifest to those very bytes.
    pub base_sums_hash: u64,
    /// Logs, in order.
    pub logs: Vec<LogName>,
}

/// A log of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName {
    /// Its number.
    pub epoch: u64,
    /// The last generation of it that counts; `None` for one that is being written.
    pub last: Option<u64>,
    /// Parts that it has at least: a missing part cannot report itself.
    pub parts: u32,
}

impl LogName {
    /// A log that begins.
    #[must_use]
    pub const fn open(epoch: u64) -> Self {
        Self { epoch, last: None, parts: 1 }
    }
}

impl Chain {
    /// Whether it is the same state, whatever the parts of its logs.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let logs = |chain: &Self| -> Vec<LogName> {
            chain.logs.iter().map(|log| LogName { parts: 1, ..*log }).collect()
        };
        logs(self) == logs(other)
            && (&self.base, self.base_generation, self.base_bytes, self.base_sums_hash)
                == (&other.base, other.base_generation, other.base_bytes, other.base_sums_hash)
    }

    /// The last generation, if no log is being written.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.logs.last().map_or(Some(self.base_generation), |log| log.last)
    }
}

impl Manifest {
    /// A directory that holds nothing but a base.
    #[must_use]
    pub const fn of_base(base: Chain) -> Self {
        Self { greatest: base.base_generation, epochs: 0, current: base, kept: Vec::new() }
    }

    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { greatest, epochs, current, kept } = self;
        let mut text = format!("{FIRST_LINE}\ngreatest {greatest}\nepochs {epochs}\n");
        for chain in std::iter::once(current).chain(kept) {
            let Chain { base, base_generation, base_bytes, base_sums_hash, logs } = chain;
            // Writing to a String cannot fail, here and below.
            let _ =
                writeln!(text, "base {base} {base_generation} {base_bytes} {base_sums_hash:016x}");
            for LogName { epoch, last, parts } in logs {
                let last = last.map_or_else(|| "open".to_owned(), |last| last.to_string());
                let parts = if *parts > 1 { format!(" {parts}") } else { String::new() };
                let _ = writeln!(text, "log {epoch} {last}{parts}");
            }
        }
        let crc = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {crc:08x}");
        text
    }

    /// Reads the text of the file, also that of the version before.
    ///
    /// # Errors
    ///
    /// What is wrong, as text that follows the file's name.
    pub fn decode(text: &str) -> Result<Self, ManifestError> {
        let first = text.lines().next().unwrap_or_default();
        if first != FIRST_LINE && first != FIRST_LINE_1 {
            return Err(ManifestError::FirstLine { got: first.to_owned(), expected: FIRST_LINE });
        }
        let body = body(text)?;
        if first == FIRST_LINE_1 { decode_1(body) } else { decode_2(body) }
    }
}

/// The text in front of the last line, which is its checksum.
fn body(text: &str) -> Result<&str, ManifestError> {
    let at = text.trim_end_matches('\n').rfind('\n').map_or(0, |at| at.saturating_add(1));
    let (body, last) = text.split_at_checked(at).unwrap_or_default();
    let crc = crc32c::crc32c(body.as_bytes());
    let expected = format!("crc32c {crc:08x}\n");
    if last != expected {
        return Err(ManifestError::Checksum { got: last.to_owned(), expected });
    }
    Ok(body)
}

fn decode_1(body: &str) -> Result<Manifest, ManifestError> {
    let mut lines = body.lines().skip(1);
    let mut field = |name| field(lines.next(), name);
    let base_generation = number("generation", field("generation")?)?;
    let base = name(field("base")?)?;
    let base_bytes = number("bytes", field("bytes")?)?;
    let base_sums_hash = hexadecimal("sums", field("sums")?)?;
    let logs = Vec::new();
    Ok(Manifest::of_base(Chain { base, base_generation, base_bytes, base_sums_hash, logs }))
}

fn decode_2(body: &str) -> Result<Manifest, ManifestError> {
    let mut lines = body.lines().skip(1);
    let mut field = |name| field(lines.next(), name).and_then(|value| number(name, value));
    let (greatest, epochs) = (field("greatest")?, field("epochs")?);
    let mut chains: Vec<Chain> = Vec::new();
    for (count, line) in lines.enumerate() {
        if count >= LINES_MAX {
            return Err(ManifestError::TooLong { max: LINES_MAX });
        }
        let words: Vec<&str> = line.split(' ').collect();
        match (words.as_slice(), chains.last_mut()) {
            (["base", base, generation, bytes, sums], _) => chains.push(Chain {
                base: name(base)?,
                base_generation: number("the base's generation", generation)?,
                base_bytes: number("bytes", bytes)?,
                base_sums_hash: hexadecimal("sums", sums)?,
                logs: Vec::new(),
            }),
            (["log", epoch, last, parts @ ..], Some(chain)) if parts.len() < 2 => {
                let last = match *last {
                    "open" => None,
                    last => Some(number("the log's last generation", last)?),
                };
                let parts = parts.first().map_or(Ok(1), |parts| number("parts", parts))?;
                let parts = u32::try_from(parts).unwrap_or(u32::MAX);
                if parts == 0 {
                    return Err(ManifestError::NoPart { line: line.to_owned() });
                }
                chain.logs.push(LogName { epoch: number("log", epoch)?, last, parts });
            }
            _ => return Err(ManifestError::Line { line: line.to_owned() }),
        }
    }
    if chains.is_empty() {
        return Err(ManifestError::NoBase);
    }
    let current = chains.remove(0);
    Ok(Manifest { greatest, epochs, current, kept: chains })
}

fn field<'t>(line: Option<&'t str>, name: &'static str) -> Result<&'t str, ManifestError> {
    let line = line.unwrap_or_default();
    let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
    value.ok_or_else(|| ManifestError::Field { line: line.to_owned(), name })
}

fn number(what: &'static str, value: &str) -> Result<u64, ManifestError> {
    value.parse().map_err(|_| ManifestError::Number { what, got: value.to_owned() })
}

fn hexadecimal(what: &'static str, value: &str) -> Result<u64, ManifestError> {
    u64::from_str_radix(value, 16)
        .map_err(|_| ManifestError::Hexadecimal { what, got: value.to_owned() })
}

fn name(base: &str) -> Result<String, ManifestError> {
    // A blank would read as the end of the name in the line that is written of it.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !base.bytes().all(plain) || base.starts_with('.') || base.is_empty() {
        return Err(ManifestError::BaseName { got: base.to_owned() });
    }
    Ok(base.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(generation: u64) -> Chain {
        Chain {
            base: format!("base-{generation:010}.snapshot"),
            base_generation: generation,
            base_bytes: 4096,
            base_sums_hash: 0x0123_4567_89ab_cdef,
            logs: Vec::new(),
        }
    }

    fn example() -> Manifest {
        let closed = LogName { last: Some(15), ..LogName::open(3) };
        let logs = vec![closed, LogName { parts: 3, ..LogName::open(4) }];
        Manifest {
            greatest: 17,
            epochs: 4,
            current: Chain { logs, ..chain(12) },
            kept: vec![Chain {
                logs: vec![LogName { last: Some(12), ..LogName::open(2) }],
                ..chain(5)
            }],
        }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let manifest = example();
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
        assert_eq!((manifest.current.last(), manifest.kept[0].last()), (None, Some(12)));
        assert_eq!(chain(5).last(), Some(5));
    }

    #[test]
    fn a_manifest_of_the_first_version_is_a_base_without_logs() {
        let text = "whoisd-manifest 1\ngeneration 7\nbase base-0000000007.snapshot\nbytes 4096\n\
                    sums 0123456789abcdef\ncrc32c 7ab5a357\n";
        assert_eq!(Manifest::decode(text), Ok(Manifest::of_base(chain(7))));
    }

    #[test]
    fn every_changed_or_cut_byte_is_noticed() {
        let text = example().encode();
        for at in 0..text.len() {
            assert!(Manifest::decode(&text[..at]).is_err(), "cut at {at}");
            for bit in 0..7 {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(Manifest::decode(&changed).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_manifest_of_too_many_lines_is_refused_not_cut() {
        let logs = (1..).map(|epoch| LogName { last: Some(epoch), ..LogName::open(epoch) });
        let of = |count| Manifest {
            current: Chain { logs: logs.clone().take(count).collect(), ..chain(12) },
            ..example()
        };
        // With three lines of the base and of what is kept.
        let most = of(LINES_MAX - 3);
        assert_eq!(Manifest::decode(&most.encode()), Ok(most));
        let error = Manifest::decode(&of(LINES_MAX - 2).encode()).unwrap_err();
        assert!(error.to_string().contains("more than 4096"), "{error}");
    }

    #[test]
    fn a_base_outside_of_the_directory_is_refused() {
        for base in ["../x", "/etc/passwd", ".hidden", "a/b", "a b", "a\u{85}b", ""] {
            let manifest = Manifest::of_base(Chain { base: base.into(), ..chain(1) });
            assert!(Manifest::decode(&manifest.encode()).is_err(), "{base}");
        }
    }
}
