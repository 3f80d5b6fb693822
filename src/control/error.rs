//! Why a server does not do what an operator asks, and why it has no control socket.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use ipnet::IpNet;

use super::commands::BLOCK_S_MAX;
use super::protocol::REQUEST_BYTES_MAX;
use super::socket::CLIENTS_MAX;
use crate::config::ConfigError;
use crate::policy::display::settings::TextError;
use crate::policy::lists::{ListError, PrefixError};

/// Why a request is not carried out, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A line is not a request.
    #[error("no request: {source}")]
    NoRequest {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line is longer than a request may be.
    #[error("a request has at most {REQUEST_BYTES_MAX} bytes")]
    LongRequest,
    /// There are as many clients as there may be.
    #[error("{CLIENTS_MAX} clients are connected; try again")]
    Clients,
    /// The thread of a command has panicked.
    #[error("the command broke; the server's log says more")]
    Broken,
    /// The text after `block` or `unblock` is not a prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A prefix is shorter than a command may block.
    #[error(
        "{prefix} is too wide, /{shortest} is the shortest prefix that can be blocked; deny it in \
         a list if that is meant"
    )]
    Wide {
        /// The prefix.
        prefix: IpNet,
        /// The length of the shortest, bits.
        shortest: u8,
    },
    /// A block is to last for less than a second, or for longer than the longest.
    #[error(
        "{seconds} s is out of bounds, 1 to {BLOCK_S_MAX} s are allowed; deny the prefix in a list \
         if it is to last"
    )]
    Seconds {
        /// How long it is to last.
        seconds: u64,
    },
    /// The reason of a block cannot be part of a refusal.
    #[error("reason: {source}")]
    Reason {
        /// What is wrong with it.
        source: TextError,
    },
    /// The thread that keeps the blocks does not answer in time.
    #[error(
        "the thread that keeps blocks is busy; what was asked may be done later: look with \
         `whoisd list`"
    )]
    Busy,
    /// The server is ending.
    #[error("the server is ending")]
    Ending,
    /// Another reload is still running.
    #[error("the server is reloading since long; try again")]
    Reloading,
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A list names a tier that the new configuration does not have.
    #[error(transparent)]
    List(#[from] ListError),
    /// A part of the server cannot make what the new configuration asks for.
    #[error(transparent)]
    Part(PartError),
}

/// Why a part of the server cannot make what the configuration asks for: an error of the part's.
pub type PartError = Box<dyn Error + Send + Sync>;

/// Why there is no control socket at a path.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system refuses something.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket, or its folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another program does not let go of the folder's lock.
    #[error("{}: another program holds a lock on its folder since long", path.display())]
    Locked {
        /// The socket.
        path: PathBuf,
    },
    /// The folder's path leads to something else.
    #[error("{}: is not a directory", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// This user may not make files in the folder.
    #[error("{}: this user may not write there: {source}", path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: rustix::io::Errno,
    },
    /// Something else has the path.
    #[error(
        "{}: is there and is not a socket; take it away, or name another path",
        path.display()
    )]
    NoSocket {
        /// The socket.
        path: PathBuf,
    },
    /// Another server answers there.
    #[error(
        "{}: a server answers there already; name another path for this one", path.display()
    )]
    Answers {
        /// The socket.
        path: PathBuf,
    },
}
