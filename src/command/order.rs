//! An order of the operator to every server of a configuration: whoisd, and whoisd-web beside it.
//!
//! # Invariants
//!
//! - `each says`: with more than one server, every line begins with the program that it is of, and
//!   one that does not run is named.
//! - `as one`: a server alone is told of as if there were no other program.
//!
//! # Does not
//!
//! Know what is ordered.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::control::{ControlOptions, socket_of, unnamed};
use super::{Failure, output};
use crate::config::{Program, Settings};
use crate::control::AskError;

/// What a server's reply comes to: lines for the operator, and why they are not all.
pub(super) type Said = (String, Option<Failure>);

/// A server that an order goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    program: Program,
    path: PathBuf,
}

/// Gives the order with `ask` to every server that `options` name, and says what came of it.
pub(super) fn order(
    options: &ControlOptions,
    ask: impl Fn(&Path) -> Result<Value, AskError>,
    said: impl Fn(&Value) -> Said,
) -> Result<(), Failure> {
    let targets = targets(options)?;
    let mut outcomes = Vec::new();
    for Target { program, path } in targets {
        let outcome = match ask(&path) {
            Ok(told) => Outcome::Said(said(&told)),
            Err(error) if is_down(&error) => Outcome::Down(error.into()),
            Err(error) => Outcome::Said((String::new(), Some(error.into()))),
        };
        outcomes.push((program, path, outcome));
    }
    let (lines, failure) = summed(outcomes);
    output::print(lines.as_bytes())?;
    failure.map_or(Ok(()), Err)
}

/// What came of an order to one server.
enum Outcome {
    Said(Said),
    /// Nobody answers at its socket.
    Down(Failure),
}

/// What is printed, and how the command ends.
fn summed(outcomes: Vec<(Program, PathBuf, Outcome)>) -> (String, Option<Failure>) {
    let is_alone = matches!(outcomes.as_slice(), [(Program::Whoisd, ..)]);
    let (mut lines, mut failures, mut downs) = (String::new(), Vec::new(), Vec::new());
    let mut done = false;
    for (program, path, outcome) in outcomes {
        let label = if is_alone { String::new() } else { format!("{}: ", program.name()) };
        match outcome {
            Outcome::Said((told, failure)) => {
                lines.extend(told.lines().map(|line| format!("{label}{line}\n")));
                done |= failure.is_none();
                failures.extend(failure.map(|failure| (label, failure)));
            }
            Outcome::Down(failure) => {
                let path = path.display();
                downs.push((format!("{label}not running: nobody answers at {path}\n"), failure));
            }
        }
    }
    if !done && failures.is_empty() {
        let messages: Vec<_> = downs.into_iter().map(|(_, failure)| failure.message).collect();
        return (lines, Some(Failure::failed(messages.join("\n"))));
    }
    lines.extend(downs.into_iter().map(|(line, _)| line));
    // What one server had nothing to do for, another one has done.
    failures.retain(|(label, failure)| {
        let is_nothing = done && failure.status == NOTHING;
        if is_nothing {
            lines.extend(failure.message.lines().map(|line| format!("{label}{line}\n")));
        }
        !is_nothing
    });
    (lines, together(failures))
}

