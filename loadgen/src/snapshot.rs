//! Names out of a snapshot directory, and the answers that `whoisd lookup` gives from it.
//!
//! # Invariants
//!
//! - The only file that names the server's crate.
//! - Records are read from the mapping when they are asked for: nothing is copied beforehand.
//!
//! # Does not
//!
//! Choose names: `workload` does. Follow a new generation: what was opened stays.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use snapshot_format::reader::Archived;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ArchivedRegistrar, ContactField};
use snapshot_format::{Corrupt, Kind};
use whoisd::config::{self, ConfigError, Flags};
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::store::StoreError;
use whoisd::view::View;

/// What every A-label starts with.
const ACE_PREFIX: &str = "xn--";

/// Longest chain from a variant to its primary that the server follows.
const VARIANT_HOPS_MAX: usize = 8;

/// How a domain is asked for and shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DomainNames<'a> {
    /// Its name, A-labels.
    pub(crate) name: &'a str,
    /// Its name in U-labels, where the registry keeps that.
    pub(crate) u_name: &'a str,
    /// The name in the answer: that of its primary, if it is a variant.
    pub(crate) shown: &'a str,
}

/// The names of one generation.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotNames {
    view: Arc<View>,
    /// Ordinals of the domains whose first label is an A-label.
    idn: Range<u32>,
}

impl SnapshotNames {
    /// Opens the current generation in `directory`.
    pub(crate) fn open(directory: &Path) -> Result<Self, SnapshotError> {
        let view = View::open(directory).map_err(SnapshotError::Store)?;
        let idn = view.base().domain_range(ACE_PREFIX).map_err(SnapshotError::Corrupt)?;
        Ok(Self { view: Arc::new(view), idn })
    }

    /// Number of domains.
    pub(crate) fn domain_count(&self) -> u64 {
        self.view.base().count(Kind::Domain).into()
    }

    /// Number of domains whose first label is an A-label.
    pub(crate) fn idn_count(&self) -> u64 {
        self.idn.len().try_into().unwrap_or(0)
    }

    /// Number of nameservers.
    pub(crate) fn nameserver_count(&self) -> u64 {
        self.view.base().live_count(Kind::Nameserver).into()
    }

    /// Number of contacts.
    pub(crate) fn contact_count(&self) -> u64 {
        self.view.base().count(Kind::Contact).into()
    }

    /// Number of registrars.
    pub(crate) fn registrar_count(&self) -> u64 {
        self.view.base().count(Kind::Registrar).into()
    }

    /// A domain; its names are empty if there is none or its record is damaged. So are those below.
    pub(crate) fn domain(&self, index: u64) -> DomainNames<'_> {
        self.domain_at(ordinal(index))
    }

    /// A domain whose first label is an A-label.
    pub(crate) fn idn(&self, index: u64) -> DomainNames<'_> {
        self.domain_at(self.idn.start.saturating_add(ordinal(index)))
    }

    fn domain_at(&self, at: u32) -> DomainNames<'_> {
        let Ok(record) = self.view.base().record::<ArchivedDomain>(at) else {
            return DomainNames::default();
        };
        DomainNames {
            name: &record.name,
            u_name: record.cold.as_ref().map_or("", |cold| cold.u_name.as_str()),
            shown: &self.primary(record).name,
        }
    }

    /// The domain that `record` is a variant of, or itself: answers are about that one.
    fn primary<'a>(&'a self, record: &'a ArchivedDomain) -> &'a ArchivedDomain {
        let mut record = record;
        for _ in 0..VARIANT_HOPS_MAX {
            let original = record.cold.as_ref().map_or("", |cold| cold.original_name.as_str());
            if original.is_empty() {
                break;
            }
            let Ok(Some(next)) = self.view.base().find_domain(original) else { break };
            record = next;
        }
        record
    }

    /// Name of a nameserver.
    pub(crate) fn nameserver(&self, index: u64) -> &str {
        let record = self.view.base().nameserver_at(ordinal(index));
        record.map_or("", |(_, record)| record.name.as_str())
    }

    /// Identifier of a contact.
    pub(crate) fn contact(&self, index: u64) -> &str {
        let record = self.next_record::<ArchivedContact>(index);
        record.map_or("", |record| record.field(ContactField::Id))
    }

    /// Name of a registrar.
    pub(crate) fn registrar(&self, index: u64) -> &str {
        let record = self.next_record::<ArchivedRegistrar>(index);
        record.map_or("", |record| record.name.as_str())
    }

    /// The record with this ordinal, or the next one that there is: a snapshot that was folded has
    /// ordinals without a record.
    fn next_record<T: Archived>(&self, index: u64) -> Option<&T> {
        let (base, from) = (self.view.base(), ordinal(index));
        let mut ordinals = (from..base.count(T::KIND)).chain(0..from);
        ordinals.find_map(|at| base.record_or_none(at).ok().flatten())
    }
}

