//! From what shards see to blocks, flags, and files.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam::channel::{Sender, bounded};

use super::thread::{Now, Order, Warden};
use super::{Observed, Reporter, Reports, Settings};
use crate::place::aside::{Place, Weight};
use crate::policy::guard::{self, Guard};
use crate::policy::lists::Lists;

const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };

struct Kept {
    warden: Warden,
    guard: Arc<Guard>,
    watch: Reporter,
    orders: Sender<Order>,
}

fn warden(settings: Settings, dir: &std::path::Path) -> Kept {
    let lists = Arc::new(ArcSwap::from_pointee(Lists::default()));
    let guard = Arc::new(Guard::new(guard::Settings::default(), lists, 1 << 16, [1, 2, 3, 4]));
    let (reports, mut watch) = Reports::new(1);
    let (sender, receiver) = bounded(8);
    let warden =
        Warden::new(settings, dir, Arc::clone(&guard), reports, receiver, PLACE, 1).unwrap();
    Kept { warden, guard, watch: watch.remove(0), orders: sender }
}

/// A moment at which both clocks are right.
fn at(ms: i64) -> Now {
    Now { wall_ms: ms, steady_ms: ms }
}

fn strike(host: u8) -> Observed {
    let address = IpAddr::from([192, 0, 2, host]);
    Observed::new(address, 1).refused(true)
}

fn until_ms(guard: &Guard, host: u8, now_ms: i64) -> Option<i64> {
    let blocks = guard.blocks();
    blocks.of(IpAddr::from([192, 0, 2, host]), now_ms, |_| true).map(|block| block.until_ms)
}

#[test]
fn who_loses_patience_is_blocked_for_all_shards_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = warden(Settings::default(), dir.path());
    kept.watch.tell(strike(1));
    kept.warden.turn(at(0));
    assert_eq!(until_ms(&kept.guard, 1, 0), Some(60_000));
    assert_eq!(until_ms(&kept.guard, 2, 0), None);
    kept.warden.turn(at(1_000));
    kept.warden.wait_until_saved();
    assert!(dir.path().join("blocks.json").exists(), "written within a second");
    kept.warden.turn(at(60_000));
    assert_eq!(kept.guard.blocks().count(), 0, "what has ended is not shown any more");
    // The second one lasts twice as long, before and after the restart.
    kept.watch.tell(strike(1));
    kept.warden.turn(at(60_200));
    kept.warden.turn(at(61_200));
    assert_eq!(until_ms(&kept.guard, 1, 60_200), Some(180_200));
    kept.warden.finish(at(61_300));
    let mut kept = warden(Settings::default(), dir.path());
    kept.watch.tell(strike(1));
    kept.warden.turn(at(180_200));
    assert_eq!(until_ms(&kept.guard, 1, 180_200), Some(420_200));
    // Forgiven after a day for each repetition.
    kept.warden.turn(at(420_200 + 3 * 86_400_000));
    assert_eq!(kept.guard.blocks().count(), 0);
}

#[test]
fn orders_block_and_unblock_and_tell() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = warden(Settings::default(), dir.path());
    let prefix: ipnet::IpNet = "192.0.2.0/24".parse().unwrap();
    let (reply, block) = bounded(1);
    let reason = "asked to".to_owned();
    kept.warden.obey(Order::Block { prefix, seconds: 60, reason, reply }, at(5));
    kept.warden.turn(at(5));
    assert_eq!(block.recv().unwrap().until_ms, 60_005);
    assert_eq!(until_ms(&kept.guard, 7, 5), Some(60_005));
    let (reply, list) = bounded(1);
    kept.warden.obey(Order::List { reply }, at(5));
    assert_eq!(list.recv().unwrap().len(), 1);
    for expected in [true, false] {
        let (reply, block) = bounded(1);
        kept.warden.obey(Order::Unblock { prefix, reply }, at(6));
        assert_eq!(block.recv().unwrap().is_some(), expected);
    }
    kept.warden.turn(at(6));
    assert_eq!(until_ms(&kept.guard, 7, 6), None);
    drop(kept.orders);
}

