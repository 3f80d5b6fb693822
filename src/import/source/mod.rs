//! The files of a deposit: XML, CSV, gzip, tar, recognised by their first bytes.
//!
//! # Invariants
//!
//! - A CSV file is found below the places that the operator named: no name leads out of them.
//! - The bytes that are read of all of them, unpacked, are bounded.
//!
//! # Does not
//!
//! Read what the files hold.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod gunzip;
mod kind;
mod limit;
mod members;
mod pipe;
mod plain;

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use snapshot_format::sort::{Scratch, ScratchFile};

use self::kind::{Kind, kind_of};
use self::members::Members;

pub(super) use self::gunzip::Gunzip;
pub(super) use self::kind::{Packing, is_gzip};
use self::limit::Limit;
pub(super) use self::limit::refusal;
pub use self::pipe::Pipes;
pub use self::plain::{Follow, open_plain};

/// Read buffer of compressed files, bytes.
const BUFFER_BYTES: usize = 64 << 10;

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
    /// A member of a tar, or what came through a pipe.
    Part {
        file: Shared,
        offset: u64,
        size: u64,
    },
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
    limit: Limit,
    follow: Follow,
}

/// What the operator named.
#[derive(Default)]
pub(super) struct Sources {
    /// XML files.
    pub(super) documents: Vec<Source>,
    others: Vec<Source>,
    /// Links of tars: their names, and the names that they stand for.
    links: Vec<(String, String)>,
    directories: Vec<PathBuf>,
    /// The first file that is packed in a form that is not read.
    pub(super) packed: Option<(String, Packing)>,
    /// Bytes of all files that are known.
    pub(super) total_bytes: u64,
    /// Whether something followed the end of compressed data.
    pub(super) trailing: Rc<Cell<bool>>,
    /// What its content may have.
    limit: Limit,
    follow: Follow,
}

impl Sources {
    /// Opens the files that the operator named; all that is read of them, unpacked, has at most
    /// `content_bytes_max`.
    pub(super) fn open(
        paths: &[PathBuf],
        pipes: &Pipes,
        scratch: &Rc<dyn Scratch>,
        content_bytes_max: u64,
        follow: Follow,
    ) -> Result<Self, SourceError> {
        let limit = Limit::new(content_bytes_max);
        let mut sources = Self { limit, follow, ..Self::default() };
        for path in paths {
            let name = path.display().to_string();
            sources
                .add(path, &name, pipes, scratch)
                .map_err(|error| SourceError { name: name.clone(), error })?;
        }
        Ok(sources)
    }

