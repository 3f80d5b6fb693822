//! The snapshot format alone: building, finding, missing, full check.
//!
//! `cargo bench -p whoisd-benches --bench format [-- --domains N | --smoke]`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

use std::fs::File;
use std::hint::black_box;
use std::rc::Rc;

use snapshot_format::object::{ContactLink, ContactRole, Domain, HostLink, Nameserver, Registrar};
use snapshot_format::record::Meta;
use snapshot_format::verify::verify;
use snapshot_format::{Builder, Options as Format, Snapshot, object};
use whoisd::store::DiskScratch;
use whoisd::view::Bytes;
use whoisd_benches::{Options, Random, measure, print, print_figures, timed};

fn build(file: &File, scratch: DiskScratch, domains: u64) {
    let format = Format {
        section_align_bytes: if domains > 100_000 { 2 << 20 } else { 64 },
        hash_seed: 0x5eed,
        ..Format::default()
    };
    let mut builder = Builder::new(file, Rc::new(scratch), format).unwrap();
    let ignore = &mut |_: snapshot_format::Defect<'_>| {};
    let id = || "R1".to_owned();
    builder.registrar(&Registrar { id: id(), ..Registrar::default() }).unwrap();
    let contacts = domains.div_ceil(2);
    for i in 0..contacts {
        let mut contact = object::Contact { id: format!("C{i:09}"), ..Default::default() };
        contact.postal = vec![object::Postal { name: "Jane Doe".into(), ..Default::default() }];
        builder.contact(&contact, ignore).unwrap();
    }
    for i in 0..domains.div_ceil(10) {
        let name = format!("ns{i:09}.example");
        builder.nameserver(&Nameserver { name, ..Default::default() }, ignore).unwrap();
    }
    let mut random = Random(1);
    for i in 0..domains {
        let contact = |role, random: &mut Random| ContactLink {
            role,
            id: format!("C{:09}", random.below(contacts)),
        };
        let host = |random: &mut Random| {
            HostLink::Name(format!("ns{:09}.example", random.below(domains.div_ceil(10))))
        };
        let domain = Domain {
            name: name(i),
            roid: format!("D{i:09}-DEMO"),
            registrar: id(),
            contacts: vec![
                contact(ContactRole::Registrant, &mut random),
                contact(ContactRole::Tech, &mut random),
            ],
            nameservers: vec![host(&mut random), host(&mut random)],
            ..Default::default()
        };
        builder.domain(&domain, ignore).unwrap();
    }
    builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
}

fn name(i: u64) -> String {
    format!("name-{i:09}.demo")
}

fn main() {
    let options = Options::of_arguments(1_000_000, 5_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    let mut open = File::options();
    let file = open.read(true).write(true).create_new(true).open(&path).unwrap();
    let scratch = DiskScratch::new(directory.path());
    let ((), seconds) = timed(|| build(&file, scratch, options.domains));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = options.domains as f64 / seconds;
    print("build", &format!("{seconds:.2} s, {rate:.0} domains/s"));
    let snapshot = Snapshot::open(Bytes::map(&path).unwrap()).unwrap();
    let (sums, seconds) = timed(|| snapshot.check_sums());
    sums.unwrap();
    print("checksums of all blocks", &format!("{:.1} ms", seconds * 1e3));
    let (full, seconds) = timed(|| verify(&snapshot, &mut |_, _| {}));
    full.unwrap();
    print("full check", &format!("{seconds:.2} s"));
    let mut random = Random(2);
    let count = options.domains.min(300_000);
    let hits: Vec<String> = (0..count).map(|_| name(random.below(options.domains))).collect();
    let misses: Vec<String> = hits.iter().map(|name| name.replace('-', "+")).collect();
    print_figures("find, hit", {
        measure(options.rounds(), &hits, |name| {
            assert!(black_box(snapshot.find_domain(name)).unwrap().is_some());
        })
    });
    print_figures("find, miss", {
        measure(options.rounds(), &misses, |name| {
            assert!(black_box(snapshot.find_domain(name)).unwrap().is_none());
        })
    });
    print_figures("range of a prefix", {
        measure(options.rounds(), &hits, |name| {
            assert!(!black_box(snapshot.domain_range(&name[..10])).unwrap().is_empty());
        })
    });
}
