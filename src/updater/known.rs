//! Deposits of changes into batches: what a generation knows, and what a deposit has to fit to.
//!
//! # Does not
//!
//! Read deposits: `import` does.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use snapshot_format::delta::{DepositMark, Fate, Owner, Shared, State, shared};
use snapshot_format::dump::Utc;
use snapshot_format::key::RegistrarKey;
use snapshot_format::record::{ArchivedNameserver, ContactField};
use snapshot_format::sort::Scratch;
use snapshot_format::{Change, Kind};

use super::{Updater, findings};
use crate::feed::{Applied, ApplyError};
use crate::import::{
    self, CLOCK_TOLERANCE_MS, Changes, DepositType, Follow, ImportError, Known, Pipes, Progress,
    Quiet, Reason, Report, parse_deposit_name,
};
use crate::observe::clock;
use crate::observe::printable::counted;
use crate::store::{DiskScratch, Files, Stamp};
use crate::vet::{Rule, fate};
use crate::view::Data;

/// The share of the memory for the changes of a deposit: they are applied as one batch, which is in
/// memory while it is encoded. Reading takes half of it before.
const CHANGES_SHARE: (usize, usize) = (3, 8);

/// How a deposit of changes is looked at before it is applied, and what was found.
pub struct Vetting<'v> {
    /// Refuse the deposit on any finding.
    pub strict: bool,
    /// Refuse the deposit on more findings than that.
    pub findings_max: Option<u64>,
    /// Memory for reading it, bytes; `None`: as the updater is set.
    pub memory_bytes: Option<usize>,
    /// Most bytes that are read of it, unpacked; `None`: as the updater is set.
    pub content_bytes_max: Option<u64>,
    /// What is allowed where it is read.
    pub follow: Follow,
    /// The time, ms since the epoch: a watermark after it is not believed.
    pub now_ms: i64,
    /// What came through pipes.
    pub pipes: Pipes,
    /// Takes every finding as one line of JSON.
    pub lines: Option<&'v mut dyn Write>,
    /// Hears how far reading is, and stops it.
    pub progress: &'v mut dyn Progress,
    /// What was found; set where the deposit could be opened, whether it is applied or refused.
    pub report: Option<Box<Report>>,
}

impl<'v> Vetting<'v> {
    /// Takes whatever can be applied.
    pub fn new(now_ms: i64, progress: &'v mut dyn Progress) -> Self {
        Self {
            strict: false,
            findings_max: None,
            memory_bytes: None,
            content_bytes_max: None,
            follow: Follow::Any,
            now_ms,
            pipes: Pipes::default(),
            lines: None,
            progress,
            report: None,
        }
    }

    /// Why a deposit was refused; its findings stay here.
    fn refused(&mut self, error: ImportError) -> ApplyError {
        let problem = error.to_string();
        let ImportError { reason, report } = error;
        self.report = Some(report);
        match reason {
            // Nothing is wrong with the deposit: it may be taken another time.
            Reason::Io { .. } | Reason::Interrupted => ApplyError::Store { problem },
            _ => ApplyError::Deposit { problem },
        }
    }
}

impl std::fmt::Debug for Vetting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "strict {}, at most {:?} findings", self.strict, self.findings_max)
    }
}

/// A deposit of changes that fits to a generation and may be applied to it.
#[derive(Debug)]
pub struct Vetted {
    /// Its identifier, with `#` and its number if it is a correction.
    pub deposit: String,
    /// The same, with its TLD and time.
    pub mark: DepositMark,
    /// The time of the data once it is applied, ms since the epoch.
    pub committed_ms: i64,
    /// What it changes, in order.
    pub changes: Vec<Change>,
}

