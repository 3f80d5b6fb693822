//! The query log as others use it: the library's threads, a real NATS server, the `whoisd log`
//! commands; their output against a model from a seed.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]
#![expect(clippy::disallowed_types, reason = "the helpers have a node in memory")]
#![expect(unreachable_pub, reason = "the helpers are a module of this test")]
#![expect(dead_code, reason = "the helpers serve the feed's tests too")]

mod nats;

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt;
use tokio::runtime::Builder;
use whoisd::place::aside::{Place, Weight};
use whoisd::querylog::{
    Counts, Entry, Format, Privacy, ROW_VERSION, Recorder, Row, Settings, StreamSettings, Writer,
    read_lines, start,
};

const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };
/// 2026-11-26T01:22:03.456Z.
const AT_MS: i64 = 1_795_656_123_456;

fn settings(dir: &Path) -> Settings {
    Settings { dir: Some(dir.to_owned()), flush_ms: 50, ..Settings::default() }
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// The queries, as a model counts them.
#[derive(Default)]
struct Model {
    queries: u64,
    bytes: u64,
    kinds: BTreeMap<String, BTreeMap<String, u64>>,
    tlds: BTreeMap<String, BTreeMap<String, u64>>,
    networks: BTreeMap<String, u64>,
    names: BTreeMap<String, u64>,
}

impl Model {
    /// Asks `count` queries of several kinds, from several networks, of several names.
    fn ask(&mut self, recorders: &mut [Recorder], random: &mut Random, count: u64) {
        for _ in 0..count {
            let kind = random.pick(&["domain", "nameserver", "registrar"]);
            let outcome = random.pick(&["found", "not_found", "limited"]);
            let tld = random.pick(&["example", "test", ""]);
            let (network, host) = (random.below(50), random.below(200));
            let v6 = random.below(4) == 0;
            let client: IpAddr = if v6 {
                format!("2001:db8:{network:x}::{host:x}").parse().unwrap()
            } else {
                format!("198.51.{network}.{host}").parse().unwrap()
            };
            let name = format!("Name-{}.Example", random.below(300));
            let bytes = u32::try_from(random.below(5_000)).unwrap();
            let shard = random.below(recorders.len() as u64);
            recorders[usize::try_from(shard).unwrap()].record(Entry {
                at_ms: AT_MS,
                server: "[2001:db8::1]:43".parse().unwrap(),
                client,
                kind,
                outcome,
                tier: "public",
                suffix: tld,
                name: name.as_bytes(),
                bytes,
                micros: 17,
                shard: u16::try_from(shard).unwrap(),
                generation: 5,
            });
            self.queries += 1;
            self.bytes += u64::from(bytes);
            *self.kinds.entry(kind.into()).or_default().entry(outcome.into()).or_default() += 1;
            *self.tlds.entry(tld.into()).or_default().entry(outcome.into()).or_default() += 1;
            let network = if v6 {
                format!("2001:db8:{network:x}::/48").replace("db8:0::", "db8::")
            } else {
                format!("198.51.{network}.0/24")
            };
            *self.networks.entry(network).or_default() += 1;
            *self.names.entry(name.to_ascii_lowercase()).or_default() += 1;
        }
    }

    fn most(table: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
        let mut all: Vec<_> = table.clone().into_iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(20);
        all
    }
}

fn whoisd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Logs 20,000 queries from a seed, over a restart; `None` if the ring was full.
fn log(settings: &Settings) -> Model {
    let (mut model, mut random) = (Model::default(), Random(7));
    for _ in 0..2 {
        let (mut recorders, writer) = start(settings, 3, PLACE).unwrap();
        for _ in 0..20 {
            model.ask(&mut recorders, &mut random, 500);
            thread::sleep(Duration::from_millis(10));
        }
        let figures = writer.figures();
        writer.stop();
        let report = figures.report();
        assert_eq!((report.dropped(), report.written), (0, 10_000), "{report:?}");
        assert!(report.written_bytes > 10_000 && report.shards.len() == 3, "{report:?}");
    }
    model
}

#[test]
fn a_summary_says_what_a_model_says_from_either_kind_of_file() {
    for format in [Format::Jsonl, Format::Parquet, Format::Both] {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { format, rotate_bytes: 50_000, ..settings(folder.path()) };
        let model = log(&settings);
        let dir = folder.path().to_str().unwrap();
        let output = whoisd(&["log", "summary", dir, "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let said_at = |at: &str| said.pointer(at).unwrap_or_else(|| panic!("{at}: {said}"));
        assert_eq!(said_at("/total/queries"), model.queries, "{format:?}");
        assert_eq!(said_at("/total/bytes"), model.bytes);
        assert_eq!(said_at("/total/lost"), 0);
        let table = |at: &str| -> BTreeMap<String, BTreeMap<String, u64>> {
            serde_json::from_value(said_at(at).clone()).unwrap()
        };
        assert_eq!((table("/kinds"), table("/tlds")), (model.kinds.clone(), model.tlds.clone()));
        let of = |outcome: &str| -> u64 { model.kinds.values().map(|table| table[outcome]).sum() };
        assert_eq!(said_at("/total/responded"), of("found") + of("not_found"));
        let ratio = of("not_found") as f64 / (of("found") + of("not_found")) as f64;
        assert!((said_at("/total/miss_ratio").as_f64().unwrap() - ratio).abs() < 1e-9);
        let top = |at: &str| -> Vec<(String, u64)> {
            let rows = said_at(at).as_array().unwrap().iter();
            rows.map(|row| {
                (row["text"].as_str().unwrap().to_owned(), row["queries"].as_u64().unwrap())
            })
            .collect()
        };
        assert_eq!(top("/top_networks/rows"), Model::most(&model.networks));
        assert_eq!(top("/top_names/rows"), Model::most(&model.names));
        assert_eq!(said_at("/top_names/error"), 0);
        // The queries of the test carry an old time; they count for the day of their file, today.
        let day = said_at("/days/0/period").as_str().unwrap().to_owned();
        let words = text(&whoisd(&["log", "summary", dir]).stdout);
        // Unless midnight has come meanwhile.
        let is_one_day = said_at("/days").as_array().unwrap().len() == 1;
        assert!(!is_one_day || words.contains(&format!("{day}          20000")), "{words}");
        let none = whoisd(&["log", "summary", dir, "--to", "2026-01-01"]);
        assert_eq!(none.status.code(), Some(4));
        let verified = whoisd(&["log", "verify", dir]);
        assert!(verified.status.success(), "{}", text(&verified.stdout));
        assert!(text(&verified.stdout).contains("in no total yet"));
    }
}

#[test]
fn a_file_that_is_not_a_log_is_refused_with_its_name_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    fs::write(folder.path().join("queries-20261126T012203Z-1.jsonl.gz"), b"garbage").unwrap();
    let output = whoisd(&["log", "summary", dir]);
    assert_eq!(output.status.code(), Some(3));
    let error = text(&output.stderr);
    assert!(error.contains("queries-20261126T012203Z-1.jsonl.gz:1: damaged from here"), "{error}");
    assert!(text(&output.stdout).contains("NOT READ: "), "the rest is shown");
    fs::remove_file(folder.path().join("queries-20261126T012203Z-1.jsonl.gz")).unwrap();
    fs::write(folder.path().join("queries-20261126T012203Z-1.parquet"), b"garbage").unwrap();
    let output = whoisd(&["log", "summary", dir]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("-1.parquet: no Parquet file"));
    let missing = whoisd(&["log", "summary", &format!("{dir}/nowhere")]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(whoisd(&["log", "summary", dir, "--from", "yesterday"]).status.code(), Some(2));
    fs::write(folder.path().join("totals.jsonl"), b"{}\n").unwrap();
    let output = whoisd(&["log", "verify", dir]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("totals.jsonl:1: missing field"));
}

#[test]
fn no_address_is_in_a_log_that_hides_them() {
    for privacy in [Privacy::Hash, Privacy::Truncate] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        settings.privacy.privacy = privacy;
        let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
        Model::default().ask(&mut recorders, &mut Random(1), 1_000);
        writer.stop();
        let mut clients = BTreeMap::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "gz") {
                let file = BufReader::new(fs::File::open(&path).unwrap());
                let mut each = |row: &Row<'_>| {
                    *clients.entry(row.client.to_string()).or_insert(0_u64) += 1;
                    let shown = format!("{} {}", row.client, row.network);
                    let hidden = match privacy {
                        Privacy::Hash => !shown.contains(['.', '/']) && !shown.contains("::"),
                        _ => {
                            shown.split(' ').all(|one| one.ends_with("/24") || one.ends_with("/48"))
                        }
                    };
                    assert!(hidden, "{shown}");
                };
                read_lines(&path, file, &mut each).unwrap();
            }
        }
        assert_eq!(clients.values().sum::<u64>(), 1_000);
        let most = if privacy == Privacy::Hash { 1_000 } else { 100 };
        assert!(clients.len() > 50 && clients.len() <= most, "{}", clients.len());
    }
}

