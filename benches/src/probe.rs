//! One query of each protocol, to see that a rival answers before it is measured.
//!
//! # Invariants
//!
//! - `bounded`: a query waits at most `TIMEOUT`, and reads at most `ANSWER_BYTES_MAX` bytes.
//!
//! # Does not
//!
//! Measure: the load generator does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one query may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a server speaks, over one connection a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 3912.
    Whois,
    /// RFC 1035 section 4.2.2; a query of type A.
    Dns,
    /// HTTP/1.1, `Connection: close`.
    Http,
}

impl Protocol {
    /// As the load generator's `--protocol` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whois => "whois",
            Self::Dns => "dns",
            Self::Http => "http",
        }
    }
}

/// Asks for `name` and gives the bytes of the answer.
///
/// # Errors
///
/// The kernel's, or the answer is empty or not one of the protocol.
pub fn ask(protocol: Protocol, address: SocketAddr, name: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    match protocol {
        Protocol::Whois => stream.write_all(format!("{name}\r\n").as_bytes())?,
        Protocol::Http => {
            let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes())?;
        }
        Protocol::Dns => stream.write_all(&dns_query(name))?,
    }
    let mut answer = Vec::new();
    if protocol == Protocol::Dns {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        stream.take(u16::from_be_bytes(length).into()).read_to_end(&mut answer)?;
    } else {
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    }
    if is_answer(protocol, &answer) {
        Ok(answer)
    } else {
        let start = answer.get(..answer.len().min(80)).unwrap_or_default();
        let start = String::from_utf8_lossy(start).into_owned();
        Err(io::Error::other(format!("{} bytes that are no answer: {start:?}", answer.len())))
    }
}

fn is_answer(protocol: Protocol, answer: &[u8]) -> bool {
    match protocol {
        Protocol::Whois => !answer.is_empty(),
        Protocol::Http => answer.starts_with(b"HTTP/1.1 200 "),
        // A response without an error code, and a record in the answer section.
        Protocol::Dns => {
            let byte = |at: usize| answer.get(at).copied().unwrap_or(0);
            byte(2) & 0x80 != 0 && byte(3) & 0x0f == 0 && (byte(6), byte(7)) != (0, 0)
        }
    }
}

/// A query of type A, class IN, with its length before it.
fn dns_query(name: &str) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap_or(63));
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    let mut message = u16::try_from(query.len()).unwrap_or(0).to_be_bytes().to_vec();
    message.extend_from_slice(&query);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_as_rfc_1035_says() {
        let query = dns_query("a.example");
        assert_eq!(query.get(..2), Some(&[0, 27][..]));
        assert!(query.ends_with(b"\x01a\x07example\x00\x00\x01\x00\x01"));
    }

    #[test]
    fn a_name_that_is_not_there_is_not_an_answer() {
        let header = |flags: u8, answers: u8| [0x12, 0x34, 0x84, flags, 0, 1, 0, answers];
        assert!(is_answer(Protocol::Dns, &header(0, 1)));
        assert!(!is_answer(Protocol::Dns, &header(3, 0)));
        assert!(!is_answer(Protocol::Dns, b""));
        assert!(!is_answer(Protocol::Http, b"HTTP/1.1 404 Not Found"));
    }
}
