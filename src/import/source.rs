//! The files of a deposit: XML, CSV, gzip, tar, told apart by what they begin with.
//!
//! # Invariants
//!
//! - A CSV file is found by the last part of its name only: no name leads out of the places that
//!   the operator named.
//!
//! # Does not
//!
//! Read what the files hold.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use snapshot_format::sort::{Scratch, ScratchFile};

/// Bytes that tell what a file is: a tar header.
const HEAD_BYTES: usize = 512;
/// Most members of a tar that are looked at.
const MEMBERS_MAX: usize = 1 << 16;

/// A file cannot be opened, or read.
#[derive(Debug)]
pub(super) struct SourceError {
    pub(super) name: String,
    pub(super) error: io::Error,
}

trait Seekable: Read + Seek {}
impl<T: Read + Seek> Seekable for T {}
type Shared = Rc<RefCell<Box<dyn Seekable>>>;

/// Where the bytes of one file are.
#[derive(Clone)]
enum Bytes {
    Path(PathBuf),
    Member { tar: Shared, offset: u64, size: u64 },
}

/// One file of the deposit.
#[derive(Clone)]
pub(super) struct Source {
    /// As named, or `tar:member`.
    pub(super) name: String,
    /// Last part of the name.
    base_name: String,
    bytes: Bytes,
    gzip: bool,
}

/// What the operator named.
#[derive(Default)]
pub(super) struct Sources {
    /// XML files.
    pub(super) documents: Vec<Source>,
    others: Vec<Source>,
    directories: Vec<PathBuf>,
    /// Bytes of all files that are known.
    pub(super) total_bytes: u64,
}

/// What a file is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tar,
    Xml,
    Other,
}

impl Sources {
    /// Opens the files that the operator named.
    pub(super) fn open(paths: &[PathBuf], scratch: &Rc<dyn Scratch>) -> Result<Self, SourceError> {
        let mut sources = Self::default();
        for path in paths {
            let name = path.display().to_string();
            sources
                .add(path, &name, scratch)
                .map_err(|error| SourceError { name: name.clone(), error })?;
        }
        Ok(sources)
    }

    fn add(&mut self, path: &Path, name: &str, scratch: &Rc<dyn Scratch>) -> io::Result<()> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            let what = "is a directory; name the XML file of the deposit in it";
            return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
        }
        let size = metadata.len();
        self.total_bytes = self.total_bytes.saturating_add(size);
        let (kind, gzip) = kind_of(File::open(path)?)?;
        if kind == Kind::Tar {
            let tar: Box<dyn Seekable> =
                if gzip { Box::new(unpacked(path, scratch)?) } else { Box::new(File::open(path)?) };
            return self.add_members(name, Rc::new(RefCell::new(tar)));
        }
        let base_name = base_name(path).to_owned();
        let bytes = Bytes::Path(path.to_owned());
        let source = Source { name: name.to_owned(), base_name, bytes, gzip };
        if kind == Kind::Xml {
            self.documents.push(source);
            self.directories.push(path.parent().map(Path::to_owned).unwrap_or_default());
        } else {
            self.others.push(source);
        }
        Ok(())
    }

    fn add_members(&mut self, name: &str, tar: Shared) -> io::Result<()> {
        let mut members = Vec::new();
        {
            let mut file = tar.borrow_mut();
            file.seek(SeekFrom::Start(0))?;
            let mut archive = tar::Archive::new(&mut *file);
            for entry in archive.entries_with_seek()? {
                let entry = entry?;
                if !entry.header().entry_type().is_file() {
                    continue;
                }
                if members.len() >= MEMBERS_MAX {
                    return Err(invalid("more than 65536 members"));
                }
                let member = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                members.push((member, entry.raw_file_position(), entry.size()));
            }
        }
        for (member, offset, size) in members {
            let bytes = Bytes::Member { tar: Rc::clone(&tar), offset, size };
            let base_name = base_name(Path::new(&member)).to_owned();
            let name = format!("{name}:{member}");
            let (kind, gzip) = kind_of(open(&bytes)?)?;
            let source = Source { name, base_name, bytes, gzip };
            match kind {
                Kind::Xml => self.documents.push(source),
                Kind::Tar => return Err(invalid("a tar within a tar")),
                Kind::Other => self.others.push(source),
            }
        }
        Ok(())
    }

    /// The CSV file of a name: among the named files, in the tar, or beside the XML.
    pub(super) fn find(&mut self, name: &str) -> Option<Source> {
        if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
            return None;
        }
        // A CSV file whose first cell begins with `<` looks like XML.
        let known = self.others.iter().chain(&self.documents);
        if let Some(source) = known.into_iter().find(|source| source.base_name == name) {
            return Some(source.clone());
        }
        let path = self.directories.iter().map(|directory| directory.join(name));
        let path = path.into_iter().find(|path| path.is_file())?;
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        self.total_bytes = self.total_bytes.saturating_add(size);
        Some(Source {
            name: path.display().to_string(),
            base_name: name.to_owned(),
            bytes: Bytes::Path(path),
            gzip: false,
        })
    }
}

