//! TLS to a real PostgreSQL, by `sslmode`.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use whoisd::publish::{self, Settings};

use crate::database::Database;
use crate::received::Received;
use crate::server::Server;

/// Makes a CA, a certificate of it for the name `localhost`, and the CA of a stranger.
const CERTIFICATES: &str = r#"
    cd "$1" || exit 1
    for ca in ca stranger; do
        openssl req -x509 -newkey rsa:2048 -nodes -batch -keyout $ca.key -out $ca.crt \
            -subj "/CN=$ca" -days 2 || exit 1
    done
    openssl req -newkey rsa:2048 -nodes -batch -keyout server.key -out server.csr \
        -subj /CN=server || exit 1
    printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n' > server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
        -extfile server.ext -out server.crt || exit 1
    chmod 600 server.key
    printf 'local all all trust\nhostssl all all 127.0.0.1/32 trust\n' > hba
"#;

fn certificates(folder: &Path) {
    let made = Command::new("sh").args(["-c", CERTIFICATES, "sh"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_connection_is_encrypted_and_the_server_verified_as_sslmode_says() {
    let port = port();
    let arguments = [
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        &format!("port={port}"),
        "-c",
        "ssl=on",
        "-c",
        "ssl_cert_file=../server.crt",
        "-c",
        "ssl_key_file=../server.key",
        "-c",
        "hba_file=hba",
    ];
    let server = Server::start(&arguments, certificates);
    let folder = server.folder();
    // The socket's name has the port.
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    std::os::unix::fs::symlink(&socket, folder.join(".s.PGSQL.5432")).unwrap();
    let database = Database::alone(folder);
    let publish = |host: &str, words: &str| {
        let from = format!("postgres://whoisd_publisher@{host}:{port}/reference?{words}");
        let settings = Settings { from, ..database.settings() };
        let mut sink = Received::default();
        publish::once(&settings, &database.rules, &mut sink)
            .map(|totals| totals.record_count)
            .map_err(|error| error.to_string())
    };
    let root = |name: &str| format!("sslrootcert={}", folder.join(name).display());
    let (ca, stranger) = (root("ca.crt"), root("stranger.crt"));
    for (host, words) in [
        ("127.0.0.1", String::new()),
        ("127.0.0.1", "sslmode=allow".to_owned()),
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=require&{ca}")),
        ("127.0.0.1", format!("sslmode=verify-ca&{ca}")),
        ("localhost", format!("sslmode=verify-full&{ca}")),
    ] {
        assert_eq!(publish(host, &words), Ok(7), "{host} {words}");
    }
    for (host, words, said) in [
        // The server wants TLS.
        ("127.0.0.1", "sslmode=disable".to_owned(), "no pg_hba.conf entry"),
        ("127.0.0.1", format!("sslmode=verify-full&{ca}"), "not valid for name"),
        ("127.0.0.1", format!("sslmode=require&{stranger}"), "UnknownIssuer"),
        ("127.0.0.1", format!("sslmode=verify-ca&{stranger}"), "UnknownIssuer"),
        ("localhost", format!("sslmode=verify-full&{stranger}"), "UnknownIssuer"),
        ("localhost", "sslrootcert=system".to_owned(), "UnknownIssuer"),
        ("localhost", "sslmode=verify-full".to_owned(), "sslmode=verify-full: there are no"),
        ("localhost", format!("sslmode=verify-ca&{}", root("none.crt")), "none.crt"),
    ] {
        let error = publish(host, &words).unwrap_err();
        assert!(error.contains(said), "{host} {words}: {error}");
    }
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let port = port();
    let arguments = ["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")];
    let server = Server::start(&arguments, |_| {});
    let folder = server.folder();
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    std::os::unix::fs::symlink(&socket, folder.join(".s.PGSQL.5432")).unwrap();
    let database = Database::alone(folder);
    let publish = |words: &str| {
        let from = format!("postgres://whoisd_publisher@127.0.0.1:{port}/reference?{words}");
        let settings = Settings { from, ..database.settings() };
        publish::once(&settings, &database.rules, &mut Received::default())
    };
    assert_eq!(publish("").unwrap().record_count, 7);
    let error = publish("sslmode=require").unwrap_err().to_string();
    assert!(error.contains("server does not support TLS"), "{error}");
}