/// Reads a deposit of changes, in one file or in several, and holds it against a generation.
/// Intermediate data go to `directory`.
///
/// # Errors
///
/// It cannot be applied to this generation, see [`crate::feed::Intake::apply_deposit`].
pub fn vet(
    generation: &Data,
    paths: &[PathBuf],
    directory: &Path,
    vetting: &mut Vetting<'_>,
) -> Result<Vetted, ApplyError> {
    let memory_bytes = vetting.memory_bytes.unwrap_or(import::Options::MEMORY_BYTES_MIN);
    let options = import::Options {
        deposits: paths.to_vec(),
        pipes: vetting.pipes.clone(),
        content_bytes_max: vetting.content_bytes_max.unwrap_or(import::Options::CONTENT_BYTES_MAX),
        follow: vetting.follow,
        memory_bytes: (memory_bytes / 2).max(import::Options::MEMORY_BYTES_MIN),
        strict: vetting.strict,
        findings_max: vetting.findings_max,
        now_ms: vetting.now_ms,
        hash_seed: 0,
        generation: 0,
    };
    let state = generation.state();
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(directory));
    let lines = vetting.lines.take();
    let read = import::changes(&options, &scratch, lines, vetting.progress);
    let mut deposit = match read {
        Ok(deposit) => deposit,
        Err(error) => return Err(vetting.refused(error)),
    };
    let full = check(state, &mut deposit, vetting.now_ms)?;
    let (name, tld, watermark_ms) = (deposit.name(), deposit.tld.clone(), deposit.watermark_ms);
    let mut room = Room::of(memory_bytes);
    let mut changes: Vec<Change> = Vec::new();
    let before = Before::new(generation, &deposit);
    let visited = deposit.visit(&before, vetting.progress, &mut |change| {
        room.take(&change)?;
        changes.push(change);
        Ok(())
    });
    match visited {
        Ok(report) => vetting.report = Some(Box::new(report)),
        // It will not fit another time either.
        Err(_) if room.is_short() => {
            let problem = room.problem(changes.len(), memory_bytes);
            return Err(ApplyError::Deposit { problem });
        }
        Err(error) => return Err(vetting.refused(error)),
    }
    let committed_ms = believed(state, vetting.now_ms)
        .map_or(watermark_ms, |committed_ms| committed_ms.max(watermark_ms));
    let (id, tld) = ((*name).into(), (*tld).into());
    let mark = DepositMark { id, tld, watermark_ms, full };
    Ok(Vetted { deposit: name, mark, committed_ms, changes })
}

/// What the changes of a deposit may take.
struct Room {
    bytes: usize,
    left_bytes: Option<usize>,
}

impl Room {
    fn of(memory_bytes: usize) -> Self {
        let (part, of) = CHANGES_SHARE;
        let bytes = memory_bytes / of * part;
        Self { bytes, left_bytes: Some(bytes) }
    }

    fn take(&mut self, change: &Change) -> io::Result<()> {
        // The list grows by doubling.
        let bytes = change.memory_bytes() + size_of::<Change>();
        self.left_bytes = self.left_bytes.and_then(|left| left.checked_sub(bytes));
        if self.is_short() { Err(io::Error::other("no room")) } else { Ok(()) }
    }

    const fn is_short(&self) -> bool {
        self.left_bytes.is_none()
    }

    fn problem(&self, fit: usize, memory_bytes: usize) -> String {
        format!(
            "its changes take more than {} MiB of memory: {} fit into what {} MiB leave for them; \
             give it more (updater.memory_bytes, or --memory), or import a FULL one",
            self.bytes >> 20,
            counted(fit as u64, "change"),
            memory_bytes >> 20
        )
    }
}

/// What a generation knows before a deposit is applied.
struct Before<'g> {
    data: &'g Data,
    /// Zones of the deposit.
    zones: Vec<String>,
    /// TLDs of other deposits.
    others: Vec<String>,
    /// What names of these refer to, once it was asked for.
    shared: OnceCell<Shared>,
}

impl<'g> Before<'g> {
    fn new(data: &'g Data, deposit: &Changes<'_>) -> Self {
        let marks = &data.state().deposits;
        // Without a TLD it is of the one that it follows: the last one of all.
        let last = || marks.last().map(|mark| mark.tld.to_string()).unwrap_or_default();
        let own = if deposit.tld.is_empty() { last() } else { deposit.tld.clone() };
        let others = marks.iter().filter(|mark| *mark.tld != *own && !mark.tld.is_empty());
        let others: Vec<String> = others.map(|mark| mark.tld.to_string()).collect();
        let mut zones = deposit.zones(&others);
        if !own.is_empty() && !zones.contains(&own) {
            zones.push(own);
        }
        Self { data, zones, others, shared: OnceCell::new() }
    }

    /// What names of other TLDs refer to: one pass over all domains, for the first delete.
    fn shared(&self) -> io::Result<&Shared> {
        if let Some(shared) = self.shared.get() {
            return Ok(shared);
        }
        let stays = |name: &str| fate(name, &self.zones, &self.others) == Fate::Stays;
        let shared = shared(self.data, &stays)?;
        Ok(self.shared.get_or_init(|| shared))
    }
}

