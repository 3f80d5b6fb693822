//! `whoisd policy simulate`: a record as a tier would see it.
//!
//! # Does not
//!
//! Ask a server, or say which tier an address has: `whoisd policy explain` does.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, answered, output, standard};
use crate::config::{self, Flags};
use crate::policy::{Rules, Tier};
use crate::query::whois::{self, Answer};
use crate::view::View;

/// Show the answer that a tier would get
///
/// The bytes are those of a server with the same configuration file; on a terminal without carriage
/// returns. The words of the query are joined by one space.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd policy simulate --config whoisd.toml --tier law-enforcement example.test\n  \
    whoisd policy simulate --config whoisd.toml --tier registrars --diff contact C1\n\n\
    With --diff, lines that only the tier gets begin with +, those that only the public gets with \
    -, the others with a blank.\n\n\
    Exit status: 0 answered; 1 cannot be read; 3 there is no such tier, the snapshot is damaged or \
    the configuration refused; 4 nothing found, or the query was refused.")]
pub(super) struct Options {
    /// The tier, by its name in the configuration; `public` is who has none
    #[arg(long, value_name = "TIER")]
    tier: String,

    /// Snapshot directory, or one snapshot file; default that of the configuration file
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Configuration file: its tables `tier` say what tiers there are. Default
    /// /etc/whoisd/whoisd.toml, if it is there and --dir is not given
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    config: Option<PathBuf>,

    /// Compare with what the public gets
    #[arg(long)]
    diff: bool,

    /// The query: a name, or whatever port 43 understands. A word that begins with a dash stands
    /// after --
    #[arg(value_name = "NAME", required = true)]
    query: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let flags = Flags { dir: options.dir.clone(), ..Flags::default() };
    let file = standard::file(options.config.as_deref(), options.dir.is_some());
    let settings = config::load(file.as_deref(), &flags)?.settings;
    let rules = settings.answers.rules();
    let tier = rules.tier(&options.tier).ok_or_else(|| unknown(rules, options, file.as_deref()))?;
    let view = View::open(settings.dir()?)?;
    let line = options.query.join(" ");
    let ask = |tier| {
        let mut answer = Answer::new();
        let outcome = whois::answer(&view, rules, tier, line.as_bytes(), &mut answer);
        (answer, outcome)
    };
    let (answer, outcome) = ask(tier);
    if options.diff {
        let (public, _) = ask(Tier::PUBLIC);
        output::print_answer(&compared(public.bytes(), answer.bytes()))?;
    } else {
        output::print_answer(answer.bytes())?;
    }
    answered::of_result(outcome.result)
}

fn unknown(rules: &Rules, options: &Options, file: Option<&Path>) -> Failure {
    let place = file.map_or_else(
        || "without --config".to_owned(),
        |file| format!("in the [[tier]] tables of {}", file.display()),
    );
    let known: Vec<_> = rules.tier_names().collect();
    Failure::refused(format!(
        "--tier: there is no tier {:?} {place}; known are {}",
        options.tier,
        known.join(", ")
    ))
}

/// The lines of two answers: those of `old` alone after `-`, those of `new` alone after `+`.
fn compared(old: &[u8], new: &[u8]) -> Vec<u8> {
    let old: Vec<_> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let new: Vec<_> = new.split_inclusive(|byte| *byte == b'\n').collect();
    // Longest common run of lines from each pair of places to the end. An answer has at most 64
    // KiB, hence at most a few thousand lines.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for (at, line) in old.iter().enumerate().rev() {
        for (to, other) in new.iter().enumerate().rev() {
            common[at * width + to] = if line == other {
                common[(at + 1) * width + to + 1] + 1
            } else {
                common[(at + 1) * width + to].max(common[at * width + to + 1])
            };
        }
    }
    let mut text = Vec::new();
    let mut put = |sign: u8, line: &[u8]| {
        text.push(sign);
        text.extend_from_slice(line);
    };
    let (mut at, mut to) = (0, 0);
    while at < old.len() || to < new.len() {
        match (old.get(at), new.get(to)) {
            (Some(line), Some(other)) if line == other => {
                put(b' ', line);
                (at, to) = (at + 1, to + 1);
            }
            (Some(line), other)
                if other.is_none()
                    || common[(at + 1) * width + to] >= common[at * width + to + 1] =>
            {
                put(b'-', line);
                at += 1;
            }
            (_, Some(other)) => {
                put(b'+', other);
                to += 1;
            }
            (_, None) => break,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_has_every_line_of_both_once_and_in_order() {
        let text = compared(b"a\r\nb\r\nsame\r\nend\r\n", b"b\r\nnew\r\nsame\r\nmore\r\n");
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "-a\r\n b\r\n+new\r\n same\r\n-end\r\n+more\r\n");
        assert_eq!(compared(b"", b""), b"");
        assert_eq!(compared(b"x\n", b""), b"-x\n");
        assert_eq!(compared(b"", b"x\n"), b"+x\n");
    }
}
