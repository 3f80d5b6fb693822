//! What hostile clients say to a server of HTTP, and what the well-behaved one asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use whoisd::port43::limits::ROOM_GRACE_MS;

use super::attack::{Attack, DRIP_PASSES, Next, attack, converse, held, reset_at_once, silence};
use super::client::{Client, Source};
use super::frames;
use super::gauge::{OWN_PAUSE_MAX, PATIENCE};

/// A path whose answer is a record.
const PATH: &str = "/rdap/domain/example.demo";
/// Passes after which a client that holds on gives up: longer than a short run takes.
const PASSES_MAX: u32 = 300;
/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 section 6.5.2).
const INITIAL_WINDOW: u16 = 4;

/// Attacks on a listener without TLS, with short deadlines.
pub(crate) const ATTACKS: [Attack; 19] = [
    held("silence", 200, silence),
    held("a head byte by byte", 200, drip),
    held("fields without end", 50, endless_head),
    attack("a line of 64 KiB", 16, long_line),
    held("a body byte by byte", 100, dripping_body),
    held("chunks without end", 50, endless_chunks),
    attack("half-close after the head", 32, half_close),
    attack("reset after connect", 32, reset_at_once),
    attack("reset after the head", 32, reset_after_head),
    attack("a handshake of TLS", 32, hello),
    attack("NUL and control bytes", 32, control_bytes),
    Attack { slow: true, ..held("500 requests, never reading", 40, pipelined) },
    held("HTTP/2, silence", 100, two_silent),
    attack("HTTP/2, requests reset", 16, two_resets),
    held("HTTP/2, a window of 0", 40, two_closed_window),
    Attack { slow: true, ..held("HTTP/2, pings, never reading", 20, two_pings) },
    Attack { slow: true, ..held("HTTP/2, settings, never reading", 20, two_settings) },
    held("HTTP/2, fields without end", 20, two_endless_fields),
    attack("HTTP/2, swollen fields", 16, two_swollen),
];

/// The same on a listener with TLS.
pub(crate) const ATTACKS_OVER_TLS: [Attack; 4] = [
    held("TLS, silence", 200, silence),
    held("TLS, half a hello", 100, half_hello),
    held("TLS, a hello and no more", 50, hello_alone),
    attack("TLS, reset within the handshake", 32, hello_reset),
];

/// More silent connections than the server takes: it counts once so many have come, and goes on.
pub(crate) const TOO_MANY: Attack = Attack {
    source: Source::OneIpv4Slash24,
    opened_min: 300,
    ..attack("silence, no room", 600, silence)
};

/// A flood of connections that ask once.
pub(crate) const FLOOD: Attack =
    Attack { source: Source::OneIpv4Slash24, ..attack("flood from one /24", 64, flood) };

fn head(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x.example\r\n\r\n").into_bytes()
}

/// Holds on until the server closes, or for so long; what comes is not read.
fn hold_on(client: Client) -> Next {
    if client.passes > PASSES_MAX { Next::Close } else { Next::Hold(client) }
}

fn drip(mut client: Client) -> Next {
    let head = [b"GET /rdap/help HTTP/1.1\r\nX: ", &[b'a'; 1_000][..]].concat();
    let count = client.passes as usize / DRIP_PASSES as usize + 1;
    client.send(&head[..count.min(head.len())]);
    silence(client)
}

fn endless_head(mut client: Client) -> Next {
    let field = format!("X-{}: y\r\n", "a".repeat(900));
    let count = client.passes as usize + 1;
    let head = ["GET /rdap/help HTTP/1.1\r\n", &field.repeat(count.min(100))].concat();
    client.send(head.as_bytes());
    silence(client)
}

fn is_refused(answer: &[u8]) -> bool {
    let status = answer.get(..12).unwrap_or_default();
    let expected: [&[u8]; 3] = [b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431"];
    expected.contains(&status) && answer.ends_with(b"}")
}

fn is_record(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"}")
}

fn long_line(client: Client) -> Next {
    let text = head(&format!("/rdap/domain/{}", "a".repeat(64 << 10)));
    // The server may close before it has taken the line; then there may be no answer.
    converse(client, &text, |answer| answer.is_empty() || is_refused(answer))
}

fn dripping_body(mut client: Client) -> Next {
    let head = b"GET /rdap/help HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    let count = client.passes as usize / DRIP_PASSES as usize;
    client.send(&[&head[..], &vec![b'a'; count]].concat());
    silence(client)
}

fn endless_chunks(mut client: Client) -> Next {
    let head = b"GET /rdap/help HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = b"100\r\n".iter().chain(&[b'a'; 256]).chain(b"\r\n");
    let chunks: Vec<u8> = chunks.copied().collect();
    let count = client.passes as usize + 1;
    client.send(&[&head[..], &chunks.repeat(count)].concat());
    silence(client)
}