fn ordinal(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The answers of one generation under rules.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    view: Arc<View>,
    rules: Arc<Rules>,
}

impl Answers {
    /// Opens the current generation in `directory`; `rules` is a `whoisd.toml`, without it the
    /// server's defaults hold.
    pub(crate) fn open(directory: &Path, rules: Option<&Path>) -> Result<Self, SnapshotError> {
        let flags = Flags { dir: Some(directory.to_owned()), ..Flags::default() };
        let settings = config::load(rules, &flags).map_err(SnapshotError::Config)?.settings;
        let rules = Arc::clone(settings.answers.rules());
        let view = View::open(directory).map_err(SnapshotError::Store)?;
        Ok(Self { view: Arc::new(view), rules })
    }

    /// A place for one answer after another.
    pub(crate) fn into_reader(self) -> AnswerReader {
        AnswerReader { answers: self, answer: Answer::new() }
    }
}

/// [`Answers`] with the room that one takes.
pub(crate) struct AnswerReader {
    answers: Answers,
    answer: Answer,
}

impl AnswerReader {
    /// The answer to a line.
    pub(crate) fn answer(&mut self, line: &[u8]) -> &[u8] {
        answer(&self.answers.view, &self.answers.rules, Tier::PUBLIC, line, &mut self.answer);
        self.answer.bytes()
    }
}

/// A snapshot directory, or the rules of its answers, cannot be used.
#[derive(Debug)]
pub enum SnapshotError {
    /// The directory cannot be read.
    Store(StoreError),
    /// A record is damaged.
    Corrupt(Corrupt),
    /// The configuration cannot be used.
    Config(ConfigError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(source) => write!(f, "{source}"),
            Self::Corrupt(source) => write!(f, "{source}"),
            Self::Config(source) => write!(f, "{source}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// A small sampled registry in a directory that goes with the value: for tests.
#[cfg(test)]
pub(crate) fn sampled() -> tempfile::TempDir {
    use whoisd::sample::build::build_directory;
    use whoisd::sample::{Registry, Settings};

    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::new(&Settings::of_size(2_000).unwrap());
    build_directory(&registry, directory.path(), 1 << 30, &mut |_, _, _| {}).unwrap();
    directory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_names_of_every_kind() {
        let directory = sampled();
        let names = SnapshotNames::open(directory.path()).unwrap();
        assert!(names.domain_count() >= 2_000);
        assert!(names.domain(0).name.contains('.'));
        assert!(names.nameserver(names.nameserver_count() - 1).contains('.'));
        assert!(!names.contact(0).is_empty() && !names.registrar(0).is_empty());
        let last = names.idn_count() - 1;
        assert!(names.idn(0).name.starts_with("xn--") && names.idn(last).name.starts_with("xn--"));
        assert_eq!(names.domain(u64::MAX).name, "");
    }

    #[test]
    fn the_answer_to_a_name_holds_it() {
        let directory = sampled();
        let names = SnapshotNames::open(directory.path()).unwrap();
        let mut reader = Answers::open(directory.path(), None).unwrap().into_reader();
        let line = format!("{}\r\n", names.domain(7).name);
        let text = String::from_utf8(reader.answer(line.as_bytes()).to_vec()).unwrap();
        assert!(text.contains(&format!("Domain Name: {}\r\n", names.domain(7).name)), "{text}");
    }

    #[test]
    fn a_directory_without_a_generation_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(SnapshotNames::open(directory.path()).is_err());
        assert!(Answers::open(directory.path(), None).is_err());
    }
}
