//! Findings that would end a start although the file is read: what both programs look at beside
//! their settings.
//!
//! # Invariants
//!
//! - `as-a-start`: each part is looked at by the function that the start calls, where that one has
//!   no effect; everything that is found is reported.
//! - `no-effect`: nothing is made, locked or changed. A running server does not notice.
//!
//! # Does not
//!
//! Look at what one of the programs has alone: each adds that.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;

use super::Failure;
use super::controlling::Tables;
use super::folder::may_write_into;
use super::telling::Claimed;
use crate::config::{ConfigError, Effective, Origin, Settings};
use crate::control::{self, ListWatcher, REPLY_TIME, Request, ask_within};
use crate::observe::clock;
use crate::observe::printable::printable;
use crate::policy::lists::Lists;
use crate::querylog;
use crate::warden::StateFound;

/// What a check has found.
#[derive(Debug, Default)]
pub struct Found {
    /// Each would end a start: the key, and what is wrong.
    pub problems: Vec<(&'static str, String)>,
    /// A start would pass, perhaps.
    pub warnings: Vec<String>,
    /// Keys whose values are refused already: findings about a default in their place help nobody.
    refused: Vec<String>,
}

impl Found {
    /// The findings that need no look at the machine.
    #[must_use]
    pub fn of_file(settings: &Settings) -> Self {
        Self { warnings: settings.doubtful(), ..Self::default() }
    }

    /// The same, where the file's own `errors` are known.
    #[must_use]
    pub fn beside(settings: &Settings, errors: &[ConfigError]) -> Self {
        let refused = errors.iter().flat_map(ConfigError::each);
        let refused = refused.map(|error| error.key().to_owned()).collect();
        Self { refused, ..Self::of_file(settings) }
    }

