//! `whoisd inspect`: shows what a snapshot holds, any record with every field.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use snapshot_format::delta::Owner;
use snapshot_format::dump::Record;
use snapshot_format::key::{self, RegistrarKey};
use snapshot_format::{Corrupt, Kind, dump};

use super::{Failure, output, standard};
use crate::store::Reader;
use crate::view::{Data, Disk, View};

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
    /// Snapshot directory, or one snapshot file. Default server.dir of the configuration
    #[arg(value_name = "DIR|FILE", conflicts_with = "config")]
    path: Option<PathBuf>,

    /// Configuration file whose server.dir is meant. Default /etc/whoisd/whoisd.toml, if it is
    /// there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

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

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let place = standard::directory(options.config.as_deref(), options.path.as_deref())?;
    let view = View::open(&place)?;
    let data = view.data();
    let path = place.display();
    let damaged = |error: Corrupt| Failure::refused(format!("{path}: {error}"));
    let (what, found) = match (options.kind, options.ordinal) {
        (Some(word), Some(ordinal)) => {
            let kind = Kind::from(word);
            (
                format!("{} {ordinal}", kind.word()),
                by_ordinal(data, kind, ordinal).map_err(damaged)?,
            )
        }
        _ => match find(data, &options.which).map_err(damaged)? {
            Some(found) => found,
            None => return output::print(overview(&place, data)?.as_bytes()),
        },
    };
    if found.is_empty() {
        let message = format!("{path}: there is no {what}");
        return Err(Failure { status: 4, message });
    }
    let texts: Vec<_> = found.iter().map(|record| dump::of_generation(data, record)).collect();
    output::print(texts.join("\n").as_bytes())
}

/// The generation, the states that are kept, and the base's header.
fn overview(path: &Path, data: &Data) -> Result<String, Failure> {
    let state = data.state();
    let (changed, log_bytes) = data.changed();
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "generation: {}", state.generation);
    let _ = writeln!(text, "serial: {}", state.serial);
    let _ = writeln!(text, "newest change: {}", dump::Utc(state.committed_ms));
    let _ = writeln!(text, "sign of life of the feed: {}", dump::Utc(state.heartbeat_ms));
    if !state.deposit.is_empty() {
        let _ = writeln!(text, "last deposit: {}", state.deposit);
    }
    let _ = writeln!(text, "changed since the base: {changed} keys, {log_bytes} bytes of log");
    for kind in Kind::ALL {
        let _ = writeln!(text, "{}s: {}", kind.word(), data.count(kind));
    }
    if path.is_dir() {
        let reader = Reader::open(Disk::new(path))?;
        if let Some(rest) = reader.rest()? {
            let _ = writeln!(text, "{rest}");
        }
        let manifest = reader.manifest();
        let last = state.generation;
        let _ = writeln!(text, "\nstate     from generation  to generation  base");
        let current = std::iter::once(("current", &manifest.current));
        for (word, chain) in current.chain(manifest.kept.iter().map(|chain| ("kept", chain))) {
            let (from, to) = (chain.base_generation, chain.last().unwrap_or(last));
            let _ = writeln!(text, "{word:<9} {from:>15} {to:>14}  {}", chain.base);
        }
    }
    let _ = writeln!(text, "\nthe base:");
    text.push_str(&dump::header(data.base()));
    Ok(text)
}

fn by_ordinal(data: &Data, kind: Kind, ordinal: u32) -> Result<Vec<Record<'_>>, Corrupt> {
    let base = data.base();
    // Ordinals of domains and NNDN are places in the base, which change with each fold.
    let end = if matches!(kind, Kind::Domain | Kind::Nndn) {
        base.count(kind)
    } else {
        data.ordinals_end(kind)
    };
    if ordinal >= end {
        return Ok(Vec::new());
    }
    let record = match kind {
        Kind::Registrar => data.record(ordinal)?.map(Record::Registrar),
        Kind::IdnTable => data.record(ordinal)?.map(Record::IdnTable),
        Kind::Contact => data.record(ordinal)?.map(Record::Contact),
        Kind::Nameserver => data.record(ordinal)?.map(Record::Nameserver),
        Kind::Nndn => Some(Record::Nndn(base.record(ordinal)?)),
        Kind::Domain => Some(Record::Domain(base.record(ordinal)?)),
    };
    Ok(record.into_iter().collect())
}

type Found<'a> = (String, Vec<Record<'a>>);

/// A description of the records that were asked for, and the records; `None` if none were.
fn find<'a>(data: &'a Data, which: &Which) -> Result<Option<Found<'a>>, Corrupt> {
    let one = |record: Option<Record<'a>>| record.into_iter().collect();
    let (word, key, found) = if let Some(name) = &which.domain {
        ("domain", name, one(data.find_domain(&ascii(name))?.map(Record::Domain)))
    } else if let Some(name) = &which.nndn {
        ("NNDN", name, one(data.find_nndn(&ascii(name))?.map(Record::Nndn)))
    } else if let Some(name) = &which.nameserver {
        ("nameserver", name, one(data.find_nameserver(&ascii(name))?.map(Record::Nameserver)))
    } else if let Some(id) = &which.contact {
        let found: Result<_, _> =
            data.find_contacts(id).map(|found| found.map(Record::Contact)).collect();
        ("contact", id, found?)
    } else if let Some(text) = &which.registrar {
        ("registrar", text, registrars(data, text)?)
    } else if let Some(roid) = &which.roid {
        let found = data.find_roid(roid).map(|owner| {
            Ok(match owner? {
                Owner::Contact(record) => Record::Contact(record),
                Owner::Nameserver(record) => Record::Nameserver(record),
                Owner::Domain(record) => Record::Domain(record),
            })
        });
        ("record with the ROID", roid, found.collect::<Result<_, Corrupt>>()?)
    } else {
        return Ok(None);
    };
    Ok(Some((format!("{word} {key:?}"), found)))
}

/// A name as it is stored: A-labels, lower case, no final dot.
fn ascii(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mapped = crate::idn::typed_to_ascii(name);
    mapped.map_or_else(|| name.to_ascii_lowercase(), |name| name.as_str().to_owned())
}

fn registrars<'a>(data: &'a Data, text: &str) -> Result<Vec<Record<'a>>, Corrupt> {
    let folded = key::fold_registrar_name(text);
    let keys = [
        Some(RegistrarKey::Id(text)),
        text.parse().ok().map(RegistrarKey::IanaId),
        folded.as_ref().map(|folded| RegistrarKey::FoldedName(folded.as_bytes())),
    ];
    for key in keys.into_iter().flatten() {
        let found = data.find_registrars(key).map(|found| found.map(Record::Registrar));
        let found: Vec<_> = found.collect::<Result<_, _>>()?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}
