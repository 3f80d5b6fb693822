//! What a program of ours does around its commands: signals that end nothing, files that nobody
//! else reads, messages, exit statuses.
//!
//! # Does not
//!
//! Know commands.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::fs::Mode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::Failure;
use crate::control::Handle;
use crate::observe::log::error_prefix;
use crate::observe::printable::printable;

/// What a program does first.
pub fn begin() {
    outlive_signals();
    keep_from_others();
}

/// What this process writes holds data of people: nobody but its user and group gets at it,
/// whatever the umask that it was started with. A stricter one stays.
fn keep_from_others() {
    let others = Mode::RWXO | Mode::WGRP;
    let given = rustix::process::umask(others);
    rustix::process::umask(given | others);
}

/// SIGUSR1 and SIGUSR2, which other daemons take for "reopen the log", end no command: a handler
/// that does nothing takes the place of their default. Programs that are started do not inherit it.
fn outlive_signals() {
    for signal in [SIGUSR1, SIGUSR2] {
        // A system that refuses it leaves the command as it would be without.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
}

/// Writes to standard output; a reader that has gone away (`| head`) is not an error.
///
/// # Errors
///
/// If it cannot be written.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
    }
}

/// How the program `name` ends that has failed: the message goes to standard error.
#[must_use]
pub fn ended(name: &str, failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        // If standard error is gone, the exit status still tells.
        let prefix = error_prefix();
        // Paths and the like are as somebody named them: no terminal is to obey them.
        let lines = failure.message.lines().map(printable);
        let lines = lines.map(|line| format!("{prefix}{name}: {line}\n"));
        let _ = io::stderr().write_all(lines.collect::<String>().as_bytes());
    }
    ExitCode::from(failure.status)
}

/// Prints help, the version or what is wrong with the command line of the program `name`.
#[must_use]
pub fn usage(name: &str, said: &clap::Error) -> ExitCode {
    match said.print().and_then(|()| io::stdout().flush()) {
        // If standard error is gone, the exit status still tells; a reader has seen enough.
        Err(error) if !said.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            ended(name, &Failure::failed(format!("standard output: {error}")))
        }
        _ => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2)),
    }
}

/// The signals of a server, from its first moment on: their default would end it, and systemd would
/// not start it again.
///
/// # Errors
///
/// If the system refuses it.
pub fn signals() -> Result<Signals, Failure> {
    Signals::new([SIGHUP, SIGUSR1, SIGUSR2]).map_err(|error| no_signals(&error))
}

/// From here on the first SIGTERM or SIGINT calls `stop`, and the second ends the process; before,
/// they end it at once. SIGHUP reloads.
///
/// # Errors
///
/// If the system refuses it.
pub fn watch(
    mut signals: Signals,
    keeper: Handle,
    stop: impl Fn(i32) + Send + 'static,
) -> Result<(), Failure> {
    for signal in [SIGTERM, SIGINT] {
        signals.add_signal(signal).map_err(|error| no_signals(&error))?;
    }
    let watch = move || {
        let mut seen = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP => {
                    keeper.reload_soon();
                    continue;
                }
                SIGUSR1 | SIGUSR2 => {
                    tracing::info!(signal, "a signal without a meaning here; nothing is done");
                    continue;
                }
                _ => {}
            }
            if seen {
                tracing::warn!(signal, "second signal, ending at once");
                // The shells' way to say that a signal ended it.
                std::process::exit(signal.saturating_add(128));
            }
            seen = true;
            stop(signal);
        }
    };
    let spawned = thread::Builder::new().name("signals".to_owned()).spawn(watch);
    spawned.map(drop).map_err(|error| no_signals(&error))
}

fn no_signals(error: &io::Error) -> Failure {
    Failure::failed(format!("signals: {error}"))
}
