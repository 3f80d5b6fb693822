//! Objects that cannot be read: named, skipped, and published once they can be read.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use snapshot_format::Kind;
use whoisd::publish::{self, DirectorySink};
use whoisd::view::View;

use crate::database::Database;
use crate::order::{last_in, registrar, within_patience};
use crate::server::Server;

/// A view of registrars that raises an error for the rows that meet `condition`.
fn broken_view(condition: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION whoisd.mail(id text, email text) RETURNS text
             LANGUAGE sql STABLE AS $$
                 -- A constant would be an error of the view, not of a row.
                 SELECT CASE WHEN {condition} THEN (1 / (length(id) - length(id)))::text
                     ELSE email END $$;
         CREATE OR REPLACE VIEW whoisd.registrars AS
             SELECT id, name, whoisd.mail(id, email) AS email FROM registry.registrars"
    )
}

fn unread(database: &Database) -> i64 {
    database.session.number("SELECT count(*) FROM whoisd.unread")
}

fn new_view(database: &Database, condition: &str) {
    database.session.execute("DROP VIEW IF EXISTS whoisd.registrars");
    // It has fewer columns, and is meant to.
    database.session.execute("DELETE FROM whoisd.fields WHERE kind = 'registrar'");
    database.session.execute(&broken_view(condition));
    database.session.execute(
        "GRANT SELECT ON whoisd.registrars TO whoisd_publisher;
         GRANT EXECUTE ON FUNCTION whoisd.mail TO whoisd_publisher",
    );
}

#[test]
fn a_row_for_which_the_view_raises_an_error_is_passed_over_and_comes_once_it_reads() {
    let mut database = Database::new();
    new_view(&database, "id LIKE 'bad-%'");
    let came = database.commit(&format!(
        "{}; {}; {}; {}",
        registrar("a"),
        registrar("bad-1"),
        registrar("bad-2"),
        registrar("z"),
    ));
    assert_eq!(came, ["registrar a", "heartbeat", "heartbeat", "registrar z"]);
    let noted = "SELECT count(*) FROM whoisd.unread WHERE kind = 'registrar'
                 AND key LIKE 'bad-%' AND problem LIKE '%division by zero%'";
    assert_eq!(database.session.number(noted), 2);
    // Neither a further change nor a further start ends it.
    assert_eq!(database.commit(&registrar("later")), ["registrar later"]);
    assert!(database.publish().is_empty());
    // The view is corrected for one of them; the row stays as it is.
    new_view(&database, "id = 'bad-2'");
    assert_eq!(database.publish(), ["registrar bad-1"]);
    assert_eq!(unread(&database), 1);
    // The other one's row is corrected.
    new_view(&database, "id = 'bad-2' AND email = 'x'");
    let came = database.commit("UPDATE registry.registrars SET email = 'y' WHERE id = 'bad-2'");
    assert_eq!(came, ["registrar bad-2"]);
    assert_eq!(unread(&database), 0);
}

#[test]
fn a_row_that_went_while_it_could_not_be_read_is_deleted() {
    let mut database = Database::new();
    assert_eq!(database.commit(&registrar("bad-1")), ["registrar bad-1"]);
    new_view(&database, "id = 'bad-1'");
    let came = database.commit("UPDATE registry.registrars SET name = 'x' WHERE id = 'bad-1'");
    assert_eq!(came, ["heartbeat"]);
    let came = database.commit("DELETE FROM registry.registrars WHERE id = 'bad-1'");
    assert_eq!(came, ["-registrar bad-1"]);
    assert_eq!(unread(&database), 0);
}

/// The keys cannot be listed then; the error says so, and what to do.
#[test]
fn a_base_of_a_view_whose_function_is_volatile_says_what_hinders_it() {
    let database = Database::new();
    new_view(&database, "id = 'reg-2'");
    database.session.execute("ALTER FUNCTION whoisd.mail VOLATILE");
    let options = publish::BootstrapOptions {
        from: database.url().to_owned(),
        into: tempfile::tempdir().unwrap().path().join("base"),
        memory_bytes: 64 << 20,
        keep: 0,
        permits: whoisd::store::Permits::default(),
    };
    let error = publish::bootstrap(&options, &database.rules).unwrap_err().to_string();
    assert!(error.contains("division by zero") && error.contains("STABLE"), "{error}");
}

/// A database of an earlier version, without a table for unreadable rows.
#[test]
fn without_the_table_a_publisher_that_runs_takes_it_up_again_all_the_same() {
    let database = Database::unpublished("");
    database.session.execute("DROP TABLE whoisd.unread");
    new_view(&database, "id = 'reg-2'");
    let (came, refused) = while_it_runs(&database, |folder| {
        assert!(within_patience(|| last_in(folder) == Some(7)));
        new_view(&database, "id = 'nobody'");
        assert!(within_patience(|| has(folder, "\"id\":\"reg-2\"")));
    });
    assert!(came > 7 && refused == 1, "{came} {refused}");
}

