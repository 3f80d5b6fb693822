//! Damaged files: an error or the right answer, never a panic, never a wrong answer.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod registry;

use registry::{NAMES, build};
use snapshot_format::key::RegistrarKey;
use snapshot_format::limits::HEADER_BYTES;
use snapshot_format::verify::verify;
use snapshot_format::{FormatError, Header, Kind, SectionId, Snapshot, dump};
use twox_hash::XxHash3_64;

/// What a reader can be asked, as text; an error where a record is damaged.
fn answers(snapshot: &Snapshot<&[u8]>) -> String {
    let mut out = dump::header(snapshot);
    for kind in Kind::ALL {
        for ordinal in 0..snapshot.count(kind).min(64) {
            out += &format!("{:?}\n", dump::record(snapshot, kind, ordinal));
        }
    }
    for name in NAMES {
        let found = snapshot.find_domain(name);
        out += &format!("{:?}\n", found.map(|domain| domain.map(|d| d.roid.to_string())));
        if let Ok(Some(domain)) = found {
            snapshot.prefetch_places(domain);
            snapshot.prefetch_records(domain);
        }
        let variants = snapshot.variants(name).map(|variants| variants.take(99).count());
        out += &format!("{variants:?} {:?}\n", snapshot.domain_range(name));
    }
    out += &format!("{}\n", snapshot.find_contacts("C1").take(99).count());
    out += &format!("{}\n", snapshot.find_registrars(RegistrarKey::IanaId(9001)).count());
    out += &format!("{:?}\n", snapshot.find_nndn("xn--b.demo").map(|found| found.is_some()));
    let address = "192.0.2.1".parse().unwrap();
    out += &format!("{}\n", snapshot.nameservers_by_address(address).take(99).count());
    out += &format!("{}\n", snapshot.find_roid("h2-roid").take(99).count());
    out += &format!("{:?}\n", snapshot.nameserver_range("ns"));
    out
}

/// The answers of a file that opens and whose checksums match; the error otherwise.
fn read(bytes: &[u8]) -> Result<String, FormatError> {
    let snapshot = Snapshot::open(bytes)?;
    snapshot.check_sums()?;
    Ok(answers(&snapshot))
}

#[test]
fn every_flipped_byte_gives_an_error_or_the_right_answers() {
    let (mut bytes, _) = build(&NAMES);
    let right = read(&bytes).unwrap();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            bytes[at] ^= flip;
            if let Ok(got) = read(&bytes) {
                assert_eq!(got, right, "byte {at} flipped by {flip:#x}");
            }
            bytes[at] ^= flip;
        }
    }
}

#[test]
fn every_truncation_and_every_appendix_is_an_error() {
    let (mut bytes, _) = build(&NAMES);
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    bytes.push(0);
    assert!(matches!(read(&bytes), Err(FormatError::Length { .. })));
}

/// Makes checksums and header fit whatever the bytes say: what an attacker would do.
fn seal(bytes: &mut [u8]) {
    let mut header = Header::decode(bytes).unwrap();
    let sums = header.section(SectionId::Sums);
    let at = usize::try_from(sums.offset).unwrap();
    let sum = XxHash3_64::oneshot(&bytes[HEADER_BYTES..at]).to_le_bytes();
    bytes[at..at + 8].copy_from_slice(&sum);
    header.sums_hash = XxHash3_64::oneshot(&sum);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
}

#[test]
fn sealed_damage_never_panics_and_verify_never_panics() {
    let (whole, _) = build(&NAMES);
    let end = usize::try_from(Header::decode(&whole).unwrap().section(SectionId::Sums).offset);
    let mut noticed = 0;
    let mut bytes = whole.clone();
    for at in HEADER_BYTES..end.unwrap() {
        for flip in [0x01, 0xff] {
            bytes[at] ^= flip;
            seal(&mut bytes);
            let snapshot = Snapshot::open(&bytes[..]).unwrap();
            answers(&snapshot);
            noticed += u32::from(verify(&snapshot, &mut |_, _| {}).is_err());
            bytes[at] ^= flip;
        }
    }
    assert!(noticed > 1000, "verify noticed {noticed} damages");
}

#[test]
fn sealed_wrong_section_tables_never_panic() {
    let (whole, _) = build(&NAMES);
    for number in 0..snapshot_format::layout::SECTION_COUNT {
        for value in [0, 1, 7, 4096, u64::from(u32::MAX), u64::MAX / 2, u64::MAX] {
            for field in 0..3 {
                let mut header = Header::decode(&whole).unwrap();
                let section = &mut header.sections[number];
                match field {
                    0 => section.offset = value,
                    1 => section.bytes = value,
                    _ => section.count = value,
                }
                let mut bytes = whole.clone();
                bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
                if let Ok(snapshot) = Snapshot::open(&bytes[..]) {
                    let _ = snapshot.check_sums();
                    let _ = verify(&snapshot, &mut |_, _| {});
                    // A section table that is wrong within the bounds of the file may not be
                    // noticed by opening, but costs no more than the counts say.
                    let _ = snapshot.find_domain("example.demo");
                    let _ = snapshot.variants("example.demo").map(Iterator::count);
                }
            }
        }
    }
}

#[test]
fn a_newer_format_version_says_so_and_what_to_do() {
    let (mut bytes, _) = build(&NAMES);
    bytes[8] = 3;
    let error = Snapshot::open(bytes).unwrap_err().to_string();
    assert!(error.contains("format version 3, this build reads 1 to 2"), "{error}");
    assert!(error.contains("upgrade this one"), "{error}");
}

#[test]
fn something_else_is_not_taken_for_a_snapshot() {
    for other in [&b""[..], b"WHOIS", b"PK\x03\x04 a zip archive", b"WHOIS\x1a\r\n\x01"] {
        let error = Snapshot::open(other).unwrap_err().to_string();
        assert!(error.starts_with("not a snapshot"), "{error}");
    }
}
