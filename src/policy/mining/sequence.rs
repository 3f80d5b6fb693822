//! Names that count on: for each name, how many names before it were asked for, one after the
//! other.
//!
//! `shop10` follows `shop9`, `aba` follows `aaz`, `x-zz` follows `x-zy`. Neither the source nor
//! what comes in between matters: a walk that is spread over a thousand addresses is one run. How
//! much of it at its end one network asked for by itself is kept beside: nobody answers for others.
//!
//! # Invariants
//!
//! - `bounded`: at most [`NAMES_MAX`] names of this window and as many of the one before.
//!
//! # Does not
//!
//! Keep names: their hashes, with secret seeds.

use ahash::RandomState;
use hashbrown::HashMap;

/// Names that are kept of one window.
const NAMES_MAX: usize = 131_072;

/// Longest label, bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A run of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// Its names, from any source.
    pub(super) len: u64,
    /// Those at its end that one network asked for.
    pub(super) own_len: u64,
    /// That network, hashed.
    network: u64,
}

/// Lengths of the runs that end at each name of this window and the one before.
#[derive(Default)]
pub(super) struct Sequences {
    now: HashMap<u64, Run, RandomState>,
    before: HashMap<u64, Run, RandomState>,
    hasher: RandomState,
}

impl Sequences {
    /// Takes a name in lower case in that a network asks for; the run that it ends.
    pub(super) fn see(&mut self, name: &[u8], network: u64) -> Run {
        let end = memchr::memchr(b'.', name).unwrap_or(name.len());
        let (label, rest) = name.split_at_checked(end).unwrap_or((name, b""));
        if label.is_empty() || label.len() > LABEL_BYTES_MAX {
            return Run::default();
        }
        let key = self.hasher.hash_one((label, rest));
        // The same name again, from any source: not a step forward, and not a second signal.
        let again = Run { len: 1, own_len: 1, network };
        if self.now.contains_key(&key) {
            return again;
        }
        if let Some(run) = self.before.get(&key).copied() {
            self.keep(key, run);
            return again;
        }
        let longest = [number_before(label), letters_before(label)]
            .into_iter()
            .flatten()
            .filter_map(|label| {
                let key = self.hasher.hash_one((label.as_bytes(), rest));
                self.now.get(&key).or_else(|| self.before.get(&key)).copied()
            })
            .max_by_key(|run| run.len)
            .unwrap_or_default();
        let own_before = if longest.network == network { longest.own_len } else { 0 };
        let run = Run {
            len: longest.len.saturating_add(1),
            own_len: own_before.saturating_add(1),
            network,
        };
        self.keep(key, run);
        run
    }

    fn keep(&mut self, key: u64, run: Run) {
        if self.now.len() < NAMES_MAX {
            self.now.insert(key, run);
        }
    }

    pub(super) fn next_window(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

/// A label that was worked out.
#[derive(Debug)]
struct Label {
    bytes: [u8; LABEL_BYTES_MAX],
    len: usize,
}

impl Label {
    fn of(label: &[u8]) -> Option<Self> {
        let mut bytes = [0; LABEL_BYTES_MAX];
        bytes.get_mut(..label.len())?.copy_from_slice(label);
        Some(Self { bytes, len: label.len() })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The label whose number at its end is one less: `shop9` before `shop10`; `shop09` where there was
/// a zero before.
fn number_before(label: &[u8]) -> Option<Label> {
    let digits = label.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let mut before = Label::of(label)?;
    let start = label.len().checked_sub(digits)?;
    let number = before.bytes.get_mut(start..label.len())?;
    for digit in number.iter_mut().rev() {
        if *digit > b'0' {
            *digit -= 1;
            // `10` follows `9`, `0010` follows `0009`.
            let shorter = number.len() > 1 && number.first() == Some(&b'0');
            let was_short = label.get(start) == Some(&b'1');
            if shorter && was_short {
                number.copy_within(1.., 0);
                before.len -= 1;
            }
            return Some(before);
        }
        *digit = b'9';
    }
    None
}

/// The label of the same length whose last letters count one less: `aaz` before `aba`.
fn letters_before(label: &[u8]) -> Option<Label> {
    let mut before = Label::of(label)?;
    for letter in before.bytes.get_mut(..label.len())?.iter_mut().rev() {
        match *letter {
            b'b'..=b'z' => {
                *letter -= 1;
                return Some(before);
            }
            b'a' => *letter = b'z',
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_before_counts_one_less() {
        let text = |label: Option<Label>| {
            label.map(|label| String::from_utf8(label.as_bytes().to_vec()).unwrap())
        };
        for (label, number, letters) in [
            ("shop10", Some("shop9"), None),
            ("shop0010", Some("shop0009"), None),
            ("shop100", Some("shop99"), None),
            ("shop0", None, None),
            ("7", Some("6"), None),
            ("aba", None, Some("aaz")),
            ("b", None, Some("a")),
            ("aaa", None, None),
            ("x-b", None, Some("x-a")),
        ] {
            assert_eq!(text(number_before(label.as_bytes())).as_deref(), number, "{label}");
            assert_eq!(text(letters_before(label.as_bytes())).as_deref(), letters, "{label}");
        }
    }

    #[test]
    fn a_run_goes_on_over_windows_and_whatever_comes_between() {
        let mut sequences = Sequences::default();
        for number in 1..50 {
            sequences.see(format!("unrelated-{}.demo", number * 7919).as_bytes(), 1);
            // Two networks in turns, then one alone.
            let network = if number < 40 { number % 2 } else { 0 };
            let run = sequences.see(format!("shop{number}.demo").as_bytes(), network);
            let own_len = if number < 40 { 1 } else { number - 39 };
            assert_eq!((run.len, run.own_len), (number, own_len));
            if number % 10 == 0 {
                sequences.next_window();
            }
        }
        assert_eq!(sequences.see(b"shop50.other", 1).len, 1, "another suffix is another walk");
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut sequences = Sequences::default();
        for number in 0..300_000_u32 {
            sequences.see(format!("n{}", number * 2).as_bytes(), 1);
        }
        assert_eq!(sequences.now.len(), NAMES_MAX);
        for strange in [&b""[..], b".", &[b'9'; 64], &[0xff; 63], &[b'9'; 63], &[b'a'; 63]] {
            sequences.see(strange, 1);
        }
    }
}
