//! What a base may not do unbidden when it takes the place of another one: a broken export, an old
//! file or a wrong name must not empty a registry.
//!
//! # Invariants
//!
//! - Every refusal names the option that permits it.
//!
//! # Does not
//!
//! Read either registry: whoever replaces one says what they hold.

use snapshot_format::dump::Utc;

/// Domains that may go unbidden, of a hundred.
pub const FEWER_PERCENT: u8 = 20;

/// What has to be permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Permit {
    /// No domains, where there are some
    Empty,
    /// Far fewer domains than there are
    Fewer,
    /// Data that are older than those that are there
    Older,
    /// An end of the feed that the directory follows: its changes would be taken with a gap
    Feed,
}

impl Permit {
    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fewer => "fewer",
            Self::Older => "older",
            Self::Feed => "feed",
        }
    }
}

/// What is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permits {
    /// What was named.
    pub named: Vec<Permit>,
    /// Domains that may go, of a hundred.
    pub fewer_percent: u8,
}

impl Default for Permits {
    fn default() -> Self {
        Self { named: Vec::new(), fewer_percent: FEWER_PERCENT }
    }
}

/// What a registry holds, or what is to take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// Domains.
    pub domains: u64,
    /// Time of the data, ms since the epoch.
    pub watermark_ms: i64,
    /// Last serial of the feed; 0 without one.
    pub serial: u64,
}

impl Permits {
    /// Whether `new` may take the place of `old`.
    ///
    /// # Errors
    ///
    /// Why not, and which option permits it.
    pub fn check(&self, old: Holds, new: Holds) -> Result<(), String> {
        let mut problems: Vec<(Permit, String)> = Vec::new();
        let mut problem = |permit: Permit, text: String| {
            if !self.named.contains(&permit) {
                problems.push((permit, text));
            }
        };
        if new.serial < old.serial {
            let text = format!(
                "the directory follows a feed (serial {}), which what comes (serial {}) does not \
                 continue",
                old.serial, new.serial
            );
            problem(Permit::Feed, text);
        }
        if new.watermark_ms < old.watermark_ms {
            let (new, old) = (Utc(new.watermark_ms), Utc(old.watermark_ms));
            problem(Permit::Older, format!("its data are of {new}, those here are of {old}"));
        }
        let fewer = old.domains.saturating_sub(new.domains);
        let bound = old.domains.saturating_mul(self.fewer_percent.into());
        if new.domains == 0 && old.domains > 0 {
            problem(Permit::Empty, format!("it has no domains, the directory has {}", old.domains));
        } else if fewer.saturating_mul(100) > bound {
            let text = format!(
                "it has {} domains, the directory has {}: at most {} % fewer are taken",
                new.domains, old.domains, self.fewer_percent
            );
            problem(Permit::Fewer, text);
        }
        refusal(&problems).map_or(Ok(()), Err)
    }
}

fn refusal(problems: &[(Permit, String)]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let texts: Vec<&str> = problems.iter().map(|(_, text)| text.as_str()).collect();
    let words: Vec<&str> = problems.iter().map(|(permit, _)| permit.word()).collect();
    Some(format!(
        "it would take the place of another registry: {}; nothing was changed. If that is meant, \
         say so with --allow {}",
        texts.join("; "),
        words.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Holds = Holds { domains: 100, watermark_ms: 1000, serial: 7 };

    fn refused(new: Holds) -> Option<String> {
        let why = Permits::default().check(OLD, new).err()?;
        let (_, words) = why.split_once("--allow ").unwrap();
        let named = words.split(',').map(|word| {
            let permits = [Permit::Empty, Permit::Fewer, Permit::Older, Permit::Feed];
            permits.into_iter().find(|permit| permit.word() == word).unwrap()
        });
        let permits = Permits { named: named.collect(), ..Permits::default() };
        assert_eq!(permits.check(OLD, new), Ok(()), "what it names permits it");
        Some(words.to_owned())
    }

    #[test]
    fn each_loss_is_refused_by_its_own_word_and_taken_by_it() {
        let words = |new| refused(new).unwrap_or_default();
        assert_eq!(words(OLD), "");
        assert_eq!(words(Holds { domains: 80, ..OLD }), "", "at the bound");
        assert_eq!(words(Holds { domains: 79, ..OLD }), "fewer");
        assert_eq!(words(Holds { domains: 1000, ..OLD }), "");
        assert_eq!(words(Holds { domains: 0, ..OLD }), "empty");
        assert_eq!(words(Holds { watermark_ms: 999, ..OLD }), "older");
        assert_eq!(words(Holds { watermark_ms: 1001, ..OLD }), "");
        assert_eq!(words(Holds { serial: 6, ..OLD }), "feed");
        assert_eq!(words(Holds { serial: 8, ..OLD }), "");
        let all = Holds { domains: 0, watermark_ms: 0, serial: 0 };
        assert_eq!(words(all), "feed,older,empty");
    }

    #[test]
    fn the_bound_on_fewer_domains_is_a_setting_and_nothing_was_there_loses_nothing() {
        let permits = Permits { fewer_percent: 50, ..Permits::default() };
        assert!(permits.check(OLD, Holds { domains: 50, ..OLD }).is_ok());
        assert!(permits.check(OLD, Holds { domains: 49, ..OLD }).is_err());
        let nothing = Holds { domains: 0, ..OLD };
        assert!(permits.check(nothing, nothing).is_ok());
    }
}
