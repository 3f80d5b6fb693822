//! `whoisd query`: asks a WHOIS server and prints its answer.
//!
//! # Does not
//!
//! Follow referrals, or change the query as many WHOIS clients do.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{Failure, answered, output};
use crate::observe::clock;

/// Longest answer that is read, bytes: far above any honest one, and bounded.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The port of RFC 3912.
const STANDARD_PORT: u16 = 43;

/// Ask a WHOIS server (any, over the network) and print its answer
///
/// The words of the query are joined by one space and sent as they are, with CR and LF. The answer
/// is printed byte for byte; on a terminal without carriage returns and control characters.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd query --server 127.0.0.1:4343 example.test\n  \
    whoisd query --server '[::1]:4343' nameserver 192.0.2.1\n  \
    whoisd query --server whois.nic.example 'registrar Example Registrar, Inc.'\n\n\
    Exit status, as that of `whoisd lookup`: 0 answered with a record, a list or a text; 1 no \
    connection, no answer in time, or the answer broke off; 3 the server cannot read the record \
    (%ERROR:INTERNAL); 4 there is no such record (\"No Data Found\", or another phrase that \
    client programs know: not found, no match, is free, AVAILABLE and the like), the name is kept \
    back, or the query was refused (%ERROR:, also for a limit). A server that says it in words of \
    its own ends with 0; `whoisd lookup` knows without the words.")]
pub(super) struct Options {
    /// Server as host or address, with a port if it is not 43
    #[arg(long, value_name = "HOST[:PORT]", value_parser = NonEmptyStringValueParser::new())]
    server: String,

    /// Time for the whole exchange with one address of the server, in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,

    /// The query. Options may stand before and after its words; a word that begins with a dash
    /// stands after --, with all that follow it
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let query = options.query.join(" ");
    let timeout = Duration::from_millis(options.timeout_ms);
    let mut failure = Failure::failed(format!("{}: the name has no address", options.server));
    for address in addresses(&options.server)? {
        let deadline = clock::monotonic().checked_add(timeout);
        let deadline = deadline.ok_or_else(|| Failure::failed("the clock is out of range"))?;
        match connect(address, timeout) {
            Ok(stream) => return exchange(stream, address, &query, deadline),
            Err(error) => failure = Failure::failed(format!("{address}: cannot connect: {error}")),
        }
    }
    Err(failure)
}

/// The addresses of `host`, `host:port`, `[v6]:port`, `[v6]` or a bare IPv6 address.
fn addresses(server: &str) -> Result<Vec<SocketAddr>, Failure> {
    let unbracketed = server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = unbracketed.unwrap_or(server);
    let is_bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let found = if is_bare_v6 || !server.contains(':') {
        (host, STANDARD_PORT).to_socket_addrs()
    } else {
        server.to_socket_addrs()
    };
    match found {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(Failure::failed(format!("{server}: {error}"))),
    }
}

fn connect(address: SocketAddr, timeout: Duration) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

fn exchange(
    mut stream: TcpStream,
    address: SocketAddr,
    query: &str,
    deadline: Instant,
) -> Result<(), Failure> {
    let mut answer = Vec::new();
    let end = stream
        .write_all(format!("{query}\r\n").as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|()| read_all(&mut stream, &mut answer, deadline));
    output::print_answer(&answer)?;
    match end {
        Err(problem) => {
            let count = answer.len();
            Err(Failure::failed(format!("{address}: {problem} after {count} bytes of answer")))
        }
        Ok(()) if answer.is_empty() => {
            Err(Failure::failed(format!("{address}: closed the connection without an answer")))
        }
        Ok(()) => answered::of_bytes(&answer),
    }
}

/// Reads until the server closes; what came before a problem stays in `answer`.
fn read_all(stream: &mut TcpStream, answer: &mut Vec<u8>, deadline: Instant) -> Result<(), String> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(clock::monotonic());
        if left.is_zero() {
            return Err("no end of the answer in time".to_owned());
        }
        stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(bytes) => answer.extend_from_slice(chunk.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err("no end of the answer in time".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes; cut"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_or_without_a_port() {
        let one = |server| addresses(server).unwrap()[0].to_string();
        assert_eq!(one("127.0.0.1"), "127.0.0.1:43");
        assert_eq!(one("127.0.0.1:4343"), "127.0.0.1:4343");
        assert_eq!(one("::1"), "[::1]:43");
        assert_eq!(one("[::1]"), "[::1]:43");
        assert_eq!(one("[::1]:4343"), "[::1]:4343");
        assert_eq!(addresses("127.0.0.1:x").unwrap_err().status, 1);
    }
}
