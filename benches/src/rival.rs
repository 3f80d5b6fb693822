//! The rivals: what each is and needs, and how it is started on one core.
//!
//! # Invariants
//!
//! - `one-core`: a rival has one core and as many workers as that can use: one.
//! - `generated`: a rival reads no configuration of the machine's, and writes only below the
//!   folder of the run.
//!
//! # Does not
//!
//! Install anything, or drive a load.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::probe::{self, Protocol};
use crate::process::{Process, find_program, free_address};
use crate::{dns_zone, postgres, server, workload};

/// How long a rival may take to its first answer: PostgreSQL is filled before.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// Pause between two attempts to get the first answer.
const START_PAUSE: Duration = Duration::from_millis(1);

/// One parameter of nginx's configuration holds 4,096 bytes.
const NGINX_BODY_BYTES_MAX: usize = 3_900;

/// What a run gives to every rival.
#[derive(Debug)]
pub struct Site {
    /// Where rivals write.
    pub folder: PathBuf,
    /// Where the programs of this crate are.
    pub programs: PathBuf,
    /// The program whoisd.
    pub whoisd: PathBuf,
    /// The snapshot directory that whoisd serves.
    pub dir: PathBuf,
    /// Names that are asked for; every rival knows them.
    pub names: Vec<String>,
    /// The same in a file, one a line.
    pub names_file: PathBuf,
    /// Bytes of fixed answers.
    pub block_bytes: usize,
    /// The servers' core.
    pub core: usize,
}

/// Debian's package of a rival that is not ours.
#[derive(Debug)]
struct Package {
    name: &'static str,
    is_there: fn() -> bool,
}

/// One server of the comparison.
#[derive(Debug)]
pub struct Rival {
    /// As options and tables name it.
    pub name: &'static str,
    /// What it is, for the table.
    pub what: &'static str,
    /// What it speaks.
    pub protocol: Protocol,
    package: Option<Package>,
    start: fn(&Site, SocketAddr) -> io::Result<Process>,
}

/// The one that the others are compared with.
pub const REFERENCE: &str = "bare-ring";

/// All of them, in the order of the table.
pub const RIVALS: [Rival; 9] = [
    Rival {
        name: REFERENCE,
        what: "bare io_uring, fixed answer",
        protocol: Protocol::Whois,
        package: None,
        start: |site, address| bare(site, address, "bare-ring", &[]),
    },
    Rival {
        name: "bare-ring-fin",
        what: "the same, data and FIN in one segment",
        protocol: Protocol::Whois,
        package: None,
        start: |site, address| bare(site, address, "bare-ring", &["--one-segment"]),
    },
    Rival {
        name: "whoisd-ring",
        what: "whoisd, its own ring",
        protocol: Protocol::Whois,
        package: None,
        start: |site, address| whoisd(site, address, "ring"),
    },
    Rival {
        name: "bare-epoll",
        what: "bare epoll, fixed answer",
        protocol: Protocol::Whois,
        package: None,
        start: |site, address| bare(site, address, "bare-epoll", &[]),
    },
    Rival {
        name: "whoisd-streams",
        what: "whoisd, glommio's streams",
        protocol: Protocol::Whois,
        package: None,
        start: |site, address| whoisd(site, address, "streams"),
    },
    Rival {
        name: "nginx",
        what: "nginx, fixed answer from its configuration",
        protocol: Protocol::Http,
        package: Some(Package {
            name: "nginx-light",
            is_there: || find_program("nginx").is_some(),
        }),
        start: nginx,
    },
    Rival {
        name: "nsd",
        what: "NSD, one DNS query a connection",
        protocol: Protocol::Dns,
        package: Some(Package { name: "nsd", is_there: || find_program("nsd").is_some() }),
        start: nsd,
    },
    Rival {
        name: "knot",
        what: "Knot DNS, one DNS query a connection",
        protocol: Protocol::Dns,
        package: Some(Package { name: "knot", is_there: || find_program("knotd").is_some() }),
        start: knot,
    },
    Rival {
        name: "tasks-postgres",
        what: "a task a connection, a PostgreSQL query an answer",
        protocol: Protocol::Whois,
        package: Some(Package {
            name: postgres::PACKAGE,
            is_there: || postgres::programs().is_some(),
        }),
        start: tasks_postgres,
    },
];

/// A rival that answers.
#[derive(Debug)]
pub struct Running {
    /// Which one.
    pub rival: &'static Rival,
    /// Its processes.
    pub process: Process,
    /// Where it answers.
    pub address: SocketAddr,
    /// From the start of the process to the first answer.
    pub first_answer: Duration,
}

impl Rival {
    /// The rival of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        RIVALS.iter().find(|rival| rival.name == name)
    }

    /// The package that it lacks.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        let package = self.package.as_ref()?;
        (!(package.is_there)()).then_some(package.name)
    }

    /// Starts it and waits until it has answered a query.
    ///
    /// # Errors
    ///
    /// It does not start or answer; with its last output.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub fn start(&'static self, site: &Site) -> io::Result<Running> {
        let name = site.names.first().ok_or_else(|| io::Error::other("no names to ask for"))?;
        let address = free_address()?;
        let start = Instant::now();
        let mut process = (self.start)(site, address)?;
        while let Err(error) = probe::ask(self.protocol, address, name) {
            if let Some(ended) = process.ended() {
                return Err(io::Error::other(ended));
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(io::Error::other(format!("does not answer: {error}")));
            }
            thread::sleep(START_PAUSE);
        }
        Ok(Running { rival: self, process, address, first_answer: start.elapsed() })
    }
}