#[test]
fn settings_change_while_queries_come_but_for_the_directory_and_the_rings() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    Model::default().ask(&mut recorders, &mut Random(1), 10);
    settings.format = Format::Parquet;
    settings.ring_bytes *= 2;
    settings.dir = Some("/elsewhere".into());
    let changer = writer.changer();
    changer.commit(changer.prepare(&settings).unwrap());
    // Earlier entries are written under the earlier setting, and show that the change is taken.
    for _ in 0..6_000 {
        if writer.figures().report().written == 10 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(100));
    Model::default().ask(&mut recorders, &mut Random(2), 20);
    settings.privacy.privacy = Privacy::Hash;
    settings.privacy.key_file = Some(folder.path().join("no-key"));
    assert!(changer.prepare(&settings).err().unwrap().to_string().contains("no-key"));
    writer.stop();
    let ends: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| {
            name.strip_prefix("queries-")?.split_once('.').map(|two| two.1.to_owned())
        })
        .collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends.iter().any(|end| end == "parquet") && ends.iter().any(|end| end == "jsonl.gz"));
}

fn stream_settings(server: &nats::Server) -> Settings {
    Settings {
        flush_ms: 50,
        stream: Some(StreamSettings {
            servers: vec![format!("nats://127.0.0.1:{}", server.port)],
            subject: "whoisd.queries".to_owned(),
            credentials: None,
        }),
        ..Settings::default()
    }
}

