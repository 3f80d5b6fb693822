//! What a base may not do unbidden when it takes the place of another one: a broken export, an old
//! file or a wrong name must not empty a registry.
//!
//! # Invariants
//!
//! - Every refusal names the options that permit it, all of them at once.
//! - Each TLD is weighed by itself: a large one does not hide that a small one is gone.
//! - A time in the future is not a time of data: data from a clock that was ahead refuse nothing.
//!
//! # Does not
//!
//! Read either registry: the caller says what they hold.

use std::fmt;

use snapshot_format::delta::State;
use snapshot_format::dump::Utc;

/// A time of data that is further ahead than that is not believed, ms: as deposits are judged.
pub const AHEAD_MAX_MS: i64 = 5 * 60 * 1000;
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
    /// A TLD that has a deposit of its own, which the header of another one names (`rcdn`)
    Rcdn,
    /// An end of the feed that the directory follows: its changes would be taken with a gap
    Feed,
    /// A state that does not read: what of it can be compared is compared all the same
    Damaged,
}

impl Permit {
    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fewer => "fewer",
            Self::Older => "older",
            Self::Rcdn => "rcdn",
            Self::Feed => "feed",
            Self::Damaged => "damaged",
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

impl Holds {
    /// What a state holds. A time beyond `latest_ms` is not believed.
    #[must_use]
    pub fn of(state: &State, domains: u64, latest_ms: i64) -> Self {
        let watermark_ms = believed(state.committed_ms, latest_ms);
        Self { domains, watermark_ms, serial: state.serial }
    }
}

/// A time of data, or the least one if it is later than `latest_ms`: nothing is older than that.
#[must_use]
pub const fn believed(watermark_ms: i64, latest_ms: i64) -> i64 {
    if watermark_ms > latest_ms { i64::MIN } else { watermark_ms }
}

/// What takes the place of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed<'w> {
    /// TLD; empty: all that there is.
    pub tld: &'w str,
    /// The deposit that this TLD has for its own, if what comes is of another one.
    pub own: Option<&'w str>,
    /// What goes.
    pub old: Holds,
    /// What comes.
    pub new: Holds,
}

/// Why something may not take the place of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// What is there does not read.
    Damaged {
        /// Why it does not.
        why: String,
    },
    /// The TLD has a deposit of its own, and what comes is of another one.
    Rcdn {
        /// The TLD.
        tld: String,
        /// Its own deposit.
        own: String,
    },
    /// The directory follows a feed, which what comes does not continue.
    Feed {
        /// Serial of what comes.
        new: u64,
        /// Serial of what is there.
        old: u64,
    },
    /// The data are older.
    Older {
        /// The TLD; empty: all that there is.
        tld: String,
        /// Time of the data that come, ms since the epoch.
        new_ms: i64,
        /// Time of the data that are there.
        old_ms: i64,
    },
    /// No domain comes.
    Empty {
        /// The TLD, as above.
        tld: String,
        /// Domains that are there.
        old: u64,
    },
    /// Too few domains come.
    Fewer {
        /// The TLD, as above.
        tld: String,
        /// Domains that come.
        new: u64,
        /// Domains that are there.
        old: u64,
        /// Domains that may go, of a hundred.
        percent: u8,
    },
}

impl Loss {
    /// What permits it.
    const fn permit(&self) -> Permit {
        match self {
            Self::Damaged { .. } => Permit::Damaged,
            Self::Rcdn { .. } => Permit::Rcdn,
            Self::Feed { .. } => Permit::Feed,
            Self::Older { .. } => Permit::Older,
            Self::Empty { .. } => Permit::Empty,
            Self::Fewer { .. } => Permit::Fewer,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { why } => write!(f, "what is there does not read ({why})"),
            Self::Rcdn { tld, own } => write!(
                f,
                "its header names {tld} (rcdn), whose names have a deposit of their own here, {own}"
            ),
            Self::Feed { new, old } => write!(
                f,
                "the directory follows a feed (serial {old}), which what comes (serial {new}) does \
                 not continue"
            ),
            Self::Older { tld, new_ms, old_ms } => {
                let (new, old) = (Utc(*new_ms), Utc(*old_ms));
                write!(f, "its data{} are of {new}, those here are of {old}", Of(tld))
            }
            Self::Empty { tld, old } => {
                write!(f, "it has no domains{}, the directory has {old}", Of(tld))
            }
            Self::Fewer { tld, new, old, percent } => write!(
                f,
                "it has {new} domains{}, the directory has {old}: at most {percent} % fewer are \
                 taken",
                Of(tld)
            ),
        }
    }
}

/// A TLD in a sentence; nothing for all that there is.
struct Of<'t>(&'t str);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " of {}", self.0) }
    }
}

/// Something may not take the place of something else unbidden. The message names what permits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// All reasons, at least one.
    pub losses: Vec<Loss>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.losses.iter().map(Loss::to_string).collect();
        let mut words: Vec<&str> = Vec::new();
        for word in self.losses.iter().map(|loss| loss.permit().word()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        write!(
            f,
            "it would take the place of another registry: {}; nothing was changed. If that is \
             meant, say so with --allow {}",
            texts.join("; "),
            words.join(",")
        )
    }
}

