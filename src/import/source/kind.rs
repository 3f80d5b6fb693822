//! What a file is, by its first bytes; and what to do with one that is packed in another way.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use super::gunzip::Gunzip;
use crate::import::encoding;

/// Bytes that tell what a file is: a tar header.
const HEAD_BYTES: usize = 512;
/// Where a tar header has its checksum.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// What a file is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    Xml,
    /// A CSV file, or anything else.
    Other,
    /// Encrypted or packed, so that it is not read.
    Packed(Packing),
}

/// A form in which deposits are handed over and that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Packing {
    /// What it is.
    pub(in crate::import) word: &'static str,
    /// What makes a deposit of it.
    pub(in crate::import) advice: &'static str,
}

/// Forms by what they begin with.
const PACKINGS: &[(&[u8], Packing)] = &[
    (
        b"-----BEGIN PGP SIGNATURE",
        Packing { word: "an OpenPGP signature", advice: "name the deposit that it signs" },
    ),
    (
        b"-----BEGIN PGP",
        Packing { word: "OpenPGP data in armour", advice: "gpg --decrypt makes a deposit of it" },
    ),
    (b"PK\x03\x04", Packing { word: "a zip archive", advice: "unzip it" }),
    (b"\xfd7zXZ\0", Packing { word: "xz data", advice: "xz --decompress unpacks it" }),
    (b"\x28\xb5\x2f\xfd", Packing { word: "zstd data", advice: "zstd --decompress unpacks it" }),
    (b"BZh", Packing { word: "bzip2 data", advice: "bzip2 --decompress unpacks it" }),
    (b"LZIP", Packing { word: "lzip data", advice: "lzip --decompress unpacks it" }),
    (b"\x04\x22\x4d\x18", Packing { word: "lz4 data", advice: "lz4 --decompress unpacks it" }),
    (b"7z\xbc\xaf\x27\x1c", Packing { word: "a 7z archive", advice: "7z x unpacks it" }),
    (b"\x1f\x9d", Packing { word: "compress data", advice: "gzip --decompress unpacks it" }),
    (b"Rar!", Packing { word: "a rar archive", advice: "unpack it" }),
    (b"07070", Packing { word: "a cpio archive", advice: "cpio --extract unpacks it" }),
    (b"%PDF", Packing { word: "a PDF document", advice: "name the deposit instead" }),
    (b"{", Packing { word: "JSON", advice: "change records are for whoisd apply" }),
];

const OPENPGP: Packing =
    Packing { word: "OpenPGP data", advice: "gpg --decrypt makes a deposit of it" };
const SIGNATURE: Packing =
    Packing { word: "an OpenPGP signature", advice: "name the deposit that it signs" };
const GZIP_TWICE: Packing =
    Packing { word: "gzip data within gzip data", advice: "gzip --decompress unpacks one of them" };
const EMPTY: Packing = Packing { word: "an empty file", advice: "ask for the deposit again" };

/// What a file is, and whether it is compressed.
pub(super) fn kind_of(mut from: impl Read) -> io::Result<(Kind, bool)> {
    let head = head(&mut from)?;
    if !is_gzip(&head) {
        return Ok((kind_of_head(&head), false));
    }
    let whole = BufReader::new(Cursor::new(head).chain(from));
    let head = self::head(&mut Gunzip::new(whole, Rc::new(Cell::new(false))))?;
    let kind = if is_gzip(&head) { Kind::Packed(GZIP_TWICE) } else { kind_of_head(&head) };
    Ok((kind, true))
}

/// Whether a file that begins so is gzip.
pub(in crate::import) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(b"\x1f\x8b")
}

