//! Files that commands write: whole or not at all, closed to others, and through no link of others.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use snapshot_format::object::{Contact, IdnTable, Nameserver, Nndn, Registrar};
use whoisd::export::csv;
use whoisd::export::{Repository, Source, Visit, VisitDomain};

fn run(folder: &Path, arguments: &str) -> Output {
    let arguments = arguments.split(' ');
    Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, arguments: &str) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
}

fn is_closed(path: &Path) -> bool {
    fs::metadata(path).unwrap().mode() & 0o027 == 0
}

/// A folder with a registry, and a deposit of it.
fn registry() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), "sample --domains 100 --tld demo --into registry --rde-xml deposit.xml");
    folder
}

/// The commands that write a file which a user names; the name follows them.
const OF_USER: [&str; 3] = [
    "export registry --quiet --rde-xml",
    "sample --domains 100 --quiet --rde-xml",
    "import deposit.xml --into other --replace --report",
];

#[test]
fn a_file_behind_a_link_is_replaced_whole_and_closed_to_others() {
    let folder = registry();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    for command in OF_USER {
        fs::write(at("real/out"), "old").unwrap();
        fs::set_permissions(at("real/out"), Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(at("real/out"), at("before")).unwrap();
        symlink("real/out", at("link")).unwrap();
        good(folder.path(), &format!("{command} link"));
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink(), "{command}");
        assert!(is_closed(&at("real/out")), "{command}");
        assert_ne!(fs::read(at("real/out")).unwrap(), b"old", "{command}");
        assert_eq!(fs::read(at("before")).unwrap(), b"old", "{command}: written in place");
        assert_eq!(fs::read_dir(at("real")).unwrap().count(), 1, "{command}: rests");
        for name in ["before", "link"] {
            fs::remove_file(at(name)).unwrap();
        }
    }
}

#[test]
fn a_link_that_leads_to_nothing_is_wrong_usage_before_anything_is_done() {
    let folder = registry();
    let at = |name: &str| folder.path().join(name);
    for (index, to) in ["nothing", "registry/nothing"].into_iter().enumerate() {
        let link = format!("dangling-{index}");
        symlink(to, at(&link)).unwrap();
        for command in OF_USER {
            let output = run(folder.path(), &format!("{command} {link}"));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{command}: {said}");
            let expected = format!("is a link to {to:?}, which does not exist");
            assert!(said.contains(&expected), "{command}: {said}");
            assert!(!at(to).exists() && !at("other").exists(), "{command}");
        }
    }
}

