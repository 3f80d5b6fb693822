//! A typical design: one task per connection, one indexed PostgreSQL query per answer.
//!
//! It is favoured where that was simple: all data of a domain are in one row, so that one look-up
//! in one index finds it; dates are texts; statements are prepared; connections to the database
//! stay open. A normalised schema would join four contacts, a registrar and nameservers.
//!
//! # Invariants
//!
//! - `bounded`: a query line has at most `QUERY_BYTES_MAX` bytes.
//!
//! # Does not
//!
//! Have deadlines or display rules, which ours has.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use crate::postgres;

/// Bytes of a query line that are read.
const QUERY_BYTES_MAX: usize = 1_024;

/// Names that one statement inserts.
const NAMES_PER_STATEMENT: usize = 10_000;

/// One row a domain; the data are computed from the row's number.
const TABLE: &str = "
    CREATE UNLOGGED TABLE domain (
        name text PRIMARY KEY, roid text, updated text, created text, expires text,
        registrar text, registrar_iana text, registrar_server text, registrar_url text,
        statuses text[], nameservers text[],
        registrant text[], admin text[], tech text[], billing text[])";

/// A contact's fields, in the order of [`CONTACT_KEYS`].
const CONTACT: &str = "
    CREATE FUNCTION contact(number bigint) RETURNS text[] LANGUAGE sql AS $$
        SELECT ARRAY['K' || lpad(number::text, 8, '0') || '-EXAMPLE', 'Oliver Taylor ' || number,
            'Clark Trading Co., Ltd.', number % 400 || ' Church Lane', 'Perth', 'Perthshire',
            'LI4 2MK', 'GB', '+44.2079460450', 'oliver.taylor' || number || '@example.net'] $$";

const CONTACT_KEYS: [&str; 9] = [
    "Name",
    "Organization",
    "Street",
    "City",
    "State/Province",
    "Postal Code",
    "Country",
    "Phone",
    "Email",
];

const INSERT: &str = "
    INSERT INTO domain
    SELECT name, 'D' || number || '-EXAMPLE', '2022-11-14T11:20:23Z', '2020-12-03T21:19:15Z',
        '2029-12-03T21:19:15Z', 'Example Registrar ' || number % 300 || ', Inc.',
        (90000 + number % 300)::text, 'whois.registrar' || number % 300 || '.example',
        'https://www.registrar' || number % 300 || '.example',
        ARRAY['clientTransferProhibited'],
        ARRAY['ns1.' || name, 'ns2.' || name],
        contact(number), contact(number), contact(number / 7), contact(number)
    FROM (SELECT name, $2::bigint + row_number() OVER () AS number
        FROM unnest($1::text[]) AS name) AS names
    ON CONFLICT DO NOTHING";

const SELECT: &str = "
    SELECT name, roid, registrar_server, registrar_url, updated, created, expires, registrar,
        registrar_iana, statuses, nameservers, registrant, admin, tech, billing
    FROM domain WHERE name = $1";

const FOOT: &str = "DNSSEC: unsigned\r
URL of the ICANN Whois Inaccuracy Complaint Form: https://www.icann.org/wicf/\r
>>> Last update of WHOIS database: 2026-01-01T00:00:00Z <<<\r
\r
For more information on Whois status codes, please visit https://icann.org/epp\r
\r
The data in this WHOIS service is provided by the registry for\r
information purposes only, to assist persons in obtaining information\r
about or related to a domain name registration record. The registry does\r
not guarantee its accuracy. By submitting a query you agree to use the\r
data for lawful purposes only and under no circumstances to use it to\r
allow, enable or support the transmission of unsolicited advertising or\r
solicitations by electronic mail, telephone or facsimile, or to enable\r
high-volume, automated, electronic processes that apply to the registry\r
or its registrars, except as needed to register or modify domain names.\r
";

/// The answer for a name that is not there.
pub const NOT_FOUND: &str = "No Data Found\r\n";

/// Makes the table and fills it with `names`.
///
/// # Errors
///
/// The database's.
pub async fn load(socket_folder: &Path, names: &[String]) -> io::Result<()> {
    let client = connect(socket_folder).await?;
    client.batch_execute(&format!("{TABLE}; {CONTACT}")).await.map_err(io::Error::other)?;
    let insert = client.prepare(INSERT).await.map_err(io::Error::other)?;
    for (chunk, names) in names.chunks(NAMES_PER_STATEMENT).enumerate() {
        let first = i64::try_from(chunk * NAMES_PER_STATEMENT).unwrap_or(i64::MAX);
        client.execute(&insert, &[&names, &first]).await.map_err(io::Error::other)?;
    }
    client.batch_execute("VACUUM ANALYZE domain").await.map_err(io::Error::other)
}

/// A few open connections to the database; each carries the queries of many tasks at a time.
#[derive(Debug)]
pub struct Pool {
    members: Vec<(Client, Statement)>,
    next: AtomicUsize,
}

