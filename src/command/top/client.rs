//! Asks a running server for its figures over its control socket.
//!
//! # Does not
//!
//! Keep a connection: a server that starts again is found by the next reading.

use std::path::PathBuf;
use std::time::Duration;

use crate::control::{Request, ask_within};
use crate::observe::readout::Figures;

/// How long the server may take: meanwhile no key is read.
const REPLY_TIME: Duration = Duration::from_secs(2);

/// Where figures come from.
#[derive(Debug)]
pub(in crate::command) struct Client {
    /// The control socket.
    pub(in crate::command) path: PathBuf,
}

impl Client {
    /// The figures now.
    pub(in crate::command) fn figures(&self) -> Result<Figures, String> {
        let reply = ask_within(&self.path, &Request::Figures, REPLY_TIME)
            .map_err(|error| error.to_string())?;
        serde_json::from_value(reply)
            .map_err(|error| format!("{}: {error}; the server is starting", self.path.display()))
    }
}
