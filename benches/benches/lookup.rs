//! A query line into its answer: find and render over a sampled registry, names at random.
//!
//! `cargo bench -p whoisd-benches --bench lookup [-- --domains N | --smoke]`; with
//! `--dir DIRECTORY` over one that `whoisd sample --into` made before.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use snapshot_format::Kind;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ContactField};
use whoisd::config::tld::Settings as Rulebook;
use whoisd::policy::Rules;
use whoisd::query::{Answer, answer};
use whoisd::sample::build::build_directory;
use whoisd::sample::{Registry, Settings};
use whoisd::view::View;
use whoisd_benches::{Options, Random, measure, print, print_figures, timed};

/// Queries of a measurement.
const QUERIES: u64 = 300_000;

fn main() {
    let options = Options::of_arguments(1_000_000, 2_000);
    let temporary = tempfile::tempdir().unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == "--dir");
    let directory = given.map(|at| PathBuf::from(&arguments[at + 1]));
    let directory = directory.unwrap_or_else(|| {
        let registry = Registry::new(&Settings::of_size(options.domains).unwrap());
        let build = || build_directory(&registry, temporary.path(), 1 << 30, &mut |_, _, _| {});
        let (built, seconds) = timed(build);
        built.unwrap();
        print("sample into a directory", &format!("{seconds:.2} s"));
        temporary.path().to_owned()
    });
    run(&directory, options);
}

fn run(directory: &Path, options: Options) {
    let (view, seconds) = timed(|| View::open(directory).unwrap());
    print("open", &format!("{:.0} us", seconds * 1e6));
    let ((), seconds) = timed(|| view.prepare().unwrap());
    print("load and compare checksums", &format!("{:.1} ms", seconds * 1e3));
    let base = view.base();
    let count = base.count(Kind::Domain);
    print("domains", &count.to_string());
    let mut random = Random(3);
    let queries = if options.smoke { 2_000 } else { QUERIES };
    let mut pick = |kind: Kind| u32::try_from(random.below(base.count(kind).into())).unwrap();
    let domains: Vec<String> = (0..queries)
        .map(|_| base.record::<ArchivedDomain>(pick(Kind::Domain)).unwrap().name.to_string())
        .collect();
    let contacts: Vec<String> = (0..queries)
        .map(|_| {
            let contact = base.record::<ArchivedContact>(pick(Kind::Contact)).unwrap();
            format!("contact {}", contact.field(ContactField::Id))
        })
        .collect();
    let misses: Vec<String> = domains.iter().map(|name| format!("zq{name}")).collect();
    let wildcards: Vec<String> = (domains.iter().take(10_000))
        .map(|name| format!("{}%", name.chars().take(7).collect::<String>()))
        .filter(|pattern| pattern.len() == 8 && !pattern.contains(['.', '_']))
        .collect();
    let open: Rulebook = toml::from_str("[defaults]\npreset = \"open\"\n").unwrap();
    let thick = Rules::compile(&open).unwrap();
    let standard = Rules::standard();
    let mut out = Answer::new();
    let bytes: usize = (domains.iter().take(10_000))
        .map(|name| {
            answer(&view, &thick, name.as_bytes(), &mut out);
            out.bytes().len()
        })
        .sum();
    let mean = bytes / domains.len().min(10_000);
    print("thick answer, mean", &format!("{mean} bytes"));
    print_figures("find a domain", {
        measure(options.rounds(), &domains, |name| {
            assert!(black_box(base.find_domain(name)).unwrap().is_some());
        })
    });
    let cases: [(&str, &Rules, &[String]); 6] = [
        ("domain, thick answer", &thick, &domains),
        ("domain, standard rules", &standard, &domains),
        ("domain, miss", &thick, &misses),
        ("contact", &thick, &contacts),
        ("wildcard", &thick, &wildcards),
        ("domain, the same one", &thick, &vec![domains[0].clone(); 10_000]),
    ];
    for (name, rules, lines) in cases {
        print_figures(name, {
            measure(options.rounds(), lines, |line| {
                black_box(answer(&view, rules, line.as_bytes(), &mut out));
            })
        });
    }
}
