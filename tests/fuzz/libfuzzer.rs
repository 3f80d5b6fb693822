//! The program of the fuzzer: hands inputs to the target that `WHOISD_FUZZ_TARGET` names.
#![no_main]

#[path = "../registry/mod.rs"]
mod registry;
mod targets;

use std::sync::OnceLock;

use targets::Target;

/// The targets of the format's own crate.
const FORMAT_TARGETS: [Target; 2] =
    [("snapshot_base", snapshot_format::fuzz::base), ("snapshot_log", snapshot_format::fuzz::log)];

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn target() -> fn(&[u8]) {
    let name = std::env::var("WHOISD_FUZZ_TARGET").unwrap_or_default();
    let mut all = targets::TARGETS.iter().chain(&FORMAT_TARGETS);
    match all.find(|(target, _)| *target == name) {
        Some((_, law)) => *law,
        None => panic!("WHOISD_FUZZ_TARGET={name:?} names no target; see tests/fuzz/targets.rs"),
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.get_or_init(target)(input));
