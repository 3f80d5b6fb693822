//! TLS 1.2 and 1.3: certificates, which of them a client gets, and their renewal without a restart.
//!
//! # Invariants
//!
//! - `matching`: a chain is served with its own key or not at all. While the files are being
//!   replaced, one before the other, the certificates before stay in force.
//! - `never without`: files that cannot be used change nothing once the server runs.
//!
//! # Does not
//!
//! Refuse a certificate that is not valid: clients do, and an operator may test with any. The log,
//! the figures and `config check` tell of its dates.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig, SignatureScheme};
use whoisd::config::web::Certificate;
use whoisd::observe::{CertificateEnd, CertificateFigures, clock};
use whoisd::place::aside::{self, Place, Weight};

use crate::validity::{Second, Standing, Validity};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Longest file that is read, bytes: a chain has some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no TLS.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    /// A certificate cannot be served.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The library cannot work.
    #[error("TLS: {0}")]
    Library(rustls::Error),
    /// There is no thread for the renewal.
    #[error("thread of the certificates: {0}")]
    Thread(io::Error),
}

/// Why a certificate cannot be served.
#[derive(Debug, Error)]
pub(crate) enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is longer than any chain.
    #[error("{}: more than {FILE_BYTES_MAX} bytes; no chain or key has as many", path.display())]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// There is something else than a file.
    #[error("{}: not a file; expected one in PEM", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// There is no certificate in a file.
    #[error(
        "{}: no certificate; expected PEM, the server's own first, then those above",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no private key in a file.
    #[error(
        "{}: no private key that can be used ({source}); expected one in PEM, without a password",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What the reader of PEM says.
        source: pem::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the library says.
        problem: String,
    },
    /// A chain and a key are not of one pair.
    #[error(
        "{}: is not the key of the first certificate in {}; expected the server's own certificate \
         first, and its key",
        key.display(),
        chain.display()
    )]
    Mismatch {
        /// The file of the key.
        key: PathBuf,
        /// The file of the chain.
        chain: PathBuf,
    },
}

/// A certificate that can be served.
#[derive(Debug, Clone)]
pub(crate) struct Dated {
    /// The file of its chain.
    file: PathBuf,
    /// `None`: its dates cannot be read.
    validity: Option<Validity>,
}

impl Dated {
    fn new(file: &Path, pair: &CertifiedKey) -> Self {
        let validity = pair.end_entity_cert().ok().and_then(|own| Validity::of(own));
        Self { file: file.to_owned(), validity }
    }

    /// What to know of it, for people.
    pub(crate) fn said(&self, now_s: i64) -> String {
        let file = self.file.display();
        let Some(validity) = self.validity else {
            return format!("warning: {file}: the dates of the certificate cannot be read");
        };
        let (begin, end) = (Second(validity.begin_s), Second(validity.end_s));
        match validity.standing(now_s) {
            Standing::Early => format!(
                "warning: {file}: the certificate is valid from {begin} on; until then clients \
                 refuse it"
            ),
            Standing::Valid => format!("{file}: the certificate expires at {end}"),
            Standing::Expired => {
                format!("warning: {file}: the certificate expired at {end}; clients refuse it")
            }
        }
    }

    /// Warns in the log, if there is something to warn of.
    fn warn(&self, now_s: i64) {
        let file = self.file.display();
        let Some(validity) = self.validity else {
            tracing::warn!(%file, "the dates of a certificate cannot be read");
            return;
        };
        let (begin, end) = (Second(validity.begin_s), Second(validity.end_s));
        match validity.standing(now_s) {
            Standing::Early => tracing::warn!(%file, %begin, "a certificate is not valid yet"),
            Standing::Valid => {}
            Standing::Expired => tracing::warn!(%file, %end, "a certificate has expired"),
        }
    }
}

/// The certificates of one moment.
#[derive(Debug)]
struct Chosen {
    /// All of them, in the order of the configuration.
    dated: Vec<Dated>,
    /// For clients that name no host, or another one.
    first: Vec<Arc<CertifiedKey>>,
    /// By the names that the certificates hold, in small letters; `*.example` as it is written.
    by_name: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
}

