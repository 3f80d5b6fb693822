//! What hostile clients say on port 43, and what the well-behaved one asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::attack::{Attack, DRIP_PASSES, Next, attack, converse, held, reset_at_once, silence};
use super::client::{Client, Source};
use super::gauge::{OWN_PAUSE_MAX, PATIENCE};

/// The same for queries of the largest answer: making those is work, and more of them would show
/// the capacity of a core, not the effect of a client that goes away on others.
const OPENS_PER_PASS_OF_LARGE: usize = 1;
/// Passes of which one opens connections that ask for the largest answer: 50 a second.
const PASSES_PER_OPEN_OF_LARGE: u64 = 5;

/// The query whose answer is as large as an answer may be (`site`).
pub(crate) const LARGE: &[u8] = b"large.demo\r\n";
/// A query that is served.
pub(crate) const SMALL: &[u8] = b"small.demo\r\n";

/// Slow clients that ask for the largest answer.
const fn large(name: &'static str, clients: usize, act: fn(Client) -> Next) -> Attack {
    let opens_max = OPENS_PER_PASS_OF_LARGE;
    let every_passes = PASSES_PER_OPEN_OF_LARGE;
    Attack { slow: true, opens_max, every_passes, ..attack(name, clients, act) }
}

/// The attacks on a server with short deadlines.
pub(crate) const ATTACKS: [Attack; 15] = [
    held("silence", 300, silence),
    held("one byte per second", 300, drip),
    held("no line end", 300, no_line_end),
    attack("a line of 64 KiB", 16, long_line),
    attack("NUL and control bytes", 32, control_bytes),
    attack("invalid UTF-8", 32, invalid_utf8),
    attack("half-close after the line", 32, half_close),
    attack("half-close at once", 32, half_close_at_once),
    attack("reset after connect", 32, reset_at_once),
    attack("reset within the line", 32, reset_within_line),
    Attack { slow: false, ..large("reset after the line", 32, reset_after_line) },
    large("reset within the answer", 16, reset_within_answer),
    Attack { holds: true, every_passes: 1, ..large("never reading", 12, never_reading) },
    attack("more lines than one", 32, more_lines),
    Attack { source: Source::OneIpv4Slash24, ..attack("flood from one /24", 64, flood) },
];

/// More clients that do not read than the server has buffers for answers: from another source than
/// the good client, from many others, and from the same.
pub(crate) const OUT_OF_BUFFERS: [Attack; 3] = [
    Attack { source: Source::OneIpv4, ..out_of_buffers("never reading, all buffers") },
    Attack { source: Source::OneIpv4Slash24, ..out_of_buffers("the same, from a /24") },
    out_of_buffers("the same, from one address"),
];

const fn out_of_buffers(name: &'static str) -> Attack {
    Attack { holds: true, every_passes: 1, ..large(name, 40, never_reading) }
}

/// Clients that keep their side open after their answer, for 400 ms: more than the server takes
/// connections, and within 100 ms fewer.
pub(crate) const ANSWERED: Attack =
    Attack { holds: true, ..attack("answered, holds open", 700, answered) };

/// Connections from one IPv6 /64, if there is one.
pub(crate) const FLOOD_IPV6: Attack =
    Attack { source: Source::OneIpv6Slash64, ..attack("flood from one /64", 64, flood) };

/// Idle connections, many; on a server that keeps them.
pub(crate) const fn idle(clients: usize) -> Attack {
    Attack { source: Source::OneIpv4Slash24, stays: true, ..held("idle", clients, silence) }
}

fn drip(mut client: Client) -> Next {
    let bytes = vec![b'a'; client.passes as usize / DRIP_PASSES as usize + 1];
    client.send(&bytes);
    silence(client)
}

fn no_line_end(mut client: Client) -> Next {
    client.send(&[b'a'; 900]);
    silence(client)
}

fn is_refusal(answer: &[u8]) -> bool {
    answer.starts_with(b"%ERROR:") && answer.ends_with(b"\r\n")
}

fn is_record(answer: &[u8]) -> bool {
    answer.starts_with(b"Domain Name: small.demo\r\n") && answer.ends_with(b"\r\n")
}

fn long_line(client: Client) -> Next {
    // The server may close before it has taken the line; then there may be no answer.
    let query = [&[b'a'; 64 << 10][..], b"\r\n"].concat();
    converse(client, &query, |answer| answer.is_empty() || answer.starts_with(b"%ERROR:"))
}

fn control_bytes(client: Client) -> Next {
    converse(client, b"sma\0ll\x1b[2J\x07\x7f.demo\r\n", is_refusal)
}

fn invalid_utf8(client: Client) -> Next {
    converse(client, b"sm\xc3(ll\xff\xfe\xf5\x80.demo\r\n", is_refusal)
}

/// The byte after the line makes the server wait for the client's end; its own has come by then.
fn answered(mut client: Client) -> Next {
    client.send(b"small.demo\r\nx");
    client.read(4096);
    if client.passes > 100 { Next::Close } else { Next::Hold(client) }
}

fn half_close(mut client: Client) -> Next {
    if client.passes == 0 {
        client.send(b"small.demo");
        client.half_close();
    }
    converse(client, b"small.demo", is_record)
}

fn half_close_at_once(client: Client) -> Next {
    client.half_close();
    converse(client, b"", |answer| answer.is_empty() || answer.starts_with(b"%ERROR:"))
}

fn more_lines(client: Client) -> Next {
    converse(client, b"small.demo\r\nsmall.demo\r\nsmall.demo\r\n", is_record)
}

fn reset_within_line(mut client: Client) -> Next {
    client.send(b"smal");
    if client.passes == 0 { Next::Hold(client) } else { Next::Reset(client) }
}

fn reset_after_line(mut client: Client) -> Next {
    client.send(LARGE);
    Next::Reset(client)
}

fn reset_within_answer(mut client: Client) -> Next {
    client.send(LARGE);
    if client.read(512) {
        return Next::Close;
    }
    if client.answer.is_empty() { Next::Hold(client) } else { Next::Reset(client) }
}

/// Whether the server has closed shows once it has reset: what it has sent is not read.
fn never_reading(mut client: Client) -> Next {
    client.send(LARGE);
    // Longer than a short run takes.
    if client.passes > 300 { Next::Close } else { Next::Hold(client) }
}

fn flood(mut client: Client) -> Next {
    client.send(SMALL);
    Next::Close
}

/// How long the good client waited for its answer; `None` if it was itself too late for one.
pub(crate) fn ask(to: SocketAddr) -> Result<Option<Duration>, String> {
    let begun = Instant::now();
    let failed = |what: &str, error: std::io::Error| format!("the good client: {what}: {error}");
    let mut stream =
        TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| failed("connect", error))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| failed("deadline", error))?;
    let mut answer = String::new();
    let sent = stream.write_all(SMALL).map_err(|error| failed("send", error));
    let was_late = begun.elapsed() > OWN_PAUSE_MAX;
    let read = stream.read_to_string(&mut answer).map_err(|error| failed("read", error));
    if was_late && answer.is_empty() {
        return Ok(None);
    }
    sent.and(read)?;
    let whole = answer.starts_with("Domain Name: small.demo\r\n") && answer.ends_with("\r\n");
    if !whole {
        return Err(format!("the good client got {} bytes: {answer:.200}", answer.len()));
    }
    Ok(Some(begun.elapsed()))
}
