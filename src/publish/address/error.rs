//! What is wrong with the address of a database.
//!
//! # Invariants
//!
//! - No message holds a password.

use std::io;
use std::path::PathBuf;

use rustls::client::VerifierBuilderError;
use rustls::pki_types::pem;

use super::{KNOWN, OWN};

/// The address of a database, or a setting of it elsewhere, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It has another scheme, or none.
    #[error("got something that does not begin with postgres://")]
    Scheme,
    /// A parameter has no value.
    #[error("the parameter {name:?} has no value")]
    NoValue {
        /// The first characters of its name.
        name: String,
    },
    /// The value of a parameter is not encoded as a URL has it.
    #[error("{name} does not read")]
    Encoding {
        /// The parameter.
        name: &'static str,
    },
    /// GSSAPI cannot be required.
    #[error("gssencmode=require is not supported; use sslmode")]
    Gss,
    /// There is no such parameter.
    #[error("the parameter {name:?} is not known; there are {}", known_text())]
    Unknown {
        /// The first characters of its name.
        name: String,
    },
    /// The driver refuses the value of a parameter.
    #[error("{}", std::error::Error::source(.0).map(ToString::to_string).unwrap_or_default())]
    Value(tokio_postgres::Error),
    /// The driver refuses the rest, in words that may quote a password.
    #[error("it does not read as one")]
    Unread,
    /// `PGPORT` is not a port.
    #[error("PGPORT is {got:?}, expected a port")]
    Port {
        /// Its value.
        got: String,
    },
    /// `PGHOSTADDR` is not an address.
    #[error("PGHOSTADDR is {got:?}")]
    HostAddress {
        /// Its value.
        got: String,
    },
    /// `PGCONNECT_TIMEOUT` is not a number.
    #[error("PGCONNECT_TIMEOUT is {got:?}, expected seconds")]
    Timeout {
        /// Its value.
        got: String,
    },
    /// The file of passwords that the URL names cannot be used.
    #[error("passfile={}: {problem}", path.display())]
    Passfile {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: PassfileError,
    },
    /// TLS as it is wanted cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

fn known_text() -> String {
    KNOWN.into_iter().chain(OWN).collect::<Vec<_>>().join(", ")
}

/// A file of passwords cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PassfileError {
    /// The file system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a folder, or a device.
    #[error("it is not a file")]
    NotFile,
    /// Others may read it.
    #[error("others may read it; its permissions have to be 0600")]
    Exposed,
}

/// TLS as it is wanted cannot be had. `shown` is the parameter, the variable or the file, as it is
/// written.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no such mode.
    #[error("{shown}: expected disable, allow, prefer, require, verify-ca or verify-full")]
    Mode {
        /// The mode.
        shown: String,
    },
    /// The machine's certificates are good for names alone.
    #[error("{shown}: with sslrootcert=system it has to be verify-full")]
    System {
        /// The mode.
        shown: String,
    },
    /// Nothing says whose certificates are good.
    #[error(
        "{shown}: there are no certificates to verify with; add sslrootcert=FILE with those of the \
         CA, or sslrootcert=system"
    )]
    NoRoots {
        /// The mode.
        shown: String,
    },
    /// A file of certificates, or of a key, does not read.
    #[error("{shown}: {source}")]
    Pem {
        /// The file.
        shown: String,
        /// Why not.
        source: pem::Error,
    },
    /// A file of certificates has none.
    #[error("{shown}: there is no certificate in it, expected PEM")]
    NoCertificate {
        /// The file.
        shown: String,
    },
    /// A certificate of a CA cannot be used.
    #[error("{shown}: {source}")]
    Root {
        /// Its file.
        shown: String,
        /// Why not.
        source: rustls::Error,
    },
    /// The machine has no certificates of CAs.
    #[error(
        "{shown}: the machine trusts no certificates{}",
        source.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
    )]
    NoSystemRoots {
        /// What asks for them.
        shown: String,
        /// What went wrong first, if anything did.
        source: Option<rustls_native_certs::Error>,
    },
    /// A certificate is to be shown, and there is no key to it.
    #[error("{shown}: its key is missing; add sslkey=FILE")]
    NoKey {
        /// The certificate.
        shown: String,
    },
    /// The library refuses certificates to verify with.
    #[error("TLS cannot be set up: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// The library refuses the rest.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}