impl Chosen {
    /// Reads all files.
    fn read(files: &[Certificate]) -> Result<Self, CertificateError> {
        let (dated, first) = (Vec::new(), Vec::new());
        let mut chosen = Self { dated, first, by_name: BTreeMap::new() };
        for file in files {
            let pair = Arc::new(pair(file)?);
            let names = names(&pair, &file.chain)?;
            chosen.dated.push(Dated::new(&file.chain, &pair));
            for name in names {
                chosen.by_name.entry(name).or_default().push(Arc::clone(&pair));
            }
            chosen.first.push(pair);
        }
        Ok(chosen)
    }

    /// Tells figures and log of their dates.
    fn tell(&self, figures: &CertificateFigures) {
        let now_s = clock::wall_ms() / 1_000;
        self.dated.iter().for_each(|one| one.warn(now_s));
        let end = |one: &Dated| {
            let file = one.file.display().to_string();
            one.validity.map(|validity| CertificateEnd { file, end_s: validity.end_s })
        };
        figures.set(self.dated.iter().filter_map(end).collect());
    }

    /// The pairs for a name that a client has given.
    fn of(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(format!("*.{parent}").as_str())
        };
        self.by_name.get(name.as_str()).or_else(wildcard).unwrap_or(&self.first)
    }

    /// The pair for a client that gives this name and takes these signatures. One that takes none
    /// of ours gets the first: the handshake then says what is wrong.
    fn pair(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let pairs = name.map_or(&*self.first, |name| self.of(name));
        let suits = |pair: &&Arc<CertifiedKey>| pair.key.choose_scheme(schemes).is_some();
        pairs.iter().find(suits).or_else(|| pairs.first())
    }
}

/// A chain and its key.
fn pair(file: &Certificate) -> Result<CertifiedKey, CertificateError> {
    let (chain, key) = (bytes(&file.chain)?, bytes(&file.key)?);
    let unusable = |path: &Path, error: &dyn ToString| CertificateError::Unusable {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    let certificates = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(&file.chain, &error))?;
    if certificates.is_empty() {
        return Err(CertificateError::NoCertificate { path: file.chain.clone() });
    }
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|source| CertificateError::NoKey { path: file.key.clone(), source })?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| unusable(&file.key, &error))?;
    let pair = CertifiedKey::new(certificates, key);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(CertificateError::Mismatch { key: file.key.clone(), chain: file.chain.clone() })
        }
        Err(error) => Err(unusable(&file.chain, &error)),
    }
}

/// The names of hosts in the first certificate of a chain, in small letters.
fn names(pair: &CertifiedKey, path: &Path) -> Result<Vec<String>, CertificateError> {
    let unusable = |problem: String| CertificateError::Unusable { path: path.to_owned(), problem };
    let own = pair.end_entity_cert().map_err(|error| unusable(error.to_string()))?;
    let own = webpki::EndEntityCert::try_from(own).map_err(|error| unusable(error.to_string()))?;
    Ok(own.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |source| CertificateError::Unreadable { path: path.to_owned(), source };
    // Opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(CertificateError::NoFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= FILE_BYTES_MAX) {
        return Ok(bytes);
    }
    Err(CertificateError::Long { path: path.to_owned() })
}

/// Whether files are those that were read: which they are, how long, and when written.
type Stamps = Vec<Option<(u64, u64, u64, Option<SystemTime>)>>;

fn stamps(files: &[Certificate]) -> Stamps {
    let paths = files.iter().flat_map(|file| [&file.chain, &file.key]);
    let stamp = |path: &PathBuf| {
        let stat = fs::metadata(path).ok()?;
        Some((stat.dev(), stat.ino(), stat.len(), stat.modified().ok()))
    };
    paths.map(stamp).collect()
}

/// The certificates in force.
#[derive(Debug)]
struct Served(ArcSwap<Chosen>);

