//! `whoisd reload`: a server that runs reads its configuration and lists anew.

use clap::Args;
use serde_json::Value;

use super::control::{ControlOptions, items};
use super::{Failure, output};
use crate::control::Request;

/// Have the server read its configuration and lists anew
///
/// No connection is lost. What can change while the server runs is swapped: how answers read,
/// lists, limits, blocks, signs of mining, the query log, the level of the log. What cannot is
/// named, setting by setting, and takes a restart. With an error in the configuration, or a tier
/// taken away that lists name, all stays as it was; a list with an error keeps what it held before.
/// SIGHUP does the same, with the answer in the log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd reload\n  \
    whoisd reload --control /run/whoisd/control.sock\n\n\
    Exit status: 0 reloaded, also if something takes a restart; 1 no server answers; 3 the \
    configuration or a list is refused.")]
pub(super) struct Options {
    #[command(flatten)]
    control: ControlOptions,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let told = options.control.ask(&Request::Reload)?;
    let mut lines = String::new();
    let changes = items(&told, "changed").iter().chain(items(&told, "takes_restart"));
    for line in changes.filter_map(Value::as_str) {
        lines.push_str(line);
        lines.push('\n');
    }
    let lists = &told["lists"];
    lines.push_str(&format!(
        "lists: {} entries in force, {} expired, from {} files\n",
        lists["entries"], lists["expired"], lists["files"]
    ));
    output::print(lines.as_bytes())?;
    let errors: Vec<_> = items(lists, "errors").iter().filter_map(Value::as_str).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let problem = format!("{}\nwhat it held before is in force", errors.join("\n"));
    Err(Failure::refused(problem))
}
