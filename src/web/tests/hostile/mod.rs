//! Hostile clients of HTTP: what holds any server against attacks is that of port 43's suite,
//! `http` and `frames` are what these clients say.
#![allow(dead_code, reason = "the suites use parts of what they share")]

#[path = "../../../../tests/hostile/attack.rs"]
pub(crate) mod attack;
#[path = "../../../../tests/hostile/client.rs"]
pub(crate) mod client;
mod frames;
#[path = "../../../../tests/hostile/gauge.rs"]
pub(crate) mod gauge;
#[path = "../../../../tests/hostile/held.rs"]
pub(crate) mod held;
#[path = "../../../../tests/hostile/hold.rs"]
pub(crate) mod hold;
pub(crate) mod http;

/// Lets the peer send no larger segments; earlier versions of the crate have another name for it.
pub(crate) fn limit_segments(socket: &socket2::Socket, bytes: u32) -> std::io::Result<()> {
    socket.set_tcp_mss(bytes)
}
