//! The files of a snapshot directory on the disk, bases and logs mapped for reading.
//!
//! # Invariants
//!
//! - What root makes in a directory of somebody else belongs to the directory's owner, which could
//!   not write it otherwise: the first import, most often, is root's, and the server is not.
//! - Data of people: files are for their user and group, and the lock for its user alone, since any
//!   process that may open it could hold it.
//! - A file that is made with a length has that length in blocks of zeros, so that writing into it
//!   changes no metadata and needs no room.
//!
//! # Does not
//!
//! Know what files mean: `store` does.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{
    DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::map::{Bytes, LogBytes};
use crate::held::Held;
use crate::store::{Files, Holder};

/// Zeros are written in pieces of it: aligned, so that the page cache uses huge pages.
const ZEROS_BYTES: usize = 2 << 20;
/// Permissions of a directory, of its files and of its lock.
const DIR_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
const LOCK_MODE: u32 = 0o600;
/// Permissions of users that are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// A snapshot directory on the disk.
#[derive(Debug, Clone)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// The directory at `path`; it need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The directory's mode, if every user of the machine gets at what it holds.
    #[must_use]
    pub fn open_to_all(&self) -> Option<u32> {
        let meta = fs::metadata(&self.path).ok().filter(fs::Metadata::is_dir)?;
        let mode = meta.mode() & 0o7777;
        (mode & OTHERS != 0).then_some(mode)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Gives a file to the directory's owner, if this process is root and somebody else is.
    fn give(&self, file: &File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (owner, made) = (fs::metadata(&self.path)?, file.metadata()?);
        if owner.uid() == made.uid() || owner.uid() == 0 {
            return Ok(());
        }
        fchown(file, Some(owner.uid()), Some(owner.gid()))
    }

    /// Opens a file for writing; a refusal says whose it is. One that is made is for its user and
    /// group.
    fn write(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let path = self.at(name);
        // A link is not ours: it would have another's file written, or its mode changed.
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let options = options.mode(FILE_MODE).read(true).write(true).custom_flags(flags);
        options.open(&path).map_err(|error| {
            let Some(owner) = fs::metadata(&path).ok().map(|of| of.uid()) else { return error };
            let own = rustix::process::geteuid().as_raw();
            if error.kind() != io::ErrorKind::PermissionDenied || owner == own {
                return error;
            }
            let advice = advice(&self.path, owner, own);
            let (owner, own) = (user_name(owner), user_name(own));
            let whose = format!("it belongs to user {owner}, and this process is user {own}");
            io::Error::new(error.kind(), format!("{error}; {whose}: {advice}"))
        })
    }
}

/// What lets a user `own` write a file of `owner` in a directory.
fn advice(dir: &Path, owner: u32, own: u32) -> String {
    let shown = dir.display();
    match fs::metadata(dir).map(|meta| meta.uid()) {
        // A command of another user has left it there.
        Ok(of_dir) if of_dir == own => {
            format!("`chown --reference={shown} {shown}/*` gives it to the directory's owner")
        }
        _ => format!(
            "run this as its owner, `runuser -u {} -- whoisd ...`, or give the directory to the \
             server's user: `chown -R {} {shown}`",
            user_name(owner),
            user_name(own)
        ),
    }
}