    /// Whether the key was refused, or a table around it.
    #[must_use]
    pub fn is_refused(&self, key: &str) -> bool {
        let behind = |refused: &String| key.strip_prefix(refused.as_str());
        let mut behind = self.refused.iter().filter_map(behind);
        behind.any(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Notes what is wrong with the value of a key.
    pub fn note(&mut self, key: &'static str, checked: Result<(), impl ToString>) {
        if let Err(problem) = checked
            && !self.is_refused(key)
        {
            self.problems.push((key, problem.to_string()));
        }
    }

    /// Notes what may be wrong with it.
    pub fn warn(&mut self, key: &str, problem: &str) {
        if !self.is_refused(key) {
            self.warnings.push(format!("{key}: {problem}"));
        }
    }

    /// Whether the file of the blocks is one, and may be written.
    pub fn blocks(&mut self, settings: &Settings, dir: &Path) {
        let key = settings.program.keys().blocks_state;
        match settings.warden.check_state(dir) {
            StateFound::Foreign(problem) => self.note(key, Err(problem)),
            StateFound::Doubtful(problem) => self.warn(key, &problem),
            StateFound::Good(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or_else(|| Path::new("."));
                if settings.warden.state.is_none() {
                    return;
                }
                let written = if folder.is_dir() {
                    may_write_into(folder)
                } else {
                    Err(format!("{}: is not a directory", folder.display()))
                };
                if let Err(problem) = written {
                    self.warn(key, &format!("{problem}, so that no block survives a restart"));
                }
            }
        }
    }

    /// Whether the lists can be read, and contacts are shown as their table says.
    pub fn lists(&mut self, settings: &Settings) {
        // Refused tables may have the tiers that lists name; the file's errors say so.
        let are_of_answers = |key: &String| {
            let tables = ["defaults", "tld", "registrar", "tier"];
            tables.iter().any(|table| key.strip_prefix(table).is_some_and(ends_a_word))
        };
        if self.refused.iter().any(are_of_answers) {
            return;
        }
        let tables = Tables::new(settings);
        if settings.answers.rules().contact_is_restricted() {
            self.warnings.push(CONTACT_RESTRICTED.to_owned());
        }
        let swapped = Arc::new(ArcSwap::from_pointee(Lists::default()));
        let mut watch = ListWatcher::new(settings.policy.lists.clone(), swapped, tables.has_tier());
        for error in watch.look(clock::wall_ms(), true).errors {
            self.note("policy.lists", Err(error));
        }
        for pattern in &settings.policy.lists {
            if control::find(std::slice::from_ref(pattern)).0.is_empty() {
                self.warnings.push(format!("policy.lists: {} names no file", pattern.display()));
            }
        }
    }

    /// Whether the control socket can be had, if one is named. One that the other program answers
    /// cannot; one that the same program answers is free once that ends.
    pub fn control(&mut self, settings: &Settings) {
        let path = settings.control.as_deref().filter(|path| !path.as_os_str().is_empty());
        let Some(path) = path else { return };
        let key = settings.program.keys().control;
        match control::may_claim(path) {
            Ok(None) => {}
            Ok(Some(taken)) => match other_program(settings, path) {
                Some(other) => {
                    let problem = format!("{}: {other} answers there", path.display());
                    self.note(key, Err(format!("{problem}; name another socket")));
                }
                None => self.warn(key, &taken),
            },
            Err(problem) => self.note(key, Err(problem)),
        }
    }

    /// Whether the query log can begin, if there is one.
    pub fn query_log(&mut self, settings: &Settings) {
        if !settings.query_log.is_on() {
            return;
        }
        let key = querylog::check(&settings.query_log).map_err(|error| error.problem.to_string());
        self.note("query_log.privacy_key_file", key);
        if let Some(dir) = &settings.query_log.dir {
            self.note(settings.program.keys().query_log_dir, log_directory(dir));
        }
    }

    /// Whether an address for health or figures can be had.
    pub fn told_at(&mut self, key: &'static str, address: Option<SocketAddr>) {
        let Some(address) = address else { return };
        match Claimed::may_bind(address) {
            Ok(()) => {}
            Err(error) if is_passing(&error) => {
                self.warnings.push(format!("{key}: {address}: {error}"));
            }
            Err(error) => self.note(key, Err(format!("{address}: {error}"))),
        }
    }

    /// The warnings, each in a line.
    #[must_use]
    pub fn warned(&self, file: &Path) -> String {
        let place = file.display();
        self.warnings
            .iter()
            .map(|one| printable(&format!("{place}: warning: {one}")).into_owned() + "\n")
            .collect()
    }

    /// What comes of a check of `file`: all that is wrong, in the order of its lines.
    ///
    /// # Errors
    ///
    /// If anything is.
    pub fn outcome(
        &self,
        file: &Path,
        effective: &Effective,
        errors: &[ConfigError],
    ) -> Result<(), Failure> {
        let place = file.display();
        let mut lines: Vec<_> =
            errors.iter().map(|error| (error.line(), error.to_string())).collect();
        lines.extend(self.problems.iter().map(|(key, problem)| match effective.origin(key) {
            Origin::File { line, .. } => (*line, placed(effective, key, problem)),
            Origin::Flag(_) => (0, placed(effective, key, problem)),
            Origin::Default => (usize::MAX, format!("{place}: {key}: {problem}")),
        }));
        if lines.is_empty() {
            return Ok(());
        }
        lines.sort_by_key(|(line, _)| *line);
        let lines: Vec<_> = lines.into_iter().map(|(_, text)| text).collect();
        Err(Failure::refused(lines.join("\n")))
    }
}

/// A problem with the place of its key.
#[must_use]
pub fn placed(effective: &Effective, key: &str, problem: &str) -> String {
    match effective.origin(key) {
        Origin::File { path, line } => format!("{}:{line}: {key}: {problem}", path.display()),
        Origin::Flag(flag) => format!("{flag}: {problem}"),
        Origin::Default => format!("{key}: {problem}"),
    }
}

/// The name of the program that answers a control socket, if it is not the one of `settings`.
fn other_program(settings: &Settings, path: &Path) -> Option<String> {
    let told = ask_within(path, &Request::Status, REPLY_TIME).ok()?;
    let name = told.get("program").and_then(Value::as_str)?;
    (name != settings.program.name()).then(|| name.to_owned())
}

/// Whether a query log can begin in a directory.
fn log_directory(dir: &Path) -> Result<(), String> {
    may_write_into(dir)?;
    if !dir.exists() {
        return Ok(());
    }
    querylog::check_directory(dir).map_err(|error| error.to_string())
}

/// A contact belongs to no suffix.
const CONTACT_RESTRICTED: &str = "defaults.contact: queries for a contact show less than \
    [defaults] says, since a [[tld]] hides it in its domains; set the fields in \
    [defaults.contact] if they are to be shown all the same";

fn ends_a_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '['])
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}
