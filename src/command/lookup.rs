//! `whoisd lookup`: asks a snapshot directory directly, without a server.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, answered, output, standard};
use crate::policy::Tier;
use crate::query::whois::{self, Answer};
use crate::view::View;

/// Ask a snapshot directory directly: the same bytes as port 43
///
/// The words of the query are joined by one space. The answer is that of a server with the same
/// configuration file, byte for byte; on a terminal without carriage returns.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd lookup --dir /var/lib/whoisd example.test\n  \
    whoisd lookup --dir /var/lib/whoisd --config /etc/whoisd/whoisd.toml contact C1\n\n\
    Exit status, as that of `whoisd query`: 0 answered with a record, a list or a text; 1 cannot \
    be read; 3 the snapshot is damaged or the configuration refused; 4 there is no such record, \
    the name is kept back, or the query was refused.")]
pub(super) struct Options {
    /// Snapshot directory, or one snapshot file. Default server.dir of the configuration
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Configuration file: its rules decide how answers read. Default /etc/whoisd/whoisd.toml, if
    /// it is there and --dir is not given
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    config: Option<PathBuf>,

    /// The query. Options may stand before and after its words; a word that begins with a dash
    /// stands after --, with all that follow it
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let settings = standard::settings(options.config.as_deref(), options.dir.as_deref())?;
    let view = View::open(settings.dir()?)?;
    let mut answer = Answer::new();
    let line = options.query.join(" ");
    let outcome =
        whois::answer(&view, settings.answers.rules(), Tier::PUBLIC, line.as_bytes(), &mut answer);
    output::print_answer(answer.bytes())?;
    answered::of_result(outcome.result)
}
