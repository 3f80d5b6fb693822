//! Laws of the limiter: exact rates, networks beside addresses, honest clients under attack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// A sequence of numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn v4(bits: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(u32::try_from(bits).unwrap()))
}

fn v6(upper: u64, lower: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from((u128::from(upper) << 64) | u128::from(lower)))
}

fn lefts(limiter: &Limiter, address: IpAddr) -> Vec<u32> {
    limiter.uses(address, &LEVELS_V4, 0).all().iter().map(|one| one.left).collect()
}

fn asks(limiter: &Limiter, address: IpAddr, now_us: u64) -> bool {
    limiter.charge(address, Levels::default().of(address), 1, now_us).is_ok()
}

#[test]
fn an_address_has_its_burst_then_its_rate() {
    for address in [v4(0xc000_0201), v6(0x2001_0db8 << 32, 1)] {
        let limiter = Limiter::new(1 << 16, SEEDS);
        let taken = (0..100).filter(|_| asks(&limiter, address, 0)).count();
        assert_eq!(taken, 60);
        let over = limiter.charge(address, Levels::default().of(address), 1, 0).unwrap_err();
        assert_eq!((over.wait_s, over.own, over.prefix.addr()), (1, true, address));
        // Ten minutes at twice the rate: half of it is served.
        let taken = (0..1_200).filter(|half| asks(&limiter, address, half * 500_000)).count();
        assert_eq!(taken, 599, "the query at 0 s is refused, then one each second");
    }
}

#[test]
fn a_price_is_charged_as_so_many_queries() {
    let limiter = Limiter::new(1 << 16, SEEDS);
    let address = v4(7);
    let taken = (0..100).filter(|_| limiter.charge(address, &LEVELS_V4, 5, 0).is_ok()).count();
    assert_eq!(taken, 12);
    assert_eq!(limiter.charge(address, &LEVELS_V4, 5, 0).unwrap_err().wait_s, 5);
    assert!(limiter.charge(address, &LEVELS_V4, 0, 0).is_ok(), "what costs nothing is never over");
    // Dearer than the burst of an address: all of it, once it is whole.
    assert_eq!(limiter.charge(address, &LEVELS_V4, 1_000, 0).unwrap_err().wait_s, 60);
    assert!(limiter.charge(address, &LEVELS_V4, 1_000, 60_000_000).is_ok());
}

#[test]
fn who_waits_as_long_as_it_is_told_is_served() {
    let limiter = Limiter::new(1 << 16, SEEDS);
    let address = v4(7);
    let of = |length, queries_per_min| Level { length, queries_per_min, burst: 1 };
    let levels = [of(32, 60), of(24, 2), of(20, 4)];
    assert!(limiter.charge(address, &levels, 1, 0).is_ok());
    let over = limiter.charge(address, &levels, 1, 0).unwrap_err();
    assert_eq!((over.own, over.wait_s), (true, 30), "its network is over for longer");
    assert!(limiter.charge(address, &levels, 1, 29_000_000).is_err());
    assert!(limiter.charge(address, &levels, 1, 30_000_000).is_ok());
    limiter.add(address, &levels, 9, 30_000_000);
    assert!(limiter.charge(address, &levels, 1, 30_000_000).is_err());
    assert!(limiter.charge(address, &levels, 0, 30_000_000).is_ok(), "what costs nothing is taken");
}

#[test]
fn a_network_is_limited_whatever_its_addresses_do() {
    let limiter = Limiter::new(1 << 20, SEEDS);
    let taken = (0..256)
        .flat_map(|host| std::iter::repeat_n(host, 10))
        .filter(|host| asks(&limiter, v4(0xc000_0200 + host), 0))
        .count();
    assert_eq!(taken, 600);
    let over = limiter.charge(v4(0xc000_02ff), &LEVELS_V4, 1, 0).unwrap_err();
    assert_eq!((over.prefix.to_string().as_str(), over.own), ("192.0.2.0/24", false));
    assert!(asks(&limiter, v4(0xc000_0300), 0), "the network beside it has its own");
    // Addresses of one link are one customer.
    let taken = (0..1_000).filter(|host| asks(&limiter, v6(1 << 32, *host), 0)).count();
    assert_eq!(taken, 60);
}

/// One address that goes on beyond its limit takes nothing from its neighbours.
#[test]
fn an_address_over_its_limit_uses_nothing_of_its_network() {
    let limiter = Limiter::new(1 << 20, SEEDS);
    for _ in 0..100_000 {
        let _ = asks(&limiter, v4(0xc000_0201), 0);
    }
    let uses = lefts(&limiter, v4(0xc000_0202));
    assert_eq!(uses, [60, 540, 2_940, 11_940]);
}

/// Queries refused by a network are charged at no level below it.
#[test]
fn a_query_that_a_network_refuses_costs_its_address_nothing() {
    let limiter = Limiter::new(1 << 20, SEEDS);
    let victim = v4(0xc000_02ff);
    for host in 0..10 {
        for _ in 0..60 {
            assert!(asks(&limiter, v4(0xc000_0200 + host), 0));
        }
    }
    for _ in 0..100 {
        assert!(!asks(&limiter, victim, 0));
    }
    assert_eq!(lefts(&limiter, victim)[0], 60);
}

