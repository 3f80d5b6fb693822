//! Differential and incremental deposits (RFC 8909 section 5.2) as changes.
//!
//! # Invariants
//!
//! - Removals come first, in the deposit's order; then objects, kind by kind in the order of a
//!   snapshot, each once, a renamed host after the removal of its old name. Since an object comes
//!   once, that ends where the deposit's own order ends.
//! - Objects are those that an import of the same elements or rows keeps: the readers, the parts
//!   and the rules are the same.
//! - Memory is bounded by `Options::memory_bytes`: changes are handed on one at a time.
//!
//! # Does not
//!
//! Know what is served: [`Known`] answers for it.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use ahash::RandomState;
use hashbrown::HashSet;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::sort::Scratch;
use snapshot_format::{Change, Kind, Object};

use super::claims;
use super::collect::Collected;
use super::deposit::{Import, Read, reason};
use super::known::{Known, Late, Seen};
use super::merge::Merge;
use super::model::Stop;
use super::model::envelope::{DepositType, Envelope};
use super::progress::{Progress, Watch};
use super::run::{self, ImportError, Options, Report, conclude};
use super::sink::Removal;
use super::sink::{Heard, Sink};
use crate::vet::check::Context;
use crate::vet::findings::{Defects, Findings, ObjectKind, Place};
use crate::vet::rule::Rule;

/// Most hosts whose identifier a deposit may change while renamed hosts are still recognised.
const REASSIGNED_MAX: usize = 1 << 14;

/// A differential or incremental deposit that was read and not yet applied.
pub struct Changes<'r> {
    /// `id` of the deposit.
    pub id: String,
    /// TLD of its header, A-label form; empty if it has none.
    pub tld: String,
    /// `prevId`: the deposit that it follows; empty: an incremental one that follows the last full
    /// one.
    pub prev_id: String,
    /// `resend`: how often the deposit was corrected.
    pub resend: u16,
    /// [`DepositType::Diff`] or [`DepositType::Incr`].
    pub kind: DepositType,
    /// Time of its data, ms since the epoch; `now_ms` of the options where what it says is not
    /// believed.
    pub watermark_ms: i64,
    /// Objects that are deleted.
    pub removals: u64,
    /// Objects that are added or modified, in the order of [`ObjectKind::RECORDS`]; those of
    /// nameservers without the ones that host attributes state.
    pub objects: [u64; 6],
    /// Counts of the header: objects that the whole registry has once the deposit is applied
    /// (RFC 9022 section 8). Counts of a registry-class name or of a registrar are left out.
    pub counts: Vec<(ObjectKind, u64)>,
    options: Options,
    scratch: Rc<dyn Scratch>,
    envelope: Envelope,
    collected: Collected,
    findings: Findings<'r>,
    said: Report,
}

/// Reads a differential or incremental deposit. Intermediate data go to `scratch`, findings to
/// `report` as JSON lines. Memory: about `options.memory_bytes`; `hash_seed` and `generation` are
/// not used.
///
/// # Errors
///
/// Why the deposit cannot be applied: among others, that it is a FULL one.
pub fn changes<'r>(
    options: &Options,
    scratch: &Rc<dyn Scratch>,
    report: Option<&'r mut dyn Write>,
    progress: &mut dyn Progress,
) -> Result<Changes<'r>, ImportError> {
    let mut findings = Findings::new(report);
    let mut said = Report { watermark_ms: i64::MIN, ..Report::default() };
    let mut import = Import { options, scratch, findings: &mut findings, said: &mut said };
    let read = import.read(progress).map(|(read, _)| read);
    let Read { envelope, collected } = match read {
        Ok(read) => read,
        Err(reason) => return Err(run::failed(reason, findings, said)),
    };
    Ok(Changes {
        id: envelope.id.clone(),
        tld: envelope.tld.clone(),
        prev_id: envelope.prev_id.clone(),
        resend: envelope.resend,
        kind: envelope.kind,
        watermark_ms: envelope.watermark.ms,
        removals: collected.removals,
        objects: said.objects,
        counts: counts(&envelope),
        options: options.clone(),
        scratch: Rc::clone(scratch),
        envelope,
        collected,
        findings,
        said,
    })
}

