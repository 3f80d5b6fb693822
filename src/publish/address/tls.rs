//! TLS to the database, as libpq's `sslmode` has it: whether, and whose certificate is good.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer` (the default), `allow` | if the server can | any |
//! | `require` | yes | any; as `verify-ca` if `sslrootcert` is given |
//! | `verify-ca` | yes | signed by one of `sslrootcert` |
//! | `verify-full` | yes | that, and of this host's name |
//!
//! `sslrootcert` is a file of certificates, or `system`: those that the machine trusts.
//!
//! # Invariants
//!
//! - A certificate that is to be verified and cannot be is an error before anything is connected.
//!
//! # Does not
//!
//! Ask a socket for TLS: it has none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::TlsError;

/// The name of the protocol, which newer servers ask for.
const PROTOCOL: &[u8] = b"postgresql";
/// `sslrootcert` that means the machine's own certificates.
const SYSTEM: &str = "system";

/// How far TLS goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::publish) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "disable" => Some(Self::Disable),
            // A plain connection first would send the user's name in the open.
            "allow" | "prefer" => Some(Self::Prefer),
            "require" => Some(Self::Require),
            "verify-ca" => Some(Self::VerifyCa),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}

/// A setting of TLS: how it is written, and its value.
type Said = Option<(String, String)>;

/// What an operator wants, and what lies in the user's folder.
pub(super) struct Wanted {
    pub(super) mode: Said,
    /// Whether the URL itself has it.
    pub(super) is_mode_given: bool,
    pub(super) root: Said,
    pub(super) own_root: Option<PathBuf>,
    pub(super) certificate: Said,
    pub(super) own_certificate: Option<PathBuf>,
    pub(super) key: Said,
    pub(super) own_key: Option<PathBuf>,
}

/// Makes connections.
#[derive(Clone)]
pub(in crate::publish) struct Maker {
    mode: Mode,
    connect: MakeRustlsConnect,
}

impl Maker {
    /// Reads the certificates that are wanted. `has_tcp`: whether any host is not a socket.
    ///
    /// # Errors
    ///
    /// The setting that does not read, or cannot be kept, as it is written.
    pub(super) fn new(wanted: &Wanted, has_tcp: bool) -> Result<Self, TlsError> {
        let is_system = wanted.root.as_ref().is_some_and(|(_, value)| value.as_str() == SYSTEM);
        let mut mode = match &wanted.mode {
            None if is_system => Mode::VerifyFull,
            None => Mode::Prefer,
            Some((shown, word)) => {
                Mode::parse(word).ok_or_else(|| TlsError::Mode { shown: shown.clone() })?
            }
        };
        // The environment is for every host; a socket has no use for it.
        if !has_tcp && !wanted.is_mode_given {
            mode = Mode::Disable;
        }
        let is_of_url = |said: &Said| said.as_ref().is_some_and(|(shown, _)| !is_variable(shown));
        let root = wanted.root.as_ref().filter(|_| has_tcp || is_of_url(&wanted.root));
        let roots = match (root, &wanted.own_root) {
            (Some((shown, _)), _) if is_system => Some(system_roots(shown)?),
            (Some((shown, path)), _) => Some(roots(shown, Path::new(path))?),
            (None, Some(path)) if mode >= Mode::VerifyCa => {
                Some(roots(&path.display().to_string(), path)?)
            }
            (None, _) => None,
        };
        let mode_shown = || {
            wanted.mode.as_ref().map_or_else(|| "sslmode".to_owned(), |(shown, _)| shown.clone())
        };
        if is_system && has_tcp && mode < Mode::VerifyFull {
            return Err(TlsError::System { shown: mode_shown() });
        }
        if mode == Mode::Require && roots.is_some() {
            mode = Mode::VerifyCa;
        }
        if mode >= Mode::VerifyCa && roots.is_none() {
            return Err(TlsError::NoRoots { shown: mode_shown() });
        }
        let own = own_certificate(wanted, has_tcp)?;
        let config = config(mode, roots, own)?;
        Ok(Self { mode, connect: MakeRustlsConnect::new(config) })
    }

    /// How far TLS goes.
    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    /// What the driver makes connections with.
    pub(in crate::publish) fn connect(&self) -> MakeRustlsConnect {
        self.connect.clone()
    }
}

fn is_variable(shown: &str) -> bool {
    shown.starts_with("PG")
}

fn config(
    mode: Mode,
    roots: Option<RootCertStore>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match roots.filter(|_| mode >= Mode::VerifyCa) {
        None => Arc::new(Any(provider)),
        Some(roots) => {
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            let chain = built.build()?;
            if mode == Mode::VerifyFull { chain } else { Arc::new(OfAnyName(chain)) }
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

/// The certificates of a file.
fn certificates(shown: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read: Vec<_> = read.map_err(|source| TlsError::Pem { shown: shown.to_owned(), source })?;
    if read.is_empty() {
        return Err(TlsError::NoCertificate { shown: shown.to_owned() });
    }
    Ok(read)
}

fn roots(shown: &str, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(shown, path)? {
        let added = roots.add(certificate);
        added.map_err(|source| TlsError::Root { shown: shown.to_owned(), source })?;
    }
    Ok(roots)
}

fn system_roots(shown: &str) -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let source = found.errors.into_iter().next();
        return Err(TlsError::NoSystemRoots { shown: shown.to_owned(), source });
    }
    Ok(roots)
}

/// The certificate that this end shows, and its key, if there is one.
fn own_certificate(
    wanted: &Wanted,
    has_tcp: bool,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, TlsError> {
    let place = |said: &Said, own: &Option<PathBuf>| match said {
        Some((shown, path)) if has_tcp || !is_variable(shown) => {
            Some((shown.clone(), PathBuf::from(path)))
        }
        Some(_) => None,
        None => own.as_ref().map(|path| (path.display().to_string(), path.clone())),
    };
    let certificate = place(&wanted.certificate, &wanted.own_certificate);
    let Some((shown, path)) = certificate else { return Ok(None) };
    let chain = certificates(&shown, &path)?;
    let Some((key_shown, key_path)) = place(&wanted.key, &wanted.own_key) else {
        return Err(TlsError::NoKey { shown });
    };
    let key = PrivateKeyDer::from_pem_file(&key_path);
    Ok(Some((chain, key.map_err(|source| TlsError::Pem { shown: key_shown, source })?)))
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate of a CA that is trusted, whatever name it is for.
#[derive(Debug)]
struct OfAnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for OfAnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last, once the chain is good.
        match self.0.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
