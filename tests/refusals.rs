//! The system may refuse a server io_uring or locked memory. The server says so in one line,
//! without a panic, and with the status after which systemd does not start it again.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

use server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_whoisd");

fn registry() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(PROGRAM)
        .args(["sample", "--domains", "100", "--into"])
        .arg(dir.path().join("d"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    dir
}

/// The program with this limit of locked memory, in bytes, and without the right to pass it.
fn limited(bytes: u64) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--memlock={bytes}:{bytes}")).arg("--");
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--bounding-set=-ipc_lock,-sys_resource", "--"]);
    }
    command.arg(PROGRAM);
    command
}

fn serve(mut command: Command, dir: &Path, more: &[&str]) -> (Option<i32>, String) {
    command.args(["serve", "--listen", "127.0.0.1:0", "--dir"]).arg(dir.join("d")).args(more);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn assert_one_line(status: Option<i32>, text: &str, words: &[&str]) {
    assert_eq!((status, text.lines().count()), (Some(3), 1), "{text}");
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

/// `io_uring_setup` fails in it as under a seccomp profile.
fn without_io_uring(error: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e"]);
    command.arg(format!("inject=io_uring_setup:error={error}")).arg(PROGRAM);
    command
}

#[test]
fn a_refused_io_uring_is_reported_in_one_line_by_both_engines_and_by_the_doctor() {
    let dir = registry();
    for (error, engine) in
        [("EPERM", "auto"), ("EPERM", "ring"), ("EPERM", "streams"), ("ENOSYS", "auto")]
    {
        let command = without_io_uring(error);
        let (status, text) = serve(command, dir.path(), &["--engine", engine]);
        let refused = format!("whoisd: io_uring is refused ({error})");
        assert_one_line(status, &text, &[&refused, "seccomp", "neither engine"]);
    }
    let doctor = without_io_uring("EPERM").arg("doctor").output().unwrap();
    let report = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(1), "{report}");
    assert!(report.contains("engine: none: io_uring is refused (EPERM)"), "{report}");
}

#[test]
fn locked_memory_that_is_short_is_reported_in_one_line_with_what_is_needed() {
    let dir = registry();
    let (status, text) = serve(limited(65_536), dir.path(), &[]);
    assert_one_line(status, &text, &["the limit is 64 KiB", "LimitMEMLOCK=", "ulimit -l"]);
}

/// As a user without any setting: a shard for each core, and nothing is locked for file I/O.
#[test]
fn the_usual_limit_is_enough_and_no_memory_is_registered() {
    let dir = registry();
    for engine in ["ring", "streams"] {
        let mut command = limited(8 << 20);
        command.args(["serve", "--log-format", "json", "--listen", "127.0.0.1:0", "--dir"]);
        let server =
            Server::from_command(command.arg(dir.path().join("d")).args(["--engine", engine]));
        let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
        let pinned = status.lines().find_map(|line| line.strip_prefix("VmPin:")).unwrap();
        assert_eq!(pinned.trim(), "0 kB", "{engine}");
        assert!(server.ask("example.demo\r\n").contains("Domain Name: "), "{engine}");
        server.stop();
    }
}
