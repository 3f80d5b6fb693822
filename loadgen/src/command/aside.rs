//! Writes a result beside its file, and gives it the name once it is whole.
//!
//! # Invariants
//!
//! - `whole`: under its name a file is the old one or the new one, whatever ends the process.
//! - `link-stays`: a link is followed, and the file at its end is replaced. A link that leads to
//!   nothing is refused.
//! - `same-mode`: a file that is replaced keeps its permissions. One that may not be written is not
//!   replaced.
//! - `no-detour`: pipes, devices and open descriptors (`/dev/stdout`) are written to as they are.
//!
//! # Does not
//!
//! Sync the folder: after a crash of the machine the old file may be back, and is whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Names that are tried for the file beside; those of other processes have another number.
const NAMES_MAX: u32 = 100;
/// Links that are followed from one to the next; the kernel follows as many.
const LINKS_MAX: usize = 40;
/// Descriptors of processes are links below it, and so are `/dev/stdout` and `/dev/fd`.
const PROCESSES: &str = "/proc";

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    match way(path)? {
        Way::Direct => open(path)?.write_all(text.as_bytes()),
        Way::Beside { path, permissions } => Beside::create(path, permissions)?.keep(text),
    }
}

/// Whether a file can be written, as far as it can be known before; leaves what is there.
pub(super) fn try_out(path: &Path) -> io::Result<()> {
    match way(path)? {
        // The reader of a pipe may take an open and a close for the end.
        Way::Direct => Ok(()),
        Way::Beside { path, permissions } => Beside::create(path, permissions).map(drop),
    }
}

/// How a path is written.
enum Way {
    /// As it is: it is not a file, or it is an open descriptor.
    Direct,
    /// By way of a file beside it.
    Beside {
        /// The path without links.
        path: PathBuf,
        /// Those of the file that is replaced.
        permissions: Option<Permissions>,
    },
}

fn way(path: &Path) -> io::Result<Way> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() || is_descriptor(path) => Ok(Way::Direct),
        Ok(there) => {
            OpenOptions::new().write(true).open(path)?;
            let permissions = Some(there.permissions());
            Ok(Way::Beside { path: path.canonicalize()?, permissions })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(to) => {
                let problem = format!("is a link to {:?}, which does not exist", to.display());
                Err(io::Error::new(ErrorKind::NotFound, problem))
            }
            Err(_) => Ok(Way::Beside { path: path.to_owned(), permissions: None }),
        },
        Err(error) => Err(error),
    }
}

/// A file that does not have its name yet; dropped, it goes.
struct Beside {
    file: File,
    /// Where it is until it is whole.
    aside: PathBuf,
    /// The name that it gets.
    path: PathBuf,
}

impl Beside {
    fn create(path: PathBuf, permissions: Option<Permissions>) -> io::Result<Self> {
        let process = std::process::id();
        let mut last = ErrorKind::AlreadyExists.into();
        for number in 0..NAMES_MAX {
            let aside = path.with_file_name(format!(".whois-loadgen-{process}-{number}.new"));
            match File::create_new(&aside) {
                Ok(file) => {
                    let beside = Self { file, aside, path };
                    if let Some(permissions) = permissions {
                        beside.file.set_permissions(permissions)?;
                    }
                    return Ok(beside);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(unmade(&aside, error)),
            }
        }
        Err(last)
    }

    /// Writes the file and gives it its name.
    fn keep(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.aside, &self.path)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Once it has its name, nothing is left under the other one.
        let _ = fs::remove_file(&self.aside);
    }
}

/// Names the folder that takes no file, since that is not what was asked for.
fn unmade(aside: &Path, error: io::Error) -> io::Error {
    let folder = folder_of(aside);
    if !folder.is_dir() {
        return error;
    }
    let problem = format!("{error}: a new file is written in {} first", folder.display());
    io::Error::new(error.kind(), problem)
}

/// Whether a path leads through an open descriptor, whose file must stay where it is.
fn is_descriptor(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Some(folder) = folder_of(&at).canonicalize().ok() else { return false };
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

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Opens a path that is written as it is. A file that a descriptor leads to is appended to. If it
/// is this process's standard output or error, that is used itself, so that later texts follow.
fn open(path: &Path) -> io::Result<File> {
    let there = fs::metadata(path)?;
    if !there.is_file() {
        return OpenOptions::new().write(true).open(path);
    }
    let (stdout, stderr) = (io::stdout(), io::stderr());
    for own in [stdout.as_fd(), stderr.as_fd()] {
        let own = File::from(own.try_clone_to_owned()?);
        let of = own.metadata()?;
        if (of.dev(), of.ino()) == (there.dev(), there.ino()) {
            return Ok(own);
        }
    }
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder with a file, another name of it, and links.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("other")).unwrap();
        fs::write(at("other/file"), "old").unwrap();
        fs::set_permissions(at("other/file"), Permissions::from_mode(0o604)).unwrap();
        fs::hard_link(at("other/file"), at("before")).unwrap();
        symlink("other/file", at("link")).unwrap();
        symlink("link", at("link-to-link")).unwrap();
        symlink("other/nothing", at("dangling")).unwrap();
        folder
    }

    #[test]
    fn a_file_is_replaced_at_the_end_of_its_links_and_keeps_its_mode() {
        for name in ["other/file", "link", "link-to-link"] {
            let folder = folder();
            let at = |name: &str| folder.path().join(name);
            try_out(&at(name)).unwrap();
            assert_eq!(fs::read(at("other/file")).unwrap(), b"old", "{name}");
            write(&at(name), "new").unwrap();
            assert_eq!(fs::read(at("other/file")).unwrap(), b"new", "{name}");
            assert_eq!(fs::metadata(at("other/file")).unwrap().mode() & 0o777, 0o604, "{name}");
            assert_eq!(fs::read(at("before")).unwrap(), b"old", "{name}: written in place");
            assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink(), "{name}");
            assert_eq!(fs::read_dir(at("other")).unwrap().count(), 1, "{name}: leftovers");
        }
    }

    #[test]
    fn a_file_that_is_given_up_leaves_the_old_one() {
        let folder = folder();
        let path = folder.path().join("other/file");
        let mut beside = Beside::create(path.clone(), None).unwrap();
        beside.file.write_all(b"half").unwrap();
        let second = Beside::create(path.clone(), None).unwrap();
        assert_ne!(beside.aside, second.aside);
        drop((beside, second));
        assert_eq!(fs::read(path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path().join("other")).unwrap().count(), 1);
    }

    #[test]
    fn a_link_to_nothing_and_a_folder_are_refused() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let error = write(&at("dangling"), "new").unwrap_err().to_string();
        assert_eq!(error, "is a link to \"other/nothing\", which does not exist");
        assert!(!at("other/nothing").exists());
        assert!(try_out(&at("other")).is_err() && try_out(&at("none/file")).is_err());
    }

    #[test]
    fn devices_and_descriptors_are_written_to_as_they_are() {
        write(Path::new("/dev/null"), "new").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let folder = folder();
        let file = OpenOptions::new().append(true).open(folder.path().join("before")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        write(Path::new(&format!("/dev/fd/{number}")), "+new").unwrap();
        assert_eq!(fs::read(folder.path().join("other/file")).unwrap(), b"old+new");
    }
}
