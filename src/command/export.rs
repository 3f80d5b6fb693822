//! `whoisd export`: a deposit out of a snapshot directory.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use snapshot_format::delta::{Chosen, Fate};
use snapshot_format::layout::Kind;

use super::deposit_file::{Teller, check_two_places, is_directory, write_xml};
use super::stopping::{stop_at_hang_up, stop_flag};
use super::{Failure, output, overwriting};
use crate::export::csv::{self, Checksum, Options as CsvOptions};
use crate::export::served::{Served, is_below, watermark_ms};
use crate::export::{Source, xml};
use crate::import::owner;
use crate::observe::printable::counted;
use crate::vet::fate;
use crate::view::View;

/// Write a deposit (RDE, RFC 8909 and RFC 9022) of what a snapshot directory has
///
/// A FULL deposit with every object and every field that the directory keeps, whatever the rules of
/// answers hide: it is for who may have all of it. Importing it makes the same registry again. Live
/// changes are in it. A server may run on the directory meanwhile; the deposit is of the state that
/// was there when the command began.
///
/// The deposit is of one TLD: with several, name one (--tld), and its names come with the contacts,
/// nameservers, registrars and IDN tables that they refer to. Names below a TLD within it that has
/// a deposit of its own are not its names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  whoisd export /var/lib/whoisd --rde-xml deposit.xml.gz
  whoisd export /var/lib/whoisd --rde-csv model --gzip
  whoisd export /var/lib/whoisd --rde-xml - --tld test

Key-value extras are in the CSV model alone: the XML model has no room for them. The CSV model needs
the ROID of every nameserver that is an object. Files are written aside and renamed, the XML of the
CSV model last: a command that is interrupted leaves nothing. Both models, and several TLDs, have
room in one folder.

Exit status: 0 written; 1 cannot be read or written, or interrupted; 2 wrong usage; 3 there is no
snapshot, it is damaged, it has several TLDs, or not the one that was named.")]
pub(super) struct Options {
    /// Snapshot directory
    #[arg(value_name = "DIR", value_parser = super::kinds::directory())]
    dir: PathBuf,
    /// Write the XML model: a file (gzip if it ends in .gz), a directory, or - for standard output;
    /// not in a snapshot directory
    #[arg(long, value_name = "PATH", value_parser = super::kinds::file_or_directory())]
    rde_xml: Option<PathBuf>,
    /// Write the CSV model into this directory, not a snapshot directory
    #[arg(long, value_name = "DIR", value_parser = super::kinds::directory())]
    rde_csv: Option<PathBuf>,
    /// The TLD that the deposit is of
    #[arg(long, value_name = "NAME")]
    tld: Option<String>,
    /// Compress deposits with gzip, also a file or standard output
    #[arg(long)]
    gzip: bool,
    /// Sum CSV files with SHA256 instead of CRC32
    #[arg(long, requires = "rde_csv")]
    sha256: bool,
    /// Do not tell progress
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
///
/// # Errors
///
/// Status 1: a file cannot be read or written, or an interruption; 3: damage, or several TLDs.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if options.rde_xml.is_none() && options.rde_csv.is_none() {
        let message = "export: nothing to write; name --rde-xml PATH or --rde-csv DIR".to_owned();
        return Err(Failure { status: 2, message });
    }
    // First: `overwriting` takes the directory for one of a snapshot.
    let view = View::open(&options.dir)?;
    check_places(options)?;
    let stop = stop_flag()?;
    stop_at_hang_up(&stop)?;
    // Nothing is made of a damaged base.
    let dir = options.dir.display();
    let damaged = |error| Failure::refused(format!("export: {dir}: {error}"));
    if view.check_behind(&|| !stop.load(Ordering::Relaxed)).map_err(damaged)?.is_none() {
        return Err(Failure::failed("export: interrupted"));
    }
    let Zones { suffixes, others, is_all } = zones(&view, options)?;
    let what = What { view: &view, suffixes: &suffixes, others: &others, is_all };
    let mut text = String::new();
    if let Some(path) = &options.rde_xml {
        let tld = suffixes.first().map_or("", String::as_str);
        let named = (tld, watermark_ms(view.state(), tld));
        let mut written = None;
        let made = one(&what, options.quiet, &stop, &mut |source| {
            written = write_xml(path, options.gzip, named, &mut |out| xml::write(source, out))?;
            Ok(())
        });
        let counts = made.map_err(|error| failed(path, &error))?;
        summary(&mut text, &counts, written.as_deref().unwrap_or(path));
    }
    if let Some(path) = &options.rde_csv {
        let checksum = if options.sha256 { Checksum::Sha256 } else { Checksum::Crc32 };
        let csv = CsvOptions { gzip: options.gzip, checksum };
        let mut written = PathBuf::new();
        let made = one(&what, options.quiet, &stop, &mut |source| {
            written = csv::write(source, path, csv)?;
            Ok(())
        });
        let counts = made.map_err(|error| failed(path, &error))?;
        summary(&mut text, &counts, &written);
    }
    if options.rde_xml.as_deref() == Some(Path::new("-")) {
        // Standard output has the deposit; if standard error is gone, that is whole all the same.
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(());
    }
    output::print(text.as_bytes())
}

/// What a deposit holds.
struct Counts {
    objects: [u64; 6],
    unread: u64,
}

