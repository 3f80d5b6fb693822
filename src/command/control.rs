//! Which server a command talks to, and how its refusals end the command.
//!
//! # Does not
//!
//! Know what is asked.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::config::STANDARD_FILE;
use crate::config::{self, Flags, Settings};
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
    /// Default /etc/whoisd/whoisd.toml
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
        let flags = Flags { dir: self.dir.clone(), ..Flags::default() };
        let standard = self.dir.is_none().then(|| PathBuf::from(STANDARD_FILE));
        let file = self.config.clone().or(standard);
        Ok(Some(config::load(file.as_deref(), &flags)?.settings))
    }

    /// The socket.
    pub(super) fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.control {
            return Ok(path.clone());
        }
        let settings = self.settings()?.unwrap_or_default();
        socket_of(&settings).ok_or_else(|| {
            Failure::refused("the server has no control socket: server.control is \"\", or nothing")
        })
    }

    /// Asks the server.
    pub(super) fn ask(&self, request: &Request) -> Result<Value, Failure> {
        ask(&self.socket()?, request).map_err(Failure::from)
    }
}

/// The socket that settings name.
pub(super) fn socket_of(settings: &Settings) -> Option<PathBuf> {
    settings.control_path()
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NoServer(problem) => Self::failed(problem),
            AskError::Refused(problem) => Self::refused(problem),
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
