//! The registry of a directory that deposits are about to come into: what of it stays, and what has
//! to be permitted.
//!
//! # Does not
//!
//! Write anything, or read deposits.

use std::io;
use std::path::Path;

use snapshot_format::delta::{Gone, others};
use snapshot_format::{Kind, Object};

use super::Failure;
use crate::import::{Kept, Report, Standing, Zones, fate, parse_deposit_name, zone_of};
use crate::store::{Holds, Permit, Permits, StoreError};
use crate::view::View;

/// What becomes of TLDs that the deposits are not of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tlds {
    /// A TLD that the directory does not have is taken beside those that it has.
    pub(super) add: bool,
    /// The deposits are all that the directory holds afterwards.
    pub(super) replace: bool,
}

/// The registry that there is.
pub(super) struct There {
    view: View,
    tlds: Tlds,
    permits: Permits,
    /// Zones of the deposits, once they are read.
    goes: Vec<String>,
}

impl There {
    /// The registry of a directory; `None` if it has none, or one that does not read: what takes
    /// the place of that one loses nothing.
    pub(super) fn open(path: &Path, tlds: Tlds, permits: Permits) -> Option<Self> {
        match View::open(path) {
            Ok(view) => Some(Self { view, tlds, permits, goes: Vec::new() }),
            Err(StoreError::Empty { .. }) => None,
            Err(error) => {
                tracing::warn!(%error, "the current generation does not read");
                None
            }
        }
    }

    /// What the registry holds.
    pub(super) fn holds(&self) -> Holds {
        let state = self.view.state();
        let domains = u64::from(self.view.data().count(Kind::Domain));
        Holds { domains, watermark_ms: state.committed_ms, serial: state.serial }
    }

    /// Refuses before anything is read what no deposit may do unbidden: to end a feed.
    pub(super) fn check_feed(&self) -> Result<(), Failure> {
        let Holds { domains, watermark_ms, .. } = self.holds();
        self.check_holds(Holds { domains, watermark_ms, serial: 0 })
    }

    /// Whether what was made of deposits may take the place of what goes.
    pub(super) fn check(&self, report: &Report) -> Result<(), Failure> {
        if let Some(why) = self.corrected(report) {
            return Err(refused(why));
        }
        let all = u64::from(report.records(Kind::Domain));
        let there = self.holds();
        let (before, after) = match report.kept {
            Some(gone) => (gone.domains, all.saturating_sub(gone.kept_domains)),
            None => (self.domains_of_deposits()?, all),
        };
        // Of several deposits the one that is older than the last one of its TLD.
        let times = report.deposits.iter().map(|mark| (self.last_ms(&mark.tld), mark.watermark_ms));
        let (old_ms, new_ms) = times.max_by_key(|(old, new)| old > new).unwrap_or_default();
        let old = Holds { domains: before, watermark_ms: old_ms, ..there };
        let new = Holds { domains: after, watermark_ms: new_ms, serial: 0 };
        self.permits.check(old, new).map_err(refused)
    }

    /// Why a deposit that is here in a corrected form may not come back as it was.
    fn corrected(&self, report: &Report) -> Option<String> {
        let state = self.view.state();
        let wrong = report.deposits.iter().find_map(|mark| {
            let own = state.deposits.iter().find(|own| own.tld == mark.tld).map(|own| &*own.id);
            let there = own.unwrap_or(&*state.deposit);
            let ((id, resend), (last, corrected)) =
                (parse_deposit_name(&mark.id), parse_deposit_name(there));
            (id == last && resend < corrected).then(|| (mark.id.clone(), there.to_owned()))
        });
        let (id, there) = wrong.filter(|_| !self.permits.named.contains(&Permit::Older))?;
        Some(format!(
            "it is {id}, which the directory has as {there}, corrected; nothing was changed. If \
             that is meant, say so with --allow older"
        ))
    }

    /// Domains of the zones that the deposits are of: those of others were said to go.
    fn domains_of_deposits(&self) -> Result<u64, Failure> {
        let goes = || self.goes.iter().map(String::as_str);
        if !self.tlds.replace || self.goes.is_empty() {
            return Ok(self.holds().domains);
        }
        let mut count = 0u64;
        for domain in self.view.data().domains("").map_err(Failure::refused)? {
            let domain = domain.map_err(Failure::refused)?;
            let is_of = domain.is_some_and(|domain| zone_of(&domain.name, goes()).is_some());
            count = count.saturating_add(u64::from(is_of));
        }
        Ok(count)
    }

