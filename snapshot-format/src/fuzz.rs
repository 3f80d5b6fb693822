//! Laws that hold whatever a snapshot file or a log of changes holds: drivers for the fuzzer.
//!
//! # Invariants
//!
//! - `no panic`: opening, checking, looking up and folding give an error at worst.
//! - `checked is right`: of a file that passes [`verify()`], the indexes find what a walk over all
//!   records finds, and nothing else.
//! - `record decides`: whatever forged frames say, a record that is found has the key asked for.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::delta::entry::Entry;
use crate::delta::frame::{FRAME_HEAD_BYTES, LOG_HEAD_BYTES, LOG_MAGIC, LOG_VERSION};
use crate::delta::{Frame, FrameHead, Generation, LogHead, Owner, fold};
use crate::dump;
use crate::key::RegistrarKey;
use crate::layout::{
    BLOCK_BYTES, FORMAT_VERSION, Header, Kind, MAGIC, SCHEMA_HASH, SECTION_COUNT, SectionId,
    word32, word64,
};
use crate::limits::HEADER_BYTES;
use crate::reader::Snapshot;
use crate::record::{ArchivedContact, ArchivedDomain, ArchivedNameserver, ContactField};
use crate::sort::{MemoryScratch, Scratch};
use crate::verify::verify;

/// What the logs of the fuzzer lie over.
const BASE: &[u8] = include_bytes!("../tests/fixtures/version-1.snapshot");

/// Records of a kind that are walked over: more is the same again.
const RECORDS_MAX: u32 = 64;
/// Names, variants and such that one look-up hands out before it is taken for endless.
const FOUND_MAX: usize = 100_000;
/// Memory of a fold, bytes.
const FOLD_BYTES: usize = 1 << 20;
/// Most memory that an input may take, bytes; the inputs have up to 64 KiB.
pub const MEMORY_BYTES: u64 = 16 << 20;

type Generated = Generation<Vec<u8>, Vec<u8>>;

/// A file as it is, and as somebody that knows the checksums would make it.
pub fn base(file: &[u8]) {
    open(file.to_vec());
    if let Some(sealed) = sealed_file(file) {
        open(sealed);
    }
}

/// A log over a base, as it is and with its checksums made right.
pub fn log(bytes: &[u8]) {
    let Ok(base) = Snapshot::open(BASE.to_vec()) else { panic!("the fixture does not open") };
    let Ok(generation) = Generation::of_base(Arc::new(base)) else { panic!("no generation") };
    follow(generation.clone(), bytes.to_vec());
    follow(generation.clone(), sealed_log(bytes, generation.state().generation));
}

fn open(file: Vec<u8>) {
    let Ok(snapshot) = Snapshot::open(file) else { return };
    let whole = verify(&snapshot, &mut |_, _| {}).is_ok();
    assert!(!dump::header(&snapshot).is_empty());
    for kind in Kind::ALL {
        for ordinal in 0..snapshot.count(kind).min(RECORDS_MAX) {
            let _ = dump::record(&snapshot, kind, ordinal);
        }
    }
    let walked = Walked::of(&snapshot);
    if whole && Kind::ALL.iter().all(|&kind| snapshot.count(kind) <= RECORDS_MAX) {
        walked.hold_against(&snapshot);
    }
    if let Ok(generation) = Generation::of_base(Arc::new(snapshot)) {
        asked(&generation, &walked.keys);
        let _ = fold_of(&generation);
    }
}

/// What a walk over all records finds.
#[derive(Default)]
struct Walked {
    /// Every key of every kind, and some that nothing has.
    keys: BTreeSet<String>,
    domains: BTreeSet<String>,
    nameservers: BTreeMap<String, u32>,
    contacts: BTreeSet<String>,
    addresses: BTreeMap<IpAddr, BTreeSet<u32>>,
}

