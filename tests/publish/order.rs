//! Serials: no gap, commit order, nothing skipped, by any publisher, and however often.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use snapshot_format::Kind;
use whoisd::feed::{Body, ChangeRecord};
use whoisd::publish::{self, DirectorySink, PublishError, Settings, Sink, SinkError};

use crate::database::Database;
use crate::received::{Received, said};
use crate::server::Server;

/// Longest wait for an expected event.
const PATIENCE: Duration = Duration::from_secs(120);

#[expect(clippy::disallowed_methods, reason = "a test waits for threads")]
pub(crate) fn within_patience(mut happened: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if happened() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// The last serial that was put into a directory.
pub(crate) fn last_in(folder: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join(".published")).ok()?;
    text.split(' ').next()?.parse().ok()
}

pub(crate) fn registrar(id: &str) -> String {
    format!("INSERT INTO registry.registrars (id, name) VALUES ('{id}', '{id}')")
}

#[test]
fn overlapping_transactions_that_commit_in_the_other_order_are_both_published() {
    let mut database = Database::new();
    let (early, late) = (database.connect(), database.connect());
    early.execute("BEGIN");
    early.execute(&registrar("begun-first"));
    late.execute("BEGIN");
    late.execute(&registrar("begun-second"));
    assert!(database.publish().is_empty(), "nothing is committed");
    late.execute("COMMIT");
    assert_eq!(database.publish(), ["registrar begun-second"]);
    early.execute(&registrar("begun-first-2"));
    early.execute("COMMIT");
    assert_eq!(database.publish(), ["registrar begun-first", "registrar begun-first-2"]);
    let times: Vec<_> = database.received.records.iter().map(|one| one.committed_ms).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn transactions_of_one_batch_come_in_commit_order_and_stay_together() {
    let mut database = Database::new();
    let (one, two) = (database.connect(), database.connect());
    one.execute("BEGIN");
    two.execute("BEGIN");
    one.execute(&registrar("one-a"));
    two.execute(&registrar("two-a"));
    one.execute(&registrar("one-b"));
    two.execute(&registrar("two-b"));
    two.execute("COMMIT");
    one.execute("COMMIT");
    let came = database.publish();
    let expected = ["two-a", "two-b", "one-a", "one-b"].map(|id| format!("registrar {id}"));
    assert_eq!(came, expected);
    let records = &database.received.records;
    let ids: Vec<_> = records.iter().rev().take(4).map(|one| &one.transaction).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2] && ids[2] == ids[3]);
}

#[test]
fn a_change_that_was_rolled_back_is_not_published_and_leaves_no_gap() {
    let mut database = Database::new();
    database.session.execute("BEGIN");
    database.session.execute(&registrar("never"));
    database.session.execute("ROLLBACK");
    assert_eq!(database.commit(&registrar("after")), ["registrar after"]);
    assert!(database.session.try_execute("TRUNCATE registry.domain_hosts").is_err());
}

#[test]
fn a_batch_that_the_sink_lost_comes_again_with_the_same_serials() {
    let mut database = Database::new();
    let before = database.received.records.len();
    database.session.execute(&registrar("lost"));
    database.received.failures = 1;
    let settings = database.settings();
    let lost = publish::once(&settings, &database.rules, &mut database.received);
    assert!(matches!(lost, Err(PublishError::Sink(SinkError::Transient(_)))));
    database.session.execute(&registrar("next"));
    assert_eq!(database.publish(), ["registrar lost", "registrar next"]);
    // Another sink, which has nothing yet, gets everything under the same serials.
    let mut other = Received::default();
    database.publish_to(Some(&mut other));
    let serials = |received: &Received| -> Vec<_> {
        received.records.iter().map(|record| (record.serial, said(record))).collect()
    };
    assert_eq!(serials(&other), serials(&database.received));
    assert_eq!(other.objects, database.received.objects);
    assert_eq!(database.received.records.len(), before + 2);
}

