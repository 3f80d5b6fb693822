//! A database of a test: the reference registry with a few objects, and connections to it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use whoisd::publish::{self, BootstrapOptions, Rules, Settings, Sink, Totals};

use crate::received::Received;
use crate::server::socket_folder;

const SCHEMA: [&str; 5] = [
    include_str!("../../deploy/postgres/feed.sql"),
    include_str!("../../deploy/postgres/registry.sql"),
    include_str!("../../deploy/postgres/views.sql"),
    include_str!("../../deploy/postgres/triggers.sql"),
    include_str!("../../deploy/postgres/grants.sql"),
];

/// Two registrars, a domain with a contact, a host below it and one elsewhere.
const OBJECTS: &str = "
    INSERT INTO registry.zones VALUES ('demo'), ('thin'), ('modified');
    INSERT INTO registry.registrars (id, name, iana_id, status, city, cc, created)
        VALUES ('reg-1', 'One', 9901, 'ok', 'Bonn', 'DE', '2020-01-01Z'),
               ('reg-2', 'Two', 9902, 'ok', 'Rome', 'IT', '2020-01-01Z');
    INSERT INTO registry.contacts (id, roid, registrar, email, voice, voice_ext, created)
        VALUES ('C-1', 'C1-DEMO', 'reg-1', 'ann@example.demo', '+49.1', '7', '2024-01-01Z'),
               ('C-2', 'C2-DEMO', 'reg-1', 'bob@example.demo', '+49.2', NULL, '2024-01-01Z');
    INSERT INTO registry.contact_addresses (contact, form, name, org, street, city, sp, pc, cc)
        VALUES ('C-1', 'int', 'Ann', 'Ann Inc.', '{Main Street 1}', 'Bonn', 'NW', '53111', 'DE'),
               ('C-2', 'loc', 'Bob', NULL, '{Weg 2,Hof}', 'Köln', NULL, '50667', 'DE');
    INSERT INTO registry.contact_statuses VALUES ('C-1', 'ok'), ('C-2', 'ok');
    INSERT INTO registry.domains (name, zone, roid, registrar, created, created_by, expires)
        VALUES ('example.demo', 'demo', 'D1-DEMO', 'reg-1', '2025-01-01Z', 'reg-1',
                '2027-01-01Z');
    INSERT INTO registry.domain_statuses VALUES ('example.demo', false, 'ok');
    INSERT INTO registry.domain_contacts VALUES ('example.demo', 'registrant', 'C-1');
    INSERT INTO registry.hosts (name, roid, superordinate, registrar, created)
        VALUES ('ns1.example.demo', 'H1-DEMO', 'example.demo', NULL, '2025-01-01Z'),
               ('ns.other.example', 'H2-DEMO', NULL, 'reg-1', '2025-01-01Z');
    INSERT INTO registry.host_addresses VALUES ('ns1.example.demo', '192.0.2.1'),
        ('ns1.example.demo', '2001:db8::1');
    INSERT INTO registry.domain_hosts VALUES ('example.demo', 1, 'ns1.example.demo'),
        ('example.demo', 2, 'ns.other.example');
";

/// Rights of the registry's own system.
const EPP: &str = "
    GRANT USAGE ON SCHEMA registry TO epp;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA registry TO epp";

/// Makes the database that those of tests are copies of.
pub(crate) fn prepare(folder: &Path) {
    let admin = Session::open(&url(folder, "postgres", "postgres"));
    admin.execute("CREATE ROLE epp");
    admin.execute("CREATE DATABASE reference");
    let reference = Session::open(&url(folder, "reference", "postgres"));
    for part in SCHEMA {
        reference.execute(part);
    }
    reference.execute(OBJECTS);
    reference.execute(EPP);
}

pub(crate) fn url(folder: &Path, name: &str, user: &str) -> String {
    format!("postgres:///{name}?host={}&user={user}", folder.display())
}

