//! `whoisd list`: the blocks and the entries of lists that are in force, and who seems to mine.

use clap::Args;
use serde_json::Value;

use super::control::{ControlOptions, block_line, entry_line, items, text};
use super::{Failure, output};
use crate::control::{LISTED_MAX, Request};

/// Show the blocks and the entries of lists that are in force, and who seems to mine
///
/// At most 10,000 blocks, as many entries, and the last 256 flags.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd list\n  \
    whoisd list --json | jq -r '.blocks[].prefix'\n\n\
    Exit status: 0 shown; 1 no server answers.")]
pub(super) struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    control: ControlOptions,
}

/// Writes an item as a line.
type LineOf = fn(&Value) -> String;

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let told = options.control.ask(&Request::List)?;
    if options.json {
        return output::print(format!("{told}\n").as_bytes());
    }
    let mut lines = String::new();
    let kinds: [(&str, LineOf); 3] =
        [("blocks", block_line), ("entries", entry_line), ("flags", flag_line)];
    for (what, line_of) in kinds {
        let shown = items(&told, what);
        let left_out = told[format!("{what}_left_out")].as_u64().unwrap_or(0);
        if shown.is_empty() {
            lines.push_str(&format!("no {what}\n"));
            continue;
        }
        lines.push_str(&format!("{what}:\n"));
        for item in shown {
            lines.push_str(&format!("  {}\n", line_of(item)));
        }
        if left_out > 0 {
            lines.push_str(&format!("  and {left_out} more ({LISTED_MAX} are shown)\n"));
        }
    }
    output::print(lines.as_bytes())
}

/// A source that seems to mine, as a line.
fn flag_line(flag: &Value) -> String {
    let [prefix, signal, evidence, at] =
        ["prefix", "signal", "evidence", "at"].map(|key| text(flag, key));
    format!("{prefix} {signal}: {evidence} (at {at})")
}
