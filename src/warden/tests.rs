//! From what shards see to blocks, flags, and files.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam::channel::{Sender, bounded};

use super::thread::{Order, Warden};
use super::{Seen, Settings, Watch, Watches};
use crate::policy::guard::{self, Guard};
use crate::policy::lists::Lists;
use crate::shard::aside::{Place, Weight};

const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };

struct Kept {
    warden: Warden,
    guard: Arc<Guard>,
    watch: Watch,
    orders: Sender<Order>,
}

fn warden(settings: Settings, dir: &std::path::Path) -> Kept {
    let lists = Arc::new(ArcSwap::from_pointee(Lists::default()));
    let guard = Arc::new(Guard::new(guard::Settings::default(), lists, 1 << 16, [1, 2, 3, 4]));
    let (watches, mut watch) = Watches::new(1);
    let (sender, receiver) = bounded(8);
    let warden =
        Warden::new(settings, dir, Arc::clone(&guard), watches, receiver, PLACE, 1).unwrap();
    Kept { warden, guard, watch: watch.remove(0), orders: sender }
}

fn strike(host: u8) -> Seen {
    let address = IpAddr::from([192, 0, 2, host]);
    Seen::new(address, 1).refused(true)
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
    kept.warden.turn(0);
    assert_eq!(until_ms(&kept.guard, 1, 0), Some(60_000));
    assert_eq!(until_ms(&kept.guard, 2, 0), None);
    kept.warden.turn(1_000);
    assert!(dir.path().join("blocks.json").exists(), "written within a second");
    kept.warden.turn(60_000);
    assert_eq!(kept.guard.blocks().count(), 0, "what has ended is not shown any more");
    // The second one lasts twice as long, before and after the restart.
    kept.watch.tell(strike(1));
    kept.warden.turn(60_200);
    kept.warden.turn(61_200);
    assert_eq!(until_ms(&kept.guard, 1, 60_200), Some(180_200));
    drop(kept);
    let mut kept = warden(Settings::default(), dir.path());
    kept.watch.tell(strike(1));
    kept.warden.turn(180_200);
    assert_eq!(until_ms(&kept.guard, 1, 180_200), Some(420_200));
    // Forgiven after a day for each repetition.
    kept.warden.turn(420_200 + 3 * 86_400_000);
    assert_eq!(kept.guard.blocks().count(), 0);
}

#[test]
fn orders_block_and_unblock_and_tell() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = warden(Settings::default(), dir.path());
    let prefix: ipnet::IpNet = "192.0.2.0/24".parse().unwrap();
    let (reply, block) = bounded(1);
    let reason = "asked to".to_owned();
    kept.warden.obey(Order::Block { prefix, seconds: 60, reason, reply }, 5);
    kept.warden.turn(5);
    assert_eq!(block.recv().unwrap().until_ms, 60_005);
    assert_eq!(until_ms(&kept.guard, 7, 5), Some(60_005));
    let (reply, list) = bounded(1);
    kept.warden.obey(Order::List { reply }, 5);
    assert_eq!(list.recv().unwrap().len(), 1);
    for expected in [true, false] {
        let (reply, block) = bounded(1);
        kept.warden.obey(Order::Unblock { prefix, reply }, 6);
        assert_eq!(block.recv().unwrap().is_some(), expected);
    }
    kept.warden.turn(6);
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
            let seen = Seen::new(IpAddr::from([192, 0, 2, 9]), 1);
            kept.watch.tell(seen.named(&format!("shop{number}.demo")));
        }
        kept.warden.turn(0);
        let (reply, flags) = bounded(1);
        kept.warden.obey(Order::Flags { reply }, 0);
        let flags = flags.recv().unwrap();
        assert_eq!((flags.len(), flags[0].signal.word()), (1, "sequence"));
        let counts: Vec<_> =
            kept.warden.figures().flags().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [("sequence", 1)]);
        assert_eq!(until_ms(&kept.guard, 77, 0).is_some(), mining_blocks, "its whole network");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_put_aside_and_the_server_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("blocks.json"), "no JSON").unwrap();
    let kept = warden(Settings::default(), dir.path());
    assert_eq!(kept.guard.blocks().count(), 0);
    assert!(dir.path().join("blocks.json.unreadable").exists());
}
