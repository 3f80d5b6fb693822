//! Which module may import which, and what it may never name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::source::{assert_none, imports, root, sources};

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
    Rule { module: "observe", may_import: &["bounds"], never: SOCKETS },
    Rule {
        module: "querylog",
        may_import: &["aside", "bounds", "feed", "held", "hex", "observe", "place", "time"],
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
            "serving", "shard", "status", "store", "updater", "vet", "view",
        ],
        never: &[],
    },
    Rule {
        module: "serving",
        may_import: &[
            "aside", "config", "control", "feed", "held", "observe", "place", "policy", "querylog",
            "status", "store", "updater", "view", "warden",
        ],
        never: &["TcpStream"],
    },
];

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
            findings.push(format!(
                "{}: src/{module} has no rule in tests/tidy/imports.rs",
                source.path
            ));
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
