//! Builds the `/proc` and `/sys` of another machine from one text file.
//!
//! A line `PATH = TEXT` is a file; `== PATH` begins one of several lines, which `==` ends. `{2-5}`
//! makes a line once for each number, `{n}`, `{n+3}` and `{n-3}` stand for it, and `{0}` for a NUL
//! byte. `#` begins a comment.

use std::fs;
use std::path::{Path, PathBuf};

/// The kinds of machines here.
pub(crate) const MACHINES: [&str; 3] = ["small-2-core", "bl460c-2x4-64g", "dual-socket-64-core"];

/// Where the files of this folder are.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines").join(name)
}

/// Builds `name` below a temporary folder.
pub(crate) fn build(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(file(&format!("{name}.txt"))).unwrap();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(path) = line.strip_prefix("== ") {
            let block = lines.by_ref().take_while(|line| *line != "==");
            let block: Vec<_> = block.flat_map(expand).collect();
            write(dir.path(), path, &block.join("\n"));
            continue;
        }
        for line in expand(line) {
            let (path, content) = line.split_once(" =").unwrap();
            write(dir.path(), path, content.trim_start());
        }
    }
    dir
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("{}\n", content.replace("{0}", "\0"))).unwrap();
}

/// The line for each number of its first `{first-last}`.
fn expand(line: &str) -> Vec<String> {
    let range = line.split('{').skip(1).find_map(|part| {
        let (first, last) = part.split_once('}')?.0.split_once('-')?;
        Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
    });
    let Some((first, last)) = range else { return vec![line.to_owned()] };
    let one = |n: usize| {
        let mut line = line.replace(&format!("{{{first}-{last}}}"), &n.to_string());
        while let Some(at) = line.find("{n") {
            let end = at + line[at..].find('}').unwrap();
            let shift: isize = line[at + 2..end].parse().unwrap_or(0);
            let value = n.checked_add_signed(shift).unwrap().to_string();
            line.replace_range(at..=end, &value);
        }
        line
    };
    (first..=last).map(one).collect()
}
