//! The smoke run of the fuzz targets: the kept corpora and mutations of them, on stable Rust, as
//! tests of the library.
//!
//! # Does not
//!
//! Look for new inputs: `tests/fuzz/run` does.

#[path = "../registry/mod.rs"]
mod registry;
#[path = "replay.rs"]
mod replay;
#[path = "targets.rs"]
mod targets;

/// Holds the law of a target against its corpus and `count` mutations.
fn hold(name: &str, count: usize) {
    let target = targets::TARGETS.iter().find(|(target, ..)| *target == name);
    let (_, law, memory_bytes) = target.expect("a target of that name");
    replay::run(name, count, *memory_bytes, law);
}

#[test]
fn every_query_line_gets_a_whole_answer_without_forged_lines() {
    hold("query_line", 4_000);
}

#[test]
fn every_target_of_rdap_gets_a_whole_object() {
    hold("rdap_target", 2_000);
}

#[test]
fn a_proxy_header_reads_the_same_however_it_is_cut() {
    hold("proxy_header", 4_000);
}

#[test]
fn a_list_says_of_every_address_what_a_walk_over_its_entries_says() {
    hold("lists", 4_000);
}

#[test]
fn a_configuration_that_loads_is_shown_as_one_that_loads_to_the_same() {
    hold("configuration", 400);
}

#[test]
fn a_change_record_that_is_read_is_written_as_the_same() {
    hold("change_record", 4_000);
}

#[test]
fn a_batch_that_is_read_is_the_same_message_again() {
    hold("change_batch", 2_000);
}

#[test]
fn a_deposit_in_xml_gives_a_good_snapshot_or_a_reason() {
    hold("deposit_xml", 1_000);
}

#[test]
fn a_deposit_in_csv_gives_a_good_snapshot_or_a_reason() {
    hold("deposit_csv", 500);
}

#[test]
fn a_manifest_that_is_read_is_written_as_the_same() {
    hold("manifest", 4_000);
}

#[test]
fn every_target_has_a_corpus_and_a_line_in_the_script() {
    let script = include_str!("run");
    for (name, ..) in targets::TARGETS {
        assert!(!replay::corpus(name).is_empty(), "{name}");
        assert!(script.contains(name), "{name}");
    }
}
