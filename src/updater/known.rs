//! Deposits of changes into batches: what a generation knows, and what a deposit has to fit to.
//!
//! # Does not
//!
//! Read deposits: `import` does.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use snapshot_format::Change;
use snapshot_format::delta::{DepositMark, Owner, State};
use snapshot_format::dump::Utc;
use snapshot_format::key::RegistrarKey;
use snapshot_format::sort::Scratch;

use super::Updater;
use crate::feed::{Applied, ApplyError};
use crate::import::{self, Changes, DepositType, Known, Quiet};
use crate::observe::clock;
use crate::store::{DiskScratch, Files, Stamp};
use crate::view::Data;

/// Changes of one deposit: they are applied as one batch, which stands in memory.
const CHANGES_MAX: usize = 2_000_000;

/// What a generation knows before a deposit is applied.
struct Before<'g>(&'g Data);

impl Known for Before<'_> {
    fn registrar_of_gurid(&self, gurid: u32) -> io::Result<Option<String>> {
        let mut found = self.0.find_registrars(RegistrarKey::IanaId(gurid));
        let first = found.next().transpose()?;
        // Of several none is meant.
        Ok(first.filter(|_| found.next().is_none()).map(|registrar| registrar.id.as_str().into()))
    }

    fn hosts_of_roid(&self, roid: &str) -> io::Result<Vec<String>> {
        let hosts = self.0.find_roid(roid).filter_map(|owner| match owner {
            Ok(Owner::Nameserver(host)) => Some(Ok(host.name.as_str().into())),
            Ok(_) => None,
            Err(corrupt) => Some(Err(corrupt.into())),
        });
        hosts.collect()
    }

    fn roid_of_host(&self, name: &str) -> io::Result<Option<String>> {
        let host = self.0.find_nameserver(name)?;
        Ok(host.map(|host| host.roid.as_str().into()))
    }
}

impl Updater {
    /// Takes a DIFF or INCR deposit in: see [`crate::feed::Intake::apply_deposit`].
    ///
    /// # Errors
    ///
    /// See there.
    pub fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        self.apply_files(&[path.to_owned()])
    }

    /// As [`Self::apply_deposit`], of a deposit in several files: one XML (or a tar that holds it),
    /// and CSV files that lie elsewhere.
    ///
    /// # Errors
    ///
    /// See [`Self::apply_deposit`].
    pub fn apply_files(&mut self, paths: &[PathBuf]) -> Result<Applied, ApplyError> {
        let state = self.generation().state().clone();
        let refused = |problem| ApplyError::Deposit { problem };
        let options = import::Options {
            deposits: paths.to_vec(),
            memory_bytes: self.settings.memory().max(import::Options::MEMORY_BYTES_MIN),
            strict: false,
            findings_max: None,
            now_ms: clock::wall_ms(),
            hash_seed: 0,
            generation: 0,
        };
        let directory = self.live.writer().files().path();
        let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(directory));
        let deposit = import::changes(&options, &scratch, None, &mut Quiet)
            .map_err(|error| refused(error.to_string()))?;
        let last = last_of(&state, &deposit.tld);
        if *deposit.id == *last.id {
            let (deposit, generation) = (deposit.id.clone(), state.generation);
            return Err(ApplyError::Already { deposit, generation });
        }
        if last.id.is_empty() && !state.deposits.is_empty() {
            return Err(refused(unknown_tld(&state, &deposit.tld)));
        }
        check(&last, &deposit).map_err(refused)?;
        let (id, tld, watermark_ms) =
            (deposit.id.clone(), deposit.tld.clone(), deposit.watermark_ms);
        let mut changes: Vec<Change> = Vec::new();
        let before = std::sync::Arc::clone(self.generation());
        let visited = deposit.visit(&Before(&before), &mut Quiet, &mut |change| {
            if changes.len() >= CHANGES_MAX {
                return Err(io::Error::other(format!(
                    "more than {CHANGES_MAX} changes in one deposit; import a FULL one"
                )));
            }
            changes.push(change);
            Ok(())
        });
        let report = visited.map_err(|error| refused(error.to_string()))?;
        if report.findings_count > 0 {
            tracing::warn!(deposit = id, findings = report.findings_count, "deposit has findings");
        }
        let stamp = Stamp {
            serial: state.serial,
            committed_ms: watermark_ms.max(state.committed_ms),
            heartbeat_ms: state.heartbeat_ms,
        };
        let mark = DepositMark { id: (*id).into(), tld: (*tld).into(), watermark_ms };
        self.commit(&changes, stamp, Some(&mark))?;
        Ok(self.applied(changes.len() as u64))
    }
}

/// The last deposit of a TLD: deposits of one follow each other, whatever comes of others between
/// them. Without a mark of any TLD it is the last deposit of all.
fn last_of(state: &State, tld: &str) -> DepositMark {
    let own = state.deposits.iter().find(|mark| *mark.tld == *tld && !tld.is_empty());
    let any = || {
        let id = if tld.is_empty() || state.deposits.is_empty() { &*state.deposit } else { "" };
        DepositMark { id: id.into(), tld: tld.into(), watermark_ms: state.committed_ms }
    };
    own.cloned().unwrap_or_else(any)
}

fn unknown_tld(state: &State, tld: &str) -> String {
    let there: Vec<&str> = state.deposits.iter().map(|mark| &*mark.tld).collect();
    let there = there.join(", ");
    format!("the deposit is of {tld:?}, the directory has {there}: import a FULL one of it first")
}

/// Whether a deposit follows what there is.
fn check(last: &DepositMark, deposit: &Changes<'_>) -> Result<(), String> {
    let Changes { id, prev_id, kind, watermark_ms, .. } = deposit;
    if *watermark_ms < last.watermark_ms {
        return Err(format!(
            "deposit {id} is of {}, the data are of {}: it is older than what there is",
            Utc(*watermark_ms),
            Utc(last.watermark_ms)
        ));
    }
    // An INCR deposit without `prevId` follows the last FULL one, whichever came between.
    let follows = *prev_id == *last.id || (*kind == DepositType::Incr && prev_id.is_empty());
    if follows {
        return Ok(());
    }
    let of = if last.tld.is_empty() { String::new() } else { format!(" of {}", last.tld) };
    let last = if last.id.is_empty() { "none" } else { &*last.id };
    Err(format!(
        "deposit {id} follows deposit {prev_id}, the last one{of} here is {last}: deposit \
         {prev_id} is missing; apply it first, or import a FULL one"
    ))
}
