//! What would end a start of the server of RDAP although the file is read.
//!
//! # Invariants
//!
//! - `as-a-start`, `no-effect`: as `whoisd::serving::checking`, which looks at what both programs
//!   have.
//!
//! # Does not
//!
//! Print anything.

use std::path::Path;

use whoisd::config::{ConfigError, Settings};
use whoisd::observe::clock;
use whoisd::observe::printable::printable;
use whoisd::serving::checking::Found;
use whoisd::serving::folder::may_write_into;
use whoisd::shard::listen::{self, ListenError};
use whoisd::view::View;

use crate::search;
use crate::serve::usable_cores;
use crate::tls::{Dated, Tls};

/// What to do about a folder.
const OWN_FOLDER: &str = "name a folder that this process may write";

/// What was looked at.
pub(crate) struct Checked {
    pub(crate) found: Found,
    certificates: Vec<Dated>,
}

impl Checked {
    /// What is to be known of the certificates of `file`, each in a line.
    pub(crate) fn said(&self, file: &Path) -> String {
        let (place, now_s) = (file.display(), clock::wall_ms() / 1_000);
        let line =
            |one: &Dated| printable(&format!("{place}: {}", one.said(now_s))).into_owned() + "\n";
        self.certificates.iter().map(line).collect()
    }
}

/// Looks at everything, but for what the file's own `errors` are about.
pub(crate) fn of_machine(settings: &Settings, errors: &[ConfigError]) -> Checked {
    let own = settings.clone().of_web();
    let mut found = Found::beside(settings, errors);
    match &own.dir {
        Some(dir) => {
            let opened = View::open(dir).map(drop);
            found.note("server.dir", opened.map_err(|error| error.to_string()));
            found.blocks(&own, dir);
        }
        None => found.note("server.dir", Err("is not set; set it")),
    }
    let certificates = match Tls::check(&own.web.certificates) {
        Ok(certificates) => certificates,
        Err(error) => {
            found.note("web.certificates", Err(error));
            Vec::new()
        }
    };
    found.lists(&own);
    found.note("web.cores", usable_cores(&own).map(drop));
    listeners(&own, &mut found);
    found.told_at("web.status_listen", own.status_listen);
    found.control(&own);
    let may_write = own.query_log.dir.as_deref().map_or(Ok(()), may_write_into);
    match may_write {
        Ok(()) => found.query_log(&own),
        Err(problem) => found.note("web.query_log_dir", Err(format!("{problem}; {OWN_FOLDER}"))),
    }
    if let Some(Err(problem)) = own.web.search_dir.as_deref().map(search::check) {
        found.note("web.search_dir", Err(format!("{problem}; {OWN_FOLDER}")));
    }
    Checked { found, certificates }
}

fn listeners(own: &Settings, found: &mut Found) {
    let (plain, encrypted) = (&own.web.listen, &own.web.tls_listen);
    for (key, addresses) in [("web.listen", plain), ("web.tls_listen", encrypted)] {
        let addresses = if found.is_refused(key) { &[][..] } else { addresses };
        for address in addresses {
            match listen::claim(*address) {
                Ok(_) => {}
                // A running server has it, or one that this user may not start.
                Err(error @ (ListenError::InUse { .. } | ListenError::Denied { .. })) => {
                    found.warn(key, &error.to_string());
                }
                Err(error) => found.note(key, Err(error)),
            }
        }
    }
}
