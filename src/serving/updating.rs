//! Where a server's changes come from while it runs: its own spool, or another writer.
//!
//! # Invariants
//!
//! - `feeds first`: feeds end before the updater, which ends once no feed can ask it any more.
//!
//! # Does not
//!
//! Apply changes: `updater` does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Failure;
use super::fresh::Fresh;
use super::patience::{self, patiently};
use crate::config::{Nats, Settings};
use crate::feed::key::Trusted;
use crate::feed::nats::{self, POSITION, Wanted, note_source};
use crate::feed::objects::Objects;
use crate::feed::spool::{self, Spool};
use crate::observe::clock;
use crate::place::aside::{self, Place, Weight};
use crate::store::{
    Files, Live, Reader, Settings as StoreSettings, StoreError, Writer, read_manifest,
};
use crate::updater::{self, Fetcher, Handle, Updater, Views};
use crate::view::{Data, Disk, View};

/// Folder of the spool within the snapshot directory.
pub const SPOOL: &str = "spool";

/// Where generations come from.
pub enum Source {
    /// This process writes the directory.
    Own(Box<Live<Disk>>),
    /// Another one may.
    Other(Box<Reader<Disk>>),
    /// Nobody writes it: it is one snapshot file.
    File(Box<View>),
}

impl Source {
    /// Opens the directory as the settings say.
    pub fn open(settings: &Settings, dir: &Path) -> Result<Self, Failure> {
        Ok(if settings.spool || settings.nats.is_some() {
            let is_new = read_manifest(&Disk::new(dir))?.is_none();
            let from = settings.nats.as_ref().filter(|nats| is_new && nats.objects.is_some());
            if is_new && from.is_none() {
                return Err(StoreError::Empty { path: dir.to_owned() }.into());
            }
            let is_held = |error: &StoreError| matches!(error, StoreError::Locked { .. });
            let _fresh = Fresh::of(dir);
            let writer = patiently(patience::LOCK, is_held, || writer(settings, dir))?;
            if let Some(nats) = from {
                first_snapshot(nats, &writer)?;
            }
            Self::Own(Box::new(Live::open(writer)?))
        } else if dir.is_file() {
            Self::File(Box::new(View::open(dir)?))
        } else {
            Self::Other(Box::new(Reader::open(Disk::new(dir))?))
        })
    }

    /// The generation that was current when it was opened.
    pub fn generation(&self) -> &Arc<Data> {
        match self {
            Self::Own(live) => live.generation(),
            Self::Other(reader) => reader.generation(),
            Self::File(view) => view.shared(),
        }
    }
}

/// Becomes the directory's writer.
pub fn writer(settings: &Settings, dir: &Path) -> Result<Writer<Disk>, StoreError> {
    let keep = usize::try_from(settings.keep).unwrap_or(usize::MAX);
    let settings = StoreSettings { keep, ..StoreSettings::default() };
    Writer::lock(Disk::new(dir), settings)
}

/// The reports of feeds, where there are some.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// Of the stream.
    pub nats: Option<Arc<nats::Status>>,
    /// Of the spool.
    pub spool: Option<Arc<spool::Status>>,
}

impl Feeds {
    /// Of the feeds that the settings name.
    pub fn of(settings: &Settings) -> Self {
        let nats = settings.nats.as_ref().map(|_| Arc::new(nats::Status::default()));
        let has_spool = settings.spool.then_some(());
        let spool = has_spool.map(|()| Arc::new(spool::Status::new(clock::steady_ms)));
        Self { nats, spool }
    }
}