#[test]
fn pipes_and_descriptors_are_written_to_as_they_are() {
    let folder = registry();
    let at = |name: &str| folder.path().join(name);
    for command in OF_USER {
        let fifo = at("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let program = env!("CARGO_BIN_EXE_whoisd");
        let arguments = format!("{command} fifo");
        let child = Command::new(program)
            .args(arguments.split(' '))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let mut read = String::new();
        fs::File::open(&fifo).unwrap().read_to_string(&mut read).unwrap();
        assert!(child.unwrap().wait().unwrap().success(), "{command}");
        assert!(!fs::symlink_metadata(&fifo).unwrap().is_file(), "{command}");
        assert!(command.contains("--report") || read.contains("</rde:deposit>"), "{command}");
        fs::remove_file(&fifo).unwrap();
        // The shell's file is appended to, and is not replaced.
        let line = format!("echo before >out; {program} {command} /dev/stdout >>out");
        let done = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output();
        assert!(done.unwrap().status.success(), "{command}");
        let text = fs::read_to_string(at("out")).unwrap();
        assert!(text.starts_with("before\n") && text.len() > 100, "{command}: {text:.100}");
        assert!(command.contains("--report") || text.ends_with("</rde:deposit>\n"), "{command}");
    }
}

#[test]
fn a_folder_of_csv_files_has_no_old_mode_and_no_link_leads_out_of_it() {
    let folder = registry();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/x"), "theirs").unwrap();
    for (index, command) in ["export registry", "sample --domains 100"].into_iter().enumerate() {
        let name = format!("csv-{index}");
        let command = format!("{command} --quiet --rde-csv {name}");
        good(folder.path(), &command);
        let files = || -> Vec<PathBuf> {
            fs::read_dir(at(&name)).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        let names = files();
        for (index, path) in names.iter().enumerate() {
            if index.is_multiple_of(2) {
                fs::remove_file(path).unwrap();
                symlink("../elsewhere/x", path).unwrap();
            } else {
                fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
            }
        }
        good(folder.path(), &command);
        assert_eq!(fs::read(at("elsewhere/x")).unwrap(), b"theirs", "{command}");
        for path in files() {
            let is_file = fs::symlink_metadata(&path).unwrap().is_file();
            assert!(is_file && is_closed(&path), "{command}: {path:?}");
        }
        assert_eq!(files().len(), names.len(), "{command}: rests");
        // A folder for a deposit of one file is one of ours as well.
        let xml = format!("xml-{index}");
        let command = command.replace("--rde-csv csv-", "--rde-xml xml-");
        fs::create_dir(at(&xml)).unwrap();
        good(folder.path(), &command);
        let made = fs::read_dir(at(&xml)).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(&made).unwrap();
        symlink("../elsewhere/x", &made).unwrap();
        good(folder.path(), &command);
        assert_eq!(fs::read(at("elsewhere/x")).unwrap(), b"theirs", "{command}");
        assert!(fs::symlink_metadata(&made).unwrap().is_file(), "{command}");
    }
}

/// A registry of no objects, whose contacts cannot be read.
struct Failing {
    fails: bool,
}

impl Source for Failing {
    fn repository(&mut self) -> io::Result<Repository> {
        Ok(Repository { suffixes: vec!["demo".to_owned()], ..Repository::default() })
    }
    fn registrars(&mut self, _: Visit<'_, Registrar>) -> io::Result<()> {
        Ok(())
    }
    fn idn_tables(&mut self, _: Visit<'_, IdnTable>) -> io::Result<()> {
        Ok(())
    }
    fn contacts(&mut self, _: Visit<'_, Contact>) -> io::Result<()> {
        if self.fails { Err(io::Error::other("interrupted")) } else { Ok(()) }
    }
    fn nameservers(&mut self, _: Visit<'_, Nameserver>) -> io::Result<()> {
        Ok(())
    }
    fn nndns(&mut self, _: Visit<'_, Nndn>) -> io::Result<()> {
        Ok(())
    }
    fn domains(&mut self, _: VisitDomain<'_>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_folder_of_csv_files_stays_as_it_was_until_all_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let options = csv::Options::default();
    csv::write(&mut Failing { fails: false }, folder.path(), options).unwrap();
    let inodes = || -> Vec<_> {
        let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        let mut all: Vec<_> =
            entries.map(|e| (e.file_name(), e.metadata().unwrap().ino())).collect();
        all.sort_unstable();
        all
    };
    let before = inodes();
    csv::write(&mut Failing { fails: true }, folder.path(), options).unwrap_err();
    assert!(before.len() > 10 && inodes() == before);
}

#[test]
fn no_path_in_a_message_commands_the_readers_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let escape = "\u{1b}[31m";
    for arguments in [
        vec!["import", "aEb.xml", "--into", "e"],
        vec!["lookup", "--dir", "aEb", "x.demo"],
        vec!["verify", "aEb"],
        vec!["export", "aEb", "--rde-xml", "x"],
        vec!["publish-snapshot", "--dir", "aEb", "--to", "x"],
    ] {
        let arguments: Vec<_> = arguments.iter().map(|one| one.replace('E', escape)).collect();
        let program = env!("CARGO_BIN_EXE_whoisd");
        let output =
            Command::new(program).args(&arguments).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.is_empty(), "{arguments:?}");
        assert!(!said.contains('\u{1b}') && said.contains("a\\u{1b}[31mb"), "{said}");
    }
}