#[test]
fn mining_flags_and_blocks_only_if_told_to() {
    let dir = tempfile::tempdir().unwrap();
    for mining_blocks in [false, true] {
        let settings = Settings { mining_blocks, ..Settings::default() };
        let mut kept = warden(settings, dir.path());
        for number in 0..40 {
            let seen = Observed::new(IpAddr::from([192, 0, 2, 9]), 1);
            kept.watch.tell(seen.named(&format!("shop{number}.demo")));
        }
        kept.warden.turn(at(0));
        let (reply, flags) = bounded(1);
        kept.warden.obey(Order::Flags { reply }, at(0));
        let flags = flags.recv().unwrap();
        assert_eq!((flags.len(), flags[0].signal.word()), (1, "sequence"));
        let counts: Vec<_> =
            kept.warden.figures().flags().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [("sequence", 1)]);
        assert_eq!(until_ms(&kept.guard, 77, 0).is_some(), mining_blocks, "its whole network");
        // A source that meets the end of a run that others have walked is flagged, and served.
        let other = Observed::new(IpAddr::from([203, 0, 113, 9]), 1);
        kept.watch.tell(other.named("shop40.demo"));
        kept.warden.turn(at(200));
        let (reply, flags) = bounded(1);
        kept.warden.obey(Order::Flags { reply }, at(200));
        assert_eq!(flags.recv().unwrap().len(), 2);
        assert_eq!(kept.guard.blocks().count(), usize::from(mining_blocks));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_put_aside_and_the_server_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("blocks.json"), "no JSON").unwrap();
    let kept = warden(Settings::default(), dir.path());
    assert_eq!(kept.guard.blocks().count(), 0);
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.len() == 1 && names[0].starts_with("blocks.json.unreadable-"), "{names:?}");
}

#[test]
fn a_wall_clock_that_jumps_stops_nothing_and_ends_no_block_early_or_late() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let mut kept = warden(Settings::default(), dir.path());
    // The clock is eight days ahead at first, and is put right.
    let ahead = |ms: i64| Now { wall_ms: ms + 8 * DAY_MS, steady_ms: ms };
    kept.warden.turn(ahead(0));
    kept.watch.tell(strike(1));
    kept.warden.turn(ahead(100));
    assert_eq!(until_ms(&kept.guard, 1, 8 * DAY_MS), Some(8 * DAY_MS + 60_100));
    kept.warden.turn(at(200));
    assert_eq!(until_ms(&kept.guard, 1, 200), Some(60_100));
    // Strikes are shown and kept as before.
    kept.watch.tell(strike(2));
    kept.warden.turn(at(400));
    assert_eq!(until_ms(&kept.guard, 2, 400), Some(60_400));
    kept.warden.turn(at(1_500));
    kept.warden.wait_until_saved();
    let text = std::fs::read_to_string(dir.path().join("blocks.json")).unwrap();
    assert!(text.contains("192.0.2.2/32") && text.contains("60100"), "{text}");
    // A jump ahead and back: what was kept of an earlier run is not forgotten meanwhile.
    kept.warden.finish(at(1_600));
    let mut kept = warden(Settings::default(), dir.path());
    kept.warden.turn(at(2_000));
    kept.warden.turn(ahead(4_000));
    kept.warden.turn(at(6_000));
    assert_eq!(until_ms(&kept.guard, 1, 6_000), Some(60_100));
}

#[test]
fn what_shards_saw_last_is_kept_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let kept = warden(Settings::default(), dir.path());
    kept.watch.tell(strike(7));
    kept.warden.finish(at(0));
    let text = std::fs::read_to_string(dir.path().join("blocks.json")).unwrap();
    assert!(text.contains("192.0.2.7/32"), "{text}");
}

#[test]
fn who_has_no_limits_is_shown_and_never_held_for_a_miner() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = warden(Settings::default(), dir.path());
    let address = IpAddr::from([192, 0, 2, 9]);
    for number in 0..2_000 {
        kept.watch
            .tell(Observed::exempt(address).named(&format!("name{number}.demo")).missed(true));
    }
    kept.warden.turn(at(0));
    kept.warden.turn(at(1_000));
    let figures = kept.warden.figures();
    let top = figures.top.load();
    assert_eq!((top[0].prefix, top[0].query_count), (address.into(), 2_000));
    assert_eq!(figures.flags().map(|(_, count)| count).sum::<u64>(), 0);
    // The same of anybody else is seen.
    for number in 0..2_000 {
        let other = IpAddr::from([192, 0, 2, 10]);
        kept.watch.tell(Observed::new(other, 1).named(&format!("name{number}.demo")).missed(true));
    }
    kept.warden.turn(at(2_000));
    assert!(figures.flags().map(|(_, count)| count).sum::<u64>() > 0);
}