impl Source {
    /// The bytes as they are stored; `read_bytes` counts them.
    pub(super) fn stored(&self, read_bytes: &Rc<Cell<u64>>) -> io::Result<Box<dyn Read>> {
        let counted = Counted { from: open(&self.bytes)?, read_bytes: Rc::clone(read_bytes) };
        Ok(Box::new(counted))
    }

    /// The bytes, decompressed if they are gzip.
    pub(super) fn content(&self, read_bytes: &Rc<Cell<u64>>) -> io::Result<Box<dyn Read>> {
        let stored = self.stored(read_bytes)?;
        if !self.gzip {
            return Ok(stored);
        }
        Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, stored))))
    }
}

fn open(bytes: &Bytes) -> io::Result<Box<dyn Read>> {
    Ok(match bytes {
        Bytes::Path(path) => Box::new(File::open(path)?),
        Bytes::Member { tar, offset, size } => {
            Box::new(Member { tar: Rc::clone(tar), offset: *offset, left_bytes: *size })
        }
    })
}

fn base_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// What a file is, and whether it is compressed.
fn kind_of(mut from: impl Read) -> io::Result<(Kind, bool)> {
    let head = head(&mut from)?;
    if !head.starts_with(b"\x1f\x8b") {
        return Ok((kind_of_head(&head), false));
    }
    let mut whole = MultiGzDecoder::new(io::Cursor::new(head).chain(from));
    let head = self::head(&mut whole)?;
    Ok((kind_of_head(&head), true))
}

fn head(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    from.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn kind_of_head(head: &[u8]) -> Kind {
    if head.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    // UTF-16 is XML that will be refused with the right words.
    let utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if utf16 || text.starts_with(b"<") { Kind::Xml } else { Kind::Other }
}

/// A compressed tar, decompressed into a scratch file: members are read in another order than
/// they stand.
fn unpacked(path: &Path, scratch: &Rc<dyn Scratch>) -> io::Result<Box<dyn ScratchFile>> {
    let mut file = scratch.create()?;
    let mut from = MultiGzDecoder::new(BufReader::new(File::open(path)?));
    io::copy(&mut from, &mut file)?;
    Ok(file)
}

/// A member of a tar.
struct Member {
    tar: Shared,
    offset: u64,
    left_bytes: u64,
}

impl Read for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(out.len());
        let out = out.get_mut(..most).unwrap_or_default();
        if out.is_empty() {
            return Ok(0);
        }
        let mut tar = self.tar.borrow_mut();
        tar.seek(SeekFrom::Start(self.offset))?;
        let count = tar.read(out)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count_bytes = u64::try_from(count).unwrap_or(0);
        self.offset = self.offset.saturating_add(count_bytes);
        self.left_bytes = self.left_bytes.saturating_sub(count_bytes);
        Ok(count)
    }
}

/// Counts what is read.
struct Counted {
    from: Box<dyn Read>,
    read_bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(out)?;
        let bytes = u64::try_from(count).unwrap_or(0);
        self.read_bytes.set(self.read_bytes.get().saturating_add(bytes));
        Ok(count)
    }
}
