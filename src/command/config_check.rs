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
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::serve;
use crate::config::{ConfigError, Settings};
use crate::feed::key::Trusted;
use crate::feed::objects::Objects;
use crate::feed::spool;
use crate::place::cores::{self, CoresError};
use crate::serving::checking::Found;
use crate::serving::folder::may_write_into;
use crate::serving::updating::SPOOL;
use crate::shard::listen::{self, ListenError};
use crate::store::{StoreError, read_manifest};
use crate::view::{Disk, View};

/// All of it, but for what the file's own `errors` are about.
pub(super) fn of_machine(settings: &Settings, errors: &[ConfigError]) -> Found {
    let mut found = Found::beside(settings, errors);
    match &settings.dir {
        Some(dir) => {
            found.note("server.dir", directory(settings, dir));
            if settings.spool {
                folders(&dir.join(SPOOL), &mut found);
            }
            found.blocks(settings, dir);
        }
        None => {
            let unset = "is not set; set it, or give the --dir DIR that the server is started with";
            found.note("server.dir", Err(unset));
        }
    }
    found.lists(settings);
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
    found.control(settings);
    found.query_log(settings);
    files(settings, &mut found);
    found
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
    found.told_at("status.listen", settings.status_listen);
    found.told_at("status.health_listen", settings.health_listen);
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
