//! Findings that would end a start of the server although the file is read: the machine beside the
//! settings.
//!
//! # Invariants
//!
//! - `as-a-start`: each part is looked at by the function that the start calls, where that one has
//!   no effect, in the order of the start; everything that is found is reported.
//! - `no-effect`: nothing is made, locked or changed. A running server does not notice.
//!
//! # Does not
//!
//! Connect to anything: servers of streams, sites and objects may come later, and a start waits for
//! them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::serve;
use crate::config::{ConfigError, Settings};
use crate::control::{self, ListWatcher};
use crate::feed::key::Trusted;
use crate::feed::objects::Objects;
use crate::feed::spool;
use crate::observe::clock;
use crate::place::cores::{self, CoresError};
use crate::policy::lists::Lists;
use crate::querylog;
use crate::serving::controlling::Tables;
use crate::serving::folder::may_write_into;
use crate::serving::telling::Claimed;
use crate::serving::updating::SPOOL;
use crate::shard::listen::{self, ListenError};
use crate::store::{StoreError, read_manifest};
use crate::view::{Disk, View};
use crate::warden::StateFound;

/// What a check has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each would end a start: the key, and what is wrong.
    pub(super) problems: Vec<(&'static str, String)>,
    /// A start would pass, perhaps.
    pub(super) warnings: Vec<String>,
    /// Keys whose values are refused already: findings about a default in their place help nobody.
    refused: Vec<String>,
}

impl Found {
    /// Whether the key was refused, or a table around it.
    fn is_refused(&self, key: &str) -> bool {
        let behind = |refused: &String| key.strip_prefix(refused.as_str());
        let mut behind = self.refused.iter().filter_map(behind);
        behind.any(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    fn note(&mut self, key: &'static str, checked: Result<(), impl ToString>) {
        if let Err(problem) = checked
            && !self.is_refused(key)
        {
            self.problems.push((key, problem.to_string()));
        }
    }

    fn warn(&mut self, key: &str, problem: &str) {
        if !self.is_refused(key) {
            self.warnings.push(format!("{key}: {problem}"));
        }
    }
}

/// The findings that need no look at the machine.
pub(super) fn of_file(settings: &Settings) -> Found {
    Found { warnings: settings.doubtful(), ..Found::default() }
}

/// All of it, but for what the file's own `errors` are about.
pub(super) fn of_machine(settings: &Settings, errors: &[ConfigError]) -> Found {
    let mut found = of_file(settings);
    found.refused = errors.iter().map(|error| error.key().to_owned()).collect();
    match &settings.dir {
        Some(dir) => {
            found.note("server.dir", directory(settings, dir));
            if settings.spool {
                folders(&dir.join(SPOOL), &mut found);
            }
            blocks(settings, dir, &mut found);
        }
        None => {
            let unset = "is not set; set it, or give the --dir DIR that the server is started with";
            found.note("server.dir", Err(unset));
        }
    }
    lists(settings, &mut found);
    match usable_cores(settings) {
        Ok(cores) => {
            let engine = serve::engine(settings, cores.len()).map(drop);
            found.note("server.engine", engine.map_err(|failure| failure.message));
            if let Some(short) = serve::short_descriptors(settings, cores.len()) {
                let short = format!("the limit of open descriptors is below that: {short}");
                found.warn("port43.connections_per_shard_max", &short);
            }
        }
        Err(problem) => found.note("server.cores", Err(problem)),
    }
    found.note("updater.core", serve::check_updater_core(settings));
    listeners(settings, &mut found);
    if let Some(path) = settings.control.as_deref().filter(|path| !path.as_os_str().is_empty()) {
        match control::may_claim(path) {
            Ok(None) => {}
            Ok(Some(taken)) => found.warn("server.control", &taken),
            Err(problem) => found.note("server.control", Err(problem)),
        }
    }
    if settings.query_log.is_on() {
        let key = querylog::check(&settings.query_log).map_err(|error| error.problem.to_string());
        found.note("query_log.privacy_key_file", key);
        if let Some(dir) = &settings.query_log.dir {
            found.note("query_log.dir", log_directory(dir));
        }
    }
    files(settings, &mut found);
    found
}

/// Whether the file of the blocks is one, and may be written.
fn blocks(settings: &Settings, dir: &Path, found: &mut Found) {
    match settings.warden.check_state(dir) {
        StateFound::Foreign(problem) => found.note("blocks.state", Err(problem)),
        StateFound::Doubtful(problem) => found.warn("blocks.state", &problem),
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
                found.warn(
                    "blocks.state",
                    &format!("{problem}, so that no block survives a restart"),
                );
            }
        }
    }
}

