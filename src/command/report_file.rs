//! The file of `--report`: every finding of a deposit, one JSON object a line.
//!
//! # Invariants
//!
//! - `whole`: a report gets its name at its end; the last one stays until then.
//! - `nothing else`: a report never replaces a file that is read, and is never in a snapshot
//!   directory.
//!
//! # Does not
//!
//! Write findings: the code that finds them does.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::{Failure, overwriting};
use crate::aside::Aside;

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

/// A report, aside until its end.
pub(super) struct ReportFile {
    path: PathBuf,
    aside: Aside,
    pub(super) file: BufWriter<File>,
}

impl ReportFile {
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            let path = path.display();
            return Err(Failure::failed(format!("{path}: is a directory; --report names a file")));
        }
        let failed = said(path);
        let aside = Aside::of_user(path).map_err(&failed)?;
        let file = BufWriter::new(aside.file().try_clone().map_err(failed)?);
        Ok(Self { path: path.to_owned(), aside, file })
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        let failed = said(&self.path);
        self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        self.aside.keep().map_err(failed)
    }
}

fn said(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::failed(format!("{}: cannot write the report: {error}", path.display()))
}