#[test]
fn a_long_transaction_comes_in_several_batches_and_others_whole() {
    let mut database = Database::new();
    let many = |prefix: &str, count: u32| {
        format!(
            "INSERT INTO registry.registrars (id, name)
             SELECT '{prefix}-' || n, n FROM generate_series(1, {count}) n"
        )
    };
    database.session.execute(&many("a", 700));
    database.session.execute(&many("b", 700));
    database.session.execute(&many("c", 2500));
    database.received.batches.clear();
    assert_eq!(database.publish().len(), 3900);
    assert_eq!(database.received.batches, [700, 700, 1000, 1000, 500]);
}

#[test]
fn heartbeats_have_serials_of_their_own_and_come_only_in_silence() {
    let mut database = Database::new();
    let settings = Settings { heartbeat: Duration::ZERO, ..database.settings() };
    publish::once(&settings, &database.rules, &mut database.received).unwrap();
    let last = database.received.records.last().unwrap();
    assert_eq!((&last.body, last.transaction.as_str()), (&Body::Heartbeat, ""));
    database.session.execute(&registrar("loud"));
    let before = database.received.records.len();
    publish::once(&settings, &database.rules, &mut database.received).unwrap();
    assert_eq!(database.received.said(before)[0], "registrar loud");
    assert!(database.publish().is_empty());
}

#[test]
fn no_role_executes_a_function_that_writes_with_its_owners_rights() {
    let mut database = Database::new();
    database.session.execute(
        "DO $$ DECLARE open text; BEGIN
             SELECT string_agg(p.oid::regprocedure::text, ', ') INTO open
                 FROM pg_proc p WHERE p.pronamespace = 'whoisd'::regnamespace AND p.prosecdef
                 AND has_function_privilege('public', p.oid, 'EXECUTE');
             IF open IS NOT NULL THEN RAISE EXCEPTION 'everybody may execute %', open; END IF;
         END $$",
    );
    // Changes are noted all the same, by a role that has no rights here.
    assert_eq!(database.commit(&registrar("plain")), ["registrar plain"]);
}

#[test]
fn rows_that_are_not_records_are_left_out_and_the_rest_goes_on() {
    let mut database = Database::new();
    let came = database.commit(
        "INSERT INTO registry.registrars (id, name, created) VALUES ('bad', 'Bad', 'infinity');
         INSERT INTO registry.registrars (id, name) VALUES ('good', 'Good');
         RESET ROLE;
         SELECT whoisd.note('contact', repeat('x', 300));
         SELECT whoisd.note('domain', 'no name at all')",
    );
    assert_eq!(came, ["heartbeat", "registrar good", "heartbeat", "heartbeat"]);
    let came = database.commit(
        "UPDATE registry.registrars SET city = 'x', street = ARRAY(
             SELECT repeat('x', 1000) FROM generate_series(1, 1000)) WHERE id = 'good'",
    );
    assert_eq!(came, ["heartbeat"], "a megabyte is not read");
    assert_eq!(
        database.commit("UPDATE registry.registrars SET created = NULL WHERE id = 'bad'"),
        ["registrar bad"]
    );
}

#[test]
fn a_sink_of_another_database_and_one_that_is_too_old_are_refused() {
    let mut database = Database::new();
    let settings = database.settings();
    let mut ahead = Received::default();
    let beat = |serial| ChangeRecord {
        serial,
        committed_ms: 0,
        transaction: String::new(),
        body: Body::Heartbeat,
    };
    ahead.send(&[beat(5000)]).unwrap();
    let error = publish::once(&settings, &database.rules, &mut ahead).unwrap_err();
    assert!(matches!(error, PublishError::Ahead { have: 5000, .. }), "{error}");
    database.session.execute("DELETE FROM whoisd.serials WHERE serial <= 4");
    let mut old = Received::default();
    old.send(&[beat(2)]).unwrap();
    let error = publish::once(&settings, &database.rules, &mut old).unwrap_err();
    assert!(matches!(error, PublishError::Pruned { have: 2, first: 5 }), "{error}");
    assert!(error.to_string().contains("--bootstrap"), "{error}");
    assert!(database.publish().is_empty());
}

