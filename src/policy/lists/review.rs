//! What an operator should know of lists that are good: entries without an effect.
//!
//! # Does not
//!
//! Refuse anything.

use std::fmt;

use ipnet::IpNet;
use snapshot_format::dump::Utc;

use super::{Action, Entry, Lists};

/// An entry that has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning<'a> {
    /// It has expired.
    Expired(&'a Entry),
    /// Another one is about the same prefix and says the same.
    Repeated(&'a Entry, &'a Entry),
    /// A shorter prefix around it says the same, and nothing lies between them.
    Redundant(&'a Entry, &'a Entry),
    /// Longer prefixes that say something else cover all of it.
    Shadowed(&'a Entry),
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Expired(entry)
        | Self::Repeated(entry, _)
        | Self::Redundant(entry, _)
        | Self::Shadowed(entry)) = self;
        let Entry { file, line, number, prefix, .. } = entry;
        write!(f, "{file}:{line}: entry {number}: {prefix} has no effect: ")?;
        match self {
            Self::Expired(entry) => {
                write!(f, "it expired {}", Utc(entry.expires_ms.unwrap_or(i64::MIN)))
            }
            Self::Repeated(_, other) => write!(f, "{}:{} says it already", other.file, other.line),
            Self::Redundant(_, around) => {
                write!(f, "{} at {}:{} says the same", around.prefix, around.file, around.line)
            }
            Self::Shadowed(_) => f.write_str("longer prefixes in the lists cover all of it"),
        }
    }
}

/// Entries without an effect at `now_ms`, in the order of their prefixes.
#[must_use]
pub fn review(lists: &Lists, now_ms: i64) -> Vec<Warning<'_>> {
    let mut warnings: Vec<_> =
        lists.entries().filter(|entry| entry.has_expired(now_ms)).map(Warning::Expired).collect();
    let mut entries: Vec<_> = lists.entries().filter(|entry| !entry.has_expired(now_ms)).collect();
    // A prefix comes before those that it covers; one that lasts longer before its repetitions.
    let until = |entry: &Entry| entry.expires_ms.unwrap_or(i64::MAX);
    entries.sort_by_key(|entry| {
        (key(entry.prefix), std::cmp::Reverse(until(entry)), entry.file.clone(), entry.line)
    });
    let mut around: Vec<Around<'_>> = Vec::new();
    for entry in entries {
        while let Some(last) = around.pop_if(|last| !last.entry.prefix.contains(&entry.prefix)) {
            warnings.extend(last.leave());
        }
        if let Some(last) = around.last_mut() {
            if last.entry.prefix == entry.prefix {
                if says_nothing_new(entry, last.entry) {
                    warnings.push(Warning::Repeated(entry, last.entry));
                    continue;
                }
            } else if says_the_same(entry, last.entry) {
                warnings.push(Warning::Redundant(entry, last.entry));
                continue;
            } else {
                last.cover(entry);
            }
        }
        around.push(Around { entry, left: size(entry.prefix) });
    }
    warnings.extend(around.into_iter().rev().filter_map(Around::leave));
    warnings
}

/// A prefix around those that come, and how many addresses no longer prefix has taken from it.
struct Around<'a> {
    entry: &'a Entry,
    left: u128,
}

impl<'a> Around<'a> {
    fn cover(&mut self, entry: &Entry) {
        let Entry { action, tier, .. } = self.entry;
        // This one still decides what the longer prefix leaves open.
        let until = |entry: &Entry| entry.expires_ms.unwrap_or(i64::MAX);
        let whole = (*action == Action::None || entry.action != Action::None)
            && (tier.is_none() || entry.tier.is_some())
            // One that ends earlier gives back what it has taken.
            && until(entry) >= until(self.entry);
        if whole {
            self.left = self.left.saturating_sub(size(entry.prefix));
        }
    }

    fn leave(self) -> Option<Warning<'a>> {
        (self.left == 0).then_some(Warning::Shadowed(self.entry))
    }
}

/// Addresses of a prefix.
fn size(prefix: IpNet) -> u128 {
    let host_bits = u32::from(prefix.max_prefix_len().saturating_sub(prefix.prefix_len()));
    // 2^128 does not fit: all of IPv6 counts as one less, which its two halves cover as well.
    1_u128.checked_shl(host_bits).unwrap_or(u128::MAX)
}

fn key(prefix: IpNet) -> (bool, u128, u8) {
    match prefix {
        IpNet::V4(prefix) => (false, u128::from(prefix.network().to_bits()), prefix.prefix_len()),
        IpNet::V6(prefix) => (true, prefix.network().to_bits(), prefix.prefix_len()),
    }
}

/// Whether a second entry about one prefix adds neither action nor tier to the first.
fn says_nothing_new(second: &Entry, first: &Entry) -> bool {
    (second.action == Action::None || first.action != Action::None)
        && (second.tier.is_none() || first.tier.is_some())
}

/// Whether a longer prefix says what the shorter one around it says, for no longer than it.
fn says_the_same(longer: &Entry, shorter: &Entry) -> bool {
    let until = |entry: &Entry| entry.expires_ms.unwrap_or(i64::MAX);
    longer.action == shorter.action
        && longer.tier == shorter.tier
        && longer.reason == shorter.reason
        && longer.contact == shorter.contact
        && until(longer) <= until(shorter)
        // Each prefix of `per = "prefix"` has limits of its own, whatever is around it.
        && !matches!(longer.action, Action::Limits(limits) if limits.per == super::Per::Prefix)
}