#[test]
fn a_database_of_before_gets_the_table_and_its_rights() {
    let mut database = Database::new();
    database.session.execute("DROP TABLE whoisd.unread");
    database.session.execute(include_str!("../../deploy/postgres/unread.sql"));
    database.session.execute(include_str!("../../deploy/postgres/grants.sql"));
    // A second time does no harm.
    database.session.execute(include_str!("../../deploy/postgres/unread.sql"));
    new_view(&database, "id = 'bad-1'");
    assert_eq!(database.commit(&registrar("bad-1")), ["heartbeat"]);
    assert_eq!(unread(&database), 1);
}

#[test]
fn the_rows_to_try_with_are_records() {
    let mut database = Database::seeded();
    let mut came = database.publish();
    came.sort();
    let expected = [
        "contact C1",
        "domain example.demo",
        "domain other.demo",
        "nameserver ns1.example.demo",
        "registrar reg-1",
    ];
    assert_eq!(came, expected);
}

#[test]
fn bytes_that_are_not_text_are_skipped_and_come_once_they_are() {
    let server = Server::start(&[], |_| {});
    // The roles are the server's.
    drop(Database::alone(server.folder()));
    let mut database = Database::without_encoding(server.folder());
    database.publish();
    let came = database.commit(&format!(
        "{}; INSERT INTO registry.registrars (id, name) VALUES ('latin', E'K\\xf6ln'); {};
         RESET ROLE; SELECT whoisd.note('registrar', E'key-\\xf6')",
        registrar("a"),
        registrar("z"),
    ));
    assert_eq!(came, ["registrar a", "heartbeat", "registrar z", "heartbeat"]);
    assert_eq!(unread(&database), 1, "a key that is no text is never asked for");
    let folder = tempfile::tempdir().unwrap();
    let made = database.bootstrap(folder.path());
    assert_eq!(made.refused_count, 1);
    let came = database
        .commit("UPDATE registry.registrars SET name = E'K\\xc3\\xb6ln' WHERE id = 'latin'");
    assert_eq!(came, ["registrar latin"]);
    assert_eq!(database.received.registrar("latin").name, "Köln");
    assert_eq!(unread(&database), 0);
}

#[test]
fn a_base_leaves_such_rows_out_and_they_come_with_the_changes_after_it() {
    let mut database = Database::new();
    let many: Vec<_> = (0..300).map(|n| registrar(&format!("r-{n}"))).collect();
    database.commit(&many.join(";"));
    new_view(&database, "id IN ('r-7', 'r-250')");
    let folder = tempfile::tempdir().unwrap();
    let made = database.bootstrap(folder.path());
    assert_eq!((made.refused_count, made.summary.count(Kind::Registrar)), (2, 300));
    let view = View::open(folder.path()).unwrap();
    assert_eq!(view.base().header().serial, made.serial);
    assert_eq!(unread(&database), 2);
    new_view(&database, "id = 'nobody'");
    let mut came = database.publish();
    came.sort();
    assert_eq!(came, ["registrar r-250", "registrar r-7"]);
}

/// Sets its flag when it is dropped.
struct Stopped<'s>(&'s AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes into a directory while `meanwhile` happens; how many records went out, and how many
/// were left out.
fn while_it_runs(database: &Database, meanwhile: impl FnOnce(&Path)) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (settings, stop) = (database.settings(), AtomicBool::new(false));
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut sink = DirectorySink::new(folder.path()).unwrap();
            publish::run(&settings, &database.rules, &mut sink, &stop)
        });
        // Also if the test fails: the scope waits for the publisher.
        let stopped = Stopped(&stop);
        meanwhile(folder.path());
        drop(stopped);
        let totals = running.join().unwrap().unwrap();
        (totals.record_count, totals.refused_count)
    })
}

/// Whether a batch of the folder holds a text.
fn has(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).any(|path| {
        // A reader of the folder could have removed it; there is none here.
        std::fs::read_to_string(path).unwrap().contains(text)
    })
}

