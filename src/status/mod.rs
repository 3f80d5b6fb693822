//! Health and figures over HTTP: whether the server lives, whether it is ready, how fresh its data
//! are.
//!
//! ```text
//! /live       200 while the process runs
//! /ready      200, or 503 when a shard does not serve yet, the server is about to stop, or the
//!             data are older than a setting allows
//! /freshness  JSON: generation, serial, times, age, the feed
//! /metrics    the same as Prometheus text
//! ```
//!
//! # Invariants
//!
//! - `unready first`: from the stop signal on `/ready` fails, before any listener closes.
//! - `one request`: a connection ends with its answer, and is cut after some seconds without one: a
//!   client that holds connections open takes no descriptors away from the rest of the process.
//! - `stale beats gone`: old data never make `/live` fail, and `/ready` only if it was asked for.
//!
//! # Does not
//!
//! Touch shards: it reads the view that is published, on a thread of its own.

mod age;
mod bounded;
pub mod health;
mod metrics;
mod readout;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use snapshot_format::Kind;
use snapshot_format::dump::Utc;

pub use self::age::Age;
use self::bounded::Bounded;
pub use self::metrics::Service;
use self::metrics::Text;
use crate::feed::nats;
use crate::feed::spool::{self, Waiting};
use crate::observe::printable::counted;
use crate::place::aside::{self, Place};
use crate::updater::Views;
use crate::view::believed;

/// How often the thread checks whether to end.
const STOP_PAUSE: Duration = Duration::from_millis(100);

/// Where health and figures are read from.
#[derive(Clone)]
pub struct Sources {
    /// What is served.
    pub views: Views,
    /// The report of a fleet's feed, where there is one.
    pub feed: Option<Arc<nats::Status>>,
    /// The report of the spool, where there is one.
    pub spool: Option<Arc<spool::Status>>,
    /// How old the data were when they were seen first.
    pub age: Arc<Age>,
    /// Age of the data at which the server stops being ready, seconds; 0: never.
    pub age_max_s: u64,
    /// Whether every shard serves.
    pub serving: Arc<AtomicBool>,
    /// Whether the server is about to stop.
    pub draining: Arc<AtomicBool>,
    /// Shards, guard and query log, where there are some.
    pub service: Option<Service>,
    /// When the server started, ms since the epoch.
    pub started_ms: i64,
    /// Reads the wall clock, ms since the epoch.
    pub now_ms: fn() -> i64,
    /// Reads a clock that nobody sets, ms.
    pub steady_ms: fn() -> i64,
}

/// The figures of one moment.
struct Figures {
    generation: u64,
    serial: u64,
    committed_ms: i64,
    heartbeat_ms: i64,
    age_s: u64,
    deposit: Arc<str>,
    changed: usize,
    log_bytes: u64,
    counts: [u32; 6],
    feed: Option<Arc<nats::Report>>,
    spool: Option<Arc<spool::Report>>,
    steady_ms: i64,
}

impl Sources {
    fn figures(&self) -> Figures {
        let view = self.views.load();
        let (state, data) = (view.state(), view.data());
        let (changed, log_bytes) = data.changed();
        // Without changes a sign of life says that there were none.
        let newest_ms = state.committed_ms.max(state.heartbeat_ms);
        let steady_ms = (self.steady_ms)();
        let now_ms = (self.now_ms)();
        let age_ms = self.age.of(newest_ms, now_ms, steady_ms);
        // A time to come is shown as when it was seen first.
        let shown = |claimed_ms: i64| match believed(claimed_ms, now_ms) {
            believed_ms if believed_ms == claimed_ms => claimed_ms,
            _ => now_ms.saturating_sub(age_ms),
        };
        Figures {
            generation: state.generation,
            serial: state.serial,
            committed_ms: shown(state.committed_ms),
            heartbeat_ms: shown(state.heartbeat_ms),
            age_s: u64::try_from(age_ms / 1000).unwrap_or(0),
            deposit: Arc::clone(&state.deposit),
            changed,
            log_bytes,
            counts: Kind::ALL.map(|kind| data.count(kind)),
            feed: self.feed.as_ref().map(|feed| feed.report()),
            spool: self.spool.as_ref().map(|spool| spool.report()),
            steady_ms,
        }
    }

