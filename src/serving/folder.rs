//! Whether a process may write into a folder, found out without writing.
//!
//! # Does not
//!
//! Make anything: a check may run as another user, or beside the server.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Access, access, statfs};

use crate::aside;

/// Whether this user may write into a directory, or make it.
///
/// # Errors
///
/// Why not.
pub fn may_write_into(dir: &Path) -> Result<(), String> {
    let mut place = dir;
    while let Err(error) = fs::metadata(place) {
        if let Some(to) = aside::dangling(place) {
            return Err(format!(
                "{}: leads to {}, which is not there",
                place.display(),
                to.display()
            ));
        }
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
            return Err(format!("{}: {error}", place.display()));
        }
        place = match place.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(format!("{}: cannot be made", dir.display())),
        };
    }
    if !place.is_dir() {
        return Err(format!("{}: is not a directory", place.display()));
    }
    let kind = statfs(place).map_or(0, |system| u32::try_from(system.f_type).unwrap_or(0));
    if let Some((_, name)) = OF_KERNEL.iter().find(|(of_kernel, _)| *of_kernel == kind) {
        return Err(format!(
            "{}: is in {name}, a file system of the kernel, where nothing can be made; name \
             another directory",
            dir.display()
        ));
    }
    access(place, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{}: this user may not write there: {error}", place.display()))
}

/// File systems in which the kernel shows something, and nobody makes files: permissions there mean
/// nothing.
const OF_KERNEL: [(u32, &str); 8] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0x0027_e0eb, "cgroup"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0x1cd1, "devpts"),
];
