//! The table beside a linear model, what is refused and how it reads, what the review finds.
#![allow(clippy::arithmetic_side_effects, reason = "a test: what overflows fails it")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Action, Entry, Lists, OwnLimits, PREFIX_COUNT_MAX, Per, parse, prefix, review};

const NOW_MS: i64 = 1_800_000_000_000;

fn lists(text: &str) -> Lists {
    let entries = parse("a.toml", text).unwrap();
    Lists::new(vec![entries], &|_| true, NOW_MS).unwrap()
}

fn refusal(text: &str) -> String {
    match parse("a.toml", text) {
        Ok(entries) => {
            let has_tier = |tier: &str| tier != "unknown";
            Lists::new(vec![entries], &has_tier, NOW_MS).unwrap_err().to_string()
        }
        Err(error) => error.to_string(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An address in a corner so small that prefixes meet.
    fn address(&mut self) -> IpAddr {
        let low = self.below(1 << 10);
        match self.below(3) {
            0 => IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 | u32::try_from(low).unwrap())),
            1 => IpAddr::V6(Ipv4Addr::from_bits(0xc000_0200).to_ipv6_mapped()),
            _ => IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low) << 64)),
        }
    }

    fn prefix(&mut self) -> IpNet {
        match self.address().to_canonical() {
            IpAddr::V4(address) => {
                let len = u8::try_from(self.below(14)).unwrap() + 19;
                Ipv4Net::new(address, len).unwrap().trunc().into()
            }
            IpAddr::V6(address) => {
                let len = u8::try_from(self.below(129)).unwrap();
                Ipv6Net::new(address, len).unwrap().trunc().into()
            }
        }
    }

    fn entry(&mut self, line: u32) -> Entry {
        let (queries_per_min, burst) = (u32::try_from(self.below(9)).unwrap() + 1, 5);
        let limits = OwnLimits { queries_per_min, burst, per: Per::Prefix };
        let action = match self.below(4) {
            0 => Action::Deny,
            1 => Action::Allow,
            2 => Action::Limits(limits),
            _ => Action::None,
        };
        let tiered = action == Action::None || self.below(2) == 0;
        let expires_ms =
            (self.below(3) == 0).then(|| NOW_MS + i64::try_from(self.below(100)).unwrap() - 50);
        Entry {
            prefix: self.prefix(),
            action,
            tier: tiered.then(|| format!("tier-{}", self.below(3)).into()),
            reason: None,
            contact: None,
            expires_ms,
            file: "a.toml".into(),
            line,
            number: line,
        }
    }
}

/// What a walk over all entries says.
fn model(entries: &[Entry], address: IpAddr, now_ms: i64) -> (Action, Option<String>) {
    let address = address.to_canonical();
    let around = |entry: &&Entry| entry.prefix.contains(&address) && !entry.has_expired(now_ms);
    let longest = |keep: &dyn Fn(&Entry) -> bool| {
        let found = entries.iter().filter(around).filter(|entry| keep(entry));
        found.max_by_key(|entry| entry.prefix.prefix_len())
    };
    let action = longest(&|entry| entry.action != Action::None);
    let tier = longest(&|entry| entry.tier.is_some());
    (
        action.map_or(Action::None, |entry| entry.action),
        tier.and_then(|entry| entry.tier.as_deref().map(str::to_owned)),
    )
}

#[test]
fn the_table_says_what_a_walk_over_all_entries_says_at_any_time() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut entries: Vec<Entry> = Vec::new();
        for line in 0..u32::try_from(random.below(60)).unwrap() {
            let entry = random.entry(line);
            if entries.iter().all(|other| other.prefix != entry.prefix) {
                entries.push(entry);
            }
        }
        // In two files: where an entry stands does not matter.
        let (one, two) = entries.split_at(entries.len() / 2);
        let files = vec![Arc::from(one), Arc::from(two)];
        let lists = Lists::new(files, &|_| true, NOW_MS).unwrap();
        let later_ms = NOW_MS + 25;
        let later = lists.at(later_ms);
        for _ in 0..200 {
            let address = random.address();
            for (lists, now_ms) in [(&lists, NOW_MS), (&later, later_ms)] {
                let standing = lists.standing(address);
                let tier = standing.tier.map(str::to_owned);
                let expected = model(&entries, address, now_ms);
                assert_eq!((standing.action(), tier), expected, "seed {seed}, {address}");
            }
        }
        let next = entries.iter().filter_map(|entry| entry.expires_ms).filter(|at| *at > NOW_MS);
        assert_eq!(lists.next_expiry_ms(), next.min(), "seed {seed}");
    }
}

