//! The files that a run writes its result to: tried before the run, so that no run of hours is lost
//! for a folder that is not there.
//!
//! # Invariants
//!
//! - `nothing lost`: a trial leaves the file as it is, and so does a result that is not written to
//!   its end (`aside`). A file that a run reads is refused.
//!
//! # Does not
//!
//! Make results.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Failure, aside};

/// Where a result goes besides standard output.
#[derive(Debug)]
pub(super) struct Outputs<'a> {
    json: Option<&'a Path>,
    html: Option<&'a Path>,
}

impl<'a> Outputs<'a> {
    /// The files that options name, each of which can be written; `inputs` are read.
    pub(super) fn tried(
        json: Option<&'a Path>,
        html: Option<&'a Path>,
        inputs: &[&Path],
    ) -> Result<Self, Failure> {
        for (option, path) in [("--json", json), ("--html", html)] {
            let Some(path) = path else { continue };
            let at = |problem: String| format!("{option}: {}: {problem}", path.display());
            if let Some(input) = inputs.iter().find(|input| is_or_holds(input, path)) {
                let problem = format!("is read as {}; name another file", input.display());
                return Err(Failure::Usage(at(problem)));
            }
            aside::try_out(path).map_err(|error| Failure::Failed(at(error.to_string())))?;
        }
        match (json, html) {
            (Some(json), Some(html)) if place(json) == place(html) => {
                let problem = "--html: is the file of --json; name another file".to_owned();
                Err(Failure::Usage(problem))
            }
            _ => Ok(Self { json, html }),
        }
    }

    /// Writes a result to each of them; one that fails does not keep the other from being written.
    pub(super) fn write(
        &self,
        value: &impl serde::Serialize,
        html: impl FnOnce() -> String,
    ) -> Result<(), String> {
        let json = self.json.map_or(Ok(()), |path| {
            let text = serde_json::to_string_pretty(value);
            write(path, &(text.map_err(|error| format!("JSON: {error}"))? + "\n"))
        });
        let html = self.html.map_or(Ok(()), |path| write(path, &html()));
        json.and(html)
    }
}

/// Whether `path` is the file `input`, or lies in the directory `input`.
pub(super) fn is_or_holds(input: &Path, path: &Path) -> bool {
    let Ok(of) = fs::metadata(input) else { return false };
    if !of.is_dir() {
        return fs::metadata(path).is_ok_and(|at| (at.dev(), at.ino()) == (of.dev(), of.ino()));
    }
    let whole = place(path);
    input.canonicalize().is_ok_and(|dir| whole.starts_with(dir))
}

/// The path without links, as far as it is there.
fn place(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = whole.canonicalize() {
        return real;
    }
    match (whole.parent().map(Path::canonicalize), whole.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => whole,
    }
}

/// Writes a result; the message names the file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    aside::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_or_is_read_is_refused_before_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("names.txt"), "example.demo\n").unwrap();
        fs::write(at("old.json"), "{}").unwrap();
        fs::create_dir(at("registry")).unwrap();
        let (names, registry) = (at("names.txt"), at("registry"));
        let inputs = [names.as_path(), registry.as_path()];
        let tried = |json: &str, html: &str| {
            let (json, html) = (at(json), at(html));
            Outputs::tried(Some(&json), Some(&html), &inputs).map(drop)
        };
        for (json, html) in [
            ("names.txt", "run.html"),
            ("run.json", "names.txt"),
            ("registry/MANIFEST", "run.html"),
            ("run.json", "run.json"),
        ] {
            assert!(matches!(tried(json, html), Err(Failure::Usage(_))), "{json} {html}");
        }
        for (json, html) in [("none/run.json", "run.html"), ("run.json", "old.json/run.html")] {
            assert!(matches!(tried(json, html), Err(Failure::Failed(_))), "{json} {html}");
        }
        tried("old.json", "run.html").unwrap();
        assert_eq!(fs::read_to_string(at("old.json")).unwrap(), "{}");
        assert!(!at("run.html").exists() && !at("run.json").exists());
    }

    #[test]
    fn a_file_that_fails_keeps_no_other_from_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let (json, html) = (folder.path().join("none/a.json"), folder.path().join("a.html"));
        let outputs = Outputs { json: Some(&json), html: Some(&html) };
        let error = outputs.write(&1, || "<p>".to_owned()).unwrap_err();
        assert!(error.contains("a.json"), "{error}");
        assert_eq!(fs::read_to_string(&html).unwrap(), "<p>");
    }
}