#[test]
fn a_view_that_breaks_the_contract_while_it_runs_holds_the_publisher_up_and_loses_nothing() {
    let database = Database::unpublished("");
    let session = database.connect();
    let waiting = "SELECT count(*) FROM whoisd.changes";
    let (came, refused) = while_it_runs(&database, |folder| {
        assert!(within_patience(|| last_in(folder) == Some(7)));
        for breaking in [
            // A column that is not a field.
            "CREATE OR REPLACE VIEW whoisd.idn_tables AS
                 SELECT id, url, policy_url AS \"urlPolicy\", 'z' AS color FROM registry.idn_tables",
            // One that is gone: the row would read without it.
            "CREATE VIEW whoisd.idn_tables AS SELECT id, url FROM registry.idn_tables;
             GRANT SELECT ON whoisd.idn_tables TO whoisd_publisher",
            // No view at all, for a moment.
            "SELECT 1",
            // A view without the right to read it.
            "CREATE VIEW whoisd.idn_tables AS
                 SELECT id, url, policy_url AS \"urlPolicy\" FROM registry.idn_tables",
        ] {
            session.execute("DROP VIEW IF EXISTS whoisd.idn_tables");
            session.execute(&breaking.replace("OR REPLACE ", ""));
            let before = last_in(folder);
            session.execute(
                "INSERT INTO registry.idn_tables (id, url) VALUES (gen_random_uuid(), 'u')",
            );
            assert_eq!(session.number(waiting), 1);
            thread::sleep(std::time::Duration::from_millis(400));
            assert_eq!((session.number(waiting), last_in(folder)), (1, before), "{breaking}");
            session.execute("DROP VIEW IF EXISTS whoisd.idn_tables");
            session.execute(
                "CREATE VIEW whoisd.idn_tables AS
                     SELECT id, url, policy_url AS \"urlPolicy\" FROM registry.idn_tables;
                 GRANT SELECT ON whoisd.idn_tables TO whoisd_publisher",
            );
            assert!(within_patience(|| last_in(folder) > before), "{breaking}");
        }
    });
    assert_eq!((came, refused), (11, 0));
}

#[test]
fn a_column_that_is_gone_is_refused_by_every_way_to_publish_until_it_is_meant_to_be() {
    let mut database = Database::new();
    let folder = tempfile::tempdir().unwrap();
    let view = |columns: &str| {
        format!(
            "DROP VIEW whoisd.idn_tables;
             CREATE VIEW whoisd.idn_tables AS SELECT {columns} FROM registry.idn_tables;
             GRANT SELECT ON whoisd.idn_tables TO whoisd_publisher"
        )
    };
    database.session.execute(&view("id, url"));
    database.session.execute("INSERT INTO registry.idn_tables (id, url) VALUES ('new', 'u')");
    let options = publish::BootstrapOptions {
        from: database.url().to_owned(),
        into: folder.path().join("base"),
        memory_bytes: 64 << 20,
        keep: 0,
        permits: whoisd::store::Permits::default(),
    };
    let settings = database.settings();
    let once = publish::once(&settings, &database.rules, &mut database.received).unwrap_err();
    let base = publish::bootstrap(&options, &database.rules).unwrap_err();
    for error in [once, base] {
        let said = error.to_string();
        assert!(said.contains("idn_tables has no column any more for [\"urlPolicy\"]"), "{said}");
        assert!(said.contains("whoisd.fields"), "{said}");
    }
    // Under another name it is there, if the configuration says so.
    database.session.execute(&view("id, url, policy_url AS policy"));
    let rules = "[idn-table.rename]\npolicy = \"urlPolicy\"";
    let rules = publish::Rules::parse(rules).unwrap();
    assert!(publish::bootstrap(&options, &rules).is_ok());
    // It is to go.
    database.session.execute(&view("id, url"));
    database.session.execute("DELETE FROM whoisd.fields WHERE field = 'urlPolicy'");
    assert_eq!(database.publish(), ["idntable new"]);
}

#[test]
fn a_key_that_no_record_can_have_waits_while_its_row_is_there_and_no_longer() {
    let mut database = Database::new();
    let long = format!("repeat('k', {})", 300);
    let keys = ["E'\\x01'", "''", &long];
    let insert = |key: &&str| {
        database.session.execute(&format!(
            "INSERT INTO registry.registrars (id, name, created) VALUES ({key}, 'x', now())"
        ));
    };
    keys.iter().for_each(insert);
    let totals = database.publish_to(None);
    // The long one cannot be looked up by the log of changes, which keeps the beginning of it.
    assert_eq!((totals.unread_count, unread(&database)), (2, 2));
    // A base leaves it out, and it is noted.
    let folder = tempfile::tempdir().unwrap();
    database.bootstrap(folder.path());
    assert_eq!(unread(&database), 3);
    database.session.execute("DELETE FROM registry.registrars WHERE name = 'x'");
    database.publish();
    let totals = database.publish_to(None);
    assert_eq!((totals.unread_count, unread(&database)), (0, 0));
    assert!(database.received.said(0).iter().all(|said| !said.starts_with("-registrar")));
}