#[test]
fn an_entry_reads_as_it_is_written() {
    let text = r#"
        # Law enforcement.
        [[entry]]
        prefix = ["192.0.2.0/24", "2001:db8::/32"]
        action = "limit"
        queries_per_min = 600
        burst = 100
        per = "prefix"
        tier = "law-enforcement"
        reason = "agreement of 2026"
        contact = "noc@registry.example"
        expires = 2027-01-15T10:00:00+02:00

        [[entry]]
        prefix = "198.51.100.7"
        action = "limit"
        queries_per_min = 30
    "#;
    let entries = parse("a.toml", text).unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(
        entries[1],
        Entry {
            prefix: "2001:db8::/32".parse().unwrap(),
            action: Action::Limits(OwnLimits {
                queries_per_min: 600,
                burst: 100,
                per: Per::Prefix
            }),
            tier: Some("law-enforcement".into()),
            reason: Some("agreement of 2026".into()),
            contact: Some("noc@registry.example".into()),
            expires_ms: Some(NOW_MS),
            file: "a.toml".into(),
            line: 4,
            number: 1,
        }
    );
    assert_eq!(entries[2].prefix.to_string(), "198.51.100.7/32");
    let usual = OwnLimits { queries_per_min: 30, burst: 30, per: Per::Address };
    assert_eq!(entries[2].action, Action::Limits(usual));
    assert!(parse("a.toml", "").unwrap().is_empty());
}

#[test]
fn ipv4_written_as_ipv6_is_ipv4() {
    let lists = lists("[[entry]]\nprefix = \"::ffff:192.0.2.0/120\"\naction = \"deny\"\n");
    for text in ["192.0.2.9", "::ffff:192.0.2.9"] {
        assert_eq!(lists.standing(address(text)).action(), Action::Deny, "{text}");
    }
    assert_eq!(lists.standing(address("::192.0.2.9")).action(), Action::None);
    let every = "[[entry]]\nprefix = \"::/0\"\naction = \"deny\"\n";
    let every = Lists::new(vec![parse("a.toml", every).unwrap()], &|_| true, NOW_MS).unwrap();
    assert_eq!(every.standing(address("::ffff:192.0.2.9")).action(), Action::None);
}

/// What follows the prefix of an entry, and how it is refused.
const ENTRIES_REFUSED: &[(&str, &str)] = &[
    (
        "",
        "a.toml:2: entry 1: action: is not set, nor is tier; set action to \"deny\", \
         \"allow\" or \"limit\", or name a tier",
    ),
    (
        "action = \"block\"",
        "a.toml:4: entry 1: action: \"block\" is not an action; known \
         are deny, allow, limit",
    ),
    ("action = 7", "a.toml:4: entry 1: invalid type: integer `7`, expected a string"),
    (
        "action = \"limit\"",
        "a.toml:2: entry 1: queries_per_min: is not set; action \
         \"limit\" needs it",
    ),
    (
        "action = \"limit\"\nqueries_per_min = 0",
        "a.toml:5: entry 1: queries_per_min: \
         0 is out of bounds, 1 to 1000000 are allowed",
    ),
    (
        "action = \"limit\"\nqueries_per_min = 1\nburst = 1000001",
        "a.toml:6: entry 1: \
         burst: 1000001 is out of bounds, 1 to 1000000 are allowed",
    ),
    (
        "action = \"limit\"\nqueries_per_min = 1\nper = \"net\"",
        "a.toml:6: entry 1: per: \
         \"net\" is neither \"address\" nor \"prefix\"",
    ),
    (
        "action = \"deny\"\nburst = 3",
        "a.toml:5: entry 1: burst: is for action \"limit\" \
         alone; set that, or take this out",
    ),
    (
        "action = \"deny\"\nreason = \"a\\nb\"",
        "a.toml:5: entry 1: reason: '\\n' is not \
         allowed; the text has one line",
    ),
    (
        "action = \"deny\"\nreason = \"not found here\"",
        "a.toml:5: entry 1: reason: \
         holds \"not found\", from which client programs conclude whether a name is registered; \
         say it in other words",
    ),
    (
        "action = \"deny\"\ncontact = \" a\"",
        "a.toml:5: entry 1: contact: \" a\" has 2 \
         bytes; 1 to 200 without blanks around are allowed",
    ),
    (
        "action = \"deny\"\nexpires = 2027-01-01",
        "a.toml:5: entry 1: expires: \
         2027-01-01 is not a time with date and zone; write one such as 2027-01-01T00:00:00Z, \
         without quotes",
    ),
    (
        "tier = \"unknown\"",
        "a.toml:3: entry 1: tier: there is no tier \"unknown\"; the \
         configuration names the tiers",
    ),
    (
        "acton = \"deny\"",
        "a.toml:4: entry 1: unknown key `acton`; known are `prefix`, \
         `action`, `queries_per_min`, `burst`, `per`, `tier`, `reason`, `contact`, `expires`",
    ),
];

