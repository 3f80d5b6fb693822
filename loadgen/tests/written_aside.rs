//! Files of results are written whole or not at all, where their links lead; descriptors are
//! written as they are.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_whois-loadgen");
const RESULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/run.json");

/// Shows the result as HTML in `out`, in a folder.
fn report(folder: &Path, out: &str) -> Output {
    let arguments = ["report", RESULT, "--html", out];
    Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn a_page_replaces_the_file_at_the_end_of_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("page"), "old").unwrap();
    fs::hard_link(at("page"), at("before")).unwrap();
    symlink("page", at("link")).unwrap();
    let output = report(folder.path(), "link");
    assert!(output.status.success(), "{output:?}");
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert!(fs::read_to_string(at("page")).unwrap().ends_with("</html>\n"));
    assert_eq!(fs::read(at("before")).unwrap(), b"old", "written in place");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "leftovers");
}

#[test]
fn a_link_to_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    symlink("nothing", folder.path().join("link")).unwrap();
    let output = report(folder.path(), "link");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("link: is a link to \"nothing\", which does not exist"), "{error}");
    assert!(!folder.path().join("nothing").exists());
}

#[test]
fn pipes_and_descriptors_are_written_to_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let arguments = ["report", RESULT, "--html", "fifo"];
    let mut program = Command::new(PROGRAM);
    let mut child =
        program.args(arguments).current_dir(folder.path()).stdout(Stdio::null()).spawn().unwrap();
    let mut page = String::new();
    fs::File::open(&fifo).unwrap().read_to_string(&mut page).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(page.ends_with("</html>\n") && !fs::symlink_metadata(&fifo).unwrap().is_file());

    // The shell's descriptor goes on after what was there, and the file is not replaced.
    for redirection in [">", ">>"] {
        let line = format!(
            "{{ echo before; {PROGRAM} report {RESULT} --html /dev/stdout; }} {redirection}out"
        );
        let output = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output();
        assert!(output.unwrap().status.success(), "{redirection}");
        let text = fs::read_to_string(folder.path().join("out")).unwrap();
        assert!(text.starts_with("before\n"), "{redirection}: {text:.100}");
        assert!(text.ends_with(&page), "{redirection}: {text:.100}");
    }
}
