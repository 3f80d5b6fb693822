//! Where commands write deposits to, and how far they are.
//!
//! # Does not
//!
//! Know what a deposit holds.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::export::file_name;
use crate::observe::clock;

/// Permissions of a deposit: it has data of people.
const FILE_MODE: u32 = 0o640;

/// Writes a deposit.
pub(super) type WriteTo<'w> = &'w mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Whether a path names a directory, which may have to be made.
pub(super) fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/')
}

/// Writes the XML model into a file, into a directory under the name of a deposit of that TLD and
/// watermark, or to standard output (`-`); gives the path, unless it went to standard output.
pub(super) fn write_xml(
    path: &Path,
    gzip: bool,
    (tld, watermark_ms): (&str, i64),
    write: WriteTo<'_>,
) -> io::Result<Option<PathBuf>> {
    if path == Path::new("-") {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return write(&mut out).map(|()| None);
    }
    let path = if is_directory(path) {
        fs::create_dir_all(path)?;
        path.join(file_name(tld, watermark_ms, if gzip { "xml.gz" } else { "xml" }))
    } else {
        path.to_owned()
    };
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    // A pipe, a device or a link stays what it is.
    if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
        return write_into(File::create(&path)?, compressed, write).map(|()| Some(path));
    }
    // Whoever reads the directory never sees half a deposit, or one of two commands at once.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let aside = tempfile::Builder::new()
        .prefix(".whoisd-")
        .suffix(".new")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))?;
    write_into(aside.reopen()?, compressed, write)?;
    aside.persist(&path).map_err(|error| error.error)?;
    Ok(Some(path))
}

/// Refuses to write both models into one place: files of the two have one name.
pub(super) fn check_two_places(xml: Option<&Path>, csv: Option<&Path>) -> Result<(), Failure> {
    let (Some(xml), Some(csv)) = (xml, csv) else { return Ok(()) };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if xml == csv || real(xml) == real(csv) {
        let message = format!(
            "--rde-xml and --rde-csv: both are {}, and would overwrite each other; name two places",
            xml.display()
        );
        return Err(Failure { status: 2, message });
    }
    Ok(())
}

fn write_into(file: File, compressed: bool, write: WriteTo<'_>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, file);
    if !compressed {
        return write(&mut file);
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
