//! Targets as an operator writes them: host names are looked up, and each is tried once, so that a
//! run of minutes does not end in refused connections alone.
//!
//! # Does not
//!
//! Judge answers: the run does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::Failure;
use crate::advice::advice;
use crate::http::{Heard, HttpSettings, Session, Speech};
use crate::protocol::{self, Protocol};
use crate::proxy::{self, Proxy};

/// How long the first connection, and its answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes read at once.
const PART_BYTES: usize = 16_384;
/// Reads of one answer at most.
const PARTS_MAX: usize = 1_024;
/// The query: every server answers it in some way.
const QUERY: &[u8] = b"help\r\n";

/// The address of `HOST[:PORT]`, on `usual_port` if it names none; a name's first one.
pub(super) fn resolved(text: &str, usual_port: u16) -> Result<SocketAddr, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.contains("://") {
        return Err(Failure::Usage(format!(
            "--target: {text:?} is a URL, expected HOST:PORT; --protocol, --tls and --http-path \
             say the rest"
        )));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(SocketAddr::new(ip, usual_port));
    }
    let (host, port) = match text.rsplit_once(':') {
        None => (text, usual_port),
        Some((host, port)) => {
            let port = port.parse().map_err(|_| {
                Failure::Usage(format!(
                    "--target: {text:?}: {port:?} is not a port, expected HOST:PORT, as in \
                         whois.example:43 or [2001:db8::1]:43"
                ))
            })?;
            (host, port)
        }
    };
    let found = (host, port).to_socket_addrs().map(|mut found| found.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(Failure::Failed(format!("--target: {host} has no address"))),
        Err(error) => {
            Err(Failure::Failed(format!("--target: {host} cannot be looked up: {error}")))
        }
    }
}

/// Connects and asks once.
pub(super) fn tried(
    target: SocketAddr,
    protocol: Protocol,
    http: &HttpSettings,
    proxy: Option<Proxy>,
    source: Option<SocketAddr>,
) -> Result<(), String> {
    let mut stream = connected(target, source).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::ConnectionRefused => "nobody listens there; is the server running?",
            ErrorKind::AddrNotAvailable => {
                "the source address is not of this machine; see --source"
            }
            _ => "is the address right, and the way there open?",
        };
        format!("--target: {target}: {error}: {what}")
    })?;
    let mut line = Vec::new();
    if let Some(proxy) = proxy {
        proxy::header(proxy, source.unwrap_or(target), target, &mut line);
    }
    if let Some(version) = protocol.http() {
        let speech = Speech::new(version, http).map_err(|error| error.to_string())?;
        return tried_http(&mut stream, &speech, &http.path, line)
            .map_err(|error| format!("--target: {target}: {error}"));
    }
    if protocol != Protocol::Whois {
        return Ok(());
    }
    line.extend_from_slice(QUERY);
    let answered = stream.write_all(&line).and_then(|()| stream.read(&mut [0]));
    let advice = match proxy {
        None => "does its listener want a PROXY header (--proxy)?",
        Some(_) => "does its listener take PROXY headers from this address?",
    };
    match answered {
        Ok(1..) => Ok(()),
        Ok(0) => {
            Err(format!("--target: {target}: it closed the connection without an answer; {advice}"))
        }
        Err(error) => {
            Err(format!("--target: {target}: no answer to a first query: {error}; {advice}"))
        }
    }
}

/// Asks once over HTTP; `out` goes before.
fn tried_http(
    stream: &mut TcpStream,
    speech: &Speech,
    template: &str,
    mut out: Vec<u8>,
) -> Result<(), String> {
    let said = |fault: &str| {
        let advice = advice(fault).unwrap_or("does its listener speak this protocol?");
        format!("no answer to a first request: {fault}: {advice}")
    };
    let mut path = String::new();
    protocol::path(QUERY, template, &mut path);
    let mut session = Session::open(speech).map_err(said)?;
    session.ask(speech, &path).map_err(said)?;
    let mut received = [0; PART_BYTES];
    // Many small parts of one answer; a server that never ends it is cut.
    for _ in 0..PARTS_MAX {
        session.output(&mut out).map_err(said)?;
        let done = stream.write_all(&out).and_then(|()| stream.read(&mut received));
        out.clear();
        match done.map_err(|error| said(&error.to_string()))? {
            0 => return session.closed().map_err(said),
            count => {
                let heard = session.take(received.get(..count).unwrap_or_default());
                if heard.map_err(said)? == Heard::Answered {
                    return Ok(());
                }
            }
        }
    }
    Err(said("the answer does not end"))
}

fn connected(target: SocketAddr, source: Option<SocketAddr>) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    if let Some(source) = source {
        socket.bind(&source.into())?;
    }
    socket.connect_timeout(&target.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn targets_are_addresses_and_names_with_and_without_a_port() {
        let v4 = |text: &str| resolved(text, 43).unwrap().to_string();
        assert_eq!(v4("192.0.2.1"), "192.0.2.1:43");
        assert_eq!(v4("192.0.2.1:4343"), "192.0.2.1:4343");
        assert_eq!(v4("2001:db8::1"), "[2001:db8::1]:43");
        assert_eq!(v4("[2001:db8::1]"), "[2001:db8::1]:43");
        assert_eq!(v4("[2001:db8::1]:4343"), "[2001:db8::1]:4343");
        let local = resolved("localhost:4343", 43).unwrap();
        assert!(local.ip().is_loopback() && local.port() == 4343, "{local}");
        assert!(resolved("localhost", 80).unwrap().port() == 80);
        for (text, part) in [
            ("localhost:port", "\"port\" is not a port, expected HOST:PORT"),
            ("localhost:70000", "\"70000\" is not a port"),
            ("http://localhost:80", "is a URL, expected HOST:PORT; --protocol, --tls"),
            ("nobody.invalid:43", "nobody.invalid cannot be looked up"),
        ] {
            let (is_usage, error) = match resolved(text, 43).unwrap_err() {
                Failure::Usage(error) => (true, error),
                Failure::Failed(error) => (false, error),
            };
            assert!(error.contains(part), "{error}");
            assert_eq!(is_usage, !part.contains("looked up"), "{error}");
        }
    }

    #[test]
    fn a_target_that_is_not_there_or_silent_is_reported_before_a_run() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            client.write_all(b"x").unwrap();
            // The second one is closed at once.
            drop(listener.accept().unwrap());
        });
        tried(
            target,
            Protocol::Whois,
            &HttpSettings::default(),
            None,
            Some("127.1.0.1:0".parse().unwrap()),
        )
        .unwrap();
        let error =
            tried(target, Protocol::Whois, &HttpSettings::default(), None, None).unwrap_err();
        assert!(error.contains("closed") || error.contains("reset"), "{error}");
        assert!(error.contains("--proxy"), "{error}");
        serving.join().unwrap();
        let error =
            tried(target, Protocol::Whois, &HttpSettings::default(), None, None).unwrap_err();
        assert!(error.contains("nobody listens there; is the server running?"), "{error}");
        let foreign = Some("192.0.2.77:0".parse().unwrap());
        let error =
            tried(target, Protocol::Whois, &HttpSettings::default(), None, foreign).unwrap_err();
        assert!(error.contains("see --source"), "{error}");
    }
}
