//! The messages and exit statuses of commands where an operator meant something else.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod server;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use server::{Server, program};

/// Exit status, standard output, standard error, in a folder.
fn ran(folder: &Path, line: &str) -> (i32, String, String) {
    let output = program().current_dir(folder).args(line.split(' ')).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A folder with a registry `reg`, its deposit `deposit.xml`, an empty folder and a text.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for line in
        ["sample --quiet --domains 100 --into reg", "sample -q --domains 100 --rde-xml deposit.xml"]
    {
        let (status, _, error) = ran(folder.path(), line);
        assert_eq!(status, 0, "{line}: {error}");
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("text"), "hello\n").unwrap();
    folder
}

#[test]
fn a_file_where_a_folder_is_meant_and_the_reverse_is_wrong_usage_before_anything_is_done() {
    let folder = folder();
    let (file, directory) =
        ("it is a file, expected a directory", "it is a directory, expected a file");
    for (line, said) in [
        ("import deposit.xml --into text", file),
        ("import deposit.xml --into new --report empty", directory),
        ("sample --domains 100 --into text", file),
        ("sample --domains 100 --rde-csv text", file),
        ("rollback --dir deposit.xml --to 1", file),
        ("apply empty --dir reg", directory),
        ("apply deposit.xml --dir deposit.xml", file),
        ("fetch-snapshot --from empty --into text", file),
        ("publish-snapshot --dir reg --to out --source a --key empty", directory),
        ("config check empty", directory),
        ("serve --config empty", directory),
        ("lookup --config empty example.demo", directory),
        ("doctor --config empty", directory),
        ("doctor --root text", file),
        ("log summary text", file),
        ("log verify text", file),
        ("key new empty", directory),
        ("reload --config empty", directory),
        ("reload --control text", "it is a file, expected a socket"),
        ("status --control empty", "it is a directory, expected a socket"),
        ("publish --from postgres:///x --bootstrap --into text", file),
    ] {
        let (status, out, error) = ran(folder.path(), line);
        assert_eq!((status, out.as_str()), (2, ""), "{line}: {error}");
        assert!(error.contains(said), "{line}: {error}");
    }
    assert!(!folder.path().join("new").exists() && !folder.path().join("out").exists());
}

#[test]
fn a_doctor_of_nothing_says_so() {
    let folder = folder();
    for root in ["empty", "nothere"] {
        let (status, out, error) = ran(folder.path(), &format!("doctor --root {root}"));
        assert_eq!((status, out.as_str()), (3, ""), "{error}");
        assert!(error.contains("has neither proc nor sys in it"), "{error}");
    }
}

#[test]
fn a_rollback_ends_with_what_its_help_says() {
    let folder = folder();
    let help = ran(folder.path(), "help rollback").1;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (line, status, said) in [
        ("rollback --dir reg --to 1", 0, ""),
        ("rollback --dir reg --to 7", 4, "generation 7 is not kept; there is 1"),
        ("rollback --dir empty --to 1", 3, "no snapshot directory"),
        ("rollback --dir reg", 2, "--to"),
    ] {
        let (got, _, error) = ran(folder.path(), line);
        assert_eq!(got, status, "{line}: {error}");
        assert!(error.contains(said), "{line}: {error}");
        assert!(help.contains(&format!("{status} ")), "{help}");
    }
}

#[test]
fn a_snapshot_cannot_be_fetched_from_where_nothing_is() {
    let folder = folder();
    for from in ["nothere", "file:///nothing/there", "text"] {
        let line = format!("fetch-snapshot --from {from} --into new");
        let (status, _, error) = ran(folder.path(), &line);
        assert_eq!(status, 1, "{error}");
        assert!(error.contains("there is no such directory"), "{error}");
        assert!(!folder.path().join("new").exists(), "nothing is made for it");
    }
    let (status, _, error) = ran(folder.path(), "fetch-snapshot --from empty --into new");
    assert_eq!(status, 1);
    assert!(error.contains("put one there with `whoisd publish-snapshot`"), "{error}");
}

