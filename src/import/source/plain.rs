//! Opens files that others put somewhere: nothing that leads elsewhere, and nothing that waits.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// What may stand at a path that is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Follow {
    /// Whatever the operator named.
    #[default]
    Any,
    /// A file itself: others may write where it lies, and may not choose what else is read.
    Files,
}

impl Follow {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or is what may not stand there.
    pub fn open(self, path: &Path) -> io::Result<File> {
        match self {
            Self::Any => File::open(path),
            Self::Files => open_plain(path),
        }
    }

    /// What stands at a path.
    pub(super) fn metadata(self, path: &Path) -> io::Result<Metadata> {
        match self {
            Self::Any => std::fs::metadata(path),
            Self::Files => path.symlink_metadata(),
        }
    }
}

/// Opens a regular file, and nothing else: no link is followed, no pipe or device waited for.
///
/// # Errors
///
/// It is something else, or cannot be opened.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let strange = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // What opening a link says.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return strange("it is a symbolic link, expected the file itself");
        }
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return strange("it is a pipe, a socket or a device, expected a file");
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_and_nothing_that_leads_elsewhere_or_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(open_plain(&at("file")).is_ok() && Follow::Any.open(&at("link")).is_ok());
        for (name, what) in [("link", "symbolic link"), ("pipe", "a pipe, a socket or a device")] {
            let refused = Follow::Files.open(&at(name)).unwrap_err().to_string();
            assert!(refused.contains(what), "{name}: {refused}");
        }
    }
}
