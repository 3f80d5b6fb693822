//! `whoisd top` beside a fake server: its output, and that the terminal is restored however it
//! ends. The terminal is that of `script` (util-linux).
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_whoisd");

/// Runs a fake server at a control socket in `folder`, each reading a second after the one before.
fn played(folder: &Path, reply: fn(u64) -> String) -> PathBuf {
    let path = folder.join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for (reading, stream) in (1..).zip(listener.incoming()) {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            assert_eq!(line, "{\"command\":\"figures\"}\n");
            // A client that has gone away meanwhile does not matter here.
            let _ = stream.write_all(reply(reading).as_bytes());
        }
    });
    path
}

fn figures(reading: u64) -> String {
    let (at_us, count) = (reading * 1_000_000, reading * 500);
    format!(
        "{{\"ok\":{{\"version\":\"9.9\",\"pid\":7,\"at_us\":{at_us},\"shards\":[{{\"core\":3,\
         \"queries\":[{{\"kind\":\"domain\",\"outcome\":\"found\",\"count\":{count}}}]}}]}}}}\n"
    )
}

fn top(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("top").args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn one_screen_as_text_has_the_rates_between_two_readings() {
    let folder = tempfile::tempdir().unwrap();
    played(folder.path(), figures);
    let directory = folder.path().to_str().unwrap();
    let output = top(&["--dir", directory, "--once", "--interval", "0.1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("whoisd 9.9, process 7"), "{text}");
    let traffic = text.lines().find(|line| line.starts_with("traffic")).unwrap();
    let per_s = traffic.split_whitespace().nth(1).unwrap();
    assert_eq!(per_s, "500", "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn without_a_server_or_with_one_that_refuses_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let output = top(&["--dir", directory, "--once"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("control.sock: No such file or directory (os error 2); no server"),
        "{error}"
    );
    let path = played(folder.path(), |_| "{\"error\":\"no figures here\"}\n".to_owned());
    let output = top(&["--control", path.to_str().unwrap(), "--once"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.ends_with("whoisd: no figures here\n"), "{error}");
    let output = top(&["--dir", directory, "--interval", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_missing_terminal_is_reported_before_anything_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    played(folder.path(), figures);
    let output = top(&["--dir", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("is not a terminal; --once prints one screen as text"), "{error}");
}

/// The view on a terminal of `script`, which writes down all that the terminal gets.
struct OnTerminal {
    script: Child,
    log: PathBuf,
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It still runs only after a test that failed.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn on_terminal(folder: &Path, socket: &Path) -> OnTerminal {
    on_terminal_of("xterm-256color", folder, socket)
}

fn on_terminal_of(kind: &str, folder: &Path, socket: &Path) -> OnTerminal {
    let log = folder.join("typescript");
    let view = format!("exec {PROGRAM} top --control {} --interval 0.2", socket.display());
    let command = format!("stty rows 24 columns 80; {view}");
    let script = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command", &command])
        .arg(&log)
        .env("TERM", kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    OnTerminal { script, log }
}

fn wait_for(log: &Path, text: &str) -> String {
    for _ in 0..1_200 {
        let mut bytes = Vec::new();
        if let Ok(mut file) = std::fs::File::open(log) {
            file.read_to_end(&mut bytes).unwrap();
        }
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        if shown.contains(text) {
            return shown;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{text:?} does not show");
}

/// Leaves the alternate screen, then shows the cursor.
fn assert_given_back(log: &Path) {
    let shown = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    let left = shown.rfind("\x1b[?1049l").unwrap();
    assert!(shown[left..].contains("\x1b[?25h"), "{:?}", &shown[left..]);
    assert!(shown.find("\x1b[?1049h").unwrap() < left);
    assert!(!shown[left..].contains("\x1b[?1049h"));
}

#[test]
fn a_terminal_without_a_screen_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = played(folder.path(), figures);
    let mut terminal = on_terminal_of("dumb", folder.path(), &socket);
    assert_eq!(terminal.script.wait().unwrap().code(), Some(1));
    let shown = wait_for(&terminal.log, "--once prints one screen as text");
    assert!(!shown.contains("\x1b["), "{shown:?}");
}

#[test]
fn the_terminal_is_given_back_after_q_and_after_an_interrupt() {
    for key in [b"q", b"\x03"] {
        let folder = tempfile::tempdir().unwrap();
        let socket = played(folder.path(), figures);
        let mut terminal = on_terminal(folder.path(), &socket);
        wait_for(&terminal.log, "quits");
        terminal.script.stdin.as_mut().unwrap().write_all(key).unwrap();
        let status = terminal.script.wait().unwrap();
        assert!(status.success(), "{status}");
        assert_given_back(&terminal.log);
    }
}

#[test]
fn the_terminal_is_given_back_after_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let socket = played(folder.path(), figures);
    let mut terminal = on_terminal(folder.path(), &socket);
    wait_for(&terminal.log, "quits");
    nix::sys::signal::kill(view_of(&terminal), nix::sys::signal::SIGTERM).unwrap();
    let status = terminal.script.wait().unwrap();
    assert!(status.success(), "{status}");
    assert_given_back(&terminal.log);
}

/// The view is the only child of `script`.
fn view_of(terminal: &OnTerminal) -> nix::unistd::Pid {
    let children = format!("/proc/{0}/task/{0}/children", terminal.script.id());
    let view: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    nix::unistd::Pid::from_raw(view)
}

/// Gone, or dead and waiting for its new parent to reap it.
fn has_ended(process: nix::unistd::Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}

#[test]
fn a_terminal_that_goes_away_ends_the_view() {
    let folder = tempfile::tempdir().unwrap();
    let socket = played(folder.path(), figures);
    let mut terminal = on_terminal(folder.path(), &socket);
    wait_for(&terminal.log, "quits");
    let view = view_of(&terminal);
    // As when the connection of a remote shell breaks: the other end of the terminal is closed.
    terminal.script.kill().unwrap();
    terminal.script.wait().unwrap();
    for _ in 0..600 {
        if has_ended(view) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    nix::sys::signal::kill(view, nix::sys::signal::SIGKILL).unwrap();
    panic!("the view goes on without its terminal");
}

#[test]
fn a_server_that_does_not_answer_keeps_no_view_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    // Answers once, and never again.
    let socket = played(folder.path(), |reading| {
        if reading > 1 {
            thread::sleep(Duration::from_secs(3_600));
        }
        figures(reading)
    });
    let mut terminal = on_terminal(folder.path(), &socket);
    wait_for(&terminal.log, "quits");
    nix::sys::signal::kill(view_of(&terminal), nix::sys::signal::SIGTERM).unwrap();
    terminal.script.wait().unwrap();
    assert_given_back(&terminal.log);
}