#[test]
fn the_help_of_import_says_that_servers_follow() {
    let (_, help, _) = ran(Path::new("/"), "help import");
    assert!(!help.contains("restarted"), "{help}");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Servers that run on the directory show it as soon as it is there"));
}

#[test]
fn the_version_names_the_commit_and_the_features() {
    let (status, out, _) = ran(Path::new("/"), "--version");
    assert_eq!(status, 0);
    let rest =
        out.strip_prefix(concat!("whoisd ", env!("CARGO_PKG_VERSION"), " (commit ")).unwrap();
    let (commit, features) = rest.trim_end().split_once(", features: ").unwrap();
    let s3 = if cfg!(feature = "s3") { "s3)" } else { "none)" };
    assert_eq!(features, s3, "{out}");
    assert!(!commit.is_empty() && commit.is_ascii(), "{out}");
}

#[test]
fn a_running_server_is_shown_in_five_lines_and_as_json() {
    let folder = folder();
    let list = folder.path().join("list.toml");
    fs::write(&list, "[[entry]]\nprefix = \"192.0.2.0/24\"\naction = \"allow\"\n").unwrap();
    let config = folder.path().join("whoisd.toml");
    let dir = folder.path().join("reg");
    let text = format!(
        "[server]\ndir = {dir:?}\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\n\
         [policy]\nlists = [{list:?}]\n"
    );
    fs::write(&config, text).unwrap();
    let server = Server::start(&["--config", config.to_str().unwrap()]);
    assert!(server.ask("example.demo\r\n").contains("Domain Name"));
    let (status, out, error) = ran(folder.path(), "status --config whoisd.toml");
    assert_eq!(status, 0, "{error}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    let first = format!("process {}: serving, up ", server.process.id());
    assert!(lines[0].contains(&first), "{out}");
    assert!(lines[1].starts_with("data      generation 1, serial 0, "), "{out}");
    assert!(lines[1].ends_with(" old, 100 domains"), "{out}");
    let (status, out, _) = ran(folder.path(), "status --dir reg --json");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &told["state"], &told["queries"]), (0, &"serving".into(), &1.into()));

    // Message and status report a block that a list makes void; the block is kept.
    let (status, out, error) = ran(folder.path(), "block 192.0.2.7 --dir reg");
    assert_eq!((status, out.as_str()), (4, ""), "{error}");
    assert!(
        error.contains("the block changes nothing: ") && error.contains("list.toml:2"),
        "{error}"
    );
    let (status, out, _) = ran(folder.path(), "block 127.0.0.1 --dir reg");
    assert_eq!((status, out.as_str()), (4, ""));
    let (status, out, _) = ran(folder.path(), "block 198.51.100.0/24 --dir reg");
    assert!(status == 0 && out.starts_with("blocked: 198.51.100.0/24"), "{out}");
    let (_, out, _) = ran(folder.path(), "list --dir reg");
    assert!(out.contains("192.0.2.7/32"), "{out}");
    server.stop();
    let (status, _, error) = ran(folder.path(), "status --dir reg");
    assert!(status == 1 && error.contains("no server runs there"), "{error}");
}

/// A directory keeps its owner when root imports into it.
#[test]
fn files_that_root_imports_belong_to_the_owner_of_the_directory() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = folder();
    let dir = folder.path().join("theirs");
    fs::create_dir(&dir).unwrap();
    let own = fs::metadata(&dir).unwrap().uid();
    let owner = if own == 0 { 65_534 } else { own };
    chown(&dir, Some(owner), None).unwrap();
    let (status, _, error) = ran(folder.path(), "import -q deposit.xml --into theirs");
    assert_eq!(status, 0, "{error}");
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), owner, "{:?}", entry.path());
    }
}
