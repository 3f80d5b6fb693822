//! The ring between a shard and the writer thread: fixed memory, one end each.
//!
//! # Invariants
//!
//! - `one-end`: one [`Recorder`] writes a ring, one [`Drain`] reads it; neither waits for the
//!   other.
//! - `whole`: `tail` moves on, with release, once an entry's words are stored, and `head` once they
//!   are read; so neither end sees half an entry. Words are atomics, stored and loaded relaxed:
//!   plain moves on the processors that we know, and no `unsafe`.
//! - `no-allocation`: all memory is taken and touched when the ring is made.
//! - `counted`: an entry that finds no room is counted in `dropped`, and nothing else happens.
//!
//! # Does not
//!
//! Read a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use super::entry::{
    ENTRY_WORDS_MAX, Entry, HEADER_WORDS, TEXT_BYTES_MAX, Taken, taken, text_bytes,
};

/// Bytes of a word.
const WORD_BYTES: u64 = 8;

/// Memory between one shard and the writer.
#[derive(Debug)]
pub(super) struct Ring {
    /// A power of two of them: a place is a count modulo their number.
    words: Box<[AtomicU64]>,
    /// Words ever written.
    tail: CachePadded<AtomicU64>,
    /// Words ever read.
    head: CachePadded<AtomicU64>,
    /// Entries that found no room.
    dropped: CachePadded<AtomicU64>,
}

/// What can be seen of one shard's ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingFigures {
    /// Entries that found no room since the start.
    pub dropped: u64,
    /// Bytes that wait for the writer.
    pub waiting_bytes: u64,
    /// Bytes that may wait.
    pub size_bytes: u64,
}

impl Ring {
    /// A ring of `size_bytes` or a little more: the next power of two.
    fn new(size_bytes: u64) -> Self {
        let least = (ENTRY_WORDS_MAX as u64) * WORD_BYTES;
        let words = (size_bytes.max(least) / WORD_BYTES).next_power_of_two();
        let zero = || CachePadded::new(AtomicU64::new(0));
        let words = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { words, tail: zero(), head: zero(), dropped: zero() }
    }

    #[inline]
    fn word(&self, at: u64) -> Option<&AtomicU64> {
        let index = usize::try_from(at).unwrap_or(0) & self.words.len().wrapping_sub(1);
        self.words.get(index)
    }

    /// What can be seen of it now.
    pub(super) fn figures(&self) -> RingFigures {
        let head = self.head.load(Ordering::Relaxed);
        let waiting = self.tail.load(Ordering::Relaxed).saturating_sub(head);
        RingFigures {
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting_bytes: waiting * WORD_BYTES,
            size_bytes: self.words.len() as u64 * WORD_BYTES,
        }
    }
}

/// Both ends of a new ring for shard number `shard`.
pub(super) fn ring(size_bytes: u64, shard: u16) -> (Recorder, Drain) {
    let ring = Arc::new(Ring::new(size_bytes));
    let recorder = Recorder {
        shard,
        ring: Arc::clone(&ring),
        tail: 0,
        head: 0,
        texts: vec![0; TEXT_BYTES_MAX.next_multiple_of(8)].into_boxed_slice(),
    };
    (recorder, Drain { ring, text: Vec::with_capacity(TEXT_BYTES_MAX.next_multiple_of(8)) })
}

/// A shard's end of its ring.
#[derive(Debug)]
pub struct Recorder {
    shard: u16,
    ring: Arc<Ring>,
    /// The value of `ring.tail`, which nobody else writes.
    tail: u64,
    /// What `ring.head` was when it was last looked at.
    head: u64,
    /// Where an entry's texts are put together; the rest of an earlier one is ignored.
    texts: Box<[u8]>,
}

impl Recorder {
    /// Number of the shard that this end was made for, from 0: its place in the figures.
    #[must_use]
    pub const fn shard(&self) -> u16 {
        self.shard
    }

    /// Hands an entry over, or counts it as dropped if the ring is full. Never waits, allocates or
    /// calls the kernel. What it costs: benches/MEASUREMENTS.md.
    #[inline]
    pub fn record(&mut self, entry: Entry<'_>) {
        let (header, texts) = entry.parts();
        let mut text_len = 0;
        for text in texts {
            let end = text_len + text.len();
            if let Some(place) = self.texts.get_mut(text_len..end) {
                place.copy_from_slice(text);
            }
            text_len = end;
        }
        let text_words = text_len.div_ceil(8);
        if !self.has_room((HEADER_WORDS + text_words) as u64) {
            let dropped = &self.ring.dropped;
            dropped.store(dropped.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return;
        }
        let (chunks, _) = self.texts.as_chunks::<8>();
        let text = chunks.iter().take(text_words).map(|chunk| u64::from_le_bytes(*chunk));
        let mut at = self.tail;
        for value in header.into_iter().chain(text) {
            if let Some(word) = self.ring.word(at) {
                word.store(value, Ordering::Relaxed);
            }
            at += 1;
        }
        self.tail = at;
        self.ring.tail.store(at, Ordering::Release);
    }

    #[inline]
    fn has_room(&mut self, words: u64) -> bool {
        let size = self.ring.words.len() as u64;
        if self.tail + words - self.head <= size {
            return true;
        }
        self.head = self.ring.head.load(Ordering::Acquire);
        self.tail + words - self.head <= size
    }
}

/// The writer's end of a ring.
#[derive(Debug)]
pub(super) struct Drain {
    ring: Arc<Ring>,
    text: Vec<u8>,
}

impl Drain {
    /// For others who look at it.
    pub(super) fn shared(&self) -> Arc<Ring> {
        Arc::clone(&self.ring)
    }