/// A standby that lost the last transactions takes over, and gives their serials again.
#[test]
fn a_database_that_went_back_is_noticed() {
    let database = Database::unpublished("");
    let settings = Settings { poll: Duration::from_millis(50), ..database.settings() };
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let session = database.connect();
    let error = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut sink = DirectorySink::new(folder.path()).unwrap();
            publish::run(&settings, &database.rules, &mut sink, &stop)
        });
        assert!(within_patience(|| last_in(folder.path()) == Some(7)));
        session.execute(
            "UPDATE whoisd.serials SET transaction = 'another' WHERE serial = 7;
             INSERT INTO whoisd.serials VALUES (8, now(), 'lost', 'registrar', 'reg-1');
             UPDATE whoisd.position SET last = 8",
        );
        assert!(within_patience(|| running.is_finished()));
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, PublishError::Rewound { have: 7 }), "{error}");
    session.execute("UPDATE whoisd.position SET source = 'pg-anew'");
    let mut sink = DirectorySink::new(folder.path()).unwrap();
    let error = publish::once(&settings, &database.rules, &mut sink).unwrap_err().to_string();
    assert!(error.contains("the database gives those of pg-anew"), "{error}");
}

/// The same while no publisher runs: the sink knows the last serial that it got.
#[test]
fn a_database_that_went_back_is_noticed_by_a_publisher_that_starts() {
    let database = Database::unpublished("");
    let settings = database.settings();
    let folder = tempfile::tempdir().unwrap();
    let once = || {
        let mut sink = DirectorySink::new(folder.path()).unwrap();
        publish::once(&settings, &database.rules, &mut sink)
    };
    once().unwrap();
    once().unwrap();
    // The last two changes are lost, and two others get their serials.
    database.session.execute(
        "DELETE FROM whoisd.serials WHERE serial > 5;
         UPDATE whoisd.position SET last = 5;
         SELECT whoisd.note('registrar', 'reg-1'), whoisd.note('registrar', 'reg-2')",
    );
    let mut other = Received::default();
    publish::once(&settings, &database.rules, &mut other).unwrap();
    assert_eq!(other.records.last().unwrap().serial, 7);
    let error = once().unwrap_err();
    assert!(matches!(error, PublishError::Rewound { have: 7 }), "{error}");
    assert_eq!(last_in(folder.path()), Some(7), "nothing is built upon it");
}

/// The registry's own commits wait for no disk; published changes are there after a crash.
#[test]
fn published_changes_survive_a_crash_of_the_database() {
    let slow = ["-c", "wal_writer_delay=10s", "-c", "wal_writer_flush_after=1GB"];
    let mut server = Server::start(&slow, |_| {});
    let mut database = Database::alone(server.folder());
    database.publish();
    database.session.execute("CHECKPOINT");
    assert_eq!(database.commit(&registrar("published")), ["registrar published"]);
    // Nothing gets a serial here: the rows that are read were committed without a wait as well.
    let mut late = Received::default();
    database
        .session
        .execute("UPDATE registry.registrars SET email = 'late@x.demo' WHERE id = 'published'");
    database.session.execute("DELETE FROM whoisd.changes");
    database.publish_to(Some(&mut late));
    assert_eq!(late.registrar("published").email, "late@x.demo");
    let last = database.received.records.last().unwrap().serial;
    server.crash();
    let session = database.connect();
    let kept = session.number("SELECT last FROM whoisd.position");
    assert_eq!(u64::try_from(kept).unwrap(), last);
    let late =
        "SELECT count(*) FROM registry.registrars WHERE id = 'published' AND email = 'late@x.demo'";
    assert_eq!(session.number(late), 1);
}

#[test]
fn a_database_whose_clock_was_set_back_gives_a_sign_of_life_at_once() {
    let mut database = Database::new();
    database.session.execute("UPDATE whoisd.position SET at = now() + interval '1 hour'");
    assert_eq!(database.publish(), ["heartbeat"]);
    assert!(database.publish().is_empty());
}