impl Walked {
    fn of(snapshot: &Snapshot<Vec<u8>>) -> Self {
        let mut walked = Self::default();
        walked.keys.extend(["", "x", "example.demo", "ns1.example.demo"].map(str::to_owned));
        let ordinals = |kind| 0..snapshot.count(kind).min(RECORDS_MAX);
        for ordinal in ordinals(Kind::Domain) {
            let Ok(Some(domain)) = snapshot.record_or_none::<ArchivedDomain>(ordinal) else {
                continue;
            };
            snapshot.prefetch_places(domain);
            snapshot.prefetch_records(domain);
            walked.domains.insert(domain.name.as_str().to_owned());
            walked.keys.insert(domain.roid.as_str().to_owned());
        }
        for ordinal in ordinals(Kind::Nameserver) {
            let record = snapshot.record_or_none::<ArchivedNameserver>(ordinal);
            let Ok(Some(host)) = record else { continue };
            walked.nameservers.insert(host.name.as_str().to_owned(), ordinal);
            let v4 = host.v4.iter().map(|&octets| octets.into());
            for address in v4.chain(host.v6.iter().map(|&octets| octets.into())) {
                walked.addresses.entry(address).or_default().insert(ordinal);
            }
        }
        for ordinal in ordinals(Kind::Contact) {
            let record = snapshot.record_or_none::<ArchivedContact>(ordinal);
            let Ok(Some(contact)) = record else { continue };
            walked.contacts.insert(contact.field(ContactField::Id).to_owned());
        }
        let keys = walked.domains.iter().chain(walked.nameservers.keys()).chain(&walked.contacts);
        let all: Vec<_> = keys.cloned().collect();
        walked.keys.extend(all.iter().map(|key| format!("{key}x")));
        walked.keys.extend(all);
        walked
    }

    fn hold_against(&self, snapshot: &Snapshot<Vec<u8>>) {
        for key in &self.keys {
            let found = snapshot.find_domain(key).map(|found| found.is_some());
            assert_eq!(found, Ok(self.domains.contains(key)), "domain {key:?}");
            let found = snapshot.find_nameserver(key).map(|found| found.is_some());
            assert_eq!(found, Ok(self.nameservers.contains_key(key)), "nameserver {key:?}");
            let exact = self.contacts.contains(key);
            let alike = self.contacts.iter().any(|id| id.eq_ignore_ascii_case(key));
            let found: Vec<_> = snapshot.find_contacts(key).take(FOUND_MAX).collect();
            assert_eq!(!found.is_empty(), exact || alike, "contact {key:?}");
            let prefix: String = key.chars().take(3).collect();
            let named = self.domains.iter().filter(|name| name.starts_with(&prefix)).count();
            let range = snapshot.domain_range(&prefix).map(|range| range.len());
            assert_eq!(range, Ok(named), "domains {prefix:?}");
        }
        for (address, ordinals) in &self.addresses {
            let found: BTreeSet<_> = snapshot.nameservers_by_address(*address).collect();
            assert_eq!(&found, ordinals, "{address}");
        }
        assert_eq!(snapshot.nameservers_by_address([203, 0, 113, 77].into()).count(), {
            let ordinals = self.addresses.get(&[203, 0, 113, 77].into());
            ordinals.map_or(0, BTreeSet::len)
        });
    }
}

/// A record that is found has the key that was asked for, and no look-up is endless.
fn asked(generation: &Generated, keys: &BTreeSet<String>) {
    for key in keys {
        if let Ok(Some(domain)) = generation.find_domain(key) {
            assert_eq!(domain.name.as_str(), key);
        }
        if let Ok(Some(host)) = generation.find_nameserver(key) {
            assert_eq!(host.name.as_str(), key);
        }
        if let Ok(Some(nndn)) = generation.find_nndn(key) {
            assert_eq!(nndn.name.as_str(), key);
        }
        if let Ok(Some(table)) = generation.find_idn_table(key) {
            assert_eq!(table.id.as_str(), key);
        }
        for contact in generation.find_contacts(key).take(FOUND_MAX).flatten() {
            assert!(contact.field(ContactField::Id).eq_ignore_ascii_case(key), "{key:?}");
        }
        for registrar in generation.find_registrars(RegistrarKey::Id(key)).flatten() {
            assert_eq!(registrar.id.as_str(), key);
        }
        for owner in generation.find_roid(key).take(FOUND_MAX).flatten() {
            let roid = match owner {
                Owner::Contact(contact) => contact.field(ContactField::Roid),
                Owner::Nameserver(host) => host.roid.as_str(),
                Owner::Domain(domain) => domain.roid.as_str(),
            };
            assert!(roid.eq_ignore_ascii_case(key), "{roid:?} for {key:?}");
        }
        if let Ok(variants) = generation.variants(key) {
            let mut count = 0;
            for variant in variants {
                count += 1;
                assert!(count < FOUND_MAX, "variants of {key:?} do not end");
                let Ok(variant) = variant else { break };
                assert_eq!(variant.original(), key);
            }
        }
        named(generation, key);
    }
}