impl ResolvesServerCert for Served {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().pair(hello.server_name(), hello.signature_schemes()).map(Arc::clone)
    }
}

/// Asks for a look at the files now.
#[derive(Debug, Clone)]
pub(crate) struct Prod(Option<Sender<()>>);

impl Prod {
    /// Looks soon; the outcome is in the log.
    pub(crate) fn look(&self) {
        if let Some(sender) = &self.0 {
            // One that waits already is enough.
            let _ = sender.try_send(());
        }
    }
}

/// What handshakes are made with; without certificates there is no TLS.
pub(crate) struct Tls {
    config: Option<Arc<ServerConfig>>,
    figures: Arc<CertificateFigures>,
    prod: Prod,
}

impl Tls {
    /// Reads the certificates, and follows their files from then on, until this and every [`Prod`]
    /// of it is gone.
    pub(crate) fn start(files: &[Certificate], shard_cores: &[usize]) -> Result<Self, TlsError> {
        if files.is_empty() {
            return Ok(Self { config: None, figures: Arc::default(), prod: Prod(None) });
        }
        // Before the files are read: what changes meanwhile is seen by the next look.
        let read = stamps(files);
        let (chosen, figures) = (Chosen::read(files)?, Arc::default());
        chosen.tell(&figures);
        let served = Arc::new(Served(ArcSwap::from_pointee(chosen)));
        let config = config(Arc::clone(&served)).map_err(TlsError::Library)?;
        let (prod, prodded) = bounded(1);
        let renewal = Renewal {
            files: files.to_vec(),
            served,
            figures: Arc::clone(&figures),
            settled: read.clone(),
            seen: read,
        };
        let place = Place { core: None, shard_cores, weight: Weight::Least };
        aside::spawn("certificates", place, move || renewal.run(&prodded))
            .map_err(TlsError::Thread)?;
        Ok(Self { config: Some(Arc::new(config)), figures, prod: Prod(Some(prod)) })
    }

    /// The certificates, if all of them could be served.
    pub(crate) fn check(files: &[Certificate]) -> Result<Vec<Dated>, TlsError> {
        Ok(Chosen::read(files)?.dated)
    }

    /// Until when the certificates hold, if there are any.
    pub(crate) fn figures(&self) -> Option<Arc<CertificateFigures>> {
        self.config.is_some().then(|| Arc::clone(&self.figures))
    }

    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.config.clone().map(TlsAcceptor::from)
    }

    pub(crate) fn prod(&self) -> Prod {
        self.prod.clone()
    }
}

fn config(served: Arc<Served>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are resumed on any core, without a table of them.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

/// Serves new files once they are there.
struct Renewal {
    files: Vec<Certificate>,
    served: Arc<Served>,
    figures: Arc<CertificateFigures>,
    /// Of the files that are served, or that were said to be unusable.
    settled: Stamps,
    /// As of the last look.
    seen: Stamps,
}

impl Renewal {
    fn run(mut self, prodded: &Receiver<()>) {
        loop {
            match prodded.recv_timeout(LOOK) {
                Ok(()) => self.look(true),
                Err(RecvTimeoutError::Timeout) => self.look(false),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at the files. What cannot be used is said once it has stayed as it is from one look to
    /// the next, or at once if somebody has `asked`: before that it may be half replaced.
    fn look(&mut self, asked: bool) {
        let now = stamps(&self.files);
        if now != self.settled || asked {
            match Chosen::read(&self.files) {
                Ok(chosen) => {
                    chosen.tell(&self.figures);
                    self.served.0.store(Arc::new(chosen));
                    tracing::info!(count = self.files.len(), "certificates read again");
                    self.settled.clone_from(&now);
                }
                Err(error) if asked || now == self.seen => {
                    tracing::warn!(%error, "certificates cannot be renewed, those before stay");
                    self.settled.clone_from(&now);
                }
                Err(_) => {}
            }
        }
        self.seen = now;
    }
}
