//! A sample straight into a snapshot: objects in the builder's order, within bounded memory.
//!
//! # Invariants
//!
//! - Names are sorted outside memory ([`Sorter`]); objects are made a second time in that order,
//!   which costs less than to carry them along.
//!
//! # Does not
//!
//! Tolerate a defect: a sample that refers to what is not there is a bug of the generator.

use std::io::{self, Seek, Write};
use std::path::Path;
use std::rc::Rc;

use snapshot_format::builder::{Builder, Defect, Options, Summary};
use snapshot_format::error::BuildError;
use snapshot_format::layout::{Kind, SECTION_ALIGN_BYTES_MAX, SECTION_ALIGN_BYTES_MIN};
use snapshot_format::object::{Contact, Domain, Nameserver, Nndn, Registrar};
use snapshot_format::record::Meta;
use snapshot_format::sort::{Scratch, Sorted, Sorter};

use super::{Registry, Workspace};
use crate::store::{DiskScratch, Settings as StoreSettings, StoreError, Writer};
use crate::view::Disk;

/// Registries of this size get sections aligned for huge pages.
const LARGE_DOMAINS: u64 = 100_000;
/// Memory for sorting and building unless chosen otherwise, bytes.
pub const MEMORY_BYTES_DEFAULT: usize = 1 << 30;
/// Objects between two reports of progress.
const TELL_EVERY: u64 = 1 << 12;