/// The header's counts of whole kinds.
fn counts(envelope: &Envelope) -> Vec<(ObjectKind, u64)> {
    envelope
        .whole_counts()
        .filter_map(|count| Some((run::kind_of_uri(&count.uri)?, count.count?)))
        .collect()
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.kind.word();
        write!(f, "{word} {} after {:?}, {} removals", self.id, self.prev_id, self.removals)
    }
}

impl Changes<'_> {
    /// Hands each change to `visit`, in the order in which they are to be applied.
    ///
    /// Apply what was handed on only once this returns `Ok`: a key that comes twice, a limit on
    /// findings or a full disk shows in the middle.
    ///
    /// # Errors
    ///
    /// Why the deposit cannot be applied, the error of `visit` among it.
    pub fn visit(
        mut self,
        known: &dyn Known,
        progress: &mut dyn Progress,
        visit: &mut dyn FnMut(Change) -> io::Result<()>,
    ) -> Result<Report, ImportError> {
        let seen = Seen::new(known, self.options.table_bytes().wrapping_div(8));
        let is_diff = self.kind == DepositType::Diff && self.resend == 0;
        let (watermark, others) = (self.envelope.watermark, known.others().to_vec());
        claims::report(&self.envelope, &others, &mut self.findings);
        let scope = Context { watermark, zones: self.zones(&others), others, policies: &[] };
        let sink = Applied { known, visit, seen, is_diff, scope, reassigned: HashSet::default() };
        let made = self.merge(sink, progress).map_err(|stop| reason(stop, &self.options));
        conclude(&self.options, made, self.findings, self.said).map(|((), report)| report)
    }

    fn merge(&mut self, sink: Applied<'_>, progress: &mut dyn Progress) -> Result<(), Stop> {
        let (sorted, roids) = (&mut self.collected.sorted, &mut self.collected.roids);
        let mut import = Import {
            options: &self.options,
            scratch: &self.scratch,
            findings: &mut self.findings,
            said: &mut self.said,
        };
        import.repeated_roids(roids)?;
        let objects = self.collected.counts.iter();
        let total = objects.fold(self.collected.removals, |sum, count| sum.saturating_add(*count));
        let (zones, others) = (sink.scope.zones.clone(), sink.scope.others.clone());
        let mut rcdns = run::rcdns(&self.envelope);
        rcdns.retain(|(rcdn, _)| zones.contains(rcdn));
        let context = Context { others, ..run::context(&self.envelope, &rcdns) };
        let mut watch = Watch::new(progress, 0, self.options.findings_max);
        let mut merge = Merge::new(sink, &mut self.findings, vec![context], rcdns);
        merge.run(sorted, total, &mut watch)?;
        let mut seen = merge.into_sink().seen;
        for Late { rule, kind, key, field, got } in seen.late().map_err(Stop::Visit)? {
            self.findings.add(rule, Place::default(), kind, &key, field, &got);
        }
        let mut import = Import {
            options: &self.options,
            scratch: &self.scratch,
            findings: &mut self.findings,
            said: &mut self.said,
        };
        import.menu_and_totals(&self.envelope, &self.collected.counts, &seen, &zones)
    }

    /// TLD and registry-class names of its header, A-label form, without those that belong to one
    /// of `others`, the TLDs of other deposits.
    #[must_use]
    pub fn zones(&self, others: &[String]) -> Vec<String> {
        claims::own_zones(&self.envelope, others)
    }

    /// Its identifier, with `#` and its number if it is a correction.
    #[must_use]
    pub fn name(&self) -> String {
        self.envelope.name()
    }

    /// A finding about the deposit as a whole, which only the registry can show. To be reported
    /// before the changes are visited.
    pub fn add(&mut self, rule: Rule, field: &'static str, got: &str) {
        let place = self.envelope.watermark_place;
        self.findings.add(rule, place, ObjectKind::Deposit, "", field, got);
    }
}

