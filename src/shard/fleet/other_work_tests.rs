//! What runs beside a shard's engine gets its turn.

use std::sync::Arc;

use crossbeam::channel::bounded;

use super::EngineKind;
use super::tests::{Echo, PATIENCE, patient, serve_with};
use crate::observe::ShardFigures;
use crate::port43::Sockets;
use crate::port43::limits::TURNS_BEFORE_OTHERS_MAX;

/// `other-work`: a task beside the engine runs once a tick at rest, and under load too, by the
/// clock or by turns then. Counted in turns of the ring, which pass no faster on a busy machine;
/// benches/src/bin/other-work.rs measures how long it waits.
#[test]
fn other_work_of_a_ring_shard_runs_between_the_turns_of_its_ring() {
    /// Runs of the other task that are looked at.
    const RUNS: usize = 100;
    /// At rest a turn ends with the tick; two other completions may come besides.
    const TURNS_AT_REST_MAX: u64 = 3;
    /// Under load as well as on a core that has time for little else.
    const TURNS_UNDER_LOAD_MAX: u64 = TURNS_BEFORE_OTHERS_MAX as u64;
    let (sender, runs) = bounded(1);
    let answering = move |figures: &Arc<ShardFigures>| {
        let (sender, figures) = (sender.clone(), Arc::clone(figures));
        let other = async move {
            let turns = || figures.engine.turns.get();
            while turns() == 0 {
                futures_lite::future::yield_now().await;
            }
            loop {
                let mut most = 0;
                for _ in 0..RUNS {
                    let before = turns();
                    futures_lite::future::yield_now().await;
                    most = most.max(turns() - before);
                }
                // The last one is taken before the next is counted.
                let _ = sender.try_send(most);
            }
        };
        glommio::spawn_local(other).detach();
        Echo
    };
    let served =
        serve_with(EngineKind::Ring(Sockets::Direct), &["127.0.0.1:0"], patient(), &answering);
    let at_rest = runs.recv_timeout(PATIENCE).unwrap();
    assert!(at_rest <= TURNS_AT_REST_MAX, "{at_rest} turns without other work, at rest");
    // Counts from before the load are dropped.
    let (_, mut under_load) = (runs.recv_timeout(PATIENCE), None);
    while under_load.is_none() {
        assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
        under_load = runs.try_recv().ok();
    }
    let under_load = under_load.unwrap();
    assert!(under_load <= TURNS_UNDER_LOAD_MAX, "{under_load} turns without other work");
    served.stop();
}
