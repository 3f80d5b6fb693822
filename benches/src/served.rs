//! A whoisd of our own: one shard, a configuration of its own, a free port; alone, or run by
//! another program that watches it.
//!
//! # Invariants
//!
//! - `answers`: a server that is given out has answered a query.
//!
//! # Does not
//!
//! Compare with others: `rival` does.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::probe::{self, Protocol};
use crate::process::{Process, free_address};
use crate::workload;

/// How long a server may take to its first answer; under callgrind it is 50 times slower.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Pause between two attempts to get the first answer.
const START_PAUSE: Duration = Duration::from_millis(20);

/// The common part of the servers of one measurement.
#[derive(Debug)]
pub struct Site<'a> {
    /// The program whoisd.
    pub whoisd: &'a Path,
    /// The snapshot directory that is served.
    pub dir: &'a Path,
    /// Where configuration and log are written.
    pub folder: &'a Path,
    /// The servers' core.
    pub core: usize,
}

/// A server that answers.
#[derive(Debug)]
pub struct Served {
    /// Where it answers.
    pub address: SocketAddr,
    /// The process; dropped, it ends.
    pub process: Process,
    /// Its log.
    pub log: PathBuf,
}

impl Site<'_> {
    /// Starts a server with the tables `settings` (TOML) beside the rules of [`workload::RULES`],
    /// run by the words of `by`, and waits for its first answer.
    ///
    /// # Errors
    ///
    /// It does not start or answer; with its last output.
    #[expect(clippy::disallowed_methods, reason = "the wait has an end")]
    pub fn start(&self, name: &str, settings: &str, by: &[OsString]) -> io::Result<Served> {
        let config = self.folder.join(format!("{name}.toml"));
        fs::write(&config, format!("{settings}{}", workload::RULES))?;
        let address = free_address()?;
        let mut words = by.to_vec();
        words.push(self.whoisd.to_owned().into_os_string());
        words.extend(["serve".into(), "--config".into(), config.into_os_string()]);
        words.extend(["--dir".into(), self.dir.to_owned().into_os_string()]);
        words.extend(["--listen".into(), address.to_string().into()]);
        words.extend(["--cores".into(), self.core.to_string().into()]);
        words.extend(["--engine".into(), "ring".into()]);
        let log = self.folder.join(format!("{name}.log"));
        let program = PathBuf::from(words.remove(0));
        let mut process = Process::start(&program, &words, self.core, None, &log)?;
        let start = Instant::now();
        while let Err(error) = probe::ask(Protocol::Whois, address, "help") {
            if let Some(ended) = process.ended() {
                return Err(io::Error::other(ended));
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(io::Error::other(format!("does not answer: {error}")));
            }
            thread::sleep(START_PAUSE);
        }
        Ok(Served { address, process, log })
    }
}