/// Makes the stream that stores the subject.
fn make_stream(server: &nats::Server) {
    make_stream_by(server, async_nats::ConnectOptions::new());
}

fn make_stream_by(server: &nats::Server, options: async_nats::ConnectOptions) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("nats://127.0.0.1:{}", server.port);
    runtime.block_on(async {
        let jetstream = async_nats::jetstream::new(options.connect(url).await.unwrap());
        let config = async_nats::jetstream::stream::Config {
            name: "QUERIES".to_owned(),
            subjects: vec!["whoisd.queries".to_owned()],
            ..Default::default()
        };
        jetstream.create_stream(config).await.unwrap();
    });
}

/// All messages of the stream, one after the other, and the counts of rows in their headers.
fn stored(server: &nats::Server) -> (Vec<u8>, u64) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("nats://127.0.0.1:{}", server.port);
    runtime.block_on(async {
        let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
        let stream = jetstream.get_stream("QUERIES").await.unwrap();
        let count = stream.cached_info().state.messages;
        let config = async_nats::jetstream::consumer::pull::Config::default();
        let consumer = stream.create_consumer(config).await.unwrap();
        let mut messages = consumer.messages().await.unwrap();
        let (mut bytes, mut rows) = (Vec::new(), 0);
        for _ in 0..count {
            let message = messages.next().await.unwrap().unwrap();
            let headers = message.headers.as_ref().unwrap();
            assert_eq!(headers.get("Content-Encoding").unwrap().as_str(), "gzip");
            assert!(!headers.get("Whoisd-Node").unwrap().as_str().is_empty());
            assert_eq!(headers.get("Whoisd-Lost").unwrap().as_str(), "0");
            rows += headers.get("Whoisd-Rows").unwrap().as_str().parse::<u64>().unwrap();
            bytes.extend_from_slice(&message.payload);
        }
        (bytes, rows)
    })
}

