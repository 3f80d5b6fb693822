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
//! - `nothing lost`: a file of ours that is damaged is kept under another name, with the time in
//!   it, and is never overwritten.
//! - `ours alone`: what the system does not let us read stays where it is, and so does what is not
//!   a file of blocks: neither is renamed or written over.
//!
//! # Does not
//!
//! Know what a block means.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
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

/// Why a file gives no blocks.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It is not a file of blocks.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The system does not let us read it.
    #[error(transparent)]
    Refused(#[from] io::Error),
    /// It is ours, and damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

/// Why a file is not one of blocks.
#[derive(Debug, thiserror::Error)]
pub(super) enum Foreign {
    /// It is a directory.
    #[error("is a directory, expected a file for blocks")]
    Directory,
    /// It is a device, a pipe or a socket.
    #[error("is not a regular file, expected a file for blocks")]
    Special,
    /// It begins with something else.
    #[error("is there, and is not a file of blocks; name another file, which is made")]
    Other,
}

/// Why a file of blocks gives none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damaged {
    /// It is not JSON, or has other keys or values.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Another build has written it.
    #[error("version {got}, this build reads {VERSION}")]
    Version { got: u32 },
    /// It has more blocks than are kept.
    #[error("{got} blocks, at most {BLOCKS_MAX} are kept")]
    Count { got: usize },
}

/// How our files begin, but for white space.
const FIRST_BYTES: &[u8] = b"{\"version\":";
/// Permissions of the file.
const FILE_MODE: u32 = 0o640;

/// Reads the file; none if there is none. One that the configuration has `named` has to begin as
/// ours do; the one under our own name is ours, with any content.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn read(path: &Path, named: bool) -> Result<Vec<Block>, Unread> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    if !meta.is_file() {
        let foreign = if meta.is_dir() { Foreign::Directory } else { Foreign::Special };
        return Err(foreign.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let begin: Vec<u8> =
        bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(16).collect();
    if named && !begin.is_empty() && !begin.starts_with(FIRST_BYTES) {
        return Err(Foreign::Other.into());
    }
    Ok(decode(&bytes)?)
}

fn decode(bytes: &[u8]) -> Result<Vec<Block>, Damaged> {
    let kept: Kept = serde_json::from_slice(bytes)?;
    if kept.version != VERSION {
        return Err(Damaged::Version { got: kept.version });
    }
    if kept.blocks.len() > BLOCKS_MAX {
        return Err(Damaged::Count { got: kept.blocks.len() });
    }
    Ok(kept.blocks)
}

/// Puts a file of ours that is damaged aside; where it lies now.
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
    // A link of that name is not followed.
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE).custom_flags(flags);
    let mut file = options.open(&beside)?;
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
        assert!(read(&path, true).unwrap().is_empty());
        let mut book = Book::new(Terms::default(), [], 0);
        book.block("192.0.2.0/24".parse().unwrap(), 60, "a \"reason\"", 1_000);
        write(&path, &book.all()).unwrap();
        let kept = read(&path, true).unwrap();
        let json = |book: &Book| {
            serde_json::to_string(&book.all().iter().map(Arc::as_ref).collect::<Vec<_>>())
        };
        let again = Book::new(Terms::default(), kept, 1_000);
        assert_eq!(json(&again).unwrap(), json(&book).unwrap());
        let (other, beside) = (dir.path().join("other"), dir.path().join("blocks.json.new"));
        std::os::unix::fs::symlink(&other, &beside).unwrap();
        assert!(write(&path, &book.all()).is_err() && !other.exists(), "a link is not followed");
        fs::remove_file(beside).unwrap();
        for bad in [
            "",
            "{\"version\":2,\"blocks\":[]}",
            "{\"version\":1,\"blocks\":[{\"prefix\":\"192.0.2.0/33\"}]}",
            "{\"version\":1,\"blocks\":[],\"more\":1}",
        ] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(read(&path, true), Err(Unread::Damaged(_))), "{bad}");
        }
        let aside = put_aside(&path, 7).unwrap();
        assert!(aside.exists() && !path.exists());
        assert!(aside.ends_with("blocks.json.unreadable-7"));
    }

    #[test]
    fn what_is_no_file_of_blocks_is_known_as_such_before_anything_is_done_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let is_foreign = |path: &Path, named| matches!(read(path, named), Err(Unread::Foreign(_)));
        for named in [false, true] {
            assert!(is_foreign(dir.path(), named));
            assert!(is_foreign(Path::new("/dev/null"), named));
        }
        let path = dir.path().join("file");
        for (text, named) in [("[server]\n", true), ("<?xml version=\"1.0\"?>", true)] {
            fs::write(&path, text).unwrap();
            assert!(is_foreign(&path, named), "{text}");
            // Under our own name it is ours.
            assert!(matches!(read(&path, false), Err(Unread::Damaged(_))), "{text}");
        }
        // As it is for root, which may read everything.
        let within = path.join("blocks.json");
        assert!(matches!(read(&within, true), Err(Unread::Refused(_))));
    }
}
