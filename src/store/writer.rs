//! The one writer of a snapshot directory: publishes bases, goes back to kept states, and clears
//! away what nobody needs any more.
//!
//! # Does not
//!
//! Append changes: [`super::Live`] does, which is a writer that has read the current generation.

use std::collections::HashSet;
use std::io::Write;

use super::base::NewBase;
use super::error::{StoreError, failed};
use super::files::Files;
use super::manifest::{Chain, Manifest};
use super::reader::{Reader, open_chain, read_manifest};
use super::{ASIDE_ENDING, BASE_ENDING, LOCK, LOG_ENDING, MANIFEST};

/// How a writer keeps house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Older states that are kept to go back to, each as large as a base.
    pub keep: usize,
    /// Length of a part of a log, bytes; longer for a batch that needs it.
    pub log_part_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keep: 1, log_part_bytes: 64 << 20 }
    }
}

/// The directory's one writer, until it is dropped.
#[derive(Debug)]
pub struct Writer<F: Files> {
    pub(super) files: F,
    pub(super) settings: Settings,
    _lock: F::Lock,
}

impl<F: Files> Writer<F> {
    /// Becomes the one writer; makes the directory if it does not exist, and removes what a writer
    /// that crashed left behind.
    ///
    /// # Errors
    ///
    /// Another process is the writer, or the file system refuses.
    pub fn lock(files: F, settings: Settings) -> Result<Self, StoreError> {
        files.make().map_err(failed(&files, "", "make the directory"))?;
        let lock = files.lock(LOCK).map_err(failed(&files, LOCK, "lock it"))?;
        let lock =
            lock.map_err(|holder| StoreError::Locked { path: files.path().join(LOCK), holder })?;
        // A writer that was killed may have renamed what a crash of the machine would take back.
        files.sync_directory().map_err(failed(&files, "", "sync the directory"))?;
        let writer = Self { files, settings, _lock: lock };
        writer.clear_rests()?;
        Ok(writer)
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &F {
        &self.files
    }

    /// Starts a new base beside the current generation.
    ///
    /// # Errors
    ///
    /// The manifest is damaged, or the file system refuses.
    pub fn begin(&self) -> Result<NewBase<F>, StoreError> {
        let generation = self.standing()?.map_or(0, |(manifest, _)| manifest.greatest);
        NewBase::begin(&self.files, generation.saturating_add(1))
    }

    /// Makes a base that was written whole the current generation, and what was current a kept one.
    /// After an error the old generation is current.
    ///
    /// # Errors
    ///
    /// The file is no snapshot, or the file system refuses.
    pub fn publish(&self, base: NewBase<F>) -> Result<Manifest, StoreError> {
        let standing = self.standing()?;
        let chain = base.settle()?;
        let mut manifest = Manifest::of_base(chain);
        if let Some((old, whole)) = standing {
            manifest.greatest = manifest.greatest.max(old.greatest);
            manifest.epochs = old.epochs;
            // What does not read is not worth its room.
            manifest.kept = whole.then_some(old.current).into_iter().chain(old.kept).collect();
        }
        self.write_manifest(&mut manifest)?;
        Ok(manifest)
    }

    /// Goes back to a generation that is kept: it is current from now on, and what was current is
    /// kept.
    ///
    /// # Errors
    ///
    /// The generation is not kept, or a file of it is damaged; then nothing is changed.
    pub fn rollback(&self, to: u64) -> Result<Manifest, StoreError> {
        let path = self.files.path();
        let Some((old, _)) = self.standing()? else {
            return Err(StoreError::Empty { path: path.to_owned() });
        };
        let chains = || std::iter::once(&old.current).chain(&old.kept);
        let range = |chain: &Chain| (chain.base_generation, chain.last().unwrap_or(u64::MAX));
        let holds = |chain: &&Chain| (range(chain).0..=range(chain).1).contains(&to);
        let not_kept = || StoreError::NotKept {
            path: path.to_owned(),
            wanted: to,
            kept: chains().map(range).collect(),
        };
        let mut current = chains().find(holds).ok_or_else(not_kept)?.clone();
        let first = current.logs.iter().position(|log| log.last.is_none_or(|last| last >= to));
        current.logs.truncate(first.map_or(0, |first| first.saturating_add(1)));
        if let Some(log) = current.logs.last_mut() {
            log.last = Some(to);
        }
        // A generation within the range may never have been: numbers are given once.
        let read = open_chain(&self.files, &current).map_err(|error| match error {
            StoreError::Cut { .. } => not_kept(),
            other => other,
        })?;
        if read.state().generation != to {
            return Err(not_kept());
        }
        let mut kept: Vec<Chain> = chains().cloned().collect();
        kept.retain(|chain| *chain != current);
        let Manifest { greatest, epochs, .. } = old;
        let mut manifest = Manifest { greatest, epochs, current, kept };
        self.write_manifest(&mut manifest)?;
        Ok(manifest)
    }

    /// The manifest as it stands, with the open log closed at its last generation, and whether the
    /// current generation reads.
    fn standing(&self) -> Result<Option<(Manifest, bool)>, StoreError> {
        let Some(mut manifest) = read_manifest(&self.files)? else { return Ok(None) };
        if manifest.current.last().is_some() {
            return Ok(Some((manifest, true)));
        }
        match Reader::open(self.files.clone()) {
            Ok(reader) => {
                let last = reader.generation().state().generation;
                close(&mut manifest, last);
                Ok(Some((manifest, true)))
            }
            Err(error) => {
                tracing::warn!(%error, "the current generation does not read");
                Ok(Some((manifest, false)))
            }
        }
    }

    /// Commits a manifest, and removes what it does not name.
    pub(super) fn write_manifest(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        manifest.kept.truncate(self.settings.keep);
        let files = &self.files;
        let aside = format!("{MANIFEST}{ASIDE_ENDING}");
        let mut file = files.create(&aside, 0).map_err(failed(files, &aside, "make it"))?;
        file.write_all(manifest.encode().as_bytes()).map_err(failed(files, &aside, "write it"))?;
        files.sync(&file).map_err(failed(files, &aside, "sync it"))?;
        files.rename(&aside, MANIFEST).map_err(failed(files, MANIFEST, "replace it"))?;
        files.sync_directory().map_err(failed(files, "", "sync the directory"))?;
        // It is committed: what cannot be removed now is removed by the next writer.
        if let Err(error) = self.clear(manifest, false) {
            tracing::warn!(%error, "files of an old generation could not be removed");
        }
        Ok(())
    }

    /// Removes what a crash left.
    fn clear_rests(&self) -> Result<(), StoreError> {
        match read_manifest(&self.files)? {
            Some(manifest) => self.clear(&manifest, true),
            None => self.remove_files(true, &|name| name.ends_with(ASIDE_ENDING)),
        }
    }

    fn clear(&self, manifest: &Manifest, is_rest: bool) -> Result<(), StoreError> {
        let chains = || std::iter::once(&manifest.current).chain(&manifest.kept);
        let bases: HashSet<&str> = chains().map(|chain| chain.base.as_str()).collect();
        let logs: HashSet<u64> =
            chains().flat_map(|chain| chain.logs.iter().map(|log| log.epoch)).collect();
        self.remove_files(is_rest, &|name| {
            if name.ends_with(ASIDE_ENDING) {
                return is_rest;
            }
            let is_base = name.starts_with("base-") && name.ends_with(BASE_ENDING);
            is_base && !bases.contains(name)
                || epoch_of(name).is_some_and(|epoch| !logs.contains(&epoch))
        })
    }

    fn remove_files(&self, is_rest: bool, which: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
        let files = &self.files;
        for name in files.list().map_err(failed(files, "", "list it"))? {
            if which(&name) {
                files.remove(&name).map_err(failed(files, &name, "remove it"))?;
                if is_rest {
                    tracing::warn!(file = name, "left by a crash, in no generation: removed");
                }
            }
        }
        Ok(())
    }
}

/// Closes the open log of the current state at `last`.
pub(super) fn close(manifest: &mut Manifest, last: u64) {
    if let Some(log) = manifest.current.logs.last_mut().filter(|log| log.last.is_none()) {
        log.last = Some(last);
    }
    manifest.greatest = manifest.greatest.max(last);
}

/// The log that a file is a part of.
fn epoch_of(name: &str) -> Option<u64> {
    let numbers = name.strip_prefix("delta-")?.strip_suffix(LOG_ENDING)?;
    numbers.split_once('-')?.0.parse().ok()
}