    fn add(
        &mut self,
        path: &Path,
        name: &str,
        pipes: &Pipes,
        scratch: &Rc<dyn Scratch>,
    ) -> io::Result<()> {
        let metadata = self.follow.metadata(path)?;
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            let what = "is a directory; name the XML file of the deposit in it";
            return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
        }
        if self.follow == Follow::Files && !file_type.is_file() {
            // Somebody has put it there since the folder was looked at: it is not content of ours.
            let what = if file_type.is_symlink() {
                "is a symbolic link, expected the file itself"
            } else {
                "is a pipe, a socket or a device, expected a file"
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let (bytes, size) = if file_type.is_file() {
            (Bytes::Path(path.to_owned()), metadata.len())
        } else if file_type.is_fifo() || file_type.is_socket() {
            let (file, size) = pipes.read(path, scratch)?;
            (Bytes::Part { file, offset: 0, size }, size)
        } else {
            let what = "is a device, expected a file or a pipe; name one";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        };
        self.total_bytes = self.total_bytes.saturating_add(size);
        let (kind, gzip) = kind_of(open(&bytes, self.follow)?)?;
        if kind == Kind::Tar {
            let tar: Shared = match bytes {
                bytes if gzip => self.unpacked(&bytes, scratch)?,
                Bytes::Part { file, .. } => file,
                Bytes::Path(path) => {
                    let file: Box<dyn Seekable> = Box::new(self.follow.open(&path)?);
                    Rc::new(RefCell::new(file))
                }
            };
            return self.add_members(name, &tar, scratch);
        }
        if kind == Kind::Xml && file_type.is_file() {
            self.directories.push(path.parent().map(Path::to_owned).unwrap_or_default());
        }
        let base_name = base_name(path).to_owned();
        self.put(kind, self.source(name.to_owned(), base_name, bytes, gzip));
        Ok(())
    }

    fn add_members(
        &mut self,
        name: &str,
        tar: &Shared,
        scratch: &Rc<dyn Scratch>,
    ) -> io::Result<()> {
        let Members { files, links } = members::members(tar, scratch, &self.limit)?;
        self.links.extend(links);
        for member in files {
            let bytes = Bytes::Part { file: member.tar, offset: member.offset, size: member.size };
            let base_name = base_name(Path::new(&member.name)).to_owned();
            let name = format!("{name}:{}", member.name);
            let (kind, gzip) = kind_of(open(&bytes, self.follow)?)?;
            if kind == Kind::Tar {
                return Err(invalid("a tar within a tar"));
            }
            self.put(kind, self.source(name, base_name, bytes, gzip));
        }
        Ok(())
    }

    fn source(&self, name: String, base_name: String, bytes: Bytes, gzip: bool) -> Source {
        let (limit, follow) = (self.limit.clone(), self.follow);
        Source { name, base_name, bytes, gzip, limit, follow }
    }

    fn put(&mut self, kind: Kind, source: Source) {
        if kind == Kind::Xml {
            self.documents.push(source);
            return;
        }
        if let (Kind::Packed(packing), None) = (kind, &self.packed) {
            self.packed = Some((source.name.clone(), packing));
        }
        self.others.push(source);
    }

    /// A compressed tar, decompressed into a scratch file: members are read in another order than
    /// they stand.
    fn unpacked(&self, bytes: &Bytes, scratch: &Rc<dyn Scratch>) -> io::Result<Shared> {
        let mut file: Box<dyn ScratchFile> = scratch.create()?;
        let from = BufReader::with_capacity(BUFFER_BYTES, open(bytes, self.follow)?);
        let unpacked = Gunzip::new(from, Rc::clone(&self.trailing));
        io::copy(&mut self.limit.of(unpacked), &mut file)?;
        Ok(Rc::new(RefCell::new(Box::new(file))))
    }

    /// The CSV file of a name that a document declares: among the named files, in the tar, or
    /// beside the XML. Folders of the name choose among files with one last part; they need not be
    /// there. A file that lies beside another document is that one's, unless there is no other.
    pub(super) fn find(&mut self, name: &str, document: &Source) -> Option<Source> {
        let name = name.replace('\\', "/");
        let leads_nowhere = |part: &str| matches!(part, "" | "." | "..");
        let base_name = name.rsplit('/').next().filter(|part| !leads_nowhere(part))?;
        if name.split('/').any(|part| part == "..") {
            return None;
        }
        let parts: Vec<&str> = name.split('/').filter(|part| !leads_nowhere(part)).collect();
        let known = |whose| {
            self.known(base_name, &parts, document, whose).or_else(|| {
                let (_, target) = self.links.iter().find(|link| link.0 == base_name)?;
                self.known(target, &[target.as_str()], document, whose)
            })
        };
        if let Some(source) = known(Whose::Own) {
            return Some(source);
        }
        let own = document.directory().map(Path::to_owned);
        let path = own.and_then(|own| self.beside(base_name, &parts, &[own]));
        if path.is_none()
            && let Some(source) = known(Whose::Any)
        {
            return Some(source);
        }
        let path = path.or_else(|| self.beside(base_name, &parts, &self.directories))?;
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        self.total_bytes = self.total_bytes.saturating_add(size);
        let name = path.display().to_string();
        Some(self.source(name, base_name.to_owned(), Bytes::Path(path), false))
    }

    /// A file that was not named, in one of `directories`.
    fn beside(&self, base_name: &str, parts: &[&str], directories: &[PathBuf]) -> Option<PathBuf> {
        let within: PathBuf = parts.iter().collect();
        let plain = within.components().all(|part| matches!(part, Component::Normal(_)));
        let names = [plain.then_some(within.as_path()), Some(Path::new(base_name))];
        let path = directories.iter().flat_map(|directory| {
            names.iter().flatten().map(|name| directory.join(name)).collect::<Vec<_>>()
        });
        let is_file = |path: &PathBuf| self.follow.metadata(path).is_ok_and(|meta| meta.is_file());
        path.into_iter().find(is_file)
    }

    /// The file among those that were named whose name ends in most of `parts`, and of several such
    /// the one that is nearest to the document.
    fn known(
        &self,
        base_name: &str,
        parts: &[&str],
        document: &Source,
        whose: Whose,
    ) -> Option<Source> {
        // A CSV file whose first cell begins with `<` looks like XML.
        let known = self.others.iter().chain(&self.documents);
        let is_of_other = |source: &Source| {
            let folder = source.folder();
            let mut others = self.documents.iter().filter(|other| other.name != document.name);
            folder != document.folder() && others.any(|other| other.folder() == folder)
        };
        let alike = |source: &&Source| {
            let own = source.name.rsplit(['/', ':']);
            let alike = parts.iter().rev().zip(own).take_while(|(part, own)| **part == *own);
            let (own, its) =
                (source.folder().split(['/', ':']), document.folder().split(['/', ':']));
            (alike.count(), own.zip(its).take_while(|(own, its)| own == its).count())
        };
        // Of several that are alike the first one.
        let files = known.filter(|source| source.base_name == base_name);
        let files = files.filter(|source| whose == Whose::Any || !is_of_other(source));
        files.rev().max_by_key(alike).cloned()
    }
}

/// Which files are looked at for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Those that do not lie beside another one.
    Own,
    Any,
}