/// Makes changes of what a deposit has.
struct Applied<'a> {
    known: &'a dyn Known,
    visit: &'a mut dyn FnMut(Change) -> io::Result<()>,
    seen: Seen<'a>,
    /// Whether a delete of what is not there is a defect: an incremental deposit repeats those
    /// since the last full one, a corrected one those of the one before it.
    is_diff: bool,
    /// Which names are the deposit's.
    scope: Context<'static>,
    /// Hosts of the deposit that had another identifier before.
    reassigned: HashSet<String, RandomState>,
}

impl Applied<'_> {
    fn upsert(&mut self, object: Object) -> Result<(), Stop> {
        self.identifier(&object).map_err(Stop::Visit)?;
        let seen = self.seen.upsert(&object);
        seen.and_then(|()| (self.visit)(Change::Upsert(Box::new(object)))).map_err(Stop::Visit)
    }

    /// Notes which other object has the identifier of an object. Several deposits may have an
    /// object in common: an object that another TLD may have brought is not held against this one.
    fn identifier(&mut self, object: &Object) -> io::Result<()> {
        let (record, key) = (object.kind(), object.key());
        let (kind, roid) = match object {
            Object::Domain(domain) => (ObjectKind::Domain, &domain.roid),
            Object::Contact(contact) => (ObjectKind::Contact, &contact.roid),
            Object::Nameserver(host) => (ObjectKind::Nameserver, &host.roid),
            Object::Registrar(_) | Object::IdnTable(_) | Object::Nndn(_) => return Ok(()),
        };
        if roid.is_empty() || record == Kind::Contact && !self.scope.others.is_empty() {
            return Ok(());
        }
        for other in self.known.keys_of_roid(record, roid)? {
            if other != key && !self.scope.is_of_other(&other) {
                self.seen.same_roid(kind, key, &other);
            }
        }
        Ok(())
    }

    /// Deletes an object, unless names of another TLD refer to it.
    fn delete_own(&mut self, kind: Kind, key: String, defects: &mut Defects) -> Result<(), Stop> {
        let there = self.seen.has(kind, &key).map_err(Stop::Visit)?;
        if there && self.known.is_shared(kind, &key).map_err(Stop::Visit)? {
            defects.add(Rule::DeleteShared, "", key);
            return Ok(());
        }
        if !there && self.is_diff {
            defects.add(Rule::DeleteUnknown, "", &*key);
        }
        self.delete(kind, key).map(|_| ())
    }

    /// Whether a name is this deposit's to delete.
    fn may_delete(&self, field: &'static str, name: &str, defects: &mut Defects) -> bool {
        let of_other = self.scope.is_of_other(name);
        if of_other {
            defects.add(Rule::NameOfOther, field, name);
        } else if !self.scope.is_under_zone(name) {
            defects.add(Rule::NameOutside, field, name);
        }
        !of_other
    }

    /// Deletes an object; `false`: there was none.
    fn delete(&mut self, kind: Kind, key: String) -> Result<bool, Stop> {
        let there = self.seen.remove(kind, &key).map_err(Stop::Visit)?;
        (self.visit)(Change::Delete { kind, key }).map_err(Stop::Visit)?;
        Ok(there)
    }

    /// Whether host attributes may say something new of a nameserver: a host object is not theirs
    /// to change. The code that applies the changes knows whether a name without addresses does.
    fn is_news(&self, host: &Nameserver) -> io::Result<bool> {
        Ok(match self.known.roid_of_host(&host.name)? {
            None => true,
            Some(roid) => roid.is_empty(),
        })
    }

    /// The name that a host had before, if it got another one: the CSV model knows hosts by their
    /// identifier (RFC 9022 section 5.2.2), so that nothing deletes the old name.
    fn old_name(&mut self, host: &Nameserver) -> io::Result<Option<String>> {
        if host.roid.is_empty() {
            return Ok(None);
        }
        let before = self.known.roid_of_host(&host.name)?;
        let other = before.is_some_and(|roid| roid != host.roid);
        if other && self.reassigned.len() < REASSIGNED_MAX {
            self.reassigned.insert(host.name.clone());
        }
        let names = self.known.keys_of_roid(Kind::Nameserver, &host.roid)?;
        // Several hosts with one identifier are a defect of the registry, not a rename.
        let [name] = names.as_slice() else { return Ok(None) };
        let kept = *name == host.name
            || self.reassigned.contains(name)
            || self.reassigned.len() >= REASSIGNED_MAX
            || self.known.is_shared(Kind::Nameserver, name)?;
        Ok((!kept).then(|| name.clone()))
    }
}

