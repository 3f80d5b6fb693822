//! Claims listening addresses before the shards bind them, and says what is wrong with one.
//!
//! Shards bind with `SO_REUSEPORT`, which lets a second server of the same user share the port
//! without a word. So each address is bound once without it first: that fails as long as anybody
//! listens there, and it settles port 0 for all shards alike.
//!
//! # Does not
//!
//! Keep the address: between the claim and the shards' own binding lie some milliseconds.

use std::io;
use std::net::{SocketAddr, TcpListener};

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
        /// What the kernel said.
        source: io::Error,
    },
}

impl ListenError {
    /// Sorts what the kernel said about `address`.
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

/// Checks that nobody listens on `address`, and gives it back with its port settled.
///
/// # Errors
///
/// If it cannot be listened on.
pub fn claim(address: SocketAddr) -> Result<SocketAddr, ListenError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.local_addr())
        .map_err(|error| ListenError::new(address, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_settled() {
        let address = claim("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(claim(address).unwrap(), address);
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
