//! The files of the repository, as the checks read them.
//!
//! # Does not
//!
//! Say what is right.

use std::fs;
use std::path::{Path, PathBuf};

/// One `.rs` file.
pub(super) struct Source {
    /// Path from the root of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// Lines before an item that is built for tests alone.
const TEST_ONLY: [&str; 2] = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"];
/// Files that are built for tests alone.
const TEST_FILES: [&str; 4] = ["tests.rs", "fuzz.rs", "/tests/", "/simulation/"];

impl Source {
    /// Line numbers from 1 and lines, without comments and items for tests alone; none of a file of
    /// tests. Items end as `rustfmt` ends them: at the depth where they begin.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
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
    pub(super) fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let module = below.split('/').next()?;
        let module = module.strip_suffix(".rs").unwrap_or(module);
        // `web` is a package of its own, which imports this one as its users do.
        (!matches!(module, "lib" | "main" | "web")).then_some(module)
    }
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
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

pub(super) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

pub(super) fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let read =
        |path: &PathBuf| Source { path: relative(path), text: fs::read_to_string(path).unwrap() };
    let sources: Vec<_> = paths.iter().map(read).collect();
    assert!(sources.len() > 20, "the walk finds only {} files", sources.len());
    sources
}

pub(super) fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}\n", findings.join("\n  "));
}

/// The modules named after `crate::` in `code`, also in braces over several lines.
pub(super) fn imports(code: &str) -> Vec<String> {
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
pub(super) fn imports_are_found_in_every_form() {
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
