//! Sessions against answers that are written here, and against `h2` and `rustls` as servers.

#[path = "../../tests/certificate/mod.rs"]
mod certificate;

use std::sync::Arc;

use super::*;
use certificate::server_config;

fn speech(version: Version, is_kept: bool) -> Speech {
    Speech { version, host: "rdap.example".to_owned(), is_kept, tls: None }
}

fn asked(is_kept: bool) -> Session {
    let speech = speech(Version::One, is_kept);
    let mut session = Session::open(&speech).unwrap();
    session.ask(&speech, "/domain/x.example").unwrap();
    let mut out = Vec::new();
    session.output(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("GET /domain/x.example HTTP/1.1\r\nHost: rdap.example\r\n"), "{text}");
    assert_eq!(text.contains("Connection: close\r\n"), !is_kept);
    assert!(text.ends_with("\r\n\r\n"));
    session
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    4;x=y\r\nabcd\r\n2\r\nef\r\n0\r\nTrailer: x\r\n\r\n";

#[test]
fn an_answer_ends_where_its_head_says_however_it_is_cut_into_pieces() {
    for (text, status, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404, ""),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x"),
        (CHUNKED, 200, "abcdef"),
    ] {
        for step in [1, 2, 7, text.len()] {
            let mut session = asked(true);
            let mut parts = text.as_bytes().chunks(step).peekable();
            while let Some(part) = parts.next() {
                let heard = session.take(part).unwrap();
                let is_last = parts.peek().is_none();
                assert_eq!(heard == Heard::Answered, is_last, "{text:?} in steps of {step}");
            }
            let answer = session.answer().unwrap();
            assert_eq!((answer.status, answer.body), (status, body.as_bytes()), "{text:?}");
            assert!(session.is_reusable());
        }
    }
}

#[test]
fn an_answer_that_is_no_http_or_goes_on_is_malformed() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
    ] {
        assert_eq!(asked(true).take(text.as_bytes()), Err("malformed"), "{text:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000));
    assert_eq!(asked(true).take(endless.as_bytes()), Err("malformed"));
    let endless = format!("{}{}", CHUNKED.split_at(50).0, "y".repeat(100_000));
    assert_eq!(asked(true).take(endless.as_bytes()), Err("malformed"));
}

#[test]
fn a_connection_that_is_not_kept_is_over_when_the_server_ends_it() {
    let mut session = asked(false);
    assert_eq!(session.take(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), Ok(Heard::More));
    assert_eq!(session.closed(), Ok(()));
    assert_eq!(session.answer().unwrap().status, 200);
    let mut until_close = asked(false);
    assert_eq!(until_close.take(b"HTTP/1.0 200 OK\r\n\r\nabc"), Ok(Heard::More));
    assert_eq!(until_close.closed(), Ok(()));
    assert_eq!(until_close.answer().unwrap().body, b"abc");
    let mut cut = asked(false);
    assert_eq!(cut.take(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx"), Ok(Heard::More));
    assert_eq!(cut.closed(), Err("cut-short"));
    assert_eq!(cut.answer(), None);
}

#[test]
fn a_server_that_closes_is_not_asked_again_on_the_same_connection() {
    for head in ["HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close", "HTTP/1.0 200 OK"] {
        let mut session = asked(true);
        let text = format!("{head}\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(session.take(text.as_bytes()), Ok(Heard::Answered));
        assert!(!session.is_reusable(), "{head}");
    }
}

#[test]
fn of_a_long_body_the_beginning_is_kept_and_the_end_is_found() {
    let mut session = asked(true);
    let length = 3 * ANSWER_BYTES_MAX;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(session.take(head.as_bytes()), Ok(Heard::More));
    assert_eq!(session.take(&vec![b'x'; length - 1]), Ok(Heard::More));
    assert_eq!(session.take(b"x"), Ok(Heard::Answered));
    assert_eq!(session.answer().unwrap().body.len(), ANSWER_BYTES_MAX);
}

/// Passes bytes between a session and a server of TLS, which answers `answer` to each request.
fn over_tls(session: &mut Session, config: &Arc<rustls::ServerConfig>, answer: &[u8]) {
    let mut server = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    let mut out = Vec::new();
    for _ in 0..10 {
        out.clear();
        session.output(&mut out).unwrap();
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            let state = server.process_new_packets().unwrap();
            let mut request = vec![0; state.plaintext_bytes_to_read()];
            std::io::Read::read_exact(&mut server.reader(), &mut request).unwrap();
            if !request.is_empty() {
                std::io::Write::write_all(&mut server.writer(), answer).unwrap();
            }
        }
        let mut back = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        if !back.is_empty() && session.take(&back).unwrap() == Heard::Answered {
            return;
        }
    }
    panic!("no answer");
}

#[test]
fn a_connection_over_tls_resumes_an_earlier_one_unless_told_otherwise() {
    let config = server_config("rdap.example");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    for resumes in [true, false] {
        let settings =
            HttpSettings { is_tls: true, is_kept: true, resumes, ..HttpSettings::default() };
        let speech = Speech::new(Version::One, &settings).unwrap();
        let mut resumed = Vec::new();
        for _ in 0..3 {
            let mut session = Session::open(&speech).unwrap();
            session.ask(&speech, "/").unwrap();
            assert!(session.is_handshaking());
            over_tls(&mut session, &config, answer);
            assert_eq!(session.answer().unwrap().body, b"x");
            assert!(!session.is_handshaking() && session.is_reusable());
            resumed.push(session.is_resumed().unwrap());
        }
        assert_eq!(resumed, [false, resumes, resumes]);
    }
}

#[test]
fn a_server_without_http2_over_tls_is_named() {
    let settings = HttpSettings { is_tls: true, is_kept: true, ..HttpSettings::default() };
    let speech = Speech::new(Version::Two, &settings).unwrap();
    let mut session = Session::open(&speech).unwrap();
    session.ask(&speech, "/").unwrap();
    let mut server = rustls::ServerConnection::new(server_config("rdap.example")).unwrap();
    let (mut out, mut back) = (Vec::new(), Vec::new());
    session.output(&mut out).unwrap();
    server.read_tls(&mut out.as_slice()).unwrap();
    let _ = server.process_new_packets().unwrap();
    while server.wants_write() {
        server.write_tls(&mut back).unwrap();
    }
    assert_eq!(session.take(&back), Err("no-http2"));
}

#[test]
fn bytes_that_are_no_tls_or_no_http2_end_the_connection() {
    let settings = HttpSettings { is_tls: true, ..HttpSettings::default() };
    let speech_of = Speech::new(Version::One, &settings).unwrap();
    let mut session = Session::open(&speech_of).unwrap();
    session.ask(&speech_of, "/").unwrap();
    assert_eq!(session.take(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Err("tls-failed"));
    let plain = speech(Version::Two, true);
    let mut session = Session::open(&plain).unwrap();
    session.ask(&plain, "/").unwrap();
    assert!(session.take(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
}
