//! What would end a start of the server although the file reads: the machine beside the settings.
//!
//! # Invariants
//!
//! - `as-a-start`: each part is looked at by the function that the start calls, where that one has
//!   no effect, in the order of the start; all that is found is told.
//! - `no-effect`: nothing is made, locked or changed. A running server does not notice.
//!
//! # Does not
//!
//! Connect to anything: servers of streams, sites and objects may come later, and a start waits for
//! them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustix::fs::{Access, access};

use super::controlling::Tables;
use super::telling::Claimed;
use crate::config::Settings;
use crate::control::{self, Watch};
use crate::feed::key::Trusted;
use crate::observe::clock;
use crate::policy::lists::Lists;
use crate::port43;
use crate::querylog;
use crate::shard::cores;
use crate::shard::listen::{self, ListenError};
use crate::store::{StoreError, read_manifest};
use crate::view::{Disk, View};

/// What a check has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each would end a start.
    pub(super) problems: Vec<String>,
    /// A start would pass, perhaps.
    pub(super) warnings: Vec<String>,
}

impl Found {
    fn note(&mut self, key: &str, checked: Result<(), String>) {
        if let Err(problem) = checked {
            self.problems.push(format!("{key}: {problem}"));
        }
    }
}

/// What can be said without a look at the machine.
pub(super) fn of_file(settings: &Settings) -> Found {
    Found { problems: Vec::new(), warnings: settings.doubtful() }
}

/// All of it.
pub(super) fn of_machine(settings: &Settings) -> Found {
    let mut found = of_file(settings);
    match settings.dir() {
        Ok(dir) => found.note("server.dir", directory(settings, dir)),
        Err(error) => found.problems.push(error.to_string()),
    }
    lists(settings, &mut found);
    found.note("server.cores", usable_cores(settings));
    let engine = port43::choose(settings.port43.engine).map(drop);
    found.note("server.engine", engine.map_err(|error| error.to_string()));
    listeners(settings, &mut found);
    if let Some(path) = settings.control.as_deref().filter(|path| !path.as_os_str().is_empty()) {
        found.note("server.control", control::may_claim(path));
    }
    if settings.query_log.is_on() {
        found.note("query_log", querylog::check(&settings.query_log).map_err(|e| e.to_string()));
        if let Some(dir) = &settings.query_log.dir {
            found.note("query_log.dir", may_write_into(dir));
        }
    }
    files(settings, &mut found);
    found
}

/// Whether there is something to serve, and to write if the server is to write.
fn directory(settings: &Settings, dir: &Path) -> Result<(), String> {
    let writes = settings.spool || settings.nats.is_some();
    if !dir.exists() {
        let fetches = settings.nats.as_ref().is_some_and(|nats| nats.objects.is_some());
        return if fetches { may_write_into(dir) } else { Err(empty(dir)) };
    }
    if writes && dir.is_file() {
        return Err(format!(
            "{}: is a file; a server that takes changes has a directory",
            dir.display()
        ));
    }
    if writes {
        may_write_into(dir)?;
        let is_new = read_manifest(&Disk::new(dir)).map_err(|error| error.to_string())?.is_none();
        let fetches = settings.nats.as_ref().is_some_and(|nats| nats.objects.is_some());
        if is_new {
            return if fetches { Ok(()) } else { Err(empty(dir)) };
        }
    }
    View::open(dir).map(drop).map_err(|error| error.to_string())
}

fn empty(dir: &Path) -> String {
    StoreError::Empty { path: dir.to_owned() }.to_string()
}

/// Whether this user may write into a directory, or make it.
fn may_write_into(dir: &Path) -> Result<(), String> {
    let mut place = dir;
    while !place.exists() {
        place = match place.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(format!("{}: cannot be made", dir.display())),
        };
    }
    if !place.is_dir() {
        return Err(format!("{}: is no directory", place.display()));
    }
    access(place, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{}: this user may not write there: {error}", place.display()))
}

fn lists(settings: &Settings, found: &mut Found) {
    let tables = match Tables::new(settings) {
        Ok(tables) => tables,
        Err(failure) => return found.problems.push(failure.message),
    };
    let swapped = Arc::new(ArcSwap::from_pointee(Lists::default()));
    let mut watch = Watch::new(settings.policy.lists.clone(), swapped, tables.has_tier());
    found.problems.extend(watch.look(clock::wall_ms(), true).errors);
    for pattern in &settings.policy.lists {
        if control::find(std::slice::from_ref(pattern)).0.is_empty() {
            found.warnings.push(format!("policy.lists: {} names no file", pattern.display()));
        }
    }
}

fn usable_cores(settings: &Settings) -> Result<(), String> {
    match &settings.cores {
        None => cores::allowed().map(drop).map_err(|error| error.to_string()),
        Some(wanted) => {
            let online = cores::online().map_err(|error| error.to_string())?;
            cores::check(wanted, &online).map_err(|error| error.to_string())
        }
    }
}

fn listeners(settings: &Settings, found: &mut Found) {
    for address in &settings.listen {
        match listen::claim(*address) {
            Ok(_) => {}
            // A running server has it, or one that this user may not start.
            Err(error @ (ListenError::InUse { .. } | ListenError::Denied { .. })) => {
                found.warnings.push(error.to_string());
            }
            Err(error) => found.problems.push(error.to_string()),
        }
    }
    for (key, address) in [
        ("status.listen", settings.status_listen),
        ("status.health_listen", settings.health_listen),
    ] {
        let Some(address) = address else { continue };
        match Claimed::may_bind(address) {
            Ok(()) => {}
            Err(error) if is_passing(&error) => {
                found.warnings.push(format!("{key}: {address}: {error}"));
            }
            Err(error) => found.problems.push(format!("{key}: {address}: {error}")),
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied)
}

/// Files that a start reads.
fn files(settings: &Settings, found: &mut Found) {
    if let Some(nats) = &settings.nats {
        let trusted = Trusted::read(&nats.trusted_keys).map(drop);
        found.note("feed.nats.trusted_keys", trusted.map_err(|error| error.to_string()));
    }
    let stream = settings.query_log.stream.as_ref();
    // They are read for each connection, so that a start passes without them and nothing connects.
    let credentials = [
        (
            "feed.nats.credentials",
            settings.nats.as_ref().and_then(|n| n.address.credentials.as_ref()),
        ),
        ("query_log.nats.credentials", stream.and_then(|stream| stream.credentials.as_ref())),
        ("site.credentials", settings.warden.site.credentials.as_ref()),
    ];
    for (key, path) in credentials {
        let Some(path) = path else { continue };
        if let Err(error) = fs::File::open(path) {
            found.warnings.push(format!("{key}: {}: {error}", path.display()));
        }
    }
    if let Some(program) = settings.policy.nftables.as_ref().map(|nft| &nft.program)
        && !program.exists()
    {
        let problem = "is not there, so that no block gets into the kernel";
        found.warnings.push(format!("policy.nftables.program: {} {problem}", program.display()));
    }
}