    /// Whether the server is ready; if not, why.
    fn ready(&self) -> Result<(), NotReady> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(NotReady::Draining);
        }
        if !self.serving.load(Ordering::Relaxed) {
            return Err(NotReady::Starting);
        }
        let figures = self.figures();
        let (age_s, age_max_s) = (figures.age_s, self.age_max_s);
        if age_max_s > 0 && age_s > age_max_s {
            return Err(NotReady::Old { age_s, age_max_s });
        }
        // A change that waits makes the data as old as it waits; a file that was applied does not.
        let is_behind =
            figures.spool.as_ref().and_then(|spool| Some(spool.waiting.as_ref()?.is_behind));
        let waits = figures.spool_waits().filter(|_| is_behind == Some(true));
        match waits.filter(|(waits_s, _)| age_max_s > 0 && *waits_s > age_max_s) {
            Some((_, what)) => Err(NotReady::Waiting { what, age_max_s }),
            None => Ok(()),
        }
    }
}

/// Why a server is not ready.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NotReady {
    /// It is about to stop.
    #[error("draining: the server is about to stop")]
    Draining,
    /// It does not serve yet.
    #[error("starting: a shard does not serve yet")]
    Starting,
    /// Its data are too old.
    #[error(
        "the data are {age_s} s old, at most {age_max_s} s are allowed (status.ready_age_max_s)"
    )]
    Old { age_s: u64, age_max_s: u64 },
    /// Changes have waited in the spool for too long; `what` says which and for how long.
    #[error("{what}; at most {age_max_s} s are allowed (status.ready_age_max_s)")]
    Waiting { what: String, age_max_s: u64 },
}

impl Figures {
    /// How long something waits in the spool, seconds, and what, as a sentence.
    fn spool_waits(&self) -> Option<(u64, String)> {
        let waiting = self.spool.as_ref()?.waiting.as_ref()?;
        let (count, age_s) = (waiting.count, waiting.age_s(self.steady_ms));
        let Waiting { file, problem, .. } = waiting;
        let files = counted(count, "file");
        let what = match (count, file.is_empty()) {
            (_, true) => format!("{files} in the spool, and none was applied for {age_s} s"),
            (0, false) => format!("in the spool for {age_s} s: {file}: {problem}"),
            _ => format!(
                "waiting in the spool for {age_s} s: {files}, the first of them {file}: {problem}"
            ),
        };
        Some((age_s, what))
    }

    fn json(&self) -> String {
        let time = |ms: i64| (ms != i64::MIN).then(|| Utc(ms).to_string());
        let feed = self.feed.as_ref().map(|feed| {
            json!({
                "server": feed.server,
                "source": feed.source,
                "serial": feed.serial,
                "received": time(feed.received_ms),
                "backlog": feed.backlog_count,
                "error": feed.error.as_ref().map(|trouble| trouble.text.as_str()),
            })
        });
        let all = json!({
            "generation": self.generation,
            "serial": self.serial,
            "newest_change": time(self.committed_ms),
            "sign_of_life": time(self.heartbeat_ms),
            "age_s": self.age_s,
            "last_deposit": &*self.deposit,
            "feed": feed,
            "spool": self.spool.as_ref().map(|spool| {
                let waiting = spool.waiting.as_ref();
                json!({
                    "waiting": waiting.map_or(0, |waiting| waiting.count),
                    "waiting_s": waiting.map_or(0, |waiting| waiting.age_s(self.steady_ms)),
                    "file": waiting.map(|waiting| waiting.file.as_str()),
                    "problem": waiting.map(|waiting| waiting.problem.as_str()),
                    "applied": spool.applied_count,
                    "rejected": spool.rejected_count,
                })
            }),
        });
        format!("{all}\n")
    }

