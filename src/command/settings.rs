//! The options that set what `whoisd.toml` sets too, shared by the commands that have them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::standard;
use crate::config::{self, Check, ConfigError, Effective, Flags};
use crate::observe::log;
use crate::port43::limits::Wanted;

/// Options that win over the configuration file.
#[derive(Clone, Debug, Args)]
pub(super) struct SettingsOptions {
    /// Configuration file. Default /etc/whoisd/whoisd.toml, if it is there and --dir is not given;
    /// otherwise defaults and options hold
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    pub(super) config: Option<PathBuf>,

    /// Snapshot directory to answer from. Default server.dir of the configuration
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    // Not a doc comment: rustdoc would take the brackets for a link.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        value_parser = listen_address,
        help = "Address and port to listen on, such as 127.0.0.1:4343 or '[::1]:4343'; may be \
            given several times, up to 64. Port 0 takes a free port, which the log names. Default \
            0.0.0.0:43 and [::]:43"
    )]
    pub(super) listen: Vec<SocketAddr>,

    /// Cores with a shard each, such as 0,2-5. Default every core that the process may use
    #[arg(long, value_name = "LIST")]
    pub(super) cores: Option<String>,

    /// What carries the connections: ring (the shard's own io_uring ring), streams (glommio's), or
    /// auto, the ring where the kernel offers it. Default auto
    #[arg(long, value_name = "ENGINE")]
    pub(super) engine: Option<Wanted>,

    /// When the snapshot's checksums are compared: first, before the first answer, or behind, while
    /// answers are given already. Default behind
    #[arg(long, value_name = "WHEN")]
    pub(super) check: Option<Check>,

    /// Take changes from the spool of the snapshot directory (DIR/spool), as its one writer.
    /// Without it, what another process writes into the directory is followed
    #[arg(long)]
    pub(super) spool: bool,

    /// How log lines look: text or json. Default text
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<log::Format>,

    /// Least severe log lines: off, error, warn, info, debug or trace. Default info
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<log::Level>,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an address and a port from 0 to 65535, such as 127.0.0.1:4343 or [::1]:4343"
            .to_owned()
    })
}

impl SettingsOptions {
    /// Reads the file, if there is one, and puts these options over it.
    pub(super) fn load(&self) -> Result<Effective, ConfigError> {
        let flags = Flags {
            dir: self.dir.clone(),
            listen: self.listen.clone(),
            cores: self.cores.clone(),
            engine: self.engine,
            check: self.check,
            spool: self.spool,
            log_format: self.log_format,
            log_level: self.log_level,
        };
        let file = standard::file(self.config.as_deref(), self.dir.is_some());
        config::load(file.as_deref(), &flags)
    }
}
