//! Which of the machine's users can read the files that whoisd writes.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]

mod server;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use server::Server;

/// The program with these arguments, in `folder`, under an umask that takes nothing away.
fn open_to_all(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_whoisd");
    command.arg("-c").arg(format!("umask 0; exec {program} {arguments}")).current_dir(folder);
    command
}

fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_below(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn no_command_writes_for_other_users_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "sample --domains 100 --rde-xml deposit.xml",
        "sample --domains 100 --rde-csv csv",
        "import deposit.xml --into registry --report report.jsonl",
        "export registry --rde-xml again.xml --rde-csv again",
        "key new key",
        "publish-snapshot --dir registry --to store --key key",
        "fetch-snapshot --from store --into node --trusted key.pub",
    ] {
        let output = open_to_all(folder.path(), arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    }
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\n[updater]\nspool = true\n\
                  [query_log]\ndir = \"queries\"\n";
    fs::write(folder.path().join("whoisd.toml"), config).unwrap();
    let serve = "serve --dir node --config whoisd.toml --log-format json";
    let server = Server::from_command(&mut open_to_all(folder.path(), serve));
    server.ask("example.demo\r\n");
    let log = server.stop();
    assert!(!log.contains("every user of this machine"), "{log}");
    let (mut seen, mut open) = (0, Vec::new());
    for path in everything_below(folder.path()) {
        let mode = fs::metadata(&path).unwrap().mode() & 0o7777;
        let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        let is_lock = name.ends_with("LOCK");
        let taken = if is_lock { 0o077 } else { 0o027 };
        seen += 1;
        // The test's own file, and the key that is there to be handed out.
        if mode & taken != 0 && !matches!(name.as_str(), "whoisd.toml" | "key.pub") {
            open.push(format!("{name} {mode:04o}"));
        }
    }
    assert!(seen > 15, "{seen} files");
    assert_eq!(open, Vec::<String>::new());
}
