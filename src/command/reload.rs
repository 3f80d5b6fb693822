//! `whoisd reload`: a server that runs reads its configuration and lists again.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;
use crossbeam::channel::bounded;
use serde_json::Value;

use super::Failure;
use super::control::{ControlOptions, items};
use super::order::{Said, order};
use crate::control::{AskError, RELOAD_TIME, Request, ask};
use crate::observe::printable::counted;

/// How long a reload is waited for in silence: what most take, and far more.
const SILENT: Duration = Duration::from_secs(2);

/// Have the server read its configuration and lists again
///
/// No connection is lost. What can change while the server runs is swapped: how answers read,
/// lists, limits, blocks, signs of mining, the query log, the level of the log. What cannot is
/// named, setting by setting, and takes a restart. With an error in the configuration, or a tier
/// taken away that lists name, all stays as it was; a list with an error keeps what it held before.
/// SIGHUP does the same, with the answer in the log. A server that does not answer is
/// waited for for up to 120 s, which standard error says after 2 s.
///
/// whoisd-web of the same configuration reloads as well: at web.control, or where that is not set,
/// at web.sock in the snapshot directory if there is one. Each line then says which program it is
/// of, and which one is not running.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd reload\n  \
    whoisd reload --control /run/whoisd/control.sock\n\n\
    Exit status: 0 reloaded by every server that runs, also if something takes a restart; 1 none \
    answers, or one hangs; 3 the configuration or a list is refused.")]
pub(super) struct Options {
    #[command(flatten)]
    control: ControlOptions,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    order(&options.control, asked, reloaded)
}

fn reloaded(told: &Value) -> Said {
    let mut lines = String::new();
    let changes = items(told, "changed").iter().chain(items(told, "takes_restart"));
    for line in changes.filter_map(Value::as_str) {
        lines.push_str(line);
        lines.push('\n');
    }
    let lists = &told["lists"];
    let count = |key: &str| lists[key].as_u64().unwrap_or(0);
    lines.push_str(&format!(
        "lists: {} in force, {} expired, from {}\n",
        counted(count("entries"), "entry"),
        count("expired"),
        counted(count("files"), "file")
    ));
    let errors: Vec<_> = items(lists, "errors").iter().filter_map(Value::as_str).collect();
    if errors.is_empty() {
        return (lines, None);
    }
    let problem = format!("{}\nentries read from it before stay in force", errors.join("\n"));
    (lines, Some(Failure::refused(problem)))
}

/// Asks the server, and says what is waited for if it takes its time.
fn asked(path: &Path) -> Result<Value, AskError> {
    let asked = path.to_owned();
    let (reply, outcome) = bounded(1);
    thread::spawn(move || {
        // The receiver waits until the reply is there.
        let _ = reply.send(ask(&asked, &Request::Reload));
    });
    let told = outcome.recv_timeout(SILENT).or_else(|_| {
        let longest_s = RELOAD_TIME.as_secs();
        // If standard error is gone, nobody is there to wonder.
        let _ = writeln!(
            std::io::stderr(),
            "whoisd: {}: the server is reloading, or hangs; waiting up to {longest_s} s",
            path.display()
        );
        outcome.recv()
    });
    told.map_err(|_| AskError::Broken { path: path.to_owned() })?
}
