//! The address of a registry's database: a URL, and for what it does not say the variables, files
//! and defaults that `psql` and everything else that is made with libpq know.
//!
//! ```text
//! postgres://[USER[:PASSWORD]@][HOST[:PORT]][,..][/DATABASE][?PARAMETER=VALUE[&..]]
//! ```
//!
//! | not in the URL | comes from |
//! |---|---|
//! | host | `PGHOST`, `PGHOSTADDR`; the socket in `/var/run/postgresql` |
//! | port, user, database | `PGPORT`, `PGUSER`, `PGDATABASE`; 5432, the system's user, its name |
//! | password | `PGPASSWORD`; `PGPASSFILE`, `~/.pgpass` |
//! | TLS | `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY` ([`tls`]) |
//!
//! # Invariants
//!
//! - A parameter that is not known is an error that names it: nothing that an operator has written
//!   is passed over.
//! - No message holds a password.
//!
//! # Does not
//!
//! Connect: `session` does.

mod error;
mod passfile;
mod tls;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

pub use self::error::{AddressError, PassfileError, TlsError};
use self::tls::Wanted;
pub(super) use self::tls::{Maker, Mode};
use super::error::PublishError;

/// Time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// What the database calls this program.
const APPLICATION: &str = "whoisd publish";
/// Port without another one.
const PORT: u16 = 5432;
/// Where servers have their sockets: libpq of Debian looks into the first, that of others into the
/// last one.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];
/// Parameters that the driver reads, under libpq's names.
const KNOWN: [&str; 19] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "gssencmode",
];
/// Parameters that are read here.
const OWN: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"];

/// Where a database is, and how it is connected to.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Maker,
}

/// What is asked for what the URL does not say.
struct Around<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    home: Option<PathBuf>,
}

impl Around<'_> {
    /// A variable that is set to something.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// A file of the user's folder for PostgreSQL.
    fn own_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".postgresql").join(name))
    }
}