#[test]
fn a_database_without_the_contract_is_refused_with_what_is_missing() {
    let database = Database::unpublished("");
    let settings = database.settings();
    let refused = |change: &str| {
        database.session.execute(change);
        let mut sink = Received::default();
        let error = publish::once(&settings, &database.rules, &mut sink).unwrap_err();
        assert!(!error.is_transient());
        error.to_string()
    };
    let said = refused(
        "ALTER VIEW whoisd.idn_tables RENAME TO kept;
         CREATE VIEW whoisd.idn_tables AS SELECT id, url AS link FROM registry.idn_tables",
    );
    assert!(said.contains("view whoisd.idn_tables has column \"link\""), "{said}");
    let options = publish::BootstrapOptions {
        from: settings.from.clone(),
        into: tempfile::tempdir().unwrap().path().to_owned(),
        memory_bytes: 64 << 20,
        keep: 0,
        permits: whoisd::store::Permits::default(),
    };
    database.session.execute(
        "DROP VIEW whoisd.hosts;
         CREATE VIEW whoisd.hosts AS SELECT NULL::text AS name FROM registry.hosts;
         GRANT SELECT ON whoisd.hosts TO whoisd_publisher;
         DROP VIEW whoisd.idn_tables; ALTER VIEW whoisd.kept RENAME TO idn_tables",
    );
    let said = publish::bootstrap(&options, &database.rules).unwrap_err().to_string();
    assert!(said.contains("view whoisd.hosts has a row without a key"), "{said}");
    let said = refused("DROP VIEW whoisd.idn_tables");
    assert!(said.contains("view whoisd.idn_tables with column \"id\" is missing"), "{said}");
    let said = refused("REVOKE SELECT ON whoisd.contract FROM whoisd_publisher");
    assert!(said.ends_with("[42501]; load grants.sql, as the owner"), "{said}");
    let said = refused(
        "GRANT SELECT ON whoisd.contract TO whoisd_publisher;
         UPDATE whoisd.contract SET version = 2",
    );
    assert!(said.contains("whoisd.contract is 2, this build knows 1"), "{said}");
    let said = refused("DROP TABLE whoisd.contract");
    assert!(said.contains("load feed.sql"), "{said}");
}

/// Two publishers with one directory, the first of which goes away; the registry works on.
#[test]
fn two_publishers_do_no_harm_and_the_second_takes_over() {
    let database = Database::unpublished("");
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { heartbeat: Duration::from_millis(100), ..database.settings() };
    let stops = [AtomicBool::new(false), AtomicBool::new(false)];
    let publish = |stop| {
        let mut sink = DirectorySink::new(folder.path()).unwrap();
        publish::run(&settings, &database.rules, &mut sink, stop).unwrap()
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| publish(&stops[0]));
        assert!(within_patience(|| last_in(folder.path()).is_some()));
        let second = scope.spawn(|| publish(&stops[1]));
        let session = database.connect();
        for number in 0..60 {
            session.execute(&registrar(&format!("r-{number}")));
            if number == 30 {
                stops[0].store(true, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(5));
        }
        let by_first = first.join().unwrap();
        assert!(by_first.record_count > 0);
        let is_done = || session.number("SELECT count(*) FROM whoisd.changes") == 0;
        assert!(within_patience(is_done), "the second one did not take over");
        let last = session.number("SELECT last FROM whoisd.position");
        let last = u64::try_from(last).unwrap();
        // One more: a heartbeat.
        assert!(within_patience(|| last_in(folder.path()) > Some(last)));
        stops[1].store(true, Ordering::Relaxed);
        assert!(second.join().unwrap().record_count > 0);
    });
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    names.sort();
    let mut received = Received::default();
    for name in &names {
        let text = std::fs::read_to_string(name).unwrap();
        let records: Vec<_> =
            text.lines().map(|line| ChangeRecord::parse(line.as_bytes()).unwrap()).collect();
        // Panics at a gap.
        received.send(&records).unwrap();
    }
    assert_eq!(received.objects.len(), 7 + 60);
    assert!(received.said(0).contains(&"heartbeat".to_owned()));
}

