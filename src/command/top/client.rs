//! Asks a running server for its figures over its control socket.
//!
//! # Does not
//!
//! Keep a connection: a server that starts again is found by the next reading.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::observe::readout::Figures;

const REQUEST: &[u8] = b"{\"command\":\"figures\"}\n";
/// How long a server may take; the screen stands still meanwhile.
const REPLY_TIME: Duration = Duration::from_secs(2);
/// Longest reply, bytes: 1,024 shards with six full histograms each are about 20 MB.
const REPLY_BYTES_MAX: u64 = 32 << 20;

/// Where figures come from.
#[derive(Debug)]
pub(super) struct Client {
    /// The control socket.
    pub(super) path: PathBuf,
}

/// `{"ok":{...}}` or `{"error":"..."}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(Box<Figures>),
    Error(String),
}

impl Client {
    /// The figures now.
    pub(super) fn figures(&self) -> Result<Figures, String> {
        let path = self.path.display();
        let reply = self.exchange().map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                    "; no server runs there, or its server.control names another socket"
                }
                ErrorKind::PermissionDenied => "; the socket is for the server's user, and root",
                ErrorKind::WouldBlock | ErrorKind::TimedOut => "; the server does not answer",
                _ => "",
            };
            format!("{path}: {error}{hint}")
        })?;
        match serde_json::from_slice(&reply) {
            Ok(Reply::Ok(figures)) => Ok(*figures),
            Ok(Reply::Error(problem)) => Err(format!("{path}: {problem}")),
            Err(error) => Err(format!("{path}: what answers there is no server: {error}")),
        }
    }

    fn exchange(&self) -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(REPLY_TIME))?;
        stream.set_write_timeout(Some(REPLY_TIME))?;
        stream.write_all(REQUEST)?;
        let mut reply = Vec::new();
        BufReader::new(stream.take(REPLY_BYTES_MAX)).read_until(b'\n', &mut reply)?;
        if reply.last() != Some(&b'\n') {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the reply is cut short"));
        }
        Ok(reply)
    }
}
