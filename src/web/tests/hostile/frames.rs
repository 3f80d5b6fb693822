//! Frames of HTTP/2 (RFC 9113), as bytes, also such as no client sends that means well.

/// What begins a connection (section 3.4), without the settings that follow it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// The number of the `number`th stream of a client.
pub(crate) fn stream(number: usize) -> u32 {
    u32::try_from(number * 2 + 1).unwrap()
}

/// Preface and settings, each a key and a value.
pub(crate) fn beginning(settings: &[(u16, u32)]) -> Vec<u8> {
    let pairs = settings.iter();
    let payload: Vec<u8> = pairs
        .flat_map(|(key, value)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    [PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()
}

/// A literal field without indexing, its name by its place in the static table (RFC 7541 6.2.2).
fn literal(place: u8, value: &str) -> Vec<u8> {
    [&[place, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

/// The fields of a request.
fn fields(path: &str) -> Vec<u8> {
    // `:method: GET` and `:scheme: http` are in the static table; `:path` is 4, `:authority` is 1.
    [&[0x82, 0x86][..], &literal(4, path), &literal(1, "x.example")].concat()
}

/// A whole request.
pub(crate) fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields(path))
}

/// A request whose fields have no end yet.
pub(crate) fn open_request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM, stream, &fields(path))
}

/// More fields, and no end.
pub(crate) fn continuation(stream: u32) -> Vec<u8> {
    // A field with a new name, without indexing.
    let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
    frame(CONTINUATION, 0, stream, &field.repeat(10))
}

/// A request with one long field that is repeated by its place in the table: 7 KB that mean
/// megabytes.
pub(crate) fn swollen_request(stream: u32, path: &str) -> Vec<u8> {
    // With indexing (RFC 7541 section 6.2.1): it takes place 62, the first after the static table.
    let length = 3_000_usize - 127;
    let long_length =
        [0x7f, u8::try_from(length % 128).unwrap() | 0x80, u8::try_from(length / 128).unwrap()];
    let field = [&[0x40, 1, b'x'][..], &long_length, &[b'y'; 3_000]].concat();
    let all = [fields(path), field, vec![0xbe; 4_000]].concat();
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &all)
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    // CANCEL.
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

pub(crate) fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[7; 8])
}

pub(crate) fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}
