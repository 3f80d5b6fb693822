//! A client of HTTP/1.1 that keeps its connection: what a benchmark asks before it measures, and
//! one request after another.
//!
//! # Does not
//!
//! Speak TLS, or offer a load: the load generator does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest body, bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A connection that is kept.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects once the server listens.
    ///
    /// # Errors
    ///
    /// It does not listen within a minute.
    #[expect(clippy::disallowed_methods, reason = "the wait has an end")]
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let begun = Instant::now();
        loop {
            match TcpStream::connect(address) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self { address, reader: BufReader::new(stream) });
                }
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Status and body of a path; a body without a length is empty.
    ///
    /// # Errors
    ///
    /// The kernel's, or the answer is not of HTTP.
    pub fn get(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/rdap+json\r\n\r\n",
            self.address
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
                let other = || io::Error::other(format!("{line:?} is not of HTTP"));
                status = Some(code.ok_or_else(other)?);
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length.min(BODY_BYTES_MAX)];
        self.reader.read_exact(&mut body)?;
        Ok((status.unwrap_or_default(), body))
    }
}
