//! Where commands write deposits to, and how far they are.
//!
//! # Does not
//!
//! Know what a deposit holds.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::aside::Aside;
use crate::export::file_name;
use crate::observe::clock;

/// Writes a deposit.
pub(super) type WriteTo<'w> = &'w mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Whether a path names a directory, which may have to be made.
pub(super) fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/')
}

/// Writes the XML model into a file, into a directory under the name of a deposit of that TLD and
/// watermark, or to standard output (`-`), with gzip if that is asked for or the name of the file
/// ends in `.gz`; gives the path, unless it went to standard output.
pub(super) fn write_xml(
    path: &Path,
    gzip: bool,
    (tld, watermark_ms): (&str, i64),
    write: WriteTo<'_>,
) -> io::Result<Option<PathBuf>> {
    if path == Path::new("-") {
        return write_into(io::stdout().lock(), gzip, write).map(|()| None);
    }
    // A reader of the directory never sees half a deposit, or one of two commands at once.
    let (path, aside) = if is_directory(path) {
        fs::create_dir_all(path)?;
        let path = path.join(file_name(tld, watermark_ms, if gzip { "xml.gz" } else { "xml" }));
        let aside = Aside::in_folder(&path)?;
        (path, aside)
    } else {
        (path.to_owned(), Aside::of_user(path)?)
    };
    let compressed = gzip || path.extension().is_some_and(|extension| extension == "gz");
    write_into(aside.file(), compressed, write)?;
    aside.keep()?;
    Ok(Some(path))
}

/// Refuses places where the models have no room: standard output, which is one file, for the CSV
/// model; one name for a file and a folder.
pub(super) fn check_two_places(xml: Option<&Path>, csv: Option<&Path>) -> Result<(), Failure> {
    let refused = |message: String| Err(Failure { status: 2, message });
    if csv == Some(Path::new("-")) {
        return refused(
            "--rde-csv: -: the CSV model has many files, and standard output is one; name a \
             directory"
                .to_owned(),
        );
    }
    let place = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (xml, csv) {
        (Some(xml), Some(csv)) if place(xml) == place(csv) && !is_directory(xml) => {
            refused(format!(
                "--rde-xml and --rde-csv: both are {}, a file and a directory; name two places, or \
             end it with / to write both models into one directory",
                xml.display()
            ))
        }
        _ => Ok(()),
    }
}

fn write_into(out: impl Write, compressed: bool, write: WriteTo<'_>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, out);
    if !compressed {
        write(&mut file)?;
        return file.flush();
    }
    let mut out = BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::fast()));
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
}

/// Tells progress: a bar on a terminal, a line every few seconds otherwise.
pub(super) struct Teller {
    /// The command, as its lines begin.
    command: &'static str,
    bar: Option<ProgressBar>,
    quiet: bool,
    what: &'static str,
    told: std::time::Instant,
}

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Teller {
    pub(super) fn new(command: &'static str, quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            let template = "{msg:22} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
            bar.with_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Self { command, bar, quiet, what: "", told: clock::monotonic() }
    }

    pub(super) fn tell(&mut self, what: &'static str, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            if self.what != what {
                self.what = what;
                bar.reset();
                bar.set_length(all);
                bar.set_message(what);
            }
            bar.set_position(done);
        } else if !self.quiet && self.told.elapsed() >= LINE_EVERY {
            self.told = clock::monotonic();
            // If standard error is gone, the work goes on.
            let _ = writeln!(io::stderr(), "{}: {what}: {done} of {all}", self.command);
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