fn named(generation: &Generated, prefix: &str) {
    if let Ok(domains) = generation.domains(prefix) {
        for domain in domains.take(FOUND_MAX).map_while(Result::ok).flatten() {
            let _ = dump::of_generation(generation, &dump::Record::Domain(domain));
        }
    }
    if let Ok(hosts) = generation.nameservers(prefix) {
        for host in hosts.take(FOUND_MAX).map_while(Result::ok).flatten() {
            let _ = dump::of_generation(generation, &dump::Record::Nameserver(host));
        }
    }
}

/// A fold of it, which opens again.
fn fold_of(generation: &Generated) -> Option<Snapshot<Vec<u8>>> {
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let out = Cursor::new(Vec::new());
    let folded = fold(generation, out, &scratch, FOLD_BYTES, &mut |_, _| true);
    let (out, _) = folded.ok().flatten()?;
    let folded = Snapshot::open(out.into_inner());
    assert!(folded.is_ok(), "a fold does not open: {:?}", folded.err());
    folded.ok()
}

/// Takes in every frame that reads, as a follower does.
fn follow(mut generation: Generated, bytes: Vec<u8>) {
    let Ok(head) = LogHead::decode(&bytes) else { return };
    let log = Arc::new(bytes);
    let mut keys: BTreeSet<String> = ["", "example.demo", "C1"].map(str::to_owned).into();
    let mut at = LOG_HEAD_BYTES;
    while let Some(frame) = Frame::read(&*log, &head, at) {
        let Ok(next) = generation.with_frame(&log, &frame) else { break };
        let mut rest = log.get(frame.payload_at..frame.end()).unwrap_or_default();
        while let Some((entry, bytes)) = Entry::read(rest) {
            keys.insert(entry.key.to_owned());
            rest = rest.get(bytes..).unwrap_or_default();
        }
        generation = next;
        at = frame.end();
    }
    asked(&generation, &keys);
    let _ = fold_of(&generation);
}

/// The file with a header and checksums that fit it, if its sections lie within it.
fn sealed_file(file: &[u8]) -> Option<Vec<u8>> {
    let mut out = file.to_vec();
    put(&mut out, 0, &MAGIC)?;
    put(&mut out, 8, &FORMAT_VERSION.to_le_bytes())?;
    put(&mut out, 12, &u32::try_from(SECTION_COUNT).ok()?.to_le_bytes())?;
    put(&mut out, 16, &SCHEMA_HASH.to_le_bytes())?;
    put(&mut out, 64, &(file.len() as u64).to_le_bytes())?;
    let crc_at = HEADER_BYTES.checked_sub(4)?;
    let crc = crc32c::crc32c(out.get(..crc_at)?);
    put(&mut out, crc_at, &crc.to_le_bytes())?;
    let mut header = Header::decode(&out).ok()?;
    let sums = header.section(SectionId::Sums);
    let table_at = usize::try_from(sums.offset).ok()?;
    let table_end = table_at.checked_add(usize::try_from(sums.bytes).ok()?)?;
    let blocks = out.get(..table_at)?.chunks(BLOCK_BYTES).enumerate();
    let sums = blocks.map(|(number, block)| {
        let skip = if number == 0 { HEADER_BYTES } else { 0 };
        XxHash3_64::oneshot(block.get(skip..).unwrap_or_default())
    });
    let sums: Vec<u8> = sums.flat_map(u64::to_le_bytes).collect();
    let table = out.get_mut(table_at..table_end)?;
    let fits = table.len().min(sums.len());
    table.get_mut(..fits)?.copy_from_slice(sums.get(..fits)?);
    header.sums_hash = XxHash3_64::oneshot(table);
    put(&mut out, 0, &header.encode())?;
    Some(out)
}

