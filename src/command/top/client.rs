//! Asks a running server for its figures over its control socket.
//!
//! # Does not
//!
//! Keep a connection: a server that starts again is found by the next reading.

use std::path::PathBuf;

use crate::control::{Request, ask};
use crate::observe::readout::Figures;

/// Where figures come from.
#[derive(Debug)]
pub(super) struct Client {
    /// The control socket.
    pub(super) path: PathBuf,
}

impl Client {
    /// The figures now.
    pub(super) fn figures(&self) -> Result<Figures, String> {
        let reply = ask(&self.path, &Request::Figures).map_err(|error| error.to_string())?;
        serde_json::from_value(reply)
            .map_err(|error| format!("{}: {error}; the server is starting", self.path.display()))
    }
}
