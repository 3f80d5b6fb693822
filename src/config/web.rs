//! `[web]`: how `whoisd-web` answers RDAP over HTTP.
//!
//! # Does not
//!
//! Say what is shown, to whom and how much: `[defaults]`, `[[tld]]`, `[limits]` and lists do, for
//! both servers. Bind addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use toml::Spanned;

use super::value::{Refused, ValueError};
use super::{Program, Settings, file, load, proxy};
use crate::bounds::{Bound, UnknownWord, of_word};
use crate::place::cores;

/// Most networks whose headers are believed.
const FORWARDED_COUNT_MAX: usize = 64;
/// Most certificates.
const CERTIFICATE_COUNT_MAX: usize = 1_024;
/// Longest path of the mount, bytes.
pub(super) const PATH_BYTES_MAX: usize = 128;

/// Open connections of one core.
pub const CONNECTIONS_PER_CORE: Bound = Bound::new(4_096, 1, 1_000_000);
/// From the accept to the first byte, milliseconds.
pub const FIRST_BYTE_MS: Bound = Bound::new(5_000, 50, 120_000);
/// From the end of a request to the end of the head of the next one, milliseconds.
pub const IDLE_MS: Bound = Bound::new(30_000, 100, 600_000);
/// How long a client may leave its answer unread, milliseconds.
pub const WRITE_MS: Bound = Bound::new(15_000, 50, 300_000);
/// From the accept until a connection is finished, milliseconds.
pub const TOTAL_MS: Bound = Bound::new(600_000, 1_000, 86_400_000);

/// Threads that build the search index.
pub const SEARCH_THREADS: Bound = Bound::new(1, 1, 8);
/// Memory for building it, MiB.
pub const SEARCH_MEMORY_MIB: Bound = Bound::new(512, 64, 16_384);

/// The header in which a proxy names its client. One alone is believed: a proxy that writes one of
/// them lets the other through as the client wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: what most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// As the configuration and requests have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl FromStr for ForwardedHeader {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        // The name of a header: case does not matter.
        let word = text.to_ascii_lowercase();
        of_word(&word, [Self::XForwardedFor, Self::Forwarded], Self::word)
            .map_err(|unknown| UnknownWord { text: text.to_owned(), ..unknown })
    }
}

/// A certificate and its key, as files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The server's own certificate first, then those above it.
    pub chain: PathBuf,
    /// The private key, without a password.
    pub key: PathBuf,
}

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Where it listens, without TLS.
    pub listen: Vec<SocketAddr>,
    /// Where it listens with TLS.
    pub tls_listen: Vec<SocketAddr>,
    /// What is served there; the first to clients that name no host, or another one.
    pub certificates: Vec<Certificate>,
    /// Path below which RDAP lies, with both slashes.
    pub path: String,
    /// Cores with a listener each; `None`: all that the process may use.
    pub cores: Option<Vec<usize>>,
    /// Socket of the control commands; `None`: `web.sock` in the snapshot directory; empty: none.
    pub control: Option<PathBuf>,
    /// The file that keeps blocks over a restart; `None`: `web-blocks.json` in the snapshot
    /// directory.
    pub blocks_state: Option<PathBuf>,
    /// Where health and figures are answered; `None`: nowhere.
    pub status_listen: Option<SocketAddr>,
    /// Where queries are logged; `None`: nowhere.
    pub query_log_dir: Option<PathBuf>,
    /// Where the search index lies; `None`: there is none.
    pub search_dir: Option<PathBuf>,
    /// Threads that build it.
    pub search_threads: u64,
    /// Memory for building it, MiB.
    pub search_memory_mib: u64,
    /// Whose header about their clients is believed.
    pub forwarded_from: Vec<IpNet>,
    /// The header that they write.
    pub forwarded_header: ForwardedHeader,
    /// Open connections of one core.
    pub connections_max: u64,
    /// From the accept to the first byte.
    pub first_byte_ms: u64,
    /// From the end of a request to the end of the head of the next one.
    pub idle_ms: u64,
    /// How long a client may leave its answer unread.
    pub write_ms: u64,
    /// From the accept until a connection is finished.
    pub total_ms: u64,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 8080)),
            ],
            tls_listen: Vec::new(),
            certificates: Vec::new(),
            path: "/rdap/".to_owned(),
            cores: None,
            control: None,
            blocks_state: None,
            status_listen: None,
            query_log_dir: None,
            search_dir: None,
            search_threads: SEARCH_THREADS.default,
            search_memory_mib: SEARCH_MEMORY_MIB.default,
            forwarded_from: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            connections_max: CONNECTIONS_PER_CORE.default,
            first_byte_ms: FIRST_BYTE_MS.default,
            idle_ms: IDLE_MS.default,
            write_ms: WRITE_MS.default,
            total_ms: TOTAL_MS.default,
        }
    }
}