fn head(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    from.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn kind_of_head(head: &[u8]) -> Kind {
    if head.get(257..262) == Some(b"ustar") || is_tar_header(head) {
        return Kind::Tar;
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let (wide, wide_xml) = encoding::is_wide(head);
    if text.starts_with(b"<") || wide_xml {
        return Kind::Xml;
    }
    let packed = PACKINGS.iter().find(|(start, _)| text.starts_with(start));
    match (packed.map(|&(_, packing)| packing).or_else(|| openpgp(head)), head) {
        (_, []) => Kind::Packed(EMPTY),
        (Some(packing), _) if !wide => Kind::Packed(packing),
        _ => Kind::Other,
    }
}

/// Whether the bytes are a tar header of any age: those of before 1988 have no magic, and all have
/// a checksum, in octal digits, over the header with blanks in its place.
fn is_tar_header(head: &[u8]) -> bool {
    let (Some(stated), Some(&first)) = (head.get(CHECKSUM), head.first()) else { return false };
    if head.len() < HEAD_BYTES || first == 0 {
        return false;
    }
    let digits = stated.trim_ascii_start();
    let end = digits.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end).unwrap_or_default();
    let stated = digits.iter().fold(0u32, |sum, digit| {
        sum.wrapping_mul(8).wrapping_add(u32::from(digit.wrapping_sub(b'0')))
    });
    let sum = head.iter().enumerate().fold(0u32, |sum, (at, &byte)| {
        sum.wrapping_add(u32::from(if CHECKSUM.contains(&at) { b' ' } else { byte }))
    });
    !digits.is_empty() && rest.iter().all(|byte| matches!(byte, b' ' | 0)) && stated == sum
}

/// What OpenPGP packet a file begins with (RFC 9580 section 4.2), if it can be one.
fn openpgp(head: &[u8]) -> Option<Packing> {
    let &first = head.first()?;
    let tag = match first {
        0xc0..=0xff => first & 0x3f,
        0x80..=0xbf => (first & 0x3f).wrapping_shr(2),
        _ => return None,
    };
    // Encrypted session keys, one-pass signatures, compressed, encrypted and literal data.
    match tag {
        // Text in ISO 8859-1 or UTF-8 may begin with these bytes as well.
        _ if std::str::from_utf8(head.get(..16).unwrap_or(head)).is_ok() => None,
        2 => Some(SIGNATURE),
        1 | 3 | 4 | 8 | 9 | 11 | 18 | 20 => Some(OPENPGP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_first_bytes() {
        let word = |bytes: &[u8]| match kind_of(bytes).unwrap() {
            (Kind::Packed(packing), _) => packing.word,
            (Kind::Xml, _) => "XML",
            (Kind::Tar, _) => "tar",
            (Kind::Other, _) => "other",
        };
        for (bytes, expected) in [
            (&b""[..], "an empty file"),
            (b"\n <rde:deposit/>", "XML"),
            (b"\xef\xbb\xbf<a/>", "XML"),
            (b"\xff\xfe<\0a\0", "XML"),
            (b"\xfe\xff\0a\0b", "other"),
            (b"a.test,D1-TEST\n", "other"),
            (b"\xc3\xa4.test,D1-TEST\n", "other"),
            (b"-----BEGIN PGP MESSAGE-----\n", "OpenPGP data in armour"),
            (b"\x85\x01\x0c\x03\xff\xee\xdd\xcc", "OpenPGP data"),
            (b"\x84\x5e\x03\xa0\xb7\xee\xdd\xcc", "OpenPGP data"),
            (b"\xc1\xc0\x4c\x03\xa0\xb7\xee\xdd", "OpenPGP data"),
            (b"\x89\x01\x33\x04\x00\x01\xff\xee", "an OpenPGP signature"),
            (b"PK\x03\x04\x14", "a zip archive"),
            (b"BZh91AY", "bzip2 data"),
            (b"{\"v\":1}", "JSON"),
        ] {
            assert_eq!(word(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_tar_without_magic_is_known_by_its_checksum() {
        let mut header = tar::Header::new_old();
        header.set_path("deposit.xml").unwrap();
        header.set_size(7);
        header.set_cksum();
        assert!(header.as_ustar().is_none() && is_tar_header(header.as_bytes()));
        let mut wrong = *header.as_bytes();
        wrong[0] ^= 1;
        assert!(!is_tar_header(&wrong));
        assert!(!is_tar_header(&header.as_bytes()[..511]) && !is_tar_header(&[0; 512]));
    }
}
