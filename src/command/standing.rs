//! The registry of a directory that deposits are about to come into: what of it stays, and what has
//! to be permitted.
//!
//! # Does not
//!
//! Write anything, or read deposits.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use snapshot_format::delta::{DepositMark, Gone, State, others};
use snapshot_format::{Kind, Object};

use super::Failure;
use crate::import::{
    CLOCK_TOLERANCE_MS, Kept, NotAllowed, Report, Standing, Zones, owner, parse_deposit_name,
};
use crate::store::{self, Holds, Permit, Permits, Weighed};
use crate::vet::{fate, zone_of};
use crate::view::{Data, Disk, View};

/// What becomes of the TLDs of other deposits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tlds {
    /// A TLD that the directory does not have is taken beside those that it has.
    pub(super) add: bool,
    /// The deposits are all that the directory holds afterwards.
    pub(super) replace: bool,
}

/// The registry that there is.
pub(super) struct There {
    /// What reads of it: the current state, or else one before it.
    data: Option<Arc<Data>>,
    /// Why the current state does not read.
    damage: Option<String>,
    tlds: Tlds,
    permits: Permits,
    /// Later times are not believed, ms since the epoch.
    latest_ms: i64,
    /// Zones of the deposits, once they are read.
    goes: Vec<Zones>,
}

impl There {
    /// The registry of a directory; `None` if it has none.
    pub(super) fn open(
        path: &Path,
        tlds: Tlds,
        permits: Permits,
        now_ms: i64,
    ) -> Result<Option<Self>, Failure> {
        let store::Standing { generation: data, damage } = store::standing(&Disk::new(path))?;
        if data.is_none() && damage.is_none() {
            return Ok(None);
        }
        let damage = damage.map(|error| error.to_string());
        let latest_ms = now_ms.saturating_add(CLOCK_TOLERANCE_MS);
        Ok(Some(Self { data, damage, tlds, permits, latest_ms, goes: Vec::new() }))
    }

    fn state(&self) -> Option<&State> {
        self.data.as_ref().map(|data| data.state())
    }

    /// What the registry holds, as far as it reads.
    fn holds(&self) -> Holds {
        let nothing = Holds { domains: 0, watermark_ms: i64::MIN, serial: 0 };
        let of = |data: &Arc<Data>| {
            Holds::of(data.state(), data.count(Kind::Domain).into(), self.latest_ms)
        };
        self.data.as_ref().map_or(nothing, of)
    }

    /// Whether what was made of deposits may take the place of what goes.
    pub(super) fn check(&self, report: &Report, made: &View) -> Result<(), Failure> {
        if let Some(why) = self.corrected(report) {
            return Err(refused(why));
        }
        let mut damage = self.damage.clone();
        let parts = self.parts();
        let counted = self.data.as_ref().map(|data| self.counts(data, &parts)).transpose();
        let before = match counted {
            Ok(before) => before,
            // A record that does not read cannot be counted.
            Err(error) => {
                damage.get_or_insert(error);
                None
            }
        };
        let before = before.unwrap_or_else(|| vec![0; parts.len()]);
        let after = self.counts(made.data(), &parts).map_err(Failure::refused)?;
        let there = self.holds();
        let weighed = parts.iter().zip(before.into_iter().zip(after)).map(|(part, (old, new))| {
            let mark = report.deposits.iter().find(|mark| *mark.tld == *part.deposit);
            let new_ms = mark.map_or(report.watermark_ms, |mark| mark.watermark_ms);
            let old_ms = store::believed(self.last_ms(&part.zone, old), self.latest_ms);
            Weighed {
                tld: if parts.len() > 1 { &part.zone } else { "" },
                own: part.own.as_deref(),
                old: Holds { domains: old, watermark_ms: old_ms, ..there },
                new: Holds { domains: new, watermark_ms: new_ms, serial: 0 },
            }
        });
        let weighed: Vec<_> = weighed.collect();
        self.permits.check_all(damage.as_deref(), &weighed).map_err(refused)
    }