impl Pool {
    /// Connects `count` times.
    ///
    /// # Errors
    ///
    /// The database's, or `count` is 0.
    pub async fn new(socket_folder: &Path, count: usize) -> io::Result<Self> {
        if count == 0 {
            return Err(io::Error::other("a pool of no connection"));
        }
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let client = connect(socket_folder).await?;
            let statement = client.prepare(SELECT).await.map_err(io::Error::other)?;
            members.push((client, statement));
        }
        Ok(Self { members, next: AtomicUsize::new(0) })
    }

    /// The answer to a query line.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn answer(&self, line: &str) -> io::Result<String> {
        let name = line.trim().to_ascii_lowercase();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let member = self.members.get(turn % self.members.len());
        let Some((client, statement)) = member else { return Ok(NOT_FOUND.into()) };
        let row = client.query_opt(statement, &[&name]).await.map_err(io::Error::other)?;
        match row {
            Some(row) => Domain::of(&row).map(|domain| domain.render()).map_err(io::Error::other),
            None => Ok(NOT_FOUND.into()),
        }
    }
}

/// Accepts for ever; one task a connection.
///
/// # Errors
///
/// The listener's.
pub async fn serve(listener: std::net::TcpListener, pool: Arc<Pool>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            // A client that went away does not affect the others.
            let _ = answer_one(stream, &pool).await;
        });
    }
}

async fn answer_one(mut stream: TcpStream, pool: &Pool) -> io::Result<()> {
    let mut query = [0; QUERY_BYTES_MAX];
    let mut length = 0;
    while let Some(rest) = query.get_mut(length..).filter(|rest| !rest.is_empty()) {
        let read = stream.read(rest).await?;
        length += read;
        if read == 0 || query.get(length - 1) == Some(&b'\n') {
            break;
        }
    }
    let line = String::from_utf8_lossy(query.get(..length).unwrap_or_default()).into_owned();
    let answer = pool.answer(&line).await?;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn connect(socket_folder: &Path) -> io::Result<Client> {
    let mut config = Config::new();
    config.host_path(socket_folder).user(postgres::USER).dbname(postgres::USER);
    let (client, connection) = config.connect(NoTls).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(client)
}

/// A row, borrowed.
#[derive(Debug)]
struct Domain<'a> {
    /// In the order of [`DOMAIN_KEYS`].
    fields: [&'a str; 9],
    statuses: Vec<&'a str>,
    nameservers: Vec<&'a str>,
    /// In the order of [`ROLES`].
    contacts: [Vec<&'a str>; 4],
}

const DOMAIN_KEYS: [&str; 9] = [
    "Domain Name",
    "Registry Domain ID",
    "Registrar WHOIS Server",
    "Registrar URL",
    "Updated Date",
    "Creation Date",
    "Registry Expiry Date",
    "Registrar",
    "Registrar IANA ID",
];

const ROLES: [&str; 4] = ["Registrant", "Admin", "Tech", "Billing"];

impl<'a> Domain<'a> {
    fn of(row: &'a Row) -> Result<Self, tokio_postgres::Error> {
        let mut fields = [""; 9];
        for (index, field) in fields.iter_mut().enumerate() {
            *field = row.try_get(index)?;
        }
        let contacts = [row.try_get(11)?, row.try_get(12)?, row.try_get(13)?, row.try_get(14)?];
        Ok(Self { fields, statuses: row.try_get(9)?, nameservers: row.try_get(10)?, contacts })
    }

    fn render(&self) -> String {
        let mut out = String::with_capacity(4_096);
        // Writing into a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        for (key, value) in DOMAIN_KEYS.iter().zip(self.fields) {
            write!(out, "{key}: {value}\r\n")?;
        }
        out.push_str("Registrar Abuse Contact Email:\r\nRegistrar Abuse Contact Phone:\r\n");
        for status in &self.statuses {
            write!(out, "Domain Status: {status} https://icann.org/epp#{status}\r\n")?;
        }
        for (role, contact) in ROLES.iter().zip(&self.contacts) {
            let (id, fields) = contact.split_first().unwrap_or((&"", &[]));
            write!(out, "Registry {role} ID: {id}\r\n")?;
            for (key, value) in CONTACT_KEYS.iter().zip(fields) {
                write!(out, "{role} {key}: {value}\r\n")?;
            }
        }
        for nameserver in &self.nameservers {
            write!(out, "Name Server: {nameserver}\r\n")?;
        }
        out.push_str(FOOT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_of_the_size_of_ours() {
        let contact = || {
            [
                "K00000001-EXAMPLE",
                "Oliver Taylor 1",
                "Clark Trading Co., Ltd.",
                "1 Church Lane",
                "Perth",
                "Perthshire",
                "LI4 2MK",
                "GB",
                "+44.2079460450",
                "oliver.taylor1@example.net",
            ]
            .to_vec()
        };
        let domain = Domain {
            fields: [
                "zutpov777.demo",
                "D1-EXAMPLE",
                "whois.registrar1.example",
                "https://www.registrar1.example",
                "2022-11-14T11:20:23Z",
                "2020-12-03T21:19:15Z",
                "2029-12-03T21:19:15Z",
                "Example Registrar 1, Inc.",
                "90001",
            ],
            statuses: vec!["clientTransferProhibited"],
            nameservers: vec!["ns1.zutpov777.demo", "ns2.zutpov777.demo"],
            contacts: [contact(), contact(), contact(), contact()],
        };
        let answer = domain.render();
        assert!(answer.contains("\r\nTech Postal Code: LI4 2MK\r\n"), "{answer}");
        assert!((2_600..3_000).contains(&answer.len()), "{} bytes", answer.len());
    }
}