impl Known for Before<'_> {
    fn registrar_of_gurid(&self, gurid: u32) -> io::Result<Option<String>> {
        let mut found = self.data.find_registrars(RegistrarKey::IanaId(gurid));
        let first = found.next().transpose()?;
        // Of several none is meant.
        Ok(first.filter(|_| found.next().is_none()).map(|registrar| registrar.id.as_str().into()))
    }

    fn keys_of_roid(&self, kind: Kind, roid: &str) -> io::Result<Vec<String>> {
        let keys = self.data.find_roid(roid).filter_map(|owner| match (owner, kind) {
            (Ok(Owner::Nameserver(host)), Kind::Nameserver) => Some(Ok(host.name.as_str().into())),
            (Ok(Owner::Domain(domain)), Kind::Domain) => Some(Ok(domain.name.as_str().into())),
            (Ok(Owner::Contact(contact)), Kind::Contact) => {
                Some(Ok(contact.field(ContactField::Id).into()))
            }
            (Ok(_), _) => None,
            (Err(corrupt), _) => Some(Err(corrupt.into())),
        });
        keys.collect()
    }

    fn others(&self) -> &[String] {
        &self.others
    }

    fn is_shared(&self, kind: Kind, key: &str) -> io::Result<bool> {
        if self.others.is_empty() {
            return Ok(false);
        }
        Ok(self.data.is_shared(self.shared()?, kind, key)?)
    }

    fn roid_of_host(&self, name: &str) -> io::Result<Option<String>> {
        let host = self.data.find_nameserver(name)?;
        Ok(host.map(|host| host.roid.as_str().into()))
    }

    fn has(&self, kind: Kind, key: &str) -> io::Result<bool> {
        Ok(match kind {
            Kind::Domain => self.data.find_domain(key)?.is_some(),
            Kind::Nndn => self.data.find_nndn(key)?.is_some(),
            Kind::Nameserver => self.data.find_nameserver(key)?.is_some(),
            Kind::IdnTable => self.data.find_idn_table(key)?.is_some(),
            Kind::Registrar => {
                let found = self.data.find_registrars(RegistrarKey::Id(key)).next();
                found.transpose()?.is_some()
            }
            // Identifiers that differ in case are several.
            Kind::Contact => {
                let mut found = self.data.find_contacts(key);
                let exact = found.find(|contact| match contact {
                    Ok(contact) => contact.field(ContactField::Id) == key,
                    Err(_) => true,
                });
                exact.transpose()?.is_some()
            }
        })
    }

    fn count(&self, kind: Kind, zones: &[String]) -> io::Result<Option<u64>> {
        let within = |suffix: &str| {
            let below = |zone: &String| {
                suffix
                    .strip_suffix(zone.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            zones.is_empty() || zones.iter().any(below)
        };
        // A TLD of another deposit may lie below this one's.
        if !self.others.is_empty() {
            return Ok(None);
        }
        let meta = self.data.base().meta().map_err(io::Error::other)?;
        if !meta.suffixes.iter().all(|suffix| within(suffix)) {
            return Ok(None);
        }
        if kind == Kind::Nameserver {
            // Hosts without an identifier of their own are not objects of a deposit.
            for ordinal in 0..self.data.ordinals_end(kind) {
                let host = self.data.record::<ArchivedNameserver>(ordinal)?;
                if host.is_some_and(|host| host.roid.is_empty()) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(self.data.count(kind).into()))
    }
}

impl Updater {
    /// Takes a DIFF or INCR deposit of the spool in: see [`crate::feed::Intake::apply_deposit`].
    /// Its findings go to a file of the spool's folder `findings`.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn apply_spooled(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        let mut progress = Quiet;
        let mut vetting = Vetting::new(clock::wall_ms(), &mut progress);
        vetting.findings_max = Some(self.settings.findings_max);
        // Others may write where it lies.
        vetting.follow = Follow::Files;
        let mut lines = findings::Lines::of(path);
        vetting.lines = lines.as_mut().map(|lines| lines as &mut dyn Write);
        let applied = self.apply_files(&[path.to_owned()], &mut vetting);
        let found = vetting.report.take().map_or(0, |report| report.findings_count);
        let file = lines.and_then(|lines| lines.keep(found));
        if found > 0 {
            let deposit = path.display();
            let file = file.as_deref().unwrap_or_else(|| Path::new("none could be written"));
            let file = file.display();
            tracing::warn!(%deposit, findings = found, %file, "deposit has findings");
        }
        applied
    }

    /// Takes a DIFF or INCR deposit in: one XML (or a tar that holds it), and CSV files that lie
    /// elsewhere. Its findings go to `vetting`.
    ///
    /// # Errors
    ///
    /// See [`crate::feed::Intake::apply_deposit`].
    pub fn apply_files(
        &mut self,
        paths: &[PathBuf],
        vetting: &mut Vetting<'_>,
    ) -> Result<Applied, ApplyError> {
        let generation = std::sync::Arc::clone(self.generation());
        let memory_bytes = self.settings.memory().max(import::Options::MEMORY_BYTES_MIN);
        vetting.memory_bytes.get_or_insert(memory_bytes);
        vetting.content_bytes_max.get_or_insert(self.settings.deposit_bytes_max);
        let directory = self.live.writer().files().path().to_owned();
        let vetted = vet(&generation, paths, &directory, vetting)?;
        let state = generation.state();
        let stamp = Stamp {
            serial: state.serial,
            committed_ms: vetted.committed_ms,
            heartbeat_ms: state.heartbeat_ms,
        };
        self.commit(&vetted.changes, stamp, Some(&vetted.mark))?;
        Ok(self.applied(vetted.changes.len() as u64))
    }
}

/// The time of a generation's data, unless it lies in the future: that is a mistake of a deposit or
/// a record, and must not hold up what comes after it.
fn believed(state: &State, now_ms: i64) -> Option<i64> {
    let latest = now_ms.saturating_add(CLOCK_TOLERANCE_MS);
    Some(state.committed_ms).filter(|&committed_ms| committed_ms <= latest)
}

/// The last deposit of a TLD: deposits of one follow each other, whatever comes of others between
/// them. Without a mark of any TLD it is the last deposit of all.
fn last_of(state: &State, tld: &str) -> DepositMark {
    let own = state.deposits.iter().find(|mark| *mark.tld == *tld && !tld.is_empty());
    let any = || {
        let id = if tld.is_empty() || state.deposits.is_empty() { &*state.deposit } else { "" };
        let (id, tld, watermark_ms) = (id.into(), tld.into(), state.committed_ms);
        DepositMark { id, tld, watermark_ms, full: "".into() }
    };
    own.cloned().unwrap_or_else(any)
}

fn unknown_tld(state: &State, tld: &str) -> String {
    let there: Vec<&str> = state.deposits.iter().map(|mark| &*mark.tld).collect();
    let there = there.join(", ");
    format!("the deposit is of {tld:?}, the directory has {there}: import a FULL one of it first")
}

/// Whether a deposit follows what there is; the full deposit under it, if it does.
fn check(state: &State, deposit: &mut Changes<'_>, now_ms: i64) -> Result<Box<str>, ApplyError> {
    let refused = |problem| Err(ApplyError::Deposit { problem });
    if !state.deposits.is_empty() && last_of(state, &deposit.tld).id.is_empty() {
        return refused(unknown_tld(state, &deposit.tld));
    }
    let of_tld = last_of(state, &deposit.tld);
    let (last, last_resend) = parse_deposit_name(&of_tld.id);
    let Changes { id, prev_id, kind, watermark_ms, resend, .. } = &*deposit;
    let corrects = *id == *last && !last.is_empty();
    if corrects && *resend <= last_resend {
        let deposit = deposit.name();
        return Err(ApplyError::Already { deposit, generation: state.generation });
    }
    let named = corrects || *prev_id == *last && !last.is_empty();
    // An INCR deposit counts from the last FULL one, whichever came between, and may name it
    // (RFC 8909, sections 2 and 5.1).
    let full: Box<str> = parse_deposit_name(of_tld.full_id()).0.into();
    let from_full = prev_id.is_empty() || *prev_id == *full && !full.is_empty();
    let follows = named || *kind == DepositType::Incr && from_full;
    if !follows {
        let last = if last.is_empty() { "none" } else { last };
        let tld = &deposit.tld;
        let of = if tld.is_empty() { String::new() } else { format!(" of {tld}") };
        let problem = format!(
            "deposit {id} follows deposit {prev_id}, the last one{of} here is {last}: deposit \
             {prev_id} is missing; apply it first, or import a FULL one"
        );
        return Err(ApplyError::OutOfTurn { problem });
    }
    let latest = now_ms.saturating_add(CLOCK_TOLERANCE_MS);
    let believed = Some(of_tld.watermark_ms).filter(|&ms| ms <= latest);
    let older = believed.filter(|&ms| *watermark_ms < ms);
    if let Some(committed_ms) = older {
        check_older(state, deposit, committed_ms, named)?;
    }
    if corrects {
        let got = format!("{} after {}", deposit.name(), of_tld.id);
        deposit.add(Rule::CorrectionStays, "resend", &got);
    }
    Ok(full)
}

/// Whether a deposit of before `committed_ms`, the time of the data, is taken all the same.
fn check_older(
    state: &State,
    deposit: &mut Changes<'_>,
    committed_ms: i64,
    named: bool,
) -> Result<(), ApplyError> {
    let Changes { id, watermark_ms, .. } = &*deposit;
    // Beside a feed the newer data are the feed's, and would be lost.
    if !named || state.serial > 0 {
        let problem = format!(
            "deposit {id} is of {}, the data are of {}: it is older than what there is; import a \
             FULL one",
            Utc(*watermark_ms),
            Utc(committed_ms)
        );
        return Err(ApplyError::Deposit { problem });
    }
    let got = format!("{}, the data are of {}", Utc(*watermark_ms), Utc(committed_ms));
    deposit.add(Rule::WatermarkOlder, "watermark", &got);
    Ok(())
}
