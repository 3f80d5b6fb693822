//! The file of `--report`: every finding of a deposit, one JSON object a line.
//!
//! # Invariants
//!
//! - `whole`: a report is written aside and renamed at its end; the last one stays until then.
//! - `nothing else`: a report is none of the files that are read, and in no snapshot directory.
//!
//! # Does not
//!
//! Write findings: whoever finds them does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::{Failure, overwriting};

/// Refuses a report in the place of what is read or written besides: the deposits, the CSV files
/// beside them, which their XML names, and the files of snapshot directories.
pub(super) fn check_report(report: &Path, deposits: &[PathBuf], dir: &Path) -> Result<(), Failure> {
    let folders = deposits.iter().filter_map(|deposit| deposit.parent());
    let beside = folders.filter_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::read_dir(folder).ok()
    });
    let is_csv = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        name.ends_with(".csv") || name.ends_with(".csv.gz")
    };
    let beside = beside.flatten().flatten().map(|entry| entry.path()).filter(is_csv);
    let inputs: Vec<_> = deposits.iter().cloned().chain(beside).collect();
    overwriting::check("--report", report, &inputs, &[dir])
}

/// A report: written aside and renamed at its end, so that the last one stays until then. What is
/// no file, or a link, is written into: it is to stay what it is.
pub(super) struct ReportFile {
    path: PathBuf,
    aside: Option<TempPath>,
    pub(super) file: BufWriter<File>,
}

impl ReportFile {
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            let path = path.display();
            return Err(Failure::failed(format!("{path}: is a directory; --report names a file")));
        }
        let said = |error: io::Error| {
            Failure::failed(format!("{}: cannot write the report: {error}", path.display()))
        };
        if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
            let file = BufWriter::new(file.map_err(said)?);
            return Ok(Self { path: path.to_owned(), aside: None, file });
        }
        let here = Path::new(".");
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let aside = NamedTempFile::new_in(parent.unwrap_or(here)).map_err(said)?;
        let (file, aside) = aside.into_parts();
        Ok(Self { path: path.to_owned(), aside: Some(aside), file: BufWriter::new(file) })
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        let said = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("{}: cannot write the report: {error}", self.path.display()))
        };
        let file = self.file.into_inner().map_err(|error| said(&error))?;
        if let Some(aside) = self.aside {
            readable(&file);
            aside.persist(&self.path).map_err(|error| said(&error.error))?;
        }
        Ok(())
    }
}

/// Temporary files are for their owner alone; a report is for its group as well. It names objects
/// of the registry.
fn readable(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    // A report that only its owner may read is still a report.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o640));
}
