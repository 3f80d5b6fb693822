//! `whoisd sample`: makes a registry to work with.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::deposit_file::{Teller, check_two_places, is_directory, write_xml};
use super::{Failure, overwriting};
use crate::export::csv::{Checksum, Options as CsvOptions};
use crate::export::time;
use crate::sample::settings::{
    DOMAINS_MAX, DOMAINS_MIN, SEED_DEFAULT, TLDS_DEFAULT, WATERMARK_DEFAULT_S,
};
use crate::sample::{Registry, Settings, build, deposit, showcase};
use crate::store;
use crate::view::Disk;

/// Make a registry to work with: a deposit, or a snapshot directory
///
/// The same options give the same registry, on every machine. Its data is nobody's: reserved
/// domain names, addresses and telephone numbers that are kept for fiction. It has what real
/// registries have: a few registrars and hosting companies with most of the names, shared
/// contacts, IDNs with variants, DNSSEC, every EPP and RGP status, reserved names, extras.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd sample --into /tmp/demo --domains 10000      a directory to serve at once\n  \
    whoisd sample --rde-xml deposit.xml.gz              a deposit, compressed\n  \
    whoisd sample --rde-csv deposit --sha256            the CSV model with SHA256 sums\n  \
    whoisd sample --rde-xml - --tld shop --seed 7       to standard output\n  \
    whoisd sample --queries                             what to ask a sample\n\n\
    Several outputs at once show the same registry. Key-value extras are in the CSV model and in \
    snapshots: the XML model has no room for them.\n\n\
    Exit status: 0 done; 1 cannot be written; 2 wrong usage; 3 the directory has another\n\
    registry.")]
pub(super) struct Options {
    /// Number of domains, 100 to 100,000,000
    #[arg(long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(DOMAINS_MIN..=DOMAINS_MAX))]
    domains: u64,

    /// Seed of everything but the showcase
    #[arg(long, value_name = "N", default_value_t = SEED_DEFAULT)]
    seed: u64,

    /// Suffix under which names are registered; may be repeated, the first one has half of the
    /// names and the showcase [default: demo, example, test, co.demo, xn--jxalpdlp]
    #[arg(long = "tld", value_name = "NAME")]
    tlds: Vec<String>,

    /// Time of the data, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; dates agree with it
    /// [default: 2026-01-01T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = parse_watermark)]
    watermark: Option<i64>,

    /// Write a deposit in the XML model: a file (gzip if it ends in .gz), a directory, or - for
    /// standard output; not in a snapshot directory
    #[arg(long, value_name = "PATH", value_parser = super::kinds::file_or_directory())]
    rde_xml: Option<PathBuf>,

    /// Write a deposit in the CSV model into this directory, which is not a snapshot directory
    #[arg(long, value_name = "DIR", value_parser = super::kinds::directory())]
    rde_csv: Option<PathBuf>,

    /// Compress deposits with gzip, also a file or standard output
    #[arg(long)]
    gzip: bool,

    /// Sum CSV files with SHA256 instead of CRC32
    #[arg(long, requires = "rde_csv")]
    sha256: bool,

    /// Build a snapshot in this directory, as its next generation
    #[arg(long, value_name = "DIR", value_parser = super::kinds::directory())]
    into: Option<PathBuf>,

    /// Let go of a registry in the directory that is no sample, follows a feed or does not read: no
    /// state of it is kept
    #[arg(long, requires = "into")]
    replace: bool,

    /// Memory for building the snapshot, MiB; the disk takes over beyond it
    #[arg(long, value_name = "MIB", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    memory_mib: u32,

    /// Print queries that the sample answers, one a line, and write nothing
    #[arg(long, conflicts_with_all = ["rde_xml", "rde_csv", "into"])]
    queries: bool,

