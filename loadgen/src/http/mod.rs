//! HTTP as a client speaks it, without I/O: bytes that came in, bytes to send out. HTTP/1.1 or
//! HTTP/2, in the clear or over TLS, one request at a time on a connection.
//!
//! ```text
//! received ─▶ Tls ─▶ one (HTTP/1.1) or two (HTTP/2) ─▶ Answer
//! to send  ◀─ Tls ◀─ one or two ◀─ path
//! ```
//!
//! # Invariants
//!
//! - Of an answer at most [`ANSWER_BYTES_MAX`] bytes are kept; the rest is counted.
//! - A server's bytes end a connection at worst, with the name of a failure as results have it.
//!
//! # Does not
//!
//! Own sockets, follow redirects, or trust anybody: certificates are taken as they come.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod one;
mod tls;
mod two;

pub use tls::{Tls, TlsError};

use rustls::HandshakeKind;

use crate::ring::ANSWER_BYTES_MAX;

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its first bytes, without the framing.
    pub body: &'a [u8],
}

/// What came of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// More has to come.
    More,
    /// There is something to send first; see [`Session::output`].
    Say,
    /// The answer is there.
    Answered,
}

/// A name of a failure, as results have it.
pub type Fault = &'static str;

/// Which HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1 (RFC 9112).
    One,
    /// HTTP/2 (RFC 9113), in the clear with prior knowledge.
    Two,
}

/// How HTTP is spoken in a run.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// What is asked for; see [`crate::protocol::path`].
    pub path: String,
    /// `Host` or `:authority`, and the server's name in TLS.
    pub host: String,
    /// Whether over TLS.
    pub is_tls: bool,
    /// Whether connections of TLS resume earlier ones.
    pub resumes: bool,
    /// Whether connections are kept for the next query.
    pub is_kept: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let (path, host) = ("/".to_owned(), "localhost".to_owned());
        Self { path, host, is_tls: false, resumes: true, is_kept: false }
    }
}

/// What all connections of a core have in common.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Which HTTP.
    pub version: Version,
    /// `Host`, or `:authority`.
    pub host: String,
    /// Whether a connection is kept for the next request.
    pub is_kept: bool,
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
}

impl Speech {
    /// Of a core.
    ///
    /// # Errors
    ///
    /// If TLS cannot be spoken with such a host.
    pub fn new(version: Version, settings: &HttpSettings) -> Result<Self, TlsError> {
        let HttpSettings { host, is_tls, resumes, is_kept, .. } = settings;
        let tls = is_tls.then(|| Tls::new(host, version, *resumes)).transpose()?;
        Ok(Self { version, host: host.clone(), is_kept: *is_kept, tls })
    }
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    tls: Option<Box<rustls::ClientConnection>>,
    talk: Talk,
    plain: Vec<u8>,
    is_kept: bool,
}

#[derive(Debug)]
enum Talk {
    One(one::Talk),
    Two(Box<two::Talk>),
}

impl Session {
    /// A connection that has not sent anything yet.
    ///
    /// # Errors
    ///
    /// If TLS or HTTP/2 cannot begin.
    pub fn open(speech: &Speech) -> Result<Self, Fault> {
        let tls = speech.tls.as_ref().map(Tls::connect).transpose()?;
        let talk = match speech.version {
            Version::One => Talk::One(one::Talk::default()),
            Version::Two => Talk::Two(Box::new(two::Talk::begin()?)),
        };
        Ok(Self { tls: tls.map(Box::new), talk, plain: Vec::new(), is_kept: speech.is_kept })
    }

    /// Asks for a path.
    ///
    /// # Errors
    ///
    /// If HTTP/2 takes no request now, or the path is none.
    pub fn ask(&mut self, speech: &Speech, path: &str) -> Result<(), Fault> {
        match &mut self.talk {
            Talk::One(talk) => {
                talk.ask(path, &speech.host, speech.is_kept, &mut self.plain);
                Ok(())
            }
            Talk::Two(talk) => talk.ask(path, &speech.host, speech.tls.is_some()),
        }
    }

    /// Appends what is to be sent now.
    ///
    /// # Errors
    ///
    /// If TLS takes no more.
    pub fn output(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        if let Talk::Two(talk) = &mut self.talk {
            talk.turn()?;
            talk.output(&mut self.plain);
        }
        match &mut self.tls {
            None => into.append(&mut self.plain),
            Some(tls) => {
                tls::say(tls, &mut self.plain)?;
                tls::output(tls, into)?;
            }
        }
        Ok(())
    }

    /// Whether TLS is not ready yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether TLS went on from an earlier connection; `None` before that is known, and without
    /// TLS.
    #[must_use]
    pub fn is_resumed(&self) -> Option<bool> {
        let kind = self.tls.as_ref()?.handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    /// Takes bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with them: `tls-failed`, `malformed`, `no-http2`, `cut-short`.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Heard, Fault> {
        let Self { tls, talk, .. } = self;
        match tls {
            None => talk.take(bytes)?,
            Some(tls) => {
                tls::take(tls, bytes, &mut |plain| talk.take(plain))?;
                let spoken = tls.alpn_protocol();
                let is_two = matches!(talk, Talk::Two(_));
                if is_two && !tls.is_handshaking() && spoken != Some(tls::HTTP_TWO) {
                    return Err("no-http2");
                }
            }
        }
        self.heard()
    }

    /// The server sends no more.
    ///
    /// # Errors
    ///
    /// `cut-short` if that is not the end of an answer.
    pub fn closed(&mut self) -> Result<(), Fault> {
        match &mut self.talk {
            Talk::One(talk) => talk.closed(),
            Talk::Two(talk) if talk.is_answered() => Ok(()),
            Talk::Two(_) => Err("cut-short"),
        }
    }

    /// Whether any of the answer has come.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        match &self.talk {
            Talk::One(talk) => talk.has_begun(),
            Talk::Two(talk) => talk.has_begun(),
        }
    }

    /// The answer, once it is there.
    #[must_use]
    pub fn answer(&self) -> Option<Answer<'_>> {
        match &self.talk {
            Talk::One(talk) => talk.answer(),
            Talk::Two(talk) => talk.answer(),
        }
    }

    /// Whether the connection takes another request.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.is_kept
            && match &self.talk {
                Talk::One(talk) => talk.is_kept(),
                Talk::Two(talk) => talk.is_open(),
            }
    }

    fn heard(&mut self) -> Result<Heard, Fault> {
        let is_answered = match &mut self.talk {
            // One request a connection: the server ends it, and only then is the answer over.
            Talk::One(talk) => self.is_kept && talk.is_answered(),
            Talk::Two(talk) => {
                talk.turn()?;
                talk.output(&mut self.plain);
                talk.is_answered()
            }
        };
        if is_answered {
            return Ok(Heard::Answered);
        }
        let has_more =
            !self.plain.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        Ok(if has_more { Heard::Say } else { Heard::More })
    }
}

impl Talk {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            Self::One(talk) => talk.take(bytes),
            Self::Two(talk) => {
                talk.take(bytes);
                Ok(())
            }
        }
    }
}

/// Keeps the first bytes of a body.
fn keep(body: &mut Vec<u8>, bytes: &[u8]) {
    let room = ANSWER_BYTES_MAX.saturating_sub(body.len());
    body.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

#[cfg(test)]
mod tests;
