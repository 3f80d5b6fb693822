//! A whole import of a generated deposit, XML and CSV, on one core: read, vet, sort, build.
//!
//! `taskset -c 1 cargo bench -p whoisd-benches --bench import [-- --domains N | --smoke]`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use snapshot_format::sort::Scratch;
use whoisd::export::csv::Options as Csv;
use whoisd::import::{self, Quiet};
use whoisd::observe::clock::wall_ms;
use whoisd::sample::{Registry, Settings, deposit};
use whoisd::store::DiskScratch;
use whoisd_benches::{Options, median, print, timed};

fn main() {
    let options = Options::of_arguments(1_000_000, 2_000);
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::new(&Settings::of_size(options.domains).unwrap());
    let xml = directory.path().join("deposit.xml");
    let mut out = BufWriter::new(File::create(&xml).unwrap());
    let quiet = &mut |_: &str, _, _| {};
    deposit::write_rde_xml(&registry, &mut out, quiet).unwrap();
    out.flush().unwrap();
    let csv = directory.path().join("csv");
    std::fs::create_dir(&csv).unwrap();
    let csv = deposit::write_rde_csv(&registry, &csv, Csv::default(), quiet).unwrap();
    run("XML", &xml, directory.path(), options);
    run("CSV", &csv, directory.path(), options);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn run(model: &str, deposit: &Path, directory: &Path, options: Options) {
    let bytes: u64 = if model == "XML" {
        deposit.metadata().unwrap().len()
    } else {
        let files = deposit.parent().unwrap().read_dir().unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    let mut rates: Vec<f64> = (0..if options.smoke { 1 } else { 3 })
        .map(|round| {
            let out = tempfile::tempfile_in(directory).unwrap();
            let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(directory));
            let settings = import::Options {
                deposits: vec![deposit.to_owned()],
                pipes: import::Pipes::default(),
                memory_bytes: import::Options::MEMORY_BYTES,
                content_bytes_max: import::Options::CONTENT_BYTES_MAX,
                follow: import::Follow::Any,
                strict: true,
                findings_max: None,
                now_ms: wall_ms(),
                hash_seed: 1 + round,
                generation: 1,
            };
            let import = || import::run(&settings, &scratch, out, None, &mut Quiet);
            let (made, seconds) = timed(import);
            // Strict: a sample has no defects.
            assert!(made.is_ok());
            options.domains as f64 / seconds
        })
        .collect();
    let per_domain = bytes as f64 / options.domains as f64;
    let rate = median(&mut rates);
    let speed = rate * per_domain / 1e6;
    print(
        &format!("import, {model}"),
        &format!("{rate:.0} domains/s, {per_domain:.0} bytes a domain, {speed:.0} MB/s"),
    );
}
