//! Servers of RDAP on one core: ours, nginx with one of our answers as a file, and ICANN's.
//!
//! # Invariants
//!
//! - `one-core`: a server has one core and as many workers as that can use: one.
//! - `same-answers`: the others have what ours says: nginx an answer of the mean length, ICANN's
//!   the answers to all names that are asked for.
//!
//! # Does not
//!
//! Install anything, or drive a load.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::http::Client;
use crate::process::{Process, find_program, free_address};
use crate::workload;

/// How long a server may take to its first answer.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Pause between two attempts to get the first answer.
const START_PAUSE: Duration = Duration::from_millis(20);
/// Below which path all of them answer.
pub const PATH: &str = "/rdap/";

/// What a run gives to every server.
#[derive(Debug)]
pub struct Site {
    /// Where servers write.
    pub folder: PathBuf,
    /// The program whoisd-web.
    pub whoisd_web: PathBuf,
    /// The snapshot directory that it serves.
    pub dir: PathBuf,
    /// Names that are asked for.
    pub names: Vec<String>,
    /// The servers' core.
    pub core: usize,
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    /// As options and tables name it.
    pub name: &'static str,
    /// What it is, for the table.
    pub what: &'static str,
    /// Its processes.
    pub process: Process,
    /// Where it speaks HTTP/1.1 without TLS.
    pub plain: SocketAddr,
    /// Where it speaks HTTP/2 without TLS, if it does.
    pub two: Option<SocketAddr>,
    /// Where it speaks TLS, if it does.
    pub tls: Option<SocketAddr>,
}

/// The answers of our server to all names, and the one whose length is nearest to the mean.
#[derive(Debug)]
pub struct Answers {
    /// In the order of the names.
    pub bodies: Vec<Vec<u8>>,
    /// Place of the one that stands for all.
    pub typical: usize,
}

impl Site {
    /// A certificate and its key, as both servers of TLS use them.
    ///
    /// # Errors
    ///
    /// `openssl` is missing.
    fn certificate(&self) -> io::Result<(PathBuf, PathBuf)> {
        let (chain, key) = (self.folder.join("chain.pem"), self.folder.join("key.pem"));
        if chain.exists() {
            return Ok((chain, key));
        }
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .args([key.as_os_str(), "-out".as_ref(), chain.as_os_str()])
            .output()?;
        if made.status.success() {
            return Ok((chain, key));
        }
        Err(io::Error::other(format!("openssl: {}", String::from_utf8_lossy(&made.stderr))))
    }

    /// Starts whoisd-web.
    ///
    /// # Errors
    ///
    /// It does not start or answer; with its last output.
    pub fn whoisd_web(&self) -> io::Result<Server> {
        let (plain, tls) = (free_address()?, free_address()?);
        let (chain, key) = self.certificate()?;
        let config = self.folder.join("whoisd-web.toml");
        fs::write(
            &config,
            format!(
                "[server]\ndir = {:?}\n[web]\nlisten = [\"{plain}\"]\ntls_listen = [\"{tls}\"]\n\
                 certificates = [{{ chain = {chain:?}, key = {key:?} }}]\ncores = \"{}\"\n\
                 [limits]\nmode = \"off\"\n{}",
                self.dir,
                self.core,
                workload::RULES
            ),
        )?;
        let arguments: [OsString; 3] = ["serve".into(), "--config".into(), config.into()];
        let log = self.folder.join("whoisd-web.log");
        let process = Process::start(&self.whoisd_web, &arguments, self.core, None, &log)?;
        let server = Server {
            name: "whoisd-web",
            what: "whoisd-web, an answer from the snapshot",
            process,
            plain,
            two: Some(plain),
            tls: Some(tls),
        };
        self.answering(server)
    }

