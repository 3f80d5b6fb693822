//! Checks the project's rules as far as a machine can: which module may import which, sizes, heads,
//! names, lints, dependencies with their reason, nothing of one machine in the repository.
//!
//! Function length is clippy's (`too-many-lines-threshold`). Each failure names file and line.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_WANTED: usize = 500;
const FILE_LINES_MAX: usize = 1_000;
const README_LINES_MAX: usize = 130;

/// Files that may pass 500 lines, each with its reason; none may pass 1,000.
const LONG_FILES: &[(&str, &str)] = &[
    ("tests/store_simulation.rs", "one store under one harness, and all that befalls it"),
    ("snapshot-format/src/reader.rs", "the fields of one open snapshot stay private to it"),
    ("tests/feed_nats.rs", "what servers and streams do to both ends, in one list"),
    (
        "snapshot-format/src/builder/mod.rs",
        "one pass over the kinds, in the order of the file; the parts share its state",
    ),
    (
        "src/policy/display/settings/mod.rs",
        "every key of how answers read, with its documentation and its bound",
    ),
    ("tests/tidy.rs", "one table of rules, and the checks that read it"),
];

/// Files that may pass 100 characters a line, each with its reason.
const LONG_LINES: &[(&str, &str)] =
    &[("src/vet/rule.rs", "a table: one rule a line, so that two rules can be compared")];

/// The only files that may expect `unsafe_code`: three of the server, and those of the tools that
/// drive rings or plain system calls of their own.
const UNSAFE_FILES: &[&str] = &[
    "snapshot-format/src/access.rs",
    "src/view/map.rs",
    "src/port43/ring/raw.rs",
    "loadgen/src/ring.rs",
    "benches/src/bare.rs",
];

/// Module names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "common", "helpers", "misc", "types", "manager", "core"];

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

/// For each module of `src`: the modules that it may name, and words that it may not.
struct Rule {
    module: &'static str,
    may_import: &'static [&'static str],
    never: &'static [&'static str],
}

const FILES: &[&str] = &["std::fs", "File::open", "memmap2"];
const SOCKETS: &[&str] =
    &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "socket2", "glommio", "io_uring"];
/// Words that change a machine; the doctor may not use them.
const WRITES: &[&str] = &[
    "fs::write",
    "fs::remove",
    "fs::rename",
    "fs::create",
    "File::create",
    "OpenOptions",
    "process::",
    ".set(",
];
const CLOCKS: &[&str] = &["Instant", "SystemTime", "clock::"];

const QUERY: &[&str] = &["bounds", "field", "hex", "idn", "policy", "view"];
const DOCTOR: &[&str] = &["config", "observe", "place", "shard"];