/// Whole files, and how they are refused.
const FILES_REFUSED: &[(&str, &str)] = &[
    (
        "[[entry]]\naction = \"deny\"",
        "a.toml:1: entry 1: prefix: is not set; name \
         one or a list, such as \"192.0.2.0/24\"",
    ),
    (
        "[[entry]]\nprefix = []\naction = \"deny\"",
        "a.toml:1: entry 1: prefix: the \
         list is empty; name at least one prefix",
    ),
    (
        "[[entry]]\nprefix = 7\naction = \"deny\"",
        "a.toml:2: entry 1: invalid type: \
         integer `7`, expected a prefix in quotes, or a list of them in brackets",
    ),
    (
        "[[entry]]\nprefix = [\"10.0.0.0/8\",\n\"192.0.2.1/24\"]\naction = \"deny\"",
        "a.toml:3: entry 1: prefix: \"192.0.2.1/24\" has bits behind the length of its prefix; \
         write \"192.0.2.0/24\", or \"192.0.2.1/32\" for the one address",
    ),
    (
        "[[entry]]\nprefix = \"10.0.0.0/33\"\naction = \"deny\"",
        "a.toml:2: entry 1: \
         prefix: \"10.0.0.0/33\" is not a prefix; write one such as \"192.0.2.0/24\" or \
         \"2001:db8::/32\"",
    ),
    ("[entries]\n", "a.toml:1: unknown key `entries`; known is `entry`"),
];

#[test]
fn what_is_refused_names_file_line_entry_key_value_and_what_is_expected() {
    let entry = |lines: &str| format!("\n[[entry]]\nprefix = \"192.0.2.0/24\"\n{lines}");
    for (lines, expected) in ENTRIES_REFUSED {
        assert_eq!(refusal(&entry(lines)), *expected, "{lines}");
    }
    for (text, expected) in FILES_REFUSED {
        assert_eq!(refusal(text), *expected, "{text}");
    }
    let long = format!("action = \"deny\"\nreason = \"{}\"", "x".repeat(201));
    assert!(refusal(&entry(&long)).contains("has 201 bytes; 1 to 200"));
    assert!(refusal("[[entry]\n").starts_with("a.toml:1: "));
}

#[test]
fn one_prefix_with_two_actions_is_refused_with_both_lines() {
    let text = |second: &str| {
        format!(
            "[[entry]]\nprefix = \"192.0.2.0/24\"\naction = \"deny\"\n[[entry]]\n\
             prefix = [\"10.0.0.0/8\", \"192.0.2.0/24\"]\n{second}\n"
        )
    };
    assert_eq!(
        refusal(&text("action = \"allow\"")),
        "a.toml:5: entry 2: action: 192.0.2.0/24 is \"allow\" here and \"deny\" at a.toml:2; take \
         one of them out"
    );
    // One gives the action, the other the tier.
    let both = lists(&text("tier = \"police\""));
    let standing = both.standing(address("192.0.2.1"));
    assert_eq!((standing.action(), standing.tier), (Action::Deny, Some("police")));
    // An expired entry says nothing against another.
    let past = lists(&text("action = \"allow\"\nexpires = 2020-01-01T00:00:00Z"));
    assert_eq!(past.standing(address("192.0.2.1")).action(), Action::Deny);
    assert_eq!((past.count(), past.expired_count()), (1, 2));
    // Of two that say the same, the one that lasts longer counts, whichever comes first.
    let repeated = lists(&text("action = \"deny\"\nexpires = 2030-01-01T00:00:00Z"));
    assert_eq!(repeated.at(i64::MAX).standing(address("192.0.2.1")).action(), Action::Deny);
}

