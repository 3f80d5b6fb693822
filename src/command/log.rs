//! `whoisd log`: what the query log says, and whether it is whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, output, standard};
use crate::config::STANDARD_FILE;
use crate::querylog::{self, Day, ReadError};

/// Summarise and check the files of the query log
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Summary(Summary),
    Verify(Verify),
}

/// Show what was asked: by day and month, kind, outcome and suffix; top networks and names
///
/// Reads the files of the directory, JSON lines and Parquet, and the daily totals of days whose
/// files are gone, which the top lists leave out. A server may be writing meanwhile. Top lists are
/// exact up to 131,072 different networks or names; beyond that each says how much too small its
/// numbers may be. The counting rules: src/querylog/COUNTING.md.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd log summary /var/log/whoisd/queries\n  \
    whoisd log summary /var/log/whoisd/queries --from 2026-11-01 --to 2026-11-30 --json\n\n\
    Exit status: 0 shown; 1 the directory or the totals cannot be read; 3 a file cannot be read, \
    the message says which and the rest is shown; 4 there are no queries.")]
pub(super) struct Summary {
    #[command(flatten)]
    place: LogDir,
    /// First day, UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Day>,
    /// Last day, UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Day>,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Check the daily totals: their chain of hashes, and each day against its files
///
/// A line that was changed, taken out, put in or moved is named. A person who writes every line
/// again leaves no trace in the file: keep the last hash elsewhere (it is also in the server's log,
/// each day), and give it with --hash.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd log verify /var/log/whoisd/queries\n  \
    whoisd log verify /var/log/whoisd/queries --hash 6d1f...\n\n\
    Exit status: 0 good; 1 the directory or the totals cannot be read, or it holds no query log; 2 \
    wrong usage; 3 something does not agree, the message says what.")]
pub(super) struct Verify {
    #[command(flatten)]
    place: LogDir,
    /// A hash that was kept elsewhere, 64 digits, 0 to 9 and a to f: the chain has to hold it
    #[arg(long, value_name = "HASH", value_parser = hash)]
    hash: Option<String>,
}

/// Options that name the query log.
#[derive(Debug, Args)]
struct LogDir {
    /// Directory of the query log. Default query_log.dir of the configuration
    #[arg(value_name = "DIR", conflicts_with = "config", value_parser = super::kinds::directory())]
    dir: Option<PathBuf>,
    /// Configuration file whose query_log.dir is meant. Default /etc/whoisd/whoisd.toml, if it is
    /// there
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    config: Option<PathBuf>,
}

impl LogDir {
    fn dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let settings = standard::settings(self.config.as_deref(), None)?;
        settings.query_log.dir.ok_or_else(|| {
            Failure::failed(format!(
                "no query log is named; give its directory, or --config FILE with a file that sets \
                 query_log.dir (without both, {STANDARD_FILE} is read if it is there)"
            ))
        })
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::failed(error)
    }
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Summary(options) => summary(options),
        Command::Verify(options) => {
            let audit = querylog::audit(&options.place.dir()?, options.hash.as_deref())?;
            output::print(audit.text().as_bytes())?;
            let refused = Failure { status: 3, message: String::new() };
            if audit.is_good() { Ok(()) } else { Err(refused) }
        }
    }
}

/// What a total's hash looks like.
fn hash(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if querylog::is_hash(&text) {
        return Ok(text);
    }
    Err("expected the 64 digits, 0 to 9 and a to f, of a hash that `whoisd log verify` showed"
        .into())
}

fn summary(options: &Summary) -> Result<(), Failure> {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        let message = format!("--from {from} is later than --to {to}: no day lies between them");
        return Err(Failure { status: 2, message });
    }
    let summary = querylog::summarise(&options.place.dir()?, options.from, options.to)?;
    let text = if options.json {
        let json = serde_json::to_string_pretty(&summary).map_err(Failure::failed)?;
        format!("{json}\n")
    } else {
        summary.text()
    };
    output::print(text.as_bytes())?;
    if !summary.damaged.is_empty() {
        let message = format!("not read: {}", summary.damaged.join("\nnot read: "));
        return Err(Failure { status: 3, message });
    }
    if summary.total.queries == 0 { Err(Failure::nothing_found()) } else { Ok(()) }
}
