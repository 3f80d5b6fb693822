//! Silent connections held open by separate processes, as many as the limit of descriptors needs.
//!
//! ```text
//! benchmark ──▶ holder: --hold COUNT TARGET FIRST
//!           ◀── "open COUNT" once all are open
//!           ──▶ a line ◀── how many the server has not closed, as often as asked
//!           ──▶ end of input: it ends
//! ```
//!
//! # Invariants
//!
//! - `many-sources`: one loopback address has at most `CONNECTIONS_PER_SOURCE` connections.
//! - `none-left`: a holder ends with the process that started it: its input ends.
//!
//! # Does not
//!
//! Send a byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use socket2::{Domain, Socket, Type};

/// The argument by which a program becomes a holder; count, target, and the number of its first
/// connection among all follow.
pub const HOLD: &str = "--hold";

/// Connections from one source address: a few clients behind one address, not a flood from it.
const CONNECTIONS_PER_SOURCE: usize = 500;

/// Descriptors of a process besides its connections.
const DESCRIPTORS_OTHER: usize = 64;

/// Raises the limit of open descriptors to the hard limit, and says what that is.
///
/// # Errors
///
/// The kernel's.
pub fn raise_descriptors() -> io::Result<usize> {
    let (_, hard) = rlimit::Resource::NOFILE.get()?;
    rlimit::Resource::NOFILE.set(hard, hard)?;
    Ok(usize::try_from(hard).unwrap_or(usize::MAX))
}

/// One process that holds connections.
#[derive(Debug)]
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(count: usize, target: SocketAddr, first: usize) -> io::Result<Self> {
        let mut command = Command::new(own_program()?);
        command.args([HOLD, &count.to_string(), &target.to_string(), &first.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let piped = || io::Error::other("a holder without pipes");
        let input = Some(child.stdin.take().ok_or_else(piped)?);
        let output = BufReader::new(child.stdout.take().ok_or_else(piped)?);
        Ok(Self { child, input, output })
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let ended = || io::Error::other("a holder of connections has ended: see above");
        line.trim().parse().map_err(|_| ended())
    }

    fn open_count(&mut self) -> io::Result<usize> {
        if let Some(input) = &mut self.input {
            input.write_all(b"\n")?;
        }
        self.read()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// Silent connections to some servers.
#[derive(Debug)]
pub struct Held(Vec<Holder>);

impl Held {
    /// Opens `count` connections to each target and waits until all are open.
    ///
    /// # Errors
    ///
    /// The kernel's; a holder has written more to standard error.
    pub fn open(targets: &[SocketAddr], count: usize) -> io::Result<Self> {
        let each_max = raise_descriptors()?.saturating_sub(DESCRIPTORS_OTHER).max(1);
        let (mut holders, mut first) = (Vec::new(), 0);
        for target in targets {
            let mut left = count;
            while left > 0 {
                let some = left.min(each_max);
                holders.push(Holder::start(some, *target, first)?);
                (left, first) = (left - some, first + some);
            }
        }
        for holder in &mut holders {
            holder.read()?;
        }
        Ok(Self(holders))
    }

    /// How many the servers have not closed.
    ///
    /// # Errors
    ///
    /// A holder has ended.
    pub fn open_count(&mut self) -> io::Result<usize> {
        self.0.iter_mut().map(Holder::open_count).sum()
    }
}

/// Is a holder, if the command line says so.
#[must_use]
pub fn run() -> Option<io::Result<()>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hold, count, target, first] = arguments.as_slice() else { return None };
    if hold != HOLD {
        return None;
    }
    let (count, target, first) = (count.parse().ok()?, target.parse().ok()?, first.parse().ok()?);
    Some(hold_open(count, target, first))
}

#[expect(clippy::print_stdout, reason = "who started this holder waits for the lines")]
fn hold_open(count: usize, target: SocketAddr, first: usize) -> io::Result<()> {
    raise_descriptors()?;
    let mut held: Vec<TcpStream> = Vec::with_capacity(count);
    for number in first..first + count {
        held.push(connect(target, source(number / CONNECTIONS_PER_SOURCE))?);
    }
    println!("{}", held.len());
    for line in io::stdin().lines() {
        line?;
        held.retain(is_open);
        println!("{}", held.len());
    }
    Ok(())
}

/// One of 64,516 loopback addresses, on which no server listens by chance.
fn source(number: usize) -> Ipv4Addr {
    let byte = |number: usize| u8::try_from(number % 254).unwrap_or(0) + 1;
    Ipv4Addr::new(127, 43, byte(number / 254), byte(number))
}

fn connect(target: SocketAddr, source: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&target.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether neither a byte nor the end has come yet: the server sends nothing to a silent client.
fn is_open(mut stream: &TcpStream) -> bool {
    let read = stream.read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// This program: where it was built again while it runs, the one that took its place.
fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let place = program.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(place.map_or_else(|| program.clone(), PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_loopback_addresses_and_differ() {
        let mut sources: Vec<_> = (0..1_000).map(source).collect();
        assert!(sources.iter().all(Ipv4Addr::is_loopback));
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources.len(), 1_000);
    }
}