/// `WHOISD_ATTACK_STEPS=30000000` with `--release` is the long run of benches/MEASUREMENTS.md.
///
/// A million addresses that ask as fast as they can, in small tables and in the default one, beside
/// clients that stay below all of their limits: these are never refused.
#[test]
fn a_client_below_its_limits_is_never_refused_whoever_attacks() {
    let steps = std::env::var("WHOISD_ATTACK_STEPS").map_or(200_000, |text| text.parse().unwrap());
    for memory_bytes in [64 << 10, 1 << 20, 16 << 20] {
        let limiter = Limiter::new(memory_bytes, SEEDS);
        let mut random = Random(u64::try_from(memory_bytes).unwrap());
        let mut now_us = 0;
        // 40 clients of 40 networks, each with a query every 1.0 to 1.5 s, after a burst.
        let mut next_us: Vec<u64> = vec![0; 40];
        let honest = |index: usize| v4(0x0a00_0001 + (u64::try_from(index).unwrap() << 16));
        for index in 0..40 {
            for _ in 0..40 {
                assert!(asks(&limiter, honest(index), 0));
            }
        }
        for step in 0..steps {
            now_us += 40;
            let attacker = match step % 3 {
                0 => v4(0xc000_0000 + random.below(1_000_000)),
                1 => v4(0xc000_0000 + random.below(64)),
                _ => v6(0x2001_0db8_0000_0000 + random.below(1 << 20), random.below(1 << 20)),
            };
            let _ = asks(&limiter, attacker, now_us);
            if step % 64 == 0 {
                for (index, next) in next_us.iter_mut().enumerate() {
                    if now_us >= *next {
                        assert!(asks(&limiter, honest(index), now_us), "{index} at {now_us} us");
                        *next = now_us + 1_000_000 + random.below(500_000);
                    }
                }
            }
        }
        assert_eq!(limiter.capacity(), memory_bytes / 16, "the memory is what it was");
        assert!(limiter.owing_count(now_us) <= limiter.capacity());
    }
}

/// The limiter beside the plain algorithm, one table without bounds for each level.
#[test]
fn with_room_for_all_it_does_what_the_plain_algorithm_does() {
    let limiter = Limiter::new(8 << 20, SEEDS);
    let mut model = std::collections::BTreeMap::<(IpNet, u8), u64>::new();
    let mut random = Random(9);
    let mut now_us = 0;
    let mut refused_count = 0;
    for _ in 0..200_000 {
        now_us += random.below(20_000);
        let address = v4(0xc000_0000 + random.below(24) * 13);
        let price = u32::try_from(random.below(4)).unwrap();
        let moments: Vec<_> = LEVELS_V4
            .iter()
            .map(|level| ((prefix::network(address, level.length), level.length), level))
            .collect();
        let fits = moments.iter().all(|(key, level)| {
            let from_us = model.get(key).copied().unwrap_or(0).max(now_us);
            let terms = level.terms(price);
            from_us + terms.cost_us - now_us <= terms.tolerance_us
        });
        if fits {
            for (key, level) in moments {
                let moment = model.entry(key).or_default();
                *moment = (*moment).max(now_us) + level.terms(price).cost_us;
            }
        }
        refused_count += u32::from(!fits);
        assert_eq!(limiter.charge(address, &LEVELS_V4, price, now_us).is_ok(), fits);
    }
    assert!(refused_count > 1_000, "{refused_count}");
}

#[test]
fn who_keeps_exceeding_loses_patience_once_for_each_burst() {
    let limiter = Limiter::new(1 << 16, SEEDS);
    let patience = Level { length: 0, queries_per_min: 6, burst: 30 };
    let lost: Vec<_> = (0..93).filter(|_| limiter.exceeds(v4(1), patience, 0)).collect();
    assert_eq!(lost, [30, 61, 92]);
    // One refusal in ten seconds is borne for ever.
    let address = v4(2);
    assert!((0..1_000).all(|ten| !limiter.exceeds(address, patience, ten * 10_000_000)));
}

#[test]
fn what_another_node_has_seen_counts_here_too() {
    let limiter = Limiter::new(1 << 16, SEEDS);
    limiter.add(v4(1), &LEVELS_V4, 50, 0);
    assert_eq!(lefts(&limiter, v4(1)), [10, 550, 2_950, 11_950]);
    limiter.add(v4(1), &LEVELS_V4, 1_000_000, 0);
    let over = limiter.charge(v4(1), &LEVELS_V4, 1, 0).unwrap_err();
    assert_eq!(over.wait_s, 61, "twice a burst at most");
    limiter.forgive(v4(1), &LEVELS_V4);
    assert_eq!(lefts(&limiter, v4(1))[0], 60);
}
