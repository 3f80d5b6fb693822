//! The program of the fuzzer: hands inputs to the target that `WHOISD_FUZZ_TARGET` names.
#![no_main]

#[path = "../registry/mod.rs"]
mod registry;
mod targets;

use std::cell::OnceCell;
use std::sync::OnceLock;

use targets::Target;

/// The targets of the format's own crate.
const FORMAT_TARGETS: [Target; 2] = [
    ("snapshot_base", snapshot_format::fuzz::base, snapshot_format::fuzz::MEMORY_BYTES),
    ("snapshot_log", snapshot_format::fuzz::log, snapshot_format::fuzz::MEMORY_BYTES),
];

/// The targets of `whoisd-web`.
const WEB_TARGETS: [Target; 2] = [
    ("web_connection", web_connection, 8 << 20),
    ("web_request", whoisd_web::fuzz::request, 1 << 20),
];

thread_local! {
    static SERVER: OnceCell<whoisd_web::fuzz::Server> = const { OnceCell::new() };
}

fn web_connection(input: &[u8]) {
    SERVER.with(|server| {
        server
            .get_or_init(|| whoisd_web::fuzz::Server::of(registry::small()))
            .connection(input);
    });
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("WHOISD_FUZZ_TARGET").unwrap_or_default();
    let mut all = targets::TARGETS.iter().chain(&FORMAT_TARGETS).chain(&WEB_TARGETS);
    match all.find(|(target, ..)| *target == name) {
        Some(target) => {
            // Memory allocated once for all inputs counts for none of them.
            target.1(b"\0");
            *target
        }
        None => panic!("WHOISD_FUZZ_TARGET={name:?} names no target; see tests/fuzz/targets.rs"),
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (name, law, memory_bytes) = TARGET.get_or_init(target);
    let taken = allocation_counter::measure(|| law(input)).bytes_max;
    assert!(taken <= *memory_bytes, "{name}: {taken} bytes of memory");
});
