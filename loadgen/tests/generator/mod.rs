//! Runs of the generator against a server of a test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use whois_loadgen::http::HttpSettings;
use whois_loadgen::protocol::Protocol;
use whois_loadgen::result::RunResult;
use whois_loadgen::run::{Settings, run};
use whois_loadgen::schedule::Shape;
use whois_loadgen::workload::{Names, Profile, Source};

/// A run over WHOIS at a constant rate.
pub(crate) fn settings(target: SocketAddr, rate_per_s: f64, duration_s: f64) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("names");
    std::fs::write(&names, "one.example\r\ntwo.example\r\nthree.example\r\n").unwrap();
    let profile = Profile::named("thick").unwrap();
    Settings {
        targets: vec![target],
        sources: Vec::new(),
        shape: Shape::Constant { rate_per_s },
        duration_s,
        warm_up_s: 0.0,
        seed: 1,
        cores: vec![first_core()],
        in_flight_max: 2_048,
        // No test depends on how busy the machine is.
        timeout_ms: 120_000,
        late_after_us: 120_000_000,
        late_share_max: 0.05,
        protocol: Protocol::Whois,
        http: HttpSettings::default(),
        proxy: None,
        names: Source::open(&profile, &Names::File(names)).unwrap(),
        profile,
        expect: None,
        expect_share: 0.0,
        checked: true,
        server_pid: None,
    }
}

/// A processor that this process may use.
fn first_core() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().parse().unwrap()
}

/// Carries a run out.
pub(crate) fn measure(settings: &Settings) -> RunResult {
    run(settings, &Arc::new(AtomicBool::new(false)), &mut |_| {}).unwrap()
}
