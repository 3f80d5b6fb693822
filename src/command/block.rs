//! `whoisd block` and `whoisd unblock`: refuse a prefix for a time, and end that.

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::control::{ControlOptions, block_line, items, text};
use super::order::{Said, order};
use crate::control::{Request, ask};

/// Refuse the queries of a prefix for a time
///
/// The server that runs refuses them from now on: each query gets a whole answer that says so,
/// until when, and why. A block survives a restart. Lists come before blocks: what a list allows is
/// answered all the same, and a block of nothing else ends with status 4. It is kept, and holds
/// once the list has changed. What is to last is denied in a list.
///
/// whoisd-web of the same configuration gets the order as well: at web.control, or where that is
/// not set, at web.sock in the snapshot directory if there is one. Each line then says which
/// program it is of, and which one is not running.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd block 192.0.2.0/24\n  \
    whoisd block 2001:db8::/48 --for 7d --reason 'walks a dictionary'\n\n\
    Exit status: 0 blocked by every server that runs; 1 none answers, or one hangs; 3 refused (no \
    prefix, too wide, too long); 4 the block is kept, but changes nothing.")]
pub(super) struct Options {
    /// Prefix, or one address
    #[arg(value_name = "PREFIX")]
    prefix: String,

    /// For how long: a number with s, m, h or d, up to 365d. Default 1h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    seconds: Option<u64>,

    /// Why, in one line of at most 200 bytes, which refusals show
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    control: ControlOptions,
}

/// End the block of a prefix
///
/// Ends blocks that were made by `whoisd block` and those that the server made itself. The prefix
/// is that of the block, as `whoisd list` shows it. whoisd-web of the same configuration gets the
/// order as well, as with `whoisd block`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd unblock 192.0.2.0/24\n\n\
    Exit status: 0 ended by a server at least; 1 none answers, or one hangs; 3 refused (no \
    prefix); 4 it is not blocked.")]
pub(super) struct UnblockOptions {
    /// Prefix of the block, or one address
    #[arg(value_name = "PREFIX")]
    prefix: String,

    #[command(flatten)]
    control: ControlOptions,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let request = Request::Block {
        prefix: options.prefix.clone(),
        seconds: options.seconds,
        reason: options.reason.clone(),
    };
    order(&options.control, |path| ask(path, &request), blocked)
}

fn blocked(told: &Value) -> Said {
    let note = text(told, "note");
    if text(told, "effect") == "none" {
        let line = block_line(told);
        let message = format!("the block changes nothing: {note}\nit is kept: {line}");
        return (String::new(), Some(Failure { status: 4, message }));
    }
    let mut lines = format!("blocked: {}\n", block_line(told));
    if !note.is_empty() {
        lines.push_str(&format!("note: {note}\n"));
    }
    (lines, None)
}

pub(super) fn unblock(options: &UnblockOptions) -> Result<(), Failure> {
    let request = Request::Unblock { prefix: options.prefix.clone() };
    order(&options.control, |path| ask(path, &request), unblocked)
}

fn unblocked(told: &Value) -> Said {
    let not_blocked = text(told, "not_blocked");
    if not_blocked.is_empty() {
        return (format!("unblocked: {}\n", block_line(told)), None);
    }
    let near: Vec<_> = items(told, "near").iter().filter_map(|near| near.as_str()).collect();
    let hint = match near.as_slice() {
        [] => String::new(),
        near => format!("; blocked around or within it: {}", near.join(", ")),
    };
    let message = format!("{not_blocked} is not blocked{hint}");
    (String::new(), Some(Failure { status: 4, message }))
}

/// A number with its unit in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let expected = || "expected a number with s, m, h or d, such as 90s, 30m, 1h or 7d".to_owned();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3600),
        Some((at, 'd')) => (text.get(..at), 86_400),
        _ => return Err(expected()),
    };
    let number: u64 = digits.unwrap_or_default().parse().map_err(|_| expected())?;
    number.checked_mul(unit).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "h", "1", "-1h", "1w", "1.5h", "99999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