    fn metrics(&self, text: &mut Text) {
        let seconds = |ms: i64| u64::try_from(ms / 1000).unwrap_or(0);
        text.gauge("whoisd_generation", "Number of the generation served.", self.generation);
        text.gauge("whoisd_serial", "Last serial contained; 0 without a feed.", self.serial);
        text.gauge(
            "whoisd_data_age_seconds",
            "Age of the newest change or sign of life.",
            self.age_s,
        );
        text.gauge("whoisd_changed_keys", "Keys that differ from the base.", self.changed);
        text.gauge("whoisd_change_log_bytes", "Bytes of changes over the base.", self.log_bytes);
        let committed = seconds(self.committed_ms);
        text.gauge("whoisd_newest_change_timestamp_seconds", "Its commit time.", committed);
        const RECORDS: &str = "whoisd_records";
        text.family(RECORDS, "gauge", "Records, by kind.");
        for (kind, count) in Kind::ALL.iter().zip(self.counts) {
            let kind = kind.word().replace(' ', "_");
            text.value(RECORDS, format_args!("{{kind=\"{kind}\"}}"), count);
        }
        self.spool_metrics(text);
        let Some(feed) = &self.feed else { return };
        let connected = u64::from(feed.server.is_some());
        text.gauge("whoisd_feed_connected", "Whether the feed has a server.", connected);
        text.gauge("whoisd_feed_backlog", "Messages not delivered yet.", feed.backlog_count);
        let received = seconds(feed.received_ms);
        text.gauge("whoisd_feed_received_timestamp_seconds", "Last message.", received);
        let failing = u64::from(feed.error.is_some());
        text.gauge("whoisd_feed_failing", "Whether something is wrong with the feed.", failing);
        for (name, help, value) in [
            ("whoisd_feed_records_total", "Records taken in.", feed.record_count),
            ("whoisd_feed_refused_total", "Messages left out.", feed.refused_count),
            ("whoisd_feed_connects_total", "Connections made.", feed.connect_count),
            ("whoisd_feed_snapshots_total", "Snapshots fetched.", feed.refetch_count),
        ] {
            text.counter(name, help, value);
        }
    }
}

impl Figures {
    fn spool_metrics(&self, text: &mut Text) {
        let Some(spool) = &self.spool else { return };
        let waiting = spool.waiting.as_ref();
        let count = waiting.map_or(0, |waiting| waiting.count);
        text.gauge("whoisd_spool_waiting_files", "Files that wait in the spool.", count);
        text.gauge(
            "whoisd_spool_waiting_seconds",
            "Since when no file went out of the spool while some wait.",
            waiting.map_or(0, |waiting| waiting.age_s(self.steady_ms)),
        );
        for (name, help, value) in [
            ("whoisd_spool_applied_total", "Files applied.", spool.applied_count),
            ("whoisd_spool_rejected_total", "Files refused.", spool.rejected_count),
        ] {
            text.counter(name, help, value);
        }
    }
}

impl Sources {
    /// Everything as Prometheus text.
    fn scrape(&self) -> String {
        let mut text = Text::default();
        text.family("whoisd_build_info", "gauge", "1; the label says which version runs.");
        let version = format_args!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        text.value("whoisd_build_info", version, 1);
        let draining = u8::from(self.draining.load(Ordering::Relaxed));
        text.gauge("whoisd_draining", "Whether the server is about to stop.", draining);
        self.figures().metrics(&mut text);
        if let Some(service) = &self.service {
            service.write(&mut text);
        }
        text.0
    }
}

async fn ready(State(sources): State<Sources>) -> Response {
    match sources.ready() {
        Ok(()) => match sources.figures().spool_waits() {
            Some((_, what)) => format!("ready, but {what}\n").into_response(),
            None => "ready\n".into_response(),
        },
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn freshness(State(sources): State<Sources>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, sources.figures().json()).into_response()
}

async fn metrics(State(sources): State<Sources>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, sources.scrape()).into_response()
}

/// Ends the connection after its answer.
async fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Answers on `listener` on a thread at `place` until `stop` is true.
///
/// # Errors
///
/// If there can be no further thread.
pub fn start(
    listener: TcpListener,
    sources: Sources,
    stop: Arc<AtomicBool>,
    place: Place<'_>,
) -> io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let routes = Router::new()
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready))
        .route("/freshness", get(freshness))
        .route("/metrics", get(metrics))
        .layer(map_response(closing))
        .with_state(sources);
    let end = async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(STOP_PAUSE).await;
        }
    };
    aside::spawn("status", place, move || {
        let served = runtime.block_on(async {
            let listener = Bounded::new(tokio::net::TcpListener::from_std(listener)?);
            let serve = async { axum::serve(listener, routes).await };
            // Whatever is under way is not waited for: these are figures.
            tokio::select! { served = serve => served, () = end => Ok(()) }
        });
        if let Err(error) = served {
            tracing::error!(%error, "health and figures are not answered any more");
        }
    })
}