/// The log with a head and frames whose checksums fit, each over the generation before it.
fn sealed_log(bytes: &[u8], mut generation: u64) -> Vec<u8> {
    let word = |at: usize| word64(bytes, at);
    let head = LogHead {
        epoch: word(16),
        number: word32(bytes, 12),
        salt: word(24),
        begins_over: generation,
        file_bytes: word(48),
    };
    let mut out = head.encode().to_vec();
    debug_assert!(out.starts_with(&LOG_MAGIC) && LOG_VERSION == 2);
    let mut at = LOG_HEAD_BYTES;
    while let Some(frame) = bytes.get(at..).filter(|rest| rest.len() >= FRAME_HEAD_BYTES) {
        let payload_at = at.saturating_add(FRAME_HEAD_BYTES);
        let rest = bytes.get(payload_at..).unwrap_or_default();
        let payload_bytes = (word32(frame, 8) as usize).min(rest.len()) & !7;
        let field = |number: usize| word64(frame, number.saturating_mul(8));
        let frame_head = FrameHead {
            entry_count: word32(frame, 12),
            generation: generation.saturating_add(1),
            parent: generation,
            serial: field(4),
            committed_ms: field(5).cast_signed(),
            heartbeat_ms: field(6).cast_signed(),
        };
        generation = frame_head.generation;
        out.extend(frame_head.frame(&head, rest.get(..payload_bytes).unwrap_or_default()));
        at = payload_at.saturating_add(payload_bytes);
    }
    out
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    out.get_mut(at..at.checked_add(bytes.len())?)?.copy_from_slice(bytes);
    Some(())
}

#[cfg(test)]
#[path = "../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::encode;
    use crate::object::{Contact, ContactLink, ContactRole, Domain, HostLink, Nameserver};
    use crate::{Change, Object};

    #[test]
    fn bases_of_the_corpus_and_their_mutations_hold() {
        replay::run("snapshot_base", 3_000, MEMORY_BYTES, base);
    }

    #[test]
    fn logs_of_the_corpus_and_their_mutations_hold() {
        replay::run("snapshot_log", 3_000, MEMORY_BYTES, log);
    }

    /// Batches over the fixture, as a log: what the corpus of logs begins with.
    fn written_log() -> Vec<u8> {
        let base = Arc::new(Snapshot::open(BASE.to_vec()).unwrap());
        let mut generation: Generated = Generation::of_base(base).unwrap();
        let first = generation.state().generation;
        let log_head = LogHead { epoch: 1, number: 1, salt: 5, begins_over: first, file_bytes: 0 };
        let mut log = log_head.encode().to_vec();
        let domain = |name: &str| Domain {
            name: name.to_owned(),
            roid: format!("{}-NEW", name.len()),
            contacts: vec![ContactLink { role: ContactRole::Registrant, id: "C1".to_owned() }],
            nameservers: vec![HostLink::Name("ns1.example.demo".to_owned())],
            registrar: "R1".to_owned(),
            original_name: "example.demo".to_owned(),
            ..Domain::default()
        };
        let host = Nameserver {
            name: "ns7.example.demo".to_owned(),
            roid: "H7".to_owned(),
            v4: vec![[192, 0, 2, 1]],
            ..Nameserver::default()
        };
        let upsert = |object| Change::Upsert(Box::new(object));
        let delete = |kind, key: &str| Change::Delete { kind, key: key.to_owned() };
        let contact = Contact { id: "C1".to_owned(), ..Contact::default() };
        let batches = [
            vec![upsert(Object::Domain(domain("new.demo"))), upsert(Object::Nameserver(host))],
            vec![delete(Kind::Domain, "example.demo"), upsert(Object::Contact(contact))],
            vec![delete(Kind::Nameserver, "ns7.example.demo"), delete(Kind::Contact, "C1")],
        ];
        for batch in batches {
            let encoded = encode(&generation, &batch, &mut |_, _| {}).unwrap();
            let parent = generation.state().generation;
            let head = FrameHead {
                generation: parent + 1,
                parent,
                entry_count: encoded.entry_count,
                ..FrameHead::default()
            };
            let at = log.len();
            log.extend(head.frame(&log_head, &encoded.payload));
            let whole = Arc::new(log.clone());
            let frame = Frame::read(&*whole, &log_head, at).unwrap();
            generation = generation.with_frame(&whole, &frame).unwrap();
        }
        log
    }

    /// With `WHOISD_BLESS` it writes the file.
    #[test]
    fn the_corpus_of_logs_begins_with_one_that_reads() {
        let written = written_log();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fuzz/corpus/snapshot_log/batches");
        if std::env::var_os("WHOISD_BLESS").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        assert!(std::fs::read(path).unwrap() == written);
        log(&written);
    }

    #[test]
    fn a_sealed_file_is_taken_for_whole() {
        let sealed = sealed_file(BASE).unwrap();
        assert!(verify(&Snapshot::open(sealed).unwrap(), &mut |_, _| {}).is_ok());
        let mut damaged = BASE.to_vec();
        damaged[5000] ^= 1;
        let sealed = sealed_file(&damaged).unwrap();
        assert!(Snapshot::open(sealed).unwrap().check_sums().is_ok());
    }
}
