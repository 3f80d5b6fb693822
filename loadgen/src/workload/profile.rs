//! Profiles: which kinds of requests, in which order, by which clients.
//!
//! # Invariants
//!
//! - A profile that was read is usable: its shares sum to 1, its numbers are within bounds.
//!
//! # Does not
//!
//! Know names, or rates.

use std::fs;

use serde::Deserialize;

use super::WorkloadError;

/// Profiles that come with the program.
pub(super) const BUILT_IN: [(&str, &str); 4] = [
    ("registry", include_str!("../../profiles/registry.toml")),
    ("thick", include_str!("../../profiles/thick.toml")),
    ("hot", include_str!("../../profiles/hot.toml")),
    ("hostile", include_str!("../../profiles/hostile.toml")),
];

/// How far from 1 the sum of the shares may be.
pub(super) const SHARES_TOLERANCE: f64 = 0.001;
/// Largest exponent of Zipf's law.
pub(super) const ZIPF_EXPONENT_MAX: f64 = 5.0;
/// Largest gap between bytes, microseconds: a minute.
pub(super) const GAP_US_MAX: u32 = 60_000_000;

/// In which order names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    Uniform,
    Zipf,
    Scan,
}

/// Shares of the kinds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shares {
    domain: f64,
    idn: f64,
    miss: f64,
    nameserver: f64,
    contact: f64,
    registrar: f64,
    wildcard: f64,
}

/// What a profile's file says.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parsed {
    pub(super) order: Order,
    #[serde(default = "zipf_exponent_default")]
    pub(super) zipf_exponent: f64,
    #[serde(default)]
    pub(super) slow_share: f64,
    #[serde(default = "slow_gap_us_default")]
    pub(super) slow_gap_us: u32,
    #[serde(default)]
    pub(super) silent_share: f64,
    shares: Shares,
}

const fn zipf_exponent_default() -> f64 {
    1.0
}

const fn slow_gap_us_default() -> u32 {
    100_000
}

impl Parsed {
    /// Shares in the order of [`super::Kind::ALL`].
    pub(super) const fn shares(&self) -> [f64; 7] {
        let Shares { domain, idn, miss, nameserver, contact, registrar, wildcard } = self.shares;
        [domain, idn, miss, nameserver, contact, registrar, wildcard]
    }

    /// Whether each number is within its bounds; `name` is the profile's.
    fn check(&self, name: &str) -> Result<(), WorkloadError> {
        let profile = || name.to_owned();
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let mut shares = super::Kind::ALL.iter().zip(self.shares());
        if let Some((kind, share)) = shares.find(|(_, share)| !is_share(*share)) {
            let (profile, kind) = (profile(), kind.name());
            return Err(WorkloadError::KindShare { profile, kind, share });
        }
        let sum: f64 = self.shares().iter().sum();
        if (sum - 1.0).abs() > SHARES_TOLERANCE {
            return Err(WorkloadError::ShareSum { profile: profile(), sum });
        }
        let exponent = self.zipf_exponent;
        if !(exponent > 0.0 && exponent <= ZIPF_EXPONENT_MAX) {
            return Err(WorkloadError::ZipfExponent { profile: profile(), exponent });
        }
        let gap_us = self.slow_gap_us;
        if !(1..=GAP_US_MAX).contains(&gap_us) {
            return Err(WorkloadError::SlowGap { profile: profile(), gap_us });
        }
        let clients = [
            ("slow_share", self.slow_share),
            ("silent_share", self.silent_share),
            ("slow_share and silent_share together", self.slow_share + self.silent_share),
        ];
        match clients.into_iter().find(|(_, share)| !is_share(*share)) {
            Some((key, share)) => {
                Err(WorkloadError::ClientShare { profile: profile(), key, share })
            }
            None => Ok(()),
        }
    }
}

/// A profile.
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    text: String,
    parsed: Parsed,
}

impl Profile {
    /// The built-in profile of this name (`registry`, `thick`, `hot`, `hostile`), or else the file
    /// at this path.
    ///
    /// # Errors
    ///
    /// No such profile, or the key that cannot be used with its value and bound.
    pub fn named(name_or_path: &str) -> Result<Self, WorkloadError> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::of_text(name, text);
        }
        let text = fs::read_to_string(name_or_path).map_err(|source| WorkloadError::NoProfile {
            profile: name_or_path.to_owned(),
            source,
        })?;
        Self::of_text(name_or_path, &text)
    }

    fn of_text(name: &str, text: &str) -> Result<Self, WorkloadError> {
        let parsed: Parsed = toml::from_str(text).map_err(|source| WorkloadError::Toml {
            profile: name.to_owned(),
            source: Box::new(source),
        })?;
        parsed.check(name)?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), parsed })
    }

    /// Its name or path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether some of its clients are slow or silent.
    #[must_use]
    pub fn has_slow_clients(&self) -> bool {
        self.parsed().slow_share + self.parsed().silent_share > 0.0
    }

    /// Its text, for the record of a run.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// A profile of a test.
    #[cfg(test)]
    pub(super) fn of_test(text: &str) -> Self {
        Self::of_text("test", text).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_usable() {
        for (name, text) in BUILT_IN {
            let profile = Profile::named(name).unwrap();
            assert_eq!((profile.name(), profile.text()), (name, text));
            assert!(text.starts_with("# "), "{name} does not say what it is");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_with_its_bound() {
        for (text, part) in [
            ("order = \"zipf\"\n[shares]\ndomain = 0.9\n", "shares sum to 0.9"),
            ("order = \"zipf\"\n[shares]\ndomain = 1.5\n", "shares.domain is 1.5"),
            ("order = \"zipf\"\nzipf_exponent = 0\n[shares]\ndomain = 1\n", "zipf_exponent is 0"),
            ("order = \"zipf\"\nslow_gap_us = 0\n[shares]\ndomain = 1\n", "slow_gap_us is 0"),
            ("order = \"scan\"\nslow_share = 2\n[shares]\ndomain = 1\n", "slow_share is 2"),
            ("order = \"up\"\n[shares]\ndomain = 1\n", "uniform"),
            ("order = \"scan\"\ncolour = 1\n[shares]\ndomain = 1\n", "colour"),
            (
                "order = \"scan\"\nslow_share = 0.6\nsilent_share = 0.6\n[shares]\nidn = 1\n",
                "together is 1.2",
            ),
        ] {
            let message = Profile::of_text("p", text).unwrap_err().to_string();
            assert!(message.contains(part) && message.starts_with("profile p: "), "{message}");
        }
        let message = Profile::named("no such").unwrap_err().to_string();
        assert!(message.contains("registry, thick"), "{message}");
    }
}
