//! What an object store says of a snapshot that it holds: a small text beside it, written last.
//!
//! ```text
//! whoisd-object 2
//! source registry-a               whose serials these are; - if it has none
//! generation 12                   in the publisher's directory
//! serial 8812                     last change that it contains
//! time 1764000000000              time of the data, ms since 1970-01-01T00:00:00Z
//! bytes 331000000                 length of the snapshot
//! sha256 64 digits                hash of all of its bytes, as `sha256sum` prints it
//! sums 16 digits                  the header's hash over its block checksums
//! key 16 digits                   if it is signed: id of the key,
//! signature 128 digits            Ed25519 over every line before `key`
//! crc32c 8 digits                 of every line before this one
//! ```
//!
//! # Invariants
//!
//! - Name and content agree: an old snapshot cannot be given a newer name.
//! - The signed text binds every byte of the snapshot, by a hash for which nobody can make another
//!   file. Form 1 had XXH3, for which anybody can: it is refused.
//!
//! # Does not
//!
//! Read or write objects.

use std::fmt::Write;

use super::error::{ManifestError, ManifestText};
use crate::feed::SERIAL_MAX;
use crate::feed::key::{SecretKey, Trusted};
use crate::feed::message::Source;
use crate::hex;

/// First line: name and version of the form.
const FIRST_LINE: &str = "whoisd-object 2";
/// First line of the form before it.
const FIRST_LINE_1: &str = "whoisd-object 1";
/// Longest manifest that is read, bytes; ours have about 500.
pub(super) const MANIFEST_BYTES_MAX: u64 = 4096;
/// Ending of a manifest's name.
const MANIFEST_ENDING: &str = ".manifest";
/// Ending of a snapshot's name.
const SNAPSHOT_ENDING: &str = ".snapshot";

/// What a snapshot in an object store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectManifest {
    /// The source of its serials, if it has any.
    pub source: Option<Source>,
    /// Its generation in the directory that it was published from; a node that fetches it counts on
    /// by itself.
    pub generation: u64,
    /// Last change that it contains; 0 without a feed.
    pub serial: u64,
    /// Time of its data, ms since the epoch.
    pub time_ms: i64,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256 of all of its bytes.
    pub hash: [u8; 32],
    /// The header's hash over its block checksums.
    pub sums_hash: u64,
}

/// What a name says: enough to put manifests in order without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Last change that it contains.
    pub(super) serial: u64,
    /// Time of its data, ms since the epoch; 0 before that.
    time_ms: u64,
    sums_hash: u64,
}

impl Name {
    /// Reads the name of a manifest; `None` if the file is not one.
    pub(super) fn decode(file: &str) -> Option<Self> {
        let name = file.strip_suffix(MANIFEST_ENDING)?;
        let [serial, time_ms, sums] = name.split('-').collect::<Vec<_>>().try_into().ok()?;
        let name = Self {
            serial: serial.parse().ok()?,
            time_ms: time_ms.parse().ok()?,
            sums_hash: u64::from_str_radix(sums, 16).ok()?,
        };
        // One name for one snapshot.
        (name.manifest() == file).then_some(name)
    }

    fn stem(self) -> String {
        let Self { serial, time_ms, sums_hash } = self;
        format!("{serial:020}-{time_ms:015}-{sums_hash:016x}")
    }

    pub(super) fn manifest(self) -> String {
        self.stem() + MANIFEST_ENDING
    }

    pub(super) fn snapshot(self) -> String {
        self.stem() + SNAPSHOT_ENDING
    }
}

impl ObjectManifest {
    /// Its name.
    pub(super) fn name(&self) -> Name {
        let time_ms = u64::try_from(self.time_ms).unwrap_or(0);
        Name { serial: self.serial, time_ms, sums_hash: self.sums_hash }
    }