impl std::error::Error for Refusal {}

/// Adds what is lost to `losses`, each loss once.
fn weigh(weighed: &Weighed<'_>, fewer_percent: u8, losses: &mut Vec<Loss>) {
    let Weighed { tld, own, old, new } = *weighed;
    let mut lose = |loss| {
        if !losses.contains(&loss) {
            losses.push(loss);
        }
    };
    let tld = || tld.to_owned();
    if let Some(own) = own {
        lose(Loss::Rcdn { tld: tld(), own: own.to_owned() });
    }
    if new.serial < old.serial {
        lose(Loss::Feed { new: new.serial, old: old.serial });
    }
    if new.watermark_ms < old.watermark_ms {
        lose(Loss::Older { tld: tld(), new_ms: new.watermark_ms, old_ms: old.watermark_ms });
    }
    let fewer = old.domains.saturating_sub(new.domains);
    let bound = old.domains.saturating_mul(fewer_percent.into());
    if new.domains == 0 && old.domains > 0 {
        lose(Loss::Empty { tld: tld(), old: old.domains });
    } else if fewer.saturating_mul(100) > bound {
        let (new, old) = (new.domains, old.domains);
        lose(Loss::Fewer { tld: tld(), new, old, percent: fewer_percent });
    }
}

impl Permits {
    /// Whether `new` may take the place of `old`.
    ///
    /// # Errors
    ///
    /// Why not, and which option permits it.
    pub fn check(&self, old: Holds, new: Holds) -> Result<(), Refusal> {
        self.check_all(None, &[Weighed { tld: "", own: None, old, new }])
    }

    /// Whether all that comes may take the place of all that goes. `damage`: why what is there does
    /// not read.
    ///
    /// # Errors
    ///
    /// All reasons why not, and which options permit them.
    pub fn check_all(&self, damage: Option<&str>, weighed: &[Weighed<'_>]) -> Result<(), Refusal> {
        let damaged = damage.map(|why| Loss::Damaged { why: why.to_owned() });
        let mut losses: Vec<Loss> = damaged.into_iter().collect();
        for weighed in weighed {
            weigh(weighed, self.fewer_percent, &mut losses);
        }
        losses.retain(|loss| !self.named.contains(&loss.permit()));
        if losses.is_empty() { Ok(()) } else { Err(Refusal { losses }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Holds = Holds { domains: 100, watermark_ms: 1000, serial: 7 };

    fn refused(new: Holds) -> Option<String> {
        let why = Permits::default().check(OLD, new).err()?.to_string();
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

    #[test]
    fn all_reasons_are_given_at_once_and_each_tld_is_weighed_by_itself() {
        let large = Holds { domains: 1_000_000, watermark_ms: 1000, serial: 0 };
        let small = Holds { domains: 10, ..large };
        let weighed = |small_after, large_after| {
            let of =
                |tld, old, domains| Weighed { tld, own: None, old, new: Holds { domains, ..old } };
            [of("big", large, large_after), of("small", small, small_after)]
        };
        let check = |damage, weighed: &[Weighed<'_>]| Permits::default().check_all(damage, weighed);
        assert_eq!(check(None, &weighed(10, 1_000_000)), Ok(()));
        let why = check(None, &weighed(0, 2_000_000)).unwrap_err().to_string();
        assert!(why.contains("no domains of small, the directory has 10"), "{why}");
        assert!(why.ends_with("--allow empty"), "{why}");
        let why = check(Some("the log ends"), &weighed(0, 10)).unwrap_err().to_string();
        assert!(why.contains("does not read (the log ends)"), "{why}");
        assert!(why.ends_with("--allow damaged,fewer,empty"), "{why}");
        let why = check(None, &weighed(1, 10)).unwrap_err().to_string();
        assert!(why.ends_with("--allow fewer"), "a word comes once: {why}");
    }

    #[test]
    fn a_tld_with_a_deposit_of_its_own_is_weighed_and_has_a_word_of_its_own() {
        let weighed = |new| [Weighed { tld: "co.demo", own: Some("C1"), old: OLD, new }];
        let check = |permits: &Permits, new| permits.check_all(None, &weighed(new));
        let why = check(&Permits::default(), OLD).unwrap_err().to_string();
        assert!(why.contains("names co.demo (rcdn)") && why.contains("here, C1"), "{why}");
        assert!(why.ends_with("--allow rcdn"), "{why}");
        let permits = Permits { named: vec![Permit::Rcdn], ..Permits::default() };
        assert_eq!(check(&permits, OLD), Ok(()));
        let why =
            check(&permits, Holds { domains: 0, watermark_ms: 0, ..OLD }).unwrap_err().to_string();
        assert!(why.ends_with("--allow older,empty"), "{why}");
    }

    #[test]
    fn a_time_to_come_of_what_is_there_makes_nothing_older() {
        assert_eq!(believed(1000, 999), i64::MIN);
        assert_eq!(believed(1000, 1000), 1000);
    }
}
