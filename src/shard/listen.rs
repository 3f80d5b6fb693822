//! Claims listening addresses before the shards bind them, and says what is wrong with one.
//!
//! Shards bind with `SO_REUSEPORT`, which lets a second server of the same user share the port
//! without a word. So the kernel's list of listening sockets is looked at first. Binding without
//! `SO_REUSEPORT` would find another server too, but also the TIME-WAIT connections of our own last
//! run, and would refuse a restart for a minute. The list does not tell whether a listener on
//! `[::]` takes IPv4 as well: there, such a binding is tried.
//!
//! # Does not
//!
//! Keep the address: between the claim and the shards' own binding lie some milliseconds.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there.
    #[error(
        "listen {address}: address in use; stop the server that listens there \
         (`ss -ltnp 'sport = :{port}'` names it) or choose another address",
        port = .address.port()
    )]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A port below 1,024 without the right to it.
    #[error(
        "listen {address}: permission denied; ports below 1024 need CAP_NET_BIND_SERVICE: start \
         the server by deploy/whoisd.service, or run `setcap cap_net_bind_service=+ep` on the \
         program, or choose a port from 1024 on"
    )]
    Denied {
        /// The address asked for.
        address: SocketAddr,
    },
    /// No interface has this address.
    #[error(
        "listen {address}: no interface of this machine has this address; `ip address` lists those \
         that there are, 0.0.0.0 and [::] mean all of them"
    )]
    NotHere {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("listen {address}: {source}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// The kernel's error.
        source: io::Error,
    },
}

impl ListenError {
    /// Sorts the kernel's error about `address`.
    #[must_use]
    pub fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::Denied { address },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address },
            _ => Self::Other { address, source },
        }
    }
}

/// An address that nobody listens on, whose port is settled. The kernel gives that port to no other
/// process that asks for a free one, as long as this is held: until the shards have bound it.
#[derive(Debug)]
pub struct Claim {
    /// The address.
    pub address: SocketAddr,
    _bound: Socket,
}

/// Checks that nobody listens on `address`, and settles its port.
///
/// # Errors
///
/// If it cannot be listened on.
pub fn claim(address: SocketAddr) -> Result<Claim, ListenError> {
    let others = listening();
    let is_shared = others.iter().any(|other| shares(address, *other))
        || others.iter().any(|other| may_share(address, *other)) && is_refused_alone(address);
    if is_shared {
        return Err(ListenError::InUse { address });
    }
    bind(address).map_err(|error| ListenError::new(address, error))
}

/// Binds as the shards do.
fn bind_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Binds as the shards will, which settles port 0.
fn bind(address: SocketAddr) -> io::Result<Claim> {
    let bound = bind_socket(address)?;
    let address = bound.local_addr()?.as_socket();
    let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    Ok(Claim { address, _bound: bound })
}

/// A listener on `address` as the ring engine needs it, with room for `backlog_count` connections
/// that wait to be accepted.
///
/// # Errors
///
/// If it cannot be listened on.
pub fn open(address: SocketAddr, backlog_count: u64) -> Result<Socket, ListenError> {
    let backlog = i32::try_from(backlog_count).unwrap_or(i32::MAX);
    let open = || {
        let socket = bind_socket(address)?;
        socket.listen(backlog)?;
        Ok(socket)
    };
    open().map_err(|error| ListenError::new(address, error))
}

/// Whether a listener on `other` would take connections meant for `wanted`.
fn shares(wanted: SocketAddr, other: SocketAddr) -> bool {
    let [want, have] = [wanted, other].map(|address| address.ip().to_canonical());
    let any = want.is_unspecified() || have.is_unspecified();
    wanted.port() == other.port() && want.is_ipv4() == have.is_ipv4() && (any || want == have)
}

/// Whether one of them may take connections meant for the other since it is `[::]`, which takes
/// IPv4 as well unless its socket says otherwise.
fn may_share(wanted: SocketAddr, other: SocketAddr) -> bool {
    let [want, have] = [wanted, other].map(|address| address.ip().to_canonical());
    let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mixed = (want == all && have.is_ipv4()) || (have == all && want.is_ipv4());
    wanted.port() == other.port() && mixed
}

/// Whether the kernel finds that somebody listens there, of whatever family.
fn is_refused_alone(address: SocketAddr) -> bool {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    };
    bind().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// The addresses on which somebody listens; none if the kernel does not tell.
