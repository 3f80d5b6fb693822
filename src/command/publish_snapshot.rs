//! `whoisd publish-snapshot`: the current generation of a directory into an object store.
//!
//! # Does not
//!
//! Lock the directory: it reads while other processes write and serve.

use std::io::BufWriter;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use snapshot_format::delta::fold;
use snapshot_format::sort::Scratch;
use snapshot_format::{BuildError, Snapshot};

use super::standard::DirOptions;
use super::{Failure, output, overwriting};
use crate::feed::key::SecretKey;
use crate::feed::message::Source;
use crate::feed::nats::source_of;
use crate::feed::objects::{How, ObjectError, Objects, Published};
use crate::observe::printable::counted;
use crate::store::DiskScratch;
use crate::view::{Bytes, View};

/// Memory of a fold, bytes.
const FOLD_MEMORY_BYTES: usize = 256 << 20;

/// Put the current generation into an object store, for nodes that are new or too far behind
///
/// The changes and heartbeats since the last base are folded into what is put there; it needs as
/// much room in DIR as a snapshot while it runs. The directory may be served and written meanwhile.
/// Its serial says which records of the feed it contains: a node that fetches it goes on after it.
///
/// A snapshot that is there already stays, with its signature and its source. --key signs it, or
/// signs it again; --source names a source where it has none; either change is reported. Ctrl-C
/// leaves nothing in the object store.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whoisd publish-snapshot --dir /var/lib/whoisd --to /srv/snapshots
  whoisd publish-snapshot --dir /var/lib/whoisd --to file:///srv/snapshots --key feed.key

Exit status: 0 published, or there already; 1 failed (the object store, a file), or interrupted;
2 wrong usage; 3 the snapshot is damaged, the key is none, or what is there is signed, or of another
source, and would be changed.")]
pub(super) struct Options {
    #[command(flatten)]
    place: DirOptions,
    /// Object store: a directory that is not a snapshot directory, file:///DIRECTORY, or
    /// s3://BUCKET/PATH in a build with S3
    #[arg(long, value_name = "URL")]
    to: String,
    /// Whose serials the snapshot has, 1 to 64 letters, digits, ".", "_" and "-". Default the
    /// source that a node with this directory follows, if it follows one; another one is refused
    #[arg(long, value_name = "NAME")]
    source: Option<Source>,
    /// Sign with the secret key in FILE (`whoisd key new FILE`)
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    key: Option<PathBuf>,
    /// Put the last base there as it is, without the changes since
    #[arg(long)]
    base: bool,
    /// Write a snapshot that is there already again: nodes say that it is damaged
    #[arg(long)]
    replace: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let dir = &options.place.dir()?;
    check_place(&options.to, dir)?;
    let stop = &super::stopping::stop_flag()?;
    let key = options.key.as_deref().map(SecretKey::read).transpose()?;
    let objects = Objects::open(&options.to)?;
    let view = View::open(dir)?;
    let followed = source_of(dir);
    if let (Some(given), Some(followed)) = (&options.source, &followed)
        && given != followed
    {
        return Err(Failure::refused(format!(
            "--source {given}: the directory {} has the serials of {followed}, and nodes would \
             take them for those of {given}; leave --source out",
            dir.display()
        )));
    }
    let source = options.source.clone().or(followed);
    let how = How { source: source.as_ref(), key: key.as_ref(), replace: options.replace };
    let published = if options.base || is_base(&view) {
        publish(&objects, view.base(), how, options.quiet, stop)?
    } else {
        let folded = folded(&view, dir, options.quiet, stop)?;
        publish(&objects, &folded, how, options.quiet, stop)?
    };
    if options.quiet {
        return Ok(());
    }
    let manifest = &published.manifest;
    let of = manifest.source.as_ref();
    let of = of.map_or_else(|| "no source".to_owned(), |source| format!("source {source}"));
    let left_out = view.state().serial.saturating_sub(manifest.serial);
    let mut text = format!(
        "generation {}, serial {} of {of}, {} bytes: {} {}{}{}\n",
        manifest.generation,
        manifest.serial,
        manifest.bytes,
        if published.was_there { "is there already:" } else { "published to" },
        options.to,
        published.key.map_or_else(String::new, |key| format!(", signed with key {key}")),
        if left_out == 0 {
            String::new()
        } else {
            format!("; left out: {}", counted(left_out, "later change"))
        },
    );
    for change in &published.changes {
        text.push_str(&format!("changed: {change}\n"));
    }
    output::print(text.as_bytes())
}

/// Whether the last base says all that there is to say. Heartbeats change no record, and a node
/// goes on after the serial that a snapshot has: they are folded in as well.
fn is_base(view: &View) -> bool {
    let (state, header) = (view.state(), view.base().header());
    let (changed, _) = view.data().changed();
    let is_last = (state.serial, state.committed_ms) == (header.serial, header.watermark_ms);
    changed == 0 && is_last
}

/// An object store of files has no place where a directory keeps its own.
fn check_place(to: &str, dir: &Path) -> Result<(), Failure> {
    let path = to.strip_prefix("file://").unwrap_or(to);
    if path.contains("://") {
        return Ok(());
    }
    overwriting::check_directory("--to", Path::new(path), &[dir])
}

fn publish(
    objects: &Objects,
    base: &Snapshot<Bytes>,
    how: How<'_>,
    quiet: bool,
    stop: &Arc<AtomicBool>,
) -> Result<Published, Failure> {
    let bar = bar(quiet, "sending")?;
    let published = objects.publish(base, how, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    Ok(published?)
}

/// The generation as one base, in a file without a name that vanishes with the process.
fn folded(
    view: &View,
    dir: &Path,
    quiet: bool,
    stop: &Arc<AtomicBool>,
) -> Result<Snapshot<Bytes>, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: cannot {what}: {error}", dir.display()))
    };
    let file = tempfile::tempfile_in(dir).map_err(|error| failed("make a file", &error))?;
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(dir));
    let bar = bar(quiet, "folding")?;
    let out = BufWriter::with_capacity(2 << 20, &file);
    let made = fold(view.data(), out, &scratch, FOLD_MEMORY_BYTES, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Err(ObjectError::Interrupted.into());
    }
    drop(made.map_err(|error| match error {
        BuildError::Base(_) => Failure::refused(format!("{}: {error}", dir.display())),
        error => failed("fold the changes", &error),
    })?);
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let bytes = Bytes::map(&path).map_err(|error| failed("map the folded base", &error))?;
    Snapshot::open(bytes).map_err(|error| failed("open the folded base", &error))
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn bar(quiet: bool, what: &str) -> Result<ProgressBar, Failure> {
    if quiet {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template(&format!("{what} {{wide_bar}} {{percent}} % {{eta}}"))
        .map_err(|error| Failure::failed(format!("progress bar: {error}")))?;
    Ok(ProgressBar::new(0).with_style(style))
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Directory(error) => error.into(),
            ObjectError::Damaged(_)
            | ObjectError::OtherSource { .. }
            | ObjectError::NotPermitted { .. }
            | ObjectError::Signed { .. } => Self::refused(error),
            _ => Self::failed(error),
        }
    }
}
