//! `whoisd verify`: the full check of a snapshot, or of all states of a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use snapshot_format::verify::verify;

use super::{Failure, output, standard};
use crate::observe::clock;
use crate::store::{Reader, open_chain};
use crate::view::{Data, Disk, View};

/// Check a snapshot in full: checksums, every record, every reference, every index
///
/// Trusts nothing that the files say of themselves; about a microsecond a record. Of a directory,
/// the current state and those that are kept are checked, each with its base and its logs, frame by
/// frame. A server checks the checksums by itself when it starts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd verify /var/lib/whoisd\n\n\
    Exit status: 0 good; 1 cannot be read; 3 damaged, the message says where and what to do.")]
pub(super) struct Options {
    /// Snapshot directory, or one snapshot file. Default server.dir of the configuration
    #[arg(value_name = "DIR|FILE", conflicts_with = "config")]
    path: Option<PathBuf>,

    /// Configuration file whose server.dir is meant. Default /etc/whoisd/whoisd.toml, if it is
    /// there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let path = &standard::directory(options.config.as_deref(), options.path.as_deref())?;
    if path.is_file() {
        let view = View::open(path)?;
        return one(path, "", view.shared());
    }
    let disk = Disk::new(path);
    let reader = Reader::open(disk.clone())?;
    one(path, "", reader.generation())?;
    if let Some(rest) = reader.rest()? {
        output::print(format!("{}: {rest}\n", path.display()).as_bytes())?;
    }
    for chain in &reader.manifest().kept {
        one(path, "kept ", &Arc::new(open_chain(&disk, chain)?))?;
    }
    Ok(())
}

/// Checks one state: opening it has read its logs, each frame against its checksum.
fn one(path: &Path, word: &str, data: &Arc<Data>) -> Result<(), Failure> {
    let begun = clock::monotonic();
    let bar = ProgressBar::new(0).with_style(style()?);
    let mut records = 0;
    let checked = verify(data.base(), &mut |done, all| {
        records = all;
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let path = path.display();
    checked.map_err(|error| Failure::refused(format!("{path}: {error}")))?;
    let took = clock::monotonic().saturating_duration_since(begun).as_secs_f64();
    let header = data.base().header();
    // For a rate, a float's 53 bits are plenty.
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let megabytes = header.file_bytes as f64 / 1e6;
    let rate = megabytes / took.max(1e-6);
    let mut text = format!(
        "{path}: good: {word}generation {}, {records} records, {megabytes:.1} MB in {took:.2} s \
         ({rate:.0} MB/s)",
        data.state().generation,
    );
    let (changed, log_bytes) = data.changed();
    if changed > 0 {
        text.push_str(&format!("; {changed} changed keys in {log_bytes} bytes of log"));
    }
    text.push('\n');
    output::print(text.as_bytes())
}

fn style() -> Result<ProgressStyle, Failure> {
    ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} records, {per_sec}, {eta} left")
        .map_err(|error| Failure::failed(format!("progress bar: {error}")))
}