/// The rules of DESIGN.md section 3. A module that is not listed is refused: decide first.
const RULES: &[Rule] = &[
    Rule { module: "import", may_import: &["hex", "observe", "vet"], never: SOCKETS },
    Rule { module: "vet", may_import: &["hex", "idn", "observe"], never: SOCKETS },
    Rule {
        module: "feed",
        may_import: &["aside", "export", "hex", "import", "observe", "secret", "store", "vet"],
        never: CLOCKS,
    },
    Rule {
        module: "publish",
        may_import: &["aside", "feed", "held", "observe", "store", "view"],
        never: SOCKETS,
    },
    Rule { module: "store", may_import: &[], never: SOCKETS },
    Rule { module: "view", may_import: &["held", "idn", "observe", "store"], never: SOCKETS },
    Rule {
        module: "status",
        may_import: &[
            "control", "feed", "observe", "place", "policy", "query", "querylog", "shard",
            "updater", "view", "warden",
        ],
        never: FILES,
    },
    Rule {
        module: "updater",
        may_import: &["feed", "import", "observe", "place", "store", "vet", "view"],
        never: SOCKETS,
    },
    Rule { module: "sample", may_import: &["export", "idn", "store", "view"], never: SOCKETS },
    Rule { module: "export", may_import: &["aside", "field", "hex"], never: SOCKETS },
    Rule { module: "policy", may_import: &["bounds", "field", "vet"], never: SOCKETS },
    Rule { module: "policy", may_import: &["bounds", "field", "vet"], never: FILES },
    Rule { module: "query", may_import: QUERY, never: SOCKETS },
    Rule { module: "query", may_import: QUERY, never: FILES },
    Rule { module: "query", may_import: QUERY, never: CLOCKS },
    Rule { module: "port43", may_import: &["bounds", "observe", "time"], never: FILES },
    Rule {
        module: "port43",
        may_import: &["bounds", "observe", "time"],
        never: &["snapshot_format"],
    },
    Rule {
        module: "shard",
        may_import: &["observe", "policy", "port43", "query", "querylog", "view", "warden"],
        never: &[],
    },
    Rule {
        module: "warden",
        may_import: &["bounds", "observe", "place", "policy", "secret", "time"],
        never: SOCKETS,
    },
    Rule {
        module: "control",
        may_import: &["config", "observe", "place", "policy", "time"],
        never: &["snapshot_format::Snapshot", "TcpListener"],
    },
    Rule { module: "doctor", may_import: DOCTOR, never: WRITES },
    Rule { module: "doctor", may_import: DOCTOR, never: CLOCKS },
    Rule { module: "bounds", may_import: &[], never: SOCKETS },
    Rule { module: "bounds", may_import: &[], never: FILES },
    Rule { module: "bounds", may_import: &[], never: CLOCKS },
    Rule { module: "field", may_import: &[], never: SOCKETS },
    Rule { module: "field", may_import: &[], never: FILES },
    Rule { module: "field", may_import: &[], never: CLOCKS },
    Rule { module: "hex", may_import: &[], never: SOCKETS },
    Rule { module: "hex", may_import: &[], never: FILES },
    Rule { module: "hex", may_import: &[], never: CLOCKS },
    Rule { module: "time", may_import: &[], never: SOCKETS },
    Rule { module: "time", may_import: &[], never: FILES },
    Rule { module: "time", may_import: &[], never: CLOCKS },
    Rule { module: "place", may_import: &[], never: SOCKETS },
    Rule { module: "place", may_import: &[], never: CLOCKS },
    Rule { module: "idn", may_import: &[], never: SOCKETS },
    Rule { module: "idn", may_import: &[], never: FILES },
    Rule { module: "idn", may_import: &[], never: CLOCKS },
    Rule { module: "secret", may_import: &[], never: SOCKETS },
    Rule { module: "held", may_import: &[], never: SOCKETS },
    Rule { module: "aside", may_import: &[], never: SOCKETS },
    Rule { module: "aside", may_import: &[], never: CLOCKS },
    Rule { module: "observe", may_import: &[], never: SOCKETS },
    Rule {
        module: "querylog",
        may_import: &["aside", "feed", "held", "hex", "observe", "place", "time"],
        never: SOCKETS,
    },
    Rule {
        module: "config",
        may_import: &[
            "bounds", "feed", "observe", "place", "policy", "port43", "querylog", "updater",
            "warden",
        ],
        never: SOCKETS,
    },
    Rule {
        module: "command",
        may_import: &[
            "aside", "bounds", "config", "control", "doctor", "export", "feed", "idn", "import",
            "observe", "place", "policy", "port43", "publish", "query", "querylog", "sample",
            "serving", "shard", "status", "store", "updater", "vet", "view", "warden",
        ],
        never: &[],
    },
    Rule {
        module: "serving",
        may_import: &[
            "config", "control", "feed", "held", "observe", "place", "policy", "querylog",
            "status", "store", "updater", "view", "warden",
        ],
        never: &["TcpStream"],
    },
];

/// One `.rs` file.
struct Source {
    /// Path from the root of the repository, with `/`.
    path: String,
    text: String,
}

/// Lines before an item that is built for tests alone.
const TEST_ONLY: [&str; 2] = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"];
/// Files that are built for tests alone.
const TEST_FILES: [&str; 4] = ["tests.rs", "fuzz.rs", "/tests/", "/simulation/"];

