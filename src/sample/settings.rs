//! What a sample is made from: seed, size, suffixes, watermark.
//!
//! # Invariants
//!
//! - [`Settings::parse`] is the only way in: a `Settings` is within its bounds, its suffixes are
//!   valid, distinct A-labels in lower case, at least one.
//!
//! # Does not
//!
//! Read a clock: the watermark is fixed unless given.

use super::names::Suffix;
use crate::idn;

/// Fewest domains: room for the showcase and some company for it.
pub const DOMAINS_MIN: u64 = 100;
/// Most domains: the spaces of names and identifiers are sized for it.
pub const DOMAINS_MAX: u64 = 100_000_000;
/// Most suffixes.
pub const TLDS_MAX: usize = 64;
/// Longest suffix, bytes: leaves room for a label of 63 and a host name below it.
pub const TLD_BYTES_MAX: usize = 160;
/// Seed unless given.
pub const SEED_DEFAULT: u64 = 1;
/// Watermark unless given: 2026-01-01T00:00:00Z, in seconds since 1970.
pub const WATERMARK_DEFAULT_S: i64 = 1_767_225_600;
/// Earliest and latest watermark: 2000-01-01 and 2200-01-01, in seconds since 1970.
pub const WATERMARK_BOUNDS_S: (i64, i64) = (946_684_800, 7_258_118_400);
/// Suffixes unless given: a made-up one, two that RFC 2606 reserves, a suffix of two labels, and
/// the former test top-level domain in Greek.
pub const TLDS_DEFAULT: [&str; 5] = ["demo", "example", "test", "co.demo", "xn--jxalpdlp"];

/// What a sample is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    seed: u64,
    domains: u64,
    tlds: Vec<String>,
    watermark_s: i64,
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The size is out of bounds.
    #[error("domains: {0} is out of bounds, {DOMAINS_MIN} to {DOMAINS_MAX} is expected")]
    Domains(u64),
    /// The watermark is out of bounds.
    #[error("watermark: {0} s since 1970 is out of bounds, the years 2000 to 2199 are expected")]
    Watermark(i64),
    /// There are too many suffixes.
    #[error("tld: {0} suffixes are too many, at most {TLDS_MAX} are expected")]
    TldCount(usize),
    /// A suffix is not a domain name.
    #[error("tld {0:?}: is not a domain name of letters, digits and hyphens, nor an IDN")]
    Tld(String),
    /// A suffix is too long.
    #[error("tld {0:?}: has {len} bytes, at most {TLD_BYTES_MAX} are expected", len = .0.len())]
    TldLength(String),
    /// A suffix is given twice.
    #[error("tld {0:?}: is given twice")]
    TldTwice(String),
}

impl Settings {
    /// Settings for `domains` domains, with everything else as by default.
    ///
    /// # Errors
    ///
    /// The size is out of bounds.
    pub fn of_size(domains: u64) -> Result<Self, SettingsError> {
        let tlds: Vec<String> = TLDS_DEFAULT.iter().map(ToString::to_string).collect();
        Self::parse(SEED_DEFAULT, domains, &tlds, WATERMARK_DEFAULT_S)
    }

    /// Checks and completes what was asked for; without suffixes, the default ones.
    ///
    /// # Errors
    ///
    /// A value out of its bounds, or a suffix that is not a domain name.
    pub fn parse(
        seed: u64,
        domains: u64,
        tlds: &[String],
        watermark_s: i64,
    ) -> Result<Self, SettingsError> {
        if !(DOMAINS_MIN..=DOMAINS_MAX).contains(&domains) {
            return Err(SettingsError::Domains(domains));
        }
        let (earliest, latest) = WATERMARK_BOUNDS_S;
        if !(earliest..latest).contains(&watermark_s) {
            return Err(SettingsError::Watermark(watermark_s));
        }
        if tlds.len() > TLDS_MAX {
            return Err(SettingsError::TldCount(tlds.len()));
        }
        let mut folded: Vec<String> = Vec::new();
        for tld in tlds {
            let a = idn::to_ascii(tld.trim_end_matches('.'))
                .map(|a| a.as_str().to_owned())
                .filter(|a| is_ldh(a))
                .ok_or_else(|| SettingsError::Tld(tld.clone()))?;
            if a.len() > TLD_BYTES_MAX {
                return Err(SettingsError::TldLength(a));
            }
            if folded.contains(&a) {
                return Err(SettingsError::TldTwice(a));
            }
            folded.push(a);
        }
        if folded.is_empty() {
            folded.extend(TLDS_DEFAULT.iter().map(ToString::to_string));
        }
        Ok(Self { seed, domains, tlds: folded, watermark_s })
    }

    /// Seed of everything but the showcase.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of domains.
    #[must_use]
    pub const fn domains(&self) -> u64 {
        self.domains
    }

    /// Suffixes, as A-labels; the first one has the showcase.
    #[must_use]
    pub fn tlds(&self) -> &[String] {
        &self.tlds
    }

    /// When the registry was as the sample shows it, seconds since 1970.
    #[must_use]
    pub const fn watermark_s(&self) -> i64 {
        self.watermark_s
    }

    /// The suffixes in both forms.
    pub(crate) fn suffixes(&self) -> Vec<Suffix> {
        let u = |a: &str| idn::unicode(a).map_or_else(|| a.to_owned(), |u| u.as_str().to_owned());
        let both = |a: &String| Suffix { a: a.clone(), u: u(a) };
        self.tlds.iter().map(both).collect()
    }
}

/// Labels of 1 to 63 letters, digits and inner hyphens.
fn is_ldh(name: &str) -> bool {
    name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(domains: u64, tlds: &[&str], watermark_s: i64) -> Result<Settings, SettingsError> {
        let tlds: Vec<String> = tlds.iter().map(ToString::to_string).collect();
        Settings::parse(1, domains, &tlds, watermark_s)
    }

    #[test]
    fn suffixes_are_folded_to_a_labels() {
        let settings = parse(100, &["DEMO.", "δοκιμή"], WATERMARK_DEFAULT_S).unwrap();
        assert_eq!(settings.tlds(), ["demo", "xn--jxalpdlp"]);
    }

    #[test]
    fn labels_of_a_suffix_are_judged_one_by_one() {
        let settings = parse(100, &["365.شبكة", "r3---sn"], WATERMARK_DEFAULT_S).unwrap();
        assert_eq!(settings.tlds(), ["365.xn--ngbc5azd", "r3---sn"]);
        assert_eq!(settings.suffixes()[0].u, "365.شبكة");
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bound() {
        let message = parse(99, &[], WATERMARK_DEFAULT_S).unwrap_err().to_string();
        assert_eq!(message, "domains: 99 is out of bounds, 100 to 100000000 is expected");
        assert_eq!(parse(100, &[], 0), Err(SettingsError::Watermark(0)));
        for bad in ["", "a b", "-a", "a..b", "a_b", "xn--zzzzzz!"] {
            let refused = parse(100, &[bad], WATERMARK_DEFAULT_S);
            assert_eq!(refused, Err(SettingsError::Tld(bad.to_owned())), "{bad}");
        }
        let twice = parse(100, &["demo", "Demo"], WATERMARK_DEFAULT_S);
        assert_eq!(twice, Err(SettingsError::TldTwice("demo".to_owned())));
        let long = vec!["a".repeat(60); 3].join(".");
        assert_eq!(
            parse(100, &[&long], WATERMARK_DEFAULT_S),
            Err(SettingsError::TldLength(long.clone()))
        );
    }
}
