//! The laws of lists by prefix: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - Entries have prefixes without host bits, IPv4 as IPv4, and notes that are one line.
//! - The table says of every address what a walk over all entries says: the longest prefix with an
//!   action decides the action, the longest with a tier the tier, at any time.
//! - What is not read says so in one line that begins with file and line.
//!
//! # Does not
//!
//! Stand in a release: built for tests and for the fuzzer alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::{Action, Entry, ListError, Lists, NOTE_BYTES_MAX, parse};
use crate::policy::display::tier::TIER_NAME_BYTES_MAX;

/// Name under which texts are read.
const NAME: &str = "lists.toml";
/// The time of tables: 2027-01-15.
const NOW_MS: i64 = 1_800_000_000_000;
/// Entries whose edges are looked at: more is the same again.
const EDGES_MAX: usize = 32;

/// Holds the laws against a file. Bytes that are not text never get here: they cannot be read.
pub fn file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let entries = match parse(NAME, text) {
        Ok(entries) => entries,
        Err(error) => return says_where(&error),
    };
    entries.iter().for_each(is_in_order);
    let lists = match Lists::new(vec![Arc::clone(&entries)], &|_| true, NOW_MS) {
        Ok(lists) => lists,
        Err(error) => return says_where(&error),
    };
    holds(&lists, &entries, NOW_MS);
    if let Some(expiry_ms) = lists.next_expiry_ms() {
        assert!(expiry_ms > NOW_MS, "an entry in force has expired");
        holds(&lists.at(expiry_ms), &entries, expiry_ms);
    }
}

fn says_where(error: &ListError) {
    let text = error.to_string();
    assert!(text.starts_with(&format!("{NAME}:{}: ", error.line)), "{text:?}");
    assert!(error.line > 0, "{text:?}");
    assert!(!text.contains(char::is_control), "{text:?} is not one line");
}

fn is_in_order(entry: &Entry) {
    assert_eq!(entry.prefix, entry.prefix.trunc(), "host bits");
    let network = entry.prefix.network();
    let mapped = entry.prefix.prefix_len() >= 96 && network != network.to_canonical();
    assert!(!mapped, "{} is IPv4 written as IPv6", entry.prefix);
    assert!(entry.action != Action::None || entry.tier.is_some(), "an entry that does nothing");
    let notes = [&entry.reason, &entry.contact];
    for note in notes.into_iter().flatten() {
        assert!(note.len() <= NOTE_BYTES_MAX && !note.contains(char::is_control), "{note:?}");
    }
    let tier = entry.tier.as_deref().unwrap_or_default();
    assert!(tier.len() <= TIER_NAME_BYTES_MAX && !tier.contains(char::is_control), "{tier:?}");
}

/// The table beside a walk, at the edges of prefixes and elsewhere.
fn holds(lists: &Lists, entries: &[Entry], now_ms: i64) {
    let mut addresses = vec![
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv4Addr::BROADCAST.into(),
        Ipv6Addr::LOCALHOST.into(),
    ];
    for entry in entries.iter().take(EDGES_MAX) {
        let (first, last) = (entry.prefix.network(), entry.prefix.broadcast());
        addresses.extend([first, last, before(first), after(last)]);
    }
    for address in addresses {
        let standing = lists.standing(address);
        let (action, tier) = walked(entries, address, now_ms);
        assert_eq!(standing.action(), action, "{address}");
        assert_eq!(standing.tier, tier, "{address}");
        if let IpAddr::V4(v4) = address {
            assert_eq!(lists.standing(v4.to_ipv6_mapped().into()), standing, "{address} as IPv6");
        }
    }
}

fn walked(entries: &[Entry], address: IpAddr, now_ms: i64) -> (Action, Option<&str>) {
    let address = address.to_canonical();
    let around = |entry: &&Entry| contains(entry.prefix, address) && !entry.has_expired(now_ms);
    let longest = |keep: fn(&Entry) -> bool| {
        let found = entries.iter().filter(around).filter(|entry| keep(entry));
        found.max_by_key(|entry| entry.prefix.prefix_len())
    };
    let action = longest(|entry| entry.action != Action::None);
    let tier = longest(|entry| entry.tier.is_some());
    (
        action.map_or(Action::None, |entry| entry.action),
        tier.and_then(|entry| entry.tier.as_deref()),
    )
}

fn contains(prefix: IpNet, address: IpAddr) -> bool {
    prefix.contains(&address)
}

fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().wrapping_sub(1)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().wrapping_sub(1)).into(),
    }
}

fn after(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().wrapping_add(1)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().wrapping_add(1)).into(),
    }
}
