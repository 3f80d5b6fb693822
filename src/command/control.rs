//! Which server a command talks to, and how its refusals end the command.
//!
//! # Does not
//!
//! Know what is asked.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::order::no_socket;
use super::{Failure, standard};
use crate::config::{STANDARD_FILE, Settings};
use crate::control::{AskError, Request, ask};

/// Options that name the server.
#[derive(Debug, Args)]
pub(super) struct ControlOptions {
    /// Control socket of the server; default that of the configuration
    #[arg(
        long,
        value_name = "SOCKET",
        conflicts_with_all = ["config", "dir"],
        value_parser = super::kinds::socket()
    )]
    pub(super) control: Option<PathBuf>,

    /// Configuration file of the server: its server.control, or control.sock in its server.dir.
    /// Default /etc/whoisd/whoisd.toml, if it is there and --dir is not given
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    pub(super) config: Option<PathBuf>,

    /// Snapshot directory of a server without configuration file, with control.sock in it
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

impl ControlOptions {
    /// The settings of the server that is meant; `None` if its socket is named.
    pub(super) fn settings(&self) -> Result<Option<Settings>, Failure> {
        if self.control.is_some() {
            return Ok(None);
        }
        if let Some(dir) = self.dir.as_deref().filter(|dir| !dir.exists()) {
            return Err(Failure::failed(format!(
                "--dir {}: there is no such directory",
                dir.display()
            )));
        }
        let file = standard::file(self.config.as_deref(), self.dir.is_some());
        if file.is_none() && self.dir.is_none() {
            return Err(unnamed());
        }
        standard::settings(file.as_deref(), self.dir.as_deref()).map(Some)
    }

    /// The socket.
    pub(super) fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.control {
            return Ok(path.clone());
        }
        let settings = self.settings()?.unwrap_or_default();
        socket_of(&settings)
            .ok_or_else(|| if settings.control.is_some() { no_socket() } else { unnamed() })
    }

    /// Asks the server.
    pub(super) fn ask(&self, request: &Request) -> Result<Value, Failure> {
        ask(&self.socket()?, request).map_err(Failure::from)
    }
}

/// Nothing says which server is meant.
pub(super) fn unnamed() -> Failure {
    Failure::failed(format!(
        "no server is named; give --control SOCKET, --dir DIR or --config FILE (without them \
         {STANDARD_FILE} is read if it is there, and has to set server.dir or server.control)"
    ))
}

/// The socket that settings name.
pub(super) fn socket_of(settings: &Settings) -> Option<PathBuf> {
    settings.control_path()
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused { reason } => Self::refused(reason),
            no_answer => Self::failed(no_answer),
        }
    }
}

/// A text of a reply; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list of a reply.
pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An entry of a list in one line.
pub(super) fn entry_line(entry: &Value) -> String {
    let mut line = match text(entry, "action") {
        "limit" => {
            let limits = &entry["limits"];
            format!(
                "limit {}/min burst {} per {}",
                limits["queries_per_min"],
                limits["burst"],
                text(limits, "per")
            )
        }
        action => action.to_owned(),
    };
    let parts = [
        (" for ", text(entry, "prefix")),
        (", tier ", text(entry, "tier")),
        (", until ", text(entry, "expires")),
        (", reason: ", text(entry, "reason")),
        (", contact: ", text(entry, "contact")),
    ];
    for (before, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        line.push_str(before);
        line.push_str(part);
    }
    line.push_str(&format!(" ({}:{})", text(entry, "file"), entry["line"]));
    line
}

/// A block in one line.
pub(super) fn block_line(block: &Value) -> String {
    let repetition = block["repetition"].as_u64().unwrap_or(0);
    let again = if repetition > 0 { format!(", {repetition} before") } else { String::new() };
    format!(
        "{} until {}, by {}{again}, reason: {}",
        text(block, "prefix"),
        text(block, "until"),
        text(block, "by"),
        text(block, "reason")
    )
}
