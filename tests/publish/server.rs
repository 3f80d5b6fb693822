//! A private PostgreSQL: in a temporary folder, on a Unix socket, gone with the tests.
//!
//! # Invariants
//!
//! - It listens on no port; a PostgreSQL that the machine may run is left alone.
//! - It ends with the tests, however they end: a shell waits for the end of its standard input,
//!   which the kernel closes with this process, stops the server by its number and removes the
//!   folder.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::Duration;

/// Where Debian keeps one folder a version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this is the user that Debian's package makes.
const SYSTEM_USER: &str = "postgres";
/// The line of its log when it accepts connections.
const READY: &str = "ready to accept connections";
/// How often its log is looked at, and the pause between: 30 s.
const LOOKS_MAX: u32 = 600;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// $1: folder of the programs, $2: folder of the server, then its further arguments. A line crashes
/// it and starts it again. SIGINT is a fast shutdown, SIGQUIT an immediate one.
const SCRIPT: &str = r#"
    trap '' INT TERM HUP
    programs=$1
    folder=$2
    shift 2
    cd "$folder" || exit 1
    "$programs/initdb" --auth=trust --encoding=UTF8 --locale=C --no-sync --username=postgres \
        --pgdata="$folder/data" > log 2>&1 || exit 1
    start() {
        "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off \
            -c synchronous_commit=off -c max_connections=200 -c shared_buffers=32MB \
            -c track_commit_timestamp=on "$@" >> log 2>&1 < /dev/null &
    }
    start "$@"
    while read -r _; do
        kill -QUIT $!
        wait $!
        start "$@"
    done
    kill -INT $!
    wait $!
    rm -rf "$folder"
"#;

/// A server of its own.
pub(crate) struct Server {
    folder: PathBuf,
    /// Its standard input ends with this process.
    shell: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let server = Server::start(&[], |_| {});
    crate::database::prepare(&server.folder);
    server
});

/// The folder of the server's socket. It has a database `reference` with `deploy/postgres`.
pub(crate) fn socket_folder() -> &'static Path {
    &SERVER.folder
}

impl Server {
    /// A server with further arguments; `prepare` puts files into its folder, which become the
    /// system's user's.
    pub(crate) fn start(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        start(arguments, prepare)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it without a shutdown, and waits until it is there again.
    pub(crate) fn crash(&mut self) {
        self.shell.stdin.as_mut().unwrap().write_all(b"crash\n").unwrap();
        let log = self.folder.join("log");
        let is_back = (0..LOOKS_MAX).any(|_| {
            sleep(LOOK_PAUSE);
            fs::read_to_string(&log).unwrap().matches(READY).count() == 2
        });
        assert!(is_back, "{}", fs::read_to_string(&log).unwrap());
    }
}

fn start(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Server {
    let programs = programs().expect("PostgreSQL is missing: apt-get install postgresql");
    let folder = tempfile::Builder::new().prefix("whoisd-pg-").tempdir().unwrap().keep();
    let is_root = fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t");
    prepare(&folder);
    let mut shell = if is_root {
        let chown = Command::new("chown").args(["-R", SYSTEM_USER]).arg(&folder).status().unwrap();
        assert!(chown.success());
        let mut shell = Command::new("setpriv");
        let user = [SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups"];
        shell.arg("--reuid").args(user).arg("sh");
        shell
    } else {
        Command::new("sh")
    };
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let shell = shell.arg("-c").arg(SCRIPT).arg("sh").arg(programs).arg(&folder).args(arguments);
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let log = folder.join("log");
    let is_ready = (0..LOOKS_MAX).any(|_| {
        sleep(LOOK_PAUSE);
        fs::read_to_string(&log).is_ok_and(|said| said.contains(READY))
    });
    assert!(is_ready, "{}", fs::read_to_string(&log).unwrap_or_default());
    Server { folder, shell }
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let programs = |entry: fs::DirEntry| Some((version(&entry)?, entry.path().join("bin")));
    let found = versions.filter_map(programs).filter(|(_, bin)| bin.join("initdb").is_file());
    found.max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}
