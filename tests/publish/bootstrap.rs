//! A base of the whole database, and changes that go on from it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use snapshot_format::{Kind, delta};
use whoisd::feed::{Body, ChangeRecord};
use whoisd::policy::Tier;
use whoisd::query::whois::{self, Answer};
use whoisd::store::{Live, Settings, Stamp, Writer};
use whoisd::view::{Disk, View};

use crate::database::{Database, Session};
use crate::received::Received;

/// The answers of a directory to the queries, without their last lines, which tell its age.
fn answers(path: &Path, queries: &[String]) -> Vec<String> {
    let settings = whoisd::config::load(None, &whoisd::config::Flags::default()).unwrap().settings;
    let rules = settings.answers.rules();
    let view = View::open(path).unwrap();
    let mut answer = Answer::new();
    let answer_to = |query: &String| {
        whois::answer(&view, rules, Tier::PUBLIC, query.as_bytes(), &mut answer);
        let text = String::from_utf8_lossy(answer.bytes()).into_owned();
        let lines = text.lines().filter(|line| !line.starts_with(">>>"));
        lines.collect::<Vec<_>>().join("\n")
    };
    queries.iter().map(answer_to).collect()
}

/// Applies records with greater serials than the base to it.
fn apply(path: &Path, serial: u64, records: &[ChangeRecord]) {
    let writer = Writer::lock(Disk::new(path), Settings::default()).unwrap();
    let mut live = Live::open(writer).unwrap();
    assert_eq!(live.generation().state().serial, serial);
    let later = records.iter().filter(|record| record.serial > serial);
    for (expected, record) in (serial + 1..).zip(later) {
        assert_eq!(record.serial, expected);
        let Body::Change(change) = &record.body else { continue };
        let batch = delta::encode(live.generation(), [&**change], &mut |_, _| {}).unwrap();
        let committed_ms = record.committed_ms;
        let stamp = Stamp { serial: record.serial, committed_ms, heartbeat_ms: committed_ms };
        live.append(&batch, stamp).unwrap();
    }
}

/// Steps of [`work`] at least and at most.
const STEPS: std::ops::Range<u32> = 60..2000;

/// A registry at work: each step a transaction.
fn work(session: &Session, stop: &AtomicBool) -> u32 {
    let mut steps = 0;
    while steps < STEPS.start || (!stop.load(Ordering::Relaxed) && steps < STEPS.end) {
        let n = steps;
        session.execute(&match n % 4 {
            0 => format!(
                "BEGIN; INSERT INTO registry.contacts (id, roid, registrar, email)
                     VALUES ('W-{n}', 'W{n}-DEMO', 'reg-1', 'w{n}@example.demo');
                 INSERT INTO registry.domains (name, zone, roid, registrar)
                     VALUES ('w{n}.demo', 'demo', 'D{n}-WORK', 'reg-1');
                 INSERT INTO registry.domain_contacts VALUES ('w{n}.demo', 'registrant', 'W-{n}');
                 INSERT INTO registry.hosts (name, roid, superordinate)
                     VALUES ('ns.w{n}.demo', 'H{n}-WORK', 'w{n}.demo');
                 INSERT INTO registry.domain_hosts VALUES ('w{n}.demo', 1, 'ns.w{n}.demo'); COMMIT"
            ),
            1 => format!(
                "UPDATE registry.domains SET registrar = 'reg-2', transferred = now()
                 WHERE name = 'w{}.demo'",
                n - 1
            ),
            2 => format!("UPDATE registry.registrars SET email = 'mail{n}@example.demo'"),
            _ if n > 8 => format!("DELETE FROM registry.domains WHERE name = 'w{}.demo'", n - 7),
            _ => format!("UPDATE registry.contacts SET voice = '+49.{n}'"),
        });
        steps += 1;
    }
    steps
}

#[test]
fn a_base_and_the_changes_after_it_are_the_whole_registry() {
    let mut database = Database::unpublished("");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let session = database.connect();
    let stop = AtomicBool::new(false);
    let (first, steps) = thread::scope(|scope| {
        let working = scope.spawn(|| work(&session, &stop));
        // Changes that are published already, and those that are not, are in the base.
        let mut early = Received::default();
        database.publish_to(Some(&mut early));
        let first = database.bootstrap(folders[0].path());
        stop.store(true, Ordering::Relaxed);
        assert!(first.serial >= early.records.last().unwrap().serial);
        (first, working.join().unwrap())
    });
    assert_eq!((first.refused_count, first.hidden_count), (0, 0));
    database.publish();
    apply(folders[0].path(), first.serial, &database.received.records);
    let second = database.bootstrap(folders[1].path());
    assert_eq!(Some(second.serial), database.received.records.last().map(|last| last.serial));
    let mut queries = vec!["registrar One".to_owned(), "contact C-1".to_owned()];
    queries.extend(["example.demo", "nameserver ns1.example.demo"].map(str::to_owned));
    for n in 0..steps {
        queries.push(format!("w{n}.demo"));
        queries.push(format!("nameserver ns.w{n}.demo"));
        queries.push(format!("contact W-{n}"));
    }
    let (continued, whole) =
        (answers(folders[0].path(), &queries), answers(folders[1].path(), &queries));
    for ((query, continued), whole) in queries.iter().zip(continued).zip(whole) {
        assert_eq!(continued, whole, "{query}");
    }
    let domains = database.session.number("SELECT count(*) FROM registry.domains");
    assert_eq!(i64::from(second.summary.count(Kind::Domain)), domains);
}

