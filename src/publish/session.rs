//! A connection to the registry's database, set up for publishing, and what it was found to offer.
//!
//! # Invariants
//!
//! - A session that opened kept the contract; see `contract`.
//! - A statement has a deadline, and so has a transaction in which nothing happens: a publisher
//!   that hangs holds nothing up for long.
//! - `durable`: a transaction whose serials or objects go out is on the database's disk before they
//!   do, whatever the database's own settings: each transaction says so itself, since a pooler may
//!   be in between.
//!
//! # Does not
//!
//! Know where the database is: `address` does.

use std::sync::Arc;

use snapshot_format::Kind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, Statement};

use super::address::Address;
use super::contract;
use super::error::PublishError;
use super::rules::Rules;

/// Largest object, bytes of its JSON: three times what fits into a snapshot.
pub(super) const DOCUMENT_BYTES_MAX: i32 = 512 << 10;
/// Identifies a publisher among the advisory locks of the database: "whoisd".
const LEADER_LOCK: i64 = 0x7768_6f69_7364;
/// Deadlines, and what makes texts the same whatever the database's defaults. The server notices
/// within 25 s that a publisher is gone whose machine fell silent.
const SETUP: &str = "SET statement_timeout = '60s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET TimeZone = 'UTC'; \
    SET DateStyle = 'ISO'; SET search_path = ''; SET tcp_keepalives_idle = 10; \
    SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// What a transaction says of its own commit, unless the database's setting goes further.
const DURABLE: &str = "SET LOCAL synchronous_commit = on";
/// The setting that goes further: standbys have applied it as well.
const APPLIED: &str = "SET LOCAL synchronous_commit = remote_apply";

/// Statements for objects that could not be read; see `unread`.
pub(super) struct UnreadStatements {
    pub(super) note: Statement,
    pub(super) left_out: Statement,
    pub(super) forget: Statement,
    pub(super) waiting: Statement,
    pub(super) tried: Statement,
    pub(super) count: Statement,
}

/// Statements that every round needs.
pub(super) struct Statements {
    pub(super) assign: Statement,
    pub(super) heartbeat: Statement,
    pub(super) position: Statement,
    pub(super) serials: Statement,
    pub(super) uses: Option<Statement>,
    pub(super) shown: Statement,
    pub(super) show: Statement,
    pub(super) prune: Statement,
    /// Writes, so that the transaction's commit is one that goes to the disk, with all that it saw.
    pub(super) durable: Statement,
    /// Notes a change of an object.
    pub(super) change: Statement,
    /// `None`: the database has no place for objects that could not be read.
    pub(super) unread: Option<UnreadStatements>,
    documents: Vec<Statement>,
}

impl Statements {
    /// Reads the objects of a kind with given keys: key, zone, length, JSON.
    pub(super) fn documents(&self, kind: Kind) -> Option<&Statement> {
        self.documents.get(kind as usize)
    }
}

/// A connection.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    /// Whether the database knows when transactions committed.
    pub(super) exact_times: bool,
    /// Whose serials the database gives.
    pub(super) source: String,
    /// What each transaction says of its commit.
    pub(super) durable: &'static str,
    /// Told of every notification, and of the end of the connection.
    pub(super) wake: Arc<Notify>,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Name of a kind's view, and of the column that is its key.
pub(super) const fn view(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Registrar => ("registrars", "id"),
        Kind::IdnTable => ("idn_tables", "id"),
        Kind::Contact => ("contacts", "id"),
        Kind::Nameserver => ("hosts", "name"),
        Kind::Nndn => ("nndns", "aName"),
        Kind::Domain => ("domains", "name"),
    }
}

/// Whether rows of a kind's view have a zone.
pub(super) const fn is_zoned(kind: Kind) -> bool {
    matches!(kind, Kind::Nndn | Kind::Domain)
}

/// Selects key, zone, length and JSON of a kind's rows, of all of them but for `condition`.
pub(super) fn select(kind: Kind, condition: &str) -> String {
    let (name, key) = view(kind);
    let zone = if is_zoned(kind) { "coalesce(v.zone::text, '')" } else { "''" };
    // OFFSET 0: the document is made once, not once for each place that names it.
    format!(
        "SELECT v.\"{key}\"::text, {zone}, octet_length(d.document), \
         CASE WHEN octet_length(d.document) <= {DOCUMENT_BYTES_MAX} THEN d.document END \
         FROM whoisd.{name} v, LATERAL ( \
           SELECT jsonb_strip_nulls(to_jsonb(v) - 'zone')::text AS document OFFSET 0) d {condition}"
    )
}

/// Selects the keys of a kind's rows.
pub(super) fn keys(kind: Kind) -> String {
    let (name, key) = view(kind);
    format!("SELECT v.\"{key}\"::text FROM whoisd.{name} v")
}

