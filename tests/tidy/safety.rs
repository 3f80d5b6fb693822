//! Where `unsafe` may be, and which files carry the lints of those that read bytes from outside.

use std::fs;

use super::source::{Source, assert_none, root, sources};

/// The only files that may expect `unsafe_code`: three of the server, and those of the tools that
/// drive rings or plain system calls of their own.
const UNSAFE_FILES: &[&str] = &[
    "snapshot-format/src/access.rs",
    "src/view/map.rs",
    "src/port43/ring/raw.rs",
    "loadgen/src/ring.rs",
    "benches/src/bare.rs",
];

/// Files that read bytes from outside: every file here, or a module above it, carries both lints.
const READS_OUTSIDE_BYTES: &[&str] = &[
    "loadgen/src/check.rs",
    "loadgen/src/http/",
    "loadgen/src/saved.rs",
    "loadgen/src/workload/replay.rs",
    "snapshot-format/src/access.rs",
    "snapshot-format/src/delta/entry.rs",
    "snapshot-format/src/delta/frame.rs",
    "snapshot-format/src/delta/generation.rs",
    "snapshot-format/src/delta/lookup.rs",
    "snapshot-format/src/delta/overlay.rs",
    "snapshot-format/src/index.rs",
    "snapshot-format/src/layout.rs",
    "snapshot-format/src/reader.rs",
    "src/command/query.rs",
    "src/control/client.rs",
    "src/control/protocol.rs",
    "src/control/socket.rs",
    "src/doctor/",
    "src/feed/",
    "src/import/",
    "src/policy/lists/",
    "src/port43/connection/",
    "src/port43/proxy/",
    "src/port43/ring/",
    "src/port43/stream.rs",
    "src/publish/",
    "src/query/",
    "src/hex.rs",
    "src/idn/",
    "src/querylog/columns/",
    "src/querylog/counts.rs",
    "src/querylog/day.rs",
    "src/querylog/entry.rs",
    "src/querylog/read.rs",
    "src/querylog/row.rs",
    "src/querylog/segment_name.rs",
    "src/querylog/totals.rs",
    "src/shard/listen.rs",
    "src/store/log.rs",
    "src/vet/",
    "src/warden/site.rs",
    "src/web/forwarded.rs",
    "src/web/http.rs",
];
/// Below those folders, and yet without a byte from outside: each with its reason.
const READS_NOTHING: &[(&str, &str)] = &[("src/vet/rule.rs", "words and a table of texts")];
const OUTSIDE_LINTS: [&str; 2] = ["clippy::arithmetic_side_effects", "clippy::indexing_slicing"];

#[test]
fn unsafe_code_is_expected_in_the_named_files_only() {
    let lint = concat!("unsafe", "_code");
    let mut findings = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            let attribute = line.contains(lint) && line.trim_start().starts_with('#');
            if attribute && !UNSAFE_FILES.contains(&source.path.as_str()) {
                findings.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    for path in UNSAFE_FILES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if !text.lines().any(|line| line.contains(lint) && line.trim_start().starts_with('#')) {
            findings.push(format!("{path}: has none; take it off the list"));
        }
    }
    assert_none("unsafe code outside of the named files", &findings);
}

#[test]
fn files_that_read_outside_bytes_carry_both_lints() {
    let sources = sources();
    let carries = |path: &str| {
        let source = sources.iter().find(|source| source.path == path);
        source.is_some_and(|source| {
            OUTSIDE_LINTS.iter().all(|lint| {
                source
                    .text
                    .lines()
                    .take_while(|line| !line.starts_with("use "))
                    .any(|line| line.contains(lint))
            })
        })
    };
    let mut findings = Vec::new();
    for source in &sources {
        let Source { path, .. } = source;
        let listed = READS_OUTSIDE_BYTES.iter().any(|listed| path.starts_with(listed));
        let has_code = source.code().any(|(_, line)| line.contains("fn "));
        let exempt = READS_NOTHING.iter().any(|(exempt, _)| exempt == path);
        if !listed || !has_code || exempt {
            continue;
        }
        // The file itself, or the `mod.rs` of a folder above it, whose lints reach down.
        let mut covered = carries(path);
        let mut folder = path.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            covered |= carries(&format!("{above}/mod.rs"));
            folder = above;
        }
        if !covered {
            findings.push(path.clone());
        }
    }
    for (exempt, reason) in READS_NOTHING {
        if !sources.iter().any(|source| source.path == *exempt) || reason.is_empty() {
            findings.push(format!("{exempt}: there is no such file; take it off the list"));
        }
    }
    for listed in READS_OUTSIDE_BYTES {
        if !sources.iter().any(|source| source.path.starts_with(listed)) {
            findings.push(format!("{listed}: there is no such file; take it off the list"));
        }
    }
    assert_none("read bytes from outside without the two lints", &findings);
}
