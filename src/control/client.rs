//! The commands' end of the control socket.
//!
//! # Does not
//!
//! Know what replies mean.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::Request;
use super::protocol::{REPLY_BYTES_MAX, Reply, read_reply};
use super::socket::address;

/// How long a server may take for what it does from memory, at each step: a healthy one takes
/// milliseconds, and a person waits.
pub const REPLY_TIME: Duration = Duration::from_secs(5);
/// The same for a reload: reading a million prefixes takes a few seconds, more on a busy disk.
pub const RELOAD_TIME: Duration = Duration::from_secs(120);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No server is reached there, or the connection breaks.
    #[error("{}: {source}{}", path.display(), hint(source.kind()))]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server does not answer in time.
    #[error(
        "{}: the server does not answer in time, which is {} s{}",
        path.display(),
        time.as_secs_f32(),
        if *is_order { "; it may do later what was asked" } else { "" }
    )]
    Late {
        /// The socket.
        path: PathBuf,
        /// How long a step may take.
        time: Duration,
        /// Whether it may do later what was asked.
        is_order: bool,
    },
    /// The reply is not JSON.
    #[error("{}: no reply: {source}", path.display())]
    NoReply {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The reply has neither a result nor an error.
    #[error("{}: a reply without \"ok\" and \"error\"", path.display())]
    NeitherReply {
        /// The socket.
        path: PathBuf,
    },
    /// The thread that asks has panicked.
    #[error("{}: the thread that asks broke", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
    },
    /// The server does not do it.
    #[error("{reason}")]
    Refused {
        /// Why, in the server's words.
        reason: String,
    },
}

fn hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "; no server runs there, or its configuration names another socket"
        }
        ErrorKind::PermissionDenied => "; the socket is for the server's own user, and root",
        _ => "",
    }
}

/// Asks the server whose control socket is at `path`.
///
/// # Errors
///
/// There is no server, it does not answer, or it refuses.
pub fn ask(path: &Path, request: &Request) -> Result<Value, AskError> {
    let time = if *request == Request::Reload { RELOAD_TIME } else { REPLY_TIME };
    ask_within(path, request, time)
}

/// The same, where each step may take `time`.
///
/// # Errors
///
/// As [`ask`].
pub fn ask_within(path: &Path, request: &Request, time: Duration) -> Result<Value, AskError> {
    let line = exchange(path, request, time).map_err(|source| match source.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let is_order = matches!(
                request,
                Request::Block { .. } | Request::Unblock { .. } | Request::Reload
            );
            AskError::Late { path: path.to_owned(), time, is_order }
        }
        _ => AskError::Io { path: path.to_owned(), source },
    })?;
    let reply = read_reply(&line);
    match reply.map_err(|source| AskError::NoReply { path: path.to_owned(), source })? {
        Reply::Done(value) => Ok(value),
        Reply::Refused(reason) => Err(AskError::Refused { reason }),
        Reply::Neither => Err(AskError::NeitherReply { path: path.to_owned() }),
    }
}

fn exchange(path: &Path, request: &Request, time: Duration) -> io::Result<Vec<u8>> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_read_timeout(Some(time))?;
    // Of connecting, too: a server that hangs takes none once its queue is full.
    socket.set_write_timeout(Some(time))?;
    socket.connect(&address(path)?)?;
    let mut stream = UnixStream::from(socket);
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // A server that has no room says so and closes, perhaps before it was asked.
    let asked = stream.write_all(&line);
    let mut reply = Vec::new();
    let mut reader = BufReader::new(stream.take(REPLY_BYTES_MAX as u64));
    let read = reader.read_until(b'\n', &mut reply);
    if reply.is_empty() {
        asked?;
    }
    read?;
    if reply.last() != Some(&b'\n') {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the reply is cut short"));
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::net::UnixListener;

    use crate::observe::clock;

    #[test]
    fn a_server_that_hangs_holds_nobody_up_for_longer_than_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _hangs = UnixListener::bind(&path).unwrap();
        let begun = clock::monotonic();
        // The first ones fill its queue, if that is short.
        for _ in 0..5 {
            let time = Duration::from_millis(20);
            let error = ask_within(&path, &Request::Figures, time).unwrap_err().to_string();
            assert!(error.contains("the server does not answer in time"), "{error}");
            assert!(!error.contains("os error"), "{error}");
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let short = folder.path().join("short.sock");
        socket.bind(&address(&short).unwrap()).unwrap();
        socket.listen(1).unwrap();
        for _ in 0..5 {
            let time = Duration::from_millis(20);
            let error = ask_within(&short, &Request::Figures, time).unwrap_err().to_string();
            assert!(error.contains("the server does not answer in time"), "{error}");
        }
        assert!(clock::monotonic().saturating_duration_since(begun) < Duration::from_secs(120));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_told_its_bound() {
        let path = Path::new("/run").join("w".repeat(110));
        let error = ask(&path, &Request::Figures).unwrap_err().to_string();
        assert!(error.contains("115 bytes") && error.contains("at most 107"), "{error}");
    }
}
