//! Connections to one of several servers, and the address of a stream.
//!
//! # Invariants
//!
//! - Each server is tried once, within a bounded time, from the one after the last that was tried.
//! - A password in an address is in no message.
//!
//! # Does not
//!
//! Reconnect: a caller that loses a connection comes again, after a pause.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, ServerAddr};

use super::error::{AddressError, ConnectError, ServerError};
use crate::secret;

/// Stream without another name.
pub const STREAM: &str = "WHOISD";
/// Subject of that stream; another stream appends its name.
const SUBJECT: &str = "whoisd.changes";
/// Most servers of one stream.
pub const SERVER_COUNT_MAX: usize = 16;
/// Longest name of a stream or of a durable consumer, bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Characters of a host's name that are part of its durable consumer's.
pub(super) const HOST_CHARS_MAX: usize = 56;

/// Which stream, on which servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Servers of one cluster, or one: `nats://host:port`, `tls://host:port`.
    pub servers: Vec<String>,
    /// Name of the stream.
    pub stream: String,
    /// File with credentials, if the servers want them: NATS's own (`.creds`), or one line
    /// `user:password`.
    pub credentials: Option<PathBuf>,
}

impl Address {
    /// Reads `nats://host:port[,host:port..][/STREAM]`; the default stream is [`STREAM`], the
    /// default port 4222. `tls://` wants TLS.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |problem| AddressError::Url { problem: Box::new(problem) };
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if !matches!(scheme, "nats" | "tls") {
            return Err(wrong(AddressError::Scheme));
        }
        let (hosts, stream) = rest.split_once('/').unwrap_or((rest, ""));
        let servers = hosts.split(',').take(SERVER_COUNT_MAX.saturating_add(1));
        let servers = servers.map(|host| format!("{scheme}://{host}")).collect();
        let stream = if stream.is_empty() { STREAM } else { stream }.to_owned();
        let address = Self { servers, stream, credentials: None };
        address.check().map_err(wrong)?;
        Ok(address)
    }

    /// Checks names and the form of addresses.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check(&self) -> Result<(), AddressError> {
        let count = self.servers.len();
        if count == 0 || count > SERVER_COUNT_MAX {
            return Err(AddressError::Count { got: count });
        }
        for server in &self.servers {
            place(server)?;
        }
        check_name("stream", &self.stream)
    }

    /// Subject of the stream's messages.
    #[must_use]
    pub fn subject(&self) -> String {
        if self.stream == STREAM {
            SUBJECT.to_owned()
        } else {
            format!("{SUBJECT}.{}", self.stream)
        }
    }
}

/// Checks the name of a stream or of a durable consumer: what a subject can hold as one word.
///
/// # Errors
///
/// It is not such a name.
pub fn check_name(what: &'static str, name: &str) -> Result<(), AddressError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(known) {
        let got = name.chars().take(NAME_BYTES_MAX).collect();
        return Err(AddressError::Name { what, got });
    }
    Ok(())
}

/// A connection and its server.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    /// `host:port`.
    pub(crate) server: String,
}

/// Connects to the first server that answers, beginning with number `next`, which then points to
/// the one after it.
///
/// # Errors
///
/// What each server did.
pub(crate) async fn connect(
    address: &Address,
    next: &mut usize,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    let mut failed = Vec::new();
    for _ in 0..address.servers.len() {
        let at = next.checked_rem(address.servers.len()).unwrap_or(0);
        *next = at.saturating_add(1);
        let Some(server) = address.servers.get(at) else { break };
        let name = place(server)?;
        let tried = try_server(server, address.credentials.as_deref(), timeout);
        match tokio::time::timeout(timeout, tried).await {
            Ok(Ok(client)) => {
                let mut jetstream = jetstream::new(client.clone());
                jetstream.set_timeout(timeout);
                return Ok(Connection { client, jetstream, server: name });
            }
            Ok(Err(problem)) => failed.push((name, problem)),
            Err(_) => failed.push((name, ServerError::Silent { within_ms: timeout.as_millis() })),
        }
    }
    Err(ConnectError::Unreachable { tried: failed })
}

async fn try_server(
    server: &str,
    credentials: Option<&Path>,
    timeout: Duration,
) -> Result<Client, ServerError> {
    let options = ConnectOptions::new()
        .name("whoisd")
        .connection_timeout(timeout)
        .request_timeout(Some(timeout))
        .ignore_discovered_servers()
        // One try: then the next server's turn has come.
        .max_reconnects(1);
    let options = match credentials {
        Some(path) => with_credentials(options, path)?,
        None => options,
    };
    let parsed: ServerAddr = server.parse().map_err(ServerError::Address)?;
    options.connect(parsed).await.map_err(ServerError::Refused)
}

fn with_credentials(options: ConnectOptions, path: &Path) -> Result<ConnectOptions, ServerError> {
    let text = secret::read(path)?;
    let path = || path.to_owned();
    if text.contains("BEGIN NATS USER JWT") {
        let read = options.credentials(&text);
        return read.map_err(|source| ServerError::Credentials { path: path(), source });
    }
    let (user, password) =
        secret::pair(&text).ok_or_else(|| ServerError::CredentialsForm { path: path() })?;
    Ok(options.user_and_password(user.to_owned(), password.to_owned()))
}

/// `host:port` of a server's address.
fn place(server: &str) -> Result<String, AddressError> {
    // The address is not quoted: it may hold a password, although it should not.
    let parsed: Result<ServerAddr, _> = server.parse();
    let parsed = parsed.map_err(|_| AddressError::Unread)?;
    if parsed.host().is_empty() || !matches!(parsed.scheme(), "nats" | "tls") {
        return Err(AddressError::Form);
    }
    if parsed.has_user_pass() || parsed.password().is_some() {
        return Err(AddressError::Password);
    }
    let host = parsed.host();
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    Ok(format!("{open}{host}{close}:{}", parsed.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_servers_and_stream() {
        let address = Address::parse("nats://a:4222,b:4223/CHANGES").unwrap();
        assert_eq!(address.servers, ["nats://a:4222", "nats://b:4223"]);
        assert_eq!(
            (address.stream.as_str(), &*address.subject()),
            ("CHANGES", "whoisd.changes.CHANGES")
        );
        let short = Address::parse("tls://[::1]").unwrap();
        assert_eq!((short.stream.as_str(), &*short.subject()), ("WHOISD", "whoisd.changes"));
        assert_eq!(place(&short.servers[0]).unwrap(), "[::1]:4222");
    }

    #[test]
    fn a_wrong_address_is_refused_without_its_password() {
        let many = format!("nats://{}", vec!["a"; 17].join(","));
        for bad in [
            "",
            "a:4222",
            "http://a",
            "nats://",
            "nats://,",
            "nats://a:secret@b:x",
            "nats://a:secret@b:1",
            "nats://a/b.c",
            "nats://a/b c",
            many.as_str(),
        ] {
            let problem = Address::parse(bad).unwrap_err().to_string();
            assert!(
                problem.contains("expected nats://") && !problem.contains("secret"),
                "{problem}"
            );
        }
    }
}