impl Session {
    /// Connects, and checks what the database has.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, or does not keep the contract.
    pub(super) async fn open(address: &Address, rules: &Rules) -> Result<Self, PublishError> {
        let (client, connection) = address.config.connect(address.tls.connect()).await?;
        let wake = Arc::new(Notify::new());
        let driver = tokio::spawn(drive(connection, Arc::clone(&wake)));
        client.batch_execute(SETUP).await?;
        let row = client.query_one("SELECT current_setting('server_encoding')", &[]).await?;
        if row.try_get::<_, &str>(0)? == "SQL_ASCII" {
            // Such a server keeps any bytes, and would refuse to hand out what is not UTF-8.
            client.batch_execute("SET client_encoding = SQL_ASCII").await?;
        }
        contract::check(&client, rules).await?;
        contract::note(&client, rules).await?;
        let row = client
            .query_one(
                "SELECT current_setting('track_commit_timestamp') = 'on', \
                 current_setting('synchronous_commit') = 'remote_apply', \
                 current_setting('fsync') = 'on'",
                &[],
            )
            .await?;
        let exact_times = row.try_get(0)?;
        let durable = if row.try_get(1)? { APPLIED } else { DURABLE };
        if !row.try_get::<_, bool>(2)? {
            tracing::warn!(
                "the database runs with fsync = off: after a crash it may give serials again that \
                 were published; set it to on"
            );
        }
        let row = client.query_one("SELECT source FROM whoisd.position", &[]).await?;
        let source = row.try_get(0)?;
        let statements = prepare(&client, rules).await?;
        if statements.unread.is_none() {
            tracing::warn!(
                "the database has no table whoisd.unread: objects that cannot be read are tried \
                 again only until this program ends; load it as deploy/postgres/README.md says"
            );
        }
        client.batch_execute("LISTEN whoisd").await?;
        Ok(Self { client, statements, exact_times, source, durable, wake, driver })
    }

    /// Whether this session is the one that publishes; it stays so until its end.
    pub(super) async fn lead(&self) -> Result<bool, PublishError> {
        let row = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&LEADER_LOCK]).await?;
        Ok(row.try_get(0)?)
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// Moves a connection on until it ends.
async fn drive<T>(mut connection: Connection<Socket, T>, wake: Arc<Notify>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => wake.notify_one(),
            Some(Ok(_)) => {}
            // The next request to the client reports why.
            Some(Err(_)) | None => {
                wake.notify_one();
                return;
            }
        }
    }
}

async fn prepare(client: &Client, rules: &Rules) -> Result<Statements, PublishError> {
    let mut documents = Vec::new();
    for kind in Kind::ALL {
        let (_, key) = view(kind);
        let condition = format!("WHERE v.\"{key}\" = ANY($1::text[])");
        documents.push(client.prepare(&select(kind, &condition)).await?);
    }
    let uses = "SELECT DISTINCT id::text, coalesce(zone::text, ''), \
                coalesce(role::text = 'registrant', false) \
                FROM whoisd.contact_uses WHERE id = ANY($1::text[])";
    Ok(Statements {
        assign: client.prepare(include_str!("assign.sql")).await?,
        heartbeat: client.prepare(include_str!("heartbeat.sql")).await?,
        position: client
            .prepare("SELECT last, (SELECT min(serial) FROM whoisd.serials) FROM whoisd.position")
            .await?,
        serials: client
            .prepare(
                "SELECT serial, to_char(committed, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                 left(transaction, 255), kind, left(key, 256) \
                 FROM whoisd.serials WHERE serial > $1 ORDER BY serial LIMIT $2",
            )
            .await?,
        uses: match rules.contacts_differ() {
            true => Some(client.prepare(uses).await?),
            false => None,
        },
        shown: client.prepare("SELECT id FROM whoisd.shown WHERE id = ANY($1)").await?,
        show: client
            .prepare("INSERT INTO whoisd.shown SELECT unnest($1::text[]) ON CONFLICT DO NOTHING")
            .await?,
        prune: client
            .prepare(
                "DELETE FROM whoisd.serials WHERE serial IN ( \
                   SELECT serial FROM whoisd.serials WHERE serial <= $1 \
                   AND committed < now() - $2::integer * interval '1 day' \
                   ORDER BY serial LIMIT $3)",
            )
            .await?,
        durable: client.prepare("SELECT last FROM whoisd.position FOR UPDATE").await?,
        change: client.prepare("SELECT whoisd.note($1::text, $2::text)").await?,
        unread: unread(client).await?,
        documents,
    })
}

/// Statements for objects that could not be read, if the database has a place for them.
async fn unread(client: &Client) -> Result<Option<UnreadStatements>, PublishError> {
    if contract::columns(client).await?.of("unread").is_empty() {
        return Ok(None);
    }
    let same = "u.kind = r.kind AND u.key = r.key";
    let given = "unnest($1::text[], $2::text[]) AS r(kind, key)";
    let again = "ON CONFLICT (kind, key) DO UPDATE SET problem = excluded.problem";
    let note = format!(
        "INSERT INTO whoisd.unread (kind, key, problem) \
         SELECT DISTINCT ON (s.kind, s.key) s.kind, s.key, n.problem \
         FROM unnest($1::bigint[], $2::text[]) AS n(serial, problem) \
         JOIN whoisd.serials s USING (serial) ORDER BY s.kind, s.key, s.serial DESC {again}"
    );
    let left_out = format!(
        "INSERT INTO whoisd.unread (kind, key, problem) SELECT $1::text, n.key, n.problem \
         FROM unnest($2::text[], $3::text[]) AS n(key, problem) {again}"
    );
    let forget = format!("DELETE FROM whoisd.unread u USING {given} WHERE {same}");
    let tried =
        format!("UPDATE whoisd.unread u SET tried = clock_timestamp() FROM {given} WHERE {same}");
    let waiting = "SELECT kind, key FROM whoisd.unread ORDER BY tried, kind, key LIMIT $1";
    Ok(Some(UnreadStatements {
        note: client.prepare(&note).await?,
        left_out: client.prepare(&left_out).await?,
        forget: client.prepare(&forget).await?,
        waiting: client.prepare(waiting).await?,
        tried: client.prepare(&tried).await?,
        count: client.prepare("SELECT count(*) FROM whoisd.unread").await?,
    }))
}
