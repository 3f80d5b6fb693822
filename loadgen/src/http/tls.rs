//! TLS 1.2 and 1.3 by `rustls`.
//!
//! # Does not
//!
//! Check whose a certificate is: a generator measures a server, and tells it nothing.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::{Fault, Version};

/// HTTP/2 as ALPN names it (RFC 9113 section 3.2).
pub(super) const HTTP_TWO: &[u8] = b"h2";
/// HTTP/1.1 (RFC 7301 section 6).
const HTTP_ONE: &[u8] = b"http/1.1";
/// Bytes of plain text that are read at once.
const PART_BYTES: usize = 16_384;

/// Why TLS cannot be spoken.
#[derive(Debug)]
pub enum TlsError {
    /// The name of the server is none.
    Name {
        /// What was given.
        host: String,
    },
    /// The library refuses its settings.
    Library(Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { host } => write!(
                f,
                "--http-host: {host:?} is neither a host name nor an address; TLS needs one, as \
                 in rdap.example"
            ),
            Self::Library(source) => write!(f, "TLS: {source}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// How TLS is spoken. Sessions that can be resumed are in it: a core has its own.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// For the server `host` (with or without a port); with `resumes`, later connections resume
    /// earlier ones.
    ///
    /// # Errors
    ///
    /// If `host` cannot be a server's name.
    pub fn new(host: &str, version: Version, resumes: bool) -> Result<Self, TlsError> {
        let bare = bare(host);
        let refused = |_| TlsError::Name { host: host.to_owned() };
        let name = ServerName::try_from(bare.to_owned()).map_err(refused)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![match version {
            Version::One => HTTP_ONE.to_vec(),
            Version::Two => HTTP_TWO.to_vec(),
        }];
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Self { config: Arc::new(config), name })
    }

    pub(super) fn connect(&self) -> Result<ClientConnection, Fault> {
        let config = Arc::clone(&self.config);
        ClientConnection::new(config, self.name.clone()).map_err(|_| "tls-failed")
    }
}

/// A host without its port and brackets.
fn bare(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

/// Encrypts `plain`, which is empty then.
pub(super) fn say(tls: &mut ClientConnection, plain: &mut Vec<u8>) -> Result<(), Fault> {
    tls.writer().write_all(plain).map_err(|_| "tls-failed")?;
    plain.clear();
    Ok(())
}

/// Appends what TLS has to send.
pub(super) fn output(tls: &mut ClientConnection, into: &mut Vec<u8>) -> Result<(), Fault> {
    while tls.wants_write() {
        let _ = tls.write_tls(into).map_err(|_| "tls-failed")?;
    }
    Ok(())
}

/// Decrypts `bytes`.
pub(super) fn take(
    tls: &mut ClientConnection,
    bytes: &[u8],
    visit: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut rest = bytes;
    let mut part = [0; PART_BYTES];
    while !rest.is_empty() {
        let _ = tls.read_tls(&mut rest).map_err(|_| "tls-failed")?;
        let _ = tls.process_new_packets().map_err(|_| "tls-failed")?;
        loop {
            match tls.reader().read(&mut part) {
                // Closed, with a notice.
                Ok(0) => return Ok(()),
                Ok(count) => visit(part.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err("tls-failed"),
            }
        }
    }
    Ok(())
}

/// Takes every certificate; that the server has its key is checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_server_is_taken_without_its_port() {
        for (host, name) in [
            ("rdap.example", "rdap.example"),
            ("rdap.example:8443", "rdap.example"),
            ("192.0.2.1:443", "192.0.2.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(bare(host), name);
            assert!(Tls::new(host, Version::One, true).is_ok(), "{host}");
        }
        let error = Tls::new("a b", Version::One, true).unwrap_err().to_string();
        assert!(error.contains("\"a b\" is neither a host name nor an address"), "{error}");
    }
}