/// Parameters of a URL that are read here, with their values.
#[derive(Default)]
struct Given {
    own: Vec<(&'static str, String)>,
}

impl Given {
    fn get(&self, name: &str) -> Option<&str> {
        self.own.iter().rfind(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl Address {
    /// Reads the address of a database, with the process's environment around it.
    ///
    /// # Errors
    ///
    /// It is not an address, or names something that does not exist.
    pub(super) fn read(from: &str) -> Result<Self, PublishError> {
        let variable = |name: &str| std::env::var(name).ok();
        let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let around = Around { variable: &variable, home };
        Self::read_within(from, &around).map_err(|problem| PublishError::Address { problem })
    }

    fn read_within(from: &str, around: &Around<'_>) -> Result<Self, AddressError> {
        let (mut config, given) = parse(from)?;
        fill(&mut config, around)?;
        if config.get_password().is_none() {
            password(&mut config, &given, around)?;
        }
        let wanted = wanted(&given, around);
        let tls = Maker::new(&wanted, config.get_hosts().iter().any(is_tcp))?;
        config.ssl_mode(match tls.mode() {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        // A socket is never encrypted, and the driver would insist.
        if !config.get_hosts().iter().any(is_tcp) {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(Self { config, tls })
    }
}

const fn is_tcp(host: &Host) -> bool {
    matches!(host, Host::Tcp(_))
}

/// Reads the URL, with the parameters apart that are read here.
fn parse(from: &str) -> Result<(Config, Given), AddressError> {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| from.starts_with(scheme));
    if !is_url {
        return Err(AddressError::Scheme);
    }
    let (place, query) = from.split_once('?').unwrap_or((from, ""));
    let mut given = Given::default();
    let mut passed = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(AddressError::NoValue { name: shown(pair) });
        };
        if let Some(own) = OWN.into_iter().find(|known| *known == name) {
            let value = decoded(value).ok_or(AddressError::Encoding { name: own })?;
            given.own.push((own, value));
        } else if name == "gssencmode" {
            if value == "require" {
                return Err(AddressError::Gss);
            }
        } else if KNOWN.contains(&name) {
            // The driver has a name of its own for it.
            let name = if name == "keepalives_count" { "keepalives_retries" } else { name };
            passed.push(format!("{name}={value}"));
        } else {
            return Err(AddressError::Unknown { name: shown(name) });
        }
    }
    let url = match passed.is_empty() {
        true => place.to_owned(),
        false => format!("{place}?{}", passed.join("&")),
    };
    // The driver's message about anything but a parameter may quote the password.
    let config = Config::from_str(&url).map_err(|error| {
        let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let is_parameter = said.starts_with("invalid value for option");
        if is_parameter { AddressError::Value(error) } else { AddressError::Unread }
    })?;
    Ok((config, given))
}

/// A name for a message, short.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let code = digit()?.checked_mul(16)?.checked_add(digit()?)?;
        bytes.push(u8::try_from(code).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Takes from the environment, and then from the defaults, what the URL did not say.
fn fill(config: &mut Config, around: &Around<'_>) -> Result<(), AddressError> {
    if config.get_ports().is_empty()
        && let Some(ports) = around.get("PGPORT")
    {
        for port in ports.split(',') {
            let read = if port.is_empty() { Ok(PORT) } else { port.trim().parse() };
            config.port(read.map_err(|_| AddressError::Port { got: ports.clone() })?);
        }
    }
    hosts(config, around)?;
    if config.get_user().is_none()
        && let Some(user) = around.get("PGUSER").or_else(system_user)
    {
        config.user(user);
    }
    if config.get_dbname().is_none()
        && let Some(name) = around.get("PGDATABASE")
    {
        config.dbname(name);
    }
    if config.get_options().is_none()
        && let Some(options) = around.get("PGOPTIONS")
    {
        config.options(options);
    }
    if config.get_application_name().is_none() {
        config.application_name(around.get("PGAPPNAME").as_deref().unwrap_or(APPLICATION));
    }
    if config.get_connect_timeout().is_none() {
        let wait = match around.get("PGCONNECT_TIMEOUT") {
            None => CONNECT,
            Some(text) => match text.trim().parse() {
                Ok(0) => CONNECT,
                Ok(seconds) => Duration::from_secs(seconds),
                Err(_) => return Err(AddressError::Timeout { got: text }),
            },
        };
        config.connect_timeout(wait);
    }
    Ok(())
}

fn hosts(config: &mut Config, around: &Around<'_>) -> Result<(), AddressError> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        if let Some(addresses) = around.get("PGHOSTADDR") {
            for address in addresses.split(',') {
                let read = address.trim().parse();
                let wrong = |_| AddressError::HostAddress { got: addresses.clone() };
                config.hostaddr(read.map_err(wrong)?);
            }
        }
        if let Some(hosts) = around.get("PGHOST") {
            for host in hosts.split(',') {
                config.host(host);
            }
        }
    }
    if config.get_hosts().is_empty() {
        let addresses: Vec<String> =
            config.get_hostaddrs().iter().map(ToString::to_string).collect();
        if addresses.is_empty() {
            config.host_path(socket_folder(config));
        } else {
            // A certificate is compared with the address then.
            for address in &addresses {
                config.host(address);
            }
        }
    }
    Ok(())
}

/// Where the server's socket is: the first folder that has one, of the port in question.
fn socket_folder(config: &Config) -> &'static Path {
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    let has_one = |folder: &&&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
    Path::new(SOCKET_FOLDERS.iter().find(has_one).unwrap_or(&SOCKET_FOLDERS[0]))
}

/// Name of the user that the process runs as, as `/etc/passwd` has it; the driver asks the system
/// where that has none.
fn system_user() -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let id = rustix::process::geteuid().as_raw().to_string();
    let mut users = text.lines().map(|line| line.split(':'));
    users.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

/// Takes the password from where it is kept.
fn password(config: &mut Config, given: &Given, around: &Around<'_>) -> Result<(), AddressError> {
    if let Some(password) = around.get("PGPASSWORD") {
        config.password(password);
        return Ok(());
    }
    let (path, is_given) = match given.get("passfile") {
        Some(path) => (Some(PathBuf::from(path)), true),
        None => {
            let named = around.get("PGPASSFILE").map(PathBuf::from);
            (named.or_else(|| around.home.as_ref().map(|home| home.join(".pgpass"))), false)
        }
    };
    let Some(path) = path else { return Ok(()) };
    let entries = match passfile::read(&path) {
        Ok(entries) => entries,
        Err(problem) if is_given => return Err(AddressError::Passfile { path, problem }),
        Err(_) => return Ok(()),
    };
    let user = config.get_user().unwrap_or_default().to_owned();
    let database = config.get_dbname().unwrap_or(&user).to_owned();
    for (nth, host) in config.get_hosts().iter().enumerate() {
        let ports = config.get_ports();
        let port = ports.get(nth).or_else(|| ports.first()).copied().unwrap_or(PORT);
        let host = match host {
            Host::Tcp(host) => host.clone(),
            Host::Unix(path) if SOCKET_FOLDERS.iter().any(|known| path == Path::new(known)) => {
                "localhost".to_owned()
            }
            Host::Unix(path) => path.to_string_lossy().into_owned(),
        };
        if let Some(found) = passfile::find(&entries, [&host, &port.to_string(), &database, &user])
        {
            // One password for all hosts: the first that the file has.
            config.password(found);
            break;
        }
    }
    Ok(())
}

/// The settings of TLS, in the URL or in the environment.
fn wanted(given: &Given, around: &Around<'_>) -> Wanted {
    let of = |name: &str, variable: &str| match given.get(name) {
        Some(value) => Some((format!("{name}={value}"), value.to_owned())),
        None => around.get(variable).map(|value| (format!("{variable}={value}"), value)),
    };
    let file = |name: &str| around.own_file(name).filter(|path| path.exists());
    Wanted {
        mode: of("sslmode", "PGSSLMODE"),
        is_mode_given: given.get("sslmode").is_some(),
        root: of("sslrootcert", "PGSSLROOTCERT"),
        own_root: file("root.crt"),
        certificate: of("sslcert", "PGSSLCERT"),
        own_certificate: file("postgresql.crt"),
        key: of("sslkey", "PGSSLKEY"),
        own_key: file("postgresql.key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an address with these variables, which end the words of a test.
    fn read(from: &str, variables: &[(&str, &str)]) -> Result<Address, AddressError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let home = variable("HOME").map(PathBuf::from);
        Address::read_within(from, &Around { variable: &variable, home })
    }

    fn problem(from: &str, variables: &[(&str, &str)]) -> String {
        let error = read(from, variables).err();
        error.unwrap_or_else(|| panic!("{from} reads")).to_string()
    }

    #[test]
    fn without_a_host_it_is_the_socket_and_the_variables_say_the_rest() {
        let config = read("postgres:///registry", &[]).unwrap().config;
        assert!(matches!(config.get_hosts(), [Host::Unix(_)]), "{:?}", config.get_hosts());
        assert_eq!(config.get_dbname(), Some("registry"));
        assert_eq!(config.get_user().map(str::to_owned), system_user());
        let variables = [
            ("PGHOST", "db.example"),
            ("PGPORT", "6432"),
            ("PGUSER", "whoisd_publisher"),
            ("PGPASSWORD", "open sesame"),
            ("PGDATABASE", "other"),
            ("PGSSLMODE", "require"),
            ("PGCONNECT_TIMEOUT", "3"),
        ];
        let config = read("postgres:///registry", &variables).unwrap().config;
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".to_owned())]);
        assert_eq!(
            (config.get_ports(), config.get_user()),
            (&[6432][..], Some("whoisd_publisher"))
        );
        assert_eq!(config.get_password(), Some(&b"open sesame"[..]));
        assert_eq!(config.get_dbname(), Some("registry"));
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        let config = read("postgres://", &variables).unwrap().config;
        assert_eq!(config.get_dbname(), Some("other"));
        let url = "postgres://me:mine@here:1/mine?sslmode=disable";
        let config = read(url, &variables).unwrap().config;
        assert_eq!(config.get_hosts(), [Host::Tcp("here".to_owned())]);
        assert_eq!((config.get_ports(), config.get_user()), (&[1][..], Some("me")));
        assert_eq!(config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn a_parameter_that_is_not_known_or_cannot_be_kept_is_named() {
        for (from, named) in [
            ("postgres:///r?ssl_mode=require", "\"ssl_mode\""),
            ("postgres:///r?service=x", "\"service\""),
            ("postgres:///r?sslmode", "\"sslmode\" has no value"),
            ("postgres:///r?sslmode=full", "sslmode=full"),
            ("postgres:///r?sslmode=verify-full", "sslmode=verify-full"),
            ("postgres://h/r?sslmode=verify-ca", "sslmode=verify-ca"),
            ("postgres:///r?sslrootcert=/nowhere/x", "sslrootcert=/nowhere/x"),
            ("postgres:///r?sslcert=/nowhere/x", "sslcert=/nowhere/x"),
            ("postgres:///r?passfile=/nowhere/x", "passfile=/nowhere/x"),
            ("postgres:///r?port=many", "`port`"),
            ("postgres:///r?gssencmode=require", "gssencmode"),
            ("postgres://u:secret@[h/r", "`host`"),
            ("mysql://h", "postgres://"),
        ] {
            let said = problem(from, &[]);
            assert!(said.contains(named) && !said.contains("secret"), "{from}: {said}");
        }
        let said = problem("postgres:///r", &[("PGPORT", "x")]);
        assert!(said.contains("PGPORT"), "{said}");
        let said = problem("postgres://h/r", &[("PGSSLMODE", "verify-full")]);
        assert!(said.contains("PGSSLMODE=verify-full"), "{said}");
        // For every program of the user, and of no meaning for a socket.
        assert!(read("postgres:///r", &[("PGSSLMODE", "verify-full")]).is_ok());
    }

    #[test]
    fn a_password_comes_from_the_file_that_libpq_reads() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".pgpass");
        std::fs::write(&path, "# ours\n*:*:registry:me:fr\\:om\\\\file\nlocalhost:*:*:*:local\n")
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let home = folder.path().to_str().unwrap();
        let of = |from: &str, variables: &[(&str, &str)]| {
            let config = read(from, variables).unwrap().config;
            config.get_password().map(|word| String::from_utf8(word.to_vec()).unwrap())
        };
        let expected = Some("fr:om\\file".to_owned());
        assert_eq!(of("postgres://me@h/registry", &[("HOME", home)]), expected);
        assert_eq!(of("postgres:///other?user=me", &[("HOME", home)]), Some("local".to_owned()));
        assert_eq!(of("postgres://me@h/other", &[("HOME", home)]), None);
        let named = [("PGPASSFILE", path.to_str().unwrap())];
        assert_eq!(of("postgres://me@h/registry", &named), expected);
        let url = format!("postgres://me@h/registry?passfile={}", path.display());
        assert_eq!(of(&url, &[]), expected);
        assert_eq!(of(&url, &[("PGPASSWORD", "first")]), Some("first".to_owned()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(problem(&url, &[]).contains("0600"));
        assert_eq!(of("postgres://me@h/registry", &[("HOME", home)]), None);
    }
}
