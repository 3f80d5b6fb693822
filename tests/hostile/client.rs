//! One connection of a hostile client: opened from a source of its choice, never waited for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// How long the kernel may take to open one: its queue may be full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// From its opening until its bytes are out: far below the server's deadlines.
const LATE: Duration = Duration::from_millis(100);
/// Smallest receive buffer that the kernel gives, bytes: it doubles what is asked.
const RECEIVE_BYTES_MIN: usize = 1152;
/// Largest segment that a slow client takes, bytes. By that of loopback, 64 KiB, the server's
/// kernel would take a whole answer before the client has read any of it.
const SEGMENT_BYTES: u32 = 536;

/// Where connections come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Wherever the kernel says.
    Any,
    /// One IPv4 address, which is not that of the good client.
    OneIpv4,
    /// Addresses of one IPv4 /24, one after the other.
    OneIpv4Slash24,
    /// Addresses of one IPv6 /64: the namespace of the test routes it to itself.
    OneIpv6Slash64,
}

impl Source {
    fn address(self, number: u64) -> Option<IpAddr> {
        let last = u8::try_from(number % 254).unwrap() + 1;
        match self {
            Self::Any => None,
            Self::OneIpv4 => Some(Ipv4Addr::new(127, 77, 7, 1).into()),
            Self::OneIpv4Slash24 => Some(Ipv4Addr::new(127, 77, 7, last).into()),
            Self::OneIpv6Slash64 => {
                // Spread as temporary addresses are.
                let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 2;
                let network = u128::from(0xfd5c_a1ab_001e_0000_u64) << 64;
                Some(Ipv6Addr::from_bits(network | u128::from(low)).into())
            }
        }
    }
}

/// An open connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// Bytes that were sent.
    pub(crate) sent_count: usize,
    /// What was received.
    pub(crate) answer: Vec<u8>,
    opened: Instant,
    /// Whether the machine kept it from sending for so long that the server may have cut it.
    pub(crate) was_late: bool,
    /// Passes of the attack since it was opened.
    pub(crate) passes: u32,
}

impl Client {
    /// Opens a connection; `number` is that of the connection among all of the attack.
    pub(crate) fn open(
        to: SocketAddr,
        source: Source,
        number: u64,
        slow: bool,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        if slow {
            socket.set_recv_buffer_size(RECEIVE_BYTES_MIN)?;
            super::limit_segments(&socket, SEGMENT_BYTES)?;
        }
        if let Some(address) = source.address(number) {
            socket.bind(&SocketAddr::from((address, 0)).into())?;
        }
        socket.connect_timeout(&to.into(), CONNECT_TIMEOUT)?;
        socket.set_nonblocking(true)?;
        let (stream, opened) = (socket.into(), Instant::now());
        let (answer, was_late) = (Vec::new(), false);
        Ok(Self { stream, sent_count: 0, answer, opened, was_late, passes: 0 })
    }

    /// Sends as much of `bytes` as the kernel takes, after what was sent; `false` once that is all.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        let rest = &bytes[self.sent_count.min(bytes.len())..];
        if rest.is_empty() {
            return false;
        }
        let written = self.stream.write(rest);
        self.was_late |= self.opened.elapsed() > LATE;
        match written {
            Ok(count) => self.sent_count += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The server has closed: reading says so.
            Err(_) => self.sent_count = bytes.len(),
        }
        self.sent_count < bytes.len()
    }

    /// Ends the sending side.
    pub(crate) fn half_close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads at most `bytes` of what is there; `true` once the server has closed, in order or not.
    pub(crate) fn read(&mut self, bytes: usize) -> bool {
        let mut buffer = vec![0; bytes];
        match self.stream.read(&mut buffer) {
            Ok(0) => true,
            Ok(count) => {
                self.answer.extend_from_slice(&buffer[..count]);
                false
            }
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Whether the server has closed, of a connection that gets nothing.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read(64)
    }

    /// Ends it with a reset.
    pub(crate) fn reset(self) {
        let socket = Socket::from(self.stream);
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
}