    /// Its text, signed if there is a key.
    #[must_use]
    pub fn encode(&self, key: Option<&SecretKey>) -> String {
        let Self { source, generation, serial, time_ms, bytes, hash, sums_hash } = self;
        let source = source.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let mut text = format!(
            "{FIRST_LINE}\nsource {source}\ngeneration {generation}\nserial {serial}\n\
             time {time_ms}\nbytes {bytes}\nsha256 "
        );
        hex::LOWER.write(hash, &mut text);
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "\nsums {sums_hash:016x}");
        if let Some(key) = key {
            let signature = key.sign(text.as_bytes());
            let _ = writeln!(text, "key {}\nsignature {signature}", key.public().id());
        }
        let crc = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {crc:08x}");
        text
    }

    /// Reads its text, as it lies under `name`.
    ///
    /// # Errors
    ///
    /// It is damaged, not signed by a trusted key, or another one's.
    pub(super) fn decode(text: &str, name: Name, trusted: &Trusted) -> Result<Self, ManifestError> {
        let body = checked_body(text)?;
        let (signed, signature) = match body.find("key ").filter(|at| starts_line(body, *at)) {
            Some(at) => {
                let (signed, rest) = body.split_at_checked(at).unwrap_or((body, ""));
                let mut lines = rest.lines();
                let mut field = |name| field(lines.next(), name);
                (signed, Some((field("key")?, field("signature")?)))
            }
            None => (body, None),
        };
        trusted.check(signed.as_bytes(), signature)?;
        let manifest = Self::of_lines(signed)?;
        if manifest.name() != name {
            return Err(ManifestError::Renamed { got: manifest.serial, name: name.serial });
        }
        Ok(manifest)
    }

    fn of_lines(signed: &str) -> Result<Self, ManifestText> {
        let mut lines = signed.lines();
        let first = lines.next().unwrap_or_default();
        if first == FIRST_LINE_1 {
            return Err(ManifestText::Form1);
        }
        if first != FIRST_LINE {
            return Err(ManifestText::FirstLine { got: first.to_owned(), expected: FIRST_LINE });
        }
        let mut next = |name| field(lines.next(), name);
        let source = match next("source")? {
            "-" => None,
            name => Some(name.parse()?),
        };
        let number = |name, text: &str| {
            text.parse().map_err(|_| ManifestText::Number { name, got: text.to_owned() })
        };
        let manifest = Self {
            source,
            generation: number("generation", next("generation")?)?,
            serial: number("serial", next("serial")?)?,
            time_ms: next("time")?.parse().map_err(|_| ManifestText::Time)?,
            bytes: number("bytes", next("bytes")?)?,
            hash: hex::decode(next("sha256")?)
                .and_then(|octets| octets.try_into().ok())
                .ok_or(ManifestText::Hash)?,
            sums_hash: u64::from_str_radix(next("sums")?, 16).map_err(|_| ManifestText::Sums)?,
        };
        if manifest.serial > SERIAL_MAX {
            return Err(ManifestText::Serial { got: manifest.serial });
        }
        match lines.next() {
            Some(line) => Err(ManifestText::Longer { line: line.to_owned() }),
            None => Ok(manifest),
        }
    }
}

fn starts_line(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.ends_with('\n'))
}

fn field<'a>(line: Option<&'a str>, name: &'static str) -> Result<&'a str, ManifestText> {
    let line = line.unwrap_or_default();
    let value = line.strip_prefix(name).and_then(|value| value.strip_prefix(' '));
    value.ok_or_else(|| ManifestText::Field { line: line.to_owned(), name })
}

