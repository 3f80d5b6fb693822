//! What answers about other records say of their registrar, out of the mapping; and the names of
//! registrars as people type them.
//!
//! # Does not
//!
//! Hold all of a registrar: an answer about the registrar itself reads its record.

use std::sync::Arc;

use snapshot_format::record::ArchivedRegistrar;
use snapshot_format::{Corrupt, Kind};

use super::Data;
use crate::idn;

/// A registrar, as other records name it.
#[derive(Debug)]
pub struct Registrar {
    /// Identifier.
    pub id: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// IANA registrar identifier; 0 means none.
    pub iana_id: u32,
    /// Host name of its WHOIS server; may be empty.
    pub whois_name: Box<str>,
    /// Web site; may be empty.
    pub url: Box<str>,
}

impl Registrar {
    pub(super) fn of_record(record: &ArchivedRegistrar) -> Self {
        Self {
            id: record.id.as_str().into(),
            name: record.name.as_str().into(),
            iana_id: record.iana_id.to_native(),
            whois_name: record.whois_name.as_str().into(),
            url: record.url.as_str().into(),
        }
    }
}

/// All registrars, by ordinal; `None` where a registrar is gone, or has not come yet.
pub(super) fn all(data: &Data) -> Result<Arc<[Option<Registrar>]>, Corrupt> {
    let ordinals = 0..data.ordinals_end(Kind::Registrar);
    ordinals.map(|ordinal| Ok(data.record(ordinal)?.map(Registrar::of_record))).collect()
}

/// A registrar's name as a query finds it.
#[derive(Debug)]
pub struct RegistrarName {
    /// Case, width and marks folded: see `idn::folded`.
    pub folded: Box<str>,
    /// Its words alone: see `idn::words`. Empty if there are none.
    pub words: Box<str>,
    /// Whose name it is.
    pub ordinal: u32,
}

/// The names of all registrars, in the order of their folded forms. Costs about 200 bytes and 5 us
/// for each registrar, of which there are some thousands.
#[derive(Debug)]
pub struct RegistrarNames {
    names: Box<[RegistrarName]>,
    /// Indexes of `names` in the order of their words.
    by_words: Box<[u32]>,
    /// IANA identifiers that are not 0, and whose they are, in their order.
    by_iana_id: Box<[(u32, u32)]>,
}

impl RegistrarNames {
    pub(super) fn of(registrars: &[Option<Registrar>]) -> Self {
        let named = registrars.iter().zip(0_u32..).filter_map(|(registrar, ordinal)| {
            let name = &*registrar.as_ref()?.name;
            // A name that does not fold is found by its IANA identifier alone.
            let folded = idn::folded(name)?.as_str().into();
            let words = idn::words(name)?.as_str().into();
            Some(RegistrarName { folded, words, ordinal })
        });
        let mut names: Box<[RegistrarName]> = named.collect();
        names.sort_unstable_by(|a, b| (&a.folded, a.ordinal).cmp(&(&b.folded, b.ordinal)));
        let mut by_words: Box<[u32]> = (0_u32..).zip(&*names).map(|(index, _)| index).collect();
        let words_of = |index: u32| usize::try_from(index).ok().and_then(|at| names.get(at));
        by_words.sort_by(|&a, &b| {
            words_of(a).map(|name| &name.words).cmp(&words_of(b).map(|name| &name.words))
        });
        let with_id = |(registrar, ordinal): (&Option<Registrar>, u32)| {
            let id = registrar.as_ref()?.iana_id;
            (id != 0).then_some((id, ordinal))
        };
        let mut by_iana_id: Box<[_]> = registrars.iter().zip(0_u32..).filter_map(with_id).collect();
        by_iana_id.sort_unstable();
        Self { names, by_words, by_iana_id }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[RegistrarName] {
        &self.names
    }

    /// Those that fold to this key.
    #[must_use]
    pub fn with_folded(&self, folded: &str) -> &[RegistrarName] {
        let start = self.names.partition_point(|name| &*name.folded < folded);
        let end = self.names.partition_point(|name| &*name.folded <= folded);
        self.names.get(start..end).unwrap_or_default()
    }

    /// The ordinals of the registrars with this IANA identifier, ascending; several may have one.
    pub fn with_iana_id(&self, id: u32) -> impl Iterator<Item = u32> {
        let start = self.by_iana_id.partition_point(|(of, _)| *of < id);
        let rest = self.by_iana_id.get(start..).unwrap_or_default().iter();
        rest.take_while(move |(of, _)| *of == id).map(|(_, ordinal)| *ordinal)
    }

    /// Those that consist of these words; none for no word.
    pub fn with_words(&self, words: &str) -> impl Iterator<Item = &RegistrarName> + Clone {
        let at = |index: u32| self.names.get(usize::try_from(index).ok()?);
        let before = |index: &u32| at(*index).is_some_and(|name| &*name.words < words);
        let start = if words.is_empty() {
            self.by_words.len()
        } else {
            self.by_words.partition_point(before)
        };
        let same = self.by_words.get(start..).unwrap_or_default().iter();
        let same = same.filter_map(move |&index| self.names.get(usize::try_from(index).ok()?));
        let words: &str = words;
        let count = same.clone().take_while(|name| &*name.words == words).count();
        same.take(count)
    }
}
