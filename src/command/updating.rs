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
use crate::config::Settings;
use crate::feed::spool::Spool;
use crate::shard::aside::{self, Place, Weight};
use crate::store::{Live, Reader, Settings as StoreSettings, StoreError, Writer};
use crate::updater::{self, Updater, Views};
use crate::view::{Data, Disk, View};

/// Folder of the spool within the snapshot directory.
pub(super) const SPOOL: &str = "spool";

/// Where generations come from.
pub(super) enum Source {
    /// This process writes the directory.
    Own(Box<Live<Disk>>),
    /// Another one may.
    Other(Box<Reader<Disk>>),
    /// Nobody writes it: it is one snapshot file.
    File(Box<View>),
}

impl Source {
    /// Opens the directory as the settings say.
    pub(super) fn open(settings: &Settings, dir: &Path) -> Result<Self, StoreError> {
        Ok(if settings.spool {
            Self::Own(Box::new(Live::open(writer(settings, dir)?)?))
        } else if dir.is_file() {
            Self::File(Box::new(View::open(dir)?))
        } else {
            Self::Other(Box::new(Reader::open(Disk::new(dir))?))
        })
    }

    /// The generation that was current when it was opened.
    pub(super) fn generation(&self) -> &Arc<Data> {
        match self {
            Self::Own(live) => live.generation(),
            Self::Other(reader) => reader.generation(),
            Self::File(view) => view.shared(),
        }
    }
}

/// Becomes the directory's writer.
pub(super) fn writer(settings: &Settings, dir: &Path) -> Result<Writer<Disk>, StoreError> {
    let keep = usize::try_from(settings.keep).unwrap_or(usize::MAX);
    let settings = StoreSettings { keep, ..StoreSettings::default() };
    Writer::lock(Disk::new(dir), settings)
}

/// The threads that keep views fresh; dropped, they end.
pub(super) struct Updating {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Updating {
    /// Starts them beside the shards.
    pub(super) fn start(
        source: Source,
        settings: &Settings,
        dir: &Path,
        views: Views,
        cores: &[usize],
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
                let updater = Updater::new(*live, views, settings.updater.clone());
                let (mut handle, thread) = updater::start(updater, place).map_err(no_thread)?;
                let path = dir.join(SPOOL);
                let mut spool = Spool::open(&path)
                    .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
                let work = move || spool.run(&mut handle, &told);
                let spool = aside::spawn("spool", place, work).map_err(no_thread)?;
                updating.threads.extend([spool, thread]);
            }
        }
        Ok(updating)
    }
}

impl Drop for Updating {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has said on standard error if it panicked.
            let _ = thread.join();
        }
    }
}
