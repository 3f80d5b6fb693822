//! Format version 1 is frozen: the builder writes the same bytes, the reader reads the old file.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod registry;

use registry::{NAMES, build};
use snapshot_format::Snapshot;
use snapshot_format::verify::verify;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/version-1.snapshot");

#[test]
fn a_file_of_format_version_1_is_read_for_ever() {
    let bytes = std::fs::read(FIXTURE).unwrap();
    let snapshot = Snapshot::open(bytes).unwrap();
    verify(&snapshot, &mut |_, _| {}).unwrap();
    for name in NAMES {
        assert_eq!(snapshot.find_domain(name).unwrap().unwrap().name, name);
    }
}

/// If this fails, the change is a new format version: see FORMAT.md, "Changing the format".
/// `WHOISD_BLESS=1` writes the fixture, for a version that was never released.
#[test]
fn the_builder_writes_format_version_1_byte_for_byte() {
    let (bytes, _) = build(&NAMES);
    if std::env::var_os("WHOISD_BLESS").is_some() {
        std::fs::write(FIXTURE, &bytes).unwrap();
    }
    assert!(std::fs::read(FIXTURE).unwrap() == bytes, "the bytes on disk changed");
}