    /// Whether another base may take the place of this one.
    pub(super) fn check_holds(&self, new: Holds) -> Result<(), Failure> {
        self.permits.check(self.holds(), new).map_err(refused)
    }

    /// Time of the last deposit of a TLD.
    fn last_ms(&self, tld: &str) -> i64 {
        let state = self.view.state();
        let own = state.deposits.iter().find(|mark| *mark.tld == *tld && !tld.is_empty());
        match own {
            Some(mark) => mark.watermark_ms,
            None if tld.is_empty() || state.deposits.is_empty() => state.committed_ms,
            None => i64::MIN,
        }
    }

    /// TLDs of deposits, and suffixes that are of none of these.
    fn zones(&self) -> Vec<String> {
        let tlds = || self.view.state().deposits.iter().map(|mark| &*mark.tld);
        let others = self.view.suffixes().iter().map(|suffix| &**suffix);
        let others = others.filter(|suffix| zone_of(suffix, tlds()).is_none());
        tlds().chain(others).map(str::to_owned).collect()
    }

    /// Zones of ours that stay beside those that are replaced. A suffix that no deposit was of goes
    /// with the zone that it is below.
    fn staying(&self, goes: &[String]) -> Vec<String> {
        let marks = &self.view.state().deposits;
        let stays = |zone: &String| {
            let own = marks.iter().any(|mark| *mark.tld == **zone);
            !goes.contains(zone) && (own || zone_of(zone, goes.iter().map(|z| &**z)).is_none())
        };
        self.zones().into_iter().filter(stays).collect()
    }
}

fn refused(why: String) -> Failure {
    Failure::refused(format!("the deposit was refused: {why}"))
}

fn going(zones: &[Zones]) -> Vec<String> {
    zones.iter().flat_map(|zones| zones.all.iter().cloned()).collect()
}

impl Standing for There {
    fn beside(&mut self, zones: &[Zones]) -> Result<Option<Kept>, String> {
        let known = self.zones();
        self.goes = going(zones);
        if self.tlds.replace || known.is_empty() {
            return Ok(None);
        }
        let state = self.view.state();
        let is_new = |zones: &&Zones| {
            let tld = zones.tld.as_str();
            let is_there = |zone: &String| zone_of(zone, [tld]).is_some();
            if tld.is_empty() { !state.deposits.is_empty() } else { !known.iter().any(is_there) }
        };
        if let Some(new) = zones.iter().find(is_new)
            && (!self.tlds.add || new.tld.is_empty())
        {
            let there = known.join(", ");
            return Err(if new.tld.is_empty() {
                format!(
                    "its header names no TLD, and the directory has {there}; nothing was changed. \
                     If it is to take the place of all that, say so with --replace"
                )
            } else {
                format!(
                    "it is of the TLD {}, and the directory has {there}; nothing was changed. To \
                     take it beside these, use --add; to let these go, --replace",
                    new.tld
                )
            });
        }
        let goes = going(zones);
        let stays = self.staying(&goes);
        if stays.is_empty() || goes.is_empty() {
            return Ok(None);
        }
        let suffixes = self.view.suffixes().iter().map(|suffix| suffix.to_string());
        let is_kept = |name: &str| fate(name, &goes, &stays) != snapshot_format::delta::Fate::Goes;
        let deposits = state.deposits.iter().filter(|mark| is_kept(&mark.tld)).cloned();
        Ok(Some(Kept {
            watermark_ms: state.committed_ms,
            suffixes: suffixes.filter(|suffix| is_kept(suffix)).collect(),
            deposits: deposits.collect(),
            gone: Gone::default(),
        }))
    }

    fn each(
        &mut self,
        zones: &[Zones],
        visit: &mut dyn FnMut(Object) -> io::Result<()>,
    ) -> io::Result<Gone> {
        let goes = going(zones);
        let stays = self.staying(&goes);
        others(self.view.data(), &|name| fate(name, &goes, &stays), visit)
    }
}