    /// What the deposits replace, each TLD by itself.
    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for Zones { tld, all } in &self.goes {
            let deposit = || tld.clone();
            parts.push(Part { zone: deposit(), deposit: deposit(), own: None });
            let marks = || self.marks().filter(|mark| *mark.tld != **tld);
            for zone in all.iter().filter(|zone| *zone != tld) {
                let owner = owner(zone, tld, marks().map(|mark| &*mark.tld));
                let owner = marks().find(|mark| owner.is_some_and(|owner| *mark.tld == *owner));
                let is_within = all
                    .iter()
                    .any(|other| other != zone && zone_of(zone, [other.as_str()]).is_some());
                if is_within && owner.is_none() {
                    continue;
                }
                // With --replace it goes in any case.
                let own = owner.filter(|_| !self.tlds.replace).map(|mark| mark.id.to_string());
                parts.push(Part { zone: zone.clone(), deposit: deposit(), own });
            }
        }
        // Names of a deposit without a TLD are those of its registry-class names, if it has any.
        parts.retain(|part| {
            !part.zone.is_empty() || self.goes.iter().all(|zones| zones.all.is_empty())
        });
        parts
    }

    /// Why a deposit that is here in a corrected form may not come back as it was.
    fn corrected(&self, report: &Report) -> Option<String> {
        let state = self.state()?;
        let wrong = report.deposits.iter().find_map(|mark| {
            let own = state.deposits.iter().find(|own| own.tld == mark.tld).map(|own| &*own.id);
            // The last one of all is this TLD's only where nothing tells them apart.
            let only = || state.deposits.is_empty().then_some(&*state.deposit);
            let there = own.or_else(only)?;
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

    /// Domains of each part. Where all of a registry goes without saying so, of one deposit, all
    /// domains are its.
    fn counts(&self, data: &Data, parts: &[Part]) -> Result<Vec<u64>, String> {
        let mut counts = vec![0u64; parts.len()];
        if let [one] = self.goes.as_slice()
            && (one.all.is_empty() || self.zones().is_empty())
        {
            if let Some(count) = counts.first_mut() {
                *count = data.count(Kind::Domain).into();
            }
            return Ok(counts);
        }
        // A name below a TLD of another deposit is not one of the TLD above it.
        let marks = || self.marks().map(|mark| &*mark.tld).filter(|tld| !tld.is_empty());
        let zones = || parts.iter().map(|part| &*part.zone).chain(marks());
        for domain in data.domains("").map_err(|error| error.to_string())? {
            let domain = domain.map_err(|error| error.to_string())?;
            let Some(zone) = domain.and_then(|domain| zone_of(&domain.name, zones())) else {
                continue;
            };
            let of = parts.iter().position(|part| part.zone == zone);
            if let Some(count) = of.and_then(|of| counts.get_mut(of)) {
                *count = count.saturating_add(1);
            }
        }
        Ok(counts)
    }

    /// Time of the data of a zone with that many domains: of the last deposit of its TLD.
    fn last_ms(&self, zone: &str, domains: u64) -> i64 {
        let Some(state) = self.state() else { return i64::MIN };
        if zone.is_empty() || state.deposits.is_empty() {
            return state.committed_ms;
        }
        let nearest = zone_of(zone, self.marks().map(|mark| &*mark.tld));
        let own = self.marks().find(|mark| nearest.is_some_and(|nearest| *mark.tld == *nearest));
        // A TLD is as old as its deposit; another zone, as the names that are there of it.
        let own = own.filter(|mark| *mark.tld == *zone || domains > 0);
        own.map_or(i64::MIN, |mark| mark.watermark_ms)
    }

    /// The deposits that the directory is of.
    fn marks(&self) -> impl Iterator<Item = &DepositMark> + Clone {
        self.state().into_iter().flat_map(|state| state.deposits.iter())
    }

    /// TLDs of deposits, and suffixes that are of none of these.
    fn zones(&self) -> Vec<String> {
        let Some(data) = &self.data else { return Vec::new() };
        let tlds = || data.state().deposits.iter().map(|mark| &*mark.tld);
        let others = data.suffixes().iter().map(|suffix| &**suffix);
        let others = others.filter(|suffix| zone_of(suffix, tlds()).is_none());
        tlds().chain(others).map(str::to_owned).collect()
    }

    /// Zones of ours that stay beside those that are replaced. A suffix that no deposit was of goes
    /// with the zone that it is below.
    fn staying(&self, goes: &[String]) -> Vec<String> {
        let stays = |zone: &String| {
            let own = self.marks().any(|mark| *mark.tld == **zone);
            !goes.contains(zone) && (own || zone_of(zone, goes.iter().map(|z| &**z)).is_none())
        };
        self.zones().into_iter().filter(stays).collect()
    }
}

/// A part that is weighed by itself: the TLD of a deposit, or another zone of it that is not below
/// one.
struct Part {
    zone: String,
    /// TLD of the deposit that it comes with.
    deposit: String,
    /// The deposit that the directory has of it, if that is of another TLD.
    own: Option<String>,
}

fn refused(why: impl fmt::Display) -> Failure {
    Failure::refused(format!("the deposit was refused: {why}"))
}

fn going(zones: &[Zones]) -> Vec<String> {
    zones.iter().flat_map(|zones| zones.all.iter().cloned()).collect()
}

impl Standing for There {
    fn beside(&mut self, zones: &[Zones]) -> Result<Option<Kept>, NotAllowed> {
        let known = self.zones();
        self.goes = zones.to_vec();
        let Some(data) = self.data.as_ref().filter(|_| !self.tlds.replace && !known.is_empty())
        else {
            return Ok(None);
        };
        let state = data.state();
        let is_new = |zones: &&Zones| {
            let tld = zones.tld.as_str();
            let is_there = |zone: &String| zone_of(zone, [tld]).is_some();
            if tld.is_empty() { !state.deposits.is_empty() } else { !known.iter().any(is_there) }
        };
        if let Some(new) = zones.iter().find(is_new)
            && (!self.tlds.add || new.tld.is_empty())
        {
            return Err(if new.tld.is_empty() {
                NotAllowed::NoTld { there: known }
            } else {
                NotAllowed::OtherTld { tld: new.tld.clone(), there: known }
            });
        }
        let goes = going(zones);
        let stays = self.staying(&goes);
        if stays.is_empty() || goes.is_empty() {
            return Ok(None);
        }
        // It would be copied, and get checksums that are right.
        if let Err(source) = data.base().check_sums_once(&|| true) {
            return Err(NotAllowed::Damaged { stays, source });
        }
        let suffixes = data.suffixes().iter().map(|suffix| suffix.to_string());
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
        let Some(data) = &self.data else { return Ok(Gone::default()) };
        others(data, &|name| fate(name, &goes, &stays), visit)
    }
}
