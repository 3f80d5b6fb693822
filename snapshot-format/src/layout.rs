//! Where everything lies in a snapshot file: header, section table, identifiers of sections.
//!
//! # Invariants
//!
//! - `sections in bounds`: a [`Header`] that [`Header::decode`] returned has sections that lie
//!   within `file_bytes`, after the header, and do not overlap.
//! - Numbers are little-endian. FORMAT.md gives every byte.
//!
//! # Does not
//!
//! Read sections.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::error::FormatError;
use crate::limits::HEADER_BYTES;

/// First bytes of a snapshot file. The `\x1a\n` catches text-mode transfers.
pub const MAGIC: [u8; 8] = *b"WHOIS\x1a\n\x01";
/// Version of the bytes on disk that this crate writes.
pub const FORMAT_VERSION: u32 = 2;
/// Oldest version that it reads: it differs in what no older file has, not in the types.
pub const FORMAT_VERSION_MIN: u32 = 1;
/// Bytes under one checksum.
pub const BLOCK_BYTES: usize = 2 << 20;
/// Largest alignment of sections, bytes.
pub const SECTION_ALIGN_BYTES_MAX: u64 = 2 << 20;
/// Smallest alignment of sections, bytes: a cache line, since index buckets are one.
pub const SECTION_ALIGN_BYTES_MIN: u64 = 64;
/// Zero bytes after every heap, so that a copy loop may read past a record's end.
pub const HEAP_TAIL_BYTES: u64 = 64;

/// What the archived types look like; its hash is in the header, so that a build with other types
/// or other rkyv features refuses the file.
const SCHEMA: &str = "whoisd snapshot 1; rkyv 0.8 pointer_width_32 unaligned little_endian; \
domain 84 {i64x3 u32x4 [u32;4] str str vec<u32> niche<84>}; \
domain-cold {i64 str str u32 str str vec<(u8,u32)> u32 vec<ds> vec<key> niche<56> vec<(str,str)>}; \
nameserver 68 {i64x2 u32x4 str str vec<[u8;4]> vec<[u8;16]> niche<24>}; \
nameserver-cold {i64 str str}; \
contact 80 {i64x2 u32x4 [u16;16] u16 u8 u8 str niche<54>}; \
contact-cold {i64 [u16;9] str str str niche<56>}; \
transfer {str u32 str i64 u32 str i64 i64}; \
registrar 109 {i64x2 u32 u8 str str vec<address> str*8}; idn-table 24 {str*3}; \
nndn 38 {i64 u32 u8 bool str*3}; meta 24 {vec<str> vec<str> str}";

/// FNV-1a of `SCHEMA`.
pub const SCHEMA_HASH: u64 = {
    let bytes = SCHEMA.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
};

/// Kinds of records, in the order in which their sections lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Registrars.
    Registrar = 0,
    /// References to IDN tables.
    IdnTable = 1,
    /// Contacts.
    Contact = 2,
    /// Nameservers.
    Nameserver = 3,
    /// Names that are not domain names.
    Nndn = 4,
    /// Domains.
    Domain = 5,
}

impl Kind {
    /// All kinds, in order.
    pub const ALL: [Self; 6] = [
        Self::Registrar,
        Self::IdnTable,
        Self::Contact,
        Self::Nameserver,
        Self::Nndn,
        Self::Domain,
    ];

    /// The kind of a number on disk.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::IdnTable => "IDN table",
            Self::Contact => "contact",
            Self::Nameserver => "nameserver",
            Self::Nndn => "NNDN",
            Self::Domain => "domain",
        }
    }
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionId {
    /// Records of a kind.
    Heap(Kind),
    /// `u32` offsets of those records, and of the end, in units of 8 bytes.
    Offsets(Kind),
    /// Key index of the kind.
    Keys(Kind),
    /// `u32` ordinals of the nameservers in the order of their names.
    NameserverOrder,
    /// (address, `u32` ordinal) of nameservers, ascending.
    Addresses,
    /// Key index: name of a primary to its first entry in [`Self::Variants`].
    VariantKeys,
    /// Variants, the first of each primary preceded by their number.
    Variants,
    /// Key index: ROID to (kind, ordinal).
    RoidKeys,
    /// One record: [`crate::record::Meta`].
    Meta,
    /// `u64` checksums of blocks; the last section.
    Sums,
}