    /// The answers of our server.
    ///
    /// # Errors
    ///
    /// It does not answer, or not with 200.
    pub fn answers(&self, server: &Server) -> io::Result<Answers> {
        let mut client = Client::connect(server.plain)?;
        let mut bodies = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let (status, body) = client.get(&format!("{PATH}domain/{name}"))?;
            if status != 200 {
                return Err(io::Error::other(format!("whoisd-web: {name}: status {status}")));
            }
            bodies.push(body);
        }
        let mean = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len().max(1);
        let nearest = bodies.iter().enumerate().min_by_key(|(_, body)| body.len().abs_diff(mean));
        let typical = nearest.map_or(0, |(place, _)| place);
        Ok(Answers { bodies, typical })
    }

    /// Starts nginx with one answer as a file, whatever is asked for.
    ///
    /// # Errors
    ///
    /// nginx is missing, or does not start or answer; with its last output.
    pub fn nginx(&self, body: &[u8]) -> io::Result<Server> {
        let (plain, two, tls) = (free_address()?, free_address()?, free_address()?);
        let (chain, key) = self.certificate()?;
        let folder = self.own_folder("nginx")?;
        fs::write(folder.join("answer"), body)?;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("  {what}_temp_path {what};\n"))
            .collect();
        // `listen .. http2` is the form that Debian 12's version takes. With `sendfile`, that
        // version turns Nagle's algorithm on for an answer of HTTP/2 without TLS, which then waits
        // 40 ms.
        let location = "location / { try_files /answer =404; }";
        let config = format!(
            "worker_processes 1;\ndaemon off;\nmaster_process on;\npid pid;\n\
             error_log stderr error;\n\
             events {{ worker_connections 8192; multi_accept on; }}\n\
             http {{\n{temporary}  access_log off;\n  sendfile on;\n  \
             open_file_cache max=10 inactive=1h;\n  keepalive_timeout 1h;\n  \
             keepalive_requests 1000000000;\n  default_type application/rdap+json;\n  \
             ssl_certificate {};\n  ssl_certificate_key {};\n  ssl_protocols TLSv1.2 TLSv1.3;\n  \
             ssl_session_cache shared:TLS:16m;\n  ssl_session_tickets on;\n  root {};\n  \
             server {{\n    listen {plain} backlog=4096;\n    \
             listen {tls} ssl http2 backlog=4096;\n    {location}\n  }}\n  \
             server {{\n    listen {two} http2 backlog=4096;\n    sendfile off;\n    {location}\n  \
             }}\n}}\n",
            chain.display(),
            key.display(),
            folder.display()
        );
        fs::write(folder.join("nginx.conf"), config)?;
        let mut arguments: Vec<OsString> = vec!["-e".into(), "stderr".into()];
        arguments.extend(["-p".into(), folder.into_os_string()]);
        arguments.extend(["-c".into(), "nginx.conf".into()]);
        let missing = || io::Error::other("nginx is missing (Debian: nginx-light)");
        let program = find_program("nginx").ok_or_else(missing)?;
        let log = self.folder.join("nginx.log");
        let process = Process::start(&program, &arguments, self.core, None, &log)?;
        self.answering(Server {
            name: "nginx",
            what: "nginx, one answer as a file",
            process,
            plain,
            two: Some(two),
            tls: Some(tls),
        })
    }

    /// Starts ICANN's server with our answers, in memory.
    ///
    /// # Errors
    ///
    /// It is missing, or does not start or answer; with its last output.
    pub fn icann(&self, program: Option<&Path>, answers: &Answers) -> io::Result<Server> {
        let missing = || {
            io::Error::other(
                "rdap-srv is missing (cargo install icann-rdap-srv --version 0.0.30 --locked)",
            )
        };
        let found = program.map(Path::to_owned).or_else(|| find_program("rdap-srv"));
        let program = found.ok_or_else(missing)?;
        let data = self.own_folder("icann")?;
        for (place, body) in answers.bodies.iter().enumerate() {
            fs::write(data.join(format!("{place}.json")), body)?;
        }
        let plain = free_address()?;
        let variable = |name: &str, value: &str| OsString::from(format!("RDAP_SRV_{name}={value}"));
        let mut data_dir = OsString::from("RDAP_SRV_DATA_DIR=");
        data_dir.push(&data);
        let arguments = [
            variable("LOG", "error"),
            variable("STORAGE", "memory"),
            variable("AUTO_RELOAD", "false"),
            variable("LISTEN_ADDR", &plain.ip().to_string()),
            variable("LISTEN_PORT", &plain.port().to_string()),
            data_dir,
            program.into_os_string(),
        ];
        let log = self.folder.join("icann.log");
        // `env` becomes the server.
        let process = Process::start(Path::new("env"), &arguments, self.core, None, &log)?;
        self.answering(Server {
            name: "icann-rdap-srv",
            what: "icann-rdap-srv, our answers in memory",
            process,
            plain,
            two: None,
            tls: None,
        })
    }

    /// Waits for the first answer.
    #[expect(clippy::disallowed_methods, reason = "the wait has an end")]
    fn answering(&self, mut server: Server) -> io::Result<Server> {
        let name = self.names.first().ok_or_else(|| io::Error::other("no names to ask for"))?;
        let path = format!("{PATH}domain/{name}");
        let start = Instant::now();
        loop {
            if let Some(ended) = server.process.ended() {
                return Err(io::Error::other(ended));
            }
            let listens = std::net::TcpStream::connect(server.plain).is_ok();
            if listens && let Ok((status, _)) = Client::connect(server.plain)?.get(&path) {
                if status == 200 {
                    return Ok(server);
                }
                return Err(io::Error::other(format!("answers {path} with {status}")));
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(io::Error::other("does not answer"));
            }
            thread::sleep(START_PAUSE);
        }
    }

    fn own_folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}
