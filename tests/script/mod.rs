//! Reads files of conversations; conversations.rs and rdap.rs say how they are written.

// Each test file uses its part of this module.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::path::{Path, PathBuf};

/// One section: its name and its lines.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The sections of a file.
pub(crate) fn sections(file: &str) -> Vec<Section> {
    let mut sections = vec![Section { name: "title".to_owned(), text: String::new() }];
    for line in file.lines() {
        match line.strip_prefix("== ") {
            Some(name) => {
                sections.push(Section { name: name.trim().to_owned(), text: String::new() });
            }
            None => {
                let section = sections.last_mut().unwrap();
                section.text.push_str(line);
                section.text.push('\n');
            }
        }
    }
    sections
}

/// The bytes of a query.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first().expect("an escape is whole");
        rest = after;
        match escape {
            b'r' => bytes.push(b'\r'),
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'\\' => bytes.push(b'\\'),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            // `\*1025 a`: what follows, as many times.
            b'*' => {
                let text = std::str::from_utf8(rest).unwrap();
                let (count, repeated) = text.split_once(' ').unwrap();
                bytes.extend(repeated.repeat(count.parse().unwrap()).into_bytes());
                rest = &[];
            }
            other => panic!("unknown escape \\{}", char::from(other)),
        }
    }
    bytes
}

/// The files of conversations, by name.
pub(crate) fn files() -> Vec<PathBuf> {
    files_of("tests/conversations")
}

/// The files of a folder of conversations, by name.
pub(crate) fn files_of(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

/// A query of a conversation.
pub(crate) struct Asked {
    /// The configuration that it is asked under.
    pub(crate) config: String,
    /// The name of the tier that asks.
    pub(crate) tier: String,
    pub(crate) query: Vec<u8>,
}

/// Every query of every conversation.
pub(crate) fn queries() -> Vec<Asked> {
    let mut queries = Vec::new();
    for path in files() {
        let (mut config, mut tier) = (String::new(), "public".to_owned());
        for section in sections(&std::fs::read_to_string(path).unwrap()) {
            match section.name.as_str() {
                "config" => (config, tier) = (section.text, "public".to_owned()),
                "tier" => tier = section.text.trim().to_owned(),
                "query" => {
                    let query = unescape(section.text.trim_end_matches('\n'));
                    queries.push(Asked { config: config.clone(), tier: tier.clone(), query });
                }
                _ => {}
            }
        }
    }
    queries
}

/// Holds each file, compares it with what `hold` makes of it now, and names the first line of each
/// that differs; with `bless`, writes it instead.
pub(crate) fn hold_all(
    files: Vec<PathBuf>,
    bless: bool,
    mut hold: impl FnMut(&Path, &str) -> String,
) {
    let mut different = Vec::new();
    assert!(!files.is_empty());
    for path in files {
        let file = std::fs::read_to_string(&path).unwrap();
        let now = hold(&path, &file);
        if now == file {
            continue;
        }
        if bless {
            std::fs::write(&path, now).unwrap();
            continue;
        }
        let line = now.lines().zip(file.lines()).position(|(now, then)| now != then);
        let line = line.unwrap_or_else(|| now.lines().count().min(file.lines().count()));
        different.push(format!(
            "{}:{}: expected {:?}, got {:?}",
            path.display(),
            line + 1,
            file.lines().nth(line).unwrap_or("the end"),
            now.lines().nth(line).unwrap_or("the end"),
        ));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
