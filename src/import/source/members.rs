//! Members of a tar, of every form that GNU tar writes: v7, ustar, GNU and pax; links; sparse
//! files, whose holes are filled in a scratch file.
//!
//! # Invariants
//!
//! - Nothing is unpacked into a folder: names of members lead nowhere.
//! - Names are held in memory within [`NAMES_BYTES_MAX`], and what is read to find them within
//!   [`EXTENSION_BYTES_MAX`] a member.
//! - A sparse file takes at most [`HOLES_BYTES_MAX`] more than the archive has of it.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use ahash::RandomState;
use hashbrown::HashSet;
use snapshot_format::sort::{Scratch, ScratchFile};
use tar::Entry;

use super::limit::{Limit, beyond};
use super::{Shared, base_name, invalid};

/// Length of a header, and of a block.
const HEADER_BYTES: usize = 512;
/// Where a header has the type of its member.
const TYPE_AT: usize = 156;
/// Most members of a tar that are looked at.
const MEMBERS_MAX: usize = 1 << 16;
/// Most holes of a sparse file, bytes: XML and CSV have no zeros, so that those of a deposit come
/// from how a disk stored it.
const HOLES_BYTES_MAX: u64 = 64 << 20;
/// Most bytes that may stand before a member to say what it is: long names, pax attributes, sparse
/// maps. They are held in memory.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// Longest name of a member, bytes: the longest path that Linux opens.
const NAME_BYTES_MAX: usize = 4096;
/// What all names may take, bytes.
const NAMES_BYTES_MAX: usize = 32 << 20;
/// What a name takes besides its bytes, with its member, bytes.
const NAME_OWN_BYTES: usize = 320;
/// Most pieces of a sparse file.
const PIECES_MAX: usize = 1 << 16;

/// A file in a tar.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) tar: Shared,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// What a tar holds.
#[derive(Default)]
pub(super) struct Members {
    pub(super) files: Vec<Member>,
    /// Names of hard and symbolic links, and the last parts of the names that they stand for.
    pub(super) links: Vec<(String, String)>,
}

/// Lists the members of a tar.
pub(super) fn members(
    tar: &Shared,
    scratch: &Rc<dyn Scratch>,
    limit: &Limit,
) -> io::Result<Members> {
    let mut found = Members::default();
    let mut filled = Filled { scratch, limit, file: None, bytes: 0 };
    let mut names = Names::default();
    let mut sparse = Vec::new();
    let mut file = tar.borrow_mut();
    let start = after_label(&mut *file)?;
    let left_bytes = Cell::new(0);
    let mut members = FromMembers { tar: &mut *file, start, left_bytes: &left_bytes };
    members.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(members);
    let mut entries = archive.entries_with_seek()?;
    loop {
        left_bytes.set(EXTENSION_BYTES_MAX);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry?;
        let mut name = names.take(&entry.path_bytes())?;
        if found.files.len().saturating_add(found.links.len()) >= MEMBERS_MAX {
            return Err(beyond("more than 65536 members"));
        }
        let kind = entry.header().entry_type();
        if kind.is_hard_link() || kind.is_symlink() {
            let target = entry.link_name_bytes().unwrap_or_default();
            let target = names.take(&target)?;
            let of = |name: &str| base_name(Path::new(name)).to_owned();
            found.links.push((of(&name), of(&target)));
            continue;
        }
        // A folder of the oldest form is a file whose name ends so.
        let holds = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
        if !holds || name.ends_with('/') {
            continue;
        }
        let (mut offset, mut size) =
            (entry.raw_file_position().saturating_add(start), entry.size());
        let map = pax_map(&mut entry)?;
        if kind.is_gnu_sparse() || map.is_some() {
            let stored = entry.header().entry_size().unwrap_or(0);
            left_bytes.set(u64::MAX);
            (offset, size) = match map {
                Some(Map { pieces, real_bytes, name: real_name }) => {
                    if let Some(real_name) = real_name {
                        name = names.take(real_name.as_bytes())?;
                    }
                    filled.fill(entry, pieces, real_bytes)?
                }
                None => filled.copy(entry, size, stored)?,
            };
            sparse.push(found.files.len());
        }
        found.files.push(Member { name, tar: Rc::clone(tar), offset, size });
    }
    if let Some(file) = filled.file {
        let held: Shared = Rc::new(RefCell::new(Box::new(file)));
        for at in sparse {
            if let Some(member) = found.files.get_mut(at) {
                member.tar = Rc::clone(&held);
            }
        }
    }
    last_of_each(&mut found.files);
    Ok(found)
}

