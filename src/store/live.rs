//! A writer that appends changes: batches into the open log, folds into new bases.
//!
//! # Invariants
//!
//! - `acknowledged`: [`Live::append`] returns a generation once its frame is synced.
//! - After any failure to write, the log goes on in a new part, which continues the last generation
//!   that was acknowledged: the rest of the failed batch never counts.
//!
//! # Does not
//!
//! Make changes, or publish generations to the code that answers.

use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use snapshot_format::delta::frame::{FRAME_HEAD_BYTES, LOG_HEAD_BYTES, PAYLOAD_BYTES_MAX};
use snapshot_format::delta::{Encoded, Frame, FrameHead, LogHead};

use super::base::NewBase;
use super::error::{StoreError, failed};
use super::files::Files;
use super::log::{Part, Tail};
use super::manifest::{Chain, LogName, Manifest};
use super::reader::{Reader, open_base, read_logs, read_manifest};
use super::writer::{Writer, close};
use super::{ASIDE_ENDING, GenerationOf, log_name};

/// Lengths of parts are multiples of it: files of huge pages.
const PART_UNIT_BYTES: u64 = 2 << 20;
/// A part takes at most such a share of what is free: a fold needs room for a base as well.
const ROOM_SHARE: u64 = 8;

/// What a batch says of the state that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Last serial that is contained; 0 without a feed.
    pub serial: u64,
    /// Commit time of the newest change, ms since the epoch.
    pub committed_ms: i64,
    /// Newest sign of life of the feed, ms since the epoch; `i64::MIN` for none.
    pub heartbeat_ms: i64,
}

/// The open part of the log.
#[derive(Debug)]
struct Open<F: Files> {
    name: LogName,
    number: u32,
    part: Part<F>,
    file: F::File,
    bytes: u64,
    /// Whether everything after the last frame is zeros.
    whole: bool,
}

/// What is to be folded, and where to.
#[derive(Debug)]
pub struct Fold<F: Files> {
    /// The generation.
    pub generation: Arc<GenerationOf<F>>,
    /// The base that is to hold it.
    pub base: NewBase<F>,
}

/// A writer with the generation that it continues.
#[derive(Debug)]
pub struct Live<F: Files> {
    writer: Writer<F>,
    manifest: Manifest,
    generation: Arc<GenerationOf<F>>,
    /// Greatest number ever given.
    greatest: u64,
    open: Option<Open<F>>,
    /// Whether writing the manifest failed: it may have been replaced all the same.
    unsure: bool,
}

impl<F: Files> Live<F> {
    /// Reads the current generation, to go on from it.
    ///
    /// # Errors
    ///
    /// No generation, or damage.
    pub fn open(writer: Writer<F>) -> Result<Self, StoreError> {
        let reader = Reader::open(writer.files.clone())?;
        let rest = reader.rest()?;
        if let Some(rest) = &rest {
            tracing::warn!(
                file = rest.name,
                at = rest.at,
                "a batch that was not finished is set aside; the log goes on in its next part"
            );
        }
        let (manifest, generation, tail) = reader.into_parts();
        let greatest = manifest.greatest.max(generation.state().generation);
        let mut live = Self { writer, manifest, generation, greatest, open: None, unsure: false };
        if let Some(tail) = tail {
            live.take_up(tail, rest.is_none())?;
            live.make_durable()?;
        }
        Ok(live)
    }

    /// Goes on from what [`Self::writer`] has published meanwhile.
    ///
    /// # Errors
    ///
    /// Damage; the generation from before stays in memory, and is not to be appended to.
    pub fn reload(&mut self) -> Result<(), StoreError> {
        let (manifest, generation, _) = Reader::open(self.writer.files.clone())?.into_parts();
        self.greatest = self.greatest.max(manifest.greatest);
        (self.manifest, self.generation, self.open) = (manifest, generation, None);
        self.unsure = false;
        Ok(())
    }

