//! Outputs that would destroy what a command reads, or what a snapshot directory is made of: wrong
//! usage, and reported before anything is done.
//!
//! # Does not
//!
//! Ask whether a file may be replaced that is neither: an output replaces the one of the last run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::aside;
use crate::serving::updating::SPOOL;
use crate::store::{MANIFEST, read_manifest};
use crate::view::Disk;

/// Refuses the file `path` that `option` names as an output if it is one of `inputs`, a link that
/// leads to nothing, or lies in a snapshot directory: one that is there, or one of `dirs`, which
/// this command makes.
pub(super) fn check(
    option: &str,
    path: &Path,
    inputs: &[PathBuf],
    dirs: &[&Path],
) -> Result<(), Failure> {
    let wrong = |problem: String| {
        let message = format!("{option}: {}: {problem}; name another file", path.display());
        Err(Failure { status: 2, message })
    };
    if let Some(input) = inputs.iter().find(|input| are_one(input, path)) {
        return wrong(format!("is the file that is read, {}", input.display()));
    }
    if let Some(to) = aside::dangling(path) {
        return wrong(aside::nothing_at(&to));
    }
    match snapshot_directory(path, dirs) {
        Some(dir) => wrong(format!("lies in the snapshot directory {}", dir.display())),
        None => Ok(()),
    }
}

/// Refuses the directory `path` that `option` names as a place for outputs if it is a snapshot
/// directory, or lies in one.
pub(super) fn check_directory(option: &str, path: &Path, dirs: &[&Path]) -> Result<(), Failure> {
    let Some(dir) = snapshot_directory(&path.join("file"), dirs) else { return Ok(()) };
    let message = format!(
        "{option}: {}: is the snapshot directory {}, or lies in it; name another directory",
        path.display(),
        dir.display()
    );
    Err(Failure { status: 2, message })
}

/// Refuses the directory `path` that `option` names as a place for batches if it is a snapshot
/// directory, or lies in one: nobody looks for batches there but in its spool.
pub(super) fn check_batches(option: &str, path: &Path) -> Result<(), Failure> {
    let Some(dir) = snapshot_directory(&path.join("file"), &[]) else { return Ok(()) };
    let spool = dir.join(SPOOL);
    if real(&absolute(path)) == spool {
        return Ok(());
    }
    let message = format!(
        "{option}: {}: is the snapshot directory {}, or lies in it, and batches are taken from its \
         spool alone; name {}, or another directory",
        path.display(),
        dir.display(),
        spool.display()
    );
    Err(Failure { status: 2, message })
}

/// Whether both paths lead to one file.
fn are_one(one: &Path, other: &Path) -> bool {
    let place = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

/// The snapshot directory that a file lies in, or would lie in: under its own name, and under the
/// one that a link leads to.
fn snapshot_directory(path: &Path, dirs: &[&Path]) -> Option<PathBuf> {
    let dirs: Vec<_> = dirs.iter().map(|dir| real(&absolute(dir))).collect();
    let own = absolute(path);
    let folders = [own.parent().map(real), real(&own).parent().map(Path::to_owned)];
    folders.into_iter().flatten().find_map(|folder| {
        let mut around = folder.ancestors();
        around.find(|dir| dirs.iter().any(|one| one == dir) || is_one(dir)).map(Path::to_owned)
    })
}

/// Whether a snapshot is kept there. A manifest that does not read may be ours, damaged.
fn is_one(dir: &Path) -> bool {
    dir.join(MANIFEST).is_file()
        && (dir.join("LOCK").exists() || matches!(read_manifest(&Disk::new(dir)), Ok(Some(_))))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|known| Some((known, known.canonicalize().ok()?)));
    let Some((known, real)) = known else { return path.to_owned() };
    match path.strip_prefix(known) {
        Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
        _ => real,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_output_is_an_input_or_a_part_of_a_snapshot_directory() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("registry/spool")).unwrap();
        for name in ["registry/MANIFEST", "registry/LOCK", "deposit.xml", "old.jsonl"] {
            fs::write(at(name), "").unwrap();
        }
        symlink(at("deposit.xml"), at("link")).unwrap();
        symlink(at("registry/MANIFEST"), at("manifest")).unwrap();
        symlink(at("registry"), at("folder")).unwrap();
        symlink(at("registry/none"), at("dangling")).unwrap();
        fs::hard_link(at("deposit.xml"), at("other-name")).unwrap();
        let said = |path: &str| {
            let checked = check("--report", &at(path), &[at("deposit.xml")], &[&at("new")]);
            checked.map_err(|failure| (failure.status, failure.message))
        };
        for (path, expected) in [
            ("deposit.xml", "is the file that is read"),
            ("link", "is the file that is read"),
            ("other-name", "is the file that is read"),
            ("registry/MANIFEST", "lies in the snapshot directory"),
            ("registry/report.jsonl", "lies in the snapshot directory"),
            ("registry/spool/report.jsonl", "lies in the snapshot directory"),
            ("folder/report.jsonl", "lies in the snapshot directory"),
            ("manifest", "lies in the snapshot directory"),
            ("new/report.jsonl", "lies in the snapshot directory"),
            ("dangling", "registry/none\", which does not exist; name another file"),
        ] {
            let (status, message) = said(path).unwrap_err();
            assert!(status == 2 && message.contains(expected), "{path}: {message}");
        }
        for path in ["old.jsonl", "report.jsonl", "newer/report.jsonl"] {
            assert_eq!(said(path), Ok(()), "{path}");
        }
        for place in ["registry", "folder", "registry/none", "registry/spool/done"] {
            let failure = check_batches("--to", &at(place)).unwrap_err();
            assert!(failure.status == 2 && failure.message.contains("registry/spool"), "{place}");
        }
        for place in ["registry/spool", "folder/spool", "elsewhere"] {
            assert!(check_batches("--to", &at(place)).is_ok(), "{place}");
        }
        assert!(check_directory("--rde-csv", &at("registry"), &[]).is_err());
        assert!(check_directory("--rde-csv", &at("csv"), &[]).is_ok());
    }
}