#[test]
fn the_review_finds_what_has_no_effect() {
    let lists = lists(
        r#"
        [[entry]]
        prefix = ["192.0.2.0/24", "192.0.2.5", "10.0.0.0/8", "::/0"]
        action = "deny"
        [[entry]]
        prefix = ["10.0.0.0/9", "10.128.0.0/9", "::/1", "8000::/1"]
        action = "allow"
        [[entry]]
        prefix = "192.0.2.0/24"
        action = "deny"
        expires = 2030-01-01T00:00:00Z
        [[entry]]
        prefix = "198.51.100.0/24"
        action = "allow"
        expires = 2020-01-01T00:00:00Z
        [[entry]]
        prefix = ["203.0.113.0/24", "203.0.113.0/25"]
        action = "limit"
        queries_per_min = 5
        per = "prefix"
        # Those that cover it end: it does not.
        [[entry]]
        prefix = "172.16.0.0/12"
        action = "deny"
        [[entry]]
        prefix = ["172.16.0.0/13", "172.24.0.0/13"]
        action = "allow"
        expires = 2030-01-01T00:00:00Z
        "#,
    );
    let warnings: Vec<_> = review(&lists, NOW_MS).iter().map(ToString::to_string).collect();
    let expected = [
        "a.toml:13: entry 4: 198.51.100.0/24 has no effect: it expired 2020-01-01T00:00:00Z",
        "a.toml:3: entry 1: 10.0.0.0/8 has no effect: longer prefixes in the lists cover all of it",
        "a.toml:9: entry 3: 192.0.2.0/24 has no effect: a.toml:3 says it already",
        "a.toml:3: entry 1: 192.0.2.5/32 has no effect: 192.0.2.0/24 at a.toml:3 says the same",
        "a.toml:3: entry 1: ::/0 has no effect: longer prefixes in the lists cover all of it",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn more_prefixes_than_allowed_are_refused() {
    let one = parse("a.toml", "[[entry]]\nprefix = \"10.0.0.1\"\naction = \"deny\"\n").unwrap();
    let many: Arc<[Entry]> = vec![one[0].clone(); PREFIX_COUNT_MAX].into();
    let error = Lists::new(vec![many, one], &|_| true, NOW_MS).unwrap_err().to_string();
    assert!(error.contains("1000001 prefixes in all files up to this one"), "{error}");
}

#[test]
fn any_cut_of_a_list_is_read_or_refused() {
    let text = "[[entry]]\nprefix = [\"192.0.2.0/24\", \"::1\"]\naction = \"limit\"\n\
                queries_per_min = 5\nexpires = 2027-01-01T00:00:00Z\nreason = \"ü\"\n";
    let mut random = Random(7);
    for cut in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes.truncate(cut);
        let _ = parse("a.toml", &String::from_utf8_lossy(&bytes));
        let mut bytes = text.as_bytes().to_vec();
        bytes[cut] = u8::try_from(random.below(256)).unwrap();
        let _ = parse("a.toml", &String::from_utf8_lossy(&bytes));
    }
    assert_eq!(prefix("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
}

/// `cargo test --release --lib policy::lists::tests::cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, for an optimised build"]
fn cost() {
    use crate::observe::clock::monotonic;
    let measure = |name: &str, lists: &Lists, addresses: &[IpAddr]| {
        let mut denied = 0;
        // The best of many rounds: what a neighbour on the machine takes is not ours.
        let mut best_ns = f64::MAX;
        for addresses in (0..20).flat_map(|_| addresses.chunks(5_000)) {
            let begun = monotonic();
            for address in addresses {
                let standing = std::hint::black_box(lists).standing(std::hint::black_box(*address));
                denied += usize::from(standing.action() == Action::Deny);
            }
            let ns = begun.elapsed().as_nanos() as f64 / addresses.len() as f64;
            best_ns = best_ns.min(ns);
        }
        println!("{name}: {best_ns:.1} ns a look-up ({denied} denied)");
    };
    let mut random = Random(1);
    let mut v4 = || IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(random.next() >> 32).unwrap()));
    let addresses: Vec<_> = (0..100_000).map(|_| v4()).collect();
    let v6: Vec<_> = addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(v4) => {
                IpAddr::V6(Ipv6Addr::from_bits(0x2001_u128 << 112 | u128::from(v4.to_bits()) << 64))
            }
            v6 @ IpAddr::V6(_) => *v6,
        })
        .collect();
    measure("empty", &Lists::default(), &addresses);
    let begun = monotonic();
    let mut text = "[[entry]]\naction = \"deny\"\nprefix = [\n".to_owned();
    for number in 0..1_000_000_u32 {
        let bits = number.wrapping_mul(0x9e37_79b1) & 0xffff_ff00;
        match number % 2 {
            0 => text.push_str(&format!("\"{}/24\",\n", Ipv4Addr::from_bits(bits))),
            _ => {
                let bits = 0x2001_u128 << 112 | u128::from(bits) << 64;
                text.push_str(&format!("\"{}/64\",\n", Ipv6Addr::from_bits(bits)));
            }
        }
    }
    text.push_str("]\n");
    println!("{} bytes written in {:?}", text.len(), begun.elapsed());
    let begun = monotonic();
    let entries = parse("a.toml", &text).unwrap();
    println!("parsed in {:?}", begun.elapsed());
    let begun = monotonic();
    let lists = Lists::new(vec![entries], &|_| true, NOW_MS).unwrap();
    println!("table in {:?}", begun.elapsed());
    measure("a million, IPv4", &lists, &addresses);
    measure("a million, IPv6", &lists, &v6);
    let begun = monotonic();
    println!("review: {} in {:?}", review(&lists, NOW_MS).len(), begun.elapsed());
}