/// The threads that keep views fresh; dropped, they end.
pub struct Updating {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Updating {
    /// Starts them beside the shards.
    pub fn start(
        source: Source,
        settings: &Settings,
        dir: &Path,
        views: Views,
        cores: &[usize],
        feeds: Feeds,
    ) -> Result<Self, Failure> {
        let place = Place { core: settings.updater_core, shard_cores: cores, weight: Weight::Full };
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let no_thread =
            |error| Failure::failed(format!("thread that keeps the data fresh: {error}"));
        let mut updating = Self { ending, threads: Vec::new() };
        match source {
            Source::File(_) => {}
            Source::Other(reader) => {
                let every = Duration::from_millis(settings.follow_ms);
                let thread = updater::follow(*reader, views, every, told, place);
                updating.threads.push(thread.map_err(no_thread)?);
            }
            Source::Own(live) => {
                let nats = settings.nats.as_ref().map(|nats| node(nats, dir)).transpose()?;
                let fetcher = settings.nats.as_ref().map(fetcher).transpose()?.flatten();
                let updater = Updater::new(*live, views, settings.updater.clone());
                let updater = updater.with_fetcher(fetcher);
                let (handle, thread) = updater::start(updater, place).map_err(no_thread)?;
                if let Some(status) = feeds.spool {
                    let spool = open_spool(dir, settings.spool_keep, status)?;
                    let work = watch_spool(spool, handle.clone(), Arc::clone(&told));
                    updating.threads.push(aside::spawn("spool", place, work).map_err(no_thread)?);
                }
                if let Some(nats) = nats {
                    let status = feeds.nats.unwrap_or_default();
                    let work = move || follow_stream(&nats, handle, &told, &status);
                    updating.threads.push(aside::spawn("nats", place, work).map_err(no_thread)?);
                }
                // Joined last: it ends once no feed has a handle.
                updating.threads.push(thread);
            }
        }
        Ok(updating)
    }
}

/// Settings of the feed of a fleet.
fn node(nats: &Nats, dir: &Path) -> Result<nats::Settings, Failure> {
    let name = rustix::system::uname();
    let host = name.nodename().to_string_lossy();
    nats.settings(dir, &host, clock::wall_ms).map_err(Failure::from)
}

fn fetcher(nats: &Nats) -> Result<Option<Fetcher>, Failure> {
    let Some(url) = &nats.objects else { return Ok(None) };
    let trusted = Trusted::read(&nats.trusted_keys)?;
    Ok(Some(Fetcher { objects: Objects::open(url)?, trusted }))
}

/// Fetches what a new node begins with. Without an object store it has nothing, which is reported
/// when it is opened.
fn first_snapshot(nats: &Nats, writer: &Writer<Disk>) -> Result<(), Failure> {
    let Some(Fetcher { objects, trusted }) = fetcher(nats)? else { return Ok(()) };
    let why = "the node is new".to_owned();
    let wanted = Wanted { serial_min: 0, source: None, unnamed: true, why };
    let arrived = objects.fetch(&wanted, &trusted, writer, &mut |_| Ok(()), &mut |_, _| true)?;
    if let Some(source) = &arrived.object.source {
        let dir = writer.files().path();
        note_source(dir, source).map_err(|error| {
            let path = dir.join(POSITION);
            Failure::failed(format!("{}: cannot note the source: {error}", path.display()))
        })?;
    }
    tracing::info!(serial = arrived.object.serial, "the first snapshot was fetched");
    Ok(())
}

fn open_spool(dir: &Path, keep: spool::Keep, status: Arc<spool::Status>) -> Result<Spool, Failure> {
    let path = dir.join(SPOOL);
    Spool::open(&path, keep, status, clock::wall_ms)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Lets a feed begin anywhere again, if the deposit has taken the place of all data: where deposits
/// of other TLDs stay, theirs may be among the changes that are waited for.
pub fn begin_anew(dir: &Path) -> Result<(), Failure> {
    if !dir.join(spool::HELD).exists() || View::open(dir)?.state().deposits.len() > 1 {
        return Ok(());
    }
    spool::release(dir).map_err(|error| {
        let path = dir.join(spool::HELD);
        Failure::failed(format!(
            "{}: the deposit is imported, and this cannot be removed: {error}",
            path.display()
        ))
    })
}

/// The work of the thread that looks into the spool.
fn watch_spool(
    mut spool: Spool,
    mut handle: Handle,
    told: Arc<AtomicBool>,
) -> impl FnOnce() + Send + 'static {
    move || spool.run(&mut handle, &told)
}

/// The work of the thread that follows a stream.
fn follow_stream(
    settings: &nats::Settings,
    mut handle: Handle,
    told: &AtomicBool,
    status: &nats::Status,
) {
    let mut refetch = handle.clone();
    if let Err(error) = nats::run(settings, &mut handle, &mut refetch, told, status) {
        tracing::error!(%error, "the feed has ended; what is there is served on");
    }
}

impl Drop for Updating {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}
