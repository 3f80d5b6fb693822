//! `[policy]`: files of lists by prefix, and the set of the kernel that long blocks go to.
//!
//! # Does not
//!
//! Read the lists, or look for the kernel's set: whether they are there shows when the server
//! starts.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::file;
use super::keys::NFTABLES_MIN_S;
use super::value::{Refused, ValueError};
use crate::policy::lists::LIST_FILE_COUNT_MAX;

/// Where Debian puts the program; a service's `PATH` need not have it.
const NFT_PROGRAM: &str = "/usr/sbin/nft";
/// Longest name of a table or set, bytes; nftables takes 255.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Families whose tables see queries.
pub(super) const FAMILIES: [&str; 4] = ["inet", "ip", "ip6", "netdev"];

/// Exceptions by address prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Files of lists; the last part may have `*`.
    pub lists: Vec<PathBuf>,
    /// The kernel's sets for long blocks; `None`: blocks stay in the server.
    pub nftables: Option<Nftables>,
    /// Shortest block that goes to the kernel, seconds.
    pub nftables_min_s: u64,
}

/// Sets of the kernel that a ruleset of the operator drops from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nftables {
    /// Family and name, `inet whoisd`.
    pub table: String,
    /// Set of IPv4 prefixes.
    pub set4: String,
    /// Set of IPv6 prefixes.
    pub set6: String,
    /// The program `nft`.
    pub program: PathBuf,
}

impl Default for Policy {
    fn default() -> Self {
        Self { lists: Vec::new(), nftables: None, nftables_min_s: NFTABLES_MIN_S.default }
    }
}

/// Reads `policy.lists`, one by one.
pub(super) fn lists(written: &Spanned<Vec<Spanned<PathBuf>>>) -> Vec<Result<PathBuf, Refused>> {
    let got = written.get_ref().len();
    if got > LIST_FILE_COUNT_MAX {
        let problem = ValueError::TooMany { got, what: "files", max: LIST_FILE_COUNT_MAX };
        return vec![Err(Refused::new("policy.lists", written, problem))];
    }
    let read = |path: &Spanned<PathBuf>| {
        check_pattern(path.get_ref())
            .map_err(|error| Refused::new("policy.lists", path, error))
            .map(|()| path.get_ref().clone())
    };
    written.get_ref().iter().map(read).collect()
}

fn check_pattern(path: &Path) -> Result<(), ValueError> {
    let Some(name) = path.file_name() else {
        return Err(ValueError::NoFile { path: path.to_owned() });
    };
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_string_lossy();
    if folder.contains('*') || name.to_string_lossy().contains(['?', '[']) {
        return Err(ValueError::Pattern { path: path.to_owned() });
    }
    Ok(())
}

/// Reads `[policy.nftables]`; `None` if nothing but the bound is set in it. Every value that cannot
/// be used is reported.
pub(super) fn nftables(file: &file::Nftables) -> Result<Option<Nftables>, Vec<Refused>> {
    let file::Nftables { table, set4, set6, program, min_s: _ } = file;
    let Some(table) = table else {
        if set4.is_some() || set6.is_some() || program.is_some() {
            let what = "family and table, such as \"inet whoisd\"";
            let problem = ValueError::Headless { table: "policy.nftables", what };
            return Err(vec![Refused::missing("policy.nftables.table", problem)]);
        }
        return Ok(None);
    };
    let words: Vec<_> = table.get_ref().split(' ').collect();
    let mut all = Vec::new();
    let is_table = matches!(words.as_slice(),
        [family, name] if FAMILIES.contains(family) && is_name(name));
    if !is_table {
        let problem = ValueError::NftTable { got: table.get_ref().clone() };
        all.push(Refused::new("policy.nftables.table", table, problem));
    }
    let mut set = |key, written: &Option<Spanned<String>>, usual: &str| match written {
        None => usual.to_owned(),
        Some(name) if is_name(name.get_ref()) => name.get_ref().clone(),
        Some(name) => {
            let problem = ValueError::NftSet { got: name.get_ref().clone() };
            all.push(Refused::new(key, name, problem));
            String::new()
        }
    };
    let set4 = set("policy.nftables.set4", set4, "blocked4");
    let set6 = set("policy.nftables.set6", set6, "blocked6");
    if !all.is_empty() {
        return Err(all);
    }
    let program =
        program.as_ref().map_or_else(|| NFT_PROGRAM.into(), |path| path.get_ref().clone());
    Ok(Some(Nftables { table: table.get_ref().clone(), set4, set6, program }))
}

/// Whether nft takes it as a word: these names go into its input.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