/// The text before its last line, which is its checksum.
fn checked_body(text: &str) -> Result<&str, ManifestText> {
    let at = text.trim_end_matches('\n').rfind('\n').map_or(0, |at| at.saturating_add(1));
    let (body, last) = text.split_at_checked(at).unwrap_or_default();
    let expected = format!("crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
    (last == expected).then_some(body).ok_or(ManifestText::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::key::SignatureError;

    fn example() -> ObjectManifest {
        ObjectManifest {
            source: Some("registry-a".parse().unwrap()),
            generation: 12,
            serial: 8812,
            time_ms: 1_764_000_000_000,
            bytes: 4096,
            hash: [0x17; 32],
            sums_hash: 0x89ab_cdef,
        }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let key = SecretKey::generate().unwrap();
        let without = ObjectManifest { source: None, time_ms: -1, ..example() };
        for manifest in [example(), without] {
            let name = manifest.name();
            assert_eq!(Name::decode(&name.manifest()), Some(name));
            for key in [None, Some(&key)] {
                let text = manifest.encode(key);
                let read = ObjectManifest::decode(&text, name, &Trusted::default());
                assert_eq!(read.as_ref(), Ok(&manifest));
            }
            let trusted = Trusted::new(vec![key.public()]);
            let read = ObjectManifest::decode(&manifest.encode(Some(&key)), name, &trusted);
            assert_eq!(read, Ok(manifest));
        }
    }

    #[test]
    fn what_is_damaged_unsigned_forged_or_renamed_is_refused() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let trusted = Trusted::new(vec![key.public()]);
        let (manifest, name) = (example(), example().name());
        let decode = |text: &str| ObjectManifest::decode(text, name, &trusted);
        let unsigned = decode(&manifest.encode(None));
        assert_eq!(unsigned, Err(ManifestError::Signature(SignatureError::Unsigned)));
        let strange = decode(&manifest.encode(Some(&other)));
        assert!(matches!(strange, Err(ManifestError::Signature(_))), "{strange:?}");
        let text = manifest.encode(Some(&key));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let damaged = decode(&String::from_utf8(changed).unwrap());
            assert!(matches!(damaged, Err(ManifestError::Damaged { .. })), "{at}: {damaged:?}");
            assert!(decode(&text[..at]).is_err());
        }
        // Somebody who can compute a checksum, and not a signature.
        let (body, _) = text.rsplit_once("crc32c").unwrap();
        let mut forged = body.replace("serial 8812", "serial 8813");
        let crc = crc32c::crc32c(forged.as_bytes());
        let _ = writeln!(forged, "crc32c {crc:08x}");
        let newer = ObjectManifest { serial: 8813, ..example() }.name();
        let refused = ObjectManifest::decode(&forged, newer, &trusted);
        assert!(matches!(refused, Err(ManifestError::Signature(SignatureError::Wrong { .. }))));
        let renamed = ObjectManifest::decode(&text, newer, &trusted);
        assert_eq!(renamed, Err(ManifestError::Renamed { got: 8812, name: 8813 }));
    }

    #[test]
    fn a_serial_that_no_record_has_is_refused() {
        for (serial, is_read) in [(SERIAL_MAX, true), (SERIAL_MAX + 1, false), (u64::MAX, false)] {
            let manifest = ObjectManifest { serial, ..example() };
            let name = manifest.name();
            let read = ObjectManifest::decode(&manifest.encode(None), name, &Trusted::default());
            assert_eq!(read.is_ok(), is_read, "{serial}: {read:?}");
        }
    }

    #[test]
    fn the_form_whose_hash_is_no_cryptographic_one_is_refused_signed_or_not() {
        let key = SecretKey::generate().unwrap();
        let (text, name) = (example().encode(None), example().name());
        let (body, _) = text.rsplit_once("crc32c").unwrap();
        let mut old = body.replace("whoisd-object 2", "whoisd-object 1");
        let at = old.find("sha256").unwrap();
        old.replace_range(at..at + 71, "xxh3 00000000000000000000000001234567");
        let signature = key.sign(old.as_bytes());
        let signed = format!("{old}key {}\nsignature {signature}\n", key.public().id());
        for trusted in [Trusted::default(), Trusted::new(vec![key.public()])] {
            let whole = format!("{signed}crc32c {:08x}\n", crc32c::crc32c(signed.as_bytes()));
            let error = ObjectManifest::decode(&whole, name, &trusted).unwrap_err().to_string();
            assert!(error.contains("form 1") && error.contains("publish"), "{error}");
        }
    }

    #[test]
    fn only_our_names_are_manifests_and_newer_ones_are_greater() {
        for bad in ["", "x.manifest", "1-2-3.manifest", "MANIFEST", "../1.manifest"] {
            assert_eq!(Name::decode(bad), None, "{bad}");
        }
        let snapshot = example().name().snapshot();
        assert_eq!(Name::decode(&snapshot), None);
        assert!(ObjectManifest { serial: 10_000, ..example() }.name() > example().name());
        let later = ObjectManifest { time_ms: 1_764_000_000_001, ..example() };
        assert!(later.name() > example().name());
    }
}
