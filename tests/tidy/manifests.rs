//! Dependencies have their reason.

use std::fs;

use super::source::{assert_none, root};

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
