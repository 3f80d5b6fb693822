//! `whoisd rollback`: goes back to a generation that is kept.

use clap::Args;

use super::standard::DirOptions;
use super::{Failure, output};
use crate::config::Settings;
use crate::serving::updating::writer;
use crate::store::{StoreError, read_manifest};
use crate::view::Disk;

/// Go back to a generation that is kept
///
/// `whoisd inspect DIR` lists the generations that are kept. What was current is kept in its place,
/// so that going forward again is possible. Servers that follow the directory show the generation
/// at once; a server with --spool writes the directory and has to be stopped first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd rollback --dir /var/lib/whoisd --to 41\n\n\
    Exit status: 0 done; 1 failed (a file, or another process writes the directory); 2 wrong \
    usage; 3 there is no snapshot, or it is damaged; 4 the generation is not kept. But for 0, \
    nothing was changed.")]
pub(super) struct Options {
    #[command(flatten)]
    place: DirOptions,

    /// Number of the generation
    #[arg(long, value_name = "GENERATION")]
    to: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let dir = &options.place.dir()?;
    if read_manifest(&Disk::new(dir))?.is_none() {
        return Err(StoreError::Empty { path: dir.clone() }.into());
    }
    // One more than usual: what is left must not push out what is gone back to.
    let settings = Settings { keep: Settings::default().keep + 1, ..Settings::default() };
    let manifest = writer(&settings, dir)?.rollback(options.to).map_err(|error| {
        let status = if matches!(error, StoreError::NotKept { .. }) { Some(4) } else { None };
        let failure = Failure::from(error);
        Failure { status: status.unwrap_or(failure.status), ..failure }
    })?;
    let text = format!(
        "{}: generation {} is current; it was made from {}\n",
        dir.display(),
        options.to,
        manifest.current.base
    );
    output::print(text.as_bytes())
}
