//! A generation as a new base.
//!
//! # Invariants
//!
//! - Ordinals stay, and with them every reference: records are copied as they lie.
//! - `whole`: the base's checksums are compared before anything of it is copied: damage would get
//!   new checksums, which are right. That reads the base once more, in order, once for each time
//!   that it is opened (5.9 GB: about 1 s of one core where the page cache has it).
//! - Memory is bounded by a setting, whatever the size of the base.
//!
//! # Does not
//!
//! Know files or rates: the output may slow the fold down.

use std::cell::RefCell;
use std::io::{Seek, Write};
use std::iter::from_fn;
use std::rc::Rc;

use super::Heap;
use super::encode::Encoded;
use super::entry::{Entry, Op};
use super::generation::Generation;
use super::mark::DepositMark;
use super::overlay::STABLE_KINDS;
use crate::access;
use crate::builder::{Builder, Options, Summary};
use crate::error::{BuildError, Corrupt};
use crate::layout::Kind;
use crate::reader::Archived;
use crate::record::{ArchivedDomain, ArchivedNndn, Meta, NONE};
use crate::sort::Scratch;

/// Records between two calls of the progress function.
const PROGRESS_RECORDS: u32 = 1 << 12;
/// Deposits that a base names: the newest ones.
const DEPOSITS_MAX: usize = 64;

/// Writes `generation` as a snapshot to `out`. Memory: about `memory_bytes`. `go_on` is asked now
/// and then, with records written and records in all, whether to go on; `None` if it says no.
///
/// # Errors
///
/// Damage in the base ([`BuildError::Base`]) or the log, or what the output reports.
pub fn fold<D: AsRef<[u8]>, S: Heap, W: Write + Seek>(
    generation: &Generation<D, S>,
    out: W,
    scratch: &Rc<dyn Scratch>,
    memory_bytes: usize,
    go_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<(W, Summary)>, BuildError> {
    let (state, header) = (generation.state(), generation.base.header());
    let options = Options {
        memory_bytes,
        section_align_bytes: header.section_align_bytes,
        hash_seed: header.hash_seed,
        generation: state.generation,
        serial: state.serial,
        watermark_ms: state.committed_ms,
    };
    let all = Kind::ALL.iter().map(|&kind| u64::from(generation.count(kind))).sum();
    let asked = RefCell::new(&mut *go_on);
    if !generation.base.check_sums_once(&|| (*asked.borrow_mut())(0, all))? {
        return Ok(None);
    }
    let builder = Builder::new(out, Rc::clone(scratch), options)?;
    let mut fold = Fold { generation, builder, go_on, done: 0, all };
    for kind in STABLE_KINDS {
        if !fold.stable(kind)? {
            return Ok(None);
        }
    }
    if !(fold.nndns()? && fold.domains()?) {
        return Ok(None);
    }
    let meta = meta_of(generation)?;
    // Variants whose primary is not there were reported when they came.
    fold.builder.finish(&meta, &mut |_, _| {}).map(Some)
}

fn meta_of<D: AsRef<[u8]>, S: Heap>(generation: &Generation<D, S>) -> Result<Meta, BuildError> {
    let meta = generation.base.meta().map_err(std::io::Error::other)?;
    let mut deposits: Vec<String> = meta.deposits.iter().map(|id| id.as_str().into()).collect();
    let state = generation.state();
    let marks: Vec<String> = state.deposits.iter().map(DepositMark::text).collect();
    for mark in &marks {
        if !deposits.contains(mark) {
            deposits.push(mark.clone());
        }
    }
    let last = deposits.last().map(|last| DepositMark::read(last).id);
    if !state.deposit.is_empty() && last.is_none_or(|last| *last != *state.deposit) {
        deposits.push(state.deposit.as_ref().into());
    }
    // The last one of each TLD stays, whatever their number.
    let mut excess = deposits.len().saturating_sub(DEPOSITS_MAX);
    deposits.retain(|text| {
        let goes = excess > 0 && !marks.contains(text);
        excess -= usize::from(goes);
        !goes
    });
    Ok(Meta {
        suffixes: generation.suffixes().iter().map(|suffix| suffix.to_string()).collect(),
        deposits,
        source: meta.source.as_str().into(),
    })
}

struct Fold<'a, D, S, W> {
    generation: &'a Generation<D, S>,
    builder: Builder<W>,
    go_on: &'a mut dyn FnMut(u64, u64) -> bool,
    done: u64,
    all: u64,
}