/// What goes into a deposit.
struct What<'w> {
    view: &'w View,
    suffixes: &'w [String],
    others: &'w [String],
    is_all: bool,
}

/// Writes one deposit.
fn one(
    what: &What<'_>,
    quiet: bool,
    stop: &AtomicBool,
    write: &mut dyn FnMut(&mut dyn Source) -> io::Result<()>,
) -> io::Result<Counts> {
    let mut teller = Teller::new("export", quiet);
    let mut progress = |pass, done, all| {
        teller.tell(pass, done, all);
        if stop.load(Ordering::Relaxed) { Err(io::Error::other("interrupted")) } else { Ok(()) }
    };
    let data = what.view.data();
    let is_meant = |name: &str| fate(name, what.suffixes, what.others) == Fate::Goes;
    let chosen = if what.is_all { Chosen::all() } else { Chosen::of(data, &is_meant)? };
    let mut source = Served::new(data, chosen, what.suffixes.to_vec(), &mut progress);
    let written = write(&mut source);
    let counts = Counts { objects: source.counts(), unread: source.unread_count };
    teller.finish();
    written.map(|()| counts)
}

/// What a deposit is of.
struct Zones {
    /// Its suffixes, its TLD first.
    suffixes: Vec<String>,
    /// TLDs of other deposits, whose names are not in it.
    others: Vec<String>,
    /// Whether it has all that the directory has.
    is_all: bool,
}

/// What the deposit is of. A directory of one deposit goes out as that came in, whatever suffixes
/// it has.
fn zones(view: &View, options: &Options) -> Result<Zones, Failure> {
    let there: Vec<&str> = view.suffixes().iter().map(|suffix| &**suffix).collect();
    let is_highest =
        |name: &&&str| !there.iter().any(|other| other != *name && is_below(name, other));
    let marks = view.state().deposits.iter().map(|mark| &*mark.tld);
    let marks: Vec<&str> = marks.filter(|tld| !tld.is_empty()).collect();
    let mut tlds = marks.clone();
    if tlds.is_empty() {
        tlds = there.iter().filter(is_highest).copied().collect();
    }
    let dir = options.dir.display();
    let refused = |problem: String| Err(Failure::refused(format!("export: {dir} {problem}")));
    let Some(named) = &options.tld else {
        return match tlds.as_slice() {
            [] => refused("has no names; name a TLD with --tld".to_owned()),
            [tld] => {
                let others = there.iter().filter(|suffix| *suffix != tld);
                let all = [tld].into_iter().chain(others);
                let suffixes = all.map(|suffix| (*suffix).to_owned()).collect();
                Ok(Zones { suffixes, others: Vec::new(), is_all: true })
            }
            several => refused(format!(
                "has {} TLDs, and a deposit is of one: name it with --tld, one of {}",
                several.len(),
                several.join(", ")
            )),
        };
    };
    let tld = crate::feed::normal_name(named).unwrap_or_default();
    if !there.contains(&tld.as_str()) && !tlds.contains(&tld.as_str()) {
        return refused(format!("has no TLD {named:?}; it has {}", there.join(", ")));
    }
    let others: Vec<&str> = marks.into_iter().filter(|other| *other != tld).collect();
    let is_own = |suffix: &&&str| {
        **suffix != tld
            && is_below(suffix, &tld)
            && owner(suffix, &tld, others.iter().copied()).is_none()
    };
    let below = there.iter().filter(is_own).map(|suffix| (*suffix).to_owned());
    let suffixes = [tld.clone()].into_iter().chain(below).collect();
    let others = others.iter().map(|other| (*other).to_owned()).collect();
    Ok(Zones { suffixes, others, is_all: false })
}

/// Refuses deposits among the files of a snapshot directory, and two in one place.
fn check_places(options: &Options) -> Result<(), Failure> {
    check_two_places(options.rde_xml.as_deref(), options.rde_csv.as_deref())?;
    match options.rde_xml.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) if is_directory(path) => {
            overwriting::check_directory("--rde-xml", path, &[&options.dir])?;
        }
        Some(path) => overwriting::check("--rde-xml", path, &[], &[&options.dir])?,
        None => {}
    }
    options
        .rde_csv
        .as_deref()
        .map_or(Ok(()), |path| overwriting::check_directory("--rde-csv", path, &[&options.dir]))
}

fn summary(text: &mut String, counts: &Counts, path: &Path) {
    let of = |kind: Kind, one: &str| counted(counts.objects[kind as usize], one);
    let _ = writeln!(
        text,
        "written: {}: {}, {}, {}, {}, {}, {}",
        path.display(),
        of(Kind::Domain, "domain"),
        of(Kind::Nameserver, "nameserver"),
        of(Kind::Contact, "contact"),
        of(Kind::Registrar, "registrar"),
        of(Kind::IdnTable, "IDN table"),
        of(Kind::Nndn, "reserved name"),
    );
    if counts.unread > 0 {
        let _ = writeln!(
            text,
            "without DNSSEC data, which did not read when they were imported: {}",
            counted(counts.unread, "domain")
        );
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let message = format!("export: {}: {error}", path.display());
    let is_damage = error.kind() == io::ErrorKind::InvalidData;
    if is_damage { Failure::refused(message) } else { Failure::failed(message) }
}