    /// Do not tell progress
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let watermark_s = options.watermark.unwrap_or(WATERMARK_DEFAULT_S);
    let settings = Settings::parse(options.seed, options.domains, &options.tlds, watermark_s)
        .map_err(|error| Failure { status: 2, message: format!("sample: {error}") })?;
    if options.queries {
        return print_queries(&settings);
    }
    if options.rde_xml.is_none() && options.rde_csv.is_none() && options.into.is_none() {
        let message = "sample: nothing to write; name --into DIR, --rde-xml PATH or --rde-csv DIR";
        return Err(Failure { status: 2, message: message.to_owned() });
    }
    check_places(options)?;
    let registry = Registry::new(&settings);
    let mut teller = Teller::new("sample", options.quiet);
    let mut written = Vec::new();
    if let Some(path) = &options.rde_xml {
        let tld = settings.tlds().first().map_or("", String::as_str);
        let named = (tld, settings.watermark_s() * 1000);
        let done = write_xml(path, options.gzip, named, &mut |out| {
            deposit::write_rde_xml(&registry, out, &mut |w, d, a| teller.tell(w, d, a))
        });
        // A reader that has gone away (`| head`) is not an error.
        let is_gone = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
        match done {
            Err(error) if path == Path::new("-") && is_gone(&error) => {}
            done => written.extend(done.map_err(|error| failed(path, &error))?),
        }
    }
    if let Some(path) = &options.rde_csv {
        let checksum = if options.sha256 { Checksum::Sha256 } else { Checksum::Crc32 };
        let csv = CsvOptions { gzip: options.gzip, checksum };
        let done =
            deposit::write_rde_csv(&registry, path, csv, &mut |w, d, a| teller.tell(w, d, a));
        written.push(done.map_err(|error| failed(path, &error))?);
    }
    if let Some(path) = &options.into {
        let over = may_replace(path, options.replace)?;
        let memory_bytes = usize::try_from(options.memory_mib).unwrap_or(usize::MAX) << 20;
        let done = build::replace_directory(&registry, path, memory_bytes, over, &mut |w, d, a| {
            teller.tell(w, d, a);
        });
        done.map_err(|error| Failure { status: 1, message: format!("sample: {error}") })?;
        written.push(path.clone());
    }
    teller.finish();
    print_summary(&registry, &written, options.rde_xml.as_deref() == Some(Path::new("-")))
}

/// Refuses deposits among the files of a snapshot directory.
fn check_places(options: &Options) -> Result<(), Failure> {
    check_two_places(options.rde_xml.as_deref(), options.rde_csv.as_deref())?;
    let into: Vec<_> = options.into.as_deref().into_iter().collect();
    match options.rde_xml.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) if is_directory(path) => {
            overwriting::check_directory("--rde-xml", path, &into)?;
        }
        Some(path) => overwriting::check("--rde-xml", path, &[], &into)?,
        None => {}
    }
    options
        .rde_csv
        .as_deref()
        .map_or(Ok(()), |path| overwriting::check_directory("--rde-csv", path, &into))
}

/// Refuses to put a sample in the place of a registry: nothing of that would be left. Returns
/// whether a state that does not read may go.
fn may_replace(path: &Path, replace: bool) -> Result<bool, Failure> {
    let standing = store::standing(&Disk::new(path))?;
    let what = if let Some(error) = &standing.damage {
        format!("has a registry that does not read ({error})")
    } else {
        let Some(there) = &standing.generation else { return Ok(false) };
        let meta = there.base().meta();
        let source = meta.map_or_else(|_| String::new(), |meta| meta.source.to_string());
        let serial = there.state().serial;
        match (source.starts_with(SOURCE), serial) {
            (true, 0) => return Ok(false),
            (true, serial) => format!("has a sample that follows a feed (serial {serial})"),
            (false, _) => format!("has a registry (made by {source:?})"),
        }
    };
    if replace {
        return Ok(standing.damage.is_some());
    }
    Err(Failure::refused(format!(
        "sample: {}: the directory {what}, and a sample would leave nothing of it; name another \
         directory, or let it go with --replace",
        path.display()
    )))
}

fn parse_watermark(text: &str) -> Result<i64, String> {
    time::parse_time(text)
        .ok_or_else(|| "expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ, in UTC".to_owned())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure { status: 1, message: format!("sample: {}: {error}", path.display()) }
}

fn print_queries(settings: &Settings) -> Result<(), Failure> {
    let tld = settings.tlds().first().map_or(TLDS_DEFAULT[0], String::as_str);
    let mut text = String::new();
    for (query, _) in showcase::QUERIES {
        text.push_str(&query.replace("{tld}", tld));
        text.push('\n');
    }
    print(&text, false)
}

fn print_summary(
    registry: &Registry,
    written: &[PathBuf],
    stdout_taken: bool,
) -> Result<(), Failure> {
    let counts = [
        ("domains", registry.domain_count()),
        ("nameservers", registry.nameserver_count()),
        ("contacts", registry.contact_count()),
        ("registrars", registry.registrars().len() as u64),
        ("IDN tables", registry.idn_tables().len() as u64),
        ("NNDN names", registry.nndn_count()),
    ];
    let mut text = String::new();
    for (what, count) in counts {
        text.push_str(&format!("{what:<12} {count:>11}\n"));
    }
    for path in written {
        text.push_str(&format!("written: {}\n", path.display()));
    }
    print(&text, stdout_taken)
}

fn print(text: &str, to_stderr: bool) -> Result<(), Failure> {
    let done = if to_stderr {
        io::stderr().lock().write_all(text.as_bytes())
    } else {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    match done {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure { status: 1, message: format!("standard output: {error}") })
        }
        _ => Ok(()),
    }
}

/// The maker that a sample names begins with this.
const SOURCE: &str = "whoisd sample";
