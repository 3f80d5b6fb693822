//! A private PostgreSQL of a benchmark: in a temporary folder, on a Unix socket, gone afterwards.
//!
//! # Invariants
//!
//! - `private`: it listens on no port, and touches nothing outside of its folder; a PostgreSQL that
//!   the machine may run is left alone.
//!
//! # Does not
//!
//! Survive a crash: nothing is synced to disk, since the data are generated.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread, time::Duration};

use tempfile::TempDir;

use crate::process::{Process, as_user};

/// Debian's package.
pub const PACKAGE: &str = "postgresql";

/// The user and the database that the benchmark connects as and to.
pub const USER: &str = "postgres";

/// Where Debian keeps one folder a version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The server refuses to run as root; this is the user that Debian's package makes.
const SYSTEM_USER: &str = "postgres";

/// What it says in its log, in the language of `--locale=C`, when it accepts connections.
const READY: &str = "ready to accept connections";

/// How often its log is looked at, and the pause between: 30 s.
const LOOKS_MAX: u32 = 600;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// SIGINT lets it end at once, with its files in order; SIGTERM waits for its clients.
const FAST_SHUTDOWN: i32 = libc::SIGINT;

/// What differs from its defaults: all data in memory; no network; nothing that works at its own
/// time during a measurement.
const SETTINGS: [&str; 7] = [
    "listen_addresses=",
    "shared_buffers=512MB",
    "fsync=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "max_wal_size=4GB",
    "max_connections=32",
];

/// A running server; stopped, and its folder removed, when it is dropped.
#[derive(Debug)]
pub struct Private {
    // First: the server ends before its folder goes.
    process: Process,
    folder: TempDir,
}

impl Private {
    /// Makes an empty cluster and starts it on `core`.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start; with its output.
    pub fn start(core: usize) -> io::Result<Self> {
        let programs = programs().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let folder = tempfile::Builder::new().prefix("whoisd-pg-").tempdir()?;
        let data = folder.path().join("data");
        let user = is_root().then_some(SYSTEM_USER);
        if user.is_some() {
            run(Command::new("chown").arg(SYSTEM_USER).arg(folder.path()))?;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        let options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        let mut initdb = as_user(user);
        initdb.current_dir(folder.path()).arg(programs.join("initdb")).args(options);
        run(initdb.args(["--username", USER, "--pgdata"]).arg(&data))?;
        let mut arguments = vec!["-D".into(), data.into_os_string()];
        arguments.extend(["-k".into(), folder.path().as_os_str().to_owned()]);
        for setting in SETTINGS {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let log = folder.path().join("log");
        let program = programs.join("postgres");
        let mut process = Process::start(&program, &arguments, core, user, &log)?;
        for _ in 0..LOOKS_MAX {
            if let Some(ended) = process.ended() {
                return Err(io::Error::other(format!("postgres {ended}")));
            }
            // Its socket exists earlier, and refuses.
            if fs::read_to_string(&log).is_ok_and(|said| said.contains(READY)) {
                return Ok(Self { process: process.stopped_by(FAST_SHUTDOWN), folder });
            }
            thread::sleep(LOOK_PAUSE);
        }
        Err(io::Error::other("postgres does not get ready"))
    }

    /// The folder of its socket, as clients name it.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its processes.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }
}

/// The programs of the newest version that is installed.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let programs = |entry: fs::DirEntry| Some((version(&entry)?, entry.path().join("bin")));
    let found = versions.filter_map(programs).filter(|(_, bin)| bin.join("initdb").is_file());
    found.max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}

/// Whether this process may become another user, and must for this server.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{:?}: {}", command.get_program(), said.trim())))
}
