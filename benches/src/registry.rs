//! The registry that is served: one that is given, or a sample.
//!
//! # Does not
//!
//! Pick what is asked for: `workload` does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use whoisd::sample::build::build_directory;
use whoisd::sample::{Registry, Settings};

/// Memory that a sample is sorted in, bytes.
const SORT_BYTES: usize = 1 << 30;

/// Domains of the sample of a comparison.
const DOMAINS: u64 = 1_000_000;
const DOMAINS_SMOKE: u64 = 2_000;

/// The directory that is given, or a sample below `folder`, which is small in a smoke test.
///
/// # Errors
///
/// The sample cannot be made.
pub fn given_or_sampled(
    given: Option<&Path>,
    folder: &Path,
    is_smoke: bool,
) -> io::Result<PathBuf> {
    let domains = if is_smoke { DOMAINS_SMOKE } else { DOMAINS };
    given.map_or_else(|| sampled(folder, domains), |dir| Ok(dir.to_owned()))
}

/// Makes a sample of `domains` domains in the directory `registry` below `folder`.
///
/// # Errors
///
/// The size is out of bounds, or the sample cannot be made.
pub fn sampled(folder: &Path, domains: u64) -> io::Result<PathBuf> {
    let dir = folder.join("registry");
    fs::create_dir(&dir)?;
    let registry = Registry::new(&Settings::of_size(domains).map_err(io::Error::other)?);
    build_directory(&registry, &dir, SORT_BYTES, &mut |_, _, _| {}).map_err(io::Error::other)?;
    Ok(dir)
}
