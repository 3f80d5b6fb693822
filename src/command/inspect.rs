//! `whoisd inspect`: shows what a snapshot holds, any record with every field.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use snapshot_format::key::{self, RegistrarKey};
use snapshot_format::reader::Archived;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedNndn, ArchivedRegistrar,
    ContactField,
};
use snapshot_format::{Corrupt, Kind, Snapshot, dump};

use super::{Failure, output};
use crate::view::{Bytes, View};

/// Show what a snapshot holds: header, sections and counts, or any record with every field
///
/// Shows records as they are stored, nothing redacted. Without an option for a record it prints the
/// header, the section table and the counts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd inspect /var/lib/whoisd\n  \
    whoisd inspect /var/lib/whoisd --domain example.test\n  \
    whoisd inspect /var/lib/whoisd --registrar 'Example Registrar, Inc.'\n  \
    whoisd inspect base-000001.snapshot --kind contact --ordinal 7\n\n\
    Exit status: 0 shown; 1 cannot be read; 3 the snapshot is damaged; 4 there is no such record.")]
pub(super) struct Options {
    /// Snapshot directory, or one snapshot file
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,

    #[command(flatten)]
    which: Which,

    /// Kind of the record to show; needs --ordinal
    #[arg(long, value_name = "KIND", requires = "ordinal", conflicts_with = "Which")]
    kind: Option<KindWord>,

    /// Number of the record within its kind, from 0; needs --kind
    #[arg(long, value_name = "N", requires = "kind")]
    ordinal: Option<u32>,
}

/// A record by its key.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Which {
    /// The domain with this name, as A-label or U-label
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,

    /// The reserved, blocked or withheld name
    #[arg(long, value_name = "NAME")]
    nndn: Option<String>,

    /// The nameserver with this name
    #[arg(long, value_name = "NAME")]
    nameserver: Option<String>,

    /// The contact with this identifier
    #[arg(long, value_name = "ID")]
    contact: Option<String>,

    /// The registrars with this identifier, IANA identifier or name
    #[arg(long, value_name = "ID|NUMBER|NAME")]
    registrar: Option<String>,

    /// Whatever has this repository object identifier
    #[arg(long, value_name = "ROID")]
    roid: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindWord {
    Registrar,
    IdnTable,
    Contact,
    Nameserver,
    Nndn,
    Domain,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Registrar => Self::Registrar,
            KindWord::IdnTable => Self::IdnTable,
            KindWord::Contact => Self::Contact,
            KindWord::Nameserver => Self::Nameserver,
            KindWord::Nndn => Self::Nndn,
            KindWord::Domain => Self::Domain,
        }
    }
}

type Base = Snapshot<Bytes>;

/// Kind and ordinal of a record.
type Place = (Kind, u32);

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let view = View::open(&options.path)?;
    let base = view.base();
    let damaged = |error: Corrupt| Failure::refused(format!("{}: {error}", options.path.display()));
    let (what, found) = match (options.kind, options.ordinal) {
        (Some(word), Some(ordinal)) => {
            let kind = Kind::from(word);
            let there = ordinal < base.count(kind);
            let found = if there { vec![(kind, ordinal)] } else { Vec::new() };
            (format!("{} {ordinal}", kind.word()), found)
        }
        _ => match find(base, &options.which).map_err(damaged)? {
            Some(found) => found,
            None => return output::print(dump::header(base).as_bytes()),
        },
    };
    if found.is_empty() {
        let message = format!("{}: there is no {what}", options.path.display());
        return Err(Failure { status: 4, message });
    }
    let mut text = String::new();
    for (kind, ordinal) in found {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&dump::record(base, kind, ordinal).map_err(damaged)?);
    }
    output::print(text.as_bytes())
}

/// What was asked for, in words, and the records that are it; `None` if nothing was.
fn find(base: &Base, which: &Which) -> Result<Option<(String, Vec<Place>)>, Corrupt> {
    let (word, key, found) = if let Some(name) = &which.domain {
        let record = base.find_domain(&ascii(name))?;
        ("domain", name, ordinals::<ArchivedDomain>(base, record)?)
    } else if let Some(name) = &which.nndn {
        let record = base.find_nndn(&ascii(name))?;
        ("NNDN", name, ordinals::<ArchivedNndn>(base, record)?)
    } else if let Some(name) = &which.nameserver {
        let record = base.find_nameserver(&ascii(name))?;
        ("nameserver", name, ordinals::<ArchivedNameserver>(base, record)?)
    } else if let Some(id) = &which.contact {
        let records = base.find_contacts(id).collect::<Result<Vec<_>, _>>()?;
        ("contact", id, ordinals::<ArchivedContact>(base, records)?)
    } else if let Some(text) = &which.registrar {
        ("registrar", text, ordinals::<ArchivedRegistrar>(base, registrars(base, text)?)?)
    } else if let Some(roid) = &which.roid {
        ("record with the ROID", roid, by_roid(base, roid)?)
    } else {
        return Ok(None);
    };
    Ok(Some((format!("{word} {key:?}"), found)))
}

/// A name as it is stored: A-labels, lower case, no final dot.
fn ascii(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    idna::domain_to_ascii(name).unwrap_or_else(|_| name.to_ascii_lowercase())
}

fn by_roid(base: &Base, roid: &str) -> Result<Vec<Place>, Corrupt> {
    let mut found = Vec::new();
    for (kind, ordinal) in base.find_roid(roid) {
        // The index holds hashes: whether it is this ROID shows in the record alone.
        let same = match kind {
            Kind::Domain => base.record::<ArchivedDomain>(ordinal)?.roid.as_str(),
            Kind::Nameserver => base.record::<ArchivedNameserver>(ordinal)?.roid.as_str(),
            Kind::Contact => base.record::<ArchivedContact>(ordinal)?.field(ContactField::Roid),
            _ => "",
        };
        if same.eq_ignore_ascii_case(roid) {
            found.push((kind, ordinal));
        }
    }
    Ok(found)
}

fn registrars<'a>(base: &'a Base, text: &str) -> Result<Vec<&'a ArchivedRegistrar>, Corrupt> {
    let folded = key::fold_registrar_name(text);
    let keys = [
        Some(RegistrarKey::Id(text)),
        text.parse().ok().map(RegistrarKey::IanaId),
        folded.as_ref().map(|folded| RegistrarKey::FoldedName(folded.as_bytes())),
    ];
    for key in keys.into_iter().flatten() {
        let found = base.find_registrars(key).collect::<Result<Vec<_>, _>>()?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The ordinals of records of `base`: they lie in their heap in the order of their ordinals, so a
/// binary search over their places finds each.
fn ordinals<'a, T: Archived + 'a>(
    base: &'a Base,
    records: impl IntoIterator<Item = &'a T>,
) -> Result<Vec<Place>, Corrupt> {
    let place = |record: &T| std::ptr::from_ref(record).addr();
    let mut found = Vec::new();
    for record in records {
        let (mut low, mut high) = (0, base.count(T::KIND));
        while low < high {
            let middle = low.midpoint(high);
            if place(base.record::<T>(middle)?) < place(record) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        found.push((T::KIND, low));
    }
    Ok(found)
}