impl Settings {
    /// The same as `whoisd-web` reads them: what belongs to one process alone is that of `[web]`.
    /// It writes nothing into the snapshot directory but its socket and its file of blocks, and
    /// leaves the kernel's sets to the server of port 43.
    #[must_use]
    pub fn of_web(mut self) -> Self {
        let web = self.web.clone();
        self.listen = [web.listen, web.tls_listen].concat();
        self.cores = web.cores;
        self.control = web.control;
        (self.status_listen, self.health_listen) = (web.status_listen, None);
        self.query_log.dir = web.query_log_dir;
        self.query_log.stream = None;
        (self.spool, self.nats, self.updater_core) = (false, None, None);
        self.policy.nftables = None;
        self.program = Program::Web;
        self.warden.state_name = self.program.keys().blocks_name;
        self.warden.state = web.blocks_state;
        self
    }
}

/// Puts what the file says, apart from numbers, over `web`; gives back what cannot be used.
pub(super) fn set(file: &file::Web, web: &mut Web) -> Vec<Refused> {
    let mut all = Vec::new();
    if let Some(written) = &file.listen {
        // None without TLS is fine, if there are some with it.
        let has_others = file.tls_listen.as_ref().is_some_and(|tls| !tls.get_ref().is_empty());
        match listen("web.listen", written, has_others) {
            Ok(listen) => web.listen = listen,
            Err(wrong) => all.extend(wrong),
        }
    }
    if let Some(written) = &file.tls_listen {
        match listen("web.tls_listen", written, true) {
            Ok(listen) => web.tls_listen = listen,
            Err(wrong) => all.extend(wrong),
        }
    }
    if let Some(written) = &file.certificates {
        let count = written.get_ref().len();
        if count > CERTIFICATE_COUNT_MAX {
            let max = CERTIFICATE_COUNT_MAX;
            let problem = ValueError::TooMany { got: count, what: "certificates", max };
            all.push(Refused::new("web.certificates", written, problem));
        }
        let certificate = |file: &file::Certificate| Certificate {
            chain: file.chain.clone(),
            key: file.key.clone(),
        };
        web.certificates = written.get_ref().iter().map(certificate).collect();
    }
    if let Some(text) = &file.path {
        match path(text.get_ref()) {
            Ok(path) => web.path = path,
            Err(problem) => all.push(Refused::new("web.path", text, problem)),
        }
    }
    if let Some(text) = &file.cores {
        match cores::parse(text.get_ref()) {
            Ok(cores) => web.cores = Some(cores),
            Err(error) => all.push(Refused::new("web.cores", text, error)),
        }
    }
    if let Some(text) = &file.status_listen {
        match text.get_ref().parse() {
            Ok(address) => web.status_listen = Some(address),
            Err(_) => {
                let problem = proxy::no_address(text.get_ref());
                all.push(Refused::new("web.status_listen", text, problem));
            }
        }
    }
    if let Some(written) = &file.forwarded_from {
        match forwarded_from(written) {
            Ok(networks) => web.forwarded_from = networks,
            Err(wrong) => all.extend(wrong),
        }
    }
    if let Some(text) = &file.forwarded_header {
        match text.get_ref().parse() {
            Ok(header) => web.forwarded_header = header,
            Err(problem) => all.push(Refused::new("web.forwarded_header", text, problem)),
        }
    }
    web.control = file.control.as_ref().map(|path| path.get_ref().clone());
    web.blocks_state = file.blocks_state.as_ref().map(|path| path.get_ref().clone());
    web.query_log_dir = file.query_log_dir.as_ref().map(|path| path.get_ref().clone());
    web.search_dir = file.search_dir.as_ref().map(|path| path.get_ref().clone());
    all
}

fn listen(
    key: &str,
    written: &Spanned<Vec<Spanned<String>>>,
    may_be_none: bool,
) -> Result<Vec<SocketAddr>, Vec<Refused>> {
    if may_be_none && written.get_ref().is_empty() {
        return Ok(Vec::new());
    }
    let (mut listen, mut wrong) = (Vec::new(), Vec::new());
    for text in written.get_ref() {
        match text.get_ref().parse() {
            Ok(address) => listen.push(address),
            Err(_) => {
                let problem = proxy::no_address(text.get_ref());
                wrong.push(Refused::new(key, text, problem));
            }
        }
    }
    for problem in load::check_listen(written.get_ref().len(), &listen) {
        wrong.push(Refused::new(key, written, problem));
    }
    if wrong.is_empty() { Ok(listen) } else { Err(wrong) }
}

fn path(text: &str) -> Result<String, ValueError> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let is_whole = text.starts_with('/') && text.ends_with('/') && !text.contains("//");
    if is_whole && text.len() <= PATH_BYTES_MAX && text.chars().all(is_path) {
        return Ok(text.to_owned());
    }
    Err(ValueError::Mount { got: text.to_owned() })
}