fn bare(site: &Site, address: SocketAddr, program: &str, more: &[&str]) -> io::Result<Process> {
    let (core, address) = (site.core.to_string(), address.to_string());
    let bytes = site.block_bytes.to_string();
    let mut arguments = vec!["--core", &core, "--listen", &address, "--bytes", &bytes];
    arguments.extend(more);
    let log = site.folder.join(format!("{program}{}.log", more.concat()));
    Process::start(&site.programs.join(program), &arguments, site.core, None, &log)
}

fn whoisd(site: &Site, address: SocketAddr, engine: &str) -> io::Result<Process> {
    let config = site.folder.join("whoisd.toml");
    fs::write(&config, workload::RULES)?;
    let mut arguments: Vec<OsString> = vec!["serve".into(), "--config".into(), config.into()];
    arguments.extend(["--dir".into(), site.dir.clone().into_os_string()]);
    arguments.extend(["--listen".into(), address.to_string().into()]);
    arguments.extend(["--cores".into(), site.core.to_string().into()]);
    arguments.extend(["--engine".into(), engine.into()]);
    let log = site.folder.join(format!("whoisd-{engine}.log"));
    Process::start(&site.whoisd, &arguments, site.core, None, &log)
}

fn nginx(site: &Site, address: SocketAddr) -> io::Result<Process> {
    let folder = own_folder(site, "nginx")?;
    let body = server::block(site.block_bytes.min(NGINX_BODY_BYTES_MAX));
    let body = String::from_utf8_lossy(&body);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("  {what}_temp_path {what};\n"))
        .collect();
    let config = format!(
        "worker_processes 1;\ndaemon off;\nmaster_process on;\npid pid;\n\
         error_log stderr warn;\n\
         events {{ worker_connections 8192; multi_accept on; }}\n\
         http {{\n{temporary}  access_log off;\n  keepalive_timeout 0;\n  \
         default_type text/plain;\n  server {{\n    listen {address} backlog=4096;\n    \
         location / {{ return 200 \"{body}\"; }}\n  }}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut arguments: Vec<OsString> = vec!["-e".into(), "stderr".into()];
    arguments.extend(["-p".into(), folder.clone().into_os_string()]);
    arguments.extend(["-c".into(), "nginx.conf".into()]);
    external("nginx", &arguments, site)
}

fn nsd(site: &Site, address: SocketAddr) -> io::Result<Process> {
    let folder = own_folder(site, "nsd")?;
    let place = folder.display();
    let mut config = format!(
        "server:\n  ip-address: {}@{}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  \
         zonesdir: \"{place}\"\n  database: \"\"\n  pidfile: \"\"\n  \
         xfrdfile: \"{place}/xfrd.state\"\n  zonelistfile: \"{place}/zone.list\"\n  \
         xfrdir: \"{place}\"\n  tcp-count: 4096\n  tcp-query-count: 1\n  rrl-ratelimit: 0\n\
         remote-control:\n  control-enable: no\n",
        address.ip(),
        address.port()
    );
    for (zone, file) in dns_zone::write_all(&site.names, &folder)? {
        config
            .push_str(&format!("zone:\n  name: \"{zone}\"\n  zonefile: \"{}\"\n", file.display()));
    }
    let path = folder.join("nsd.conf");
    fs::write(&path, config)?;
    external("nsd", &["-d".into(), "-c".into(), path.into_os_string()], site)
}

fn knot(site: &Site, address: SocketAddr) -> io::Result<Process> {
    let folder = own_folder(site, "knot")?;
    let place = folder.display();
    let database = folder.join("database");
    fs::create_dir_all(&database)?;
    let mut config = format!(
        "server:\n  listen: {}@{}\n  rundir: \"{place}\"\n  udp-workers: 1\n  tcp-workers: 1\n  \
         background-workers: 1\n  tcp-max-clients: 4096\n\
         log:\n  - target: stderr\n    any: error\n\
         database:\n  storage: \"{place}/database\"\nzone:\n",
        address.ip(),
        address.port()
    );
    for (zone, file) in dns_zone::write_all(&site.names, &folder)? {
        config.push_str(&format!("  - domain: \"{zone}\"\n    file: \"{}\"\n", file.display()));
    }
    let path = folder.join("knot.conf");
    fs::write(&path, config)?;
    external("knotd", &["-c".into(), path.into_os_string()], site)
}

fn tasks_postgres(site: &Site, address: SocketAddr) -> io::Result<Process> {
    let mut arguments: Vec<OsString> = vec!["--core".into(), site.core.to_string().into()];
    arguments.extend(["--listen".into(), address.to_string().into()]);
    arguments.extend(["--names".into(), site.names_file.clone().into_os_string()]);
    let log = site.folder.join("tasks-postgres.log");
    let program = site.programs.join("tasks-postgres");
    Process::start(&program, &arguments, site.core, None, &log)
}

fn own_folder(site: &Site, name: &str) -> io::Result<PathBuf> {
    let folder = site.folder.join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn external(name: &str, arguments: &[OsString], site: &Site) -> io::Result<Process> {
    let missing = || io::Error::other(format!("there is no program {name}"));
    let program: PathBuf = find_program(name).ok_or_else(missing)?;
    let log: &Path = &site.folder.join(format!("{name}.log"));
    Process::start(&program, arguments, site.core, None, log)
}
