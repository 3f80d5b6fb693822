//! `deploy/demo` around its build: what it prints before it, and what it never claims after it.
//! Cargo, packages and, where it has to die, the servers are stand-ins in a copy of the folder.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A server that ends as soon as it is started, and a client that finds no server.
const DIES: &str =
    "#!/bin/sh\ncase $1 in serve) echo 'whoisd: no' >&2; exit 3 ;; query) exit 1 ;; esac\n";

/// One that lives for a moment: long enough to answer a first query.
const ENDS: &str = "#!/bin/sh\ncase $1 in serve) sleep 3; exit 7 ;;\n\
    sample) case $* in *--queries*) echo example.demo ;; esac ;; esac\n";

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The server of RDAP, which another package makes.
fn web_server() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let arguments = ["build", "--quiet", "--package", "whoisd-web", "--bin", "whoisd-web"];
        let built = Command::new(env!("CARGO")).args(arguments).current_dir(ROOT).status();
        assert!(built.unwrap().success());
    });
    Path::new(env!("CARGO_BIN_EXE_whoisd")).with_file_name("whoisd-web")
}

/// A copy of the demo whose build leaves a note, and whose program is `whoisd`.
fn sandbox(whoisd: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let demo = fs::read_to_string(Path::new(ROOT).join("deploy/demo")).unwrap();
    script(&at("deploy/demo"), &demo);
    script(&at("deploy/packages"), "#!/bin/sh\n");
    script(&at("bin/cargo"), "#!/bin/sh\ntouch built\necho \"   Compiling $*\" >&2\n");
    let program = at("target/demo/whoisd");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let web = at("target/demo/whoisd-web");
    match whoisd {
        Some(text) => {
            script(&program, text);
            script(&web, "#!/bin/sh\nexec sleep 600\n");
            script(&at("bin/curl"), "#!/bin/sh\n");
        }
        None => {
            symlink(web_server(), web).unwrap();
            symlink(env!("CARGO_BIN_EXE_whoisd"), program).unwrap();
        }
    }
    folder
}

fn demo(folder: &TempDir, arguments: &[&str]) -> Output {
    let path =
        format!("{}:{}", folder.path().join("bin").display(), std::env::var("PATH").unwrap());
    Command::new(folder.path().join("deploy/demo"))
        .args(arguments)
        .env("PATH", path)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("WHOISD_PROFILE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_demo_that_cannot_serve_says_so_before_anything_is_built() {
    let folder = sandbox(Some(DIES));
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().port().to_string();
    for (arguments, status, said) in [
        (["--port", &busy], 1, "somebody listens on port"),
        (["--port", "0"], 2, "0 is not a port, expected 1 to 65535"),
        (["--port", "70000"], 2, "70000 is not a port"),
        (["--port", "08x"], 2, "deploy/demo [--domains N]"),
        (["--rdap-port", &busy], 1, "--rdap-port: somebody listens on port"),
        (["--rdap-port", "65536"], 2, "--rdap-port: 65536 is not a port"),
        (["--domains", "5"], 2, "at least 100 are needed"),
        (["--domains", "999999999"], 2, "100000000 at most"),
    ] {
        let output = demo(&folder, &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(!folder.path().join("built").exists(), "{arguments:?} has built something");
    }
}

#[test]
fn a_server_that_dies_is_never_reported_to_serve() {
    for program in [DIES, ENDS] {
        let folder = sandbox(Some(program));
        let output = demo(&folder, &["--domains", "100"]);
        let (said, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}\n{error}");
        assert_eq!(said.contains("is served"), program == ENDS, "{said}");
        assert!(error.contains("demo: the server has ended"), "{error}");
        assert!(error.contains("Compiling"), "the build tells its progress: {error}");
    }
}

#[test]
fn the_printed_queries_are_answered_as_the_snapshot_would() {
    let folder = sandbox(None);
    let output = demo(&folder, &["--check", "--domains", "200"]);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{error}");
    assert!(said.contains("queries answered by whois as by the snapshot"), "{said}");
    assert!(said.contains("URLs of RDAP asked"), "{said}");
}
