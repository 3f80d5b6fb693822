//! Files that are written aside and get their names once they are whole.
//!
//! # Invariants
//!
//! - `whole`: its name leads to the old file or the new one, whatever ends the process.
//! - `own-mode`: what is written is a new file for its user and group; the mode of the one before
//!   does not count.
//! - `no-detour`: a link that a user names is resolved, and stays; one in a folder of ours is
//!   replaced, and never followed.
//!
//! # Does not
//!
//! Sync, unless it says so: a result that a crash takes away is made again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// Permissions of a file: it may have data of people.
const FILE_MODE: u32 = 0o640;
/// Links that are followed from one to the next; the kernel follows as many.
const LINKS_MAX: usize = 40;
/// Descriptors of processes are links below it, and so are `/dev/stdout` and `/dev/fd`.
const PROCESSES: &str = "/proc";

/// A file that is being written. Dropped before [`Self::keep`], it leaves what was there.
#[derive(Debug)]
pub struct Aside {
    file: File,
    /// Where it lies until it is whole, and the name that it gets; `None` for what stays what it
    /// is, such as a pipe or a device.
    until: Option<(TempPath, PathBuf)>,
}

impl Aside {
    /// For a path that a user names. A link leads to the file that is replaced; pipes, devices and
    /// open descriptors (`/dev/stdout`) are written to as they are.
    ///
    /// # Errors
    ///
    /// Nothing is where a link leads, or no file can be made beside the real one.
    pub fn of_user(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() || is_descriptor(path) => {
                Ok(Self { file: as_it_is(path, there.is_file())?, until: None })
            }
            Ok(_) => Self::in_folder(&path.canonicalize()?),
            Err(error) if error.kind() == ErrorKind::NotFound => match dangling(path) {
                Some(to) => Err(io::Error::new(ErrorKind::NotFound, nothing_at(&to))),
                None => Self::in_folder(path),
            },
            Err(error) => Err(error),
        }
    }

    /// For a name of ours in a folder: anything of that name is replaced, a link as well.
    ///
    /// # Errors
    ///
    /// No file can be made in the folder.
    pub fn in_folder(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        let made = tempfile::Builder::new()
            .prefix(".whoisd-")
            .suffix(".new")
            .permissions(Permissions::from_mode(FILE_MODE))
            .tempfile_in(folder);
        let (file, aside) = made.map_err(|error| unmade(folder, &error))?.into_parts();
        Ok(Self { file, until: Some((aside, path.to_owned())) })
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// It cannot be renamed; what was there stays.
    pub fn keep(self) -> io::Result<()> {
        let Some((aside, path)) = self.until else { return Ok(()) };
        aside.persist(path).map_err(|error| error.error)
    }
}

/// Replaces the file `name` of a folder of ours by way of `aside`, a name that nobody else uses.
/// Anything of that name, the rest of a crash or a link, is removed first. `is_synced` waits for
/// the disk.
///
/// # Errors
///
/// The disk refuses; the old file is there then.
pub fn replace(aside: &Path, path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<()> {
    let mut file = create(aside)?;
    file.write_all(bytes)?;
    if is_synced {
        file.sync_all()?;
    }
    fs::rename(aside, path)
}

/// Makes a file in a folder of ours. Anything of its name, the rest of a crash or a link, is
/// removed first. A file that root makes belongs to the folder's owner, which has to read it.
///
/// # Errors
///
/// The folder refuses.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    if rustix::process::geteuid().is_root() {
        let folder = fs::metadata(folder_of(path))?;
        fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(file)
}

/// The folder in which a path lies.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Where a link leads at whose end nothing is.
#[must_use]
pub fn dangling(path: &Path) -> Option<PathBuf> {
    let to = fs::read_link(path).ok()?;
    let gone = fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    gone.then_some(to)
}

/// What is wrong with a link that leads to `to`.
#[must_use]
pub fn nothing_at(to: &Path) -> String {
    format!("is a link to {:?}, which does not exist", to.display().to_string())
}

fn unmade(folder: &Path, error: &io::Error) -> io::Error {
    let kind = error.kind();
    if !folder.is_dir() {
        let what = format!("its folder {} is not there; make it first", folder.display());
        return io::Error::new(kind, what);
    }
    // The path that it names has a name made at random, which says nothing.
    let text = error.to_string();
    let cause = text.split_once(" at path ").map_or(&*text, |(cause, _)| cause);
    let folder = folder.display();
    io::Error::new(kind, format!("{cause}, where it is written aside: in {folder}"))
}

