//! `[policy]`: files of lists by prefix, and the set of the kernel that long blocks go to.
//!
//! # Does not
//!
//! Read the lists, or look for the kernel's set: whether they are there shows when the server
//! starts.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::error::ValueError;
use super::file;
use super::keys::NFTABLES_MIN_S;
use crate::policy::lists::LIST_FILE_COUNT_MAX;

/// Where Debian puts the program; a service's `PATH` need not have it.
const NFT_PROGRAM: &str = "/usr/sbin/nft";
/// Longest name of a table or set, bytes; nftables takes 255.
const NAME_BYTES_MAX: usize = 64;
/// Families whose tables see queries.
const FAMILIES: [&str; 4] = ["inet", "ip", "ip6", "netdev"];

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

/// A value that cannot be used: key, value, what is wrong.
pub(super) struct Refused<'a> {
    pub(super) key: &'static str,
    pub(super) span: Option<std::ops::Range<usize>>,
    pub(super) problem: String,
    pub(super) table: &'a str,
}

fn refused<T>(key: &'static str, value: &Spanned<T>, problem: String) -> Refused<'static> {
    Refused { key, span: Some(value.span()), problem, table: "policy" }
}

/// Reads `policy.lists`, one by one.
pub(super) fn lists(
    written: &Spanned<Vec<Spanned<PathBuf>>>,
) -> Vec<Result<PathBuf, Refused<'static>>> {
    let got = written.get_ref().len();
    if got > LIST_FILE_COUNT_MAX {
        let problem = format!("{got} files, at most {LIST_FILE_COUNT_MAX} may be given");
        return vec![Err(refused("policy.lists", written, problem))];
    }
    let read = |path: &Spanned<PathBuf>| {
        check_pattern(path.get_ref())
            .map_err(|error| refused("policy.lists", path, error.to_string()))
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
pub(super) fn nftables(file: &file::Nftables) -> Result<Option<Nftables>, Vec<Refused<'static>>> {
    let file::Nftables { table, set4, set6, program, min_s: _ } = file;
    let Some(table) = table else {
        if set4.is_some() || set6.is_some() || program.is_some() {
            let problem = "is not set, and other keys of [policy.nftables] are; name family and \
                           table, such as \"inet whoisd\"";
            return Err(vec![Refused {
                key: "policy.nftables.table",
                span: None,
                problem: problem.to_owned(),
                table: "policy.nftables",
            }]);
        }
        return Ok(None);
    };
    let words: Vec<_> = table.get_ref().split(' ').collect();
    let mut all = Vec::new();
    let is_table = matches!(words.as_slice(),
        [family, name] if FAMILIES.contains(family) && is_name(name));
    if !is_table {
        let got = table.get_ref();
        let problem = format!(
            "{got:?} is not a family and table, such as \"inet whoisd\"; families are {}",
            FAMILIES.join(", ")
        );
        all.push(refused("policy.nftables.table", table, problem));
    }
    let mut set = |key, written: &Option<Spanned<String>>, usual: &str| match written {
        None => usual.to_owned(),
        Some(name) if is_name(name.get_ref()) => name.get_ref().clone(),
        Some(name) => {
            let got = name.get_ref();
            let problem = format!(
                "{got:?} is not a name of a set: 1 to {NAME_BYTES_MAX} letters, digits and \"_\", \
                 a letter first"
            );
            all.push(refused(key, name, problem));
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