fn listening() -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(path).unwrap_or_default();
        found.extend(text.lines().filter_map(listener_of));
    }
    found
}

/// The local address of a line of `/proc/net/tcp` or `tcp6`, if it is a listening socket.
fn listener_of(line: &str) -> Option<SocketAddr> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    // Addresses are written as words of 32 bits in the order of this machine's bytes.
    let word = |index: usize| {
        let start = index.checked_mul(8)?;
        let digits = ip.get(start..start.checked_add(8)?)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = if ip.len() == 8 {
        IpAddr::from(Ipv4Addr::from(word(0)?))
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?];
        let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
        IpAddr::from(Ipv6Addr::from(bytes))
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_kernels_list_of_listeners_is_read() {
        let line = "   0: 0100007F:10F7 00000000:0000 0A 00000000:00000000 00:00000000";
        assert_eq!(listener_of(line).unwrap().to_string(), "127.0.0.1:4343");
        assert_eq!(listener_of(&line.replace("0A", "06")), None);
        let v6 = "0: 00000000000000000000000001000000:002B 0:0 0A 0";
        assert_eq!(listener_of(v6).unwrap().to_string(), "[::1]:43");
        for damaged in ["", "sl local_address rem_address st", "0: 01:10F7 0:0 0A", "0: x:y 0 0A"] {
            assert_eq!(listener_of(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn all_addresses_share_a_port_with_each_of_them() {
        let share =
            |wanted: &str, other: &str| shares(wanted.parse().unwrap(), other.parse().unwrap());
        assert!(share("0.0.0.0:43", "127.0.0.1:43") && share("127.0.0.1:43", "0.0.0.0:43"));
        assert!(share("[::1]:43", "[::1]:43"));
        assert!(!share("127.0.0.1:43", "127.0.0.2:43"));
        assert!(!share("127.0.0.1:43", "127.0.0.1:44"));
        assert!(share("127.0.0.1:43", "[::ffff:127.0.0.1]:43"));
        // That depends on the socket.
        assert!(!share("0.0.0.0:43", "[::]:43"));
    }

    #[test]
    fn a_listener_of_both_families_shares_with_each_address_of_ipv4() {
        let both = open("[::]:0".parse().unwrap(), 1).unwrap();
        let port = both.local_addr().unwrap().as_socket().unwrap().port();
        for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let wanted = SocketAddr::from((ip, port));
            assert!(matches!(claim(wanted), Err(ListenError::InUse { .. })), "{wanted}");
        }
        let one = open("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let port = one.local_addr().unwrap().as_socket().unwrap().port();
        let wanted = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        assert!(matches!(claim(wanted), Err(ListenError::InUse { .. })), "{wanted}");
    }

    #[test]
    fn a_listener_of_ipv6_alone_leaves_ipv4_free() {
        let is_claimed = |_| {
            let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
            socket.set_only_v6(true).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
            socket.listen(1).unwrap();
            let port = socket.local_addr().unwrap().as_socket().unwrap().port();
            let wanted = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            claim(wanted).is_ok_and(|claimed| claimed.address == wanted)
        };
        // Another test may hold the port over IPv4. It does not hold all of these.
        assert!((0..100).any(is_claimed));
    }

    #[test]
    fn a_free_port_is_settled() {
        let claimed = claim("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(claimed.address.port(), 0);
        assert_eq!(claim(claimed.address).unwrap().address, claimed.address);
    }

    #[test]
    fn a_settled_port_is_given_to_nobody_else_until_it_is_bound() {
        let held: Vec<_> =
            (0..400).map(|_| claim("127.0.0.1:0".parse().unwrap()).unwrap()).collect();
        let mut ports: Vec<_> = held.iter().map(|one| one.address.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 400);
        // The shards bind it all the same.
        open(held[0].address, 1).unwrap();
    }

    #[test]
    fn an_address_in_use_is_named_with_what_to_do() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let message = claim(address).unwrap_err().to_string();
        assert!(message.starts_with(&format!("listen {address}: address in use")), "{message}");
        assert!(message.contains(&format!("sport = :{}", address.port())), "{message}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let message = claim("192.0.2.1:4343".parse().unwrap()).unwrap_err().to_string();
        assert!(message.contains("no interface"), "{message}");
    }

    #[test]
    fn a_denied_port_says_how_to_get_it() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let message = ListenError::new("0.0.0.0:43".parse().unwrap(), error).to_string();
        assert!(message.contains("CAP_NET_BIND_SERVICE"), "{message}");
    }
}
