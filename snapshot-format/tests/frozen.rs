//! Format versions are frozen: the builder writes the same bytes, the reader reads the old files.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod registry;

use registry::{NAMES, build};
use snapshot_format::Snapshot;
use snapshot_format::delta::{Generation, LogHead, frame::LOG_HEAD_BYTES};
use snapshot_format::verify::verify;

const FIXTURES: [(u32, &str); 2] = [
    (1, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/version-1.snapshot")),
    (2, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/version-2.snapshot")),
];

#[test]
fn a_file_of_each_format_version_is_read_for_ever() {
    for (version, path) in FIXTURES {
        let snapshot = Snapshot::open(std::fs::read(path).unwrap()).unwrap();
        verify(&snapshot, &mut |_, _| {}).unwrap();
        assert_eq!(snapshot.header().format_version, version);
        let generation: Generation<_, Vec<u8>> =
            Generation::of_base(std::sync::Arc::new(snapshot)).unwrap();
        assert_eq!(generation.suffixes(), ["demo".into()]);
        for name in NAMES {
            assert_eq!(generation.find_domain(name).unwrap().unwrap().name, name);
        }
        assert!(generation.find_nameserver("ns1.example.demo").unwrap().is_some());
        assert!(generation.find_nameserver("ns9.nowhere.demo").unwrap().is_none());
    }
}

/// If this fails, the change is a new format version: see FORMAT.md, "Changing the format".
/// `WHOISD_BLESS=1` writes the fixture, for a version that was never released.
#[test]
fn the_builder_writes_format_version_2_byte_for_byte() {
    let (bytes, _) = build(&NAMES);
    let (_, path) = FIXTURES[1];
    if std::env::var_os("WHOISD_BLESS").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    assert!(std::fs::read(path).unwrap() == bytes, "the bytes on disk changed");
}

#[test]
fn the_head_of_a_log_of_the_version_before_is_read() {
    let head = LogHead { epoch: 7, number: 1, salt: 5, begins_over: 3, file_bytes: 0 };
    let mut bytes = head.encode();
    assert_eq!(bytes[8], 2);
    for (version, reads) in [(1, true), (2, true), (3, false)] {
        bytes[8] = version;
        let crc = crc32c::crc32c(&bytes[..LOG_HEAD_BYTES - 4]);
        bytes[LOG_HEAD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(LogHead::decode(&bytes.to_vec()).ok() == Some(head), reads, "{version}");
    }
}
