//! The file that keeps blocks over a restart.
//!
//! ```text
//! {"version":1,"blocks":[{"prefix":"192.0.2.1/32","since_ms":..,"until_ms":..,"repetition":2,
//!  "cause":"limit","reason":""}, ...]}
//! ```
//!
//! # Invariants
//!
//! - `whole`: the file is written beside, synced and renamed; a crash leaves the old one or the new
//!   one.
//! - `nothing lost`: a file that cannot be read is kept under another name, with the time in it,
//!   and is never overwritten.
//!
//! # Does not
//!
//! Know what a block means.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::policy::block::{BLOCKS_MAX, Block};

/// Version of the file.
const VERSION: u32 = 1;

/// Longest file that is read, bytes: more than [`BLOCKS_MAX`] blocks with the longest reasons take.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Keep<'a> {
    version: u32,
    blocks: Vec<&'a Block>,
}

/// Reads the file; none if there is none.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(super) fn read(path: &Path) -> Result<Vec<Block>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let kept: Kept = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if kept.version != VERSION {
        return Err(format!("version {}, this build reads {VERSION}", kept.version));
    }
    if kept.blocks.len() > BLOCKS_MAX {
        return Err(format!("{} blocks, at most {BLOCKS_MAX} are kept", kept.blocks.len()));
    }
    Ok(kept.blocks)
}

/// Puts a file that cannot be read aside; where it lies now.
///
/// # Errors
///
/// If it cannot be renamed: then nothing may be written in its place.
pub(super) fn put_aside(path: &Path, now_ms: i64) -> io::Result<PathBuf> {
    let aside = path.with_extension(format!("json.unreadable-{now_ms}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Writes the file.
///
/// # Errors
///
/// If the disk refuses; the old file is there then.
pub(super) fn write(path: &Path, blocks: &[Arc<Block>]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    let blocks = blocks.iter().map(Arc::as_ref).collect();
    let mut text = serde_json::to_vec(&Keep { version: VERSION, blocks })?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::policy::block::{Book, Terms};

    #[test]
    fn what_was_written_is_read_again_and_a_bad_file_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blocks.json");
        assert_eq!(read(&path), Ok(Vec::new()));
        let mut book = Book::new(Terms::default(), [], 0);
        book.block("192.0.2.0/24".parse().unwrap(), 60, "a \"reason\"", 1_000);
        write(&path, &book.all()).unwrap();
        let kept = read(&path).unwrap();
        let json = |book: &Book| {
            serde_json::to_string(&book.all().iter().map(Arc::as_ref).collect::<Vec<_>>())
        };
        let again = Book::new(Terms::default(), kept, 1_000);
        assert_eq!(json(&again).unwrap(), json(&book).unwrap());
        for bad in [
            "",
            "{\"version\":2,\"blocks\":[]}",
            "{\"version\":1,\"blocks\":[{\"prefix\":\"192.0.2.0/33\"}]}",
            "{\"version\":1,\"blocks\":[],\"more\":1}",
        ] {
            fs::write(&path, bad).unwrap();
            assert!(read(&path).is_err(), "{bad}");
        }
        let aside = put_aside(&path, 7).unwrap();
        assert!(aside.exists() && !path.exists());
        assert!(aside.ends_with("blocks.json.unreadable-7"));
    }
}
