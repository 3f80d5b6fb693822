//! The query module: a line into the bytes of its answer, names at random.
//!
//! `cargo bench -p whoisd-benches --bench answer [-- --domains N | --smoke]`
//!
//! Domains are thick: four contacts of about 130 bytes each, two to four nameservers, a registrar
//! with an abuse contact; 5 % are signed, 5 % have extras.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;

use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Domain, Ds, HostLink, Nameserver, Phone, Postal, PostalKind,
    Registrar, SecDns, Time,
};
use snapshot_format::record::Meta;
use snapshot_format::status::DomainStatuses;
use snapshot_format::{Builder, Defect, Options as Format};
use whoisd::config::tld::Settings;
use whoisd::policy::Rules;
use whoisd::query::{Answer, AnswerResult, answer};
use whoisd::store::DiskScratch;
use whoisd::view::View;
use whoisd_benches::{Options, Random, measure, print, print_figures};

const REGISTRARS: u64 = 1000;

fn contact(i: u64) -> Contact {
    Contact {
        id: format!("C{i:09}"),
        roid: format!("C{i:09}-DEMO"),
        postal: vec![Postal {
            kind: PostalKind::Int,
            name: format!("Alex Holder {i}"),
            org: format!("Holding Number {i} Ltd"),
            street: [format!("{} High Street", i % 300), String::new(), String::new()],
            city: "Leeds".to_owned(),
            sp: "West Yorkshire".to_owned(),
            pc: "LS1 1AA".to_owned(),
            cc: "GB".to_owned(),
        }],
        voice: Phone { number: format!("+44.113{i:07}"), ext: String::new() },
        email: format!("holder{i}@mail.example"),
        ..Contact::default()
    }
}

fn domain(i: u64, domains: u64, random: &mut Random) -> Domain {
    let contacts = domains.div_ceil(2);
    let roles =
        [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
    let time = |random: &mut Random| Time::from_s(1_500_000_000 + random.below(200_000_000) as i64);
    let sec_dns = SecDns {
        ds: vec![Ds { key_tag: 1, algorithm: 13, digest_type: 2, digest: vec![7; 32] }],
        ..SecDns::default()
    };
    Domain {
        name: name(i),
        roid: format!("D{i:09}-DEMO"),
        statuses: DomainStatuses {
            bits: DomainStatuses::CLIENT_TRANSFER_PROHIBITED
                | DomainStatuses::CLIENT_UPDATE_PROHIBITED,
        },
        contacts: roles
            .map(|role| ContactLink { role, id: format!("C{:09}", random.below(contacts)) })
            .to_vec(),
        nameservers: (0..2 + random.below(3))
            .map(|_| HostLink::Name(format!("ns{:09}.example", random.below(domains.div_ceil(10)))))
            .collect(),
        registrar: format!("R{:04}", random.below(REGISTRARS)),
        created: time(random),
        updated: time(random),
        expires: time(random),
        sec_dns: (i % 20 == 0).then_some(sec_dns),
        extras: if i % 20 == 1 { vec![("Language".into(), "sq".into())] } else { Vec::new() },
        ..Domain::default()
    }
}

fn build(path: &Path, scratch: DiskScratch, domains: u64) {
    let format = Format {
        section_align_bytes: if domains > 100_000 { 2 << 20 } else { 64 },
        hash_seed: 0x5eed,
        watermark_ms: 1_793_491_200_000,
        ..Format::default()
    };
    let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let mut builder = Builder::new(file, Rc::new(scratch), format).unwrap();
    let ignore = &mut |_: Defect<'_>| {};
    for i in 0..REGISTRARS {
        let registrar = Registrar {
            id: format!("R{i:04}"),
            name: format!("Registrar Number {i}, Inc."),
            iana_id: u32::try_from(i + 1).unwrap(),
            url: format!("https://www.registrar{i}.example"),
            whois_name: format!("whois.registrar{i}.example"),
            ..Registrar::default()
        };
        builder.registrar(&registrar).unwrap();
    }
    for i in 0..domains.div_ceil(2) {
        builder.contact(&contact(i), ignore).unwrap();
    }
    for i in 0..domains.div_ceil(10) {
        let name = format!("ns{i:09}.example");
        builder.nameserver(&Nameserver { name, ..Default::default() }, ignore).unwrap();
    }
    let mut random = Random(1);
    for i in 0..domains {
        builder.domain(&domain(i, domains, &mut random), ignore).unwrap();
    }
    let meta = Meta { suffixes: vec!["demo".to_owned()], ..Meta::default() };
    builder.finish(&meta, &mut |_, _| {}).unwrap();
}

fn name(i: u64) -> String {
    format!("name-{i:09}.demo")
}

fn rules(preset: &str) -> Rules {
    let mut settings: Settings = toml(preset);
    for iana_id in 1..=u32::try_from(REGISTRARS).unwrap() {
        settings.registrar.push(whoisd::config::tld::Registrar {
            iana_id,
            abuse_email: format!("abuse@registrar{iana_id}.example"),
            abuse_phone: "+1.6175550100".to_owned(),
            ..Default::default()
        });
    }
    Rules::compile(&settings).unwrap()
}

fn toml(preset: &str) -> Settings {
    let mut settings = Settings::default();
    settings.defaults.preset = Some(match preset {
        "open" => whoisd::config::tld::Preset::Open,
        _ => whoisd::config::tld::Preset::RegistrationDataPolicy2025,
    });
    settings
}

fn main() {
    let options = Options::of_arguments(1_000_000, 5_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    build(&path, DiskScratch::new(directory.path()), options.domains);
    let view = View::open(&path).unwrap();
    view.prepare().unwrap();
    let mut random = Random(2);
    let count = options.domains.min(300_000);
    let hits: Vec<String> =
        (0..count).map(|_| format!("{}\r\n", name(random.below(options.domains)))).collect();
    let misses: Vec<String> = hits.iter().map(|line| line.replace("name", "none")).collect();
    let idn: Vec<String> = hits.iter().map(|line| line.replace("name", "nämé")).collect();
    let mut out = Answer::new();
    let open = rules("open");
    let standard = rules("");
    let mut bytes = 0;
    for line in hits.iter().take(1000) {
        let outcome = answer(&view, &open, line.as_bytes(), &mut out);
        assert_eq!(outcome.result, AnswerResult::Found);
        bytes += out.bytes().len();
    }
    print("thick answer, bytes", &format!("{}", bytes / hits.len().min(1000)));
    for (what, rules, lines) in [
        ("thick answer, everything shown", &open, &hits),
        ("thick answer, policy of 2025", &standard, &hits),
        ("no such name", &standard, &misses),
        ("no such name, typed in Unicode", &standard, &idn),
    ] {
        print_figures(what, {
            measure(options.rounds(), lines, |line| {
                black_box(answer(&view, rules, line.as_bytes(), &mut out));
            })
        });
    }
}
