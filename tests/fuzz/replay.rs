//! Replays a kept corpus, and mutations of it from a seed, against a law: what CI runs of the fuzz
//! targets. Needs no compiler flags and no tool.
//!
//! # Invariants
//!
//! - `repeats`: the same corpus and the same count give the same inputs in the same order.
//! - `bounded`: no input takes more memory than its target may.
//! - An input that breaks the law is shown whole, as a byte string, with its number.
//!
//! # Does not
//!
//! Measure coverage: `tests/fuzz/run` does, and makes the corpus.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// Longest input that a mutation makes, bytes: the longest of a corpus are a third of it.
const INPUT_BYTES_MAX: usize = 64 << 10;
/// Most changes of one mutation.
const CHANGES_MAX: usize = 6;
/// Numbers at which programs go wrong.
const NUMBERS: [u64; 12] =
    [0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX / 2, u64::MAX];

/// Holds a law against every input of the corpus `target`, then against `count` mutations of them,
/// and checks that none takes more than `memory_bytes`; `WHOISD_FUZZ_INPUTS` asks for another
/// count.
pub(crate) fn run(target: &str, count: usize, memory_bytes: u64, law: impl Fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "tests/fuzz/corpus/{target} is empty");
    // Memory allocated once for all inputs counts for none of them.
    law(&corpus[0].1);
    let mut peak_bytes = 0;
    let mut hold = |input: &[u8], what: &str| {
        let taken = hold(&law, input, what);
        let shown = input.escape_ascii();
        assert!(taken <= memory_bytes, "{what} takes {taken} bytes of memory: b\"{shown}\"");
        peak_bytes = taken.max(peak_bytes);
    };
    for (name, input) in &corpus {
        hold(input, &format!("{target}: corpus input {name}"));
    }
    let asked = std::env::var("WHOISD_FUZZ_INPUTS").ok().and_then(|count| count.parse().ok());
    let seed = target.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut random = Random(seed);
    for number in 0..asked.unwrap_or(count) {
        let input = mutated(&mut random, &corpus);
        hold(&input, &format!("{target}: mutation {number}"));
    }
    println!("{target}: at most {peak_bytes} bytes of memory, {memory_bytes} are permitted");
}

/// Holds a law against an input; the most memory that it took at once, bytes.
fn hold(law: &impl Fn(&[u8]), input: &[u8], what: &str) -> u64 {
    let mut outcome = Ok(());
    let taken = allocation_counter::measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| law(input)));
    });
    if let Err(panic) = outcome {
        println!("{what} breaks the law: b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
    taken.bytes_max
}

/// The inputs of a corpus, in order of their names.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new("tests/fuzz/corpus").join(target);
    // Members of the workspace are deeper.
    let mut places = root.ancestors().take(3).map(|above| above.join(&folder));
    let place = places.find(|place| place.is_dir());
    let mut inputs = Vec::new();
    for entry in fs::read_dir(place.unwrap_or(folder)).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        inputs.push((name, fs::read(&path).unwrap()));
    }
    inputs.sort();
    inputs
}

/// A splitmix64 sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    /// A piece of `bytes`, mostly short.
    fn piece<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let from = self.below(bytes.len() + 1);
        let longest = if self.below(4) == 0 { 4096 } else { 24 };
        let length = self.below(longest.min(bytes.len() - from) + 1);
        &bytes[from..from + length]
    }
}

fn mutated(random: &mut Random, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].1.clone();
    for _ in 0..=random.below(CHANGES_MAX) {
        let other = &corpus[random.below(corpus.len())].1;
        change(random, &mut input, other);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(input.len() + 1);
    let in_reach = at < input.len();
    match random.below(9) {
        0 if in_reach => input[at] ^= 1 << random.below(8),
        1 if in_reach => input[at] = random.next().to_le_bytes()[0],
        2 => {
            let piece = random.piece(other).to_vec();
            input.splice(at..at, piece);
        }
        3 => {
            let piece = random.piece(other).to_vec();
            let end = (at + piece.len()).min(input.len());
            input.splice(at..end, piece);
        }
        4 => {
            let end = at + random.piece(&input[at..]).len();
            input.drain(at..end);
        }
        5 => {
            let piece = random.piece(input).to_vec();
            input.splice(at..at, piece);
        }
        6 => {
            let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            let width = [1, 2, 4, 8][random.below(4)];
            let at = at & !(width - 1);
            if let Some(place) = input.get_mut(at..at + width) {
                place.copy_from_slice(&number[..width]);
            }
        }
        7 if random.below(4) == 0 => input.truncate(at),
        _ => {
            // A digit or a letter becomes another one: texts stay texts.
            if let Some(byte) = input.get_mut(at).filter(|byte| byte.is_ascii_alphanumeric()) {
                let letters = b"0123456789abcxyzABCXYZ-._%";
                *byte = letters[random.below(letters.len())];
            }
        }
    }
}