impl Source {
    /// The name without its last part.
    fn folder(&self) -> &str {
        self.name.strip_suffix(&self.base_name).unwrap_or(&self.name)
    }

    /// The directory that it lies in, unless it came in a tar or through a pipe.
    fn directory(&self) -> Option<&Path> {
        match &self.bytes {
            Bytes::Path(path) => path.parent(),
            Bytes::Part { .. } => None,
        }
    }

    /// Counts what is read of its content, once it is unpacked.
    pub(super) fn limited(&self, content: Box<dyn Read>) -> Box<dyn Read> {
        Box::new(self.limit.of(content))
    }

    /// The bytes as they are stored; `read_bytes` counts them.
    pub(super) fn stored(&self, read_bytes: &Rc<Cell<u64>>) -> io::Result<Box<dyn Read>> {
        let from = open(&self.bytes, self.follow)?;
        let counted = Counted { from, read_bytes: Rc::clone(read_bytes) };
        Ok(Box::new(counted))
    }

    /// The bytes, decompressed if they are gzip; `trailing` is set if something follows that.
    pub(super) fn content(
        &self,
        read_bytes: &Rc<Cell<u64>>,
        trailing: &Rc<Cell<bool>>,
    ) -> io::Result<Box<dyn Read>> {
        let stored = self.stored(read_bytes)?;
        if !self.gzip {
            return Ok(Box::new(self.limit.of(stored)));
        }
        let from = BufReader::with_capacity(BUFFER_BYTES, stored);
        Ok(Box::new(self.limit.of(Gunzip::new(from, Rc::clone(trailing)))))
    }
}

fn open(bytes: &Bytes, follow: Follow) -> io::Result<Box<dyn Read>> {
    Ok(match bytes {
        Bytes::Path(path) => Box::new(follow.open(path)?),
        Bytes::Part { file, offset, size } => {
            Box::new(Part { file: Rc::clone(file), offset: *offset, left_bytes: *size })
        }
    })
}

fn base_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A part of a file.
struct Part {
    file: Shared,
    offset: u64,
    left_bytes: u64,
}

impl Read for Part {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(out.len());
        let out = out.get_mut(..most).unwrap_or_default();
        if out.is_empty() {
            return Ok(0);
        }
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(self.offset))?;
        let count = file.read(out)?;
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
