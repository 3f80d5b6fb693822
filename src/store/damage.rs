//! What a directory still says whose current state does not read: a state as far as it does, and
//! the greatest numbers that were given.
//!
//! # Invariants
//!
//! - Numbers never go back: a follower that has seen a generation never takes an older state for a
//!   newer one. Where a log does not read, the next number is beyond all that it could have held.
//! - Nothing here changes a file but [`set_aside`], which renames.
//!
//! # Does not
//!
//! Decide what may take its place: `guard` does.

use std::io;
use std::sync::Arc;

use super::error::{StoreError, failed};
use super::files::Files;
use super::log::Part;
use super::manifest::{Chain, Manifest};
use super::reader::{Reader, open_chain, read_manifest};
use super::writer::close;
use super::{DAMAGED_ENDING, GenerationOf, MANIFEST, generation_of, log_name, part_of};

/// Generations that bytes which do not read may have held: a part of the usual 64 MiB has no more
/// frames, whose heads alone have 80 bytes.
const UNREAD_MAX: u64 = 1 << 20;

/// What there is in a directory.
#[derive(Debug)]
pub struct Standing<F: Files> {
    /// The current state; where that does not read, as far as it does, or else one that is kept.
    pub generation: Option<Arc<GenerationOf<F>>>,
    /// Why the current state does not read.
    pub damage: Option<StoreError>,
}

/// What there is in a directory, whether or not it reads. Costs as much as opening it.
///
/// # Errors
///
/// The file system refuses, which says nothing of what there is.
pub fn standing<F: Files>(files: &F) -> Result<Standing<F>, StoreError> {
    let damage = match Reader::open(files.clone()) {
        Ok(reader) => {
            let generation = Some(Arc::clone(reader.generation()));
            return Ok(Standing { generation, damage: None });
        }
        Err(StoreError::Empty { .. }) => return Ok(Standing { generation: None, damage: None }),
        Err(error) if error.is_damage() => error,
        Err(error) => return Err(error),
    };
    let manifest = read_manifest(files).ok().flatten();
    let chains = manifest.iter().flat_map(|all| std::iter::once(&all.current).chain(&all.kept));
    let generation = chains.into_iter().find_map(|chain| as_far_as_it_reads(files, chain));
    let generation = generation.map(|(_, generation)| Arc::new(generation));
    Ok(Standing { generation, damage: Some(damage) })
}

/// A chain that is closed where it stops to read, and its generation; `None` if not even its base
/// reads.
pub(super) fn as_far_as_it_reads<F: Files>(
    files: &F,
    chain: &Chain,
) -> Option<(Chain, GenerationOf<F>)> {
    for count in (0..=chain.logs.len()).rev() {
        let logs = chain.logs.iter().take(count).copied().collect();
        let mut part = Chain { logs, ..chain.clone() };
        let opened = open_chain(files, &part).or_else(|error| {
            let last = error.last_good();
            match part.logs.last_mut() {
                Some(log) if last.is_some() => {
                    log.last = last;
                    open_chain(files, &part)
                }
                _ => Err(error),
            }
        });
        if let Ok(generation) = opened {
            let mut closed = Manifest::of_base(part);
            close(&mut closed, generation.state().generation);
            return Some((closed.current, generation));
        }
    }
    None
}

/// The greatest numbers of a generation and of a log that files of the directory say, also of
/// those that were set aside.
pub(super) fn greatest<F: Files>(files: &F) -> Result<(u64, u64), StoreError> {
    let (mut generation, mut epoch) = (0, 0);
    for name in files.list().map_err(failed(files, "", "list it"))? {
        let plain = name.strip_suffix(DAMAGED_ENDING).unwrap_or(&name);
        generation = generation.max(generation_of(plain).unwrap_or(0));
        let Some((of, number)) = part_of(plain) else { continue };
        epoch = epoch.max(of);
        // One that does not read says nothing, and is what the reserve is for.
        let last = Part::open_as(files, &name, of, number).ok().flatten();
        let last = last.and_then(|part| part.greatest(files, &name).ok());
        generation = generation.max(last.unwrap_or(0));
    }
    Ok((generation, epoch))
}

/// A number of a generation that none has had, where some do not read.
pub(super) const fn beyond(greatest: u64) -> u64 {
    if greatest == 0 { 0 } else { greatest.saturating_add(UNREAD_MAX) }
}

/// Gives files of a state that does not read another name, under which they stay. What other
/// chains use keeps its own.
pub(super) fn set_aside<F: Files>(
    files: &F,
    chain: &Chain,
    kept: &[Chain],
) -> Result<(), StoreError> {
    let epochs = |chain: &Chain| -> Vec<u64> { chain.logs.iter().map(|log| log.epoch).collect() };
    let used: Vec<u64> = kept.iter().flat_map(epochs).collect();
    let own = epochs(chain);
    set_aside_files(files, &|name| {
        let is_base = name == chain.base && kept.iter().all(|kept| kept.base != name);
        is_base
            || part_of(name)
                .is_some_and(|(epoch, _)| own.contains(&epoch) && !used.contains(&epoch))
    })
}

/// The same for all bases and logs, and the manifest.
pub(super) fn set_all_aside<F: Files>(files: &F) -> Result<(), StoreError> {
    set_aside_files(files, &|name| {
        name == MANIFEST || generation_of(name).is_some() || part_of(name).is_some()
    })
}

fn set_aside_files<F: Files>(files: &F, which: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
    for name in files.list().map_err(failed(files, "", "list it"))? {
        if !which(&name) {
            continue;
        }
        let to = format!("{name}{DAMAGED_ENDING}");
        match files.rename(&name, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(files, &name, "set it aside")(error));
            }
            _ => tracing::warn!(file = name, to, "does not read: set aside"),
        }
    }
    files.sync_directory().map_err(failed(files, "", "sync the directory"))
}

impl<F: Files> Part<F> {
    /// The greatest generation of a frame that reads, anywhere in the part.
    fn greatest(mut self, files: &F, name: &str) -> Result<u64, StoreError> {
        let mut greatest = self.head.begins_over;
        loop {
            while let Some(frame) = self.frame(files, name)? {
                greatest = greatest.max(frame.head.generation);
                self.at = frame.end() as u64;
            }
            let Some(at) = self.behind(files, name, greatest)? else { return Ok(greatest) };
            self.at = at;
        }
    }

    /// Opens a part as the writer named it.
    pub(super) fn open(files: &F, epoch: u64, number: u32) -> Result<Option<Self>, StoreError> {
        Self::open_as(files, &log_name(epoch, number), epoch, number)
    }
}
