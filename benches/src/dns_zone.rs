//! Zones for the DNS servers: every name of the run with one address, one zone a top-level domain.
//!
//! # Does not
//!
//! Sign anything: the answer to a query is one record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Top-level domains that get a zone each.
const ZONES_MAX: usize = 64;

/// Writes the zones into `folder`; their names and files.
///
/// # Errors
///
/// The kernel's, or there are more than `ZONES_MAX` top-level domains.
pub fn write_all(names: &[String], folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut zones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        if let Some((_, zone)) = name.rsplit_once('.') {
            zones.entry(zone).or_default().push(name);
        }
    }
    if zones.len() > ZONES_MAX {
        let count = zones.len();
        return Err(io::Error::other(format!("{count} top-level domains, at most {ZONES_MAX}")));
    }
    zones
        .into_iter()
        .map(|(zone, names)| {
            let path = folder.join(format!("{zone}.zone"));
            let mut out = BufWriter::new(File::create(&path)?);
            writeln!(out, "$TTL 3600")?;
            writeln!(out, "{zone}. IN SOA ns.{zone}. host.{zone}. 1 3600 900 604800 3600")?;
            writeln!(out, "{zone}. IN NS ns.{zone}.\nns.{zone}. IN A 192.0.2.1")?;
            for name in names {
                writeln!(out, "{name}. IN A 192.0.2.2")?;
            }
            out.flush()?;
            Ok((zone.to_owned(), path))
        })
        .collect()
}
