//! In every profile that an operator may run, a panic unwinds, so that it costs one connection
//! (SECURITY.md) and is counted (`how="panicked"`).
//!
//! `a_panic_while_answering_costs_one_connection_not_the_shard` (src/shard/fleet/tests.rs) tests
//! the promise itself. Cargo builds tests with unwinding whatever their profile says. So a program
//! proves it on the installed profile; building it takes some ten minutes: `cargo run --profile
//! dist -p whoisd-benches --bin one-panic`.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where a table of profiles, or anything below it, turns unwinding off.
fn that_abort(at: &str, value: &Value, found: &mut Vec<String>) {
    let Value::Table(table) = value else { return };
    for (key, value) in table {
        let at = format!("{at}.{key}");
        if key == "panic" && value.as_str() != Some("unwind") {
            found.push(format!("{at} = {value}"));
        }
        that_abort(&at, value, found);
    }
}

fn table(text: &str) -> Value {
    Value::Table(text.parse::<Table>().unwrap())
}

#[test]
fn every_profile_unwinds() {
    let manifest = table(&fs::read_to_string(root().join("Cargo.toml")).unwrap());
    let mut found = Vec::new();
    that_abort("profile", &manifest["profile"], &mut found);
    assert!(found.is_empty(), "a panic would end the server: {found:?}");
    assert!(manifest["profile"].get("dist").is_some(), "what is installed has a profile");
}

#[test]
fn no_flag_of_the_repository_turns_unwinding_off() {
    let configurations = [".cargo/config.toml", ".cargo/config"].map(|name| root().join(name));
    let scripts: Vec<PathBuf> = ["tests/run", "deploy/demo"].map(|name| root().join(name)).into();
    for path in configurations.iter().chain(&scripts) {
        let Ok(text) = fs::read_to_string(path) else { continue };
        for word in ["panic=abort", "panic = \"abort\"", "PANIC=abort"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn a_profile_that_aborts_is_found_wherever_it_is_set() {
    for text in [
        "[dist]\npanic = \"abort\"\n",
        "[release]\npanic = \"immediate-abort\"\n",
        "[dist.package.whoisd]\npanic = \"abort\"\n",
    ] {
        let mut found = Vec::new();
        that_abort("profile", &table(text), &mut found);
        assert_eq!(found.len(), 1, "{text}");
    }
}