    /// Puts on the disk what was read of the open part: a writer that was killed, or whose sync
    /// failed, leaves frames that the page cache has and the disk perhaps not. The same bytes are
    /// written again, since a failed sync makes the kernel forget that they were not.
    fn make_durable(&mut self) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let files = &self.writer.files;
        let name = log_name(open.name.epoch, open.number);
        let mut bytes = vec![0; usize::try_from(open.part.at).unwrap_or(0)];
        files.read_log(&open.part.log, 0, &mut bytes).map_err(failed(files, &name, "read it"))?;
        open.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| open.file.write_all(&bytes))
            .map_err(failed(files, &name, "write it again"))?;
        files.sync(&open.file).map_err(failed(files, &name, "sync it"))
    }

    /// Goes on where a reader ended.
    fn take_up(&mut self, tail: Tail<F>, whole: bool) -> Result<(), StoreError> {
        let Tail { name, number, part: Some(part), .. } = tail else { return Ok(()) };
        let files = &self.writer.files;
        let file_name = log_name(name.epoch, number);
        let file = files.open(&file_name).map_err(failed(files, &file_name, "open it"))?;
        let bytes =
            files.bytes(&file_name).map_err(failed(files, &file_name, "read its length"))?;
        self.open = Some(Open { name, number, part, file, bytes, whole });
        Ok(())
    }

    /// The last generation that was acknowledged.
    #[must_use]
    pub const fn generation(&self) -> &Arc<GenerationOf<F>> {
        &self.generation
    }

    /// The writer.
    #[must_use]
    pub const fn writer(&self) -> &Writer<F> {
        &self.writer
    }

    /// Appends a batch that was encoded over [`Self::generation`]. The generation that it returns
    /// is on the disk. Costs one sync.
    ///
    /// # Errors
    ///
    /// The disk refuses, or the batch does not fit the generation; the batch does not count then,
    /// and may be tried again.
    pub fn append(
        &mut self,
        batch: &Encoded,
        stamp: Stamp,
    ) -> Result<Arc<GenerationOf<F>>, StoreError> {
        let (got, max) = (batch.payload.len(), PAYLOAD_BYTES_MAX);
        if got > max {
            let path = self.writer.files.path().to_owned();
            return Err(StoreError::Batch { path, got, max });
        }
        // A number is given once, also to a batch that fails.
        self.greatest = self.greatest.saturating_add(1);
        self.append_as(self.greatest, batch, stamp)
    }

    fn append_as(
        &mut self,
        generation: u64,
        batch: &Encoded,
        stamp: Stamp,
    ) -> Result<Arc<GenerationOf<F>>, StoreError> {
        self.settle()?;
        let payload = batch.payload.len() as u64;
        let needed = payload.saturating_add(FRAME_HEAD_BYTES as u64);
        let fits = self
            .open
            .as_ref()
            .is_some_and(|open| open.whole && open.part.at.saturating_add(needed) <= open.bytes);
        if !fits {
            self.next_part(needed)?;
        }
        // Two system calls, beside a sync.
        self.writer.check_lock()?;
        let Some(open) = &mut self.open else { return Ok(Arc::clone(&self.generation)) };
        let files = &self.writer.files;
        let name = log_name(open.name.epoch, open.number);
        let head = FrameHead {
            generation,
            parent: self.generation.state().generation,
            serial: stamp.serial,
            committed_ms: stamp.committed_ms,
            heartbeat_ms: stamp.heartbeat_ms,
            entry_count: batch.entry_count,
        };
        open.whole = false;
        let bytes = head.frame(&open.part.head, &batch.payload);
        open.file
            .seek(SeekFrom::Start(open.part.at))
            .and_then(|_| open.file.write_all(&bytes))
            .map_err(failed(files, &name, "append to it"))?;
        let start = usize::try_from(open.part.at).unwrap_or(usize::MAX);
        let frame = Frame {
            head,
            payload_at: start.saturating_add(FRAME_HEAD_BYTES),
            payload_bytes: batch.payload.len(),
        };
        let next = self.generation.with_frame(&open.part.log, &frame);
        let path = || files.path().join(&name);
        let next = next.map_err(|source| StoreError::Format { path: path(), source })?;
        files.sync(&open.file).map_err(failed(files, &name, "sync it"))?;
        open.part.at = frame.end() as u64;
        open.whole = true;
        self.generation = Arc::new(next);
        Ok(Arc::clone(&self.generation))
    }

    /// Begins the next part of the open log, or a new log if none is open.
    fn next_part(&mut self, needed: u64) -> Result<(), StoreError> {
        match &self.open {
            Some(open) => {
                let (name, number) = (open.name, open.number.saturating_add(1));
                let mut manifest = self.manifest.clone();
                if let Some(log) = manifest.current.logs.last_mut() {
                    log.parts = number;
                }
                manifest.greatest = self.greatest;
                // It is gone on with even where the manifest cannot be written: a reader may have
                // found it.
                self.open = Some(self.make_part(name, number, needed)?);
                // Batches come once it is counted, so that none is lost with it unnoticed.
                self.commit(manifest)?;
            }
            None => self.next_log(needed)?,
        }
        Ok(())
    }

    /// Begins a new log over the current generation.
    fn next_log(&mut self, needed: u64) -> Result<(), StoreError> {
        let mut manifest = self.manifest.clone();
        close(&mut manifest, self.generation.state().generation);
        manifest.greatest = self.greatest;
        manifest.epochs = manifest.epochs.saturating_add(1);
        let name = LogName::open(manifest.epochs);
        let open = self.make_part(name, 1, needed)?;
        manifest.current.logs.push(name);
        self.commit(manifest)?;
        self.open = Some(open);
        Ok(())
    }

    fn commit(&mut self, mut manifest: Manifest) -> Result<(), StoreError> {
        self.unsure = true;
        self.writer.write_manifest(&mut manifest)?;
        self.unsure = false;
        self.manifest = manifest;
        Ok(())
    }

    /// Finds out which manifest counts after one could not be written: the failure may have come
    /// after the rename. Batches have to go into the log that it names.
    fn settle(&mut self) -> Result<(), StoreError> {
        if !self.unsure {
            return Ok(());
        }
        let files = self.writer.files.clone();
        files.sync_directory().map_err(failed(&files, "", "sync the directory"))?;
        let manifest = read_manifest(&files)?
            .ok_or_else(|| StoreError::Empty { path: files.path().to_owned() })?;
        let name = manifest.current.logs.last().copied().filter(|log| log.last.is_none());
        let has_it =
            |name: LogName| self.open.as_ref().is_some_and(|open| open.name.epoch == name.epoch);
        match name {
            Some(name) if has_it(name) => {}
            // Begun over this generation, and not written into yet.
            Some(name) => {
                let part = Part::open(&files, name.epoch, 1)?;
                self.open = None;
                self.take_up(Tail::within(name, 1, part), true)?;
            }
            None => self.open = None,
        }
        self.manifest = manifest;
        self.unsure = false;
        Ok(())
    }

    /// Makes a part of a log, complete and synced.
    fn make_part(&self, name: LogName, number: u32, needed: u64) -> Result<Open<F>, StoreError> {
        let files = &self.writer.files;
        let file_name = log_name(name.epoch, number);
        let aside = format!("{file_name}{ASIDE_ENDING}");
        let least = needed.saturating_add(LOG_HEAD_BYTES as u64).next_multiple_of(PART_UNIT_BYTES);
        let head = LogHead {
            epoch: name.epoch,
            number,
            salt: salt(),
            begins_over: self.generation.state().generation,
            file_bytes: 0,
        };
        self.writer.check_lock()?;
        let (mut file, bytes) = self.make_room(&aside, least)?;
        let head = LogHead { file_bytes: bytes, ..head };
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&head.encode()))
            .map_err(failed(files, &aside, "write it"))?;
        files.sync(&file).map_err(failed(files, &aside, "sync it"))?;
        files.rename(&aside, &file_name).map_err(failed(files, &aside, "rename it"))?;
        files.sync_directory().map_err(failed(files, "", "sync the directory"))?;
        let log = files.log(&file_name).map_err(failed(files, &file_name, "open it"))?;
        let part = Part { log: Arc::new(log), head, at: LOG_HEAD_BYTES as u64 };
        Ok(Open { name, number, part, file, bytes, whole: true })
    }

    /// Makes a part's file, of `least` bytes or more: as many as are usual, fewer on a disk that
    /// has little room. The room is taken at once, so that a batch within the part never fails for
    /// lack of it.
    fn make_room(&self, aside: &str, least: u64) -> Result<(F::File, u64), StoreError> {
        let files = &self.writer.files;
        let usual = self.writer.settings.log_part_bytes.next_multiple_of(PART_UNIT_BYTES);
        // Without knowing the room, the usual length is tried.
        let room = files.room().ok().flatten().unwrap_or(u64::MAX);
        let share = room.checked_div(ROOM_SHARE).unwrap_or(0);
        let share = share.saturating_sub(share.checked_rem(PART_UNIT_BYTES).unwrap_or(0));
        let mut bytes = usual.min(share).max(least);
        loop {
            let error = match files.create(aside, bytes) {
                Ok(file) => {
                    if bytes < usual {
                        tracing::info!(
                            bytes,
                            usual,
                            room,
                            "little room: the log gets a short part"
                        );
                    }
                    return Ok((file, bytes));
                }
                Err(error) => error,
            };
            if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return Err(failed(files, aside, "make it")(error));
            }
            // What was written of it fills the disk for everybody.
            let _ = files.remove(aside);
            if bytes == least {
                let path = files.path().join(aside);
                return Err(StoreError::Room { path, bytes, source: error });
            }
            let half = bytes.checked_div(2).unwrap_or(0).next_multiple_of(PART_UNIT_BYTES);
            bytes = if half < bytes { half.max(least) } else { least };
        }
    }

    /// Begins a fold: the log goes on in a new one, and the logs before it are to be written into
    /// the base that [`Fold`] has. `None` if there is nothing to fold.
    ///
    /// # Errors
    ///
    /// The disk refuses; nothing is lost.
    pub fn begin_fold(&mut self) -> Result<Option<Fold<F>>, StoreError> {
        self.settle()?;
        let generation = Arc::clone(&self.generation);
        let state = generation.state().generation;
        if state == self.manifest.current.base_generation {
            return Ok(None);
        }
        // A fold that failed may have left a log that no batch was appended to.
        let is_empty = |open: &Open<F>| open.part.head.begins_over == state && open.number == 1;
        if !self.open.as_ref().is_some_and(is_empty) {
            self.next_log(0)?;
        }
        self.reserve()?;
        let base = NewBase::begin(&self.writer.files, state)?;
        Ok(Some(Fold { generation, base }))
    }

    /// Begins the log with what a base does not hold: the ordinals that have no record, and a sign
    /// of life that is newer than the newest change. They are a frame that makes no new generation,
    /// so that every generation over the base has them.
    fn reserve(&mut self) -> Result<(), StoreError> {
        let reservations = self.generation.reservations();
        let state = self.generation.state();
        if reservations.entry_count == 0 && state.heartbeat_ms <= state.committed_ms {
            return Ok(());
        }
        let stamp = Stamp {
            serial: state.serial,
            committed_ms: state.committed_ms,
            heartbeat_ms: state.heartbeat_ms,
        };
        self.append_as(state.generation, &reservations, stamp).map(drop)
    }

    /// Ends a fold: the new base and the log over it are current from now on, and the state that
    /// they take the place of is kept. Answers do not change.
    ///
    /// # Errors
    ///
    /// The file is not a base, or the disk refuses; the old base and its logs stay current.
    pub fn finish_fold(&mut self, base: NewBase<F>) -> Result<Arc<GenerationOf<F>>, StoreError> {
        self.settle()?;
        let folded = base.generation();
        let settled = base.settle()?;
        let mut manifest = self.manifest.clone();
        let logs = &mut manifest.current.logs;
        let later = logs.iter().position(|log| log.last == Some(folded));
        let newer = logs.split_off(later.map_or(0, |at| at.saturating_add(1)));
        let chain = Chain { logs: newer, ..settled };
        let generation = open_base(&self.writer.files, &chain)?;
        // No further than what was acknowledged: a batch that failed may follow it.
        let mut acknowledged = chain.clone();
        if let Some(log) = acknowledged.logs.last_mut() {
            log.last = Some(self.generation.state().generation);
        }
        let (generation, _) = read_logs(&self.writer.files, &acknowledged, generation)?;
        let old = std::mem::replace(&mut manifest.current, chain);
        manifest.kept.insert(0, old);
        manifest.greatest = self.greatest;
        self.commit(manifest)?;
        // The open part stays the one that was written last: where it was begun after a failure,
        // the part before it ends at this generation too, and takes no more.
        self.generation = Arc::new(generation);
        Ok(Arc::clone(&self.generation))
    }
}

/// A number that no other log has.
fn salt() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
