//! One query that was answered, as a shard hands it over, and its form in a ring: words of 64 bits.
//!
//! ```text
//! word 0  at_ms          word 3  shard (16), port (16), families (8), lengths of kind, outcome,
//! word 1  generation             tier (8 each)
//! word 2  bytes, micros  word 4  length of suffix (16), of name (16), bytes of name left out (32)
//! words 5 and 6  server's address        words 7 and 8  client's
//! then kind, outcome, tier, suffix, name, one after another, the last word filled up
//! ```
//!
//! # Invariants
//!
//! - `bounded`: an entry has at most [`ENTRY_WORDS_MAX`] words, whatever was asked.
//!
//! # Does not
//!
//! Make a name readable or hide an address: the writer thread does, where time is cheap.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Longest kind, outcome and name of a tier that are kept, bytes; ours have at most 20.
pub(super) const WORD_BYTES_MAX: usize = 64;
/// Longest suffix that is kept, bytes: a domain name's bound.
pub(super) const SUFFIX_BYTES_MAX: usize = 255;
/// Longest name that is kept, bytes: a domain name has at most 253 characters. How many bytes were
/// left out is kept.
pub const NAME_BYTES_MAX: usize = 255;
/// Words before the texts.
pub(super) const HEADER_WORDS: usize = 9;
/// Bytes of all texts.
pub(super) const TEXT_BYTES_MAX: usize = 3 * WORD_BYTES_MAX + SUFFIX_BYTES_MAX + NAME_BYTES_MAX;
/// Words of the longest entry.
pub(super) const ENTRY_WORDS_MAX: usize = HEADER_WORDS + TEXT_BYTES_MAX.div_ceil(8);

/// One query that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When the answer was ready, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The address and port that were asked.
    pub server: SocketAddr,
    /// The client, which a PROXY header names where there is one.
    pub client: IpAddr,
    /// Kind of the query: see `COUNTING.md` for the words.
    pub kind: &'static str,
    /// What came of it: see `COUNTING.md` for the words.
    pub outcome: &'static str,
    /// Name of the tier that the client has.
    pub tier: &'a str,
    /// The served suffix that the name lies in; empty if there is none.
    pub suffix: &'a str,
    /// What was asked for, as it was written.
    pub name: &'a [u8],
    /// Length of the answer, bytes.
    pub bytes: u32,
    /// From the end of the line to the answer, microseconds.
    pub micros: u32,
    /// Number of the shard.
    pub shard: u16,
    /// The generation that was answered from.
    pub generation: u64,
}

/// An entry as it comes out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken<'a> {
    pub(super) at_ms: i64,
    pub(super) server: SocketAddr,
    pub(super) client: IpAddr,
    pub(super) kind: &'a [u8],
    pub(super) outcome: &'a [u8],
    pub(super) tier: &'a [u8],
    pub(super) suffix: &'a [u8],
    pub(super) name: &'a [u8],
    /// Bytes of the name that were not kept.
    pub(super) left_out: u32,
    pub(super) bytes: u32,
    pub(super) micros: u32,
    pub(super) shard: u16,
    pub(super) generation: u64,
}

/// The header's words, and the texts in their order.
pub(super) type Parts<'a> = ([u64; HEADER_WORDS], [&'a [u8]; 5]);

impl<'a> Entry<'a> {
    /// The entry's parts, every text cut to its bound.
    #[inline]
    pub(super) fn parts(&self) -> Parts<'a> {
        let cut = |text: &'a [u8], max: usize| text.get(..max).unwrap_or(text);
        let texts = [
            cut(self.kind.as_bytes(), WORD_BYTES_MAX),
            cut(self.outcome.as_bytes(), WORD_BYTES_MAX),
            cut(self.tier.as_bytes(), WORD_BYTES_MAX),
            cut(self.suffix.as_bytes(), SUFFIX_BYTES_MAX),
            cut(self.name, NAME_BYTES_MAX),
        ];
        let [kind, outcome, tier, suffix, name] = texts.map(|text| text.len() as u64);
        let left_out = (self.name.len() as u64).saturating_sub(name).min(u64::from(u32::MAX));
        let (server, server_is_v6) = address_words(self.server.ip());
        let (client, client_is_v6) = address_words(self.client);
        let families = u64::from(server_is_v6) | u64::from(client_is_v6) << 1;
        let header = [
            self.at_ms.cast_unsigned(),
            self.generation,
            u64::from(self.bytes) | u64::from(self.micros) << 32,
            u64::from(self.shard)
                | u64::from(self.server.port()) << 16
                | families << 32
                | kind << 40
                | outcome << 48
                | tier << 56,
            suffix | name << 16 | left_out << 32,
            server[0],
            server[1],
            client[0],
            client[1],
        ];
        (header, texts)
    }
}

#[inline]
fn address_words(address: IpAddr) -> ([u64; 2], bool) {
    match address {
        IpAddr::V4(v4) => ([u64::from(v4.to_bits()), 0], false),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            ([low_word(bits >> 64), low_word(bits)], true)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half of it is what is wanted")]
#[inline]
const fn low_word(bits: u128) -> u64 {
    bits as u64
}

/// The address that follows two words. IPv4 in IPv6 is IPv4: a listener on `[::]` sees it so.
fn address(high: u64, low: u64, is_v6: bool) -> IpAddr {
    if is_v6 {
        let bits = u128::from(high) << 64 | u128::from(low);
        IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
    } else {
        IpAddr::from((field(high, 0, 32)).to_be_bytes())
    }
}

/// `width` bits of a word, 32 at most, from bit `from` on.
fn field(word: u64, from: u32, width: u32) -> u32 {
    let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width)).unwrap_or(0);
    u32::try_from(word.checked_shr(from).unwrap_or(0) & mask).unwrap_or(u32::MAX)
}

/// Bytes of the texts that follow a header.
pub(super) fn text_bytes(header: &[u64; HEADER_WORDS]) -> usize {
    lengths(header).iter().fold(0, |sum, length| sum.saturating_add(*length))
}

fn lengths(header: &[u64; HEADER_WORDS]) -> [usize; 5] {
    let [_, _, _, word, texts, ..] = *header;
    let length = |word, from, width| field(word, from, width) as usize;
    [
        length(word, 40, 8),
        length(word, 48, 8),
        length(word, 56, 8),
        length(texts, 0, 16),
        length(texts, 16, 16),
    ]
}

/// The entry that a header and its texts make.
pub(super) fn taken<'a>(header: &[u64; HEADER_WORDS], text: &'a [u8]) -> Taken<'a> {
    let [at_ms, generation, sizes, word, texts, server0, server1, client0, client1] = *header;
    let mut rest = text;
    let [kind, outcome, tier, suffix, name] = lengths(header).map(|length| {
        let (one, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = behind;
        one
    });
    let port = u16::try_from(field(word, 16, 16)).unwrap_or(0);
    let families = field(word, 32, 8);
    Taken {
        at_ms: at_ms.cast_signed(),
        server: SocketAddr::new(address(server0, server1, families & 1 != 0), port),
        client: address(client0, client1, families & 2 != 0),
        kind,
        outcome,
        tier,
        suffix,
        name,
        left_out: field(texts, 32, 32),
        bytes: field(sizes, 0, 32),
        micros: field(sizes, 32, 32),
        shard: u16::try_from(field(word, 0, 16)).unwrap_or(0),
        generation,
    }
}

const _: () = assert!(WORD_BYTES_MAX < 256 && SUFFIX_BYTES_MAX < 65_536 && NAME_BYTES_MAX < 65_536);