#[test]
fn a_base_leaves_out_rows_that_are_not_records_and_refuses_a_key_twice() {
    let mut database = Database::unpublished("");
    database.session.execute(
        "INSERT INTO registry.registrars (id, name, created) VALUES ('bad', 'Bad', 'infinity')",
    );
    let folder = tempfile::tempdir().unwrap();
    let made = database.bootstrap(folder.path());
    assert_eq!((made.refused_count, made.summary.count(Kind::Registrar)), (1, 2));
    assert_eq!(made.generation, 1);
    database.session.execute(
        "ALTER VIEW whoisd.idn_tables RENAME TO kept;
         CREATE VIEW whoisd.idn_tables AS
             SELECT 'de' AS id, 'u' AS url, 'p' AS \"urlPolicy\" FROM generate_series(1, 2);
         GRANT SELECT ON whoisd.idn_tables TO whoisd_publisher",
    );
    let options = whoisd::publish::BootstrapOptions {
        from: database.url().to_owned(),
        into: folder.path().to_owned(),
        memory_bytes: 64 << 20,
        keep: 0,
        permits: whoisd::store::Permits::default(),
    };
    let error = whoisd::publish::bootstrap(&options, &database.rules).unwrap_err().to_string();
    assert!(error.contains("whoisd.idn_tables has two rows of \"de\""), "{error}");
    assert!(View::open(folder.path()).is_ok(), "the generation that was there stays");
    assert_eq!(database.publish().len(), 8);
}

#[test]
fn a_base_that_would_lose_much_of_a_registry_is_refused_and_names_its_option() {
    let database = Database::unpublished("");
    let insert = |n: u32| {
        format!(
            "INSERT INTO registry.domains (name, zone, roid, registrar)
                 VALUES ('g{n}.demo', 'demo', 'G{n}-DEMO', 'reg-1');"
        )
    };
    database.session.execute(&(0..20).map(insert).collect::<String>());
    let folder = tempfile::tempdir().unwrap();
    let first = database.bootstrap(folder.path());
    database.session.execute("DELETE FROM registry.domains WHERE name LIKE 'g1%'");
    let mut options = whoisd::publish::BootstrapOptions {
        from: database.url().to_owned(),
        into: folder.path().to_owned(),
        memory_bytes: 64 << 20,
        keep: 0,
        permits: whoisd::store::Permits::default(),
    };
    let error = whoisd::publish::bootstrap(&options, &database.rules).unwrap_err();
    assert!(!error.is_transient());
    let said = error.to_string();
    assert!(said.contains("at most 20 % fewer") && said.ends_with("--allow fewer"), "{said}");
    assert_eq!(View::open(folder.path()).unwrap().generation(), first.generation);
    options.permits.named.push(whoisd::store::Permit::Fewer);
    let second = whoisd::publish::bootstrap(&options, &database.rules).unwrap();
    let [before, after] = [first, second].map(|made| made.summary.count(Kind::Domain));
    assert_eq!(before - after, 11);
}

#[test]
fn a_base_shows_a_nameserver_without_a_row_by_its_name() {
    let database = Database::unpublished("");
    database.session.execute(
        "ALTER VIEW whoisd.hosts RENAME TO all_hosts;
         CREATE VIEW whoisd.hosts AS SELECT * FROM whoisd.all_hosts
             WHERE name <> 'ns1.example.demo';
         GRANT SELECT ON whoisd.hosts TO whoisd_publisher",
    );
    let folder = tempfile::tempdir().unwrap();
    database.bootstrap(folder.path());
    let queries = ["example.demo", "nameserver ns1.example.demo"].map(str::to_owned);
    let [domain, host] = answers(folder.path(), &queries).try_into().unwrap();
    assert!(domain.contains("\nName Server: ns1.example.demo\n"), "{domain}");
    assert!(host.starts_with("No Data Found"), "{host}");
}
