//! The one writer of a snapshot directory: publishes bases, goes back to kept states, and clears
//! away what nobody needs any more.
//!
//! # Does not
//!
//! Append changes: [`super::Live`] does, which is a writer that has read the current generation.

use std::collections::HashSet;
use std::io::Write;

use super::base::NewBase;
use super::damage;
use super::error::{StoreError, failed};
use super::files::Files;
use super::manifest::{Chain, Manifest};
use super::reader::{Reader, open_chain, read_manifest};
use super::{ASIDE_ENDING, LOCK, MANIFEST, generation_of, part_of};

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
    lock: F::Lock,
    /// Whether a base may take the place of a state that does not read.
    over_damage: bool,
}

/// What a writer finds.
enum Found {
    /// No state.
    Nothing,
    /// A state that reads, its open log closed at its last generation.
    Whole(Manifest),
    /// One that does not, as its manifest says, if that reads.
    Damaged(Option<Manifest>, StoreError),
}

impl<F: Files> Writer<F> {
    /// Becomes the one writer; makes the directory if it does not exist, and removes the rests of a
    /// writer that crashed.
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
        let writer = Self { files, settings, lock, over_damage: false };
        writer.clear_rests()?;
        Ok(writer)
    }

    /// Lets a base take the place of a state that does not read: the states that can be gone back
    /// to are kept, the rest is set aside.
    #[must_use]
    pub fn over_damage(mut self, is_permitted: bool) -> Self {
        self.over_damage = is_permitted;
        self
    }

    /// Whether the lock is still that of the directory.
    pub(super) fn check_lock(&self) -> Result<(), StoreError> {
        let files = &self.files;
        if files.is_locked_by(LOCK, &self.lock).map_err(failed(files, LOCK, "look at it"))? {
            return Ok(());
        }
        Err(StoreError::LockLost { path: files.path().join(LOCK) })
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
    /// What there is does not read ([`StoreError::Standing`], see [`Self::over_damage`]), or the
    /// file system refuses.
    pub fn begin(&self) -> Result<NewBase<F>, StoreError> {
        let generation = match self.found()? {
            Found::Whole(manifest) => manifest.greatest,
            Found::Nothing => damage::beyond(damage::greatest(&self.files)?.0),
            Found::Damaged(_, source) if !self.over_damage => {
                return Err(StoreError::Standing { source: Box::new(source) });
            }
            Found::Damaged(manifest, _) => self.beyond(manifest.as_ref())?.0,
        };
        NewBase::begin(&self.files, generation.saturating_add(1))
    }

    /// Numbers of a generation and a log beyond all that a state which does not read has had.
    fn beyond(&self, manifest: Option<&Manifest>) -> Result<(u64, u64), StoreError> {
        let (generation, epoch) = damage::greatest(&self.files)?;
        let (greatest, epochs) = manifest.map_or((0, 0), |old| (old.greatest, old.epochs));
        Ok((damage::beyond(generation.max(greatest)), epoch.max(epochs)))
    }

    /// Makes a base that was written whole the current generation, and what was current a kept one.
    /// After an error the old generation is current.
    ///
    /// # Errors
    ///
    /// The file is not a snapshot, or the file system refuses.
    pub fn publish(&self, base: NewBase<F>) -> Result<Manifest, StoreError> {
        self.check_lock()?;
        let found = self.found()?;
        let mut manifest = Manifest::of_base(base.seal()?);
        let mut keep = self.settings.keep;
        match found {
            Found::Nothing => {
                manifest.epochs = damage::greatest(&self.files)?.1;
                self.publish_first(base, &manifest)?;
                return Ok(manifest);
            }
            Found::Damaged(_, source) if !self.over_damage => {
                return Err(StoreError::Standing { source: Box::new(source) });
            }
            Found::Damaged(None, _) => {
                manifest.epochs = damage::greatest(&self.files)?.1;
                damage::set_all_aside(&self.files)?;
                self.publish_first(base, &manifest)?;
                return Ok(manifest);
            }
            Found::Damaged(Some(old), _) => {
                let (greatest, epochs) = self.beyond(Some(&old))?;
                manifest.greatest = manifest.greatest.max(greatest);
                manifest.epochs = epochs;
                manifest.kept = old.kept;
                // It pushes out none that is whole.
                keep = keep.saturating_add(keep.min(1));
                match damage::as_far_as_it_reads(&self.files, &old.current) {
                    Some((read, _)) => manifest.kept.insert(0, read),
                    None => damage::set_aside(&self.files, &old.current, &manifest.kept)?,
                }
            }
            Found::Whole(old) => {
                manifest.greatest = manifest.greatest.max(old.greatest);
                manifest.epochs = old.epochs;
                manifest.kept = std::iter::once(old.current).chain(old.kept).collect();
            }
        }
        base.name()?;
        manifest.kept.truncate(keep);
        self.commit_manifest(&manifest)?;
        Ok(manifest)
    }

    /// Makes a base current where there is no manifest. That is written aside before the base has
    /// its name: a base without either is one whose manifest was lost.
    fn publish_first(&self, base: NewBase<F>, manifest: &Manifest) -> Result<(), StoreError> {
        let files = &self.files;
        self.write_aside(manifest)?;
        files.sync_directory().map_err(failed(files, "", "sync the directory"))?;
        base.name()?;
        self.take_aside(manifest)
    }

    /// Goes back to a generation that is kept: it is current from now on, and the one that was
    /// current is kept.
    ///
    /// # Errors
    ///
    /// The generation is not kept, or a file of it is damaged; then nothing is changed.
    pub fn rollback(&self, to: u64) -> Result<Manifest, StoreError> {
        let path = self.files.path();
        let old = match self.found()? {
            Found::Whole(manifest) => manifest,
            Found::Damaged(Some(mut manifest), _) => {
                (manifest.greatest, manifest.epochs) = self.beyond(Some(&manifest))?;
                // What is kept of it ends where it stops to read.
                if let Some((read, _)) = damage::as_far_as_it_reads(&self.files, &manifest.current)
                {
                    manifest.current = read;
                }
                manifest
            }
            Found::Damaged(None, error) => return Err(error),
            Found::Nothing => return Err(StoreError::Empty { path: path.to_owned() }),
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
        let damaged = |source| StoreError::Format { path: path.join(&current.base), source };
        read.base().check_sums_once(&|| true).map_err(damaged)?;
        let mut kept: Vec<Chain> = chains().cloned().collect();
        kept.retain(|chain| *chain != current);
        let Manifest { greatest, epochs, .. } = old;
        let mut manifest = Manifest { greatest, epochs, current, kept };
        self.write_manifest(&mut manifest)?;
        Ok(manifest)
    }

    /// What there is, and whether it reads.
    fn found(&self) -> Result<Found, StoreError> {
        let mut manifest = match read_manifest(&self.files) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(Found::Nothing),
            Err(error) if error.is_damage() => return Ok(Found::Damaged(None, error)),
            Err(error) => return Err(error),
        };
        match Reader::open(self.files.clone()) {
            Ok(reader) => {
                close(&mut manifest, reader.generation().state().generation);
                Ok(Found::Whole(manifest))
            }
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, "the current generation does not read");
                Ok(Found::Damaged(Some(manifest), error))
            }
            Err(error) => Err(error),
        }
    }

    /// Commits a manifest, and removes what it does not name.
    pub(super) fn write_manifest(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        manifest.kept.truncate(self.settings.keep);
        self.commit_manifest(manifest)
    }

    fn commit_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.check_lock()?;
        self.write_aside(manifest)?;
        self.take_aside(manifest)
    }

    fn write_aside(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let files = &self.files;
        let aside = format!("{MANIFEST}{ASIDE_ENDING}");
        let mut file = files.create(&aside, 0).map_err(failed(files, &aside, "make it"))?;
        file.write_all(manifest.encode().as_bytes()).map_err(failed(files, &aside, "write it"))?;
        files.sync(&file).map_err(failed(files, &aside, "sync it"))
    }

    /// Commits the manifest that was written aside.
    fn take_aside(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let files = &self.files;
        let aside = format!("{MANIFEST}{ASIDE_ENDING}");
        files.rename(&aside, MANIFEST).map_err(failed(files, MANIFEST, "replace it"))?;
        files.sync_directory().map_err(failed(files, "", "sync the directory"))?;
        // It is committed: the next writer removes what cannot be removed now.
        if let Err(error) = self.clear(manifest, false) {
            tracing::warn!(%error, "files of an old generation could not be removed");
        }
        Ok(())
    }

    /// Removes what a crash left; nothing where the manifest is gone or damaged, since it may be
    /// all that is left of a registry.
    fn clear_rests(&self) -> Result<(), StoreError> {
        match read_manifest(&self.files) {
            Ok(Some(manifest)) => self.clear(&manifest, true),
            // The manifest of a first publication goes last: without it the base would be one whose
            // manifest was lost.
            Ok(None) => {
                let first = format!("{MANIFEST}{ASIDE_ENDING}");
                let is_rest = |name: &str| name.ends_with(ASIDE_ENDING) && name != first;
                self.remove_files(true, &|name| generation_of(name).is_some() || is_rest(name))?;
                self.remove_files(true, &|name| name == first)
            }
            Err(error) if error.is_damage() => Ok(()),
            Err(error) => Err(error),
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
            generation_of(name).is_some() && !bases.contains(name)
                || part_of(name).is_some_and(|(epoch, _)| !logs.contains(&epoch))
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