fn half_close(mut client: Client) -> Next {
    let text = head(PATH);
    if client.passes == 0 {
        client.send(&text);
        client.half_close();
    }
    converse(client, &text, is_record)
}

fn reset_after_head(mut client: Client) -> Next {
    client.send(&head(PATH));
    Next::Reset(client)
}

/// A hello of TLS 1.2: its record and a part of it.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn hello(client: Client) -> Next {
    converse(client, &[HELLO, &[7; 502]].concat(), |answer| answer.is_empty() || is_refused(answer))
}

fn control_bytes(client: Client) -> Next {
    converse(client, b"GET /rdap/\0\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", is_refused)
}

fn pipelined(mut client: Client) -> Next {
    client.send(&head(PATH).repeat(500));
    hold_on(client)
}

fn flood(mut client: Client) -> Next {
    client.send(&head(PATH));
    Next::Close
}

fn two_silent(mut client: Client) -> Next {
    client.send(&frames::beginning(&[]));
    client.read(4096);
    hold_on(client)
}

fn two_resets(client: Client) -> Next {
    let mut bytes = frames::beginning(&[]);
    for number in 0..200 {
        bytes.extend(frames::request(frames::stream(number), PATH));
        bytes.extend(frames::reset(frames::stream(number)));
    }
    // It is told to go, or closed on.
    converse(client, &bytes, |_| true)
}

/// 64 requests, and no room for an answer.
pub(crate) fn asking_for_nothing() -> Vec<u8> {
    let mut bytes = frames::beginning(&[(INITIAL_WINDOW, 0)]);
    (0..64).for_each(|number| bytes.extend(frames::request(frames::stream(number), PATH)));
    bytes
}

fn two_closed_window(mut client: Client) -> Next {
    client.send(&asking_for_nothing());
    client.read(4096);
    hold_on(client)
}

fn two_pings(mut client: Client) -> Next {
    client.send(&[frames::beginning(&[]), frames::ping().repeat(20_000)].concat());
    hold_on(client)
}

fn two_settings(mut client: Client) -> Next {
    client.send(&[frames::beginning(&[]), frames::settings().repeat(20_000)].concat());
    hold_on(client)
}

fn two_endless_fields(mut client: Client) -> Next {
    let start = [frames::beginning(&[]), frames::open_request(1, PATH)].concat();
    let count = client.passes as usize + 1;
    client.send(&[start, frames::continuation(1).repeat(count)].concat());
    silence(client)
}

fn two_swollen(mut client: Client) -> Next {
    let bytes = [frames::beginning(&[]), frames::swollen_request(1, PATH)].concat();
    client.send(&bytes);
    client.read(4096);
    if client.passes > 20 { Next::Close } else { Next::Hold(client) }
}

fn half_hello(mut client: Client) -> Next {
    client.send(HELLO);
    silence(client)
}

/// A whole hello, as rustls says it.
fn whole_hello() -> Vec<u8> {
    use tokio_rustls::rustls;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn hello_alone(mut client: Client) -> Next {
    client.send(&whole_hello());
    hold_on(client)
}

fn hello_reset(mut client: Client) -> Next {
    client.send(&whole_hello());
    client.read(4096);
    let has_answer = !client.answer.is_empty() || client.passes > 50;
    if has_answer { Next::Reset(client) } else { Next::Hold(client) }
}

/// As [`ask`], of a server that has no room until somebody has waited long enough to make some: it
/// may refuse a client that comes with a burst of others, and lets one in that comes again.
pub(crate) fn ask_again(to: SocketAddr) -> Result<Option<Duration>, String> {
    const TRIES_MAX: usize = 300;
    let tries = (1..TRIES_MAX).find_map(|_| {
        let answered = ask(to).ok();
        if answered.is_none() {
            std::thread::sleep(Duration::from_millis(ROOM_GRACE_MS));
        }
        answered
    });
    tries.map_or_else(|| ask(to), Ok)
}

/// How long the good client waited for its answer; `None` if it was itself too late for one.
pub(crate) fn ask(to: SocketAddr) -> Result<Option<Duration>, String> {
    let begun = Instant::now();
    let failed = |what: &str, error: std::io::Error| format!("the good client: {what}: {error}");
    let mut stream =
        TcpStream::connect_timeout(&to, PATIENCE).map_err(|error| failed("connect", error))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| failed("deadline", error))?;
    let text = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let sent = stream.write_all(text.as_bytes()).map_err(|error| failed("send", error));
    let was_late = begun.elapsed() > OWN_PAUSE_MAX;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).map_err(|error| failed("read", error));
    if was_late && answer.is_empty() {
        return Ok(None);
    }
    sent.and(read)?;
    if !is_record(&answer) {
        let start = answer[..answer.len().min(200)].escape_ascii().to_string();
        return Err(format!("the good client got {} bytes: {start}", answer.len()));
    }
    Ok(Some(begun.elapsed()))
}
