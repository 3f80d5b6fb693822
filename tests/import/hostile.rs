//! Bytes by accident or malice: no panic, and no snapshot from a deposit that was cut.

use std::path::Path;

use crate::changes::read_files;
use crate::registry::Registry;
use crate::support::{good, import, import_files, sample};

/// A small generator of numbers: the run repeats.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }
}

#[test]
fn a_deposit_that_is_cut_anywhere_is_refused() {
    let good = good();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    // After the last `>` there is white space.
    for end in 0..good.trim_end().len() {
        std::fs::write(&path, &good.as_bytes()[..end]).unwrap();
        assert!(import_files(&[&path]).bytes.is_err(), "cut at {end}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let good = good().into_bytes();
    let mut numbers = Numbers(42);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    for round in 0..1500 {
        let mut bytes = good.clone();
        for _ in 0..=numbers.next(3) {
            let at = numbers.next(bytes.len());
            bytes[at] = if round % 2 == 0 {
                numbers.next(256) as u8
            } else {
                bytes[at] ^ 1 << numbers.next(7)
            };
        }
        std::fs::write(&path, &bytes).unwrap();
        let outcome = import_files(&[&path]);
        if outcome.bytes.is_ok() && round % 10 == 0 {
            snapshot_format::verify::verify(&outcome.snapshot(), &mut |_, _| {}).unwrap();
        }
    }
}

#[test]
fn flipped_bytes_of_csv_files_never_panic() {
    let directory = tempfile::tempdir().unwrap();
    let from = sample("rfc9022-csv");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        let mut content = std::fs::read(entry.path()).unwrap();
        if entry.file_name() == "deposit.xml" {
            // Without checksums, so that the rows are read.
            let text = String::from_utf8(content).unwrap();
            let mut parts = text.split("cksum=\"");
            let mut all = parts.next().unwrap().to_owned();
            parts.for_each(|part| all.push_str(part.split_once('"').unwrap().1));
            content = all.into_bytes();
        }
        let path = directory.path().join(entry.file_name());
        std::fs::write(&path, &content).unwrap();
        files.push((path, content));
    }
    files.sort();
    let mut numbers = Numbers(7);
    let xml = directory.path().join("deposit.xml");
    assert!(import_files(&[&xml]).bytes.is_ok());
    for _ in 0..600 {
        let (path, content) = &files[numbers.next(files.len())];
        let mut bytes = content.clone();
        let at = numbers.next(bytes.len());
        bytes[at] = numbers.next(256) as u8;
        std::fs::write(path, &bytes).unwrap();
        // Any result will do, but no panic.
        let _ = import_files(&[Path::new(&xml)]);
        std::fs::write(path, content).unwrap();
    }
}

#[test]
fn flipped_bytes_of_changes_never_panic() {
    let good = std::fs::read(sample("diff.xml")).unwrap();
    let mut numbers = Numbers(11);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    let mut read = 0;
    for _ in 0..1500 {
        let mut bytes = good.clone();
        for _ in 0..=numbers.next(3) {
            let at = numbers.next(bytes.len());
            bytes[at] = numbers.next(256) as u8;
        }
        std::fs::write(&path, &bytes).unwrap();
        read += u32::from(read_files(&[&path], &Registry::default()).is_ok());
    }
    assert!(read > 100, "{read}");
}

#[test]
fn random_bytes_are_not_a_deposit() {
    let mut numbers = Numbers(3);
    for magic in [&b""[..], b"<", b"\x1f\x8b\x08", b"<?xml", b"\xff\xfe"] {
        for _ in 0..20 {
            let mut bytes = magic.to_vec();
            bytes.extend((0..numbers.next(700)).map(|_| numbers.next(256) as u8));
            assert!(import(&bytes).bytes.is_err());
        }
    }
}