/// Whether a path leads through an open descriptor: the file behind it is not ours.
fn is_descriptor(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(folder) = folder_of(&at).canonicalize() else { return false };
        if folder.starts_with(PROCESSES) {
            return true;
        }
        match fs::read_link(&at) {
            Ok(to) => at = folder.join(to),
            Err(_) => return false,
        }
    }
    false
}

/// Opens a file that stays in its place. A file that a descriptor leads to is appended to, by this
/// process's own descriptor if it is one, so that neither overwrites the other.
fn as_it_is(path: &Path, is_file: bool) -> io::Result<File> {
    if !is_file {
        return OpenOptions::new().write(true).open(path);
    }
    let there = fs::metadata(path)?;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    for own in [stdout.as_fd(), stderr.as_fd()] {
        let own = duplicate(own)?;
        let is_it = |meta: fs::Metadata| (meta.dev(), meta.ino()) == (there.dev(), there.ino());
        if own.metadata().is_ok_and(is_it) {
            return Ok(own);
        }
    }
    OpenOptions::new().append(true).open(path)
}

fn duplicate(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    fn write(aside: io::Result<Aside>, text: &str) {
        let aside = aside.unwrap();
        aside.file().write_all(text.as_bytes()).unwrap();
        aside.keep().unwrap();
    }

    /// A folder with an open file, another name of it, and links to it.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("other")).unwrap();
        fs::write(at("other/file"), "old").unwrap();
        fs::set_permissions(at("other/file"), Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(at("other/file"), at("before")).unwrap();
        symlink("other/file", at("link")).unwrap();
        symlink("link", at("link-to-link")).unwrap();
        symlink("other/nothing", at("dangling")).unwrap();
        symlink("turns", at("turns")).unwrap();
        folder
    }

    #[test]
    fn a_link_of_a_user_stays_and_its_file_is_replaced_with_a_mode_of_its_own() {
        for name in ["link", "link-to-link", "other/file"] {
            let folder = folder();
            let at = |name: &str| folder.path().join(name);
            let aside = Aside::of_user(&at(name)).unwrap();
            aside.file().write_all(b"half").unwrap();
            drop(aside);
            assert_eq!(fs::read(at("other/file")).unwrap(), b"old", "{name}: given up");
            write(Aside::of_user(&at(name)), "new");
            assert_eq!(fs::read(at("other/file")).unwrap(), b"new", "{name}");
            assert_eq!(mode(&at("other/file")) & 0o027, 0, "{name}");
            assert_eq!(fs::read(at("before")).unwrap(), b"old", "{name}: written in place");
            assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink(), "{name}");
            assert_eq!(fs::read_dir(at("other")).unwrap().count(), 1, "{name}: rests");
        }
    }

    #[test]
    fn a_link_that_leads_to_nothing_is_refused_in_words() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let error = Aside::of_user(&at("dangling")).unwrap_err().to_string();
        assert_eq!(error, "is a link to \"other/nothing\", which does not exist");
        assert!(!at("other/nothing").exists());
        assert!(Aside::of_user(&at("turns")).is_err());
        assert!(Aside::of_user(&at("other")).is_err(), "a folder");
        let error = Aside::of_user(&at("none/file")).unwrap_err().to_string();
        assert!(error.contains("none is not there; make it first"), "{error}");
    }

    #[test]
    fn a_link_in_a_folder_of_ours_is_replaced_and_never_followed() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        write(Aside::in_folder(&at("link")), "new");
        assert_eq!(fs::read(at("link")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_file());
        replace(&at("dangling"), &at("target"), b"new", true).unwrap();
        assert_eq!(fs::read(at("target")).unwrap(), b"new");
        assert_eq!(mode(&at("target")) & 0o027, 0);
        symlink("other/file", at("aside")).unwrap();
        replace(&at("aside"), &at("target"), b"newer", false).unwrap();
        assert_eq!(fs::read(at("target")).unwrap(), b"newer");
        assert_eq!(fs::read(at("other/file")).unwrap(), b"old");
        assert!(!at("other/nothing").exists());
    }

    #[test]
    fn what_is_no_file_is_written_to_as_it_is() {
        write(Aside::of_user(Path::new("/dev/null")), "x");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let folder = folder();
        let open = OpenOptions::new().append(true).open(folder.path().join("before")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        write(Aside::of_user(&PathBuf::from(format!("/dev/fd/{number}"))), "+new");
        assert_eq!(fs::read(folder.path().join("before")).unwrap(), b"old+new");
    }
}