    /// Entries that found no room since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.ring.dropped.load(Ordering::Relaxed)
    }

    /// Takes out what is in the ring now: what comes meanwhile waits for the next call.
    pub(super) fn take_all(&mut self, mut each: impl FnMut(&Taken<'_>)) {
        let end = self.ring.tail.load(Ordering::Acquire);
        let mut at = self.ring.head.load(Ordering::Relaxed);
        while at < end {
            let mut header = [0; HEADER_WORDS];
            for value in &mut header {
                *value = self.load(at);
                at += 1;
            }
            let text_len = text_bytes(&header);
            self.text.clear();
            for _ in 0..text_len.div_ceil(8) {
                let word = self.load(at);
                self.text.extend_from_slice(&word.to_le_bytes());
                at += 1;
            }
            self.text.truncate(text_len);
            self.ring.head.store(at, Ordering::Release);
            each(&taken(&header, &self.text));
        }
    }

    fn load(&self, at: u64) -> u64 {
        self.ring.word(at).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::thread;

    use super::*;

    fn entry(number: u64, name: &[u8]) -> Entry<'_> {
        Entry {
            at_ms: -5,
            server: "[2001:db8::1]:43".parse().unwrap(),
            client: "192.0.2.7".parse().unwrap(),
            kind: "domain",
            outcome: "not_found",
            tier: "public",
            suffix: "example",
            name,
            bytes: 1834,
            micros: 12,
            shard: 3,
            generation: number,
        }
    }

    #[test]
    fn an_entry_comes_out_as_it_went_in() {
        let (mut recorder, mut drain) = ring(4096, 3);
        let mapped = IpAddr::from("::ffff:192.0.2.9".parse::<std::net::Ipv6Addr>().unwrap());
        recorder.record(Entry { client: mapped, ..entry(u64::MAX, b"a\xff\0.example") });
        let mut seen = 0;
        drain.take_all(|taken| {
            seen += 1;
            let server: SocketAddr = "[2001:db8::1]:43".parse().unwrap();
            assert_eq!((taken.at_ms, taken.server), (-5, server));
            assert_eq!(taken.client, IpAddr::from([192, 0, 2, 9]));
            assert_eq!((taken.kind, taken.outcome), (&b"domain"[..], &b"not_found"[..]));
            assert_eq!((taken.tier, taken.suffix), (&b"public"[..], &b"example"[..]));
            assert_eq!((taken.name, taken.left_out), (&b"a\xff\0.example"[..], 0));
            assert_eq!((taken.bytes, taken.micros, taken.shard), (1834, 12, recorder.shard()));
            assert_eq!(taken.generation, u64::MAX);
        });
        assert_eq!(seen, 1);
        drain.take_all(|_| panic!("there is nothing more"));
    }

    #[test]
    fn a_long_name_is_cut_and_says_by_how_much() {
        let (mut recorder, mut drain) = ring(1, 0);
        let name = vec![b'x'; 1024];
        recorder.record(entry(1, &name));
        drain.take_all(|taken| {
            assert_eq!((taken.name.len(), taken.left_out), (255, 769));
        });
        assert_eq!(drain.dropped(), 0, "the smallest ring holds the longest entry");
    }

    #[test]
    fn what_finds_no_room_is_counted_and_what_was_there_stays() {
        let (mut recorder, mut drain) = ring(8192, 0);
        (0..1_000).for_each(|number| recorder.record(entry(number, b"a.example")));
        let figures = drain.shared().figures();
        let mut numbers = Vec::new();
        drain.take_all(|taken| numbers.push(taken.generation));
        let kept = numbers.len() as u64;
        assert_eq!(numbers, (0..kept).collect::<Vec<_>>());
        assert_eq!((figures.dropped, figures.size_bytes), (1_000 - kept, 8192));
        assert!(figures.waiting_bytes > 8192 - 150, "{figures:?}");
        recorder.record(entry(7, b"b.example"));
        drain.take_all(|taken| assert_eq!((taken.generation, taken.name), (7, &b"b.example"[..])));
        assert_eq!(drain.dropped(), 1_000 - kept);
    }

    #[test]
    fn two_threads_lose_nothing_but_what_is_counted_and_keep_the_order() {
        let (mut recorder, mut drain) = ring(4096, 3);
        let count = 200_000_u64;
        let names: Vec<Vec<u8>> = (0..40).map(|length| vec![b'n'; length]).collect();
        let writing = thread::spawn(move || {
            for number in 0..count {
                let name = &names[usize::try_from(number % 40).unwrap()];
                recorder.record(entry(number, name));
            }
        });
        let (mut seen, mut next) = (0, 0);
        let mut look = |drain: &mut Drain| {
            drain.take_all(|taken| {
                assert!(taken.generation >= next);
                assert_eq!(taken.name.len() as u64, taken.generation % 40);
                assert!(taken.name.iter().all(|byte| *byte == b'n'));
                next = taken.generation + 1;
                seen += 1;
            });
        };
        while !writing.is_finished() {
            look(&mut drain);
        }
        writing.join().unwrap();
        look(&mut drain);
        assert_eq!(seen + drain.dropped(), count);
    }
}