/// Whether the folders of the spool are such, and stay so: a server starts without them, and
/// applies files.
fn folders(spool: &Path, found: &mut Found) {
    const STICKY: u32 = 0o1000;
    const OTHERS_WRITE: u32 = 0o022;
    let mode = spool.metadata().map_or(0, |meta| meta.permissions().mode());
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        let path = spool.display();
        let problem = format!(
            "{path}: has mode {:o}, so that others may rename the server's folders in it; \
             `chmod +t {path}` prevents that",
            mode & 0o7777
        );
        found.warn("updater.spool", &problem);
    }
    for (folder, problem) in spool::faults(spool) {
        let path = spool.join(folder);
        let problem = format!("{}: {problem}; files stay in the spool until then", path.display());
        found.warn("updater.spool", &problem);
    }
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

/// Whether the query log can begin in a directory.
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

fn lists(settings: &Settings, found: &mut Found) {
    // Refused tables may have the tiers that lists name; the file's errors say so.
    let are_of_answers = |key: &String| {
        let tables = ["defaults", "tld", "registrar", "tier"];
        tables.iter().any(|table| key.strip_prefix(table).is_some_and(ends_a_word))
    };
    if found.refused.iter().any(are_of_answers) {
        return;
    }
    let tables = Tables::new(settings);
    if settings.answers.rules().contact_is_restricted() {
        found.warnings.push(CONTACT_RESTRICTED.to_owned());
    }
    let swapped = Arc::new(ArcSwap::from_pointee(Lists::default()));
    let mut watch = ListWatcher::new(settings.policy.lists.clone(), swapped, tables.has_tier());
    for error in watch.look(clock::wall_ms(), true).errors {
        found.note("policy.lists", Err(error));
    }
    for pattern in &settings.policy.lists {
        if control::find(std::slice::from_ref(pattern)).0.is_empty() {
            found.warnings.push(format!("policy.lists: {} names no file", pattern.display()));
        }
    }
}

fn usable_cores(settings: &Settings) -> Result<Vec<usize>, CoresError> {
    match &settings.cores {
        None => cores::allowed(),
        Some(wanted) => {
            cores::check(wanted, &cores::online()?)?;
            Ok(wanted.clone())
        }
    }
}

fn listeners(settings: &Settings, found: &mut Found) {
    let listen = if found.is_refused("server.listen") { &[][..] } else { &settings.listen };
    for address in listen {
        match listen::claim(*address) {
            Ok(_) => {}
            // A running server has it, or one that this user may not start.
            Err(error @ (ListenError::InUse { .. } | ListenError::Denied { .. })) => {
                found.warnings.push(error.to_string());
            }
            Err(error) => found.note("server.listen", Err(error)),
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
            Err(error) => found.note(key, Err(format!("{address}: {error}"))),
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

/// Whether the object store is one that this build reads; and, where a new node needs it before it
/// serves, whether there is a snapshot in a store of files. Others may come later, and are asked at
/// the start.
fn objects(url: &str, settings: &Settings) -> Result<(), String> {
    let objects = Objects::open(url).map_err(|error| error.to_string())?;
    let is_new = settings
        .dir
        .as_deref()
        .is_some_and(|dir| matches!(read_manifest(&Disk::new(dir)), Ok(None)) && !dir.is_file());
    if !is_new || url.starts_with("s3://") {
        return Ok(());
    }
    let listed = objects.list(&Trusted::default()).map_err(|error| error.to_string())?;
    if listed.iter().any(Result::is_ok) {
        return Ok(());
    }
    Err(format!(
        "{url}: has no snapshot, and the directory of the server is new; put one there with \
         `whoisd publish-snapshot`"
    ))
}

/// Files that a start reads.
fn files(settings: &Settings, found: &mut Found) {
    if let Some(nats) = &settings.nats {
        if let Some(url) = &nats.objects {
            found.note("feed.nats.objects", objects(url, settings));
        }
        for key in &nats.trusted_keys {
            let trusted = Trusted::read(std::slice::from_ref(key)).map(drop);
            found.note("feed.nats.trusted_keys", trusted);
        }
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