/// The database restarts every connection; a publisher goes on by itself.
#[test]
fn a_publisher_survives_that_its_connection_ends() {
    let database = Database::unpublished("");
    let folder = tempfile::tempdir().unwrap();
    let settings = database.settings();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut sink = DirectorySink::new(folder.path()).unwrap();
            publish::run(&settings, &database.rules, &mut sink, &stop).unwrap()
        });
        assert!(within_patience(|| last_in(folder.path()).is_some()));
        let session = database.connect();
        let before = last_in(folder.path());
        let killed = session.number(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name = 'whoisd publish' AND datname = current_database()",
        );
        assert_eq!(killed, 1);
        session.execute(&registrar("after"));
        assert!(within_patience(|| last_in(folder.path()) > before));
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap();
    });
}

/// Publishes with `settings`; returns whether a change goes out that comes while nothing happens.
fn goes_out(database: &Database, settings: &Settings) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut sink = DirectorySink::new(folder.path()).unwrap();
            publish::run(settings, &database.rules, &mut sink, &stop).unwrap()
        });
        assert!(within_patience(|| last_in(folder.path()).is_some()));
        let before = last_in(folder.path());
        database.connect().execute(&registrar("late"));
        let goes_out = within_patience(|| last_in(folder.path()) > before);
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap();
        goes_out
    })
}

#[test]
fn a_notification_wakes_the_publisher() {
    let database = Database::unpublished("");
    let settings = Settings { poll: Duration::from_secs(3600), ..database.settings() };
    assert!(goes_out(&database, &settings));
}

#[test]
fn without_notifications_changes_are_found_all_the_same() {
    let database = Database::unpublished("");
    database.session.execute("DROP TRIGGER wake ON whoisd.changes");
    assert!(goes_out(&database, &database.settings()));
}

/// Transactions of several sessions overlap at will, some are rolled back; all of them write one
/// row, so that its last state is that of the last commit.
#[test]
fn whatever_overlaps_the_last_states_come_and_nothing_that_was_rolled_back() {
    const SESSIONS: u32 = 4;
    const TRANSACTIONS: u32 = 40;
    let mut database = Database::unpublished("");
    let settings = Settings { batch: Duration::ZERO, ..database.settings() };
    let rules = database.rules.clone();
    let sessions: Vec<_> = (0..SESSIONS).map(|_| database.connect()).collect();
    let stop = AtomicBool::new(false);
    let received = &mut database.received;
    thread::scope(|scope| {
        let (rules, stop) = (&rules, &stop);
        let running = scope.spawn(move || publish::run(&settings, rules, received, stop).unwrap());
        let working: Vec<_> = (0..SESSIONS)
            .zip(sessions)
            .map(|(who, session)| {
                scope.spawn(move || {
                    for n in 0..TRANSACTIONS {
                        let id = format!("s{who}-{n}");
                        session.execute("BEGIN");
                        session.execute(&registrar(&id));
                        session.execute(&format!(
                            "SELECT pg_sleep({}); UPDATE registry.registrars
                             SET email = '{id}@x.demo' WHERE id = 'reg-1'",
                            f64::from((who * 7 + n * 5) % 9) / 1000.0
                        ));
                        session.execute(if n % 5 == 4 { "ROLLBACK" } else { "COMMIT" });
                    }
                })
            })
            .collect();
        working.into_iter().for_each(|one| one.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap();
    });
    database.publish();
    let registrars = database.received.objects.keys().filter(|key| key.0 == Kind::Registrar);
    let committed = SESSIONS * (TRANSACTIONS - TRANSACTIONS / 5);
    assert_eq!(registrars.count(), 2 + usize::try_from(committed).unwrap());
    let email = database.received.registrar("reg-1").email;
    let query = format!(
        "SELECT count(*) FROM registry.registrars WHERE id = 'reg-1' AND email = '{email}'"
    );
    assert_eq!(database.session.number(&query), 1, "{email}");
}
