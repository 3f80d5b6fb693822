//! Traffic that is flagged, and honest traffic that is not.

use super::*;

struct Watched {
    miner: Miner,
    flags: Vec<Flag>,
    now_ms: i64,
}

impl Watched {
    fn new(settings: Settings) -> Self {
        Self { miner: Miner::new(settings), flags: Vec::new(), now_ms: 0 }
    }

    fn ask(&mut self, host: u32, name: &str, missed: bool) {
        self.now_ms += 5;
        let address = IpAddr::V4(host.into());
        let seen = Lookup { address, name: name.as_bytes(), missed, at_ms: self.now_ms };
        self.miner.see(seen, &mut self.flags);
    }

    fn signals(&self) -> Vec<(Signal, String)> {
        self.flags.iter().map(|flag| (flag.signal, flag.prefix.to_string())).collect()
    }
}

/// A number that looks drawn.
fn mixed(seed: u32) -> u32 {
    seed.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519)
}

#[test]
fn a_dictionary_walk_of_one_address_is_flagged_once() {
    let mut watched = Watched::new(Settings::default());
    for word in 0..300 {
        let letter =
            |at: u32| char::from(b'a' + u8::try_from((word / 26_u32.pow(at)) % 26).unwrap());
        let name = format!("{}{}ord{word:04}.demo", letter(1), letter(0));
        watched.ask(0xc000_0201, &name, word % 3 == 0);
    }
    let signals = watched.signals();
    // One address is not a network: its neighbours have done nothing.
    assert_eq!(signals, [(Signal::Ascending, "192.0.2.1/32".to_owned())]);
}

#[test]
fn who_asks_for_all_that_a_limit_of_60_a_minute_gives_is_seen_guessing() {
    let mut watched = Watched::new(Settings::default());
    for query in 0..180 {
        watched.now_ms += 995;
        watched.ask(0xc000_0201, &format!("{}.demo", mixed(query)), true);
    }
    assert_eq!(watched.signals(), [(Signal::Misses, "192.0.2.1/32".to_owned())]);
}

#[test]
fn several_addresses_of_a_network_that_walk_together_are_flagged_as_one() {
    let mut watched = Watched::new(Settings::default());
    for query in 0..60 {
        watched.ask(0xc000_0200 + query % 6, &format!("{}.demo", mixed(query)), true);
    }
    assert_eq!(watched.signals(), [(Signal::Misses, "192.0.2.0/24".to_owned())]);
}

#[test]
fn who_asks_for_what_a_miner_has_asked_for_is_no_miner() {
    let mut watched = Watched::new(Settings::default());
    for number in 0..40 {
        watched.ask(0xc000_0201, &format!("shop{number}.demo"), false);
    }
    assert_eq!(watched.signals(), [(Signal::Sequence, "192.0.2.0/24".to_owned())]);
    assert!(watched.flags[0].is_own);
    // In the same window, and in the next one; the name after the run is a sign, not a proof.
    for window in 0..2 {
        watched.now_ms = WINDOW_MS * window + 1_000;
        watched.ask(0xcb00_7101, "shop35.demo", false);
        watched.ask(0xcb00_7101, "shop36.demo", false);
        assert_eq!(watched.flags.len(), 1, "{:?}", watched.flags);
    }
    watched.ask(0xcb00_7201, "shop40.demo", false);
    let last = watched.flags.last().unwrap();
    assert_eq!((last.prefix.to_string().as_str(), last.is_own), ("203.0.114.0/24", false));
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_blinds_nobody() {
    let mut watched = Watched::new(Settings::default());
    watched.now_ms = 86_400_000;
    watched.ask(1, "one.demo", false);
    watched.now_ms = 0;
    for minute in 0..10 {
        watched.now_ms = minute * WINDOW_MS;
        for host in 0..32 {
            watched.ask(0xc000_0200 + host, "one.demo", false);
        }
    }
    assert_eq!(watched.signals(), [], "320 queries in ten minutes are no spread");
}

#[test]
fn signs_without_end_do_not_hide_who_asks_for_a_canary() {
    let canaries = vec!["canary.demo.".to_owned()];
    let mut watched = Watched::new(Settings { canaries, sequence_min: 5, ..Settings::default() });
    for number in 0..70_000 {
        watched.now_ms = 0;
        watched.ask(number << 8, &format!("shop{number}.demo"), false);
    }
    let before = watched.flags.len();
    assert!(before >= 65_000 && watched.miner.untracked_count() > 0, "{before}");
    watched.ask(0xc000_0201, "canary.demo", false);
    assert_eq!(watched.flags.last().unwrap().signal, Signal::Canary);
}

#[test]
fn names_that_count_on_are_flagged_although_each_comes_from_another_network() {
    let mut watched = Watched::new(Settings::default());
    for number in 0..60 {
        for other in 0..5 {
            let noise = mixed(number * 5 + other);
            watched.ask(noise, &format!("honest-{noise}.demo"), false);
        }
        watched.ask(number << 16, &format!("shop{number}.demo"), false);
    }
    let sequences: Vec<_> =
        watched.flags.iter().filter(|flag| flag.signal == Signal::Sequence).collect();
    assert_eq!(sequences.len(), 31, "every network from the 30th name on");
    assert_eq!(sequences[0].evidence, "30 names in a row up to shop29.demo");
    assert_eq!(watched.flags.len(), 31);
}

#[test]
fn guessing_and_spreading_are_flagged() {
    let mut watched = Watched::new(Settings::default());
    for query in 0..200 {
        let host = 0xc000_0200 + query % 100;
        watched.ask(host, &format!("{}.demo", mixed(query)), query % 20 != 0);
    }
    let network = "192.0.2.0/24".to_owned();
    let signals = watched.signals();
    assert_eq!(signals, [(Signal::Misses, network.clone()), (Signal::Spread, network)]);
}

#[test]
fn a_canary_gives_away_who_asks_for_it() {
    let canaries = vec!["Canary-7f3a.demo".to_owned()];
    let mut watched = Watched::new(Settings { canaries, ..Settings::default() });
    watched.ask(0xc000_0201, "canary-7f3b.demo", true);
    watched.ask(0xc000_0202, "CANARY-7F3A.demo.", false);
    watched.ask(0xc000_0202, "canary-7f3a.demo", false);
    assert_eq!(watched.signals(), [(Signal::Canary, "192.0.2.2/32".to_owned())]);
}

/// Many people, each with a few names; a registrar that checks what its customers own; a monitor
/// that asks for one name for ever.
#[test]
fn honest_traffic_is_not_flagged() {
    let mut watched = Watched::new(Settings::default());
    for query in 0..30_000 {
        let person = mixed(query / 4);
        watched.ask(person, &format!("{}.demo", mixed(query)), query % 3 == 0);
        watched.ask(0xcb00_7101, &format!("{}.demo", mixed(query)), query % 2 == 0);
        watched.ask(0xcb00_7201, "monitor.demo", false);
    }
    assert_eq!(watched.signals(), []);
}

#[test]
fn memory_is_bounded_whoever_asks() {
    let mut watched = Watched::new(Settings::default());
    for query in 0..200_000 {
        watched.now_ms = 0;
        watched.ask(mixed(query), "one.demo", false);
    }
    assert!(watched.miner.walks.len() <= SOURCES_MAX);
    assert!(watched.miner.untracked_count() > 0);
    watched.now_ms = WINDOW_MS;
    watched.ask(1, "one.demo", false);
    assert_eq!(watched.miner.walks.len(), 2);
}