impl Sink for Applied<'_> {
    fn registrar(&mut self, object: &Registrar) -> Result<(), Stop> {
        self.upsert(Object::Registrar(object.clone()))
    }

    fn idn_table(&mut self, object: &IdnTable) -> Result<(), Stop> {
        self.upsert(Object::IdnTable(object.clone()))
    }

    fn contact(&mut self, object: &Contact, heard: Heard<'_>) -> Result<(), Stop> {
        let Contact { registrar, creator, updater, transfer, .. } = object;
        let seen = &self.seen;
        seen.registrars(registrar, [creator, updater], transfer.as_ref(), heard)
            .map_err(Stop::Visit)?;
        self.upsert(Object::Contact(object.clone()))
    }

    fn nameserver(
        &mut self,
        object: &Nameserver,
        attribute: bool,
        heard: Heard<'_>,
    ) -> Result<(), Stop> {
        if attribute && !self.is_news(object).map_err(Stop::Visit)? {
            return Ok(());
        }
        let Nameserver { registrar, creator, updater, .. } = object;
        let seen = &self.seen;
        seen.registrars(registrar, [creator, updater], None, heard).map_err(Stop::Visit)?;
        // Before: a host of the deposit may have the old name now, and comes later then.
        if let Some(name) = self.old_name(object).map_err(Stop::Visit)? {
            self.delete(Kind::Nameserver, name)?;
        }
        self.upsert(Object::Nameserver(object.clone()))
    }

    fn nndn(&mut self, object: &Nndn, heard: Heard<'_>) -> Result<(), Stop> {
        self.seen.refer(Kind::IdnTable, &object.idn_table, heard).map_err(Stop::Visit)?;
        self.seen.nndn(&object.name).map_err(Stop::Visit)?;
        self.upsert(Object::Nndn(object.clone()))
    }

    fn domain(&mut self, object: &Domain, heard: Heard<'_>) -> Result<(), Stop> {
        self.seen.domain(object, heard).map_err(Stop::Visit)?;
        self.upsert(Object::Domain(object.clone()))
    }

    fn removal(&mut self, removal: Removal, defects: &mut Defects) -> Result<(), Stop> {
        let (kind, key) = match removal {
            Removal::Domain(name) if !self.may_delete("name", &name, defects) => return Ok(()),
            Removal::Nndn(name) if !self.may_delete("aName", &name, defects) => return Ok(()),
            Removal::Domain(name) => (Kind::Domain, name),
            Removal::Host(name) => (Kind::Nameserver, name),
            Removal::HostRoid(roid) => return self.remove_hosts(&roid, defects),
            Removal::Contact(id) => (Kind::Contact, id),
            Removal::Registrar(id) => (Kind::Registrar, id),
            Removal::RegistrarGurid(gurid) => {
                let Some(id) = self.registrar_of_gurid(gurid)? else {
                    defects.add(Rule::DeleteUnknown, "fGurid", gurid.to_string());
                    return Ok(());
                };
                (Kind::Registrar, id)
            }
            Removal::IdnTable(id) => (Kind::IdnTable, id),
            Removal::Nndn(name) => (Kind::Nndn, name),
        };
        self.delete_own(kind, key, defects)
    }

    fn registrar_of_gurid(&self, gurid: u32) -> Result<Option<String>, Stop> {
        self.known.registrar_of_gurid(gurid).map_err(Stop::Visit)
    }
}

impl Applied<'_> {
    fn remove_hosts(&mut self, roid: &str, defects: &mut Defects) -> Result<(), Stop> {
        let found = self.known.keys_of_roid(Kind::Nameserver, roid);
        let names = found.map_err(Stop::Visit)?;
        match names.len() {
            0 => defects.add(Rule::DeleteUnknown, "roid", roid),
            1 => {}
            _ => defects.add(Rule::DeleteAmbiguous, "roid", names.join(" ")),
        }
        names.into_iter().try_for_each(|name| self.delete_own(Kind::Nameserver, name, defects))
    }
}