/// Several failures as one; what all of them say is said once.
fn together(failures: Vec<(String, Failure)>) -> Option<Failure> {
    let status = failures.iter().map(|(_, failure)| failure.status).min()?;
    let mut messages: Vec<_> =
        failures.iter().map(|(_, failure)| failure.message.clone()).collect();
    messages.dedup();
    if messages.len() > 1 || failures.len() == 1 {
        let labelled = |(label, failure): &(String, Failure)| {
            let lines = failure.message.lines().map(|line| format!("{label}{line}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        messages = failures.iter().map(labelled).collect();
    }
    Some(Failure { status, message: messages.join("\n") })
}

/// Exit status of a command that had nothing to do.
const NOTHING: u8 = 4;

fn is_down(error: &AskError) -> bool {
    let AskError::Io { source, .. } = error else { return false };
    matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// The server whose socket is named, or those of the configuration.
fn targets(options: &ControlOptions) -> Result<Vec<Target>, Failure> {
    if let Some(path) = &options.control {
        return Ok(vec![Target { program: Program::Whoisd, path: path.clone() }]);
    }
    let settings = options.settings()?.unwrap_or_default();
    let found = of_settings(&settings);
    if found.is_empty() {
        return Err(if settings.control.is_some() { no_socket() } else { unnamed() });
    }
    Ok(found)
}

/// Without a configured socket of its own, whoisd-web is meant where it has one in the directory:
/// most machines have no such server.
fn of_settings(settings: &Settings) -> Vec<Target> {
    let of_whoisd = socket_of(settings).map(|path| Target { program: Program::Whoisd, path });
    let of_web = settings.clone().of_web();
    let is_meant = |path: &PathBuf| of_web.control.is_some() || fs::symlink_metadata(path).is_ok();
    let of_web = socket_of(&of_web).filter(is_meant);
    let of_web = of_web.map(|path| Target { program: Program::Web, path });
    of_whoisd.into_iter().chain(of_web).collect()
}

/// The server that is meant has no socket.
pub(super) fn no_socket() -> Failure {
    Failure::refused("the server has no control socket: server.control is \"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(outcomes: Vec<(Program, Outcome)>) -> (String, Option<(u8, String)>) {
        let path = PathBuf::from("/s");
        let outcomes = outcomes.into_iter().map(|(program, one)| (program, path.clone(), one));
        let (lines, failure) = summed(outcomes.collect());
        (lines, failure.map(|failure| (failure.status, failure.message)))
    }

    fn done(text: &str) -> Outcome {
        Outcome::Said((text.to_owned(), None))
    }

    fn failed(status: u8, message: &str) -> Outcome {
        let message = message.to_owned();
        Outcome::Said((String::new(), Some(Failure { status, message })))
    }

    fn down() -> Outcome {
        Outcome::Down(Failure::failed("no server"))
    }

    #[test]
    fn each_server_is_told_of_by_its_name_unless_there_is_one() {
        use Program::{Web, Whoisd};
        let told = |text: &str, failure: Option<(u8, &str)>| {
            (text.to_owned(), failure.map(|(status, message)| (status, message.to_owned())))
        };
        assert_eq!(of(vec![(Whoisd, done("a\nb\n"))]), told("a\nb\n", None));
        assert_eq!(of(vec![(Whoisd, down())]), told("", Some((1, "no server"))));
        assert_eq!(
            of(vec![(Whoisd, done("a\nb\n")), (Web, done("c\n"))]),
            told("whoisd: a\nwhoisd: b\nwhoisd-web: c\n", None)
        );
        assert_eq!(
            of(vec![(Whoisd, done("a\n")), (Web, down())]),
            told("whoisd: a\nwhoisd-web: not running: nobody answers at /s\n", None)
        );
        assert_eq!(
            of(vec![(Whoisd, down()), (Web, done("a\n"))]),
            told("whoisd-web: a\nwhoisd: not running: nobody answers at /s\n", None)
        );
        let both = told("", Some((1, "no server\nno server")));
        assert_eq!(of(vec![(Whoisd, down()), (Web, down())]), both);
    }

    #[test]
    fn a_refusal_of_one_server_ends_the_command_and_nothing_to_do_does_not() {
        use Program::{Web, Whoisd};
        let (lines, failure) =
            of(vec![(Whoisd, failed(4, "x is not blocked")), (Web, done("a\n"))]);
        let expected = "whoisd-web: a\nwhoisd: x is not blocked\n";
        assert_eq!((lines.as_str(), failure), (expected, None));
        let (_, failure) = of(vec![(Whoisd, failed(4, "x")), (Web, failed(4, "y"))]);
        assert_eq!(failure, Some((4, "whoisd: x\nwhoisd-web: y".to_owned())));
        let (lines, failure) = of(vec![(Whoisd, done("a\n")), (Web, failed(3, "b\nc"))]);
        assert_eq!(lines, "whoisd: a\n");
        assert_eq!(failure, Some((3, "whoisd-web: b\nwhoisd-web: c".to_owned())));
        let (_, failure) = of(vec![(Whoisd, failed(3, "same")), (Web, failed(3, "same"))]);
        assert_eq!(failure, Some((3, "same".to_owned())));
        let (lines, failure) = of(vec![(Whoisd, failed(3, "a")), (Web, down())]);
        assert_eq!(lines, "whoisd-web: not running: nobody answers at /s\n");
        assert_eq!(failure, Some((3, "whoisd: a".to_owned())));
    }

    #[test]
    fn the_other_server_is_meant_where_it_is_configured_or_has_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { dir: Some(folder.path().to_owned()), ..Settings::default() };
        let programs = |settings: &Settings| {
            of_settings(settings).into_iter().map(|one| one.program).collect::<Vec<_>>()
        };
        assert_eq!(programs(&settings), [Program::Whoisd]);
        fs::write(folder.path().join("web.sock"), "").unwrap();
        assert_eq!(programs(&settings), [Program::Whoisd, Program::Web]);
        settings.web.control = Some(PathBuf::new());
        assert_eq!(programs(&settings), [Program::Whoisd]);
        settings.web.control = Some("/run/whoisd-web/control.sock".into());
        assert_eq!(programs(&settings), [Program::Whoisd, Program::Web]);
        settings.control = Some(PathBuf::new());
        assert_eq!(programs(&settings), [Program::Web]);
    }
}