/// The name of a user, or the number where the machine has no name for it.
fn user_name(uid: u32) -> String {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

impl Files for Disk {
    type File = File;
    type Base = Bytes;
    type Log = LogBytes;
    type Lock = Held;

    fn path(&self) -> &Path {
        &self.path
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.path)
    }

    fn lock(&self, name: &str) -> io::Result<Result<Held, Holder>> {
        let mut file = self.write(name, OpenOptions::new().create(true).truncate(false))?;
        self.give(&file)?;
        // Any process that may open it could hold it. Another's file, which this process may write,
        // stays so.
        let _ = file.set_permissions(Permissions::from_mode(LOCK_MODE));
        let held = match Held::try_new(&file) {
            Ok(held) => held,
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The pid is for the message only; without it the message says less.
                let _ = file.read_to_string(&mut pid);
                let pid = Some(pid.trim().to_owned()).filter(|pid| !pid.is_empty());
                return Ok(Err(Holder { pid }));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // Taken away between its opening and its lock, by a command that had made it for nothing.
        let (own, there) = (file.metadata()?, fs::metadata(self.at(name))?);
        if (own.dev(), own.ino()) != (there.dev(), there.ino()) {
            return Err(io::Error::other("it was replaced meanwhile; try again"));
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Ok(held))
    }

    fn is_locked_by(&self, name: &str, lock: &Held) -> io::Result<bool> {
        lock.is_of(&self.at(name))
    }

    fn room(&self) -> io::Result<Option<u64>> {
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(Some(system.f_bavail.saturating_mul(system.f_frsize)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string()));
        let names: io::Result<Vec<_>> = names.collect();
        // A name that is not text is not ours.
        Ok(names?.into_iter().flatten().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.at(name))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<File> {
        // A file that has the name, the rest of a crash or a link, is not written through. A folder
        // that keeps it says so below.
        let _ = fs::remove_file(self.at(name));
        let mut file = self.write(name, OpenOptions::new().create_new(true))?;
        self.give(&file)?;
        let zeros = vec![0; ZEROS_BYTES.min(usize::try_from(bytes).unwrap_or(ZEROS_BYTES))];
        let mut left = bytes;
        while left > 0 {
            let piece = usize::try_from(left).unwrap_or(ZEROS_BYTES).min(zeros.len());
            file.write_all(&zeros[..piece])?;
            left -= piece as u64;
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        self.write(name, &mut OpenOptions::new())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn base(&self, name: &str) -> io::Result<Bytes> {
        Bytes::map(&self.at(name))
    }

    fn log(&self, name: &str) -> io::Result<LogBytes> {
        LogBytes::map(&self.at(name))
    }

    fn bytes(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.at(name))?.len())
    }

    fn read_log(&self, log: &LogBytes, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < into.len() {
            let bytes = log.file().read_at(&mut into[read..], at + read as u64)?;
            if bytes == 0 {
                break;
            }
            read += bytes;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let is_root = rustix::process::geteuid().is_root();
        // Only root may give a directory away; elsewhere all of it is the user's.
        let owner = if is_root { 65_534 } else { rustix::process::geteuid().as_raw() };
        if is_root {
            chown(folder.path(), Some(owner), Some(owner)).unwrap();
        }
        let disk = Disk::new(folder.path());
        let _lock = disk.lock("LOCK").unwrap().unwrap();
        disk.create("base", 10).unwrap();
        disk.open("base").unwrap();
        let other = folder.path().join("other");
        std::os::unix::fs::symlink(&other, folder.path().join("linked")).unwrap();
        assert!(disk.open("linked").is_err());
        disk.create("linked", 0).unwrap();
        assert!(!other.exists(), "a link of that name is not followed");
        for name in ["LOCK", "base"] {
            assert_eq!(fs::metadata(folder.path().join(name)).unwrap().uid(), owner, "{name}");
        }
    }

    #[test]
    fn what_is_made_is_for_its_user_and_group_and_the_lock_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        let disk = Disk::new(&path);
        disk.make().unwrap();
        fs::write(path.join("LOCK"), "").unwrap();
        fs::set_permissions(path.join("LOCK"), Permissions::from_mode(0o644)).unwrap();
        let _lock = disk.lock("LOCK").unwrap().unwrap();
        disk.create("base", 10).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let modes = [path.clone(), path.join("base"), path.join("LOCK")].map(|path| mode(&path));
        assert_eq!(modes.map(|mode| mode & 0o027), [0; 3], "{modes:?}");
        assert_eq!(modes[2], 0o600);
        assert_eq!(disk.open_to_all(), None);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(disk.open_to_all(), Some(0o755));
    }

    #[test]
    fn advice_is_for_the_user_who_can_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let of_dir = fs::metadata(folder.path()).unwrap().uid();
        let said = advice(folder.path(), of_dir + 7, of_dir);
        assert!(said.contains("chown --reference="), "{said}");
        // The directory's owner has the file already: there is nothing to give to it.
        let said = advice(folder.path(), of_dir, of_dir + 7);
        assert!(said.contains("runuser -u") && !said.contains("--reference"), "{said}");
        assert_eq!((user_name(0).as_str(), user_name(u32::MAX)), ("root", u32::MAX.to_string()));
    }
}