/// Number of sections of a file of this format version.
pub const SECTION_COUNT: usize = 25;

impl SectionId {
    /// All sections, in the order in which they lie in the file.
    #[must_use]
    pub fn all() -> [Self; SECTION_COUNT] {
        let mut all = [Self::Sums; SECTION_COUNT];
        let kinds = Kind::ALL
            .iter()
            .flat_map(|&kind| [Self::Heap(kind), Self::Offsets(kind), Self::Keys(kind)]);
        let rest = [
            Self::NameserverOrder,
            Self::Addresses,
            Self::VariantKeys,
            Self::Variants,
            Self::RoidKeys,
            Self::Meta,
            Self::Sums,
        ];
        for (slot, id) in all.iter_mut().zip(kinds.chain(rest)) {
            *slot = id;
        }
        all
    }

    /// Its number on disk, which is its position in the section table.
    #[must_use]
    pub const fn number(self) -> usize {
        match self {
            Self::Heap(kind) => (kind as usize).wrapping_mul(3),
            Self::Offsets(kind) => (kind as usize).wrapping_mul(3).wrapping_add(1),
            Self::Keys(kind) => (kind as usize).wrapping_mul(3).wrapping_add(2),
            Self::NameserverOrder => 18,
            Self::Addresses => 19,
            Self::VariantKeys => 20,
            Self::Variants => 21,
            Self::RoidKeys => 22,
            Self::Meta => 23,
            Self::Sums => 24,
        }
    }

    /// Its name in messages and in `inspect`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Heap(kind) => format!("{} records", kind.word()),
            Self::Offsets(kind) => format!("{} offsets", kind.word()),
            Self::Keys(kind) => format!("{} keys", kind.word()),
            Self::NameserverOrder => "nameserver name order".into(),
            Self::Addresses => "nameserver addresses".into(),
            Self::VariantKeys => "variant keys".into(),
            Self::Variants => "variants".into(),
            Self::RoidKeys => "ROID keys".into(),
            Self::Meta => "meta".into(),
            Self::Sums => "block checksums".into(),
        }
    }
}

/// Place of a section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Section {
    /// First byte in the file.
    pub offset: u64,
    /// Length, bytes.
    pub bytes: u64,
    /// Records, entries or home buckets, by kind of section.
    pub count: u64,
}

/// The header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the bytes on disk.
    pub format_version: u32,
    /// Alignment of sections, bytes; a power of two.
    pub section_align_bytes: u64,
    /// Seed of all key hashes: random, since registrants choose names.
    pub hash_seed: u64,
    /// Number of the published state.
    pub generation: u64,
    /// Last change that is contained; 0 without a feed.
    pub serial: u64,
    /// Time of the data, ms since the epoch.
    pub watermark_ms: i64,
    /// Length of the file.
    pub file_bytes: u64,
    /// xxh3 of the section [`SectionId::Sums`].
    pub sums_hash: u64,
    /// Sections, by [`SectionId::number`].
    pub sections: [Section; SECTION_COUNT],
}

const SECTIONS_AT: usize = 80;
const SECTION_BYTES: usize = 24;
const CRC_AT: usize = HEADER_BYTES.wrapping_sub(4);
const _: () = assert!(SECTIONS_AT.wrapping_add(SECTION_COUNT.wrapping_mul(SECTION_BYTES)) < CRC_AT);

impl Header {
    /// The section with this identifier.
    #[must_use]
    pub fn section(&self, id: SectionId) -> Section {
        self.sections.get(id.number()).copied().unwrap_or_default()
    }

