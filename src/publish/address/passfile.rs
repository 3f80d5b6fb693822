//! The file of passwords that libpq reads: `HOST:PORT:DATABASE:USER:PASSWORD`, `*` for any, a
//! backslash in front of a colon or a backslash that is meant.
//!
//! # Does not
//!
//! Decide which file: the parent does.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::PassfileError;

/// Longest file that is read, bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Permissions that nobody but the owner may have.
const OTHERS: u32 = 0o077;

/// Host, port, database and user of an entry, and its password.
pub(super) type Entry = [String; 5];

/// Reads the entries of a file.
///
/// # Errors
///
/// There is no such file, or others may read it, which libpq refuses as well.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, PassfileError> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(PassfileError::NotFile);
    }
    if meta.mode() & OTHERS != 0 {
        return Err(PassfileError::Exposed);
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.lines().filter(|line| !line.starts_with('#')).filter_map(entry).collect())
}

/// The password of the first entry that fits host, port, database and user.
pub(super) fn find<'e>(entries: &'e [Entry], wanted: [&str; 4]) -> Option<&'e str> {
    let fits = |entry: &&Entry| {
        entry.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted)
    };
    entries.iter().find(fits).map(|[_, _, _, _, password]| password.as_str())
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields: [String; 5] = Default::default();
    let mut at = fields.iter_mut().peekable();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => at.peek_mut()?.push(letters.next()?),
            // The last field may hold colons.
            ':' if at.len() > 1 => drop(at.next()),
            other => at.peek_mut()?.push(other),
        }
    }
    (at.len() == 1).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_with_stars_backslashes_and_colons() {
        let read = entry;
        let fields = |of: [&str; 5]| Some(of.map(str::to_owned));
        assert_eq!(read("h:5432:d:u:p"), fields(["h", "5432", "d", "u", "p"]));
        assert_eq!(read(r"\:\:1:*:*:u:a\\b:c"), fields(["::1", "*", "*", "u", r"a\b:c"]));
        assert_eq!(read("h:5432:d:u"), None);
        assert_eq!(read(""), None);
        let entries = ["h:1:d:u:first", "*:*:*:*:any"].map(|line| entry(line).unwrap());
        assert_eq!(find(&entries, ["h", "1", "d", "u"]), Some("first"));
        assert_eq!(find(&entries, ["h", "2", "d", "u"]), Some("any"));
    }
}