impl Source {
    /// Line numbers from 1 and lines, without comments and items for tests alone; none of a file of
    /// tests. Items end as `rustfmt` ends them: at the depth where they begin.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = TEST_FILES.iter().any(|part| self.path.contains(part));
        let tests_only = is_test || self.path.starts_with("tests/");
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let mut skipped: Option<usize> = None;
        lines
            .filter(move |(_, line)| {
                let text = line.trim_start();
                let depth = line.len() - text.len();
                if TEST_ONLY.contains(&text) {
                    skipped = Some(depth);
                }
                let Some(begun) = skipped else { return true };
                let ends = depth == begun && text.ends_with([';', '}', ',']);
                if ends && !text.starts_with('#') {
                    skipped = None;
                }
                false
            })
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .take(if tests_only { 0 } else { usize::MAX })
    }

    /// The folder or file directly below `src/`, without its ending.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let module = below.split('/').next()?;
        let module = module.strip_suffix(".rs").unwrap_or(module);
        // `web` is a package of its own, which imports this one as its users do.
        (!matches!(module, "lib" | "main" | "web")).then_some(module)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if matches!(name.as_str(), "target" | ".git" | "demo-registry") {
            continue;
        }
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let read =
        |path: &PathBuf| Source { path: relative(path), text: fs::read_to_string(path).unwrap() };
    let sources: Vec<_> = paths.iter().map(read).collect();
    assert!(sources.len() > 20, "the walk finds only {} files", sources.len());
    sources
}

fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}\n", findings.join("\n  "));
}

/// The modules named after `crate::` in `code`, also in braces over several lines.
fn imports(code: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c == '$' || c.is_alphanumeric() || c == '_') {
            continue;
        }
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item_starts = true;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => item_starts = true,
                    c if item_starts && !c.is_whitespace() => {
                        found.push(word(&group[index..]));
                        item_starts = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(word(rest));
        }
    }
    found
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::view::View; crate::query::x(); use crate::{a::{b, c},\n d, e::f};\n\
                $crate::not; mycrate::not";
    assert_eq!(imports(code), ["view", "query", "a", "d", "e"]);
}

#[test]
fn code_is_read_to_its_end_but_for_items_of_tests() {
    let text = "use a;
#[cfg(test)]
use b;

#[cfg(test)]
mod tests;
fn c() {
    d();
}
impl E {
    #[cfg(any(test, fuzzing))]
    #[must_use]
    fn f() {
        g();
    }

    fn h() {}
}
#[cfg(test)]
mod more {
    fn i() {}
}
fn j() {}
// k
";
    let code = |path: &str| {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let lines: Vec<_> = source.code().map(|(_, line)| line.trim().to_owned()).collect();
        lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(code("src/a.rs"), "use a; fn c() { d(); } impl E { fn h() {} } fn j() {}");
    for path in ["src/a/tests.rs", "tests/a.rs", "src/a/simulation/b.rs"] {
        assert_eq!(code(path), "", "{path}");
    }
}

/// Folders of `src` that one folder's code names, for each of them.
fn folders() -> BTreeMap<String, BTreeSet<String>> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let code: Vec<_> = source.code().map(|(_, line)| line).collect();
        let named = imports(&code.join("\n")).into_iter().filter(|named| named != module);
        folders.entry(module.to_owned()).or_default().extend(named);
    }
    folders
}

#[test]
fn no_folder_imports_one_that_builds_on_it() {
    let mut left = folders();
    assert!(left.len() > 20, "{left:?}");
    // A folder that imports none of the folders left goes; those that stay are in a circle, or
    // import one that is.
    while let Some(ground) = left
        .iter()
        .find(|(_, named)| !named.iter().any(|named| left.contains_key(named)))
        .map(|(folder, _)| folder.clone())
    {
        left.remove(&ground);
    }
    let findings: Vec<_> = left
        .iter()
        .map(|(folder, named)| {
            let named: Vec<_> = named.iter().filter(|named| left.contains_key(*named)).collect();
            format!("{folder} names {named:?}")
        })
        .collect();
    assert_none("circles of folders", &findings);
}

#[test]
fn the_rules_of_imports_permit_no_import_that_is_not_needed() {
    let folders = folders();
    let mut findings = Vec::new();
    for Rule { module, may_import, .. } in RULES {
        for import in *may_import {
            let is_used = folders.get(*module).is_some_and(|named| named.contains(*import));
            if !is_used {
                findings.push(format!("{module} imports crate::{import} no longer"));
            }
        }
    }
    assert_none("stale rows of RULES", &findings);
}

