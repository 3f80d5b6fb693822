//! The manifest: the small text file that says which base is the current generation.
//!
//! # Invariants
//!
//! - The last line is the CRC32C of everything before it; a manifest without it was never written
//!   by us, or is damaged.
//!
//! # Does not
//!
//! Touch files: bytes in, bytes out.

use std::fmt::Write;

/// First line: name and version of the manifest's own format.
const FIRST_LINE: &str = "whoisd-manifest 1";

/// Which base is current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Number of the generation, from 1.
    pub generation: u64,
    /// File name of its base, within the directory.
    pub base: String,
    /// Length of that file, bytes.
    pub base_bytes: u64,
    /// Its header's hash over all block checksums: ties the manifest to those very bytes.
    pub base_sums_hash: u64,
}

impl Manifest {
    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { generation, base, base_bytes, base_sums_hash } = self;
        let mut text = format!(
            "{FIRST_LINE}\ngeneration {generation}\nbase {base}\nbytes {base_bytes}\n\
             sums {base_sums_hash:016x}\n"
        );
        let crc = crc32c::crc32c(text.as_bytes());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "crc32c {crc:08x}");
        text
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// What is wrong, as text that follows the file's name.
    pub fn decode(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first != FIRST_LINE {
            return Err(format!("starts with {first:?}, expected {FIRST_LINE:?}"));
        }
        let mut field = |name: &str| {
            let line = lines.next().unwrap_or_default();
            let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
            value.ok_or_else(|| format!("has the line {line:?}, expected \"{name} ...\""))
        };
        let number = |name: &str, value: &str| {
            value.parse().map_err(|_| format!("{name} is {value:?}, expected a number"))
        };
        let hexadecimal = |name: &str, value: &str| {
            u64::from_str_radix(value, 16)
                .map_err(|_| format!("{name} is {value:?}, expected a hexadecimal number"))
        };
        let manifest = Self {
            generation: number("generation", field("generation")?)?,
            base: field("base")?.to_owned(),
            base_bytes: number("bytes", field("bytes")?)?,
            base_sums_hash: hexadecimal("sums", field("sums")?)?,
        };
        let crc = hexadecimal("crc32c", field("crc32c")?)?;
        if manifest.encode() != text {
            let whole = manifest.encode();
            let expected = whole.lines().last().unwrap_or_default();
            return Err(format!("has crc32c {crc:08x}, expected {expected:?}: it is damaged"));
        }
        if manifest.base.contains('/') || manifest.base.starts_with('.') {
            return Err(format!("names the base {:?}, expected a plain file name", manifest.base));
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            generation: 7,
            base: "base-0000000007.snapshot".into(),
            base_bytes: 4096,
            base_sums_hash: 0xabc,
        }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        assert_eq!(Manifest::decode(&manifest().encode()), Ok(manifest()));
    }

    #[test]
    fn every_changed_byte_and_every_truncation_is_noticed() {
        let text = manifest().encode().into_bytes();
        for at in 0..text.len() {
            let cut = String::from_utf8(text[..at].to_vec()).unwrap();
            assert!(Manifest::decode(&cut).is_err(), "cut at {at}");
            for bit in 0..7 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(Manifest::decode(&changed).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_base_outside_the_directory_is_refused() {
        let manifest = Manifest { base: "../base".into(), ..manifest() };
        assert!(Manifest::decode(&manifest.encode()).unwrap_err().contains("plain file name"));
    }
}