fn forwarded_from(written: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<IpNet>, Vec<Refused>> {
    const KEY: &str = "web.forwarded_from";
    let count = written.get_ref().len();
    if count > FORWARDED_COUNT_MAX {
        let problem =
            ValueError::TooMany { got: count, what: "networks", max: FORWARDED_COUNT_MAX };
        return Err(vec![Refused::new(KEY, written, problem)]);
    }
    let (mut networks, mut wrong) = (Vec::new(), Vec::new());
    for text in written.get_ref() {
        match proxy::network(text.get_ref()) {
            Ok(network) => networks.push(network),
            Err(problem) => wrong.push(Refused::new(KEY, text, problem)),
        }
    }
    if wrong.is_empty() { Ok(networks) } else { Err(wrong) }
}

/// Where each key stands that is not a number.
pub(super) fn spans(file: &file::Web) -> [(&'static str, Option<Range<usize>>); 12] {
    [
        ("web.listen", file.listen.as_ref().map(Spanned::span)),
        ("web.tls_listen", file.tls_listen.as_ref().map(Spanned::span)),
        ("web.certificates", file.certificates.as_ref().map(Spanned::span)),
        ("web.path", file.path.as_ref().map(Spanned::span)),
        ("web.cores", file.cores.as_ref().map(Spanned::span)),
        ("web.control", file.control.as_ref().map(Spanned::span)),
        ("web.blocks_state", file.blocks_state.as_ref().map(Spanned::span)),
        ("web.status_listen", file.status_listen.as_ref().map(Spanned::span)),
        ("web.query_log_dir", file.query_log_dir.as_ref().map(Spanned::span)),
        ("web.search_dir", file.search_dir.as_ref().map(Spanned::span)),
        ("web.forwarded_from", file.forwarded_from.as_ref().map(Spanned::span)),
        ("web.forwarded_header", file.forwarded_header.as_ref().map(Spanned::span)),
    ]
}

/// The keys that are not numbers, with their values as TOML.
pub(super) fn rows(web: &Web) -> [(&'static str, Option<String>); 12] {
    let string = |text: &str| toml::Value::from(text).to_string();
    let path = |path: &PathBuf| string(&path.to_string_lossy());
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let addresses =
        |all: &[SocketAddr]| list(all.iter().map(|at| string(&at.to_string())).collect());
    let certificate =
        |one: &Certificate| format!("{{ chain = {}, key = {} }}", path(&one.chain), path(&one.key));
    let certificates = web.certificates.iter().map(certificate).collect();
    let from = web.forwarded_from.iter().map(|network| string(&network.to_string())).collect();
    [
        ("web.listen", Some(addresses(&web.listen))),
        ("web.tls_listen", Some(addresses(&web.tls_listen))),
        ("web.certificates", Some(list(certificates))),
        ("web.path", Some(string(&web.path))),
        ("web.cores", web.cores.as_ref().map(|list| string(&cores::format(list)))),
        ("web.control", web.control.as_ref().map(path)),
        ("web.blocks_state", web.blocks_state.as_ref().map(path)),
        ("web.status_listen", web.status_listen.map(|at| string(&at.to_string()))),
        ("web.query_log_dir", web.query_log_dir.as_ref().map(path)),
        ("web.search_dir", web.search_dir.as_ref().map(path)),
        ("web.forwarded_from", Some(list(from))),
        ("web.forwarded_header", Some(string(web.forwarded_header.word()))),
    ]
}

/// The base URL of a server without one in its configuration: that of its first listener.
#[must_use]
pub fn base_of(scheme: &str, listen: SocketAddr, path: &str) -> String {
    let host = match listen.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!("{scheme}://{host}:{}{path}", listen.port())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_has_both_slashes() {
        for text in ["/", "/rdap/", "/a/b.c/"] {
            assert_eq!(path(text).unwrap(), text);
        }
        for text in ["", "rdap", "/rdap", "rdap/", "//", "/a//b/", "/a b/", "/a?/"] {
            assert!(path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_web_server_shares_what_belongs_to_no_single_process() {
        let mut settings = Settings { spool: true, ..Settings::default() };
        settings.warden.state = Some("/a/blocks.json".into());
        let web = settings.clone().of_web();
        assert_eq!(web.listen, settings.web.listen);
        assert!(!web.spool && web.control.is_none());
        let dir = Path::new("/data");
        assert_eq!(web.warden.state_path(dir), dir.join("web-blocks.json"));
        settings.web.blocks_state = Some("/b/blocks.json".into());
        let state = settings.clone().of_web().warden.state_path(dir);
        assert_eq!(state, Path::new("/b/blocks.json"));
        assert_eq!((&web.guard, &web.answers), (&settings.guard, &settings.answers));
    }

    #[test]
    fn the_base_of_a_server_is_that_of_its_first_listener() {
        let base = |listen: &str| base_of("http", listen.parse().unwrap(), "/rdap/");
        assert_eq!(base("127.0.0.1:8080"), "http://127.0.0.1:8080/rdap/");
        assert_eq!(base("[::1]:8080"), "http://[::1]:8080/rdap/");
        assert_eq!(base("0.0.0.0:80"), "http://localhost:80/rdap/");
    }
}
