//! The law of manifests: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - A manifest that is read is written as a text that is read as the same manifest; the names in
//!   it stay within the directory.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use super::Manifest;

/// Holds the law against a file, as it is and with its checksum made right.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    holds(text);
    let body = text.rsplit_once("crc32c ").map_or(text, |(body, _)| body);
    holds(&format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes())));
}

fn holds(text: &str) {
    let Ok(manifest) = Manifest::decode(text) else { return };
    let written = manifest.encode();
    assert_eq!(Manifest::decode(&written).as_ref(), Ok(&manifest), "{written}");
    for chain in manifest.kept.iter().chain([&manifest.current]) {
        let outside = chain.base.contains('/') || chain.base.starts_with('.');
        assert!(!outside && !chain.base.is_empty(), "{:?} lies outside", chain.base);
    }
}
