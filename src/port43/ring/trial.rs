//! How the engine holds its sockets, found out by trying: whether this kernel ends a socket of a
//! ring's table as soon as it is closed.
//!
//! Before Linux 6.13 the kernel lets a file of a ring's table go only once every request for any
//! file of the table that began before the close has ended; 6.1 waits a second more. The close
//! itself completes at once, and no operation or flag is missing. So one silent client kept the end
//! of the stream from all others of its shard, seconds long, and their sockets piled up. A
//! descriptor that the ring closes ends at once on every kernel.
//!
//! A shutdown linked to such a close would bring the end of the stream in time, but not let the
//! socket go. Measured on 6.1 and 6.12, 200 pairs of sockets closed beside one silent pair: in the
//! table none ended and 400 sockets were left; with the shutdown all ended and 400 were left; as
//! descriptors all ended and none was left.
//!
//! # Does not
//!
//! Judge by the kernel's release: distributions carry changes back.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Sockets;
use super::kernel::Kernel;
use super::raw::Ring;

/// How long the end of a stream may take to be called in time. It is there when the turn that
/// closes returns, or not for a second at least.
const IN_TIME: Duration = Duration::from_millis(100);

/// Tries it in a ring of its own.
///
/// # Errors
///
/// If there can be no such ring, or no table in it.
pub(super) fn in_this_kernel() -> io::Result<Sockets> {
    let mut ring = Ring::<Vec<u8>>::new(2, Sockets::Direct, Vec::new())?;
    let (silent, _client) = UnixStream::pair()?;
    let (closed, mut client) = UnixStream::pair()?;
    ring.adopt(0, silent.into())?;
    ring.adopt(1, closed.into())?;
    client.set_read_timeout(Some(IN_TIME))?;
    let mut completed = Vec::new();
    let turn = |ring: &mut Ring<Vec<u8>>| ring.turn(0, &mut completed);
    attempt(&mut ring, turn, |_| matches!(client.read(&mut [0]), Ok(0)))
}

/// Closes slot 1 while a receive of slot 0 waits, and asks whether that has ended slot 1's stream.
pub(super) fn attempt<B, K: Kernel<B>>(
    kernel: &mut K,
    mut turn: impl FnMut(&mut K) -> io::Result<()>,
    ended: impl FnOnce(&K) -> bool,
) -> io::Result<Sockets> {
    kernel.receive(0, 0);
    turn(kernel)?;
    kernel.close(1, false);
    turn(kernel)?;
    Ok(if ended(kernel) { Sockets::Direct } else { Sockets::Ordinary })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel that the tests run on is late before 6.13 and never after it.
    #[test]
    fn the_trial_says_of_this_kernel_what_its_release_does() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        let is_late = (numbers.next(), numbers.next()) < (Some(6), Some(13));
        let expected = if is_late { Sockets::Ordinary } else { Sockets::Direct };
        assert_eq!(in_this_kernel().unwrap(), expected, "{release}");
    }
}
