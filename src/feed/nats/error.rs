//! Why a stream cannot be addressed, reached, followed or written.
//!
//! # Invariants
//!
//! - `unquoted`: a server's address is in no message, since it may hold a password.
//!
//! # Does not
//!
//! Decide what follows from an error: `run` and the publisher do.

use std::io;
use std::path::PathBuf;

use super::connect::{NAME_BYTES_MAX, SERVER_COUNT_MAX};
use crate::feed::ApplyError;
use crate::secret::Unreadable;

/// An error of the library that speaks to the servers, which has one type for each request; or of a
/// [`Refetch`](super::Refetch).
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The address of a stream cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not a URL of a stream, or what it names cannot be used.
    #[error("{problem}, expected nats://host:port[,host:port..][/STREAM]")]
    Url {
        /// What is wrong.
        problem: Box<Self>,
    },
    /// It has another scheme, or none.
    #[error("the address of the stream does not start with nats:// or tls://")]
    Scheme,
    /// There is no server, or too many of them.
    #[error("{got} servers, expected 1 to {SERVER_COUNT_MAX}")]
    Count {
        /// Their number.
        got: usize,
    },
    /// A server's address is not a URL.
    #[error("a server's address does not read")]
    Unread,
    /// A server's address has another form.
    #[error("a server's address is not nats://host:port or tls://host:port")]
    Form,
    /// A server's address holds what belongs into a file of credentials.
    #[error("a server's address holds a user or a password; put them into a file of credentials")]
    Password,
    /// A name cannot be one word of a subject.
    #[error(
        "{got:?} is not a name of a {what}, expected 1 to {NAME_BYTES_MAX} letters, digits, \"_\" \
         and \"-\""
    )]
    Name {
        /// What it would be the name of.
        what: &'static str,
        /// Its first characters.
        got: String,
    },
}

/// No server can be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A server's address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Each server was tried.
    #[error("no NATS server can be reached: {}", tried_text(.tried))]
    Unreachable {
        /// Each server, `host:port`, and what it did.
        tried: Vec<(String, ServerError)>,
    },
}

fn tried_text(tried: &[(String, ServerError)]) -> String {
    let tried: Vec<_> =
        tried.iter().map(|(server, problem)| format!("{server}: {problem}")).collect();
    tried.join("; ")
}

/// One server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It does not answer.
    #[error("no answer within {within_ms} ms")]
    Silent {
        /// Time that it was given.
        within_ms: u128,
    },
    /// The file of credentials cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The file of credentials holds NATS's own that do not read.
    #[error("credentials {}: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What the library says.
        source: io::Error,
    },
    /// The file of credentials holds something else.
    #[error(
        "credentials {}: neither NATS credentials nor one line \"user:password\"", path.display()
    )]
    CredentialsForm {
        /// The file.
        path: PathBuf,
    },
    /// Its address does not read.
    #[error("{0}")]
    Address(io::Error),
    /// It refuses the connection.
    #[error("{0}")]
    Refused(async_nats::ConnectError),
}

/// Why a session ended that may go better at the next attempt.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// No server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The thread has no runtime.
    #[error("cannot start the feed's runtime: {0}")]
    Runtime(io::Error),
    /// The server has no such stream.
    #[error("{server}: no stream {stream}: {source}; whoever publishes makes it")]
    NoStream { server: String, stream: String, source: Cause },
    /// The stream cannot be read.
    #[error("cannot read the stream: {0}")]
    Unread(Cause),
    /// The durable consumer cannot be replaced or made.
    #[error("cannot {what} the durable consumer {name}: {source}")]
    Consumer { what: &'static str, name: String, source: Cause },
    /// Something ended it while it followed the stream.
    #[error("{server}: {problem}; it is tried again")]
    Broken { server: String, problem: Broken },
    /// The disk refuses what came.
    #[error(transparent)]
    Disk(ApplyError),
}

/// What ended a session that followed a stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// A request for messages was not taken.
    #[error("{0}")]
    Request(Cause),
    /// A request for messages ended before its time.
    #[error("the request ended ({0})")]
    Ended(Cause),
    /// A request for messages ended with its consumer.
    #[error("{CONSUMER_GONE} ({0})")]
    Deleted(Cause),
    /// The connection ended.
    #[error("the connection was lost")]
    Connection,
    /// The stream was removed.
    #[error("the stream is gone: {0}")]
    StreamGone(Cause),
    /// The stream was removed, and another one has its name.
    #[error("the stream was made again")]
    Remade,
    /// The durable consumer was removed.
    #[error("{0}: {CONSUMER_GONE}")]
    ConsumerGone(Cause),
}

/// For a durable consumer that somebody has removed.
const CONSUMER_GONE: &str = "the durable consumer is gone; if another node has the same \
                             feed.nats.durable, give each its own";

/// A snapshot that the stream made necessary did not help.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// There is none.
    #[error("{0}")]
    Refetch(Cause),
    /// It is too old.
    #[error(
        "the snapshot that was fetched holds serial {got}, at least {min} is needed; publish a \
         newer one"
    )]
    Old { got: u64, min: u64 },
    /// Its serials are another source's.
    #[error("the snapshot that was fetched is of another source")]
    OtherSource,
}

/// No server, or none that stores.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The address of the stream cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The thread has no runtime.
    #[error("cannot start the feed's runtime: {0}")]
    Runtime(io::Error),
    /// The stream cannot be made.
    #[error(
        "{server}: cannot make stream {stream}, which asks for {bytes} bytes of storage: {source}; \
         give the servers more (max_file_store), or make the stream yourself"
    )]
    NotMade {
        /// The server.
        server: String,
        /// The stream.
        stream: String,
        /// Most bytes that it would keep.
        bytes: u64,
        /// What the server says.
        source: Cause,
    },
    /// The stream is gone.
    #[error("no stream: {0}")]
    NoStream(Cause),
    /// The end of the stream cannot be read.
    #[error("cannot read it: {0}")]
    Unread(Cause),
    /// Records were not stored, however often they were sent.
    #[error(
        "serials were not stored in {tries} tries: {}",
        last.as_ref().map(ToString::to_string).unwrap_or_default()
    )]
    NotStored {
        /// How often.
        tries: usize,
        /// Why the last of them failed, unless the server had seen the records before.
        last: Option<NotStored>,
    },
}

/// What came of one try to store records.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// The stream has other messages at its end.
    #[error("the stream does not end where it did: somebody else publishes")]
    Elsewhere,
    /// The server refuses, or does not answer.
    #[error("{server}: {source}")]
    Refused {
        /// The server.
        server: String,
        /// What it says.
        source: Cause,
    },
}