/// A connection with a runtime of its own.
pub(crate) struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    pub(crate) fn open(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { runtime, client }
    }

    /// Runs statements; several are one transaction.
    pub(crate) fn execute(&self, statements: &str) {
        self.try_execute(statements).unwrap();
    }

    pub(crate) fn try_execute(&self, statements: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(statements))
    }

    pub(crate) fn number(&self, query: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(query, &[])).unwrap().get(0)
    }

    pub(crate) fn text(&self, query: &str) -> String {
        self.runtime.block_on(self.client.query_one(query, &[])).unwrap().get(0)
    }
}

/// A database with the reference registry, and the records that were published of it.
pub(crate) struct Database {
    url: String,
    pub(crate) session: Session,
    pub(crate) rules: Rules,
    pub(crate) received: Received,
}

impl Database {
    /// A copy of the reference, of which everything was published.
    pub(crate) fn new() -> Self {
        let mut database = Self::unpublished("");
        database.publish();
        database
    }

    /// A copy of the reference, of which nothing was published.
    pub(crate) fn unpublished(rules: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = socket_folder();
        Session::open(&url(folder, "postgres", "postgres"))
            .execute(&format!("CREATE DATABASE {name} TEMPLATE reference"));
        Self::of(folder, &name, rules)
    }

    /// The reference itself, of a server that no other test uses.
    pub(crate) fn alone(folder: &Path) -> Self {
        prepare(folder);
        Self::of(folder, "reference", "")
    }

    /// The rows that come with the reference, to try it with.
    pub(crate) fn seeded() -> Self {
        let folder = socket_folder();
        let admin = Session::open(&url(folder, "postgres", "postgres"));
        admin.execute("CREATE DATABASE seeded TEMPLATE template0");
        let session = Session::open(&url(folder, "seeded", "postgres"));
        for part in SCHEMA {
            session.execute(part);
        }
        session.execute(include_str!("../../deploy/postgres/seed.sql"));
        Self::of(folder, "seeded", "")
    }

    /// The reference in a database without an encoding.
    pub(crate) fn without_encoding(folder: &Path) -> Self {
        let admin = Session::open(&url(folder, "postgres", "postgres"));
        admin.execute(
            "CREATE DATABASE raw ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        );
        let session = Session::open(&url(folder, "raw", "postgres"));
        for part in SCHEMA {
            session.execute(part);
        }
        session.execute(OBJECTS);
        session.execute(EPP);
        Self::of(folder, "raw", "")
    }

    fn of(folder: &Path, name: &str, rules: &str) -> Self {
        let session = Session::open(&url(folder, name, "postgres"));
        let url = url(folder, name, "whoisd_publisher");
        let rules = Rules::parse(rules).unwrap();
        Self { url, session, rules, received: Received::default() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A connection of the owner.
    pub(crate) fn connect(&self) -> Session {
        Session::open(&self.url.replace("whoisd_publisher", "postgres"))
    }

    /// Batches at once, no heartbeats.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            from: self.url.clone(),
            batch: Duration::from_millis(20),
            heartbeat: Duration::from_secs(3600),
            poll: Duration::from_millis(200),
            retain_days: 30,
        }
    }

    /// Publishes all changes; returns the records, `kind key` or `-kind key`, in order.
    pub(crate) fn publish(&mut self) -> Vec<String> {
        let before = self.received.records.len();
        self.publish_to(None);
        self.received.said(before)
    }

    /// Publishes all changes to `sink`, or to [`Self::received`].
    pub(crate) fn publish_to(&mut self, sink: Option<&mut dyn Sink>) -> Totals {
        let settings = self.settings();
        let sink = sink.unwrap_or(&mut self.received);
        publish::once(&settings, &self.rules, sink).unwrap()
    }

    /// One transaction of the registry, whose system has rights on its own tables alone, and its
    /// records.
    pub(crate) fn commit(&mut self, statements: &str) -> Vec<String> {
        self.session.execute(&format!("BEGIN; SET LOCAL ROLE epp; {statements}; COMMIT"));
        self.publish()
    }

    pub(crate) fn bootstrap(&self, into: &Path) -> publish::Bootstrapped {
        let options = BootstrapOptions {
            from: self.url.clone(),
            into: into.to_owned(),
            memory_bytes: 64 << 20,
            keep: 0,
            permits: whoisd::store::Permits::default(),
        };
        publish::bootstrap(&options, &self.rules).unwrap()
    }
}