#[test]
fn modules_import_only_what_the_design_allows() {
    let mut findings = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let rules: Vec<_> = RULES.iter().filter(|rule| rule.module == module).collect();
        if rules.is_empty() {
            findings.push(format!("{}: src/{module} has no rule in tests/tidy.rs", source.path));
        }
        for (number, line) in source.code() {
            for rule in &rules {
                for word in rule.never.iter().filter(|word| line.contains(**word)) {
                    findings.push(format!("{}:{number}: {module} names {word}", source.path));
                }
            }
        }
        let code: Vec<_> = source.code().map(|(_, line)| line).collect();
        for import in imports(&code.join("\n")) {
            let allowed = |rule: &&Rule| rule.may_import.contains(&import.as_str());
            // Types and functions of the crate's root do not exist: every name is a module.
            if import != module && !rules.iter().any(allowed) {
                findings.push(format!("{}: {module} imports crate::{import}", source.path));
            }
        }
    }
    assert_none("imports against DESIGN.md section 3", &findings);
}

#[test]
fn the_snapshot_format_knows_nothing_of_the_rest() {
    let manifest = fs::read_to_string(root().join("snapshot-format/Cargo.toml")).unwrap();
    assert!(!manifest.contains("whoisd ="), "snapshot-format depends on whoisd");
    let never = ["whoisd::", "std::fs", "Instant", "SystemTime", "TcpStream", "std::env"];
    let mut findings = Vec::new();
    for source in sources() {
        if !source.path.starts_with("snapshot-format/src/") {
            continue;
        }
        for (number, line) in source.code() {
            for word in never.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: names {word}", source.path));
            }
        }
    }
    assert_none("snapshot-format names what it must not know", &findings);
}

#[test]
fn the_load_generator_knows_the_server_in_one_file_alone() {
    let mut findings = Vec::new();
    for source in sources() {
        let allowed = source.path == "loadgen/src/snapshot.rs";
        if allowed || !source.path.starts_with("loadgen/src/") {
            continue;
        }
        for (number, line) in source.code().filter(|(_, line)| line.contains("whoisd::")) {
            findings.push(format!("{}:{number}: {line}", source.path));
        }
    }
    assert_none("the load generator names the server", &findings);
}

#[test]
fn lines_and_files_keep_their_length() {
    let mut findings = Vec::new();
    for Source { path, text } in sources() {
        for (index, line) in text.lines().enumerate() {
            let chars = line.chars().count();
            // A text that a test gives or expects stays in one piece.
            let test_text = path.starts_with("tests/") && line.contains(['"', '<']);
            // A row of a table in a comment cannot be broken.
            let row = line.starts_with("//! | ");
            let reasoned = test_text || row || LONG_LINES.iter().any(|(long, _)| *long == path);
            if chars > LINE_CHARS_MAX && !reasoned {
                findings.push(format!("{path}:{}: {chars} characters", index + 1));
            }
        }
        let lines = text.lines().count();
        let reasoned = LONG_FILES.iter().any(|(long, _)| *long == path);
        if lines > FILE_LINES_MAX || (lines > FILE_LINES_WANTED && !reasoned) {
            findings.push(format!("{path}: {lines} lines; split it by role"));
        }
    }
    for (path, reason) in LONG_LINES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if !text.lines().any(|line| line.chars().count() > LINE_CHARS_MAX) || reason.is_empty() {
            findings.push(format!("{path}: no longer has long lines; take it off the list"));
        }
    }
    for (path, reason) in LONG_FILES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if text.lines().count() <= FILE_LINES_WANTED || reason.is_empty() {
            findings.push(format!("{path}: no longer an exception; take it off the list"));
        }
    }
    assert_none("lines over 100 characters, files over 500 lines without a reason", &findings);
}

#[test]
fn every_file_starts_with_what_it_is() {
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert_none("files without a `//!` head", &findings);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|source| {
            source
                .path
                .split('/')
                .any(|part| EMPTY_NAMES.contains(&part.strip_suffix(".rs").unwrap_or(part)))
        })
        .map(|source| source.path)
        .collect();
    assert_none("modules named for nothing", &findings);
}

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