impl<D: AsRef<[u8]>, S: Heap, W: Write + Seek> Fold<'_, D, S, W> {
    /// Counts a record; false if the fold is to end.
    fn step(&mut self) -> bool {
        self.done += 1;
        !self.done.is_multiple_of(PROGRESS_RECORDS.into()) || (self.go_on)(self.done, self.all)
    }

    fn stable(&mut self, kind: Kind) -> Result<bool, BuildError> {
        for ordinal in 0..self.generation.ordinals_end(kind) {
            let slot = self.generation.slot_of(kind, ordinal, "")?;
            let Some(slot) = slot else {
                self.empty(kind, ordinal)?;
                continue;
            };
            match kind {
                Kind::Registrar => self.builder.copy_registrar(slot, read(slot, ordinal)?)?,
                Kind::IdnTable => self.builder.copy_idn_table(slot, read(slot, ordinal)?)?,
                Kind::Contact => self.builder.copy_contact(slot, read(slot, ordinal)?)?,
                _ => self.builder.copy_nameserver(slot, read(slot, ordinal)?)?,
            }
            if !self.step() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What has no record: a nameserver that is gone is still named, perhaps.
    fn empty(&mut self, kind: Kind, ordinal: u32) -> Result<(), BuildError> {
        let stable = self.generation.overlay.stable(kind);
        let place = stable.and_then(|stable| stable.place(ordinal));
        let entry = place.and_then(|place| self.generation.entry_at(place));
        match entry.filter(|_| kind == Kind::Nameserver) {
            Some(entry) => self.builder.copy_named(entry.key),
            None => self.builder.copy_nothing(kind),
        }
    }

    fn nndns(&mut self) -> Result<bool, BuildError> {
        let generation = self.generation;
        for slot in slots(generation, Kind::Nndn, |record: &ArchivedNndn| &record.name) {
            let slot = slot?;
            self.builder.copy_nndn(slot, read(slot, NONE)?)?;
            if !self.step() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn domains(&mut self) -> Result<bool, BuildError> {
        let generation = self.generation;
        for slot in slots(generation, Kind::Domain, |record: &ArchivedDomain| &record.name) {
            let slot = slot?;
            self.builder.copy_domain(slot, read(slot, NONE)?)?;
            if !self.step() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The slots of a kind that lies in order of its names: what the base has, as it is now, and what
/// came, in order.
pub(super) fn slots<'a, D: AsRef<[u8]>, S: Heap, T: Archived + 'a>(
    generation: &'a Generation<D, S>,
    kind: Kind,
    name_of: fn(&T) -> &str,
) -> impl Iterator<Item = Result<&'a [u8], BuildError>> {
    let base = &generation.base;
    let mut ordinals = (0..base.count(kind)).peekable();
    let names = generation.overlay.sorted(kind).map(|sorted| sorted.names.iter());
    let mut names = names.into_iter().flatten().peekable();
    let mut next = move || -> Result<Option<Option<&'a [u8]>>, Corrupt> {
        let ordinal = ordinals.peek().copied();
        let record = ordinal.map(|ordinal| base.record::<T>(ordinal)).transpose()?;
        let name = record.map(name_of);
        if let Some(came) = names.peek()
            && name.is_none_or(|name| ***came < *name)
        {
            let came = names.next().map_or("", |came| came);
            return Ok(Some(generation.slot_of(kind, NONE, came)?));
        }
        let (Some(ordinal), Some(name)) = (ordinals.next(), name) else { return Ok(None) };
        Ok(Some(match generation.place_of_name(kind, name) {
            Some(place) => place.is_record.then(|| generation.slot_at(place)).flatten(),
            None => base.slot(kind, ordinal),
        }))
    };
    from_fn(move || next().map_err(BuildError::from).transpose()).filter_map(Result::transpose)
}

fn read<T: Archived>(slot: &[u8], ordinal: u32) -> Result<&T, BuildError> {
    access::record(slot).ok_or_else(|| Corrupt { kind: T::KIND, ordinal }.into())
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// Entries that reserve the ordinals without a record: they belong into the log over a new
    /// base, which holds records alone. Nameservers have records there, if only of their names.
    #[must_use]
    pub fn reservations(&self) -> Encoded {
        let mut out = Encoded::default();
        let kinds = STABLE_KINDS.into_iter().zip(&self.overlay.stable);
        for (kind, stable) in kinds.filter(|(kind, _)| *kind != Kind::Nameserver) {
            let empty = stable.places.iter().filter(|(_, place)| !place.is_record);
            let mut empty: Vec<_> = empty.collect();
            empty.sort_unstable_by_key(|(ordinal, _)| *ordinal);
            for (ordinal, place) in empty {
                let Some(Entry { key, .. }) = self.entry_at(*place) else { continue };
                let (op, ordinal) = (Op::Reserved, *ordinal);
                out.push(&Entry { kind, op, ordinal, key, record: &[] });
            }
        }
        out
    }
}
