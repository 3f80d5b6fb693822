//! A sample as the source of a deposit.
//!
//! # Invariants
//!
//! - Objects come in the order of their indexes: deposits need no order, so nothing is sorted.
//!
//! # Does not
//!
//! Write: `export` does.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use snapshot_format::layout::Kind;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};

use super::build::Progress;
use super::{EXTRA_KEYS, Registry, Workspace};
use crate::export::csv::Options;
use crate::export::{Repository, Source, Visit, VisitDomain, csv, time, xml};

/// Objects between two reports of progress.
const TELL_EVERY: u64 = 1 << 12;

/// Writes `registry` as a full deposit in the XML model.
///
/// # Errors
///
/// The writer's.
pub fn write_rde_xml(
    registry: &Registry,
    out: &mut dyn Write,
    progress: Progress<'_>,
) -> io::Result<()> {
    xml::write(&mut SampleSource::new(registry, progress), out)
}

/// Writes `registry` as a full deposit in the CSV model; gives the path of its XML.
///
/// # Errors
///
/// The file system's.
pub fn write_rde_csv(
    registry: &Registry,
    directory: &Path,
    options: Options,
    progress: Progress<'_>,
) -> io::Result<PathBuf> {
    csv::write(&mut SampleSource::new(registry, progress), directory, options)
}

/// The objects of a sample.
struct SampleSource<'a, 'p> {
    registry: &'a Registry,
    workspace: Workspace,
    progress: Progress<'p>,
}

impl<'a, 'p> SampleSource<'a, 'p> {
    fn new(registry: &'a Registry, progress: Progress<'p>) -> Self {
        Self { registry, workspace: Workspace::default(), progress }
    }

    fn tell(&mut self, what: &'static str, done: u64, all: u64) {
        if done.is_multiple_of(TELL_EVERY) || done == all {
            (self.progress)(what, done, all);
        }
    }
}

impl Source for SampleSource<'_, '_> {
    fn repository(&mut self) -> io::Result<Repository> {
        let (registry, settings) = (self.registry, self.registry.settings());
        let watermark_ms = settings.watermark_s() * 1000;
        let mut date = String::new();
        time::write_date(watermark_ms, &mut date);
        date.retain(|c| c != '-');
        let mut counts = [0; 6];
        counts[Kind::Registrar as usize] = registry.registrars().len() as u64;
        counts[Kind::IdnTable as usize] = registry.idn_tables().len() as u64;
        counts[Kind::Contact as usize] = registry.contact_count();
        counts[Kind::Nameserver as usize] = registry.nameserver_count();
        counts[Kind::Domain as usize] = registry.domain_count();
        counts[Kind::Nndn as usize] = registry.nndn_count();
        Ok(Repository {
            suffixes: settings.tlds().to_vec(),
            watermark_ms,
            deposit_id: format!("{date}001"),
            counts,
            suffix_domains: self.registry.suffix_domains(),
            extra_keys: EXTRA_KEYS.map(str::to_owned).into(),
        })
    }

    fn registrars(&mut self, visit: Visit<'_, Registrar>) -> io::Result<()> {
        self.registry.registrars().iter().try_for_each(visit)
    }

    fn idn_tables(&mut self, visit: Visit<'_, IdnTable>) -> io::Result<()> {
        self.registry.idn_tables().iter().try_for_each(visit)
    }

    fn contacts(&mut self, visit: Visit<'_, Contact>) -> io::Result<()> {
        let mut contact = Contact::default();
        let count = self.registry.contact_count();
        for i in 0..count {
            self.registry.contact(i, &mut contact);
            visit(&contact)?;
            self.tell("contacts", i + 1, count);
        }
        Ok(())
    }

    fn nameservers(&mut self, visit: Visit<'_, Nameserver>) -> io::Result<()> {
        let mut nameserver = Nameserver::default();
        let count = self.registry.nameserver_count();
        for i in 0..count {
            self.registry.nameserver(i, &mut self.workspace, &mut nameserver);
            visit(&nameserver)?;
            self.tell("nameservers", i + 1, count);
        }
        Ok(())
    }

    fn nndns(&mut self, visit: Visit<'_, Nndn>) -> io::Result<()> {
        let mut nndn = Nndn::default();
        for i in 0..self.registry.nndn_places() {
            if self.registry.nndn(i, &mut self.workspace, &mut nndn) {
                visit(&nndn)?;
            }
        }
        Ok(())
    }

    fn domains(&mut self, visit: VisitDomain<'_>) -> io::Result<()> {
        let mut domain = Domain::default();
        let count = self.registry.domain_count();
        for i in 0..count {
            self.registry.domain(i, &mut self.workspace, &mut domain);
            visit(&domain, &[])?;
            self.tell("domains", i + 1, count);
        }
        Ok(())
    }
}