#[test]
fn every_dependency_has_its_reason() {
    let mut findings = Vec::new();
    let crates = ["snapshot-format", "loadgen", "benches", "tests/fuzz"];
    let crates = crates.map(|folder| format!("{folder}/Cargo.toml"));
    for manifest in ["Cargo.toml".to_owned()].into_iter().chain(crates) {
        let text = fs::read_to_string(root().join(&manifest)).unwrap();
        let (mut inside, mut reasoned) = (false, false);
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                inside = line == "[dependencies]" || line == "[workspace.dependencies]";
            } else if line.starts_with('#') {
                reasoned = true;
            } else if inside && line.contains('=') && !line.starts_with([' ', ']']) {
                // The reason is where the dependency is declared, once for the workspace.
                let declared_above = line.contains(".workspace") || line.contains("path =");
                if !reasoned && !declared_above {
                    findings.push(format!("{manifest}:{}: {line}", index + 1));
                }
                reasoned = false;
            }
        }
    }
    assert_none("dependencies without a line that says what for", &findings);
}

#[test]
fn nothing_committed_names_one_machine() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    let places = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    let mut findings = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                findings.push(format!("{}:{}: {line}", relative(&path), index + 1));
            }
        }
    }
    assert_none("absolute paths of one machine", &findings);
}

/// Targets of the links `[text](target)` of a page.
fn links(page: &str) -> Vec<&str> {
    page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)).collect()
}

/// What a link may name after `#`: the headings of a page, as GitHub turns them into anchors.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept =
            heading.trim_start_matches('#').trim().chars().filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                _ => letter.is_alphanumeric().then(|| letter.to_ascii_lowercase()),
            });
        kept.collect()
    };
    headings.map(anchor).collect()
}

/// Why a link of a page in `folder` leads nowhere.
fn dead(folder: &Path, page: &str, link: &str) -> Option<String> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = folder.join(target);
    if !path.exists() {
        return Some(format!("{link}: there is no such file"));
    }
    let text = match target {
        "" => page.to_owned(),
        _ => fs::read_to_string(path).unwrap_or_default(),
    };
    let found = anchor.is_empty() || anchors(&text).contains(anchor);
    (!found).then(|| format!("{link}: there is no such heading"))
}

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let (mut findings, mut count) = (Vec::new(), 0);
    for path in paths {
        let page = fs::read_to_string(&path).unwrap();
        let folder = path.parent().unwrap();
        for link in links(&page).into_iter().filter(|link| !link.contains("://")) {
            count += 1;
            let finding = dead(folder, &page, link);
            findings.extend(finding.map(|why| format!("{}: {why}", relative(&path))));
        }
    }
    assert_none("links to nothing", &findings);
    assert!(count > 100, "the walk finds only {count} links");
}

#[test]
fn every_page_of_the_manual_that_a_file_names_is_there() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    let is_of_path = |letter: char| letter.is_ascii_alphanumeric() || "./_-".contains(letter);
    let (mut findings, mut count) = (Vec::new(), 0);
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let words = text.split(|letter| !is_of_path(letter)).map(|word| word.trim_matches('.'));
        for page in words.filter(|word| word.starts_with("docs/") && word.ends_with(".md")) {
            count += 1;
            if !root().join(page).exists() && page != "docs/PAGE.md" {
                findings.push(format!("{}: {page}", relative(&path)));
            }
        }
    }
    assert_none("pages that are not there", &findings);
    assert!(count > 10, "the walk finds only {count} names");
}

#[test]
fn a_link_to_nothing_is_seen() {
    let page = "# A \"b\" c\n[x](y.md) and [z](https://example.org/)\n## `d-e`, F\n[g](#a-b-c)\n";
    assert_eq!(links(page), ["y.md", "https://example.org/", "#a-b-c"]);
    assert_eq!(anchors(page), ["a-b-c", "d-e-f"].map(str::to_owned).into());
    let dead = |link: &str| dead(&root(), page, link);
    assert_eq!(dead("#a-b-c"), None);
    assert_eq!(dead("README.md#what-it-does"), None);
    assert_eq!(dead("y.md").unwrap(), "y.md: there is no such file");
    assert_eq!(dead("#a").unwrap(), "#a: there is no such heading");
    assert_eq!(dead("README.md#a").unwrap(), "README.md#a: there is no such heading");
}

#[test]
fn the_readme_stays_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines, at most {README_LINES_MAX}");
}
