//! Why a list is refused: file, line, entry, key, what is wrong, what would be right.

/// A list that cannot be used. What was in force stays so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{}{problem}", of_entry(*entry), of_key(key))]
pub struct ListError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// Which `[[entry]]` of the file, from 1; 0: none in particular.
    pub entry: u32,
    /// The key of the entry; empty: none in particular.
    pub key: String,
    /// What is wrong, with what was got and what is expected.
    pub problem: String,
}

fn of_entry(entry: u32) -> String {
    if entry == 0 { String::new() } else { format!("entry {entry}: ") }
}

fn of_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}