    /// The bytes of the header block.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut block = [0; HEADER_BYTES];
        put(&mut block, 0, &MAGIC);
        put(&mut block, 8, &self.format_version.to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "25")]
        put(&mut block, 12, &(SECTION_COUNT as u32).to_le_bytes());
        let words = [
            SCHEMA_HASH,
            self.section_align_bytes,
            self.hash_seed,
            self.generation,
            self.serial,
            self.watermark_ms.cast_unsigned(),
            self.file_bytes,
            self.sums_hash,
        ];
        let sections = self.sections.iter().flat_map(|s| [s.offset, s.bytes, s.count]);
        for (word, at) in words.into_iter().chain(sections).zip((16..).step_by(8)) {
            put(&mut block, at, &word.to_le_bytes());
        }
        let crc = crc32c::crc32c(block.get(..CRC_AT).unwrap_or_default());
        put(&mut block, CRC_AT, &crc.to_le_bytes());
        block
    }

    /// Reads the header block at the start of `file`, and checks all that it says about itself.
    ///
    /// # Errors
    ///
    /// Not a snapshot, another format version, damaged, or shorter or longer than it should be.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        Self::decode_block(file, file.len() as u64)
    }

    /// As [`Self::decode`], from the first [`HEADER_BYTES`] of a file of `file_bytes`.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    pub fn decode_block(file: &[u8], file_bytes: u64) -> Result<Self, FormatError> {
        if file.get(..MAGIC.len()) != Some(&MAGIC) {
            let got = file.get(..MAGIC.len().min(file.len())).unwrap_or_default().to_vec();
            return Err(FormatError::NotASnapshot { got });
        }
        let Some(block) = file.get(..HEADER_BYTES) else {
            return Err(FormatError::Length { expected: HEADER_BYTES as u64, got: file_bytes });
        };
        // The version comes before the checksum: a newer format may keep its checksum elsewhere.
        let format_version = word32(block, 8);
        if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&format_version) {
            return Err(FormatError::Version { got: format_version });
        }
        let crc = crc32c::crc32c(block.get(..CRC_AT).unwrap_or_default());
        if crc != word32(block, CRC_AT) {
            return Err(FormatError::HeaderChecksum);
        }
        if word64(block, 16) != SCHEMA_HASH || word32(block, 12) as usize != SECTION_COUNT {
            return Err(FormatError::Schema { got: word64(block, 16), expected: SCHEMA_HASH });
        }
        let mut sections = [Section::default(); SECTION_COUNT];
        for (section, at) in sections.iter_mut().zip((SECTIONS_AT..).step_by(SECTION_BYTES)) {
            let field = |n: usize| word64(block, at.saturating_add(n));
            *section = Section { offset: field(0), bytes: field(8), count: field(16) };
        }
        let header = Self {
            format_version,
            section_align_bytes: word64(block, 24),
            hash_seed: word64(block, 32),
            generation: word64(block, 40),
            serial: word64(block, 48),
            watermark_ms: word64(block, 56).cast_signed(),
            file_bytes: word64(block, 64),
            sums_hash: word64(block, 72),
            sections,
        };
        header.check(file_bytes)?;
        Ok(header)
    }

    fn check(&self, got: u64) -> Result<(), FormatError> {
        if got != self.file_bytes {
            return Err(FormatError::Length { expected: self.file_bytes, got });
        }
        let mut end = HEADER_BYTES as u64;
        for (section, id) in self.sections.iter().zip(SectionId::all()) {
            let section_end = section.offset.checked_add(section.bytes);
            if section.offset < end || section_end.is_none_or(|end| end > self.file_bytes) {
                return Err(FormatError::Section { name: id.name(), what: "lies out of bounds" });
            }
            end = section_end.unwrap_or(end);
        }
        Ok(())
    }
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if let Some(place) = block.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

/// The little-endian `u32` at `at`; 0 beyond the end.
pub(crate) fn word32(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |&word| u32::from_le_bytes(word))
}

/// The little-endian `u64` at `at`; 0 beyond the end.
pub(crate) fn word64(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |&word| u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_numbers_are_positions() {
        for (position, id) in SectionId::all().into_iter().enumerate() {
            assert_eq!(id.number(), position, "{}", id.name());
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(MAGIC, *b"WHOIS\x1a\n\x01");
        assert_eq!((FORMAT_VERSION, SECTION_COUNT, BLOCK_BYTES), (2, 25, 2 << 20));
        assert_eq!(SCHEMA_HASH, 5_877_928_092_375_895_582);
    }
}
