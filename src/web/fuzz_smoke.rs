//! The smoke run of the fuzz targets of this package, as tests of the library.
//!
//! # Does not
//!
//! Look for new inputs: `tests/fuzz/run` does.

#[path = "../../tests/registry/mod.rs"]
mod registry;
#[path = "../../tests/fuzz/replay.rs"]
mod replay;

use crate::fuzz::{Server, request};

#[test]
fn every_connection_ends_and_is_answered_with_whole_answers() {
    let server = Server::of(registry::small());
    replay::run("web_connection", 2_000, 8 << 20, |input| server.connection(input));
}

#[test]
fn every_request_is_read_the_same_and_only_proxies_are_believed() {
    replay::run("web_request", 4_000, 1 << 20, request);
}
