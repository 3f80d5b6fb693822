//! `whoisd verify`: the full check of a snapshot.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use snapshot_format::verify::verify;

use super::{Failure, output};
use crate::observe::clock;
use crate::view::View;

/// Check a snapshot in full: checksums, every record, every reference, every index
///
/// Trusts nothing that the file says of itself; about a microsecond a record. A server checks the
/// checksums by itself when it starts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd verify /var/lib/whoisd\n\n\
    Exit status: 0 good; 1 cannot be read; 3 damaged, the message says where and what to do.")]
pub(super) struct Options {
    /// Snapshot directory, or one snapshot file
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let view = View::open(&options.path)?;
    let begun = clock::monotonic();
    let bar = ProgressBar::new(0).with_style(style()?);
    let mut records = 0;
    let checked = verify(view.base(), &mut |done, all| {
        records = all;
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let path = options.path.display();
    checked.map_err(|error| Failure::refused(format!("{path}: {error}")))?;
    let took = clock::monotonic().saturating_duration_since(begun).as_secs_f64();
    let header = view.base().header();
    // Opening has read the log frame by frame, each against its checksum and its records' types.
    let (changed, log_bytes) = view.data().changed();
    // For a rate, a float's 53 bits are plenty.
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let megabytes = header.file_bytes as f64 / 1e6;
    let text = format!(
        "{path}: good: generation {}, {records} records, {megabytes:.1} MB in {took:.2} s \
         ({:.0} MB/s); {changed} changed keys in {log_bytes} bytes of log\n",
        view.generation(),
        megabytes / took.max(1e-6),
    );
    output::print(text.as_bytes())
}

fn style() -> Result<ProgressStyle, Failure> {
    ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} records, {per_sec}, {eta} left")
        .map_err(|error| Failure::failed(format!("progress bar: {error}")))
}