#[cfg(test)]
pub(in crate::status) mod tests {
    use std::io::{Cursor, Read, Write};
    use std::net::TcpStream;
    use std::rc::Rc;

    use arc_swap::ArcSwap;
    use snapshot_format::record::Meta;
    use snapshot_format::sort::MemoryScratch;
    use snapshot_format::{Builder, Options};

    use super::*;
    use crate::place::aside::Weight;
    use crate::view::View;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn sources(age_max_s: u64) -> Sources {
        let options = Options { watermark_ms: NOW_MS - 61_000, ..Options::default() };
        let out = Cursor::new(Vec::new());
        let builder = Builder::new(out, Rc::new(MemoryScratch), options).unwrap();
        let (out, _) = builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
        let view = View::of_bytes(out.into_inner()).unwrap();
        let views = Arc::new(ArcSwap::new(Arc::new(view)));
        let feed = Some(Arc::new(nats::Status::default()));
        let (serving, draining) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let (service, started_ms, now_ms) = (None, 0, || NOW_MS);
        let (age, steady_ms) = (Arc::default(), (|| 0) as fn() -> i64);
        let spool = Some(Arc::new(spool::Status::new(steady_ms)));
        Sources {
            views,
            feed,
            spool,
            age,
            age_max_s,
            serving,
            draining,
            service,
            started_ms,
            now_ms,
            steady_ms,
        }
    }

    /// A scrape of a server that has everything.
    pub(in crate::status) fn whole_scrape() -> String {
        let mut warden = crate::warden::Figures::default();
        warden.site = Some(Arc::default());
        let service = Service {
            shards: vec![Arc::new(crate::observe::ShardFigures::new(2))],
            guard: Arc::new(crate::policy::guard::Guard::open()),
            rules: Arc::new(ArcSwap::from_pointee(
                crate::policy::Rules::compile(&Default::default()).unwrap(),
            )),
            warden: Arc::new(warden),
            lists: Arc::default(),
            kernel: Some(Arc::default()),
            log: Some(Arc::default()),
            index: Some(Arc::default()),
            certificates: Some(Arc::default()),
        };
        Sources { service: Some(service), ..sources(0) }.scrape()
    }

    #[test]
    fn old_data_make_the_server_unready_only_if_a_bound_is_set() {
        assert_eq!(sources(0).ready(), Ok(()));
        assert_eq!(sources(61).ready(), Ok(()));
        let why = sources(60).ready().unwrap_err().to_string();
        assert!(why.contains("61 s old, at most 60 s"), "{why}");
    }

    #[test]
    fn a_newest_change_that_lies_ahead_is_shown_as_when_it_was_seen_first() {
        const EARLIER_MS: i64 = NOW_MS - 315_360_000_000;
        let sources = Sources { now_ms: || EARLIER_MS, ..sources(0) };
        assert_eq!(sources.figures().committed_ms, EARLIER_MS);
    }

    #[test]
    fn a_server_that_starts_or_is_about_to_stop_is_not_ready() {
        let sources = sources(0);
        sources.serving.store(false, Ordering::Relaxed);
        assert_eq!(sources.ready(), Err(NotReady::Starting));
        sources.serving.store(true, Ordering::Relaxed);
        assert_eq!(sources.ready(), Ok(()));
        sources.draining.store(true, Ordering::Relaxed);
        assert_eq!(sources.ready(), Err(NotReady::Draining));
    }

    #[test]
    fn a_connection_ends_with_its_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
        let thread = start(listener, sources(0), Arc::clone(&stop), place).unwrap();
        for path in ["/live", "/nothing"] {
            let mut client = TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            write!(client, "GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }

    #[test]
    fn figures_say_generation_age_and_feed() {
        let figures = sources(0).figures();
        let all: serde_json::Value = serde_json::from_str(&figures.json()).unwrap();
        assert_eq!((&all["generation"], &all["age_s"]), (&json!(1), &json!(61)));
        assert_eq!(all["newest_change"], "2027-01-15T07:58:59Z");
        assert_eq!(all["sign_of_life"], json!(null));
        let text = sources(0).scrape();
        for line in [
            "whoisd_data_age_seconds 61",
            "whoisd_feed_connected 0",
            "# TYPE whoisd_feed_records_total counter",
            "whoisd_records{kind=\"IDN_table\"} 0",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in {text}");
        }
    }
}