/// Names that are held in memory.
struct Names {
    left_bytes: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self { left_bytes: NAMES_BYTES_MAX }
    }
}

impl Names {
    fn take(&mut self, name: &[u8]) -> io::Result<String> {
        if name.len() > NAME_BYTES_MAX {
            return Err(beyond("a name of more than 4096 bytes"));
        }
        // Several lists have it, and each byte may become three.
        let bytes = name.len().saturating_mul(3).saturating_add(NAME_OWN_BYTES);
        let left_bytes = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left_bytes.ok_or_else(|| beyond("names of more than 32 MiB"))?;
        Ok(String::from_utf8_lossy(name).into_owned())
    }
}

/// Of several members of one name `tar x` leaves the last one: `tar -r` adds what replaces another.
fn last_of_each(files: &mut Vec<Member>) {
    let mut seen: HashSet<PathBuf, RandomState> = HashSet::default();
    files.reverse();
    files.retain(|member| {
        let parts = Path::new(&member.name).components();
        seen.insert(parts.filter(|part| matches!(part, Component::Normal(_))).collect())
    });
    files.reverse();
}

/// A tar from where its members begin. The bytes that are read of it, and not sought over, are
/// bounded.
struct FromMembers<'t, T> {
    tar: &'t mut T,
    start: u64,
    left_bytes: &'t Cell<u64>,
}

impl<T: Read> Read for FromMembers<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.tar.read(out)?;
        let left = self.left_bytes.get().checked_sub(u64::try_from(count).unwrap_or(u64::MAX));
        let left = left.ok_or_else(|| beyond("names and attributes of more than 1 MiB"))?;
        self.left_bytes.set(left);
        Ok(count)
    }
}

impl<T: Seek> Seek for FromMembers<'_, T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(at.saturating_add(self.start)),
            relative => relative,
        };
        self.tar.seek(to).map(|at| at.saturating_sub(self.start))
    }
}

/// Where the members begin: after the name of the archive (`--label`), whose header has no size.
fn after_label(tar: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    tar.seek(SeekFrom::Start(0))?;
    tar.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(if header.get(TYPE_AT) == Some(&b'V') { HEADER_BYTES as u64 } else { 0 })
}

/// Where the data of a sparse file in pax form lie: offset and length in the file.
struct Map {
    /// `None`: the data begin with the list (version 1.0).
    pieces: Option<Vec<(u64, u64)>>,
    real_bytes: u64,
    name: Option<String>,
}

/// The map of a file that GNU tar stored as sparse in pax form; `None`: it is not.
fn pax_map<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Option<Map>> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(None) };
    let (mut numbers, mut real_bytes, mut name, mut major) = (Vec::new(), None, None, false);
    let number = |text: &str| text.parse::<u64>().map_err(|_| invalid("a number of a sparse map"));
    for extension in extensions {
        let extension = extension?;
        let (Ok(key), Ok(value)) = (extension.key(), extension.value()) else { continue };
        match key {
            "GNU.sparse.major" => major = value == "1",
            "GNU.sparse.name" => name = Some(value.to_owned()),
            "GNU.sparse.size" | "GNU.sparse.realsize" => real_bytes = Some(number(value)?),
            "GNU.sparse.offset" | "GNU.sparse.numbytes" => numbers.push(number(value)?),
            "GNU.sparse.map" => {
                for text in value.split(',').filter(|text| !text.is_empty()) {
                    numbers.push(number(text)?);
                }
            }
            _ => {}
        }
        if numbers.len() > 2 * PIECES_MAX {
            return Err(beyond("a sparse map of more than 65536 pieces"));
        }
    }
    let Some(real_bytes) = real_bytes else { return Ok(None) };
    let pairs = numbers.as_chunks::<2>().0.iter().map(|&[offset, bytes]| (offset, bytes));
    let pieces = (!major).then(|| pairs.collect());
    Ok(Some(Map { pieces, real_bytes, name }))
}

