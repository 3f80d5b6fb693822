//! What is asked for: names of a snapshot at random, and how long their answers are.
//!
//! # Does not
//!
//! Ask for names that are not there, contacts or nameservers: benches/lookup.rs compares those.

use std::io;
use std::path::Path;

use snapshot_format::Kind;
use snapshot_format::record::ArchivedDomain;
use whoisd::policy::display::settings::Settings;
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::view::View;

use crate::Random;

/// Names whose answers are measured for the mean.
const ANSWERS_MEASURED: usize = 10_000;

/// The rules under which whoisd answers: everything is shown.
pub const RULES: &str = "[defaults]\npreset = \"open\"\n";

/// Names of a snapshot directory.
#[derive(Debug)]
pub struct Workload {
    /// In random order, some perhaps twice.
    pub names: Vec<String>,
    /// Domains of the whole directory.
    pub domain_count: u64,
    /// Mean length of an answer under [`RULES`].
    pub answer_bytes: usize,
}

impl Workload {
    /// Picks `count` names of `dir`, from a seed.
    ///
    /// # Errors
    ///
    /// The directory cannot be opened or is empty.
    pub fn pick(dir: &Path, count: usize, seed: u64) -> io::Result<Self> {
        let view = View::open(dir).map_err(io::Error::other)?;
        let domain_count = u64::from(view.base().count(Kind::Domain));
        if domain_count == 0 {
            return Err(io::Error::other("the snapshot holds no domains"));
        }
        let mut random = Random(seed);
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            let index = u32::try_from(random.below(domain_count)).unwrap_or(0);
            let domain = view.base().record::<ArchivedDomain>(index).map_err(io::Error::other)?;
            names.push(domain.name.to_string());
        }
        let settings: Settings = toml::from_str(RULES).map_err(io::Error::other)?;
        let rules = Rules::compile(&settings).map_err(io::Error::other)?;
        let mut out = Answer::new();
        let measured = names.iter().take(ANSWERS_MEASURED).map(|name| {
            answer(&view, &rules, Tier::PUBLIC, name.as_bytes(), &mut out);
            out.bytes().len()
        });
        let answer_bytes = measured.sum::<usize>() / count.clamp(1, ANSWERS_MEASURED);
        Ok(Self { names, domain_count, answer_bytes })
    }
}