/// What is under way, how much of it is done, and how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Why a sample was not built.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The snapshot directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot file.
    #[error("the snapshot was not written: {0}")]
    Build(#[from] BuildError),
    /// Scratch files.
    #[error("scratch file: {0}")]
    Scratch(#[from] io::Error),
    /// The generator broke its own rules.
    #[error("the sample is not closed, which is a bug of it: {0}")]
    Defect(String),
}

/// Builds the snapshot of `registry` into directory `path`, checks it in full, and publishes it
/// as the next generation.
///
/// # Errors
///
/// Another process writes there, the file system refuses, or the check fails.
pub fn build_directory(
    registry: &Registry,
    path: &Path,
    memory_bytes: usize,
    progress: Progress<'_>,
) -> Result<Summary, SampleError> {
    replace_directory(registry, path, memory_bytes, false, progress)
}

/// As [`build_directory`], also in the place of a state that does not read, if that is permitted.
///
/// # Errors
///
/// See [`build_directory`].
pub fn replace_directory(
    registry: &Registry,
    path: &Path,
    memory_bytes: usize,
    over_damage: bool,
    progress: Progress<'_>,
) -> Result<Summary, SampleError> {
    // Nobody goes back to a sample: the same seed makes it again.
    let settings = StoreSettings { keep: 0, ..StoreSettings::default() };
    let writer = Writer::lock(Disk::new(path), settings)?.over_damage(over_damage);
    let mut base = writer.begin()?;
    let scratch = Rc::new(DiskScratch::new(path));
    let mut options = options(registry, memory_bytes);
    options.generation = base.generation();
    let (_, summary) = build_into(registry, &mut base, scratch, options, progress)?;
    progress("syncing", 0, 1);
    writer.publish(base)?;
    Ok(summary)
}

/// Options for the snapshot of `registry` that keep to `memory_bytes` in all.
#[must_use]
pub fn options(registry: &Registry, memory_bytes: usize) -> Options {
    let settings = registry.settings();
    let large = settings.domains() >= LARGE_DOMAINS;
    Options {
        // Half for the builder, half for the names that are being sorted beside it.
        memory_bytes: memory_bytes / 2,
        section_align_bytes: if large { SECTION_ALIGN_BYTES_MAX } else { SECTION_ALIGN_BYTES_MIN },
        // Nobody but the seed chooses the names of a sample.
        hash_seed: settings.seed().wrapping_mul(0x9e37_79b9_7f4a_7c15),
        generation: 1,
        serial: 0,
        watermark_ms: settings.watermark_s() * 1000,
    }
}

/// Builds the snapshot of `registry` into `out`, with as much memory for sorting as `options`
/// gives the builder.
///
/// # Errors
///
/// Writing fails, or the generator broke its rules.
pub fn build_into<W: Write + Seek>(
    registry: &Registry,
    out: W,
    scratch: Rc<dyn Scratch>,
    options: Options,
    progress: Progress<'_>,
) -> Result<(W, Summary), SampleError> {
    let mut pass = Pass {
        registry,
        workspace: Workspace::default(),
        memory_bytes: options.memory_bytes,
        scratch: Rc::clone(&scratch),
        defect: None,
        progress,
    };
    let mut builder = Builder::new(out, scratch, options)?;
    pass.registrars(&mut builder)?;
    for table in sorted_by(registry.idn_tables(), |table| &table.id) {
        builder.idn_table(table)?;
    }
    pass.contacts(&mut builder)?;
    pass.nameservers(&mut builder)?;
    pass.nndns(&mut builder)?;
    pass.domains(&mut builder)?;
    let mut suffixes = registry.settings().tlds().to_vec();
    suffixes.sort_unstable();
    let settings = registry.settings();
    let source =
        format!("whoisd sample --domains {} --seed {}", settings.domains(), settings.seed());
    let meta = Meta { suffixes, deposits: Vec::new(), source };
    let mut defect = None;
    let built = builder.finish(&meta, &mut |name, problem| {
        defect.get_or_insert_with(|| format!("variant {name}: {problem:?}"));
    })?;
    match defect.or(pass.defect) {
        Some(defect) => Err(SampleError::Defect(defect)),
        None => Ok(built),
    }
}

/// References to `items` in ascending order of their keys.
fn sorted_by<T>(items: &[T], key: impl Fn(&T) -> &String) -> Vec<&T> {
    let mut items: Vec<&T> = items.iter().collect();
    items.sort_unstable_by(|a, b| key(a).as_bytes().cmp(key(b).as_bytes()));
    items
}

struct Pass<'a, 'p> {
    registry: &'a Registry,
    workspace: Workspace,
    memory_bytes: usize,
    scratch: Rc<dyn Scratch>,
    /// The first one.
    defect: Option<String>,
    progress: Progress<'p>,
}

impl Pass<'_, '_> {
    fn tell(&mut self, what: &'static str, done: u64, all: u64) {
        if done.is_multiple_of(TELL_EVERY) || done == all {
            (self.progress)(what, done, all);
        }
    }

    fn note(&mut self, key: &str, problem: Option<String>) {
        if let Some(problem) = problem
            && self.defect.is_none()
        {
            self.defect = Some(format!("{key}: {problem}"));
        }
    }

    fn registrars<W: Write + Seek>(&self, builder: &mut Builder<W>) -> Result<(), BuildError> {
        let registrars: Vec<&Registrar> = sorted_by(self.registry.registrars(), |r| &r.id);
        for registrar in registrars {
            builder.registrar(registrar)?;
        }
        Ok(())
    }

    fn contacts<W: Write + Seek>(&mut self, builder: &mut Builder<W>) -> Result<(), BuildError> {
        let count = self.registry.contact_count();
        let mut contact = Contact::default();
        for i in 0..count {
            self.registry.contact(i, &mut contact);
            let mut problem = None;
            builder.contact(&contact, &mut first(&mut problem))?;
            self.note(&contact.id, problem);
            self.tell("contacts", i + 1, count);
        }
        Ok(())
    }

    fn nameservers<W: Write + Seek>(
        &mut self,
        builder: &mut Builder<W>,
    ) -> Result<(), SampleError> {
        let (registry, count) = (self.registry, self.registry.nameserver_count());
        let mut order = self.sorted("sorting nameservers", count, |i, workspace, name| {
            registry.nameserver_name(i, workspace, name);
            true
        })?;
        let (mut nameserver, mut done) = (Nameserver::default(), 0);
        while let Some(i) = next(&mut order)? {
            registry.nameserver(i, &mut self.workspace, &mut nameserver);
            let mut problem = None;
            builder.nameserver(&nameserver, &mut first(&mut problem))?;
            self.note(&nameserver.name, problem);
            done += 1;
            self.tell("nameservers", done, count);
        }
        Ok(())
    }

    fn nndns<W: Write + Seek>(&mut self, builder: &mut Builder<W>) -> Result<(), SampleError> {
        let (registry, places) = (self.registry, self.registry.nndn_places());
        let mut nndn = Nndn::default();
        let mut order = self.sorted("sorting reserved names", places, |i, workspace, name| {
            let there = registry.nndn(i, workspace, &mut nndn);
            super::reuse::set(name, &nndn.name);
            there
        })?;
        let mut nndn = Nndn::default();
        while let Some(i) = next(&mut order)? {
            registry.nndn(i, &mut self.workspace, &mut nndn);
            let mut problem = None;
            builder.nndn(&nndn, &mut first(&mut problem))?;
            self.note(&nndn.name, problem);
        }
        Ok(())
    }

    fn domains<W: Write + Seek>(&mut self, builder: &mut Builder<W>) -> Result<(), SampleError> {
        let (registry, count) = (self.registry, self.registry.domain_count());
        let mut order = self.sorted("sorting domains", count, |i, workspace, name| {
            registry.domain_name(i, workspace, name);
            true
        })?;
        let (mut domain, mut done) = (Domain::default(), 0);
        while let Some(i) = next(&mut order)? {
            registry.domain(i, &mut self.workspace, &mut domain);
            let mut problem = None;
            builder.domain(&domain, &mut first(&mut problem))?;
            self.note(&domain.name, problem);
            done += 1;
            self.tell("domains", done, count);
        }
        Ok(())
    }

    /// The indexes `0..count` in ascending order of the names that `name_of` gives; those for
    /// which it says `false` are left out.
    fn sorted(
        &mut self,
        what: &'static str,
        count: u64,
        mut name_of: impl FnMut(u64, &mut Workspace, &mut String) -> bool,
    ) -> io::Result<Sorted> {
        let mut sorter = Sorter::new(Rc::clone(&self.scratch), self.memory_bytes);
        let mut name = String::new();
        for i in 0..count {
            if name_of(i, &mut self.workspace, &mut name) {
                let payload = u32::try_from(i).map_err(io::Error::other)?;
                sorter.push(name.as_bytes(), &payload.to_le_bytes())?;
            }
            self.tell(what, i + 1, count);
        }
        sorter.finish()
    }
}

/// Keeps the first problem that a builder tells of.
fn first(problem: &mut Option<String>) -> impl FnMut(Defect<'_>) {
    |defect| {
        problem.get_or_insert_with(|| format!("{defect:?}"));
    }
}

fn next(sorted: &mut Sorted) -> io::Result<Option<u64>> {
    let Some((_, payload)) = sorted.next()? else { return Ok(None) };
    let bytes = payload.try_into().map_err(io::Error::other)?;
    Ok(Some(u64::from(u32::from_le_bytes(bytes))))
}

/// Records of a kind, for a summary of what was built.
#[must_use]
pub fn counts(summary: &Summary) -> [(&'static str, u32); 6] {
    [
        ("domains", summary.count(Kind::Domain)),
        ("nameservers", summary.count(Kind::Nameserver)),
        ("contacts", summary.count(Kind::Contact)),
        ("registrars", summary.count(Kind::Registrar)),
        ("IDN tables", summary.count(Kind::IdnTable)),
        ("NNDN names", summary.count(Kind::Nndn)),
    ]
}
