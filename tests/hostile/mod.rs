//! Hostile clients, and what a server must do while they are there.
//!
//! `client` is one connection of theirs, `attack` how many of them do something, `whois` the list
//! of what they do; `site` is the server under test, `held` the kernel's figures for it, `gauge`
//! the waits of the well-behaved client beside them, `hold` puts these together.

pub(crate) mod attack;
pub(crate) mod client;
pub(crate) mod gauge;
pub(crate) mod held;
pub(crate) mod hold;
pub(crate) mod site;
pub(crate) mod whois;

/// Lets the peer send no larger segments; later versions of the crate have another name for it.
pub(crate) fn limit_segments(socket: &socket2::Socket, bytes: u32) -> std::io::Result<()> {
    socket.set_mss(bytes)
}