fn sent(writer: &Writer, count: u64) {
    let figures = writer.figures();
    let there = || format!("{:?}", figures.report());
    nats::until("all rows sent", || figures.report().stream_sent >= count, there);
}

/// Waits until a batch waits for the server.
fn waits(writer: &Writer) {
    let figures = writer.figures();
    let there = || format!("{:?}", figures.report());
    nats::until("a batch waits", || figures.report().stream_waiting > 0, there);
}

#[test]
fn a_central_stream_gets_every_query_once_also_over_an_outage_and_a_restart() {
    if !nats::is_installed() {
        return;
    }
    let mut server = nats::Server::start();
    let settings = stream_settings(&server);
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    let (mut model, mut random) = (Model::default(), Random(3));
    // There is no stream yet: batches wait.
    model.ask(&mut recorders, &mut random, 500);
    waits(&writer);
    make_stream(&server);
    sent(&writer, 500);
    server.kill();
    model.ask(&mut recorders, &mut random, 700);
    waits(&writer);
    server.go_on();
    sent(&writer, 1_200);
    assert!(writer.figures().report().stream_connected);
    model.ask(&mut recorders, &mut random, 300);
    writer.stop();
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    model.ask(&mut recorders, &mut random, 100);
    let figures = writer.figures();
    writer.stop();
    assert_eq!((figures.report().stream_sent, figures.report().stream_dropped), (100, 0));
    let (bytes, said) = stored(&server);
    let mut counts = Counts::default();
    let read = read_lines(Path::new("stream"), &*bytes, &mut |row| {
        assert_eq!(row.v, ROW_VERSION);
        counts.add(row);
    });
    assert_eq!((read.unwrap().rows, said), (1_600, 1_600));
    assert_eq!((counts.kinds, counts.tlds), (model.kinds, model.tlds));
}

#[test]
fn without_a_server_a_bounded_number_waits_and_the_rest_is_counted() {
    let port = nats::free_port();
    let settings = Settings {
        flush_ms: 50,
        stream: Some(StreamSettings {
            servers: vec![format!("nats://127.0.0.1:{port}")],
            subject: "whoisd.queries".to_owned(),
            credentials: None,
        }),
        ..Settings::default()
    };
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    let mut model = Model::default();
    let mut random = Random(4);
    model.ask(&mut recorders, &mut random, 1_000);
    waits(&writer);
    let figures = writer.figures();
    writer.stop();
    let report = figures.report();
    assert_eq!((report.stream_sent, report.stream_dropped, report.stream_waiting), (0, 1_000, 0));
    assert_eq!(report.dropped(), 0, "no files are set: nothing of them is lost");
}

/// deploy/nats-server.conf keeps nodes from writing; its lines for the query log let them.
#[test]
fn the_deployed_example_takes_the_log_of_a_node_once_its_lines_are_let_in() {
    if !nats::is_installed() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = fs::read_to_string(root.join("deploy/nats-server.conf")).unwrap();
    for line in ["\"whoisd.queries\",", "{ user: admin, password: $WHOISD_ADMIN }"] {
        assert_eq!(config.matches(&format!("#{line}")).count(), 1, "{line}");
        config = config.replace(&format!("#{line}"), line);
    }
    let server = nats::Server::start_with(Some(config));
    let (name, password) = ("admin".to_owned(), "a-secret".to_owned());
    make_stream_by(&server, async_nats::ConnectOptions::with_user_and_password(name, password));
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("node");
    fs::write(&credentials, "node-1:n-secret\n").unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    let mut settings = stream_settings(&server);
    settings.stream.as_mut().unwrap().credentials = Some(credentials);
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    Model::default().ask(&mut recorders, &mut Random(5), 50);
    sent(&writer, 50);
    writer.stop();
}
