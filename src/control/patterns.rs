//! Which files `policy.lists` names: single ones, or all of a folder that a pattern matches.
//!
//! # Does not
//!
//! Read them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::policy::lists::LIST_FILE_COUNT_MAX;

/// The files that patterns name, each once, and what is wrong with patterns.
#[must_use]
pub fn find(patterns: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    for pattern in patterns {
        let name = pattern.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        if !name.contains('*') {
            paths.push(pattern.clone());
            continue;
        }
        let folder = pattern.parent().unwrap_or_else(|| Path::new(""));
        match names_in(folder, &name) {
            Ok(names) => paths.extend(names.into_iter().map(|name| folder.join(name))),
            Err(error) => errors.push(format!("{}: {error}", folder.display())),
        }
    }
    let mut unique: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !unique.contains(&path) {
            unique.push(path);
        }
    }
    if unique.len() > LIST_FILE_COUNT_MAX {
        let got = unique.len();
        errors.push(format!(
            "policy.lists: {got} files, at most {LIST_FILE_COUNT_MAX} are allowed; the first ones \
             are taken"
        ));
        unique.truncate(LIST_FILE_COUNT_MAX);
    }
    (unique, errors)
}

/// Names of a folder that a pattern matches, in order. A folder that is not there is an error: it
/// may be mistyped, or be swapped for another one at this moment.
fn names_in(folder: &Path, pattern: &str) -> std::io::Result<Vec<String>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Editors keep their own files under such names.
        let hidden = name.starts_with('.') && !pattern.starts_with('.');
        if !hidden && matches(pattern, &name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether `name` is as `pattern` says, whose `*` are any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.tom", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