/// The list with which the data of a sparse file begin: lines of decimal numbers, up to the end of
/// a block.
fn listed(from: &mut impl BufRead) -> io::Result<Vec<(u64, u64)>> {
    let mut taken = 0u64;
    let mut number = || -> io::Result<u64> {
        let mut line = Vec::new();
        let count = from.by_ref().take(24).read_until(b'\n', &mut line)?;
        taken = taken.saturating_add(u64::try_from(count).unwrap_or(0));
        let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| invalid("a sparse map"))
    };
    let count = number()?;
    if count > PIECES_MAX as u64 {
        return Err(beyond("a sparse map of more than 65536 pieces"));
    }
    let mut pieces = Vec::new();
    for _ in 0..count {
        pieces.push((number()?, number()?));
    }
    let padding = 511u64.wrapping_sub(taken.wrapping_sub(1).wrapping_rem(512));
    io::copy(&mut from.take(padding), &mut io::sink())?;
    Ok(pieces)
}

/// Sparse files with their holes filled, one after another in one scratch file.
struct Filled<'s> {
    scratch: &'s Rc<dyn Scratch>,
    limit: &'s Limit,
    file: Option<Box<dyn ScratchFile>>,
    bytes: u64,
}

impl Filled<'_> {
    fn file(&mut self) -> io::Result<&mut Box<dyn ScratchFile>> {
        if self.file.is_none() {
            self.file = Some(self.scratch.create()?);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Takes a file whose holes the reader of the archive fills; `stored` bytes of it are data.
    fn copy(&mut self, entry: impl Read, size: u64, stored: u64) -> io::Result<(u64, u64)> {
        check_holes(size.saturating_sub(stored))?;
        self.limit.take(size)?;
        let file = self.file()?;
        let copied = io::copy(&mut entry.take(size), file)?;
        Ok(self.took(copied))
    }

    /// Takes a file whose data lie one after another in `entry`.
    fn fill(
        &mut self,
        entry: impl Read,
        pieces: Option<Vec<(u64, u64)>>,
        real_bytes: u64,
    ) -> io::Result<(u64, u64)> {
        let mut from = BufReader::new(entry);
        let pieces = match pieces {
            Some(pieces) => pieces,
            None => listed(&mut from)?,
        };
        let data = pieces.iter().fold(0u64, |sum, &(_, bytes)| sum.saturating_add(bytes));
        check_holes(real_bytes.saturating_sub(data))?;
        self.limit.take(real_bytes)?;
        let file = self.file()?;
        let mut at = 0u64;
        let end = [(real_bytes, 0)];
        for &(offset, bytes) in pieces.iter().chain(&end) {
            let hole = offset.checked_sub(at).ok_or_else(|| invalid("pieces that overlap"))?;
            io::copy(&mut io::repeat(0).take(hole), file)?;
            if io::copy(&mut from.by_ref().take(bytes), file)? < bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at = offset.saturating_add(bytes);
        }
        file.flush()?;
        Ok(self.took(real_bytes))
    }

    fn took(&mut self, bytes: u64) -> (u64, u64) {
        let offset = self.bytes;
        self.bytes = self.bytes.saturating_add(bytes);
        (offset, bytes)
    }
}

fn check_holes(bytes: u64) -> io::Result<()> {
    if bytes > HOLES_BYTES_MAX {
        return Err(beyond("a sparse file with more than 64 MiB of holes"));
    }
    Ok(())
}
